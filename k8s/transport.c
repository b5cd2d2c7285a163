/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/transport.h"

#include "k8s/transport_call.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define TOKEN_MS 60000

static int64_t boot(const struct transport *t)
{
    return loop_now_fresh(t->loop, LOOP_BOOT);
}

/* ---- wires ---- */

static void on_transfer_over(CURL *easy, CURLcode result, void *arg);
static void expire(void *arg);

static void expire_on(void *arg)
{
    expire(((struct line *) arg)->transport);
}

static struct line *line_new(struct transport *t, enum wire_use use)
{
    static const long connections[N_WIRES] = {
        [WIRE_LEASE] = 2, [WIRE_WATCHES] = 4, [WIRE_REQUESTS] = 4};
    static const struct wire_handler handler = {expire_on, on_transfer_over};
    struct line *line = NEW(struct line);

    line->transport = t;
    line->wire = wire_new(t->loop, connections[use], &handler, line);
    return line;
}

static void line_free(struct line *line)
{
    list_remove(&line->link);
    wire_free(line->wire);
    free(line);
}

/* Nothing comes on this line any more: later calls get a new one. */
static void give_up(struct transport *t, const struct line *line)
{
    for (int i = 0; i < N_WIRES; i++) {
        if (t->lines[i] != line)
            continue;
        list_push_back(&t->given_up, &t->lines[i]->link);
        t->lines[i] = line_new(t, (enum wire_use) i);
        loop_task_queue(t->loop, &t->pump);
    }
}

static void free_given_up(struct transport *t)
{
    struct line *line;

    list_foreach (line, &t->given_up, link)
        if (wire_count(line->wire) == 0)
            line_free(line);
}

static enum wire_use wire_of(const struct call *c)
{
    return c->request.verb == K8S_WATCH        ? WIRE_WATCHES
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
    bool throttled = x->status == 429;

    lanes_done(&c->t->lanes, c->request.lane, x->status != 0, throttled,
               throttled && x->retry_after_ms == 0 ? 1000 : x->retry_after_ms,
               loop_now(c->t->loop, LOOP_MONOTONIC));
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
        error_set(&c->error, surely_not_done(c) ? ERROR_UNAVAILABLE : ERROR_UNKNOWN,
                  "no answer within %" PRId64 " ms", boot(c->t) - c->sent_at);
    }
    struct line *line = c->line;
    bool dead = c->state == CALL_SENT && line->heard_at < c->sent_at;
    call_abandon(c);
    if (dead)
        give_up(c->t, line);
}

static void expire(void *arg)
{
    struct transport *t = arg;
    struct heap_node *top;

    while ((top = heap_top(&t->deadlines)) && top->key <= boot(t))
        on_overdue(container_of(top, struct call, deadline));
    arm_deadline(t);
}

/* How a transfer ended that brought no complete answer. */
static void judge_failure(struct call *c, CURLcode result)
{
    const struct transfer *x = &c->transfer;
    const char *text = *x->curl_text ? x->curl_text : curl_easy_strerror(result);

    if (x->status >= 400 && x->status < 500)
        return; /* refused (413 before the body was read): the rest of the text does not matter */
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        error_set(&c->error, ERROR_UNAVAILABLE, "%s", text);
        return;
    default:
        break;
    }
    if (x->stopped)
        error_set(&c->error, ERROR_FENCED, "not sent: the lease does not last long enough");
    else if (x->too_large)
        error_set(&c->error, k8s_verb_writes(c->request.verb) ? ERROR_UNKNOWN : ERROR_TOO_LARGE,
                  "the answer is larger than %zu bytes", x->max);
    else
        error_set(&c->error, surely_not_done(c) ? ERROR_UNAVAILABLE : ERROR_UNKNOWN, "%s", text);
}

static void on_transfer_over(CURL *easy, CURLcode result, void *arg)
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

static bool fence_is_open(struct call *c)
{
    const struct k8s_fence *fence = c->request.fence;

    return !fence || fence->remaining_ms(fence->arg) > 0;
}

/* libcurl is about to let the first byte of the body go. */
static bool may_send(void *arg)
{
    struct call *c = arg;

    return boot(c->t) < c->deadline_ms && fence_is_open(c);
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
    c->line = t->lines[wire_of(c)];
    c->sent_at = c->heard_at = boot(t);
    c->state = CALL_SENT;
    wire_add(c->line->wire, x->easy);
}

/* Its turn has come: may it still be sent, and for how long? */
static void send_call(struct call *c)
{
    const struct k8s_fence *fence = c->request.fence;
    int64_t open = fence ? fence->remaining_ms(fence->arg) : INT64_MAX;
    int64_t left = c->deadline_ms - boot(c->t);

    if (open <= 0) {
        c->state = CALL_SENT; /* as far as its lane is concerned */
        error_set(&c->error, ERROR_FENCED, "not sent: the lease does not last long enough");
        end(c);
        return;
    }
    if (open < left) {
        left = open;
        set_deadline(c, boot(c->t) + left);
    }
    transmit(c, left > 1 ? left : 1);
}

static void take_turns(void *arg)
{
    struct transport *t = arg;
    int64_t now = loop_now(t->loop, LOOP_MONOTONIC);
    struct list *link;

    expire(t);
    free_given_up(t);
    while ((link = lanes_next(&t->lanes, now)))
        send_call(list_entry(link, struct call, waiting));
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

static struct k8s_call *on_call(struct k8s *k8s, const struct k8s_request *request,
                                const struct k8s_handler *handler, void *arg)
{
    struct transport *t = container_of(k8s, struct transport, base);
    struct call *c = call_new(t, request);

    c->handler = *handler;
    c->arg = arg;
    set_deadline(c, boot(t) + time_for(t, request));
    if (uses_lane(c)) {
        lanes_add(&t->lanes, c->request.lane, &c->waiting);
        loop_task_queue(t->loop, &t->pump);
    } else {
        t->stats.watches++;
        transmit(c, 0);
    }
    return &c->base;
}

static void on_cancel(struct k8s_call *call)
{
    struct call *c = container_of(call, struct call, base);

    if (c->state != CALL_ENDED)
        call_abandon(c);
    call_free(c);
}

static void on_free(struct k8s *k8s)
{
    struct transport *t = container_of(k8s, struct transport, base);

    assert(t->n_calls == 0);
    for (int i = 0; i < N_WIRES; i++)
        line_free(t->lines[i]);
    free_given_up(t);
    loop_timer_cancel(t->loop, &t->deadline);
    loop_timer_cancel(t->loop, &t->lane_opens);
    loop_timer_cancel(t->loop, &t->token_due);
    loop_task_cancel(&t->pump);
    while (t->n_idle)
        curl_easy_cleanup(t->idle[--t->n_idle]);
    heap_done(&t->deadlines);
    target_done(&t->target);
    free(t);
    curl_global_cleanup();
}

/* A token that cannot be read leaves the old one in place: it may be good for a while. */
void transport_read_token(struct transport *t)
{
    struct error err;
    char *token;

    if (!k8s_config_token(t->config, &token, &err))
        return;
    free(t->target.token);
    t->target.token = token;
}

static void on_token_due(void *arg)
{
    struct transport *t = arg;

    transport_read_token(t);
    loop_timer_set(t->loop, &t->token_due, LOOP_MONOTONIC,
                   loop_now(t->loop, LOOP_MONOTONIC) + TOKEN_MS);
}

static struct k8s_limits with_defaults(const struct k8s_limits *given)
{
    struct k8s_limits l = given ? *given : (struct k8s_limits) {0};

    l.max_in_flight = l.max_in_flight ? l.max_in_flight : 64;
    l.timeout_ms = l.timeout_ms ? l.timeout_ms : 2000;
    l.list_timeout_ms = l.list_timeout_ms ? l.list_timeout_ms : 30000;
    l.connect_ms = l.connect_ms ? l.connect_ms : 5000;
    l.dead_peer_ms = l.dead_peer_ms ? l.dead_peer_ms : 10000;
    l.watch_idle_ms = l.watch_idle_ms ? l.watch_idle_ms : 100000;
    l.max_reply = l.max_reply ? l.max_reply : 64u * 1024 * 1024;
    return l;
}

struct k8s_transport_stats k8s_transport_stats(const struct k8s *k8s)
{
    const struct transport *t =
        container_of((struct k8s *) (uintptr_t) k8s, struct transport, base);
    struct k8s_transport_stats stats = t->stats;

    stats.in_flight = (size_t) t->lanes.in_flight;
    stats.waiting = lanes_waiting(&t->lanes);
    stats.window = (int) t->lanes.window;
    return stats;
}

/* The names that Kubernetes' own clients use, where there are any. */
static void add_metrics(struct transport *t, struct metrics *m)
{
    struct counters *c = &t->counters;

    c->requests = metrics_counter(
        m, "rest_client_requests_total",
        "Requests to the API server that got an answer (code) or none (code \"<error>\").",
        "code,method,host");
    c->seconds =
        metrics_histogram(m, "rest_client_request_duration_seconds",
                          "From sending a request to the end of its answer; watches are left out.",
                          "verb", metrics_seconds, metrics_n_seconds);
    c->in_flight = metric_series(
        metrics_gauge(m, "kharon_k8s_requests_in_flight", "Requests under way.", NULL));
    c->waiting = metric_series(metrics_gauge(m, "kharon_k8s_requests_waiting",
                                             "Requests that wait for their turn.", NULL));
    c->window = metric_series(metrics_gauge(m, "kharon_k8s_requests_window",
                                            "Requests that may be under way at once.", NULL));
    c->watches = metric_series(metrics_gauge(m, "kharon_k8s_watches", "Open watches.", NULL));
}

static void update_metrics(void *arg)
{
    const struct transport *t = arg;
    struct k8s_transport_stats stats = k8s_transport_stats(&t->base);

    metric_set(t->counters.in_flight, (double) stats.in_flight);
    metric_set(t->counters.waiting, (double) stats.waiting);
    metric_set(t->counters.window, stats.window);
    metric_set(t->counters.watches, (double) stats.watches);
}

static struct transport *transport_new(struct loop *loop, const struct k8s_config *config,
                                       const struct k8s_limits *limits)
{
    static const struct k8s_ops ops = {on_call, on_cancel, on_free};
    struct transport *t = NEW(struct transport);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
    t->base.ops = &ops;
    t->loop = loop;
    t->config = config;
    t->limits = with_defaults(limits);
    lanes_init(&t->lanes, t->limits.max_in_flight);
    list_init(&t->given_up);
    t->deadline = (struct loop_timer) {.on_time = expire, .arg = t};
    t->lane_opens = (struct loop_timer) {.on_time = take_turns, .arg = t};
    t->token_due = (struct loop_timer) {.on_time = on_token_due, .arg = t};
    t->pump = (struct loop_task) {.on_turn = take_turns, .arg = t};
    target_init(&t->target, config);
    t->target.connect_ms = (long) t->limits.connect_ms;
    t->target.dead_peer_ms = (int) t->limits.dead_peer_ms;
    for (int i = 0; i < N_WIRES; i++)
        t->lines[i] = line_new(t, (enum wire_use) i);
    return t;
}

bool k8s_transport_new(struct loop *loop, const struct k8s_config *config,
                       const struct k8s_limits *limits, struct metrics *metrics,
                       struct k8s **ret_k8s, struct error *err)
{
    CLEANUP(free) char *token = NULL;

    if (!k8s_config_token(config, &token, err))
        return false;
    struct transport *t = transport_new(loop, config, limits);
    t->target.token = TAKE(token);
    if (config->token_file)
        on_token_due(t);
    if (metrics) {
        add_metrics(t, metrics);
        metrics_before_print(metrics, update_metrics, t);
    }
    *ret_k8s = &t->base;
    return true;
}
