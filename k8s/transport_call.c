/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on their way: waiting, sent, overdue, over.  What they bring is in transport_reply.c. */
#include "k8s/transport_call.h"

#include <inttypes.h>
#include <string.h>

#define LEAST_PART 20 /* of a write's time has to be left when it is sent */

static int64_t boot(const struct transport *t)
{
    return loop_now_fresh(t->loop, LOOP_BOOT);
}

static enum wire_use wire_of(const struct call *c)
{
    return c->request.verb == K8S_WATCH        ? WIRE_WATCHES
           : c->request.verb == K8S_LIST       ? WIRE_LISTS
           : c->request.lane == K8S_LANE_LEASE ? WIRE_LEASE
                                               : WIRE_REQUESTS;
}

/* Watches hold no place among the requests. */
static bool uses_lane(const struct call *c)
{
    return c->request.verb != K8S_WATCH;
}

/* ---- deadlines ---- */

static void arm_deadline(struct transport *t)
{
    const struct heap_node *top = heap_top(&t->deadlines);

    if (top)
        loop_timer_set(t->loop, &t->deadline, LOOP_BOOT, top->key);
    else
        loop_timer_cancel(t->loop, &t->deadline);
}

static void set_deadline(struct call *c, int64_t at)
{
    heap_remove(&c->t->deadlines, &c->deadline);
    c->deadline_ms = at;
    heap_add(&c->t->deadlines, &c->deadline, at);
    arm_deadline(c->t);
}

/* ---- the end of a call ---- */

static CURL *new_handle(struct transport *t)
{
    CURL *easy = t->n_idle ? t->idle[--t->n_idle] : curl_easy_init();

    if (!easy)
        abort();
    return easy;
}

static void return_handle(struct transport *t, CURL *easy)
{
    if (t->n_idle < IDLE_HANDLES)
        t->idle[t->n_idle++] = easy;
    else
        curl_easy_cleanup(easy);
}

static void leave_lane(struct call *c)
{
    const struct transfer *x = &c->transfer;
    struct lanes_end how = {
        .answered = x->status != 0,
        .throttled = x->status == 429,
        .overdue = c->overdue,
        .retry_after_ms = x->status == 429 && x->retry_after_ms == 0 ? 1000 : x->retry_after_ms,
        .took_ms = c->request.verb == K8S_LIST || c->sent_at == 0 ? 0 : boot(c->t) - c->sent_at,
    };

    lanes_done(&c->t->lanes, c->request.lane, &how, loop_now(c->t->loop, LOOP_MONOTONIC));
    loop_task_queue(c->t->loop, &c->t->pump);
}

/* Out of wherever it is; what came is kept for the task. */
static void end(struct call *c)
{
    struct transport *t = c->t;

    if (c->transfer.easy)
        return_handle(t, transfer_end(&c->transfer));
    if (!uses_lane(c))
        t->stats.watches--;
    else if (c->state == CALL_WAITING)
        lanes_remove(&t->lanes, c->request.lane, &c->waiting);
    else
        leave_lane(c);
    c->state = CALL_ENDED;
    c->ended_at = boot(t);
    heap_remove(&t->deadlines, &c->deadline);
    arm_deadline(t);
    loop_task_queue(t->loop, &c->task);
}

void call_free(struct call *c)
{
    loop_task_cancel(&c->task);
    if (c->gone)
        *c->gone = true;
    c->t->n_calls--;
    transfer_done(&c->transfer);
    json_decref(c->watch_error);
    free(c->ns);
    free(c->name);
    free(c->path);
    free(c->body);
    free(c);
}

/* Ends a call that libcurl still works on, or that was never handed to it. */
void call_abandon(struct call *c)
{
    if (c->state == CALL_SENT)
        wire_remove(c->line->wire, c->transfer.easy);
    end(c);
}

/* A write has had no effect if nothing of its body has left. */
static bool surely_not_done(const struct call *c)
{
    return k8s_verb_writes(c->request.verb) && c->transfer.body_at == 0;
}

static void on_overdue(struct call *c)
{
    int64_t idle = c->t->limits.watch_idle_ms;

    if (c->request.verb == K8S_WATCH) {
        if (c->heard_at + idle > boot(c->t)) {
            set_deadline(c, c->heard_at + idle);
            return;
        }
        error_set(&c->error, ERROR_UNKNOWN, "the watch was silent for %" PRId64 " s", idle / 1000);
    } else if (c->state == CALL_WAITING) {
        error_set(&c->error, ERROR_UNAVAILABLE, "was not sent in time: too many requests wait");
    } else {
        c->overdue = true;
        error_set(&c->error, surely_not_done(c) ? ERROR_UNAVAILABLE : ERROR_UNKNOWN,
                  "no answer within %" PRId64 " ms", boot(c->t) - c->sent_at);
    }
    struct line *line = c->line;
    bool dead = c->state == CALL_SENT && line->heard_at < c->sent_at;
    call_abandon(c);
    if (dead)
        transport_give_up(c->t, line);
}

void transport_expire(void *arg)
{
    struct transport *t = arg;
    struct heap_node *top;

    while ((top = heap_top(&t->deadlines)) && top->key <= boot(t))
        on_overdue(container_of(top, struct call, deadline));
    arm_deadline(t);
}

static bool did_not_connect(CURLcode result)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return true;
    default:
        return false;
    }
}

/* How a transfer ended that brought no complete answer.  libcurl sends again, by itself, what a
 * connection took that was open before and then broke: no connection at last does not mean that
 * nothing has left. */
static void judge_failure(struct call *c, CURLcode result)
{
    const struct transfer *x = &c->transfer;
    const char *text = *x->curl_text ? x->curl_text : curl_easy_strerror(result);

    if (x->status >= 400 && x->status < 500)
        return; /* refused (413 before the body was read): the rest of the text does not matter */
    if (did_not_connect(result) && x->body_at == 0)
        error_set(&c->error, ERROR_UNAVAILABLE, "%s", text);
    else if (x->stopped)
        error_set(&c->error, ERROR_FENCED, "not sent: the lease does not last long enough");
    else if (x->too_large)
        error_set(&c->error, k8s_verb_writes(c->request.verb) ? ERROR_UNKNOWN : ERROR_TOO_LARGE,
                  "the answer is larger than %zu bytes", x->max);
    else
        error_set(&c->error, surely_not_done(c) ? ERROR_UNAVAILABLE : ERROR_UNKNOWN, "%s", text);
}

void call_over(CURL *easy, CURLcode result, void *arg)
{
    struct call *c = NULL;

    (void) arg;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &c);
    if (result != CURLE_OK)
        judge_failure(c, result);
    end(c);
}

/* ---- sending ---- */

static const struct method {
    const char *name, *content_type;
} methods[] = {
    [K8S_GET] = {"GET", NULL},
    [K8S_LIST] = {"GET", NULL},
    [K8S_WATCH] = {"GET", NULL},
    [K8S_CREATE] = {"POST", "application/json"},
    [K8S_APPLY] = {"PATCH", "application/apply-patch+yaml"},
    [K8S_PATCH] = {"PATCH", "application/merge-patch+json"},
    [K8S_DELETE] = {"DELETE", "application/json"},
};

const char *call_method(const struct call *c)
{
    return methods[c->request.verb].name;
}

/* How long an effect may still take place; a write that can hardly be answered any more would only
 * leave a doubt. */
static int64_t time_left(struct call *c)
{
    const struct k8s_fence *fence = c->request.fence;
    int64_t left = c->deadline_ms - boot(c->t),
            open = fence ? fence->remaining_ms(fence->arg) : left;

    return open < left ? open : left;
}

/* libcurl is about to let the first byte of the body go. */
static bool may_send(void *arg)
{
    struct call *c = arg;

    return time_left(c) >= c->least_ms;
}

static void on_data(void *arg)
{
    struct call *c = arg;

    c->heard_at = c->line->heard_at = boot(c->t);
    loop_task_queue(c->t->loop, &c->task);
}

/* The server is told how long we wait: what it has not done by then is of no use. */
static char *path_with_timeout(const struct call *c, int64_t left)
{
    if (c->request.verb == K8S_WATCH)
        return xstrdup(c->path);
    return xasprintf("%s%ctimeout=%" PRId64 "ms", c->path, strchr(c->path, '?') ? '&' : '?', left);
}

static void transmit(struct call *c, int64_t left)
{
    static const struct transfer_events events = {may_send, on_data};
    const struct method *method = &methods[c->request.verb];
    CLEANUP(free) char *path = path_with_timeout(c, left);
    struct transport *t = c->t;
    struct transfer *x = &c->transfer;

    x->events = events;
    x->arg = c;
    x->kind = c->request.verb == K8S_LIST    ? TRANSFER_ITEMS
              : c->request.verb == K8S_WATCH ? TRANSFER_LINES
                                             : TRANSFER_TEXT;
    transfer_begin(x, new_handle(t), &t->target, method->name, path, method->content_type,
                   TAKE(c->body), t->limits.max_reply);
    curl_easy_setopt(x->easy, CURLOPT_PRIVATE, c);
    c->line = transport_line(t, wire_of(c));
    c->sent_at = c->heard_at = boot(t);
    c->state = CALL_SENT;
    wire_add(c->line->wire, x->easy);
}

/* Its turn has come: may it still be sent, and for how long? */
static void send_call(struct call *c)
{
    int64_t now = boot(c->t), left = time_left(c);
    bool late = c->deadline_ms - now < c->least_ms;

    if (left < c->least_ms) {
        c->state = CALL_SENT; /* as far as its lane is concerned */
        error_set(&c->error, late ? ERROR_UNAVAILABLE : ERROR_FENCED, "not sent: %s",
                  late ? "it waited for too long" : "the lease does not last long enough");
        end(c);
        return;
    }
    if (now + left < c->deadline_ms)
        set_deadline(c, now + left);
    transmit(c, left);
}

void transport_take_turns(void *arg)
{
    struct transport *t = arg;
    int64_t now = loop_now(t->loop, LOOP_MONOTONIC);
    struct lanes_place *place;

    transport_expire(t);
    transport_free_given_up(t);
    while ((place = lanes_next(&t->lanes, now)))
        send_call(container_of(place, struct call, waiting));
    int64_t opens = lanes_opens_at(&t->lanes, now);
    if (opens >= 0)
        loop_timer_set(t->loop, &t->lane_opens, LOOP_MONOTONIC, opens);
}

/* ---- the seam ---- */

static int64_t time_for(const struct transport *t, const struct k8s_request *r)
{
    if (r->verb == K8S_WATCH)
        return t->limits.watch_idle_ms;
    if (r->timeout_ms > 0)
        return r->timeout_ms;
    return r->verb == K8S_LIST ? t->limits.list_timeout_ms : t->limits.timeout_ms;
}

static struct call *call_new(struct transport *t, const struct k8s_request *r)
{
    struct call *c = NEW(struct call);

    c->base.k8s = &t->base;
    c->t = t;
    c->path = k8s_request_path(r);
    c->body = k8s_verb_writes(r->verb) ? xstrdup(r->body ? r->body : "{}") : NULL;
    c->ns = xstrdup(r->ns);
    c->name = xstrdup(r->name);
    c->request = (struct k8s_request) {.verb = r->verb,
                                       .lane = k8s_request_lane(r),
                                       .resource = r->resource,
                                       .ns = c->ns,
                                       .name = c->name,
                                       .fence = r->fence};
    c->task = (struct loop_task) {.on_turn = call_hand_on, .arg = c};
    t->n_calls++;
    return c;
}

struct k8s_call *transport_call(struct k8s *k8s, const struct k8s_request *request,
                                const struct k8s_handler *handler, void *arg)
{
    struct transport *t = container_of(k8s, struct transport, base);
    struct call *c = call_new(t, request);

    c->handler = *handler;
    c->arg = arg;
    set_deadline(c, boot(t) + time_for(t, request));
    c->least_ms = k8s_verb_writes(request->verb) ? time_for(t, request) / LEAST_PART : 1;
    c->least_ms = c->least_ms > 1 ? c->least_ms : 1;
    if (uses_lane(c)) {
        lanes_add(&t->lanes, c->request.lane, &c->waiting, loop_now(t->loop, LOOP_MONOTONIC));
        loop_task_queue(t->loop, &t->pump);
    } else {
        t->stats.watches++;
        transmit(c, 0);
    }
    return &c->base;
}

void transport_cancel(struct k8s_call *call)
{
    struct call *c = container_of(call, struct call, base);

    if (c->state != CALL_ENDED)
        call_abandon(c);
    call_free(c);
}
