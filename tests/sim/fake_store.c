/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_store.h"

#include "base/text.h"
#include "sim/fake_schema.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define HISTORY_MS    300000 /* etcd is compacted every five minutes */
#define PRUNE_EVERY   16
#define KEPT_TEXTS    256
#define FIRST_VERSION 100
#define LOWER_VERSION 50 /* after a restore without a backup */

void fake_time_text(int64_t ms, char text[32])
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void fake_version_text(uint64_t version, char text[24])
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char) ('0' + version % 10);
    while ((version /= 10));
    memcpy(text, digits + at, sizeof(digits) - at);
}

int64_t fake_server_now(const struct fake_server *s)
{
    return loop_now(s->loop, LOOP_OF_DAY) + s->skew_ms;
}

struct fake_object *fake_store_find(const struct fake_kind *kind, const char *ns, const char *name)
{
    CLEANUP(free) char *key = text_join(ns, '/', name);
    struct map_node *node = map_get(&kind->objects, key);

    return node ? container_of(node, struct fake_object, by_key) : NULL;
}

json_t *fake_store_own(json_t *json)
{
    json_t *own = json;

    if (json->refcount > 1) {
        own = json_copy(json);
        json_decref(json);
    }
    if (fake_meta(own)->refcount > 1)
        json_object_set_new_nocheck(own, "metadata", json_copy(fake_meta(own)));
    return own;
}

json_t *fake_store_editable(const json_t *json)
{
    return fake_store_own(json_incref((json_t *) (uintptr_t) json));
}

/* ---- history ---- */

static void tell_watchers(struct fake_server *s, const struct fake_kind *kind, const json_t *old,
                          const json_t *new)
{
    struct fake_watcher *w;

    list_foreach (w, &s->watchers, link)
        if (w->on_change)
            w->on_change(kind->resource, old, new, w->arg);
}

static void event_done(struct fake_event *e)
{
    json_decref(e->old);
    json_decref(e->new);
    free(e->text);
}

/* Forgets what no watch asks for any more. */
static void prune(struct fake_server *s)
{
    int64_t limit = loop_now(s->loop, LOOP_MONOTONIC) - HISTORY_MS;
    size_t n = 0;

    while (n < s->n_events && s->events[n].at < limit) {
        s->oldest = s->events[n].version;
        event_done(&s->events[n]);
        n++;
    }
    memmove(s->events, s->events + n, (s->n_events - n) * sizeof(*s->events));
    s->n_events -= n;
}

/* Texts are for watches that keep up; others print anew. */
static void forget_text(struct fake_server *s)
{
    if (s->n_events < KEPT_TEXTS)
        return;
    free(s->events[s->n_events - KEPT_TEXTS].text);
    s->events[s->n_events - KEPT_TEXTS].text = NULL;
}

static void remember(struct fake_server *s, const struct fake_kind *kind, json_t *old, json_t *new)
{
    if (s->n_events % PRUNE_EVERY == PRUNE_EVERY - 1)
        prune(s);
    forget_text(s);
    if (s->n_events == s->cap_events) {
        s->cap_events = s->cap_events ? 2 * s->cap_events : PRUNE_EVERY;
        s->events = xrealloc(s->events, s->cap_events, sizeof(*s->events));
    }
    s->events[s->n_events++] = (struct fake_event) {
        .version = s->version,
        .at = loop_now(s->loop, LOOP_MONOTONIC),
        .kind = kind,
        .old = json_incref(old),
        .new = json_incref(new),
    };
    tell_watchers(s, kind, old, new);
    s->on_event(kind, s->arg);
}

size_t fake_server_after(const struct fake_server *s, uint64_t version)
{
    size_t low = 0, high = s->n_events;

    if (version >= s->version)
        return s->n_events;
    while (low < high) {
        size_t mid = (low + high) / 2;

        if (s->events[mid].version > version)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static void forget_events(struct fake_server *s)
{
    for (size_t i = 0; i < s->n_events; i++)
        event_done(&s->events[i]);
    s->n_events = 0;
}

/* ---- objects ---- */

/* The metadata must be json's own. */
static void stamp(struct fake_server *s, json_t *json)
{
    char text[24];

    fake_version_text(s->version += s->version_step, text);
    json_object_set_new_nocheck(fake_meta(json), "resourceVersion", json_string_nocheck(text));
}

static void new_uid(struct fake_server *s, char text[37])
{
    uint64_t a = rng_next(s->rng), b = rng_next(s->rng);

    snprintf(text, 37, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned) (a >> 32),
             (unsigned) (a >> 16 & 0xFFFF), (unsigned) (a & 0xFFF),
             (unsigned) (0x8000 | (b >> 48 & 0x3FFF)), b & 0xFFFFFFFFFFFFu);
}

/* Takes json. */
static struct fake_object *insert(struct fake_server *s, struct fake_kind *kind, json_t *json)
{
    struct fake_object *o = NEW(struct fake_object);

    o->kind = kind;
    o->json = json;
    o->key = text_join(fake_meta_text(json, "namespace"), '/', fake_meta_text(json, "name"));
    o->uid = xstrdup(fake_meta_text(json, "uid"));
    map_add(&kind->objects, &o->by_key, o->key);
    map_add(&s->by_uid, &o->by_uid, o->uid);
    fake_gc_added(s, o);
    return o;
}

static void object_free(struct fake_object *o)
{
    json_decref(o->json);
    free(o->key);
    free(o->uid);
    free(o);
}

/* Out of the maps, not freed. */
static void take_out(struct fake_server *s, struct fake_object *o)
{
    map_remove(&o->kind->objects, &o->by_key);
    map_remove(&s->by_uid, &o->by_uid);
    fake_gc_removed(s, o);
}

struct fake_object *fake_store_add(struct fake_server *s, struct fake_kind *kind, json_t *json)
{
    json_t *meta = fake_meta(json);
    char uid[37], now[32];

    new_uid(s, uid);
    fake_time_text(fake_server_now(s), now);
    json_set_text(meta, "uid", uid);
    json_set_text(meta, "creationTimestamp", now);
    stamp(s, json);
    struct fake_object *o = insert(s, kind, json);
    remember(s, kind, NULL, json);
    return o;
}

void fake_store_change(struct fake_server *s, struct fake_object *o, json_t *json)
{
    json_t *old = o->json;

    o->json = fake_store_own(json);
    stamp(s, o->json);
    fake_gc_changed(s, o, old);
    remember(s, o->kind, old, o->json);
    json_decref(old);
}

json_t *fake_store_remove(struct fake_server *s, struct fake_object *o)
{
    CLEANUP(json_decref) json_t *last = fake_store_editable(o->json);
    const struct fake_kind *kind = o->kind;

    stamp(s, last);
    take_out(s, o);
    object_free(o);
    remember(s, kind, last, NULL);
    return json_incref(last);
}

/* ---- backups ---- */

static void forget_backup(struct fake_server *s)
{
    for (size_t i = 0; i < s->n_backup; i++)
        json_decref(s->backup[i].json);
    free(s->backup);
    s->backup = NULL;
    s->n_backup = 0;
}

void fake_server_backup(struct fake_server *s)
{
    struct fake_object *o;

    forget_backup(s);
    s->backup = xcalloc(s->by_uid.n + 1, sizeof(*s->backup));
    s->backup_version = s->version;
    map_foreach (o, &s->by_uid, by_uid)
        s->backup[s->n_backup++] = (struct fake_copy) {o->kind, json_incref(o->json)};
}

static bool in_backup(const struct fake_server *s, const struct fake_object *o)
{
    for (size_t i = 0; i < s->n_backup; i++)
        if (strcmp(fake_meta_text(s->backup[i].json, "uid"), o->uid) == 0)
            return true;
    return false;
}

static void remove_younger(struct fake_server *s)
{
    struct fake_object *o;

    map_foreach (o, &s->by_uid, by_uid) {
        if (in_backup(s, o))
            continue;
        take_out(s, o);
        tell_watchers(s, o->kind, o->json, NULL);
        object_free(o);
    }
}

static void put_back(struct fake_server *s, const struct fake_copy *copy)
{
    struct map_node *node = map_get(&s->by_uid, fake_meta_text(copy->json, "uid"));
    struct fake_object *o = node ? container_of(node, struct fake_object, by_uid) : NULL;
    json_t *old = o ? o->json : NULL;

    if (old == copy->json)
        return;
    if (!o) {
        insert(s, copy->kind, json_incref(copy->json));
    } else {
        o->json = json_incref(copy->json);
        fake_gc_changed(s, o, old);
    }
    tell_watchers(s, copy->kind, old, copy->json);
    json_decref(old);
}

/* Objects stay as they are; all versions are others, and lower. */
static void lower_versions(struct fake_server *s)
{
    struct fake_object *o;

    s->version = LOWER_VERSION + s->n_restores % s->version_step;
    map_foreach (o, &s->by_uid, by_uid) {
        json_t *json = fake_store_editable(o->json);

        stamp(s, json);
        json_decref(o->json);
        o->json = json;
    }
}

void fake_server_restore(struct fake_server *s)
{
    struct fake_watcher *w;

    forget_events(s);
    s->n_restores++;
    if (s->backup) {
        s->version = s->backup_version + s->n_restores % s->version_step;
        remove_younger(s);
        for (size_t i = 0; i < s->n_backup; i++)
            put_back(s, &s->backup[i]);
    } else {
        lower_versions(s);
    }
    fake_server_expire(s);
    list_foreach (w, &s->watchers, link)
        if (w->on_restore)
            w->on_restore(w->arg);
}

/* ---- life ---- */

void fake_server_init(struct fake_server *s, struct loop *loop, struct rng *rng)
{
    *s = (struct fake_server) {.loop = loop,
                               .rng = rng,
                               .version = FIRST_VERSION,
                               .version_step = 1,
                               .oldest = FIRST_VERSION};
    list_init(&s->kinds);
    list_init(&s->pages);
    list_init(&s->watchers);
    map_init(&s->by_uid);
    fake_gc_init(s);
}

static void kind_free(struct fake_server *s, struct fake_kind *kind)
{
    struct fake_object *o;

    map_foreach (o, &kind->objects, by_key) {
        take_out(s, o);
        object_free(o);
    }
    map_done(&kind->objects);
    fake_schema_free(kind->own_schema);
    free(kind);
}

void fake_server_done(struct fake_server *s)
{
    struct list *link;

    fake_server_expire(s);
    forget_events(s);
    free(s->events);
    forget_backup(s);
    while ((link = list_pop_front(&s->kinds)))
        kind_free(s, list_entry(link, struct fake_kind, link));
    map_done(&s->by_uid);
    fake_gc_done(s);
}
