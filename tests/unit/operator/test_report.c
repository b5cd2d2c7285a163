/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator tells of itself. */
#include "operator/report.h"

#include "sim/world.h"
#include "unit/printed.h"

#define HOURLY "{'schedule': 'hourly', 'template': {'image': 'busybox:1'}}"

struct told {
    struct metrics *metrics;
    struct report *report;
};

static void tell(struct told *told, struct operator *op)
{
    struct error err;

    told->metrics = metrics_new();
    CHECK_OK(report_new(op, told->metrics, NULL, &told->report, &err), &err);
}

static void told_done(struct told *told)
{
    report_free(told->report);
    metrics_free(told->metrics);
}

/* STYX-OPS-02: three runs, each of which fails once, then two partitions that are passed by. */
TEST(what_it_did_is_counted)
{
    static const struct printed leader[] = {
        {__LINE__, "gauge", "leader_election_master_status", "", 1},
        {__LINE__, "counter", "kharon_triggers_total", "", 3},
        {__LINE__, "counter", "kharon_skipped_partitions_total", "", 2},
        {__LINE__, "counter", "kharon_transitions_total", "", 3 * 13},
        {__LINE__, "counter", "kharon_exits_total", "{code=\"0\"}", 3},
        {__LINE__, "counter", "kharon_exits_total", "{code=\"1\"}", 3},
        {__LINE__, "gauge", "kharon_runs", "{state=\"DONE\"}", 3},
        {__LINE__, "gauge", "kharon_runs", "{state=\"RUNNING\"}", 0},
        {__LINE__, "counter", "kharon_pods_created_total", "", 6},
        {__LINE__, "counter", "kharon_pods_deleted_total", "", 6},
        {__LINE__, "counter", "kharon_status_writes_total", "", ANY},
        {__LINE__, "counter", "kharon_cursor_writes_total", "", ANY},
        {__LINE__, "counter", "kharon_events_sent_total", "", ANY},
        {__LINE__, "counter", "kharon_events_dropped_total", "", 0},
        {__LINE__, "counter", "kharon_request_errors_total", "", 1},
        {__LINE__, "gauge", "kharon_objects", "{kind=\"Workflow\"}", 1},
        {__LINE__, "gauge", "kharon_objects", "{kind=\"WorkflowInstance\"}", 3},
        {__LINE__, "gauge", "kharon_objects", "{kind=\"Pod\"}", 0},
        {__LINE__, "gauge", "kharon_last_trigger_lag_seconds", "", ANY},
        {__LINE__, "gauge", "kharon_longest_turn_seconds", "", ANY},
        {__LINE__, "gauge", "workqueue_depth", "{name=\"cursor\"}", 0},
        {__LINE__, "gauge", "workqueue_depth", "{name=\"attempt\"}", 0},
        {__LINE__, "gauge", "workqueue_depth", "{name=\"reap\"}", 0},
        {__LINE__, "counter", "process_cpu_seconds_total", "", ANY},
        {__LINE__, "gauge", "process_resident_memory_bytes", "", ANY},
    };
    static const struct printed standby[] = {
        {__LINE__, "gauge", "leader_election_master_status", "", 0},
        {__LINE__, "counter", "kharon_triggers_total", "", 0},
        {__LINE__, "counter", "kharon_transitions_total", "", 0},
        {__LINE__, "counter", "kharon_pods_created_total", "", 0},
        {__LINE__, "gauge", "kharon_runs", "{state=\"DONE\"}", 3},
        {__LINE__, "gauge", "kharon_objects", "{kind=\"Workflow\"}", 1},
    };
    struct told told[2];
    struct world w;

    world_init(&w, test_seed());
    for (int i = 0; i < 2; i++) {
        world_start(&w, i);
        world_run(&w, 5000);
        tell(&told[i], w.operators[i]);
    }
    w.failures_first = 1;
    world_deploy(&w, "report", HOURLY);
    world_run(&w, MINUTE_MS);
    fake_fail_next(w.fake, FAKE_REFUSE, 1, K8S_CREATE, "pods");
    world_run(&w, 3 * HOUR_MS + 10 * MINUTE_MS);
    world_patch(&w, &workflow_resource, "report", "{'spec': {'suspend': true}}");
    world_run(&w, 2 * HOUR_MS);
    world_patch(&w, &workflow_resource, "report", "{'spec': {'suspend': false}}");
    world_run(&w, MINUTE_MS);
    CHECK_PRINTED(told[0].metrics, leader);
    CHECK_PRINTED(told[1].metrics, standby);
    told_done(&told[0]);
    told_done(&told[1]);
    world_done(&w);
}
