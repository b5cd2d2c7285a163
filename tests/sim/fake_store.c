/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_store.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define GC_DELAY_MS 30
#define HISTORY_MS  300000 /* etcd is compacted every five minutes */
#define PRUNE_EVERY 1024

struct count {
    struct map_node node;
    char *key;
    uint64_t n;
};

void fake_time_text(int64_t ms, char text[32])
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t fake_server_now(const struct fake_server *s)
{
    return loop_now(s->loop, LOOP_OF_DAY) + s->skew_ms;
}

static char *key_of(const char *ns, const char *name)
{
    return xasprintf("%s/%s", ns ? ns : "", name);
}

struct fake_object *fake_store_find(const struct fake_kind *kind, const char *ns, const char *name)
{
    CLEANUP(free) char *key = key_of(ns, name);
    struct map_node *node = map_get(&kind->objects, key);

    return node ? container_of(node, struct fake_object, by_key) : NULL;
}

static void tell_watchers(struct fake_server *s, const struct fake_kind *kind, const json_t *old,
                          const json_t *new)
{
    struct fake_watcher *w;

    list_foreach (w, &s->watchers, link)
        w->on_change(kind->resource, old, new, w->arg);
}

/* Forgets what no watch asks for any more. */
static void prune(struct fake_server *s)
{
    int64_t limit = loop_now(s->loop, LOOP_MONOTONIC) - HISTORY_MS;
    size_t n = 0;

    while (n < s->n_events && s->events[n].at < limit) {
        s->oldest = s->events[n].version;
        json_decref(s->events[n].old);
        json_decref(s->events[n].new);
        n++;
    }
    memmove(s->events, s->events + n, (s->n_events - n) * sizeof(*s->events));
    s->n_events -= n;
}

/* References to old and new are taken. */
static void remember(struct fake_server *s, const struct fake_kind *kind, json_t *old, json_t *new)
{
    if (s->n_events % PRUNE_EVERY == PRUNE_EVERY - 1)
        prune(s);
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
    s->on_event(s->arg);
}

size_t fake_server_after(const struct fake_server *s, uint64_t version)
{
    size_t low = 0, high = s->n_events;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (s->events[mid].version > version)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static void stamp(struct fake_server *s, json_t *json)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, ++s->version);
    json_set_text(json_object_get(json, "metadata"), "resourceVersion", text);
}

static void new_uid(struct fake_server *s, char text[37])
{
    uint64_t a = rng_next(s->rng), b = rng_next(s->rng);

    snprintf(text, 37, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned) (a >> 32),
             (unsigned) (a >> 16 & 0xFFFF), (unsigned) (a & 0xFFF),
             (unsigned) (0x8000 | (b >> 48 & 0x3FFF)), b & 0xFFFFFFFFFFFFu);
}

struct fake_object *fake_store_add(struct fake_server *s, struct fake_kind *kind, json_t *json)
{
    struct fake_object *o = NEW(struct fake_object);
    json_t *meta = json_object_get(json, "metadata");
    char uid[37], now[32];

    new_uid(s, uid);
    fake_time_text(fake_server_now(s), now);
    json_set_text(meta, "uid", uid);
    json_set_text(meta, "creationTimestamp", now);
    stamp(s, json);
    o->kind = kind;
    o->json = json;
    o->key = key_of(json_text_at(meta, "namespace"), json_text_at(meta, "name"));
    o->uid = xstrdup(uid);
    map_add(&kind->objects, &o->by_key, o->key);
    map_add(&s->by_uid, &o->by_uid, o->uid);
    if (json_at(meta, "ownerReferences"))
        fake_store_schedule_gc(s);
    remember(s, kind, NULL, json);
    return o;
}

void fake_store_change(struct fake_server *s, struct fake_object *o, json_t *json)
{
    json_t *old = o->json;

    stamp(s, json);
    o->json = json;
    remember(s, o->kind, old, json);
    json_decref(old);
}

static void object_free(struct fake_object *o)
{
    json_decref(o->json);
    free(o->key);
    free(o->uid);
    free(o);
}

json_t *fake_store_remove(struct fake_server *s, struct fake_object *o)
{
    CLEANUP(json_decref) json_t *last = json_deep_copy(o->json);
    const struct fake_kind *kind = o->kind;

    stamp(s, last);
    map_remove(&o->kind->objects, &o->by_key);
    map_remove(&s->by_uid, &o->by_uid);
    object_free(o);
    fake_store_schedule_gc(s);
    remember(s, kind, last, NULL);
    return json_incref(last);
}

static bool is_orphan(const struct fake_server *s, const struct fake_object *o)
{
    const json_t *owners = json_at(o->json, "metadata.ownerReferences");
    const json_t *owner;
    size_t i;

    json_array_foreach ((json_t *) (uintptr_t) owners, i, owner) {
        const char *uid = json_text_at(owner, "uid");

        if (uid && map_get(&s->by_uid, uid))
            return false;
    }
    return json_array_size(owners) > 0 && !json_at(o->json, "metadata.deletionTimestamp");
}

/* One at a time: a delete may remove others. */
static void collect_garbage(void *arg)
{
    struct fake_server *s = arg;
    struct fake_object *o;

    map_foreach (o, &s->by_uid, by_uid) {
        if (!is_orphan(s, o))
            continue;
        fake_server_delete(s, o, -1);
        fake_store_schedule_gc(s);
        loop_timer_set(s->loop, &s->gc, LOOP_MONOTONIC, loop_now(s->loop, LOOP_MONOTONIC));
        return;
    }
}

void fake_store_schedule_gc(struct fake_server *s)
{
    if (!loop_timer_armed(&s->gc))
        loop_timer_set(s->loop, &s->gc, LOOP_MONOTONIC,
                       loop_now(s->loop, LOOP_MONOTONIC) + GC_DELAY_MS);
}

static void forget_events(struct fake_server *s)
{
    for (size_t i = 0; i < s->n_events; i++) {
        json_decref(s->events[i].old);
        json_decref(s->events[i].new);
    }
    s->n_events = 0;
}

void fake_server_restore(struct fake_server *s)
{
    struct fake_object *o;

    forget_events(s);
    s->version = 50;
    map_foreach (o, &s->by_uid, by_uid) {
        json_t *json = json_deep_copy(o->json);

        stamp(s, json);
        json_decref(o->json);
        o->json = json;
    }
    fake_server_expire(s);
}

static struct count *find_count(const struct fake_server *s, const char *key)
{
    struct map_node *node = map_get(&s->counts, key);

    return node ? container_of(node, struct count, node) : NULL;
}

void fake_store_count(struct fake_server *s, const struct k8s_request *r)
{
    CLEANUP(free) char *key =
        xasprintf("%s %s%s%s", k8s_verb_name(r->verb), r->resource->plural,
                  r->subresource ? "/" : "", r->subresource ? r->subresource : "");
    struct count *c = find_count(s, key);

    if (!c) {
        c = NEW(struct count);
        c->key = TAKE(key);
        map_add(&s->counts, &c->node, c->key);
    }
    c->n++;
}

uint64_t fake_server_requests(const struct fake_server *s, enum k8s_verb verb, const char *plural)
{
    CLEANUP(free) char *key = xasprintf("%s %s", k8s_verb_name(verb), plural);
    const struct count *c = find_count(s, key);

    return c ? c->n : 0;
}

void fake_server_init(struct fake_server *s, struct loop *loop, struct rng *rng)
{
    *s = (struct fake_server) {.loop = loop, .rng = rng, .version = 100, .oldest = 100};
    list_init(&s->kinds);
    list_init(&s->pages);
    list_init(&s->watchers);
    map_init(&s->by_uid);
    map_init(&s->counts);
    s->gc = (struct loop_timer) {.on_time = collect_garbage, .arg = s};
}

static void kind_free(struct fake_kind *kind)
{
    struct fake_object *o;

    map_foreach (o, &kind->objects, by_key) {
        map_remove(&kind->objects, &o->by_key);
        object_free(o);
    }
    map_done(&kind->objects);
    free(kind);
}

void fake_server_done(struct fake_server *s)
{
    struct list *link;
    struct count *c;

    loop_timer_cancel(s->loop, &s->gc);
    fake_server_expire(s);
    forget_events(s);
    free(s->events);
    map_done(&s->by_uid);
    map_foreach (c, &s->counts, node) {
        map_remove(&s->counts, &c->node);
        free(c->key);
        free(c);
    }
    map_done(&s->counts);
    while ((link = list_pop_front(&s->kinds)))
        kind_free(list_entry(link, struct fake_kind, link));
}
