/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's real main loop against a cluster in memory, on virtual time. */
#include "sim/world.h"

#include "test.h"

#define HOURLY  "{'schedule': 'hourly', 'template': {'image': 'busybox:1', 'args': ['echo', '{}']}}"
#define BY_HAND "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}"

static const char *state_of(struct world *w, const char *instance)
{
    return world_text(w, &instance_resource, instance, "status.state");
}

static void begin(struct world *w)
{
    world_init(w, test_seed());
    world_start(w, 0);
}

/* "triggerExecution dequeue …" */
static const char *events_of(struct world *w, const char *instance)
{
    static char text[2048];
    size_t i, len = 0;
    json_t *event;

    text[0] = '\0';
    json_array_foreach (json_at(world_get(w, &instance_resource, instance), "status.events"), i,
                        event)
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
                                 json_text_at(event, "type"));
    return text;
}

/* The partition 00 runs at 01:00 and so on: 24 in the first day. */
TEST(an_hourly_workflow_runs_once_an_hour)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, DAY_MS);
    CHECK_INT(world_count(&w, NULL), 24);
    CHECK_INT(world_count(&w, "DONE"), 24);
    CHECK_INT(w.n_started, 24);
    CHECK_STR(state_of(&w, "report.2026-01-01t23"), "DONE");
    CHECK_STR(events_of(&w, "report.2026-01-01t23"),
              "triggerExecution dequeue submit submitted started terminate success");
    world_done(&w);
}

/* Design, section 5: at most 9 writes of ours over the whole life of a run that succeeds; no
 * reads. */
TEST(a_run_that_succeeds_costs_few_writes)
{
    struct world w;
    static const struct {
        enum k8s_verb verb;
        const char *plural;
    } writes[] = {
        {K8S_CREATE, "workflowinstances"},
        {K8S_PATCH, "workflowinstances/status"},
        {K8S_PATCH, "workflows/status"},
        {K8S_CREATE, "pods"},
        {K8S_PATCH, "pods"},
        {K8S_DELETE, "pods"},
        {K8S_CREATE, "events"},
    };
    uint64_t n = 0;

    begin(&w);
    w.plan = (struct fake_plan) {.start_ms = 1500, .run_ms = 20 * SECOND_MS};
    world_deploy(&w, "report", HOURLY);
    world_run(&w, MINUTE_MS);
    for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
        n -= fake_count_requests(w.fake, writes[i].verb, writes[i].plural);
    uint64_t reads = fake_count_requests(w.fake, K8S_GET, "pods");
    world_run(&w, 10 * HOUR_MS);
    for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
        n += fake_count_requests(w.fake, writes[i].verb, writes[i].plural);
    CHECK_INT(world_count(&w, "DONE"), 10);
    CHECK(n <= 10 * 9);
    CHECK_INT(fake_count_requests(w.fake, K8S_GET, "pods"), reads);
    world_done(&w);
}

/* STYX-RET-03, STYX-SM-05: exit 1, a back-off of three minutes, then success. */
TEST(a_failure_is_tried_again)
{
    struct world w;

    begin(&w);
    w.failures_first = 1;
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "QUEUED"));
    CHECK_STR(world_line(&w, "job.2025"), "Exit code: 1");
    CHECK_INT(w.n_started, 1);
    world_run(&w, 170 * SECOND_MS);
    CHECK_STR(state_of(&w, "job.2025"), "QUEUED");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    CHECK_INT(w.n_started, 2);
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.tries"), "2");
    CHECK_STR(events_of(&w, "job.2025"),
              "triggerExecution dequeue submit submitted started terminate retryAfter "
              "dequeue submit submitted started terminate success");
    world_done(&w);
}

static void find_note(const json_t *object, void *arg)
{
    const char *reason = json_text_at(object, "reason");

    if (reason && strcmp(reason, "ExecutionFailed") == 0)
        snprintf(arg, 256, "%s", json_text_at(object, "note"));
}

/* What a container said at its end is told, in one line and without control characters. */
TEST(a_failure_is_told_with_its_reason)
{
    static const struct k8s_resource events = {"events.k8s.io", "v1", "events", "Event"};
    struct world w;
    char note[256] = "";

    begin(&w);
    w.plan = (struct fake_plan) {.exit_code = 1, .message = "the warehouse\n\033[31mis closed\n"};
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "QUEUED"));
    world_run(&w, SECOND_MS);
    fake_foreach(w.fake, &events, find_note, note);
    CHECK_STR(note, "Exit code: 1: the warehouse  [31mis closed");
    world_done(&w);
}

/* STYX-RET-01, STYX-RET-02 */
TEST(exit_50_is_final)
{
    struct world w;

    begin(&w);
    w.plan.exit_code = 50;
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "ERROR"));
    CHECK_STR(world_line(&w, "job.2025"), "Exit code: 50");
    world_run(&w, DAY_MS);
    CHECK_INT(w.n_started, 1);
    world_done(&w);
}

/* STYX-SM-07: the pod is deleted and gone before the next one runs. */
TEST(a_run_that_takes_too_long_times_out)
{
    struct world w;

    begin(&w);
    w.plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 20 * SECOND_MS};
    world_deploy(
        &w, "job",
        "{'schedule': 'yearly', 'template': {'image': 'busybox:1', 'runningTimeout': 'PT5M'}}");
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    CHECK(world_run_until(&w, 6 * MINUTE_MS, "job.2025", "QUEUED"));
    CHECK_STR(world_line(&w, "job.2025"), "Timed out in RUNNING");
    world_run(&w, 8 * MINUTE_MS);
    CHECK_INT(w.n_started, 2);
    CHECK_INT(w.n_most_at_once, 1);
    world_done(&w);
}

/* STYX-POD-05 */
TEST(an_image_that_does_not_exist_is_a_failed_try)
{
    struct world w;

    begin(&w);
    w.plan = (struct fake_plan) {.start_ms = FAKE_NEVER, .waiting = "ErrImagePull"};
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "QUEUED"));
    CHECK_HAS(world_line(&w, "job.2025"),
              "Failed to pull image busybox:1 of container styx-run, reason: ErrImagePull");
    world_run(&w, 2 * MINUTE_MS); /* its name is not set free before */
    CHECK_INT(world_pods(&w), 0);
    world_done(&w);
}

/* STYX-API-26: what the API's wish does; STYX-POD-08: the pod goes. */
TEST(a_halt_ends_the_run_and_its_pod)
{
    struct world w;

    begin(&w);
    w.plan.run_ms = FAKE_NEVER;
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
    CHECK(world_run_until(&w, 5 * SECOND_MS, "job.2025", "ERROR"));
    world_run(&w, SECOND_MS);
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.haltedThrough"), "1");
    world_run(&w, 5 * MINUTE_MS);
    CHECK_INT(world_pods(&w), 0);
    CHECK_INT(w.n_running, 0);
    world_done(&w);
}

/* What waits for the answer must not wait for ever, though there is nothing to halt any more. */
TEST(a_halt_of_a_run_that_is_over_is_answered)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    world_run(&w, 10 * MINUTE_MS);
    world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
    world_run(&w, SECOND_MS);
    CHECK_STR(state_of(&w, "job.2025"), "DONE");
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.haltedThrough"), "1");
    world_done(&w);
}

/* Nobody would see it end: the label is put back, once. */
TEST(a_pod_whose_label_was_taken_is_found_again)
{
    struct world w;

    begin(&w);
    w.plan.run_ms = 2 * MINUTE_MS;
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    CLEANUP(free) char *pod =
        xstrdup(world_text(&w, &instance_resource, "job.2025", "status.executionId"));
    world_patch(&w, &pod_resource, pod,
                "{'metadata': {'labels': {'app.kubernetes.io/managed-by': null}}}");
    CHECK(world_run_until(&w, 5 * MINUTE_MS, "job.2025", "DONE"));
    CHECK_INT(w.n_started, 1);
    CHECK(fake_count_requests(w.fake, K8S_GET, "pods") <= 2);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_INT(world_pods(&w), 0);
    world_done(&w);
}

/* A larger seq runs the partition again; its counters go on (STYX-STO-01). */
TEST(a_new_trigger_runs_it_again)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    world_patch(
        &w, &instance_resource, "job.2025",
        "{'spec': {'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'again', 'key': 'again'}}}");
    world_run(&w, MINUTE_MS);
    CHECK_STR(state_of(&w, "job.2025"), "DONE");
    CHECK_INT(w.n_started, 2);
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.counter"), "13");
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.tries"), "1");
    world_done(&w);
}

TEST(a_deleted_workflow_halts_its_runs)
{
    struct world w;

    begin(&w);
    w.plan.run_ms = FAKE_NEVER;
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    world_delete(&w, &workflow_resource, "job");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "ERROR"));
    CHECK_STR(world_line(&w, "job.2025"), "Halted: the workflow was deleted");
    world_run(&w, 5 * MINUTE_MS);
    CHECK_INT(world_pods(&w), 0);
    world_done(&w);
}

TEST(a_deleted_instance_takes_its_pod_along)
{
    struct world w;

    begin(&w);
    w.plan.run_ms = FAKE_NEVER;
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    world_delete(&w, &instance_resource, "job.2025");
    world_run(&w, 5 * MINUTE_MS);
    CHECK_INT(world_pods(&w), 0);
    CHECK_INT(w.n_running, 0);
    CHECK_INT(world_count(&w, NULL), 0);
    world_done(&w);
}

/* Run again under the same name at once: the old pod is waited for. */
TEST(a_recreated_instance_waits_for_the_old_pod)
{
    struct world w;

    begin(&w);
    w.plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 15 * SECOND_MS};
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    world_delete(&w, &instance_resource, "job.2025");
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    CHECK_INT(w.n_started, 2);
    CHECK_INT(w.n_most_at_once, 1);
    world_done(&w);
}

/* Its workflow was replaced by one that counts as another, and its old pod still runs. */
TEST(a_run_waits_for_its_old_pod_whatever_its_workflow_is_called)
{
    struct world w;

    begin(&w);
    w.plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 15 * SECOND_MS};
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    world_delete(&w, &workflow_resource, "job");
    world_deploy(&w, "job",
                 "{'workflowId': 'other', 'schedule': 'yearly',"
                 " 'template': {'image': 'busybox:1'}}");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "ERROR"));
    world_patch(&w, &instance_resource, "job.2025",
                "{'spec': {'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'again', 'key': 'again',"
                " 'workflowUID': null}}}");
    world_run(&w, 10 * SECOND_MS);
    CHECK_INT(w.n_running, 1);
    CHECK_INT(w.n_started, 1);
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    CHECK_INT(w.n_running, 1);
    world_done(&w);
}

/* STYX-SCH-08: every missed partition, oldest first. */
TEST(downtime_is_caught_up)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, 2 * HOUR_MS);
    world_kill(&w, 0);
    world_run(&w, 10 * HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 2);
    world_start(&w, 0);
    world_run(&w, MINUTE_MS);
    CHECK_INT(world_count(&w, "DONE"), 12);
    CHECK_INT(w.n_started, 12);
    world_done(&w);
}

TEST(catch_up_latest_skips_the_rest_and_says_so)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report",
                 "{'schedule': 'hourly', 'catchUp': 'Latest', 'template': {'image': 'b:1'}}");
    world_run(&w, MINUTE_MS);
    world_kill(&w, 0);
    world_run(&w, 5 * HOUR_MS);
    world_start(&w, 0);
    world_run(&w, 2 * MINUTE_MS); /* nothing that was asked for before may come any more */
    CHECK_INT(world_count(&w, "DONE"), 1);
    CHECK_STR(state_of(&w, "report.2026-01-01t04"), "DONE");
    const json_t *skipped = json_at(world_get(&w, &workflow_resource, "report"), "status.skipped");
    CHECK_INT(json_array_size(skipped), 1);
    CHECK_INT(json_int_at(json_array_get(skipped, 0), "count", 0), 4);
    CHECK_STR(json_text_at(json_array_get(skipped, 0), "reason"), "CatchUp");
    world_done(&w);
}

/* The column NEXT. */
static const char *next_due(struct world *w)
{
    return json_text_at(world_get(w, &workflow_resource, "report"), "status.nextDue");
}

/* STYX-SCH-09: what falls due while it is suspended is lost, and recorded once. */
TEST(a_suspended_workflow_skips)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, 90 * MINUTE_MS);
    CHECK_STR(next_due(&w), "2026-01-01T02:00:00Z");
    world_patch(&w, &workflow_resource, "report", "{'spec': {'suspend': true}}");
    world_run(&w, MINUTE_MS);
    CHECK_STR(next_due(&w), NULL);
    uint64_t writes = fake_count_requests(w.fake, K8S_PATCH, "workflows/status");
    world_run(&w, 5 * HOUR_MS);
    CHECK_INT(fake_count_requests(w.fake, K8S_PATCH, "workflows/status"), writes);
    world_patch(&w, &workflow_resource, "report", "{'spec': {'suspend': false}}");
    world_run(&w, HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 2);
    const json_t *skipped = json_at(world_get(&w, &workflow_resource, "report"), "status.skipped");
    CHECK_INT(json_int_at(json_array_get(skipped, 0), "count", 0), 5);
    CHECK_STR(json_text_at(json_array_get(skipped, 0), "reason"), "Suspended");
    CHECK_STR(next_due(&w), "2026-01-01T08:00:00Z");
    world_done(&w);
}

static void check_pair(int line, struct world *w, const char *instance, const char *component,
                       const char *id)
{
    const json_t *object = world_get(w, &instance_resource, instance);

    CHECK_STR_AT(line, json_text_at(object, "status.componentId"), component);
    CHECK_STR_AT(line, json_text_at(object, "status.workflowId"), id);
}

/* 3.6: history stays readable, under the pair, when the workflow is gone. */
TEST(a_run_knows_its_pair_when_its_workflow_is_gone)
{
    struct world w;

    begin(&w);
    w.plan.run_ms = HOUR_MS;
    world_deploy(&w, "plain", BY_HAND);
    world_deploy(&w, "report",
                 "{'componentId': '" WORLD_NS "', 'workflowId': 'w/1', 'schedule': 'yearly',"
                 " 'template': {'image': 'busybox:1'}}");
    world_run(&w, SECOND_MS);
    world_run_by_hand(&w, "plain", "2025");
    world_run_by_hand(&w, "report", "2025");
    world_run(&w, MINUTE_MS);
    CHECK_STR(state_of(&w, "report.2025"), "RUNNING");
    check_pair(__LINE__, &w, "plain.2025", WORLD_NS, "plain");
    check_pair(__LINE__, &w, "report.2025", WORLD_NS, "w/1");
    CHECK(world_delete(&w, &workflow_resource, "report"));
    world_run(&w, MINUTE_MS);
    CHECK_STR(state_of(&w, "report.2025"), "ERROR");
    check_pair(__LINE__, &w, "report.2025", WORLD_NS, "w/1");
    /* Another workflow of that name: what ran was not its, what runs is. */
    world_deploy(&w, "report", BY_HAND);
    world_run(&w, MINUTE_MS);
    check_pair(__LINE__, &w, "report.2025", WORLD_NS, "w/1");
    world_run_by_hand(&w, "report", "2024");
    world_run(&w, MINUTE_MS);
    check_pair(__LINE__, &w, "report.2024", WORLD_NS, "report");
    world_patch(&w, &instance_resource, "report.2025", "{'spec': {'trigger': {'seq': 2}}}");
    world_run(&w, MINUTE_MS);
    check_pair(__LINE__, &w, "report.2025", WORLD_NS, "report");
    world_done(&w);
}

static int count_walked(struct world *w, const char *workflow)
{
    struct operator *op = w->operators[0];
    CLEANUP(free) char *key = object_key(WORLD_NS, workflow);
    struct k8s_object *object = k8s_informer_first(op->instances, ACTIVE_BY_WORKFLOW, key);
    int n = 0;

    for (; object; object = k8s_informer_next(object, ACTIVE_BY_WORKFLOW))
        n++;
    return n;
}

/* Finished instances are kept and kept.  What a look at their workflow, or a change of it, walks
 * through are those that are not finished, and nothing is remembered of the others. */
TEST(finished_instances_are_in_nobodys_way)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", "{'schedule': '* * * * *', 'template': {'image': 'busybox:1'}}");
    world_run(&w, 3 * HOUR_MS);
    struct operator *op = w.operators[0];
    CHECK_INT(world_count(&w, "DONE"), 180);
    CHECK_INT(count_walked(&w, "report"), 0);
    CHECK_INT(op->attempts.n, 0);
    CHECK_INT(op->n_runs[RUN_DONE][TRIGGER_NATURAL], 180);
    w.plan.run_ms = HOUR_MS;
    world_run(&w, MINUTE_MS + SECOND_MS);
    CHECK_INT(count_walked(&w, "report"), 1);
    CHECK_INT(op->attempts.n, 1);
    CHECK_INT(op->n_runs[RUN_RUNNING][TRIGGER_NATURAL], 1);
    CHECK(world_delete(&w, &instance_resource, "report.2026-01-01t00-01-00z"));
    world_run(&w, SECOND_MS);
    CHECK_INT(op->n_runs[RUN_DONE][TRIGGER_NATURAL], 179);
    world_done(&w);
}

/* STYX-API-10: who enables a workflow and moves its cursor back wants those partitions, not what
 * would have been next. */
TEST(a_cursor_that_is_moved_back_on_resuming_stays_there)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report",
                 "{'schedule': 'hourly', 'suspend': true, 'template': {'image': 'busybox:1'}}");
    world_run(&w, 10 * HOUR_MS);
    world_patch(&w, &workflow_resource, "report",
                "{'spec': {'suspend': false, 'setNext': {'id': 'x', 'next': '2026-01-01T06:00:00Z',"
                " 'nextOffset': '2026-01-01T07:00:00Z'}}}");
    world_run(&w, MINUTE_MS);
    CHECK_INT(world_count(&w, "DONE"), 4);
    CHECK_STR(state_of(&w, "report.2026-01-01t06"), "DONE");
    world_done(&w);
}

/* A killed operator loses nothing, wherever it was: here at every millisecond of a run's first two
 * seconds.  STYX-SM-08 */
TEST(a_restart_at_any_point_loses_and_doubles_nothing)
{
    for (int64_t at = 0; at < 2000; at += 7) {
        struct world w;

        begin(&w);
        w.plan = (struct fake_plan) {.schedule_ms = 30, .start_ms = 300, .run_ms = 600};
        w.failures_first = 1;
        world_deploy(&w, "job", BY_HAND);
        world_run(&w, SECOND_MS);
        world_run_by_hand(&w, "job", "2025");
        world_run(&w, at);
        world_kill(&w, 0);
        world_run(&w, 3 * SECOND_MS);
        world_start(&w, 0);
        CHECK(world_run_until(&w, 10 * MINUTE_MS, "job.2025", "DONE"));
        CHECK_INT(w.n_started, 2);
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.tries"), "2");
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.counter"), "12");
        world_done(&w);
    }
}

/* STYX-OPS-04: of two operators one leads; when it stops, the other goes on. */
TEST(a_standby_takes_over)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, HOUR_MS);
    world_start(&w, 1);
    world_run(&w, MINUTE_MS);
    CHECK(operator_leading(w.operators[0]));
    CHECK(!operator_leading(w.operators[1]));
    CHECK(operator_ready(w.operators[1]));
    world_stop(&w, 0);
    world_run(&w, 2 * SECOND_MS);
    CHECK(operator_leading(w.operators[1]));
    world_run(&w, 3 * HOUR_MS);
    CHECK_INT(world_count(&w, "DONE"), 4);
    CHECK_INT(w.n_started, 4);
    world_done(&w);
}

/* STYX-OPS-04 */
TEST(a_crashed_leader_is_followed_when_its_lease_has_run_out)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_start(&w, 1);
    world_run(&w, HOUR_MS);
    world_kill(&w, 0);
    world_run(&w, 8 * SECOND_MS);
    CHECK(operator_leading(w.operators[1]));
    world_run(&w, 3 * HOUR_MS);
    CHECK_INT(world_count(&w, "DONE"), 4);
    CHECK_INT(w.n_started, 4);
    world_done(&w);
}

/* Lost requests and replies, conflicts, refusals, throttling, expired watches: everything still
 * runs once. */
TEST(nothing_is_lost_or_doubled_by_a_bad_network)
{
    static const enum fake_fault faults[] = {FAKE_LOSE_REQUEST, FAKE_LOSE_REPLY, FAKE_REFUSE,
                                             FAKE_THROTTLE,     FAKE_CONFLICT,   FAKE_EXPIRE};
    struct world w;

    begin(&w);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        fake_set_rate(w.fake, faults[i], 30);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, 3 * DAY_MS);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        fake_set_rate(w.fake, faults[i], 0);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_INT(world_count(&w, NULL), 72);
    CHECK_INT(world_count(&w, "DONE"), 72);
    CHECK_INT(w.n_started, 72);
    world_done(&w);
}

/* Something that is wrong stops only itself (STYX-CFG-02). */
TEST(an_invalid_workflow_says_why_and_stops_nobody)
{
    struct world w;

    begin(&w);
    world_deploy(
        &w, "bad",
        "{'schedule': 'hourly', 'template': {'image': 'UPPER case', 'runningTimeout': 'PT1S'}}");
    world_deploy(&w, "report", HOURLY);
    world_run(&w, 3 * HOUR_MS);
    CHECK_INT(world_count(&w, "DONE"), 3);
    const json_t *conditions =
        json_at(world_get(&w, &workflow_resource, "bad"), "status.conditions");
    const json_t *ready = json_array_get(conditions, 0);
    CHECK_STR(json_text_at(ready, "status"), "False");
    CHECK_STR(json_text_at(ready, "reason"), "Invalid");
    CHECK_HAS(json_text_at(ready, "message"), "running timeout is too small: PT1S, limit = PT1M");
    CHECK_HAS(json_text_at(ready, "message"), "invalid image: ");
    world_done(&w);
}

TEST(what_is_not_built_yet_is_refused)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "limited",
                 "{'schedule': 'hourly', 'limits': ['x'], 'template': {'image': 'b:1'}}");
    world_run(&w, 2 * HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 0);
    const json_t *conditions =
        json_at(world_get(&w, &workflow_resource, "limited"), "status.conditions");
    CHECK_STR(json_text_at(json_array_get(conditions, 0), "reason"), "NotYetSupported");
    world_done(&w);
}

/* However often the write that it is about has to be tried. */
TEST(a_verdict_is_told_once)
{
    struct world w;

    begin(&w);
    world_run(&w, SECOND_MS);
    fake_fail_next(w.fake, FAKE_REFUSE, 8, K8S_PATCH, "workflows");
    world_deploy(&w, "bad", "{'schedule': 'hourly', 'offset': '1h', 'template': {'image': 'b:1'}}");
    world_run(&w, 5 * MINUTE_MS);
    const json_t *conditions =
        json_at(world_get(&w, &workflow_resource, "bad"), "status.conditions");
    CHECK_STR(json_text_at(json_array_get(conditions, 0), "status"), "False");
    CHECK_INT(fake_count_requests(w.fake, K8S_CREATE, "events"), 1);
    world_done(&w);
}

/* So many creates of its pod meet that fault. */
static void begin_refused(struct world *w, enum fake_fault fault, int n)
{
    begin(w);
    world_deploy(w, "job", BY_HAND);
    world_run(w, SECOND_MS);
    fake_fail_next(w->fake, fault, n, K8S_CREATE, "pods");
    world_run_by_hand(w, "job", "2025");
}

/* A quota is back-pressure, not a failure. */
TEST(a_quota_is_waited_for)
{
    static const enum fake_fault faults[] = {FAKE_FORBID, FAKE_NEW_QUOTA};

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct world w;

        begin_refused(&w, faults[i], 5);
        world_run(&w, 5 * MINUTE_MS);
        CHECK_STR(state_of(&w, "job.2025"), "DONE");
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.attempt"), "1");
        world_done(&w);
    }
}

/* A create that may have taken effect, and none that does: that is found out in time. */
TEST(a_run_whose_pods_are_refused_can_be_halted)
{
    static const enum fake_fault faults[] = {FAKE_FORBID, FAKE_NO_ACCOUNT};

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct world w;

        begin(&w);
        world_deploy(&w, "job", BY_HAND);
        world_run(&w, 5 * MINUTE_MS);
        fake_fail_next(w.fake, FAKE_LOSE_REQUEST, 1, K8S_CREATE, "pods");
        fake_fail_next(w.fake, faults[i], 100000, K8S_CREATE, "pods");
        world_run_by_hand(&w, "job", "2025");
        world_run(&w, 10 * SECOND_MS);
        world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
        CHECK(world_run_until(&w, 3 * MINUTE_MS, "job.2025", "ERROR"));
        world_done(&w);
    }
}

/* What is used of a quota changes all the time, and is no news. */
TEST(a_quota_that_others_use_is_told_once)
{
    struct world w;

    begin_refused(&w, FAKE_FORBID, 100000);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_HAS(world_line(&w, "job.2025"), "exceeded quota: q, requested: pods=1, limited: pods=1");
    CHECK(fake_count_requests(w.fake, K8S_PATCH, "workflowinstances/status") < 5);
    world_done(&w);
}

/* An API server that has just started refuses everybody until it has read the roles. */
TEST(a_right_that_is_missing_is_waited_for)
{
    struct world w;

    begin_refused(&w, FAKE_NO_RIGHT, 5);
    world_run(&w, 5 * MINUTE_MS);
    CHECK_STR(state_of(&w, "job.2025"), "DONE");
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.retryCostTenths"), "0");
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.attempt"), "1");
    world_done(&w);
}

struct writes {
    int n, unfenced, unguarded;
};

static void on_request(const char *user, const struct k8s_request *request, int status, void *arg)
{
    struct writes *w = arg;
    bool changes = request->verb == K8S_PATCH || request->verb == K8S_DELETE;

    (void) user;
    (void) status;
    if (!k8s_verb_writes(request->verb) || strcmp(request->resource->plural, "leases") == 0)
        return;
    w->n++;
    w->unfenced += !request->fence;
    w->unguarded += changes && !strstr(request->body, "\"resourceVersion\"");
    if (request->verb == K8S_DELETE)
        w->unguarded += !strstr(request->body, "\"uid\"");
}

static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    (void) resource;
    (void) old;
    (void) new;
    (void) arg;
}

static void take_label(struct world *w, const char *instance)
{
    CLEANUP(free) char *pod =
        xstrdup(world_text(w, &instance_resource, instance, "status.executionId"));

    world_patch(w, &pod_resource, pod,
                "{'metadata': {'labels': {'app.kubernetes.io/managed-by': null}}}");
}

/* Design, section 4: every write is fenced; what exists is changed as it was seen, deleted by its
 * uid as well.  Here all kinds of writes happen: to workflows, runs, pods and Events. */
TEST(every_write_is_fenced_and_guarded)
{
    struct writes writes = {0};
    struct fake_watcher watcher = {
        .on_change = on_change, .on_request = on_request, .arg = &writes};
    struct world w;

    begin(&w);
    fake_watcher_add(w.fake, &watcher);
    w.failures_first = 1;
    w.plan.run_ms = 5 * SECOND_MS;
    world_deploy(&w, "report", HOURLY);
    world_deploy(&w, "job", BY_HAND);
    world_deploy(&w, "bad", "{'schedule': 'hourly', 'offset': '1h', 'template': {'image': 'b:1'}}");
    world_run_by_hand(&w, "job", "2024");
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    take_label(&w, "job.2025");
    world_patch(&w, &instance_resource, "job.2024", "{'spec': {'haltThrough': 1}}");
    CHECK(world_run_until(&w, 10 * MINUTE_MS, "job.2025", "DONE"));
    world_run(&w, 110 * MINUTE_MS); /* two of report's, and their pods are gone again */
    CHECK_INT(world_count(&w, "DONE"), 2);
    CHECK_INT(world_pods(&w), 0);
    CHECK(writes.n > 30);
    CHECK_INT(writes.unfenced, 0);
    CHECK_INT(writes.unguarded, 0);
    fake_watcher_remove(&watcher);
    world_done(&w);
}

/* ---- partitions and their objects ---- */

static const char *decision_of(struct world *w, const char *workflow)
{
    static char text[256];
    CLEANUP(free) char *result =
        xstrdup(world_text(w, &workflow_resource, workflow, "status.lastDecision.result"));

    snprintf(text, sizeof(text), "%s %s", result,
             world_text(w, &workflow_resource, workflow, "status.lastDecision.reason"));
    return text;
}

/* Deleted in the foreground, or by somebody else's finalizer: it will be gone, and with it every
 * trigger that it was given.  The partition is triggered once it is. */
TEST(a_due_partition_waits_for_its_object_that_is_being_deleted)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, MINUTE_MS);
    fake_create(w.fake, &instance_resource,
                "{\"metadata\": {\"namespace\": \"" WORLD_NS "\","
                " \"name\": \"report.2026-01-01t00\", \"finalizers\": [\"x.io/y\"]},"
                " \"spec\": {\"workflow\": \"report\", \"parameter\": \"2026-01-01T00\"}}");
    world_run(&w, 50 * MINUTE_MS);
    world_delete(&w, &instance_resource, "report.2026-01-01t00");
    world_run(&w, 15 * MINUTE_MS);
    CHECK_STR(decision_of(&w, "report"), "Waiting BeingDeleted");
    CHECK_STR(world_text(&w, &workflow_resource, "report", "status.next"), "2026-01-01T00:00:00Z");
    CHECK(fake_count_requests(w.fake, K8S_GET, "workflowinstances") < 20);
    CHECK_INT(w.n_started, 1);
    world_patch(&w, &instance_resource, "report.2026-01-01t00",
                "{'metadata': {'finalizers': null}}");
    world_run(&w, 5 * SECOND_MS);
    CHECK_STR(state_of(&w, "report.2026-01-01t00"), "DONE");
    CHECK_STR(world_text(&w, &instance_resource, "report.2026-01-01t00", "status.trigger.type"),
              "natural");
    CHECK_STR(decision_of(&w, "report"), "Triggered Due");
    CHECK_INT(w.n_started, 2);
    world_done(&w);
}

/* Design, section 4: whatever waits says for what. */
TEST(a_partition_whose_instance_is_refused_says_so)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, MINUTE_MS);
    fake_fail_next(w.fake, FAKE_FORBID, 1000, K8S_CREATE, "workflowinstances");
    world_run(&w, HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 0);
    CHECK_STR(decision_of(&w, "report"), "Waiting Refused");
    fake_fail_no_more(w.fake);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_STR(decision_of(&w, "report"), "Triggered Due");
    CHECK_INT(world_count(&w, "DONE"), 1);
    world_done(&w);
}

/* An API server that has just started refuses everything, for a moment. */
TEST(one_refusal_is_not_told)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, MINUTE_MS);
    fake_fail_next(w.fake, FAKE_FORBID, 1, K8S_CREATE, "workflowinstances");
    world_run(&w, HOUR_MS);
    CHECK_STR(decision_of(&w, "report"), "Triggered Due");
    CHECK_INT(fake_count_requests(w.fake, K8S_CREATE, "events"), 0);
    CHECK_INT(world_count(&w, "DONE"), 1);
    world_done(&w);
}

/* A partition that was run by hand, and cannot be triggered anew. */
TEST(a_trigger_that_is_refused_says_so)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run_by_hand(&w, "report", "2026-01-01T00");
    world_run(&w, MINUTE_MS);
    fake_fail_next(w.fake, FAKE_FORBID, 1000, K8S_PATCH, "workflowinstances");
    world_run(&w, HOUR_MS);
    CHECK_STR(decision_of(&w, "report"), "Waiting Refused");
    fake_fail_no_more(w.fake);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_STR(decision_of(&w, "report"), "Triggered Due");
    CHECK_INT(w.n_started, 2);
    world_done(&w);
}

/* The names of objects are in lower case, partitions are not. */
TEST(a_name_that_another_parameter_has_is_not_taken_over)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, MINUTE_MS);
    world_run_by_hand(&w, "report", "2026-01-01t00");
    world_run(&w, HOUR_MS);
    CHECK_STR(decision_of(&w, "report"), "Skipped NameTaken");
    CHECK_STR(world_text(&w, &instance_resource, "report.2026-01-01t00", "spec.trigger.seq"), "");
    CHECK_INT(w.n_started, 0);
    world_run(&w, HOUR_MS);
    CHECK_STR(state_of(&w, "report.2026-01-01t01"), "DONE");
    world_done(&w);
}

/* Who raises the seq of what was refused did not make it a partition. */
TEST(what_is_no_partition_is_not_run_however_it_is_triggered)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "yesterday");
    fake_create(w.fake, &instance_resource,
                "{\"metadata\": {\"namespace\": \"" WORLD_NS "\", \"name\": \"job.banana\"},"
                " \"spec\": {\"workflow\": \"job\", \"parameter\": \"banana\","
                " \"trigger\": {\"seq\": 1, \"type\": \"adhoc\", \"id\": \"me\"}}}");
    world_run(&w, MINUTE_MS);
    CHECK_HAS(world_line(&w, "job.yesterday"), "Halted: Cannot parse time parameter yesterday - ");
    CHECK_HAS(world_line(&w, "job.banana"), "Halted: Cannot parse time parameter banana - ");
    world_patch(&w, &instance_resource, "job.yesterday", "{'spec': {'trigger': {'seq': 2}}}");
    world_run(&w, MINUTE_MS);
    CHECK_STR(world_text(&w, &instance_resource, "job.yesterday", "status.seq"), "2");
    CHECK_STR(state_of(&w, "job.yesterday"), "ERROR");
    CHECK_INT(w.n_started, 0);
    world_done(&w);
}

/* ---- running again by hand ---- */

static const char *trigger_of(struct world *w, const char *instance)
{
    static char text[512];
    CLEANUP(free) char *type =
        xstrdup(world_text(w, &instance_resource, instance, "status.trigger.type"));

    snprintf(text, sizeof(text), "%s %.10s", type,
             world_text(w, &instance_resource, instance, "status.trigger.id"));
    return text;
}

/* STYX-TRG-01: whoever raises seq asks for it now: it is not the schedule's run, which would be
 * halted. */
TEST(a_raised_seq_runs_a_partition_of_a_suspended_workflow)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, 65 * MINUTE_MS);
    world_patch(&w, &workflow_resource, "report", "{'spec': {'suspend': true}}");
    world_run(&w, MINUTE_MS);
    world_patch(&w, &instance_resource, "report.2026-01-01t00",
                "{'spec': {'trigger': {'seq': 2}}}");
    world_run(&w, MINUTE_MS);
    CHECK_STR(state_of(&w, "report.2026-01-01t00"), "DONE");
    CHECK_STR(trigger_of(&w, "report.2026-01-01t00"), "adhoc ad-hoc-cli");
    CHECK_INT(w.n_started, 2);
    world_done(&w);
}

/* An object that a backup brought back without its status, triggered by a workflow that is gone. */
static void restore_without_status(struct world *w, const char *name, const char *parameter)
{
    CLEANUP(free) char *text =
        xasprintf("{\"metadata\": {\"namespace\": \"" WORLD_NS "\", \"name\": \"%s\"},"
                  " \"spec\": {\"workflow\": \"job\", \"parameter\": \"%s\","
                  " \"trigger\": {\"seq\": 1, \"type\": \"natural\", \"id\": \"natural-trigger\","
                  " \"key\": \"old/1\", \"workflowUID\": \"old\"}}}",
                  name, parameter);

    fake_create(w->fake, &instance_resource, text);
}

static const char *condition_of(struct world *w, const char *instance)
{
    const json_t *conditions =
        json_at(world_get(w, &instance_resource, instance), "status.conditions");

    return json_text_at(json_array_get(conditions, 0), "type");
}

/* As the condition says: raise spec.trigger.seq. */
TEST(what_is_held_runs_when_its_seq_is_raised)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "job", BY_HAND);
    restore_without_status(&w, "job.2025", "2025");
    world_run(&w, MINUTE_MS);
    CHECK_STR(condition_of(&w, "job.2025"), "Held");
    world_kill(&w, 0);
    world_run(&w, 10 * SECOND_MS);
    world_start(&w, 0);
    world_run(&w, MINUTE_MS);
    CHECK_INT(w.n_started, 0);
    world_patch(&w, &instance_resource, "job.2025", "{'spec': {'trigger': {'seq': 2}}}");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    CHECK_STR(trigger_of(&w, "job.2025"), "adhoc ad-hoc-cli");
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.trigger.workflowUID"),
              world_text(&w, &workflow_resource, "job", "metadata.uid"));
    CHECK_INT(w.n_started, 1);
    world_done(&w);
}

/* Nothing runs there: a partition that falls due is triggered. */
TEST(what_is_held_is_not_in_the_way_of_its_partition)
{
    struct world w;

    begin(&w);
    world_deploy(&w, "job", HOURLY);
    restore_without_status(&w, "job.2026-01-01t00", "2026-01-01T00");
    world_run(&w, MINUTE_MS);
    CHECK_STR(condition_of(&w, "job.2026-01-01t00"), "Held");
    world_run(&w, HOUR_MS);
    CHECK_STR(state_of(&w, "job.2026-01-01t00"), "DONE");
    CHECK_STR(trigger_of(&w, "job.2026-01-01t00"), "natural natural-tr");
    CHECK_INT(w.n_started, 1);
    world_done(&w);
}

/* ---- workflows that are not Ready for where they are ---- */

TEST(a_workflow_in_the_wrong_namespace_runs_nothing_by_hand)
{
    struct world w;

    world_init(&w, test_seed());
    w.settings[0].installation_ns = "kharon";
    world_start(&w, 0);
    world_deploy(&w, "job",
                 "{'componentId': 'money', 'schedule': 'yearly', 'template': {'image': 'b:1'}}");
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "ERROR"));
    CHECK_STR(world_line(&w, "job.2025"),
              "Halted: component money belongs to namespace kharon, not " WORLD_NS);
    CHECK_INT(w.n_started, 0);
    world_done(&w);
}

TEST(of_two_workflows_with_one_pair_the_older_one_runs)
{
    static const char pair[] = "{'componentId': 'c', 'workflowId': 'w', 'schedule': 'yearly',"
                               " 'template': {'image': 'busybox:1'}}";
    struct world w;

    begin(&w);
    world_deploy(&w, "first", pair);
    world_run(&w, 2 * SECOND_MS);
    world_deploy(&w, "second", pair);
    world_run_by_hand(&w, "second", "2025");
    world_run_by_hand(&w, "first", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "first.2025", "DONE"));
    CHECK(world_run_until(&w, MINUTE_MS, "second.2025", "ERROR"));
    CHECK_STR(world_line(&w, "second.2025"),
              "Halted: workflow " WORLD_NS "/first is older and has the same component and id");
    CHECK_INT(w.n_started, 1);
    world_done(&w);
}

/* ---- what kubectl wait looks at ---- */

/* kubectl wait believes a condition only if all that was wished was seen. */
TEST(a_finished_run_has_seen_every_generation)
{
    static const char *const changes[] = {
        "{'spec': {'retry': {'counter': 99}}}",
        "{'spec': {'retry': {'counter': 100}}}",
        "{'spec': {'haltThrough': 1}}",
    };
    struct world w;

    begin(&w);
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    world_run(&w, 5 * MINUTE_MS);
    uint64_t writes = fake_count_requests(w.fake, K8S_PATCH, "workflowinstances/status");
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        world_patch(&w, &instance_resource, "job.2025", changes[i]);
        world_run(&w, 5 * SECOND_MS);
        CLEANUP(free) char *generation =
            xstrdup(world_text(&w, &instance_resource, "job.2025", "metadata.generation"));
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.observedGeneration"),
                  generation);
    }
    CHECK_INT(fake_count_requests(w.fake, K8S_PATCH, "workflowinstances/status"), writes + 3);
    CHECK_STR(state_of(&w, "job.2025"), "DONE");
    CHECK_INT(w.n_started, 1);
    CHECK_INT(w.operators[0]->attempts.n, 0);
    world_done(&w);
}

/* ---- gates ---- */

static void gate(struct world *w, const char *pod, const char *reason)
{
    CLEANUP(free) char *status = xasprintf(
        "{\"status\": {\"conditions\": [{\"type\": \"PodScheduled\", \"status\": \"False\","
        " \"reason\": \"%s\", \"lastTransitionTime\": \"2026-01-01T00:01:00Z\"}]}}",
        reason);

    fake_patch_status(w->fake, &pod_resource, WORLD_NS, pod, status);
}

/* The condition tells only that it is not scheduled, not since when it may be: that is remembered,
 * by the next operator too. */
TEST(a_pod_that_was_gated_for_hours_is_not_late_when_its_gates_open)
{
    struct world w;

    begin(&w);
    w.plan.schedule_ms = FAKE_NEVER;
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "SUBMITTED"));
    CLEANUP(free) char *pod =
        xstrdup(world_text(&w, &instance_resource, "job.2025", "status.executionId"));
    gate(&w, pod, "SchedulingGated");
    world_run(&w, 5 * HOUR_MS);
    CHECK_HAS(world_line(&w, "job.2025"), "its scheduling gates are closed");
    world_kill(&w, 0);
    gate(&w, pod, "Unschedulable");
    world_start(&w, 0);
    world_run(&w, 50 * MINUTE_MS);
    CHECK_STR(state_of(&w, "job.2025"), "SUBMITTED");
    world_kill(&w, 0);
    world_start(&w, 0);
    world_run(&w, 9 * MINUTE_MS);
    CHECK_STR(state_of(&w, "job.2025"), "SUBMITTED");
    world_run(&w, 2 * MINUTE_MS);
    CHECK_STR(state_of(&w, "job.2025"), "QUEUED");
    CHECK_HAS(world_line(&w, "job.2025"), "Timed out in SUBMITTED: no node takes it");
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.ungatedAt"), "");
    world_done(&w);
}

/* ---- what it waits for, for programs ---- */

struct told {
    const char *reason;
    int n;
};

static void count_told(const json_t *object, void *arg)
{
    struct told *told = arg;
    const char *reason = json_text_at(object, "reason");

    told->n += reason && strcmp(reason, told->reason) == 0;
}

/* How many Kubernetes Events have that reason. */
static int n_told(struct world *w, const char *reason)
{
    static const struct k8s_resource events = {"events.k8s.io", "v1", "events", "Event"};
    struct told told = {reason, 0};

    fake_foreach(w->fake, &events, count_told, &told);
    return told.n;
}

TEST(that_an_old_pod_is_waited_for_is_told_once)
{
    struct world w;

    begin(&w);
    w.plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 30 * SECOND_MS};
    world_deploy(&w, "job", BY_HAND);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    world_delete(&w, &instance_resource, "job.2025");
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    CHECK_INT(n_told(&w, "WaitingForOldPod"), 1);
    world_done(&w);
}

/* Invariant 6: it is left alone, and the run says what it waits for and does not ask all the
 * time. */
TEST(a_pod_of_somebody_else_with_our_name_is_told)
{
    struct world w;
    char pod[EXECUTION_ID_MAX];

    begin(&w);
    world_deploy(&w, "job", BY_HAND);
    world_run(&w, SECOND_MS);
    world_stop(&w, 0);
    world_run_by_hand(&w, "job", "2025");
    attempt_execution_id(world_text(&w, &instance_resource, "job.2025", "metadata.uid"), 1, 1, pod);
    CLEANUP(free) char *text =
        xasprintf("{\"metadata\": {\"namespace\": \"" WORLD_NS "\", \"name\": \"%s\"},"
                  " \"spec\": {\"containers\": [{\"name\": \"a\", \"image\": \"b\"}]}}",
                  pod);
    fake_create(w.fake, &pod_resource, text);
    uint64_t before = fake_count_requests(w.fake, K8S_CREATE, "pods");
    world_start(&w, 0);
    world_run(&w, MINUTE_MS);
    CHECK_STR(state_of(&w, "job.2025"), "SUBMITTING");
    CHECK_HAS(world_line(&w, "job.2025"), "Waiting: a pod that is not ours has its name: ");
    CHECK_HAS(world_line(&w, "job.2025"), pod);
    CHECK_INT(n_told(&w, "PodNotCreated"), 1);
    CHECK(fake_count_requests(w.fake, K8S_CREATE, "pods") - before < 20);
    CHECK(fake_delete_now(w.fake, &pod_resource, WORLD_NS, pod));
    CHECK(world_run_until(&w, 3 * MINUTE_MS, "job.2025", "DONE"));
    world_done(&w);
}
