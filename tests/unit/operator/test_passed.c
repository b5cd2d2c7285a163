/* SPDX-License-Identifier: Apache-2.0 */
/* What is passed by was not triggered, whoever triggered it (design, section 2). */
#include "sim/world.h"

#include "test.h"

#define HOURLY "{'schedule': 'hourly', 'template': {'image': 'busybox:1'}}"

/* Each lets what is due, or was, be passed by. */
static const char *const patches[] = {
    "{'spec': {'schedule': 'daily'}}", "{'spec': {'offset': 'PT10M'}}",
    "{'spec': {'suspend': true}}",     "{'spec': {'catchUp': 'Latest'}}",
    "{'spec': {'catchUp': 'None'}}",   "{'spec': {'template': null}}",
};

static bool one_is_there(void *arg)
{
    return world_count(arg, NULL) == 1;
}

static void begin_in(struct world *w, void (*init)(struct world *, uint64_t seed))
{
    init(w, test_seed());
    w->plan.run_ms = FAKE_NEVER;
    world_start(w, 0);
    world_deploy(w, "job", HOURLY);
    world_run(w, SECOND_MS);
}

static void begin(struct world *w)
{
    begin_in(w, world_init);
}

static void check_not_passed(struct world *w, const char *what)
{
    const json_t *skipped = json_at(world_get(w, &workflow_resource, "job"), "status.skipped");
    const char *from = json_text_at(json_array_get(skipped, json_array_size(skipped) - 1), "from");

    if (from && strcmp(from, "2026-01-01T00:00:00Z") == 0)
        TEST_FAIL("passed by, by %s", what);
    CHECK(world_get(w, &instance_resource, "job.2026-01-01t00"));
}

/* A leader that triggered dies before it could say so, and nobody follows for hours. */
TEST(what_an_earlier_leader_triggered_is_not_passed_by)
{
    for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
        struct world w;

        begin(&w);
        fake_fail_next(w.fake, FAKE_REFUSE, 1000, K8S_PATCH, "workflows");
        CHECK(world_run_till(&w, 2 * HOUR_MS, one_is_there, &w));
        world_kill(&w, 0);
        world_patch(&w, &workflow_resource, "job", patches[i]);
        fake_fail_no_more(w.fake);
        world_run(&w, 3 * HOUR_MS);
        world_start(&w, 1);
        world_run(&w, MINUTE_MS);
        world_patch(&w, &workflow_resource, "job", "{'spec': {'suspend': false}}");
        world_run(&w, 10 * MINUTE_MS);
        check_not_passed(&w, patches[i]);
        world_done(&w);
    }
}

/* Nor what may be made yet. */
TEST(a_create_in_doubt_is_not_passed_by)
{
    static const enum fake_fault faults[] = {FAKE_LOSE_REPLY, FAKE_LATE};

    for (size_t i = 0; i < ARRAY_SIZE(patches) * ARRAY_SIZE(faults); i++) {
        const char *patch = patches[i / ARRAY_SIZE(faults)];
        struct world w;

        begin(&w);
        fake_set_lag(w.fake, &instance_resource, MINUTE_MS, MINUTE_MS);
        fake_fail_next(w.fake, faults[i % ARRAY_SIZE(faults)], 1, K8S_CREATE, "workflowinstances");
        world_run(&w, HOUR_MS - loop_now(w.loop, LOOP_OF_DAY) % HOUR_MS + 30);
        world_patch(&w, &workflow_resource, "job", patch);
        world_run(&w, 5 * MINUTE_MS);
        check_not_passed(&w, patch);
        world_done(&w);
    }
}

/* As an earlier leader's create that takes effect late. */
static void trigger_late(struct world *w)
{
    CLEANUP(free) char *text =
        xasprintf("{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance',"
                  " 'metadata': {'name': 'job.2026-01-01t00', 'namespace': '" WORLD_NS "'},"
                  " 'spec': {'workflow': 'job', 'parameter': '2026-01-01T00', 'trigger': {'seq': 1,"
                  " 'type': 'natural', 'id': 'natural-trigger', 'key': '%s/1'}}}",
                  world_text(w, &workflow_resource, "job", "metadata.uid"));

    world_create(w, &instance_resource, text);
}

/* Nor what our copy does not show for a long time. */
TEST(a_copy_that_lags_lets_nothing_be_passed_by)
{
    for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
        struct world w;

        begin(&w);
        fake_set_lag(w.fake, &instance_resource, 5 * HOUR_MS, 5 * HOUR_MS);
        fake_fail_next(w.fake, FAKE_REFUSE, 1000000, K8S_CREATE, "workflowinstances");
        world_run(&w, HOUR_MS);
        trigger_late(&w);
        world_patch(&w, &workflow_resource, "job", patches[i]);
        world_run(&w, 2 * HOUR_MS);
        world_patch(&w, &workflow_resource, "job", "{'spec': {'suspend': false}}");
        world_run(&w, 10 * MINUTE_MS);
        check_not_passed(&w, patches[i]);
        world_done(&w);
    }
}

/* Nor what a leader of before asked for, and has not been made yet. */
TEST(what_an_earlier_leader_asked_for_is_not_passed_by_before_it_is_settled)
{
    for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
        struct world w;

        begin(&w);
        fake_fail_next(w.fake, FAKE_REFUSE, 1000000, K8S_CREATE, "workflowinstances");
        world_run(&w, HOUR_MS);
        world_kill(&w, 0);
        world_patch(&w, &workflow_resource, "job", patches[i]);
        world_run(&w, 3 * HOUR_MS);
        world_start(&w, 1);
        world_run(&w, 30 * SECOND_MS);
        trigger_late(&w);
        fake_fail_no_more(w.fake);
        world_run(&w, 5 * MINUTE_MS);
        world_patch(&w, &workflow_resource, "job", "{'spec': {'suspend': false}}");
        world_run(&w, 10 * MINUTE_MS);
        check_not_passed(&w, patches[i]);
        world_done(&w);
    }
}

/* What was triggered is not triggered again by who moves the instant of what comes next. */
TEST(a_wish_for_an_instant_is_for_what_was_not_triggered)
{
    struct world w;

    begin(&w);
    fake_fail_next(w.fake, FAKE_REFUSE, 1000, K8S_PATCH, "workflows");
    CHECK(world_run_till(&w, 2 * HOUR_MS, one_is_there, &w));
    world_run(&w, 10 * SECOND_MS);
    world_kill(&w, 0);
    world_patch(&w, &workflow_resource, "job",
                "{'spec': {'setNext': {'id': 'a', 'nextOffset': '2026-01-01T01:10:00Z'}}}");
    fake_fail_no_more(w.fake);
    world_run(&w, MINUTE_MS);
    world_start(&w, 1);
    world_run(&w, 20 * MINUTE_MS);
    CHECK(world_get(&w, &instance_resource, "job.2026-01-01t01"));
    CHECK_INT(
        json_int_at(world_get(&w, &instance_resource, "job.2026-01-01t00"), "spec.trigger.seq", 0),
        1);
    world_done(&w);
}

/* Two leaders, one whose clock is fast and one whose clock is slow, follow each other at once. */
TEST(what_is_not_due_by_a_slow_clock_was_due_by_a_fast_one)
{
    struct world w;

    begin_in(&w, world_init_apart);
    w.plan.run_ms = SECOND_MS;
    world_start(&w, 1);
    world_step_clock(&w, 0, 4500);
    world_step_clock(&w, 1, -4500);
    world_run(&w, 59 * MINUTE_MS);
    fake_fail_next(w.fake, FAKE_REFUSE, 1000, K8S_PATCH, "workflows");
    CHECK(world_run_till(&w, 2 * MINUTE_MS, one_is_there, &w));
    world_patch(&w, &workflow_resource, "job",
                "{'spec': {'setNext': {'id': 'a', 'nextOffset': '2026-01-01T01:10:00Z'}}}");
    world_stop(&w, 0);
    fake_fail_no_more(w.fake);
    world_run(&w, 20 * MINUTE_MS);
    CHECK_INT(
        json_int_at(world_get(&w, &instance_resource, "job.2026-01-01t00"), "spec.trigger.seq", 0),
        1);
    world_done(&w);
}

/* What a new workflow missed before anybody looked at it needs no proof. */
TEST(a_new_workflow_that_was_missed_begins)
{
    static const char *const catch_up[] = {"Latest", "None"};

    for (size_t i = 0; i < ARRAY_SIZE(catch_up); i++) {
        CLEANUP(free) char *spec = xasprintf("{'schedule': '*/10 * * * *', 'catchUp': '%s',"
                                             " 'template': {'image': 'busybox:1'}}",
                                             catch_up[i]);
        struct world w;

        world_init(&w, test_seed());
        world_deploy(&w, "job", spec);
        world_run(&w, 25 * MINUTE_MS);
        world_start(&w, 0);
        world_run(&w, MINUTE_MS);
        CHECK_STR(world_text(&w, &workflow_resource, "job", "status.epoch"), "1");
        const json_t *skipped = json_at(world_get(&w, &workflow_resource, "job"), "status.skipped");
        CHECK_STR(json_text_at(json_array_get(skipped, 0), "reason"), "CatchUp");
        world_run(&w, 15 * MINUTE_MS);
        CHECK(world_count(&w, "DONE") >= 1);
        world_done(&w);
    }
}

static int refuse_stores(const char *user, const struct k8s_request *r, void *arg)
{
    int *n = arg;

    (void) user;
    if (r->verb != K8S_PATCH || strcmp(r->resource->plural, "workflows") != 0)
        return -1;
    ++*n;
    return FAKE_REFUSE;
}

/* Nor is it asked all the time while that cannot be stored. */
TEST(what_cannot_be_stored_is_no_storm)
{
    struct world w;
    int n_stores = 0;

    begin(&w);
    world_kill(&w, 0);
    world_patch(&w, &workflow_resource, "job", "{'spec': {'catchUp': 'None'}}");
    world_run(&w, 3 * HOUR_MS);
    fake_set_judge(w.fake, refuse_stores, &n_stores);
    world_start(&w, 1);
    world_run(&w, 20 * MINUTE_MS);
    CHECK(fake_count_requests(w.fake, K8S_GET, "workflowinstances") <= 1);
    CHECK(n_stores > 10 && n_stores < 60);
    fake_set_judge(w.fake, NULL, NULL);
    world_run(&w, 2 * MINUTE_MS);
    CHECK_STR(world_text(&w, &workflow_resource, "job", "status.lastDecision.reason"), "CatchUp");
    world_done(&w);
}

/* What never took effect is. */
TEST(a_create_that_was_lost_is_passed_by)
{
    struct world w;

    begin(&w);
    fake_fail_next(w.fake, FAKE_LOSE_REQUEST, 1, K8S_CREATE, "workflowinstances");
    world_run(&w, HOUR_MS - loop_now(w.loop, LOOP_OF_DAY) % HOUR_MS + 30);
    world_patch(&w, &workflow_resource, "job", "{'spec': {'schedule': 'daily'}}");
    world_run(&w, 5 * MINUTE_MS);
    CHECK_STR(world_text(&w, &workflow_resource, "job", "status.lastDecision.reason"),
              "Rescheduled");
    CHECK_INT(world_count(&w, NULL), 0);
    world_done(&w);
}
