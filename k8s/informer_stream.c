/* SPDX-License-Identifier: Apache-2.0 */
/* One namespace's list and watch, and when to go on with which of them. */
#include "k8s/informer_private.h"

#include "base/log.h"

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
#define FORBIDDEN_MS   60000 /* then that is no start of a server any more */
#define LEFT_OUT_MS    30000 /* until it is tried again, and a watch that is forbidden as well */

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
    k8s_informer_tell_if_synced(inf);
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
    if (s->left_out || !forbidden_for_long(s) || !k8s_informer_another_is_listed(s))
        return;
    s->listed = s->left_out = true;
    log_warning("a namespace may not be listed, and is left out",
                KV("kind", inf->store.kind->resource->plural), KV("namespace", s->ns),
                KV("error", error->text));
    k8s_informer_tell_if_synced(inf);
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

void stream_init(struct stream *s, struct k8s_informer *informer, const char *ns)
{
    s->informer = informer;
    s->ns = xstrdup(ns);
    s->timer = (struct loop_timer) {.on_time = go_on, .arg = s};
}

void stream_done(struct stream *s)
{
    stop(s);
    free(s->continue_token);
    free(s->ns);
}

void stream_restart(struct stream *s)
{
    stop(s);
    list_anew(s, 0);
}
