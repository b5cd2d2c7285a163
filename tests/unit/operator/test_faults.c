/* SPDX-License-Identifier: Apache-2.0 */
/* What the last leader sent may take effect when the next one leads. */
#include "operator/unsettled.h"
#include "sim/world.h"

#include "test.h"

#define SPEC "{'schedule': 'yearly', 'template': {'image': 'b:1', 'runningTimeout': 'PT3M'}}"

/* A run whose first pod is asked for by operator 0; the create takes effect some seconds later. */
static void begin_late_create(struct world *w, uint64_t seed)
{
    world_init(w, seed);
    w->plan.run_ms = FAKE_NEVER;
    world_start(w, 0);
    world_deploy(w, "job", SPEC);
    world_run(w, SECOND_MS);
    fake_fail_next(w->fake, FAKE_LATE, 1, K8S_CREATE, "pods");
    world_run_by_hand(w, "job", "2025");
    world_run(w, 50);
}

static void halt_and_trigger(struct world *w)
{
    world_patch(w, &instance_resource, "job.2025",
                "{'spec': {'haltThrough': 1, 'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'b',"
                " 'key': 'b'}}}");
}

/* It runs in the end, and never had two containers at once. */
static void check_runs_once_at_a_time(int line, struct world *w, int64_t ms)
{
    CHECK_AT(line, world_run_until(w, ms, "job.2025", "RUNNING"));
    world_run(w, MINUTE_MS);
    CHECK_INT_AT(line, w->n_most_at_once, 1);
}

/* The next leader does not know of it, and is asked for another run at once. */
TEST(the_last_leaders_create_and_the_next_run)
{
    for (uint64_t i = 0; i < 10; i++) {
        struct world w;

        begin_late_create(&w, test_seed() + i);
        world_start(&w, 1);
        halt_and_trigger(&w);
        world_stop(&w, 0);
        check_runs_once_at_a_time(__LINE__, &w, 2 * MINUTE_MS);
        world_done(&w);
    }
}

static void begin_to_run(struct world *w)
{
    world_init(w, test_seed());
    w->plan.run_ms = FAKE_NEVER;
    world_start(w, 0);
    world_deploy(w, "job", SPEC);
    world_run_by_hand(w, "job", "2025");
    CHECK(world_run_until(w, MINUTE_MS, "job.2025", "RUNNING"));
    world_start(w, 1);
}

/* What the node could not tell while the API server was away, it tells first. */
TEST(a_time_out_waits_for_what_could_not_be_heard)
{
    struct world w;

    begin_to_run(&w);
    fake_stop_server(w.fake, 4 * MINUTE_MS);
    world_run(&w, 4 * MINUTE_MS + 20 * SECOND_MS);
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.state"), "RUNNING");
    CHECK(world_run_until(&w, 15 * SECOND_MS, "job.2025", "QUEUED"));
    CHECK_STR(world_line(&w, "job.2025"), "Timed out in RUNNING");
    world_done(&w);
}

/* Whoever stood by has heard all the time. */
TEST(a_time_out_waits_for_no_new_leader)
{
    struct world w;

    begin_to_run(&w);
    world_run(&w, 3 * MINUTE_MS - 5 * SECOND_MS);
    world_kill(&w, 0);
    CHECK(world_run_until(&w, 13 * SECOND_MS, "job.2025", "QUEUED"));
    CHECK_STR(world_line(&w, "job.2025"), "Timed out in RUNNING");
    world_done(&w);
}

/* Its run has ended meanwhile without knowing that it had begun. */
TEST(the_last_leaders_create_comes_too_late)
{
    for (uint64_t i = 0; i < 10; i++) {
        struct world w;

        begin_late_create(&w, test_seed() + i);
        world_kill(&w, 0);
        world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
        world_start(&w, 1);
        CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "ERROR"));
        world_run(&w, 10 * MINUTE_MS);
        CHECK_INT(world_pods(&w), 0);
        CHECK_INT(w.n_running, 0);
        world_done(&w);
    }
}

static void kill_and_start(struct world *w, int dead, int next)
{
    world_kill(w, dead);
    world_start(w, next);
}

/* The next leader ends that run and begins another, and dies as well: who comes then has to know
 * of the first one's create all the same. */
TEST(a_create_and_two_leaders_that_die)
{
    for (uint64_t i = 0; i < 60; i++) {
        struct world w;

        begin_late_create(&w, test_seed() + i);
        halt_and_trigger(&w);
        kill_and_start(&w, 0, 1);
        world_run(&w, 9 * SECOND_MS);
        kill_and_start(&w, 1, 0);
        check_runs_once_at_a_time(__LINE__, &w, 4 * MINUTE_MS);
        world_done(&w);
    }
}

/* That it took effect is told later than it is waited for: what the copy does not show is asked. */
TEST(a_create_that_is_told_very_late)
{
    for (uint64_t i = 0; i < 20; i++) {
        struct world w;

        begin_late_create(&w, test_seed() + i);
        halt_and_trigger(&w);
        fake_set_lag(w.fake, &pod_resource, 2 * MINUTE_MS, 2 * MINUTE_MS);
        kill_and_start(&w, 0, 1);
        check_runs_once_at_a_time(__LINE__, &w, 10 * MINUTE_MS);
        world_done(&w);
    }
}

/* Two leaders that die, and the other trigger comes between them. */
TEST(a_create_and_a_trigger_between_two_leaders)
{
    for (uint64_t i = 0; i < 60; i++) {
        struct world w;

        begin_late_create(&w, test_seed() + i);
        world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
        kill_and_start(&w, 0, 1);
        world_run(&w, 9 * SECOND_MS);
        kill_and_start(&w, 1, 0);
        world_patch(&w, &instance_resource, "job.2025",
                    "{'spec': {'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'b', 'key': 'b'}}}");
        check_runs_once_at_a_time(__LINE__, &w, 4 * MINUTE_MS);
        world_done(&w);
    }
}

/* Sent again, it is refused: that says nothing about the first, whatever becomes of the leader. */
TEST(a_refusal_does_not_settle_a_create)
{
    for (uint64_t i = 0; i < 20; i++) {
        struct world w;

        begin_late_create(&w, test_seed() + i);
        for (int k = 0; k < WORLD_MAX_OPERATORS; k++)
            w.settings[k].retry_base_ms = SECOND_MS;
        fake_fail_next(w.fake, FAKE_NO_ACCOUNT, 1, K8S_CREATE, "pods");
        world_run(&w, 5 * SECOND_MS);
        world_kill(&w, 0);
        world_start(&w, 1);
        check_runs_once_at_a_time(__LINE__, &w, 3 * MINUTE_MS);
        world_done(&w);
    }
}

static bool has_pod(void *arg)
{
    return world_pods(arg) > 0;
}

/* An attempt that is stored is refused, and the next one has its pod when its leader dies: the
 * first one is over. */
TEST(a_refused_attempt_is_not_begun_again)
{
    for (uint64_t i = 0; i < 10; i++) {
        struct world w;

        world_init(&w, test_seed() + i);
        w.plan.run_ms = FAKE_NEVER;
        w.settings[0].retry_base_ms = w.settings[0].coalesce_ms / 4;
        world_start(&w, 0);
        world_deploy(&w, "job", SPEC);
        world_run(&w, SETTLED_MS + MINUTE_MS);
        fake_fail_next(w.fake, FAKE_THROTTLE, 3, K8S_CREATE, "pods");
        fake_fail_next(w.fake, FAKE_NO_ACCOUNT, 1, K8S_CREATE, "pods");
        world_run_by_hand(&w, "job", "2025");
        CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "SUBMITTING"));
        CHECK(world_run_till(&w, MINUTE_MS, has_pod, &w));
        kill_and_start(&w, 0, 1);
        CHECK(world_run_until(&w, 3 * MINUTE_MS, "job.2025", "RUNNING"));
        world_run(&w, MINUTE_MS);
        CHECK_INT(w.n_most_at_once, 1);
        CHECK_INT(world_pods(&w), 1);
        world_done(&w);
    }
}

/* The instance is deleted and made again while a create of its pod is on its way: that pod has no
 * owner any more and is collected, but it may run until then. */
TEST(the_create_for_an_instance_that_is_gone)
{
    for (uint64_t i = 0; i < 10; i++) {
        struct world w;

        begin_late_create(&w, test_seed() + i);
        world_delete(&w, &instance_resource, "job.2025");
        world_run(&w, i % 2 ? 5 : 3 * SECOND_MS); /* before or after it is given up */
        world_run_by_hand(&w, "job", "2025");
        check_runs_once_at_a_time(__LINE__, &w, 2 * MINUTE_MS);
        world_done(&w);
    }
}

/* Just after etcd was restored, versions are low, and the copy does not take what it is shown. */
TEST(a_copy_that_takes_nothing_is_not_asked_all_the_time)
{
    struct world w;

    world_init(&w, test_seed());
    w.plan.run_ms = FAKE_NEVER;
    world_start(&w, 0);
    for (int i = 0; i < 200; i++) {
        world_deploy(&w, "job", SPEC);
        world_delete(&w, &workflow_resource, "job");
    }
    world_deploy(&w, "job", SPEC);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    fake_set_latency(w.fake, 50, 50);
    world_delete(&w, &workflow_resource, "job");
    world_run(&w, 60);
    fake_restore(w.fake);
    world_deploy(&w, "job", SPEC);
    uint64_t before = fake_count_requests(w.fake, K8S_GET, "workflows");
    world_run(&w, 10 * SECOND_MS);
    uint64_t n = fake_count_requests(w.fake, K8S_GET, "workflows") - before;
    CHECK(n > 0 && n < 20);
    CHECK(world_run_until(&w, 10 * MINUTE_MS, "job.2025", "ERROR"));
    world_done(&w);
}

static bool has_ended(void *arg)
{
    return world_count(arg, "DONE") == 1;
}

/* A cursor that cannot be stored for a long time: its run ends, somebody runs the partition once
 * more, and the leader dies.  The schedule has had its turn. */
TEST(a_trigger_of_the_schedule_is_known_behind_a_later_one)
{
    static const char name[] = "job.2026-01-01t00";
    struct world w;

    world_init(&w, test_seed());
    world_start(&w, 0);
    world_deploy(&w, "job", "{'schedule': 'hourly', 'template': {'image': 'b:1'}}");
    world_run(&w, SECOND_MS);
    fake_fail_next(w.fake, FAKE_REFUSE, 100000, K8S_PATCH, "workflows");
    CHECK(world_run_till(&w, 2 * HOUR_MS, has_ended, &w));
    world_patch(&w, &instance_resource, name,
                "{'spec': {'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'b', 'key': 'b'}}}");
    world_run(&w, MINUTE_MS);
    CHECK(has_ended(&w));
    world_kill(&w, 0);
    fake_fail_no_more(w.fake);
    world_start(&w, 1);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_INT(json_int_at(world_get(&w, &instance_resource, name), "status.seq", 0), 2);
    CHECK_INT(w.n_started, 2);
    CHECK_STR(world_text(&w, &workflow_resource, "job", "status.lastDecision.result"), "Triggered");
    world_done(&w);
}

/* ---- a create that is never answered, as behind a webhook that hangs ---- */

/* `arg`: after how many creates one takes effect, late; 0: none does. */
static int answer_no_create(const char *user, const struct k8s_request *r, void *arg)
{
    static int n;

    (void) user;
    if (r->verb != K8S_CREATE || r->resource != &pod_resource)
        return -1;
    return *(int *) arg && ++n % *(int *) arg == 0 ? FAKE_LATE : FAKE_LOSE_REQUEST;
}

static void begin_without_answers(struct world *w, uint64_t seed, int *late)
{
    world_init(w, seed);
    w->plan.run_ms = FAKE_NEVER;
    fake_set_judge(w->fake, answer_no_create, late);
    world_start(w, 0);
    world_deploy(w, "job", SPEC);
    world_run_by_hand(w, "job", "2025");
}

static bool says_why(void *arg)
{
    const char *text = world_line(arg, "job.2025");

    return text && strstr(text, "the request for its pod fails");
}

TEST(a_create_that_is_never_answered_does_not_keep_a_halt_waiting)
{
    int never = 0;
    struct world w;

    begin_without_answers(&w, test_seed(), &never);
    CHECK(world_run_till(&w, 2 * MINUTE_MS, says_why, &w));
    world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
    CHECK(world_run_until(&w, 3 * MINUTE_MS, "job.2025", "ERROR"));
    CHECK_INT(json_int_at(world_get(&w, &instance_resource, "job.2025"), "status.haltedThrough", 0),
              1);
    world_done(&w);
}

/* The first one is lost, then there is none for a moment. */
static int fail_for_a_moment(const char *user, const struct k8s_request *r, void *arg)
{
    int *n = arg;

    (void) user;
    if (r->verb != K8S_CREATE || r->resource != &pod_resource || ++*n > 4)
        return -1;
    return *n == 1 ? FAKE_LOSE_REQUEST : FAKE_REFUSE;
}

static bool was_sent_four_times(void *arg)
{
    return *(int *) arg >= 4;
}

/* It is settled by the next one. */
TEST(a_create_that_fails_for_a_moment_does_not_keep_a_halt_waiting)
{
    struct world w;
    int n = 0;

    world_init(&w, test_seed());
    fake_set_judge(w.fake, fail_for_a_moment, &n);
    world_start(&w, 0);
    world_deploy(&w, "job", SPEC);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_till(&w, MINUTE_MS, was_sent_four_times, &n));
    world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
    CHECK(world_run_until(&w, 20 * SECOND_MS, "job.2025", "ERROR"));
    world_done(&w);
}

TEST(a_create_that_is_never_answered_times_out)
{
    int never = 0;
    struct world w;

    begin_without_answers(&w, test_seed(), &never);
    w.settings[0].state_limits_ms[RUN_SUBMITTING] = 5 * MINUTE_MS;
    CHECK(world_run_until(&w, 10 * MINUTE_MS, "job.2025", "QUEUED")); /* for another try */
    CHECK_INT(json_int_at(world_get(&w, &instance_resource, "job.2025"), "status.attempt", 0), 1);
    world_done(&w);
}

TEST(what_was_not_waited_for_may_come)
{
    for (uint64_t i = 0; i < 10; i++) {
        int fourth = 4;
        struct world w;

        begin_without_answers(&w, test_seed() + i, &fourth);
        world_run(&w, 20 * SECOND_MS);
        halt_and_trigger(&w);
        world_run(&w, 5 * MINUTE_MS);
        CHECK(w.n_most_at_once <= 1);
        fake_set_judge(w.fake, NULL, NULL);
        check_runs_once_at_a_time(__LINE__, &w, 5 * MINUTE_MS);
        world_done(&w);
    }
}

/* The first one takes effect, late; all others are refused. */
static int refuse_all_but_one(const char *user, const struct k8s_request *r, void *arg)
{
    int *n = arg;

    (void) user;
    if (r->verb != K8S_CREATE || r->resource != &pod_resource)
        return -1;
    return (*n)++ == 0 ? FAKE_LATE : FAKE_NO_ACCOUNT;
}

/* A list shows it while the last request is on its way to be refused. */
TEST(a_pod_that_was_seen_is_not_given_up_by_a_refusal)
{
    for (uint64_t i = 0; i < 60; i++) {
        int n = 0;
        struct world w;

        world_init(&w, test_seed() + i);
        w.plan.run_ms = FAKE_NEVER;
        world_start(&w, 0);
        world_deploy(&w, "job", SPEC);
        world_run(&w, 2 * MINUTE_MS);
        fake_set_judge(w.fake, refuse_all_but_one, &n);
        fake_set_lag(w.fake, &pod_resource, 10 * MINUTE_MS, 10 * MINUTE_MS);
        fake_set_latency(w.fake, 300, 450);
        world_run_by_hand(&w, "job", "2025");
        CHECK(world_run_until(&w, 8 * MINUTE_MS, "job.2025", "RUNNING"));
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.attempt"), "1");
        world_done(&w);
    }
}

/* ---- what is seen of pods ---- */

TEST(what_ended_in_time_does_not_time_out)
{
    struct world w;

    world_init(&w, test_seed());
    w.plan.run_ms = 2 * MINUTE_MS;
    world_start(&w, 0);
    world_deploy(&w, "job", SPEC);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    fake_set_lag(w.fake, &pod_resource, 10 * MINUTE_MS, 10 * MINUTE_MS);
    CHECK(world_run_until(&w, 5 * MINUTE_MS, "job.2025", "DONE"));
    CHECK_INT(w.n_started, 1);
    world_done(&w);
}

/* The same workflow by another name of its object. */
TEST(a_run_waits_for_the_pod_of_another_object_and_goes_on)
{
    static const char other[] = "{'schedule': 'yearly', 'workflowId': 'job',"
                                " 'template': {'image': 'b:1'}}";
    struct world w;

    world_init(&w, test_seed());
    w.plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 20 * SECOND_MS};
    world_start(&w, 0);
    world_deploy(&w, "job", SPEC);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    world_run(&w, 2 * MINUTE_MS);
    world_delete(&w, &workflow_resource, "job");
    world_deploy(&w, "other", other);
    world_run_by_hand(&w, "other", "2025");
    world_run(&w, 10 * SECOND_MS);
    CHECK_INT(w.n_started, 1);
    CHECK(world_run_until(&w, 2 * MINUTE_MS, "other.2025", "RUNNING"));
    CHECK_INT(w.n_most_at_once, 1);
    world_done(&w);
}

/* Somebody has changed its record: it is not ours any more, and not asked for all the time. */
TEST(a_pod_that_is_not_ours_any_more_is_no_storm)
{
    struct world w;

    world_init(&w, test_seed());
    w.plan.run_ms = FAKE_NEVER;
    world_start(&w, 0);
    world_deploy(&w, "job", "{'schedule': 'yearly', 'template': {'image': 'b:1'}}");
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    CLEANUP(free) char *pod =
        xstrdup(world_text(&w, &instance_resource, "job.2025", "status.executionId"));
    world_patch(&w, &pod_resource, pod, "{'metadata': {'annotations': {'kharon.dev/seq': '7'}}}");
    world_run(&w, 10 * MINUTE_MS);
    CHECK(fake_count_requests(w.fake, K8S_GET, "pods") < 40);
    world_delete(&w, &pod_resource, pod);
    world_run(&w, 5 * MINUTE_MS);
    CHECK_INT(w.n_most_at_once, 1);
    world_done(&w);
}
