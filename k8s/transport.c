/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the transport: its wires, its token, its numbers.  Calls are in transport_call.c. */
#include "k8s/transport_call.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#define SLOW_PART      4   /* of the time for an answer: slower answers narrow the window */
#define WATCHES_A_LINE 100 /* what the API server allows on one connection */

/* ---- wires ---- */

static void expire_on(void *arg)
{
    transport_expire(((struct line *) arg)->transport);
}

static struct line *line_new(struct transport *t, enum wire_use use)
{
    static const struct wire_handler handler = {expire_on, call_over};
    struct line *line = NEW(struct line);

    line->transport = t;
    line->wire = wire_new(t->loop, use == WIRE_LEASE ? 2 : 4, &handler, line);
    list_push_back(&t->lines[use], &line->link);
    return line;
}

static void line_free(struct line *line)
{
    list_remove(&line->link);
    wire_free(line->wire);
    free(line);
}

/* libcurl opens as many connections as it may, one for each transfer that finds no place on those
 * that are open; so a wire gets no more watches than one connection bears. */
static bool has_room(const struct line *line, enum wire_use use)
{
    return use != WIRE_WATCHES || wire_count(line->wire) < WATCHES_A_LINE;
}

struct line *transport_line(struct transport *t, enum wire_use use)
{
    struct line *line;

    list_foreach (line, &t->lines[use], link)
        if (has_room(line, use))
            return line;
    return line_new(t, use);
}

void transport_give_up(struct transport *t, struct line *line)
{
    list_remove(&line->link);
    list_push_back(&t->given_up, &line->link);
    loop_task_queue(t->loop, &t->pump);
}

static void free_unused(struct list *lines)
{
    struct line *line;

    list_foreach (line, lines, link)
        if (wire_count(line->wire) == 0)
            line_free(line);
}

void transport_free_given_up(struct transport *t)
{
    free_unused(&t->given_up);
}

/* ---- the rest ---- */

static void on_free(struct k8s *k8s)
{
    struct transport *t = container_of(k8s, struct transport, base);

    assert(t->n_calls == 0);
    for (int i = 0; i < N_WIRES; i++)
        free_unused(&t->lines[i]);
    free_unused(&t->given_up);
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
                   loop_now(t->loop, LOOP_MONOTONIC) + t->limits.token_ms);
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
    l.token_ms = l.token_ms ? l.token_ms : 60000;
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
    static const struct k8s_ops ops = {transport_call, transport_cancel, on_free};
    struct transport *t = NEW(struct transport);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
    t->base.ops = &ops;
    t->loop = loop;
    t->config = config;
    t->limits = with_defaults(limits);
    lanes_init(&t->lanes, t->limits.max_in_flight, t->limits.timeout_ms / SLOW_PART);
    list_init(&t->given_up);
    t->deadline = (struct loop_timer) {.on_time = transport_expire, .arg = t};
    t->lane_opens = (struct loop_timer) {.on_time = transport_take_turns, .arg = t};
    t->token_due = (struct loop_timer) {.on_time = on_token_due, .arg = t};
    t->pump = (struct loop_task) {.on_turn = transport_take_turns, .arg = t};
    target_init(&t->target, config);
    t->target.connect_ms = (long) t->limits.connect_ms;
    t->target.dead_peer_ms = (int) t->limits.dead_peer_ms;
    for (int i = 0; i < N_WIRES; i++)
        list_init(&t->lines[i]);
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
