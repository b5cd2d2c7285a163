/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator tells of itself: metrics, and a line for each step of a run. */
#include "operator/report.h"

#include "base/log.h"
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
        {__LINE__, "gauge", "leader_election_master_status", "{name=\"kharon-operator\"}", 1},
        {__LINE__, "counter", "kharon_triggers_total", "", 3},
        {__LINE__, "counter", "kharon_skipped_partitions_total", "", 2},
        {__LINE__, "counter", "kharon_transitions_total", "", 3 * 13},
        {__LINE__, "counter", "kharon_exits_total", "{code=\"0\"}", 3},
        {__LINE__, "counter", "kharon_exits_total", "{code=\"1\"}", 3},
        {__LINE__, "gauge", "kharon_runs", "{state=\"DONE\",trigger=\"natural\"}", 3},
        {__LINE__, "gauge", "kharon_runs", "{state=\"RUNNING\",trigger=\"natural\"}", 0},
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
        {__LINE__, "histogram", "kharon_trigger_lag_seconds", "_count", 3},
        {__LINE__, "gauge", "kharon_longest_turn_seconds", "", ANY},
        {__LINE__, "gauge", "workqueue_depth", "{name=\"cursor\"}", 0},
        {__LINE__, "gauge", "workqueue_depth", "{name=\"attempt\"}", 0},
        {__LINE__, "gauge", "workqueue_depth", "{name=\"reap\"}", 0},
        {__LINE__, "counter", "process_cpu_seconds_total", "", ANY},
        {__LINE__, "gauge", "process_resident_memory_bytes", "", ANY},
    };
    static const struct printed standby[] = {
        {__LINE__, "gauge", "leader_election_master_status", "{name=\"kharon-operator\"}", 0},
        {__LINE__, "counter", "kharon_triggers_total", "", 0},
        {__LINE__, "counter", "kharon_transitions_total", "", 0},
        {__LINE__, "counter", "kharon_pods_created_total", "", 0},
        {__LINE__, "gauge", "kharon_runs", "{state=\"DONE\",trigger=\"natural\"}", 3},
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

/* ---- a line for each step ---- */

struct journal {
    struct world w;
    struct buf steps;       /* of all runs, as lines of text */
    char executions[4][64]; /* in their order */
    int n_executions;
};

/* "e1" for the first execution and so on. */
static int number_of(struct journal *j, const char *execution)
{
    int i = 0;

    while (i < j->n_executions && strcmp(j->executions[i], execution) != 0)
        i++;
    CHECK(i < (int) ARRAY_SIZE(j->executions));
    if (i == j->n_executions)
        snprintf(j->executions[j->n_executions++], sizeof(j->executions[0]), "%s", execution);
    return i + 1;
}

static void write_step(struct journal *j, const json_t *line)
{
    const char *execution = json_text_at(line, "execution"),
               *message = json_text_at(line, "message");

    buf_addf(&j->steps, "%s #%d %s: %s -> %s, tries %d", json_text_at(line, "instance"),
             (int) json_int_at(line, "counter", -1), json_text_at(line, "event"),
             json_text_at(line, "from"), json_text_at(line, "to"),
             (int) json_int_at(line, "tries", -1));
    if (execution)
        buf_addf(&j->steps, ", e%d", number_of(j, execution));
    if (json_int_at(line, "delay_ms", 0))
        buf_addf(&j->steps, ", delay %d", (int) json_int_at(line, "delay_ms", 0));
    buf_addf(&j->steps, "%s%s\n", message ? ", " : "", message ? message : "");
}

static void on_line(const char *line, size_t len, void *arg)
{
    CLEANUP(json_decref) json_t *json = NULL;
    struct error err;

    CHECK_OK(json_parse(line, len, &json, &err), &err);
    if (strcmp(json_text_at(json, "msg"), "transition") == 0)
        write_step(arg, json);
}

static int64_t journal_now(void *arg)
{
    return loop_now(((struct journal *) arg)->w.loop, LOOP_OF_DAY);
}

static void journal_open(struct journal *j)
{
    *j = (struct journal) {.steps = BUF_INIT};
    world_init(&j->w, test_seed());
    log_setup(LOG_JSON, LOG_INFO);
    log_redirect(on_line, journal_now, j);
    world_start(&j->w, 0);
    world_deploy(&j->w, "job", "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}");
}

static void journal_close(struct journal *j)
{
    world_done(&j->w);
    log_setup(LOG_AUTO, LOG_INFO);
    buf_done(&j->steps);
}

/* STYX-OPS-03: what has happened, in which order, with the try, execution, exit code and delay. */
TEST(every_step_of_a_run_is_a_line)
{
    struct journal j;

    journal_open(&j);
    j.w.failures_first = 1;
    world_run_by_hand(&j.w, "job", "2025");
    CHECK(world_run_until(&j.w, 5 * MINUTE_MS, "job.2025", "DONE"));
    CHECK_STR(j.steps.data,
              "team#job#2025 #0 triggerExecution: NEW -> QUEUED, tries 0\n"
              "team#job#2025 #1 dequeue: QUEUED -> PREPARE, tries 0\n"
              "team#job#2025 #2 submit: PREPARE -> SUBMITTING, tries 0, e1\n"
              "team#job#2025 #3 submitted: SUBMITTING -> SUBMITTED, tries 1, e1\n"
              "team#job#2025 #4 started: SUBMITTED -> RUNNING, tries 1, e1\n"
              "team#job#2025 #5 terminate: RUNNING -> TERMINATED, tries 1, e1, Exit code: 1\n"
              "team#job#2025 #6 retryAfter: TERMINATED -> QUEUED, tries 1, delay 180000, "
              "Exit code: 1\n"
              "team#job#2025 #7 dequeue: QUEUED -> PREPARE, tries 1, Exit code: 1\n"
              "team#job#2025 #8 submit: PREPARE -> SUBMITTING, tries 1, e2, Exit code: 1\n"
              "team#job#2025 #9 submitted: SUBMITTING -> SUBMITTED, tries 2, e2, Exit code: 1\n"
              "team#job#2025 #10 started: SUBMITTED -> RUNNING, tries 2, e2, Exit code: 1\n"
              "team#job#2025 #11 terminate: RUNNING -> TERMINATED, tries 2, e2, Exit code: 0\n"
              "team#job#2025 #12 success: TERMINATED -> DONE, tries 2, e2, Exit code: 0\n");
    CHECK_STR(world_text(&j.w, &instance_resource, "job.2025", "status.counter"), "12");
    journal_close(&j);
}

/* STYX-OPS-03 */
TEST(what_ends_a_run_from_outside_is_a_line)
{
    struct journal j;

    journal_open(&j);
    j.w.plan.run_ms = HOUR_MS;
    world_run_by_hand(&j.w, "job", "2025");
    CHECK(world_run_until(&j.w, MINUTE_MS, "job.2025", "RUNNING"));
    buf_clear(&j.steps);
    world_patch(&j.w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
    CHECK(world_run_until(&j.w, MINUTE_MS, "job.2025", "ERROR"));
    CHECK_STR(j.steps.data, "team#job#2025 #5 halt: RUNNING -> ERROR, tries 1, e1, Halted\n");
    journal_close(&j);
}
