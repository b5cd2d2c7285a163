/* SPDX-License-Identifier: Apache-2.0 */
/* Watches of the fake: what is delivered when, and how they end. */
#include "sim/fake_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define BOOKMARK_MS    60000
#define WATCH_MS       1800000 /* of a watch that says nothing */
#define FROZEN_LOOK_MS 1000
#define IDLE_MS        100000 /* after so long a silence the client gives it up */

/* ---- delivery ---- */

/* A handler may cancel its watch: false then. */
static bool send_text(struct fake_call *c, enum k8s_event event, const char *text)
{
    bool gone = false;

    c->gone = &gone;
    c->handler.on_item(event, text, strlen(text), c->arg);
    if (gone)
        return false;
    c->gone = NULL;
    return true;
}

static bool send_object(struct fake_call *c, enum k8s_event event, const json_t *object)
{
    CLEANUP(free) char *printed = NULL;
    const char *text = fake_offer(object);

    if (!text)
        text = printed = fake_print(object);
    bool open = send_text(c, event, text);
    fake_offer(NULL);
    return open;
}

/* Printed once for all watches. */
static bool send_change(struct fake_call *c, enum k8s_event event, struct fake_event *e)
{
    const json_t *object = e->new ? e->new : e->old;

    if (fake_offer(object))
        return send_object(c, event, object);
    if (!e->text)
        e->text = fake_print(object);
    return send_text(c, event, e->text);
}

/* What no longer matches is shown as DELETED, as it was before, with the new version. */
static bool send_left(struct fake_call *c, const struct fake_event *e)
{
    CLEANUP(json_decref) json_t *last = json_deep_copy(e->old);

    json_set_take(json_object_get(last, "metadata"), "resourceVersion",
                  json_sprintf("%" PRIu64, e->version));
    return send_object(c, K8S_DELETED, last);
}

static bool send_once(struct fake_call *c, struct fake_event *e)
{
    bool before = fake_server_selects(&c->request, e->old),
         after = fake_server_selects(&c->request, e->new);

    if (after)
        return send_change(c, before ? K8S_MODIFIED : K8S_ADDED, e);
    if (!before)
        return true;
    return e->new ? send_left(c, e) : send_change(c, K8S_DELETED, e);
}

static bool send_event(struct fake_call *c, struct fake_event *e)
{
    struct fake *f = c->client->fake;
    int twice = f->per_mille[FAKE_DUPLICATE];

    return send_once(c, e) &&
           (!twice || (int) rng_below(&f->rng, 1000) >= twice || send_once(c, e));
}

static json_t *new_bookmark(const struct fake_call *c)
{
    json_t *bookmark = json_object(), *meta = json_object();

    json_set_text(meta, "resourceVersion", "");
    json_set_text(bookmark, "kind", c->request.resource->kind);
    json_set_take(bookmark, "metadata", meta);
    return bookmark;
}

/* The same object each time, unless somebody has kept it. */
static bool send_bookmark(struct fake_call *c)
{
    char version[24];

    if (!c->mark || c->mark->refcount > 1) {
        json_decref(c->mark);
        c->mark = new_bookmark(c);
    }
    fake_version_text(c->version, version);
    json_string_set_nocheck(json_at(c->mark, "metadata.resourceVersion"), version);
    c->marked = c->version;
    CLEANUP(json_decref) json_t *bookmark = json_incref(c->mark);
    return send_object(c, K8S_BOOKMARK, bookmark);
}

static bool hears(const struct fake_call *c)
{
    return !c->silent && !c->client->gone;
}

static int64_t new_lag(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    int64_t lag = c->kind->lag_max;

    return fake_latency(f) + (lag ? rng_between(&f->rng, c->kind->lag_min, lag) : 0);
}

static void wait_for_event(struct fake_call *c, const struct fake_event *e)
{
    int64_t now = fake_now(c->client->fake);

    c->lag = new_lag(c);
    fake_call_set(c, FAKE_WATCHING, e->at + c->lag > now ? e->at + c->lag : now);
}

static void lose(struct fake_call *c)
{
    fake_call_fail(c, 200, ERROR_UNKNOWN, "the connection was lost");
}

/* What it has to hear is not there any more: whoever was frozen or lagged for so long. */
static bool is_too_late(const struct fake_call *c)
{
    return c->version < c->client->fake->server.oldest;
}

/* All that is old enough.  Then the watch waits for the first that is not. */
void fake_watch_deliver(struct fake_call *c)
{
    struct fake_server *s = &c->client->fake->server;
    int64_t until = fake_now(c->client->fake) - c->lag;
    uint64_t last = s->version;

    if (!hears(c))
        return;
    if (is_too_late(c)) {
        lose(c);
        return;
    }
    for (size_t i = fake_server_after(s, c->version);
         i < s->n_events && s->events[i].version <= last; i++) {
        if (s->events[i].kind != c->kind)
            continue;
        if (s->events[i].at > until) {
            wait_for_event(c, &s->events[i]);
            return;
        }
        c->version = s->events[i].version;
        if (!send_event(c, &s->events[i]))
            return;
        until = fake_now(c->client->fake) - c->lag;
    }
    c->version = last;
}

/* Events that are on their way come one after the other: a newer one does not overtake. */
static void wake(struct fake_call *c)
{
    struct fake_server *s = &c->client->fake->server;

    if (!hears(c) || loop_timer_armed(&c->timer) || c->held || c->version >= s->version)
        return;
    if (is_too_late(c)) {
        fake_call_set(c, FAKE_WATCHING, fake_now(c->client->fake));
        return;
    }
    for (size_t i = fake_server_after(s, c->version); i < s->n_events; i++)
        if (s->events[i].kind == c->kind) {
            wait_for_event(c, &s->events[i]);
            return;
        }
}

void fake_watch_wake(struct fake *f, const struct fake_kind *kind)
{
    struct fake_client *client;
    struct fake_call *c;

    list_foreach (client, &f->clients, link)
        list_foreach (c, &client->calls, link)
            if (c->phase == FAKE_WATCHING && (!kind || c->kind == kind))
                wake(c);
}

/* ---- bookmarks ---- */

static bool is_caught_up(const struct fake_call *c)
{
    return hears(c) && !loop_timer_armed(&c->timer) && !c->client->frozen;
}

void fake_watch_on_bookmark(void *arg)
{
    struct fake_call *c = arg;
    struct fake *f = c->client->fake;

    loop_timer_set(f->loop, &c->bookmark, LOOP_MONOTONIC, fake_now(f) + BOOKMARK_MS);
    if (!is_caught_up(c))
        return;
    if (is_too_late(c)) {
        lose(c);
        return;
    }
    c->version = f->server.version;
    send_bookmark(c);
}

/* ---- the end ---- */

static void end_cleanly(struct fake_call *c)
{
    fake_answer_done(&c->answer);
    c->answer = (struct fake_answer) {.status = 200};
    fake_call_answer(c);
}

/* The server's time is up: it says where it was, if that is news, and closes. */
void fake_watch_on_end(void *arg)
{
    struct fake_call *c = arg;
    int64_t now = fake_now(c->client->fake);

    if (c->client->frozen) { /* it will see that later */
        loop_timer_set(c->client->fake->loop, &c->end, LOOP_MONOTONIC, now + FROZEN_LOOK_MS);
        return;
    }
    if (c->client->gone || (c->dead_at && now >= c->dead_at)) {
        lose(c);
        return;
    }
    if (is_caught_up(c) && !is_too_late(c) && c->marked < c->client->fake->server.version) {
        c->version = c->client->fake->server.version;
        if (!send_bookmark(c))
            return;
    }
    end_cleanly(c);
}

void fake_watch_dies_at(struct fake_call *c, int64_t at)
{
    if (c->end.node.key < at)
        return;
    c->dead_at = at;
    loop_timer_set(c->client->fake->loop, &c->end, LOOP_MONOTONIC, at);
}

/* Nothing more comes, and nobody says so. */
static void fall_silent(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    c->silent = true;
    loop_timer_cancel(f->loop, &c->timer);
    loop_timer_cancel(f->loop, &c->bookmark);
    fake_watch_dies_at(c, fake_now(f) + IDLE_MS);
}

/* Ending one may start others: those that are open now are gathered first. */
static void for_each_watch(struct fake *f, void (*deed)(struct fake_call *c))
{
    struct fake_client *client;

    list_foreach (client, &f->clients, link) {
        struct list open = LIST_INIT(open), *link;

        list_splice_back(&open, &client->calls);
        while ((link = list_pop_front(&open))) {
            struct fake_call *c = list_entry(link, struct fake_call, link);

            list_push_back(&client->calls, &c->link);
            if (c->phase != FAKE_WATCHING)
                continue;
            if (c->client->frozen && deed != fall_silent)
                fake_watch_dies_at(c, fake_now(f));
            else
                deed(c);
        }
    }
}

void fake_end_watches(struct fake *f, bool cleanly)
{
    for_each_watch(f, cleanly ? end_cleanly : lose);
}

void fake_silence_watches(struct fake *f)
{
    for_each_watch(f, fall_silent);
}

/* ---- the beginning ---- */

static void refuse(struct fake_call *c, struct fake_answer answer)
{
    struct fake *f = c->client->fake;

    c->answer = answer;
    fake_call_set(c, FAKE_RETURNING, fake_now(f) + fake_latency(f));
}

void fake_watch_begin(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    fake_server_count(&f->server, &c->request);
    c->kind = fake_server_kind(&f->server, c->request.resource);
    if (!c->kind) {
        refuse(c, (struct fake_answer) {.status = 404, .text = "404 page not found\n"});
        return;
    }
    struct fake_answer wrong = fake_server_check_selectors(c->kind, &c->request);
    if (wrong.status) {
        refuse(c, wrong);
        return;
    }
    /* Kharon watches from a list only. */
    assert(k8s_version_parse(c->request.resource_version, &c->version));
    if (c->version < f->server.oldest || c->version < f->server.served_from) {
        refuse(c, fake_fault_refusal(f, &c->request, FAKE_EXPIRE));
        return;
    }
    c->marked = c->version;
    c->phase = FAKE_WATCHING;
    loop_timer_set(f->loop, &c->bookmark, LOOP_MONOTONIC, fake_now(f) + BOOKMARK_MS);
    loop_timer_set(f->loop, &c->end, LOOP_MONOTONIC,
                   fake_now(f) + (c->request.timeout_ms > 0 ? c->request.timeout_ms : WATCH_MS));
    if (c->version > f->server.version)
        fall_silent(c); /* as the real one is */
    else
        wake(c);
}
