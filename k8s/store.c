/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/store.h"

#include "base/text.h"

#include <string.h>

struct grave {
    struct map_node by_uid;
    char *uid, *ns;
};

static char *key_of(const struct k8s_meta *meta)
{
    return text_join(meta->ns, '/', meta->name);
}

static void index_object(struct k8s_store *s, struct k8s_object *o)
{
    for (int i = 0; i < K8S_MAX_INDEXES; i++) {
        char *key = s->kind->index_key[i] ? s->kind->index_key[i](o) : NULL;

        if (text_equal(key, o->indexes[i].key)) {
            free(key);
            continue;
        }
        map_remove(&s->indexes[i], &o->indexes[i].node);
        free(o->indexes[i].key);
        o->indexes[i].key = key;
        if (key)
            map_add(&s->indexes[i], &o->indexes[i].node, key);
    }
}

static void object_free(const struct k8s_kind *kind, struct k8s_object *o)
{
    kind->free(o->value);
    k8s_meta_done(&o->meta);
    for (int i = 0; i < K8S_MAX_INDEXES; i++)
        free(o->indexes[i].key);
    free(o->key);
    free(o);
}

static void unlink_object(struct k8s_store *s, struct k8s_object *o)
{
    map_remove(&s->objects, &o->by_key);
    for (int i = 0; i < K8S_MAX_INDEXES; i++)
        map_remove(&s->indexes[i], &o->indexes[i].node);
}

static void note_left(struct k8s_store *s, const char *uid)
{
    size_t i = s->n_left++ % K8S_STORE_LEFT;

    s->left[i].uid = hash_text(uid);
    s->left[i].at = loop_now(s->loop, LOOP_MONOTONIC);
}

bool k8s_store_has_left(const struct k8s_store *s, const char *uid, int64_t ms)
{
    size_t n = s->n_left < K8S_STORE_LEFT ? s->n_left : K8S_STORE_LEFT;
    int64_t since = loop_now(s->loop, LOOP_MONOTONIC) - ms;
    uint64_t hash = hash_text(uid);

    for (size_t i = 0; i < n; i++)
        if (s->left[i].uid == hash && s->left[i].at > since)
            return true;
    return false;
}

void k8s_store_remove(struct k8s_store *s, struct k8s_object *o)
{
    note_left(s, o->meta.uid);
    unlink_object(s, o);
    s->on_change(o, NULL, s->arg);
    object_free(s->kind, o);
}

static struct k8s_object *add(struct k8s_store *s, struct k8s_meta *meta, const json_t *json)
{
    struct k8s_object *o = NEW(struct k8s_object);

    o->meta = *meta;
    o->known_since = loop_now(s->loop, LOOP_MONOTONIC);
    o->key = key_of(meta);
    o->value = s->kind->decode(json);
    map_add(&s->objects, &o->by_key, o->key);
    index_object(s, o);
    s->on_change(NULL, o, s->arg);
    return o;
}

/* The object keeps its address and its place in the order; the old state lives on the stack until
 * on_change has seen it, and is in no index. */
static void change(struct k8s_store *s, struct k8s_object *o, struct k8s_meta *meta,
                   const json_t *json)
{
    struct k8s_object old = {.meta = o->meta, .value = o->value, .key = o->key};

    o->meta = *meta;
    o->known_since = loop_now(s->loop, LOOP_MONOTONIC);
    o->value = s->kind->decode(json);
    index_object(s, o);
    s->on_change(&old, o, s->arg);
    s->kind->free(old.value);
    k8s_meta_done(&old.meta);
}

struct k8s_object *k8s_store_get(const struct k8s_store *s, const char *key)
{
    struct map_node *node = map_get(&s->objects, key);

    return node ? container_of(node, struct k8s_object, by_key) : NULL;
}

static struct k8s_object *find(const struct k8s_store *s, const struct k8s_meta *meta)
{
    CLEANUP(free) char *key = key_of(meta);

    return k8s_store_get(s, key);
}

struct k8s_object *k8s_store_put(struct k8s_store *s, struct k8s_meta *meta, const json_t *json,
                                 bool even_older)
{
    struct k8s_object *o = find(s, meta);
    bool same = o && strcmp(o->meta.uid, meta->uid) == 0;

    if (!even_older && (map_get(&s->gone, meta->uid) ||
                        (o && meta->resource_version <= o->meta.resource_version))) {
        k8s_meta_done(meta);
        return same ? o : NULL;
    }
    if (same) {
        change(s, o, meta, json);
        return o;
    }
    if (o)
        k8s_store_remove(s, o);
    return add(s, meta, json);
}

static void dig_up(struct k8s_store *s, struct grave *grave)
{
    map_remove(&s->gone, &grave->by_uid);
    free(grave->uid);
    free(grave->ns);
    free(grave);
}

void k8s_store_delete(struct k8s_store *s, const struct k8s_meta *meta)
{
    struct k8s_object *o = find(s, meta);
    struct map_node *buried = map_get(&s->gone, meta->uid);

    if (buried)
        dig_up(s, container_of(buried, struct grave, by_uid));
    if (o && strcmp(o->meta.uid, meta->uid) == 0 &&
        meta->resource_version >= o->meta.resource_version)
        k8s_store_remove(s, o);
}

void k8s_store_bury(struct k8s_store *s, const char *key, const char *uid)
{
    struct k8s_object *o = k8s_store_get(s, key);

    if (!o || strcmp(o->meta.uid, uid) != 0)
        return; /* the watch has told it already */
    struct grave *grave = NEW(struct grave);
    grave->uid = xstrdup(uid);
    grave->ns = xstrdup(o->meta.ns);
    map_add(&s->gone, &grave->by_uid, grave->uid);
    k8s_store_remove(s, o);
}

void k8s_store_forget_buried(struct k8s_store *s, const char *ns)
{
    struct grave *grave;

    map_foreach (grave, &s->gone, by_uid)
        if (!ns || strcmp(grave->ns, ns) == 0)
            dig_up(s, grave);
}

void k8s_store_init(struct k8s_store *s, struct loop *loop, const struct k8s_kind *kind,
                    void (*on_change)(const struct k8s_object *, const struct k8s_object *, void *),
                    void *arg)
{
    *s = (struct k8s_store) {.kind = kind, .loop = loop, .on_change = on_change, .arg = arg};
    map_init(&s->objects);
    map_init(&s->gone);
    for (int i = 0; i < K8S_MAX_INDEXES; i++)
        map_init(&s->indexes[i]);
}

void k8s_store_done(struct k8s_store *s)
{
    struct k8s_object *o;

    map_foreach (o, &s->objects, by_key) {
        unlink_object(s, o);
        object_free(s->kind, o);
    }
    k8s_store_forget_buried(s, NULL);
    map_done(&s->objects);
    map_done(&s->gone);
    for (int i = 0; i < K8S_MAX_INDEXES; i++)
        map_done(&s->indexes[i]);
}
