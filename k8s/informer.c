/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/informer.h"

#include "base/log.h"
#include "base/text.h"
#include "k8s/selector.h"
#include "k8s/store.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PAGE           500
#define BACKOFF_MIN_MS 100
#define EXPIRED_MAX_MS 30000
#define AWAY_MAX_MS    2000
#define STARTS_MAX_MS  1000   /* it answers, and may only have to learn who may what */
#define STOOD_MS       1000   /* a watch that was open for so long was a good one */
#define LIST_MAX_MS    60000  /* until its next page is not asked for any more; etcd keeps 5 min */
#define WATCH_MIN_MS   240000 /* streams end at different times */
#define WATCH_MAX_MS   480000
#define SILENCE_MS     60000 /* a healthy watch has sent a bookmark by then */
#define CERTAIN_MS     30000 /* no answer is on its way for so long */
#define FORBIDDEN_MS   60000 /* then that is no start of a server any more */
#define LEFT_OUT_MS    30000 /* until it is tried again, and a watch that is forbidden as well */

enum stream_state { STREAM_STOPPED, STREAM_LISTING, STREAM_WATCHING };

/* One namespace, or all. */
struct stream {
    struct k8s_informer *informer;
    char *ns; /* NULL: all */
    enum stream_state state;
    struct k8s_call *call, *check;
    struct loop_timer timer; /* when to go on with `state` */
    uint64_t version;        /* everything up to here is in the store; 0: not yet */
    uint64_t told;           /* by the newest event, or by the last list */
    char *continue_token;
    uint64_t list;   /* the number of the list in progress, or of the last one */
    bool even_older; /* the server went back in time: believe this list */
    bool back;       /* it has: what was known when the list began is newer than what it shows */
    bool listed;     /* since the start or the last resync; or left out */
    bool left_out;   /* it may not be listed, and keeps nobody waiting */
    int64_t forbidden_since; /* 0: it is not, as far as is known */
    int failures;            /* in a row, to reach the server */
    int expiries;            /* in a row, without a good watch in between */
    int64_t list_began, watch_began;
    uint64_t watch_items;
};

struct k8s_informer {
    struct loop *loop;
    struct k8s *k8s;
    struct rng *rng;
    struct k8s_store store;
    struct k8s_informer_handler handler;
    void *arg;
    struct stream *streams;
    size_t n_streams;
    uint64_t lists_begun;
    bool told_synced;
    struct k8s_informer_stats stats;
    struct error error;
};

static void go_on(void *arg);

static void enter(struct stream *s, enum stream_state state, int64_t delay_ms)
{
    struct loop *loop = s->informer->loop;

    s->state = state;
    loop_timer_set(loop, &s->timer, LOOP_MONOTONIC, loop_now(loop, LOOP_MONOTONIC) + delay_ms);
}

static void list_anew(struct stream *s, int64_t delay_ms)
{
    free(s->continue_token);
    s->continue_token = NULL;
    enter(s, STREAM_LISTING, delay_ms);
}

static int64_t backoff_ms(struct stream *s, int *times, int64_t most)
{
    int64_t delay = most;

    if (*times < 10 && ((int64_t) BACKOFF_MIN_MS << *times) < delay)
        delay = (int64_t) BACKOFF_MIN_MS << *times;
    ++*times;
    return rng_between(s->informer->rng, delay / 2, delay);
}

/* A server that is away costs nothing to ask, and whoever is to lead waits for its copies.  An
 * expired version makes a list, which is dear; but every server that starts answers so, once, and
 * how often it was asked before that says nothing.  Lists one after the other make a storm. */
static int64_t retry_ms(struct stream *s, const struct k8s_reply *reply)
{
    int64_t told = reply->retry_after_ms;

    if (reply->error.code == ERROR_EXPIRED) {
        s->failures = 0;
        return backoff_ms(s, &s->expiries, EXPIRED_MAX_MS);
    }
    if (told > 0)
        return rng_between(s->informer->rng, told, told + told / 4);
    return backoff_ms(s, &s->failures, reply->http_status ? STARTS_MAX_MS : AWAY_MAX_MS);
}

static void contact(struct k8s_informer *inf)
{
    inf->stats.last_contact_ms = loop_now(inf->loop, LOOP_MONOTONIC);
}

static void reach(struct stream *s, uint64_t version)
{
    struct k8s_informer *inf = s->informer;

    if (version > s->version)
        s->version = version;
    if (version > inf->stats.newest_version)
        inf->stats.newest_version = version;
}

static void on_change(const struct k8s_object *old, const struct k8s_object *new, void *arg)
{
    struct k8s_informer *inf = arg;

    inf->handler.on_change(old, new, inf->arg);
}

/* An item as a tree with its metadata; what is neither is told and passed over. */
static json_t *parse_item(struct k8s_informer *inf, const char *text, size_t len,
                          struct k8s_meta *ret_meta)
{
    struct error err = {0};
    json_t *json = NULL;

    if (json_parse(text, len, &json, &err) && k8s_meta_decode(json, ret_meta, &err))
        return json;
    inf->stats.decode_errors++;
    log_warning("an object cannot be read, and is passed over",
                KV("kind", inf->store.kind->resource->plural), KV("error", err.text));
    json_decref(json);
    return NULL;
}

/* A list shows the newest of what there is when it is asked for: what was known before is of a time
 * that did not happen if it is newer. */
static void compare(struct stream *s, const struct k8s_object *known, uint64_t listed)
{
    if (known && known->meta.resource_version > listed && known->known_since < s->list_began)
        s->back = true;
}

static void on_list_item(enum k8s_event event, const char *text, size_t len, void *arg)
{
    struct stream *s = arg;
    struct k8s_meta meta;
    CLEANUP(json_decref) json_t *json = parse_item(s->informer, text, len, &meta);

    (void) event;
    if (!json)
        return;
    compare(s, k8s_informer_get(s->informer, meta.ns, meta.name), meta.resource_version);
    struct k8s_object *o = k8s_store_put(&s->informer->store, &meta, json, s->even_older);
    if (o)
        o->list = s->list;
}

/* From the list that has just been read. */
static bool is_absent(const struct stream *s, const struct k8s_object *o)
{
    return o->list != s->list && (!s->ns || strcmp(s->ns, o->meta.ns) == 0);
}

static void compare_absent(struct stream *s, uint64_t list_version)
{
    struct k8s_object *o;

    map_foreach (o, &s->informer->store.objects, by_key)
        if (is_absent(s, o))
            compare(s, o, list_version);
}

/* What a complete list did not have is gone, unless it is younger than the list. */
static void sweep(struct stream *s, uint64_t list_version)
{
    struct k8s_store *store = &s->informer->store;
    struct k8s_object *o;

    map_foreach (o, &store->objects, by_key)
        if (is_absent(s, o) && (s->even_older || o->meta.resource_version <= list_version))
            k8s_store_remove(store, o);
}

static void tell_if_synced(struct k8s_informer *inf)
{
    if (inf->told_synced || !k8s_informer_synced(inf))
        return;
    inf->told_synced = true;
    if (inf->handler.on_synced)
        inf->handler.on_synced(inf->arg);
}

static void tell_if_joined(struct stream *s)
{
    struct k8s_informer *inf = s->informer;

    if (!s->left_out)
        return;
    s->left_out = false;
    if (inf->handler.on_joined)
        inf->handler.on_joined(inf->arg);
}

static void finish_list(struct stream *s, uint64_t version)
{
    struct k8s_informer *inf = s->informer;

    compare_absent(s, version);
    if ((s->back || version < s->version) && !s->even_older) {
        s->even_older = true;
        list_anew(s, 0);
        if (inf->handler.on_back)
            inf->handler.on_back(inf->arg);
        return;
    }
    sweep(s, version);
    if (s->even_older)
        s->version = inf->stats.newest_version = 0;
    reach(s, version);
    s->told = version;
    s->even_older = false;
    s->listed = true;
    s->forbidden_since = 0;
    inf->stats.lists++;
    enter(s, STREAM_WATCHING, 0);
    tell_if_joined(s);
    tell_if_synced(inf);
}

static void note_error(struct stream *s, const struct error *error)
{
    s->informer->error = *error;
}

/* All pages show one version, whoever serves them and when: they need not come in one go.  A server
 * that has just started forbids, since it does not know any role yet. */
static bool page_may_come(const struct stream *s, enum error_code code)
{
    bool away = code == ERROR_UNAVAILABLE || code == ERROR_UNKNOWN || code == ERROR_THROTTLED ||
                code == ERROR_FORBIDDEN;

    return away && loop_now(s->informer->loop, LOOP_MONOTONIC) < s->list_began + LIST_MAX_MS;
}

static bool another_is_listed(const struct stream *s)
{
    const struct k8s_informer *inf = s->informer;

    for (size_t i = 0; i < inf->n_streams; i++)
        if (&inf->streams[i] != s && inf->streams[i].listed && !inf->streams[i].left_out)
            return true;
    return false;
}

static bool forbidden_for_long(const struct stream *s)
{
    int64_t now = loop_now(s->informer->loop, LOOP_MONOTONIC);

    return s->forbidden_since != 0 && now - s->forbidden_since >= FORBIDDEN_MS;
}

/* A role that is not there is not asked for all the time. */
static int64_t rarely_ms(struct stream *s, int64_t delay)
{
    return delay >= LEFT_OUT_MS / 2 ? delay
                                    : rng_between(s->informer->rng, LEFT_OUT_MS / 2, LEFT_OUT_MS);
}

/* A namespace that is gone, and the role in it with it: nothing can be done there, the others need
 * not wait, and what was known grows old. */
static void note_whether_forbidden(struct stream *s, const struct error *error)
{
    struct k8s_informer *inf = s->informer;

    if (error->code != ERROR_FORBIDDEN)
        s->forbidden_since = 0;
    else if (s->forbidden_since == 0)
        s->forbidden_since = loop_now(inf->loop, LOOP_MONOTONIC);
    if (s->left_out || !forbidden_for_long(s) || !another_is_listed(s))
        return;
    s->listed = s->left_out = true;
    log_warning("a namespace may not be listed, and is left out",
                KV("kind", inf->store.kind->resource->plural), KV("namespace", s->ns),
                KV("error", error->text));
    tell_if_synced(inf);
}

static void list_failed(struct stream *s, const struct k8s_reply *reply)
{
    int64_t delay = retry_ms(s, reply);

    note_whether_forbidden(s, &reply->error);
    note_error(s, &reply->error);
    if (s->left_out)
        delay = rarely_ms(s, delay);
    if (page_may_come(s, reply->error.code))
        enter(s, STREAM_LISTING, delay);
    else
        list_anew(s, delay);
}

static void on_list_reply(const struct k8s_reply *reply, void *arg)
{
    struct stream *s = arg;
    struct k8s_reply wrong;
    uint64_t version;

    s->call = NULL;
    if (reply->error.code != ERROR_NONE) {
        list_failed(s, reply);
        return;
    }
    contact(s->informer);
    s->failures = 0;
    if (*reply->continue_token) {
        free(s->continue_token);
        s->continue_token = xstrdup(reply->continue_token);
        go_on(s);
    } else if (k8s_version_parse(reply->resource_version, &version)) {
        note_error(s, &reply->error);
        finish_list(s, version);
    } else {
        wrong = *reply;
        error_set(&wrong.error, ERROR_INTERNAL, "a list without resourceVersion");
        list_failed(s, &wrong);
    }
}

static void begin_list(struct stream *s)
{
    static const struct k8s_handler handler = {on_list_item, on_list_reply};
    struct k8s_informer *inf = s->informer;

    if (!s->continue_token) {
        s->list_began = loop_now(inf->loop, LOOP_MONOTONIC);
        s->back = false;
        s->list = ++inf->lists_begun;
        k8s_store_forget_buried(&inf->store, s->ns); /* what was proven gone before is not in it */
    }
    s->call = k8s_call(inf->k8s,
                       &(struct k8s_request) {
                           .verb = K8S_LIST,
                           .lane = K8S_LANE_READ,
                           .resource = inf->store.kind->resource,
                           .ns = s->ns,
                           .label_selector = inf->store.kind->label_selector,
                           .continue_token = s->continue_token,
                           .limit = PAGE,
                       },
                       &handler, s);
}

static void on_watch_item(enum k8s_event event, const char *text, size_t len, void *arg)
{
    struct stream *s = arg;
    struct k8s_informer *inf = s->informer;
    struct k8s_meta meta;

    contact(inf);
    s->watch_items++;
    s->failures = s->expiries = 0;
    if (inf->error.code != ERROR_NONE)
        inf->error = (struct error) {0};
    if (event == K8S_BOOKMARK) {
        struct error err = {0};
        json_t *json = NULL;
        uint64_t version;

        if (json_parse(text, len, &json, &err) &&
            k8s_version_parse(json_text_at(json, "metadata.resourceVersion"), &version))
            reach(s, version);
        json_decref(json);
        return;
    }
    CLEANUP(json_decref) json_t *json = parse_item(inf, text, len, &meta);
    if (!json)
        return;
    inf->stats.events++;
    reach(s, meta.resource_version);
    s->told = meta.resource_version;
    if (event == K8S_DELETED) {
        k8s_store_delete(&inf->store, &meta);
        k8s_meta_done(&meta);
    } else {
        k8s_store_put(&inf->store, &meta, json, false);
    }
}

/* A watch is over, one way or another.  From where to go on, and when? */
static void on_watch_reply(const struct k8s_reply *reply, void *arg)
{
    struct stream *s = arg;
    struct k8s_informer *inf = s->informer;
    int64_t lasted = loop_now(inf->loop, LOOP_MONOTONIC) - s->watch_began;
    bool silent = lasted >= SILENCE_MS && s->watch_items == 0;
    bool expired = reply->error.code == ERROR_EXPIRED;
    bool stood = reply->http_status == 200 && lasted >= STOOD_MS;

    s->call = NULL;
    inf->stats.watch_ends++;
    if (stood)
        s->failures = s->expiries = 0;
    if (reply->error.code != ERROR_NONE && !expired)
        note_error(s, &reply->error);
    int64_t delay = reply->error.code == ERROR_NONE && stood ? 0 : retry_ms(s, reply);
    note_whether_forbidden(s, &reply->error);
    if (forbidden_for_long(s))
        delay = rarely_ms(s, delay);
    if (expired || silent || s->left_out)
        list_anew(s, delay);
    else
        enter(s, STREAM_WATCHING, delay);
}

static void begin_watch(struct stream *s)
{
    static const struct k8s_handler handler = {on_watch_item, on_watch_reply};
    struct k8s_informer *inf = s->informer;
    char version[24];

    snprintf(version, sizeof(version), "%" PRIu64, s->version);
    s->watch_began = loop_now(inf->loop, LOOP_MONOTONIC);
    s->watch_items = 0;
    s->call = k8s_call(inf->k8s,
                       &(struct k8s_request) {
                           .verb = K8S_WATCH,
                           .lane = K8S_LANE_READ,
                           .resource = inf->store.kind->resource,
                           .ns = s->ns,
                           .label_selector = inf->store.kind->label_selector,
                           .resource_version = version,
                           .timeout_ms = rng_between(inf->rng, WATCH_MIN_MS, WATCH_MAX_MS),
                       },
                       &handler, s);
}

static void go_on(void *arg)
{
    struct stream *s = arg;

    if (s->state == STREAM_LISTING)
        begin_list(s);
    else if (s->state == STREAM_WATCHING)
        begin_watch(s);
}

static void stop(struct stream *s)
{
    if (s->state == STREAM_WATCHING && s->call)
        s->forbidden_since = 0; /* as a rule it was let in */
    k8s_cancel(s->call);
    k8s_cancel(s->check);
    s->call = s->check = NULL;
    loop_timer_cancel(s->informer->loop, &s->timer);
    s->state = STREAM_STOPPED;
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
    for (size_t i = 0; i < inf->n_streams; i++) {
        struct stream *s = &inf->streams[i];

        s->informer = inf;
        s->ns = n ? xstrdup(namespaces[i]) : NULL;
        s->timer = (struct loop_timer) {.on_time = go_on, .arg = s};
    }
    k8s_store_init(&inf->store, loop, kind, on_change, inf);
    return inf;
}

void k8s_informer_free(struct k8s_informer *inf)
{
    if (!inf)
        return;
    for (size_t i = 0; i < inf->n_streams; i++) {
        stop(&inf->streams[i]);
        free(inf->streams[i].continue_token);
        free(inf->streams[i].ns);
    }
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
        stop(&inf->streams[i]);
        inf->streams[i].listed = inf->streams[i].left_out;
        list_anew(&inf->streams[i], 0);
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
    int64_t now = loop_now(s->informer->loop, LOOP_MONOTONIC);

    if (s->state != STREAM_WATCHING || now - s->list_began < CERTAIN_MS)
        return;
    stop(s);
    list_anew(s, 0);
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
