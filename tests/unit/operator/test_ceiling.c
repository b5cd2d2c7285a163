/* SPDX-License-Identifier: Apache-2.0 */
/* Design, section 8: so many unfinished runs in all, and cursors that wait for fewer. */
#include "sim/world.h"

#include "test.h"

#define HOURLY  "{'schedule': 'hourly', 'template': {'image': 'busybox:1'}}"
#define CEILING 10

static void begin(struct world *w, int n_workflows, int64_t run_ms)
{
    world_init(w, test_seed());
    w->settings[0].max_unfinished = CEILING;
    w->plan.run_ms = run_ms;
    world_start(w, 0);
    for (int i = 0; i < n_workflows; i++) {
        CLEANUP(free) char *name = xasprintf("w%d", i);

        world_deploy(w, name, HOURLY);
    }
    world_run(w, SECOND_MS);
}

static int unfinished(struct world *w)
{
    return world_count(w, NULL) - world_count(w, "DONE");
}

struct waiting {
    const char *reason;
    int n;
};

static void count_waiting(const json_t *workflow, void *arg)
{
    struct waiting *c = arg;
    const char *result = json_text_at(workflow, "status.lastDecision.result");
    const char *reason = json_text_at(workflow, "status.lastDecision.reason");

    c->n += result && strcmp(result, "Waiting") == 0 && strcmp(reason, "TooManyRuns") == 0;
}

static int waiting(struct world *w)
{
    struct waiting c = {.n = 0};

    fake_foreach(w->fake, &workflow_resource, count_waiting, &c);
    return c.n;
}

static bool one_runs(void *arg)
{
    return world_count(arg, "RUNNING") == 1;
}

/* They say why, and each goes on when there is room: none is forgotten. */
TEST(cursors_wait_for_room_and_say_so)
{
    struct world w;

    begin(&w, 25, 10 * MINUTE_MS);
    world_run(&w, 65 * MINUTE_MS);
    CHECK_INT(unfinished(&w), CEILING);
    CHECK_INT(waiting(&w), 25 - CEILING);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_INT(unfinished(&w), CEILING);
    world_run(&w, 20 * MINUTE_MS);
    CHECK_INT(world_count(&w, "DONE"), 25);
    CHECK_INT(waiting(&w), 0);
    world_done(&w);
}

/* A leader that triggered dies before it could say so.  What it made takes a place, but the cursor
 * does not wait for it: a program that triggers it again meanwhile would hide that it was made.
 * Nor is it asked for: leaders that live for moments have other things to do. */
static void trigger_and_die(int max_active)
{
    CLEANUP(free) char *spec = xasprintf(
        "{'schedule': 'hourly', 'maxActive': %d, 'template': {'image': 'busybox:1'}}", max_active);
    struct world w;

    world_init(&w, test_seed());
    w.plan.run_ms = FAKE_NEVER;
    world_start(&w, 0);
    world_deploy(&w, "job", spec);
    world_run(&w, SECOND_MS);
    fake_fail_next(w.fake, FAKE_REFUSE, 1000, K8S_PATCH, "workflows");
    CHECK(world_run_till(&w, 2 * HOUR_MS, one_runs, &w));
    world_kill(&w, 0);
    fake_fail_no_more(w.fake);
    world_start(&w, 1);
    world_run(&w, MINUTE_MS);
    CHECK_STR(world_text(&w, &workflow_resource, "job", "status.lastDecision.result"), "Triggered");
    CHECK_INT(world_count(&w, NULL), 1);
    CHECK_INT(fake_count_requests(w.fake, K8S_CREATE, "workflowinstances"), 1);
    world_done(&w);
}

TEST(what_an_earlier_leader_triggered_needs_no_room)
{
    trigger_and_die(1);
}

TEST(what_an_earlier_leader_triggered_is_not_asked_for)
{
    trigger_and_die(5);
}

/* Creates whose answers are lost may have taken effect, or do so later: each keeps its place. */
TEST(a_create_in_doubt_keeps_its_place)
{
    static const enum fake_fault faults[] = {FAKE_LOSE_REPLY, FAKE_LATE};

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct world w;

        begin(&w, 25, FAKE_NEVER);
        fake_set_lag(w.fake, &instance_resource, MINUTE_MS, MINUTE_MS);
        fake_fail_next(w.fake, faults[i], 25, K8S_CREATE, "workflowinstances");
        world_run(&w, HOUR_MS + 5 * MINUTE_MS);
        CHECK_INT(world_count(&w, NULL), CEILING);
        world_done(&w);
    }
}

/* Nor does it lose its place if the cursor is set elsewhere meanwhile, however late our copy is. */
TEST(a_create_in_doubt_keeps_its_place_when_the_cursor_moves)
{
    static const int64_t lags[] = {20 * SECOND_MS, 5 * MINUTE_MS};

    for (size_t i = 0; i < ARRAY_SIZE(lags); i++) {
        struct world w;

        world_init(&w, test_seed());
        w.plan.run_ms = FAKE_NEVER;
        world_start(&w, 0);
        world_deploy(&w, "job",
                     "{'schedule': 'hourly', 'maxActive': 2, 'template': {'image': 'busybox:1'}}");
        fake_set_lag(w.fake, &instance_resource, lags[i], lags[i]);
        fake_fail_next(w.fake, FAKE_LATE, 1, K8S_CREATE, "workflowinstances");
        world_run(&w, HOUR_MS - loop_now(w.loop, LOOP_OF_DAY) % HOUR_MS + SECOND_MS);
        world_patch(&w, &workflow_resource, "job",
                    "{'spec': {'setNext': {'next': '2025-12-31T12:00:00Z',"
                    " 'nextOffset': '2025-12-31T13:00:00Z', 'id': 'again'}}}");
        world_run(&w, 10 * MINUTE_MS);
        CHECK_INT(world_count(&w, NULL), 2);
        world_done(&w);
    }
}

/* Nor if its leader dies, too, and the next one knows nothing of it. */
TEST(a_create_in_doubt_keeps_its_place_when_its_leader_dies)
{
    for (uint64_t i = 0; i < 10; i++) {
        struct world w;

        world_init(&w, test_seed() + i);
        w.plan.run_ms = FAKE_NEVER;
        world_start(&w, 0);
        world_deploy(&w, "job",
                     "{'schedule': 'hourly', 'maxActive': 1, 'template': {'image': 'busybox:1'}}");
        fake_fail_next(w.fake, FAKE_LATE, 1, K8S_CREATE, "workflowinstances");
        world_run(&w, HOUR_MS - loop_now(w.loop, LOOP_OF_DAY) % HOUR_MS + SECOND_MS);
        fake_set_lag(w.fake, &instance_resource, 5 * MINUTE_MS, 5 * MINUTE_MS);
        world_kill(&w, 0);
        world_start(&w, 1);
        world_patch(&w, &workflow_resource, "job",
                    "{'spec': {'setNext': {'next': '2025-12-31T12:00:00Z',"
                    " 'nextOffset': '2025-12-31T13:00:00Z', 'id': 'again'}}}");
        world_run(&w, 10 * MINUTE_MS);
        CHECK_INT(world_count(&w, NULL), 1);
        CHECK_STR(world_text(&w, &workflow_resource, "job", "status.setNextId"), "again");
        world_done(&w);
    }
}

static int refuse_reads(const char *user, const struct k8s_request *request, void *arg)
{
    bool hit =
        request->verb == K8S_GET && strcmp(request->resource->plural, "workflowinstances") == 0;

    (void) user;
    *(int *) arg += hit;
    return hit ? (int) FAKE_REFUSE : -1;
}

/* What cannot be settled is asked for again, but not all the time. */
TEST(a_create_in_doubt_that_cannot_be_read_is_no_storm)
{
    struct world w;
    int n_reads = 0;

    world_init(&w, test_seed());
    world_start(&w, 0);
    world_deploy(&w, "job", HOURLY);
    fake_fail_next(w.fake, FAKE_LOSE_REQUEST, 1, K8S_CREATE, "workflowinstances");
    fake_set_judge(w.fake, refuse_reads, &n_reads);
    world_run(&w, HOUR_MS - loop_now(w.loop, LOOP_OF_DAY) % HOUR_MS + SECOND_MS);
    world_patch(&w, &workflow_resource, "job",
                "{'spec': {'setNext': {'next': '2025-12-31T12:00:00Z',"
                " 'nextOffset': '2025-12-31T13:00:00Z', 'id': 'again'}}}");
    world_run(&w, 10 * MINUTE_MS);
    CHECK(n_reads > 1 && n_reads < 50);
    fake_set_judge(w.fake, NULL, NULL);
    world_run(&w, 5 * MINUTE_MS);
    CHECK(world_count(&w, "DONE") >= 2);
    world_done(&w);
}

/* A create that never took effect gives its place back, even if it is not wanted any more. */
TEST(a_place_that_was_not_taken_is_given_back)
{
    struct world w;

    begin(&w, 15, FAKE_NEVER);
    fake_fail_next(w.fake, FAKE_LOSE_REQUEST, 15, K8S_CREATE, "workflowinstances");
    world_run(&w, HOUR_MS - 29 * SECOND_MS);
    for (int i = 0; i < 5; i++) {
        CLEANUP(free) char *name = xasprintf("w%d", i);

        world_patch(&w, &workflow_resource, name, "{'spec': {'suspend': true}}");
    }
    world_run(&w, 5 * MINUTE_MS);
    CHECK_INT(world_count(&w, NULL), CEILING);
    world_done(&w);
}

/* What was missed leaves a tenth of the room to what falls due. */
TEST(what_is_due_now_goes_before_what_was_missed)
{
    struct world w;

    begin(&w, 1, FAKE_NEVER);
    world_kill(&w, 0);
    world_run(&w, 30 * HOUR_MS);
    world_start(&w, 0);
    world_deploy(&w, "live", HOURLY);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_INT(unfinished(&w), CEILING - 1);
    world_run(&w, HOUR_MS);
    CHECK_INT(unfinished(&w), CEILING);
    CHECK_STR(world_text(&w, &workflow_resource, "live", "status.lastDecision.result"),
              "Triggered");
    world_done(&w);
}

/* A workflow that goes away while it waits is waited for by nobody. */
TEST(one_that_waits_may_be_deleted)
{
    struct world w;

    begin(&w, 20, 10 * MINUTE_MS);
    world_run(&w, 65 * MINUTE_MS);
    CHECK_INT(waiting(&w), 10);
    for (int i = 0; i < 20; i++) {
        CLEANUP(free) char *name = xasprintf("w%d", i);

        if (strcmp(world_text(&w, &workflow_resource, name, "status.lastDecision.result"),
                   "Waiting") == 0 &&
            i % 2)
            world_delete(&w, &workflow_resource, name);
    }
    int left = waiting(&w);
    CHECK(left < 10);
    world_run(&w, 20 * MINUTE_MS);
    CHECK_INT(world_count(&w, "DONE"), CEILING + left);
    world_done(&w);
}
