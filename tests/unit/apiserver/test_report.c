/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server tells of itself. */
#include "fixture.h"

#include "apiserver/report.h"
#include "unit/printed.h"

#define V3 "/api/v3"

/* The library keeps 88 bytes of each context that it disposed of. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_multithread_create_queue\n";
}

/* A server that nobody connects to, on a loop of its own: the fixture's is virtual. */
static struct {
    struct api api;
    struct server *server;
    struct metrics *metrics;
    struct api_report *report;
} told;

static void set_up_report(void)
{
    struct server_config config = {.listen = "127.0.0.1:0",
                                   .max_connections = 10,
                                   .request_ms = 1000,
                                   .on_request = route_dispatch};
    struct error err;

    set_up();
    told.api.loop = loop_new();
    told.metrics = metrics_new();
    CHECK_OK(server_new(&told.api, &config, &told.server, &err), &err);
    CHECK_OK(api_report_new(&w.api, told.server, told.metrics, NULL, &told.report, &err), &err);
}

static void tear_down_report(void)
{
    api_report_free(told.report);
    server_free(told.server);
    loop_free(told.api.loop);
    tear_down();
    metrics_free(told.metrics);
}

/* STYX-OPS-02 */
TEST(what_was_answered_is_counted)
{
    static const struct printed rows[] = {
        {__LINE__, "counter", "http_requests_total", "{method=\"GET\",code=\"200\"}", 2},
        {__LINE__, "counter", "http_requests_total", "{method=\"GET\",code=\"404\"}", 1},
        {__LINE__, "counter", "http_requests_total", "{method=\"POST\",code=\"200\"}", 2},
        {__LINE__, "counter", "http_requests_total", "{method=\"POST\",code=\"409\"}", 1},
        {__LINE__, "counter", "http_requests_total", "{method=\"other\",code=\"405\"}", 1},
        {__LINE__, "histogram", "http_request_duration_seconds", "_count{method=\"GET\"}", 3},
        {__LINE__, "histogram", "http_request_duration_seconds", "_count{method=\"POST\"}", 3},
        {__LINE__, "histogram", "http_request_duration_seconds", "_sum{method=\"POST\"}", ANY},
        {__LINE__, "histogram", "http_request_duration_seconds",
         "_bucket{method=\"POST\",le=\"+Inf\"}", 3},
        {__LINE__, "gauge", "kharon_objects", "{kind=\"Workflow\"}", 1},
        {__LINE__, "gauge", "kharon_objects", "{kind=\"WorkflowInstance\"}", 1},
        {__LINE__, "gauge", "kharon_active_instances", "", 1},
        {__LINE__, "gauge", "kharon_http_connections", "", 0},
        {__LINE__, "gauge", "kharon_http_requests_pending", "", 0},
        {__LINE__, "counter", "kharon_http_requests_abandoned_total", "", 0},
        {__LINE__, "counter", "kharon_http_accepts_refused_total", "", 0},
        {__LINE__, "gauge", "kharon_longest_turn_seconds", "", ANY},
        {__LINE__, "counter", "process_cpu_seconds_total", "", ANY},
        {__LINE__, "gauge", "process_resident_memory_bytes", "", ANY},
    };
    static const char trigger[] =
        "{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},"
        "\"parameter\":\"2026-01-05\"}";

    set_up_report();
    ASK("POST", V3 "/workflows/billing",
        "{\"id\":\"report\",\"schedule\":\"daily\",\"docker_image\":\"busybox:1\"}", 200, NULL);
    ASK("POST", V3 "/scheduler/trigger", trigger, 200, NULL);
    ASK("POST", V3 "/scheduler/trigger", trigger, 409, NULL);
    ASK("GET", V3 "/workflows", NULL, 200, NULL);
    ASK("GET", V3 "/workflows/billing/report", NULL, 200, NULL);
    ASK("GET", V3 "/workflows/billing/nope", NULL, 404, NULL);
    ASK("BREW", V3 "/workflows", NULL, 405, NULL);
    CHECK_PRINTED(told.metrics, rows);
    tear_down_report();
}
