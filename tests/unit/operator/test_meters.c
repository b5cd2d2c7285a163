/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator counts of itself, as it is printed.  STYX-OPS-02 */
#include "operator/report.h"

#include "sim/world.h"
#include "test.h"

#define BY_HAND "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}"
#define HOURLY  "{'schedule': 'hourly', 'template': {'image': 'busybox:1'}}"
#define LOGGING                                                                                    \
    "{'schedule': 'yearly', 'template': {'image': 'busybox:1', 'terminationLogging': true}}"

struct reported {
    struct world w;
    struct metrics *metrics;
    struct report *report;
    struct buf text;
};

static void begin(struct reported *r)
{
    struct error err;

    *r = (struct reported) {.text = BUF_INIT};
    world_init(&r->w, test_seed());
    world_start(&r->w, 0);
    r->metrics = metrics_new();
    CHECK_OK(report_new(r->w.operators[0], r->metrics, NULL, &r->report, &err), &err);
    world_run(&r->w, SECOND_MS);
}

static void end(struct reported *r)
{
    report_free(r->report);
    world_done(&r->w);
    metrics_free(r->metrics);
    buf_done(&r->text);
}

#define SHOWS(r, line) check_shows(__LINE__, r, line "\n")

static void check_shows(int line, struct reported *r, const char *want)
{
    buf_clear(&r->text);
    metrics_print(r->metrics, &r->text);
    CHECK_HAS_AT(line, buf_text(&r->text), want);
}

static void run_by_hand(struct reported *r, const char *workflow, const char *parameter)
{
    CLEANUP(free) char *name = xasprintf("%s.%s", workflow, parameter);

    world_run_by_hand(&r->w, workflow, parameter);
    world_run(&r->w, 30 * SECOND_MS);
    CHECK_INT(world_count(&r->w, "NEW"), 0);
}

TEST(runs_are_counted_by_state_and_trigger)
{
    struct reported r;

    begin(&r);
    world_deploy(&r.w, "report", HOURLY);
    world_deploy(&r.w, "job", BY_HAND);
    world_run(&r.w, 2 * HOUR_MS);
    r.w.plan.run_ms = FAKE_NEVER;
    run_by_hand(&r, "job", "2025");
    SHOWS(&r, "kharon_runs{state=\"DONE\",trigger=\"natural\"} 2");
    SHOWS(&r, "kharon_runs{state=\"RUNNING\",trigger=\"adhoc\"} 1");
    SHOWS(&r, "kharon_runs{state=\"NEW\",trigger=\"none\"} 0");
    CHECK(world_delete(&r.w, &instance_resource, "job.2025"));
    world_run(&r.w, SECOND_MS);
    SHOWS(&r, "kharon_runs{state=\"RUNNING\",trigger=\"adhoc\"} 0");
    end(&r);
}

TEST(workflows_are_counted_by_what_they_are)
{
    struct reported r;

    begin(&r);
    world_deploy(&r.w, "report", HOURLY);
    world_deploy(&r.w, "logs", LOGGING);
    world_deploy(&r.w, "off",
                 "{'schedule': 'hourly', 'suspend': true, 'template': {'image': 'busybox:1'}}");
    world_deploy(&r.w, "empty", "{'schedule': 'hourly'}");
    world_run(&r.w, SECOND_MS);
    SHOWS(&r, "kharon_workflows{status=\"all\"} 4");
    SHOWS(&r, "kharon_workflows{status=\"configured\"} 3");
    SHOWS(&r, "kharon_workflows{status=\"enabled\"} 2");
    SHOWS(&r, "kharon_workflows{status=\"docker_termination_logging_enabled\"} 1");
    world_patch(&r.w, &workflow_resource, "off", "{'spec': {'suspend': false}}");
    CHECK(world_delete(&r.w, &workflow_resource, "logs"));
    world_run(&r.w, SECOND_MS);
    SHOWS(&r, "kharon_workflows{status=\"all\"} 3");
    SHOWS(&r, "kharon_workflows{status=\"enabled\"} 2");
    SHOWS(&r, "kharon_workflows{status=\"docker_termination_logging_enabled\"} 0");
    end(&r);
}

static void run_with(struct reported *r, struct fake_plan plan, const char *parameter)
{
    r->w.plan = plan;
    run_by_hand(r, "job", parameter);
}

/* A program that logs its code may log any number. */
TEST(exit_codes_are_counted)
{
    struct reported r;

    begin(&r);
    world_deploy(&r.w, "job", LOGGING);
    run_with(&r, (struct fake_plan) {.exit_code = 3, .message = "{\"exit_code\": 3}"}, "2001");
    run_with(&r, (struct fake_plan) {.exit_code = 1, .message = "{\"exit_code\": 1000}"}, "2002");
    run_with(&r, (struct fake_plan) {.exit_code = 1, .message = "{\"exit_code\": -7}"}, "2003");
    run_with(&r, (struct fake_plan) {.exit_code = 0}, "2004");
    run_with(&r, (struct fake_plan) {.exit_code = 0, .message = "no json"}, "2005");
    SHOWS(&r, "kharon_exits_total{code=\"3\"} 1");
    SHOWS(&r, "kharon_exits_total{code=\"other\"} 2");
    SHOWS(&r, "kharon_exits_total{code=\"unknown\"} 2");
    SHOWS(&r, "kharon_termination_log_errors_total{error=\"missing\"} 1");
    SHOWS(&r, "kharon_termination_log_errors_total{error=\"invalid\"} 1");
    SHOWS(&r, "kharon_termination_log_errors_total{error=\"mismatch\"} 2");
    end(&r);
}

TEST(images_that_cannot_be_pulled_are_counted)
{
    struct reported r;

    begin(&r);
    world_deploy(&r.w, "job", BY_HAND);
    run_with(&r, (struct fake_plan) {.start_ms = FAKE_NEVER, .waiting = "ErrImagePull"}, "2001");
    SHOWS(&r, "kharon_image_pull_errors_total 1");
    end(&r);
}

/* What takes its time is a histogram. */
TEST(delays_are_measured)
{
    struct reported r;

    begin(&r);
    r.w.plan = (struct fake_plan) {.start_ms = 8 * SECOND_MS};
    world_deploy(&r.w, "report", HOURLY);
    world_run(&r.w, 2 * HOUR_MS);
    SHOWS(&r, "kharon_trigger_lag_seconds_count 2");
    SHOWS(&r, "kharon_trigger_lag_seconds_bucket{le=\"1\"} 2");
    SHOWS(&r, "kharon_start_seconds_count 2");
    SHOWS(&r, "kharon_start_seconds_bucket{le=\"5\"} 0");
    SHOWS(&r, "kharon_start_seconds_bucket{le=\"10\"} 2");
    end(&r);
}

/* Names as client-go has them, so that dashboards know them. */
TEST(queues_and_leadership_have_their_usual_names)
{
    struct reported r;

    begin(&r);
    SHOWS(&r, "leader_election_master_status{name=\"kharon-operator\"} 1");
    world_deploy(&r.w, "job", BY_HAND);
    fake_fail_next(r.w.fake, FAKE_REFUSE, 3, K8S_CREATE, "pods");
    run_by_hand(&r, "job", "2025");
    SHOWS(&r, "workqueue_retries_total{name=\"attempt\"} 3");
    SHOWS(&r, "workqueue_depth{name=\"attempt\"} 0");
    CHECK(r.w.operators[0]->attempt_queue.adds >= 4);
    CHECK_INT(r.w.operators[0]->attempt_queue.adds, r.w.operators[0]->attempt_queue.steps);
    CLEANUP(free) char *adds = xasprintf("workqueue_adds_total{name=\"attempt\"} %llu\n",
                                         (unsigned long long) r.w.operators[0]->attempt_queue.adds);
    CLEANUP(free) char *waited =
        xasprintf("workqueue_queue_duration_seconds_count{name=\"attempt\"} %llu\n",
                  (unsigned long long) r.w.operators[0]->attempt_queue.steps);
    check_shows(__LINE__, &r, adds);
    check_shows(__LINE__, &r, waited);
    end(&r);
}
