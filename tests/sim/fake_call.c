/* SPDX-License-Identifier: Apache-2.0 */
/* Clients and their calls: these travel, are carried out, get lost, and come back. */
#include "sim/fake_internal.h"

#include <assert.h>
#include <string.h>

#define FUTURE_MS 3000 /* a read waits so long for its version */

struct k8s_request fake_request_copy(const struct k8s_request *r)
{
    struct k8s_request copy = *r;

    copy.ns = xstrdup(r->ns);
    copy.name = xstrdup(r->name);
    copy.subresource = xstrdup(r->subresource);
    copy.body = xstrdup(r->body);
    copy.field_manager = xstrdup(r->field_manager);
    copy.label_selector = xstrdup(r->label_selector);
    copy.field_selector = xstrdup(r->field_selector);
    copy.resource_version = xstrdup(r->resource_version);
    copy.continue_token = xstrdup(r->continue_token);
    return copy;
}

void fake_request_free(struct k8s_request *r)
{
    const char *texts[] = {r->ns,
                           r->name,
                           r->subresource,
                           r->body,
                           r->field_manager,
                           r->label_selector,
                           r->field_selector,
                           r->resource_version,
                           r->continue_token};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free((void *) (uintptr_t) texts[i]);
}

void fake_request_tell(struct fake *f, const char *user, const struct k8s_request *request,
                       int status)
{
    struct fake_watcher *w;

    list_foreach (w, &f->server.watchers, link)
        if (w->on_request)
            w->on_request(user, request, status, w->arg);
}

static void tell_departure(struct fake *f, const char *user, const struct k8s_request *request)
{
    struct fake_watcher *w;

    list_foreach (w, &f->server.watchers, link)
        if (w->on_departure)
            w->on_departure(user, request, w->arg);
}

/* ---- calls ---- */

static void call_free(struct fake_call *c)
{
    struct loop *loop = c->client->fake->loop;

    if (c->gone)
        *c->gone = true;
    list_remove(&c->link);
    loop_timer_cancel(loop, &c->timer);
    loop_timer_cancel(loop, &c->bookmark);
    loop_timer_cancel(loop, &c->end);
    fake_request_free(&c->request);
    fake_answer_done(&c->answer);
    json_decref(c->mark);
    free(c);
}

static void reply(struct fake_call *c, struct k8s_reply *r)
{
    const struct k8s_handler handler = c->handler;
    const json_t *meta = json_at(r->object, "metadata");
    const char *version = json_text_at(meta, "resourceVersion");
    const char *token = json_text_at(meta, "continue");

    r->reason = r->reason ? r->reason : "";
    r->resource_version = version ? version : "";
    r->continue_token = token ? token : "";
    c->base.k8s = NULL; /* cancelling it now is a mistake, and shows */
    handler.on_reply(r, c->arg);
    call_free(c);
}

void fake_call_fail(struct fake_call *c, int status, enum error_code code, const char *text)
{
    struct k8s_reply r = {.http_status = status};

    error_set(&r.error, code, "%s", text);
    reply(c, &r);
}

static void deliver_list(struct fake_call *c)
{
    const json_t *item;
    size_t i;

    json_array_foreach (c->answer.items, i, item) {
        const char *offer = fake_offer(item);
        CLEANUP(free) char *text = offer ? NULL : fake_print(item);

        c->handler.on_item(K8S_LISTED, offer ? offer : text, strlen(offer ? offer : text), c->arg);
        fake_offer(NULL);
    }
}

void fake_call_answer(struct fake_call *c)
{
    struct k8s_reply r = {
        .http_status = c->answer.status,
        .object = c->answer.body,
        .retry_after_ms = c->answer.retry_after_ms,
        .server_time_ms = fake_server_now(&c->client->fake->server) / 1000 * 1000,
    };

    k8s_reply_judge(&r, &c->request, c->answer.text);
    if (c->answer.items && r.error.code == ERROR_NONE)
        deliver_list(c);
    reply(c, &r);
}

void fake_call_set(struct fake_call *c, enum fake_phase phase, int64_t at)
{
    c->phase = phase;
    loop_timer_set(c->client->fake->loop, &c->timer, LOOP_MONOTONIC, at);
}

/* ---- at the server ---- */

/* On its way back. */
static void send_back(struct fake_call *c, struct fake_answer answer)
{
    struct fake *f = c->client->fake;

    c->answer = answer;
    fake_request_tell(f, c->client->user, &c->request, answer.status);
    int64_t back = fake_now(f) + fake_latency(f);
    if (c->fault == FAKE_HANG_UP)
        fake_call_set(c, FAKE_CUT, back);
    else if (c->fault == FAKE_LOSE_REPLY || c->client->gone || back > c->deadline)
        fake_call_set(c, FAKE_LOST, c->deadline);
    else
        fake_call_set(c, FAKE_RETURNING, back);
}

static void carry_out(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    struct fake_answer answer = fake_server_do(&f->server, &c->request);

    fake_server_count(&f->server, &c->request);
    if (c->request.verb == K8S_GET && answer.status == 404)
        fake_ghost_spring_ambush(f, &c->request);
    send_back(c, answer);
}

static void refuse(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    if (c->fault == FAKE_NO_LEADER && rng_below(&f->rng, 2)) { /* and yet it was done */
        struct fake_answer answer = fake_server_do(&f->server, &c->request);

        fake_server_count(&f->server, &c->request);
        fake_answer_done(&answer);
    }
    send_back(c, fake_fault_refusal(f, &c->request, (enum fake_fault) c->fault));
}

/* 504 at the end of its time, unless that is the client's end as well. */
static void time_out(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    fake_request_tell(f, c->client->user, &c->request, 504);
    c->answer = fake_fault_timeout(&c->request);
    if (c->client->gone || rng_below(&f->rng, 2))
        fake_call_set(c, FAKE_LOST, c->deadline);
    else
        fake_call_set(c, FAKE_RETURNING, c->deadline - 1);
}

/* etcd does not answer.  What was handed to it may be done when it goes on; a delete reads first.
 */
static void stall(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    if (f->stalled_until < c->deadline - f->latency_max) {
        fake_call_set(c, FAKE_TRAVELLING, f->stalled_until);
        return;
    }
    if (k8s_verb_writes(c->request.verb) && c->request.verb != K8S_DELETE &&
        rng_below(&f->rng, 5) < 2)
        fake_ghost_send(f, &c->request, f->stalled_until + rng_between(&f->rng, 0, FAKE_AMBUSH_MS));
    time_out(c);
}

static bool is_cached(const struct k8s_request *r)
{
    return r->resource_version && strcmp(r->resource_version, "0") == 0;
}

/* A read of a version that is not there yet. */
static bool is_of_the_future(const struct fake *f, const struct k8s_request *r)
{
    uint64_t version;

    return (r->verb == K8S_GET ||
            (r->verb == K8S_LIST && !(r->continue_token && *r->continue_token))) &&
           k8s_version_parse(r->resource_version, &version) && version > f->server.version;
}

static void on_waited(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    if (is_of_the_future(f, &c->request))
        send_back(c, fake_server_too_large(&f->server, &c->request));
    else
        carry_out(c);
}

/* It keeps what happens for its watches, from its start on. */
static void start_if_stopped(struct fake *f)
{
    if (!f->stopped || fake_now(f) < f->down_until)
        return;
    f->stopped = false;
    f->server.served_from = f->server.version;
}

static void arrive(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    int64_t now = fake_now(f);

    start_if_stopped(f);
    if (now < f->down_until)
        fake_call_set(c, FAKE_CUT, now);
    else if (now < f->starting_until)
        send_back(c, fake_fault_starting(&c->request));
    else if (c->fault >= 0 && fake_fault_is_refusal((enum fake_fault) c->fault))
        refuse(c);
    else if (c->fault == FAKE_TIMEOUT)
        time_out(c);
    else if (c->request.verb == K8S_WATCH)
        fake_watch_begin(c);
    else if (now < f->stalled_until && !is_cached(&c->request))
        stall(c);
    else if (is_of_the_future(f, &c->request))
        fake_call_set(c, FAKE_WAITING, now + FUTURE_MS);
    else
        carry_out(c);
}

/* ---- on the way ---- */

/* Nobody listens: nothing of it leaves, and nothing of it comes late. */
static bool is_refused(const struct fake_call *c)
{
    const struct fake *f = c->client->fake;

    return fake_now(f) < f->down_until && !c->client->gone;
}

static void send_off(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    int64_t there = fake_now(f) + fake_latency(f);

    if (is_refused(c)) {
        fake_call_set(c, FAKE_REFUSED, there);
    } else if (c->fault == FAKE_LATE || c->fault == FAKE_LOSE_REQUEST || c->client->gone) {
        fake_call_set(c, FAKE_LOST, c->deadline);
    } else if (there > c->deadline) {
        fake_ghost_send(f, &c->request, there);
        fake_call_set(c, FAKE_LOST, c->deadline);
    } else {
        fake_call_set(c, FAKE_TRAVELLING, there);
    }
}

/* It is this request's turn: ask the fence, and off it goes. */
static void depart(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    const struct k8s_fence *fence = c->request.fence;
    int judged = f->judge ? f->judge(c->client->user, &c->request, f->judge_arg) : -1;

    if (c->client->frozen) { /* just now: decided, and not sent */
        c->held = true;
        return;
    }
    int64_t remaining = fence ? fence->remaining_ms(fence->arg) : INT64_MAX;

    if (remaining <= 0) {
        fake_call_fail(c, 0, ERROR_FENCED, "not sent: the lease does not last long enough");
        return;
    }
    tell_departure(f, c->client->user, &c->request);
    if (remaining < c->deadline - fake_now(f))
        c->deadline = fake_now(f) + remaining;
    c->fault = judged >= 0 ? judged : fake_fault_pick(f, &c->request);
    if (c->fault == FAKE_LATE && !is_refused(c))
        fake_ghost_send_late(c);
    send_off(c);
}

/* A 504 of a request that is late comes at the end of its time, or it does not come. */
static void on_lost(struct fake_call *c)
{
    if (c->fault == FAKE_LATE && rng_below(&c->client->fake->rng, 2)) {
        c->answer = fake_fault_timeout(&c->request);
        fake_call_answer(c);
        return;
    }
    fake_call_fail(c, 0, ERROR_UNKNOWN, "no answer in time");
}

static void on_cut(struct fake_call *c)
{
    fake_call_fail(c, 0, ERROR_UNKNOWN, "the connection was closed before an answer came");
}

static void on_refused(struct fake_call *c)
{
    fake_call_fail(c, 0, ERROR_UNAVAILABLE, "connection refused");
}

static void on_timer(void *arg)
{
    static void (*const steps[])(struct fake_call * c) = {
        [FAKE_SENDING] = depart,     [FAKE_TRAVELLING] = arrive,
        [FAKE_WAITING] = on_waited,  [FAKE_RETURNING] = fake_call_answer,
        [FAKE_LOST] = on_lost,       [FAKE_CUT] = on_cut,
        [FAKE_REFUSED] = on_refused, [FAKE_WATCHING] = fake_watch_deliver,
    };
    struct fake_call *c = arg;

    if (c->client->frozen && c->phase != FAKE_TRAVELLING && c->phase != FAKE_WAITING)
        c->held = true;
    else
        steps[c->phase](c);
}

/* ---- the seam ---- */

/* Without one, DELETE would mean the collection. */
static bool needs_name(const struct k8s_request *r)
{
    return r->verb != K8S_LIST && r->verb != K8S_WATCH && r->verb != K8S_CREATE;
}

static struct k8s_call *on_call(struct k8s *k8s, const struct k8s_request *request,
                                const struct k8s_handler *handler, void *arg)
{
    struct fake_client *client = container_of(k8s, struct fake_client, base);
    struct fake *f = client->fake;
    struct fake_call *c = NEW(struct fake_call);
    bool watch = request->verb == K8S_WATCH;

    c->base.k8s = k8s;
    c->client = client;
    c->request = fake_request_copy(request);
    if (!c->request.field_manager && request->verb != K8S_APPLY)
        c->request.field_manager = xstrdup(client->user); /* as it follows from User-Agent */
    c->handler = *handler;
    c->arg = arg;
    c->fault = -1;
    c->deadline =
        fake_now(f) + (!watch && request->timeout_ms > 0 ? request->timeout_ms : FAKE_TIMEOUT_MS);
    c->timer = (struct loop_timer) {.on_time = on_timer, .arg = c};
    c->bookmark = (struct loop_timer) {.on_time = fake_watch_on_bookmark, .arg = c};
    c->end = (struct loop_timer) {.on_time = fake_watch_on_end, .arg = c};
    list_push_back(&client->calls, &c->link);
    assert(k8s_request_lane(request) != K8S_LANE_DEFAULT &&
           (!needs_name(request) || *request->name));
    fake_call_set(c, FAKE_SENDING, fake_now(f));
    return &c->base;
}

/* Whether a request that is under way arrives nevertheless is chance. */
static void on_cancel(struct k8s_call *call)
{
    struct fake_call *c = container_of(call, struct fake_call, base);
    struct fake *f = c->client->fake;

    if (c->phase == FAKE_TRAVELLING && c->request.verb != K8S_WATCH && rng_below(&f->rng, 2))
        fake_ghost_send(f, &c->request, c->timer.node.key);
    call_free(c);
}

static void on_free(struct k8s *k8s)
{
    struct fake_client *client = container_of(k8s, struct fake_client, base);

    assert(list_empty(&client->calls));
    list_remove(&client->link);
    free(client->user);
    free(client);
}

struct k8s *fake_client(struct fake *fake, const char *user)
{
    static const struct k8s_ops ops = {on_call, on_cancel, on_free};
    struct fake_client *client = NEW(struct fake_client);

    client->base.ops = &ops;
    client->fake = fake;
    client->user = xstrdup(user);
    list_init(&client->calls);
    list_push_back(&fake->clients, &client->link);
    return &client->base;
}
