/* SPDX-License-Identifier: Apache-2.0 */
/* Design, section 3: what comes back from a backup without its status is not run again unasked; and
 * what a copy of the workflow that lags does not decide. */
#include "sim/world.h"

#include "test.h"

#define BY_HAND "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}"
#define ANOTHER "{'schedule': 'yearly', 'template': {'image': 'busybox:2'}}"

/* As a restore leaves it: triggered by a workflow that had another UID, and no status. */
static void begin(struct world *w)
{
    world_init(w, test_seed());
    world_start(w, 0);
    world_deploy(w, "job", BY_HAND);
    world_run(w, SECOND_MS);
    fake_create(w->fake, &instance_resource,
                "{\"metadata\":{\"name\":\"job.2025\",\"namespace\":\"" WORLD_NS "\"},"
                "\"spec\":{\"workflow\":\"job\",\"parameter\":\"2025\",\"trigger\":{\"seq\":1,"
                "\"type\":\"natural\",\"id\":\"x\",\"key\":\"old/1\",\"workflowUID\":\"old\"}}}");
    world_run(w, 10 * MINUTE_MS);
}

static const char *condition(struct world *w, const char *type)
{
    size_t i;
    json_t *c;

    json_array_foreach (json_at(world_get(w, &instance_resource, "job.2025"), "status.conditions"),
                        i, c)
        if (strcmp(json_text_at(c, "type"), type) == 0)
            return json_text_at(c, "status");
    return "";
}

/* A workflow is made anew, and its watch lags.  Who triggers knows more than our copy. */
static const char *remake_unseen(struct world *w)
{
    world_init(w, test_seed());
    world_start(w, 0);
    world_deploy(w, "job", BY_HAND);
    world_run_by_hand(w, "job", "2024");
    CHECK(world_run_until(w, MINUTE_MS, "job.2024", "DONE"));
    fake_set_lag(w->fake, &workflow_resource, 10 * MINUTE_MS, 10 * MINUTE_MS);
    world_delete(w, &workflow_resource, "job");
    world_deploy(w, "job", ANOTHER);
    return world_text(w, &workflow_resource, "job", "metadata.uid");
}

/* By who has read the workflow; `more` of the spec goes before, with a comma. */
static void trigger_again(struct world *w, const char *instance, const char *more)
{
    CLEANUP(free) char *patch = xasprintf(
        "{'spec': {%s 'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'z', 'key': 'z', 'workflowUID':"
        " '%s'}}}",
        more, world_text(w, &workflow_resource, "job", "metadata.uid"));

    world_patch(w, &instance_resource, instance, patch);
}

/* By who has read the workflow. */
static void create_named(struct world *w, const char *uid)
{
    CLEANUP(free) char *text = xasprintf(
        "{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance',"
        " 'metadata': {'name': 'job.2025', 'namespace': '" WORLD_NS "'},"
        " 'spec': {'workflow': 'job', 'parameter': '2025', 'trigger': {'seq': 1, 'type': 'adhoc',"
        " 'id': 'y', 'key': 'y', 'workflowUID': '%s'}}}",
        uid);

    world_create(w, &instance_resource, text);
}

static void check_image(struct world *w, const char *want)
{
    const char *pod = world_text(w, &instance_resource, "job.2025", "status.executionId");
    const json_t *container =
        json_array_get(json_at(world_get(w, &pod_resource, pod), "spec.containers"), 0);

    CHECK_STR(json_text_at(container, "image"), want);
}

TEST(a_copy_of_the_workflow_that_lags_holds_nothing)
{
    struct world w;

    create_named(&w, remake_unseen(&w));
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    world_done(&w);
}

TEST(a_copy_of_the_workflow_that_lags_halts_nothing)
{
    struct world w;

    remake_unseen(&w);
    trigger_again(&w, "job.2024", "");
    world_run(&w, MINUTE_MS);
    CHECK_STR(world_text(&w, &instance_resource, "job.2024", "status.state"), "DONE");
    CHECK_INT(w.n_started, 2);
    world_done(&w);
}

/* Nor is it run: who names no workflow means the one that is there. */
TEST(a_copy_of_the_workflow_that_lags_is_not_what_is_run)
{
    struct world w;

    remake_unseen(&w);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    check_image(&w, "busybox:2");
    world_done(&w);
}

/* What was read for one trigger tells nothing about the next, even if that cannot be read. */
TEST(a_workflow_that_was_read_for_another_trigger_halts_nothing)
{
    for (int refused = 0; refused < 2; refused++) {
        struct world w;

        remake_unseen(&w);
        w.plan.run_ms = FAKE_NEVER;
        world_run_by_hand(&w, "job", "2025");
        CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
        world_delete(&w, &workflow_resource, "job");
        world_deploy(&w, "job", BY_HAND);
        w.plan.run_ms = 0;
        if (refused)
            fake_fail_next(w.fake, FAKE_REFUSE, 1, K8S_GET, "workflows");
        trigger_again(&w, "job.2025", "'haltThrough': 1,");
        CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.seq"), "2");
        world_done(&w);
    }
}

/* The workflow, after a run that named it; and perhaps its watch lags. */
static void run_and_remake(struct world *w, bool unseen)
{
    world_init(w, test_seed());
    world_start(w, 0);
    world_deploy(w, "job", BY_HAND);
    create_named(w, world_text(w, &workflow_resource, "job", "metadata.uid"));
    CHECK(world_run_until(w, MINUTE_MS, "job.2025", "DONE"));
    if (unseen)
        fake_set_lag(w->fake, &workflow_resource, 10 * MINUTE_MS, 10 * MINUTE_MS);
    world_delete(w, &workflow_resource, "job");
    world_deploy(w, "job", ANOTHER);
}

/* A patch that does not name the workflow leaves the one of the last trigger. */
TEST(a_trigger_after_its_workflow_was_made_anew)
{
    static const char *const patches[] = {
        "{'spec': {'trigger': {'seq': 2}}}",
        "{'spec': {'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'x', 'key': 'x'}}}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(patches) * 2; i++) {
        struct world w;

        run_and_remake(&w, i % 2);
        world_patch(&w, &instance_resource, "job.2025", patches[i / 2]);
        world_run(&w, MINUTE_MS);
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.seq"), "2");
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.state"), "DONE");
        check_image(&w, "busybox:2");
        world_done(&w);
    }
}

/* Nor do the ones after it: what was left stays left, however often it is raised. */
TEST(triggers_by_patch_after_a_workflow_was_made_anew)
{
    struct world w;

    run_and_remake(&w, false);
    for (int seq = 2; seq < 6; seq++) {
        CLEANUP(free) char *patch = xasprintf("{'spec': {'trigger': {'seq': %d}}}", seq);
        CLEANUP(free) char *want = xasprintf("%d", seq);

        world_patch(&w, &instance_resource, "job.2025", patch);
        world_run(&w, MINUTE_MS);
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.seq"), want);
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.state"), "DONE");
        CHECK_HAS(world_text(&w, &instance_resource, "job.2025", "status.trigger.id"),
                  "ad-hoc-cli-");
    }
    check_image(&w, "busybox:2");
    world_done(&w);
}

/* That a workflow is not there says nothing about one that was made since. */
TEST(a_late_answer_buries_no_workflow)
{
    struct world w;

    world_init(&w, test_seed());
    world_start(&w, 0);
    world_deploy(&w, "job", BY_HAND);
    w.plan.run_ms = FAKE_NEVER;
    world_run_by_hand(&w, "job", "2024");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2024", "RUNNING"));
    w.plan.run_ms = 0;
    uint64_t asked = fake_count_requests(w.fake, K8S_GET, "workflows");
    fake_set_latency(w.fake, 500, 500);
    world_delete(&w, &workflow_resource, "job");
    for (int i = 0; i < 1000 && fake_count_requests(w.fake, K8S_GET, "workflows") == asked; i++)
        world_run(&w, 10);
    fake_set_latency(w.fake, 0, 0); /* what is told now is faster than that answer */
    world_deploy(&w, "job", ANOTHER);
    world_run(&w, 10 * SECOND_MS);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    world_done(&w);
}

TEST(a_restored_trigger_is_held)
{
    struct world w;

    begin(&w);
    CHECK_INT(w.n_started, 0);
    CHECK_STR(condition(&w, "Held"), "True");
    CHECK_INT(fake_count_requests(w.fake, K8S_CREATE, "events"), 1);
    world_kill(&w, 0); /* and no other leader is of another opinion, or says it again */
    world_start(&w, 0);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_INT(w.n_started, 0);
    CHECK_INT(fake_count_requests(w.fake, K8S_CREATE, "events"), 1);
    world_done(&w);
}

TEST(whoever_triggers_it_anew_gets_it)
{
    struct world w;

    begin(&w);
    trigger_again(&w, "job.2025", "");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.seq"), "2");
    CHECK_INT(w.n_started, 1);
    world_done(&w);
}

/* A halt is answered, so that nobody waits for it. */
TEST(whoever_halts_it_gets_that)
{
    struct world w;

    begin(&w);
    world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "ERROR"));
    world_run(&w, SECOND_MS);
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.haltedThrough"), "1");
    CHECK_INT(w.n_started, 0);
    world_done(&w);
}

/* Its workflow is not there at all: that is for everybody to see, too. */
TEST(a_restored_trigger_without_a_workflow)
{
    struct world w;

    begin(&w);
    world_delete(&w, &workflow_resource, "job");
    world_run(&w, MINUTE_MS);
    CHECK_STR(world_line(&w, "job.2025"), "Halted: the workflow was deleted");
    CHECK_INT(w.n_started, 0);
    world_done(&w);
}
