/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of all namespaces, and what replies say of it. */
#include "k8s/informer_private.h"

#include "base/text.h"
#include "k8s/selector.h"

#include <assert.h>
#include <string.h>

#define CERTAIN_MS 30000 /* no answer is on its way for so long */

static void on_change(const struct k8s_object *old, const struct k8s_object *new, void *arg)
{
    struct k8s_informer *inf = arg;

    inf->handler.on_change(old, new, inf->arg);
}

struct k8s_informer *k8s_informer_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                                      const struct k8s_kind *kind, const char *const *namespaces,
                                      const struct k8s_informer_handler *handler, void *arg)
{
    struct k8s_informer *inf = NEW(struct k8s_informer);
    size_t n = 0;

    while (namespaces && namespaces[n])
        n++;
    inf->loop = loop;
    inf->k8s = k8s;
    inf->rng = rng;
    inf->handler = *handler;
    inf->arg = arg;
    inf->n_streams = n ? n : 1;
    inf->streams = xcalloc(inf->n_streams, sizeof(*inf->streams));
    for (size_t i = 0; i < inf->n_streams; i++)
        stream_init(&inf->streams[i], inf, n ? namespaces[i] : NULL);
    k8s_store_init(&inf->store, loop, kind, on_change, inf);
    return inf;
}

void k8s_informer_free(struct k8s_informer *inf)
{
    if (!inf)
        return;
    for (size_t i = 0; i < inf->n_streams; i++)
        stream_done(&inf->streams[i]);
    free(inf->streams);
    k8s_store_done(&inf->store);
    free(inf);
}

void k8s_informer_start(struct k8s_informer *inf)
{
    k8s_informer_resync(inf);
}

void k8s_informer_resync(struct k8s_informer *inf)
{
    inf->told_synced = false;
    for (size_t i = 0; i < inf->n_streams; i++) {
        inf->streams[i].listed = inf->streams[i].left_out;
        stream_restart(&inf->streams[i]);
    }
}

static struct stream *stream_of(const struct k8s_informer *inf, const char *ns)
{
    for (size_t i = 0; i < inf->n_streams; i++)
        if (!inf->streams[i].ns || strcmp(inf->streams[i].ns, ns) == 0)
            return &inf->streams[i];
    return NULL;
}

bool k8s_informer_synced(const struct k8s_informer *inf)
{
    for (size_t i = 0; i < inf->n_streams; i++)
        if (!inf->streams[i].listed)
            return false;
    return true;
}

bool k8s_informer_another_is_listed(const struct stream *s)
{
    const struct k8s_informer *inf = s->informer;

    for (size_t i = 0; i < inf->n_streams; i++)
        if (&inf->streams[i] != s && inf->streams[i].listed && !inf->streams[i].left_out)
            return true;
    return false;
}

void k8s_informer_tell_if_synced(struct k8s_informer *inf)
{
    if (inf->told_synced || !k8s_informer_synced(inf))
        return;
    inf->told_synced = true;
    if (inf->handler.on_synced)
        inf->handler.on_synced(inf->arg);
}

bool k8s_informer_knows(const struct k8s_informer *inf, const char *ns)
{
    const struct stream *s = stream_of(inf, ns);

    return s && !s->left_out;
}

struct k8s_object *k8s_informer_get_key(const struct k8s_informer *inf, const char *key)
{
    return k8s_store_get(&inf->store, key);
}

struct k8s_object *k8s_informer_get(const struct k8s_informer *inf, const char *ns,
                                    const char *name)
{
    CLEANUP(free) char *key = text_join(ns, '/', name);

    return k8s_store_get(&inf->store, key);
}

static struct k8s_object *indexed(struct map_node *node, int index)
{
    if (!node)
        return NULL;
    return (
        struct k8s_object *) (void *) ((char *) node - offsetof(struct k8s_object, indexes) -
                                       (size_t) index *
                                           sizeof(((struct k8s_object *) 0)->indexes[0]) -
                                       offsetof(__typeof__(((struct k8s_object *) 0)->indexes[0]),
                                                node));
}

struct k8s_object *k8s_informer_first(const struct k8s_informer *inf, int index, const char *key)
{
    assert(index >= 0 && index < K8S_MAX_INDEXES);
    return indexed(map_get(&inf->store.indexes[index], key), index);
}

struct k8s_object *k8s_informer_next(const struct k8s_object *object, int index)
{
    return indexed(map_next_same(&object->indexes[index].node), index);
}

size_t k8s_informer_count(const struct k8s_informer *inf)
{
    return inf->store.objects.n;
}

size_t k8s_informer_count_indexed(const struct k8s_informer *inf, int index)
{
    return inf->store.indexes[index].n;
}

const struct map *k8s_informer_map(const struct k8s_informer *inf)
{
    return &inf->store.objects;
}

/* Not one of those that are copied. */
static bool is_foreign(const struct k8s_informer *inf, const struct k8s_meta *meta,
                       const json_t *object)
{
    return !stream_of(inf, meta->ns) || !k8s_selector_matches(inf->store.kind->label_selector,
                                                              json_at(object, "metadata.labels"));
}

/* The watch has been there, and told of no such object or of its end. */
static bool is_passed(const struct k8s_informer *inf, const struct k8s_meta *meta)
{
    const struct stream *s = stream_of(inf, meta->ns);

    return s && meta->resource_version <= s->version;
}

/* ---- a server that has gone back in time ---- */

/* Known for longer than any answer is on its way. */
static bool is_certain(const struct k8s_informer *inf, const struct k8s_object *o)
{
    return loop_now(inf->loop, LOOP_MONOTONIC) - o->known_since >= CERTAIN_MS;
}

/* A live answer is older than the copy, or of something that the copy should have.  Answers and
 * events of a watch overtake each other, but not by long. */
static bool contradicts(const struct k8s_informer *inf, const struct k8s_meta *meta,
                        const struct k8s_object *known)
{
    if (known)
        return meta->resource_version < known->meta.resource_version && is_certain(inf, known);
    return is_passed(inf, meta) && !k8s_store_has_left(&inf->store, meta->uid, CERTAIN_MS);
}

/* The copy is wrong: it is listed again, but not all the time if it is the watch that lags. */
static void mistrust(struct stream *s)
{
    assert(s);
    int64_t now = loop_now(s->informer->loop, LOOP_MONOTONIC);

    if (s->state != STREAM_WATCHING || now - s->list_began < CERTAIN_MS)
        return;
    stream_restart(s);
}

static void on_checked(const struct k8s_reply *reply, void *arg)
{
    struct stream *s = arg;

    s->check = NULL;
    if (reply->error.code == ERROR_NONE)
        k8s_informer_observe(s->informer, reply->object);
    else if (reply->error.code == ERROR_NOT_FOUND)
        mistrust(s);
}

void k8s_informer_refused(struct k8s_informer *inf, const char *key)
{
    static const struct k8s_handler handler = {.on_reply = on_checked};
    const struct k8s_object *o = k8s_informer_get_key(inf, key);
    struct stream *s = o ? stream_of(inf, o->meta.ns) : NULL;

    if (!s || s->check || !is_certain(inf, o))
        return;
    s->check = k8s_call(inf->k8s,
                        &(struct k8s_request) {.verb = K8S_GET,
                                               .lane = K8S_LANE_READ,
                                               .resource = inf->store.kind->resource,
                                               .ns = o->meta.ns,
                                               .name = o->meta.name},
                        &handler, s);
}

void k8s_informer_observe(struct k8s_informer *inf, const json_t *object)
{
    struct error err = {0};
    struct k8s_meta meta;

    if (!k8s_meta_decode(object, &meta, &err)) {
        inf->stats.decode_errors++;
        return;
    }
    const struct k8s_object *known = k8s_informer_get(inf, meta.ns, meta.name);
    if (!known && is_foreign(inf, &meta, object)) {
        k8s_meta_done(&meta);
        return;
    }
    if (contradicts(inf, &meta, known))
        mistrust(stream_of(inf, meta.ns));
    if (!known && is_passed(inf, &meta)) { /* it was deleted since, or is listed now */
        k8s_meta_done(&meta);
        return;
    }
    if (meta.resource_version > inf->stats.newest_version)
        inf->stats.newest_version = meta.resource_version;
    k8s_store_put(&inf->store, &meta, object, false);
}

void k8s_informer_observe_gone(struct k8s_informer *inf, const char *ns, const char *name,
                               const char *uid)
{
    CLEANUP(free) char *key = text_join(ns, '/', name);

    k8s_store_bury(&inf->store, key, uid);
}

uint64_t k8s_informer_reached(const struct k8s_informer *inf, const char *ns)
{
    const struct stream *s = stream_of(inf, ns);

    return s ? s->version : UINT64_MAX;
}

uint64_t k8s_informer_told(const struct k8s_informer *inf, const char *ns)
{
    const struct stream *s = stream_of(inf, ns);

    return s ? s->told : 0;
}

struct k8s_informer_stats k8s_informer_stats(const struct k8s_informer *inf)
{
    struct k8s_informer_stats stats = inf->stats;

    stats.reached_version = UINT64_MAX;
    for (size_t i = 0; i < inf->n_streams; i++)
        if (inf->streams[i].version < stats.reached_version)
            stats.reached_version = inf->streams[i].version;
    stats.error = &inf->error;
    return stats;
}
