/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/report.h"

#include "apiserver/store.h"
#include "base/log.h"
#include "base/probe.h"

/* How often a trouble with Kubernetes that lasts is told again. */
#define COMPLAIN_MS 30000

struct api_report {
    struct api *api;
    struct server *server;
    struct metrics *metrics;
    struct probe *probe;
    struct probe_page pages[3];
    struct loop_timer complain;
};

/* ---- metrics ---- */

static double read_connections(void *arg)
{
    return (double) server_stats(arg).connections;
}

static double read_pending(void *arg)
{
    return (double) server_stats(arg).pending;
}

static double read_abandoned(void *arg)
{
    return (double) server_stats(arg).abandoned;
}

static double read_refused_accepts(void *arg)
{
    return (double) server_stats(arg).refused_accepts;
}

static double read_timed_out(void *arg)
{
    return (double) server_stats(arg).timed_out;
}

static double read_evicted(void *arg)
{
    return (double) server_stats(arg).evicted;
}

static double read_workflows(void *arg)
{
    return (double) store_count_workflows(arg);
}

static double read_instances(void *arg)
{
    return (double) store_count_instances(arg);
}

static double read_active(void *arg)
{
    return (double) store_count_active(arg);
}

static double read_longest_turn(void *arg)
{
    return (double) loop_longest_turn_us(arg) / 1e6;
}

static void add_gauge(struct metrics *m, const char *name, const char *help, double (*read)(void *),
                      void *arg)
{
    metric_read_from(metric_series(metrics_gauge(m, name, help, NULL)), read, arg);
}

static void add_counter(struct metrics *m, const char *name, const char *help,
                        double (*read)(void *), void *arg)
{
    metric_read_from(metric_series(metrics_counter(m, name, help, NULL)), read, arg);
}

static void add_metrics(struct api_report *r)
{
    struct metrics *m = r->metrics;
    struct store *store = r->api->store;
    struct metric_family *objects =
        metrics_gauge(m, "kharon_objects", "Objects in the local copy.", "kind");

    metric_read_from(metric_series(objects, "Workflow"), read_workflows, store);
    metric_read_from(metric_series(objects, "WorkflowInstance"), read_instances, store);
    add_gauge(m, "kharon_active_instances", "Unfinished instances.", read_active, store);
    add_gauge(m, "kharon_http_connections", "Open connections.", read_connections, r->server);
    add_gauge(m, "kharon_http_requests_pending",
              "Requests that wait for Kubernetes or the operator.", read_pending, r->server);
    add_counter(m, "kharon_http_requests_abandoned_total",
                "Requests whose client left before the answer.", read_abandoned, r->server);
    add_counter(m, "kharon_http_accepts_refused_total",
                "Connections that waited for lack of descriptors.", read_refused_accepts,
                r->server);
    add_counter(m, "kharon_http_connections_timed_out_total",
                "Connections that were idle, or sent a request, for too long.", read_timed_out,
                r->server);
    add_counter(m, "kharon_http_connections_evicted_total",
                "Connections that had to make room for others.", read_evicted, r->server);
    add_gauge(m, "kharon_longest_turn_seconds",
              "Longest turn of the event loop since the last look.", read_longest_turn,
              r->api->loop);
    r->api->requests =
        metrics_counter(m, "http_requests_total", "Answered requests.", "method,code");
    r->api->seconds =
        metrics_histogram(m, "http_request_duration_seconds", "From the request to its answer.",
                          "method", metrics_seconds, metrics_n_seconds);
    metrics_add_process(m);
}

/* ---- troubles ---- */

/* NULL: none.  What failed last and has not gone on since. */
static const char *trouble(const struct api_report *r)
{
    const struct error *workflows = store_workflow_stats(r->api->store).error;
    const struct error *instances = store_instance_stats(r->api->store).error;

    if (workflows->code != ERROR_NONE)
        return workflows->text;
    return instances->code != ERROR_NONE ? instances->text : NULL;
}

static void complain(void *arg)
{
    struct api_report *r = arg;
    struct loop *loop = r->api->loop;

    if (trouble(r))
        log_warning("cannot follow Kubernetes", KV("error", trouble(r)),
                    KV("synced", store_synced(r->api->store)));
    loop_timer_set(loop, &r->complain, LOOP_MONOTONIC,
                   loop_now(loop, LOOP_MONOTONIC) + COMPLAIN_MS);
}

/* ---- pages ---- */

static int render_live(struct buf *body, void *arg)
{
    (void) arg;
    buf_adds(body, "ok\n");
    return 200;
}

static int render_ready(struct buf *body, void *arg)
{
    const struct api_report *r = arg;

    if (server_stats(r->server).stopping)
        buf_adds(body, "stopping\n");
    else if (!store_synced(r->api->store))
        buf_addf(body, "the local copy is not complete yet\n%s\n", trouble(r) ? trouble(r) : "");
    else
        buf_adds(body, "ok\n");
    return strcmp(body->data, "ok\n") == 0 ? 200 : 503;
}

static int render_metrics(struct buf *body, void *arg)
{
    const struct api_report *r = arg;

    metrics_print(r->metrics, body);
    return 200;
}

bool api_report_new(struct api *api, struct server *server, struct metrics *metrics,
                    const char *address, struct api_report **ret_report, struct error *err)
{
    struct api_report *r = NEW(struct api_report);

    r->api = api;
    r->server = server;
    r->metrics = metrics;
    add_metrics(r);
    r->pages[0] = (struct probe_page) {"/livez", "text/plain", render_live, r};
    r->pages[1] = (struct probe_page) {"/readyz", "text/plain", render_ready, r};
    r->pages[2] = (struct probe_page) {"/metrics", METRICS_CONTENT_TYPE, render_metrics, r};
    if (address && !probe_new(api->loop, address, r->pages, ARRAY_SIZE(r->pages), &r->probe, err)) {
        api_report_free(r);
        return error_prefix(err, "probe-listen");
    }
    r->complain = (struct loop_timer) {.on_time = complain, .arg = r};
    loop_timer_set(api->loop, &r->complain, LOOP_MONOTONIC,
                   loop_now(api->loop, LOOP_MONOTONIC) + COMPLAIN_MS / 10);
    *ret_report = r;
    return true;
}

void api_report_free(struct api_report *r)
{
    if (!r)
        return;
    loop_timer_cancel(r->api->loop, &r->complain);
    if (r->probe)
        probe_free(r->probe);
    free(r);
}

int api_report_port(const struct api_report *r)
{
    return probe_port(r->probe);
}
