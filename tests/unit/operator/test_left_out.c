/* SPDX-License-Identifier: Apache-2.0 */
/* A namespace that may not be listed, or not all of it, when a leader begins: its role was deleted,
 * and comes back, one kind after the other. */
#include "operator/operator.h"
#include "sim/world.h"

#include "test.h"

#define HOURLY "{'schedule': 'hourly', 'template': {'image': 'busybox:1'}}"

static int n_forbidden;

static int forbid(const char *user, const struct k8s_request *request, void *arg)
{
    const char *plural = arg;
    bool reads = request->verb == K8S_LIST || request->verb == K8S_WATCH;
    bool here = request->ns && strcmp(request->ns, WORLD_NS) == 0;
    bool hit = reads && here && (!plural || strcmp(request->resource->plural, plural) == 0);

    (void) user;
    n_forbidden += hit;
    return hit ? (int) FAKE_FORBID : -1;
}

static int forbid_all(const char *user, const struct k8s_request *request, void *arg)
{
    return strcmp(user, arg) == 0 ? forbid(user, request, NULL) : -1;
}

static void forbid_to_read(struct world *w, const char *plural)
{
    fake_set_judge(w->fake, forbid, (void *) (uintptr_t) plural);
}

static bool one_is_there(void *arg)
{
    return world_count(arg, NULL) == 1;
}

static void set_up(struct world *w)
{
    world_init(w, test_seed());
    texts_add(&w->settings[0].namespaces, "other");
    texts_add(&w->settings[1].namespaces, "other");
}

static void begin(struct world *w, bool has_pod)
{
    set_up(w);
    w->plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 15 * MINUTE_MS};
    if (!has_pod)
        fake_fail_next(w->fake, FAKE_FORBID, 1000000, K8S_CREATE, "pods");
    world_start(w, 0);
    world_deploy(w, "job", HOURLY);
    CHECK(world_run_till(w, 2 * HOUR_MS, one_is_there, w));
    world_run(w, SECOND_MS);
    world_kill(w, 0);
}

/* The second leader begins without this kind. */
static void follow(struct world *w, const char *plural)
{
    forbid_to_read(w, plural);
    world_start(w, 1);
    world_run(w, 3 * MINUTE_MS);
    CHECK(operator_leading(w->operators[1]));
}

static void join(struct world *w)
{
    fake_set_judge(w->fake, NULL, NULL);
    world_run(w, MINUTE_MS);
}

/* Another instance of that name has to wait for the pod of the first. */
TEST(nothing_is_run_beside_pods_that_may_not_be_listed)
{
    struct world w;

    begin(&w, true);
    world_delete(&w, &instance_resource, "job.2026-01-01t00");
    world_run_by_hand(&w, "job", "2026-01-01T00");
    follow(&w, "pods");
    world_run(&w, 5 * MINUTE_MS);
    CHECK_INT(w.n_started, 1);
    join(&w);
    CHECK_INT(w.n_most_at_once, 1);
    world_run(&w, 20 * MINUTE_MS);
    CHECK_INT(w.n_started, 2);
    CHECK_INT(w.n_most_at_once, 1);
    world_done(&w);
}

/* Nor more than maxActive beside runs that may not be. */
TEST(nothing_is_triggered_beside_instances_that_may_not_be_listed)
{
    struct world w;

    begin(&w, false);
    follow(&w, "workflowinstances");
    world_patch(&w, &workflow_resource, "job", "{'spec': {'maxActive': 1}}");
    world_run(&w, 2 * HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 1);
    join(&w);
    CHECK_INT(world_count(&w, NULL), 1);
    fake_fail_no_more(w.fake);
    world_patch(&w, &workflow_resource, "job", "{'spec': {'maxActive': 3}}");
    world_run(&w, 15 * MINUTE_MS);
    CHECK_INT(world_count(&w, "RUNNING"), 3);
    world_done(&w);
}

/* A warm standby knows the namespace as it was before: that is no reason to act. */
static void stand_by(struct world *w, const char *spec)
{
    set_up(w);
    world_start(w, 0);
    world_start(w, 1);
    world_deploy(w, "job", spec);
    world_run(w, MINUTE_MS);
}

TEST(no_try_is_begun_from_what_was_known_before)
{
    struct world w;

    stand_by(&w, HOURLY);
    w.plan.exit_code = 20;
    world_run_by_hand(&w, "job", "2025-01-01T00");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025-01-01t00", "QUEUED"));
    w.plan.exit_code = 0;
    int leads = operator_leading(w.operators[0]) ? 0 : 1;
    fake_set_judge(w.fake, forbid_all, w.identities[1 - leads]);
    CHECK(world_run_until(&w, 15 * MINUTE_MS, "job.2025-01-01t00", "DONE"));
    CHECK_INT(w.n_started, 2);
    world_run(&w, 3 * MINUTE_MS);
    world_kill(&w, leads);
    world_run(&w, 5 * MINUTE_MS);
    CHECK(operator_leading(w.operators[1 - leads]));
    CHECK_INT(w.n_started, 2);
    world_done(&w);
}

TEST(nothing_is_triggered_by_a_workflow_as_it_was_before)
{
    struct world w;

    stand_by(&w, HOURLY);
    forbid_to_read(&w, NULL);
    world_run(&w, 10 * MINUTE_MS); /* by then the watches have ended */
    world_kill(&w, operator_leading(w.operators[0]) ? 0 : 1);
    world_run(&w, MINUTE_MS);
    world_patch(&w, &workflow_resource, "job", "{'spec': {'suspend': true}}");
    world_run(&w, 2 * HOUR_MS);
    forbid_to_read(&w, "workflows");
    world_run(&w, MINUTE_MS);
    join(&w);
    CHECK_INT(world_count(&w, NULL), 0);
    world_patch(&w, &workflow_resource, "job", "{'spec': {'suspend': false}}");
    CHECK(world_run_till(&w, 65 * MINUTE_MS, one_is_there, &w));
    world_done(&w);
}

TEST(nothing_is_triggered_where_no_pod_can_be_seen)
{
    struct world w;

    begin(&w, true);
    follow(&w, "pods");
    world_run(&w, 2 * HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 1);
    world_done(&w);
}

/* New runs that have to wait are no burst: nobody else waits for them. */
TEST(what_is_left_out_delays_nobody)
{
    struct world w;

    stand_by(&w, HOURLY);
    forbid_to_read(&w, "pods");
    world_run(&w, 10 * MINUTE_MS);
    world_kill(&w, 0);
    world_run(&w, 3 * MINUTE_MS);
    for (int i = 0; i < 20; i++) {
        CLEANUP(free) char *partition = xasprintf("2025-01-01T%02d", i);

        world_run_by_hand(&w, "job", partition);
    }
    world_run(&w, SECOND_MS);
    CHECK_INT(w.operators[1]->burst.n_starting, 0);
    world_done(&w);
}

TEST(what_is_left_out_is_asked_for_now_and_then)
{
    struct world w;

    begin(&w, true);
    follow(&w, "pods");
    n_forbidden = 0;
    world_run(&w, 10 * MINUTE_MS);
    CHECK(n_forbidden >= 20 && n_forbidden <= 40);
    world_done(&w);
}

/* Who has left it out does nothing there, whatever the last leader wrote. */
TEST(a_planned_hand_over_does_not_wait_for_what_is_left_out)
{
    struct world w;

    set_up(&w);
    world_start(&w, 0);
    world_deploy(&w, "job", HOURLY);
    world_run(&w, MINUTE_MS);
    fake_set_judge(w.fake, forbid_all, w.identities[1]);
    world_start(&w, 1);
    world_run(&w, 3 * MINUTE_MS);
    CHECK(operator_leading(w.operators[0]));
    world_stop(&w, 0);
    world_run(&w, SECOND_MS);
    CHECK(operator_leading(w.operators[1]));
    world_done(&w);
}

static bool second_leads(void *arg)
{
    return operator_leading(((struct world *) arg)->operators[1]);
}

/* It has left it out before: lists of the others are all that it can wait for. */
TEST(nor_does_a_take_over_after_a_crash)
{
    for (int i = 0; i < 5; i++) {
        struct world w;

        set_up(&w);
        world_start(&w, 0);
        world_deploy(&w, "job", HOURLY);
        world_run(&w, MINUTE_MS);
        forbid_to_read(&w, NULL);
        world_start(&w, 1);
        world_run(&w, 3 * MINUTE_MS + 7 * i * SECOND_MS);
        world_kill(&w, 0);
        CHECK(world_run_till(&w, 8 * SECOND_MS, second_leads, &w));
        world_done(&w);
    }
}

/* Nor does who leads all the time decide from what grows old. */
TEST(nothing_is_triggered_from_a_watch_that_is_forbidden)
{
    struct world w;

    set_up(&w);
    world_start(&w, 0);
    world_deploy(&w, "job", HOURLY);
    world_run(&w, MINUTE_MS);
    forbid_to_read(&w, "workflows");
    world_run(&w, 10 * MINUTE_MS); /* by then the watches have ended */
    world_patch(&w, &workflow_resource, "job", "{'spec': {'suspend': true}}");
    world_run(&w, 2 * HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 0);
    join(&w);
    world_patch(&w, &workflow_resource, "job", "{'spec': {'suspend': false}}");
    CHECK(world_run_till(&w, 65 * MINUTE_MS, one_is_there, &w));
    world_done(&w);
}
