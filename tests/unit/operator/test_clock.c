/* SPDX-License-Identifier: Apache-2.0 */
/* Design, section 5: a clock that is wrong decides no trigger and no timeout. */
#include "sim/world.h"

#include "test.h"

#define HOURLY "{'schedule': 'hourly', 'template': {'image': 'busybox:1'}}"
#define LIMITED                                                                                    \
    "{'schedule': 'yearly', 'template': {'image': 'busybox:1', 'runningTimeout': 'PT5M'}}"

static const struct k8s_resource events = {"events.k8s.io", "v1", "events", "Event"};

static void begin(struct world *w, const char *name, const char *spec)
{
    world_init(w, test_seed());
    world_start(w, 0);
    world_deploy(w, name, spec);
    world_run(w, MINUTE_MS);
}

struct told {
    const char *reason;
    int n;
};

static void count_reason(const json_t *event, void *arg)
{
    struct told *t = arg;

    t->n += strcmp(json_text_at(event, "reason"), t->reason) == 0;
}

static int told(struct world *w, const char *reason)
{
    struct told t = {reason, 0};

    fake_foreach(w->fake, &events, count_reason, &t);
    return t.n;
}

TEST(nothing_is_triggered_by_a_clock_that_is_wrong)
{
    struct world w;

    begin(&w, "report", HOURLY);
    fake_set_skew(w.fake, 8 * SECOND_MS);
    world_run(&w, 2 * HOUR_MS);
    CHECK_INT(world_count(&w, NULL), 0);
    CHECK_INT(told(&w, "ClockSkew"), 1);
    CHECK_INT(told(&w, "ClockAgrees"), 0);
    fake_set_skew(w.fake, 0);
    world_run(&w, 5 * SECOND_MS);
    CHECK_INT(world_count(&w, "DONE"), 2);
    CHECK_INT(told(&w, "ClockAgrees"), 1);
    world_done(&w);
}

/* Whoever begins to lead with a wrong clock says so, too. */
TEST(a_leader_whose_clock_was_wrong_before)
{
    struct world w;

    world_init(&w, test_seed());
    fake_set_skew(w.fake, 8 * SECOND_MS);
    world_start(&w, 0);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, MINUTE_MS);
    CHECK_INT(told(&w, "ClockSkew"), 1);
    world_start(&w, 1);
    world_run(&w, MINUTE_MS);
    CHECK_INT(told(&w, "ClockSkew"), 1); /* a standby does not */
    world_stop(&w, 0);
    world_run(&w, MINUTE_MS);
    CHECK_INT(told(&w, "ClockSkew"), 2);
    world_done(&w);
}

/* Either way round, and not for a little, nor because answers take long. */
TEST(how_wrong_it_has_to_be)
{
    static const struct {
        int64_t skew, latency;
        bool triggers;
    } rows[] = {
        {-8000, 1, false}, {8000, 1, false},  {7000, 300, false}, {4000, 1, true},
        {-4000, 1, true},  {4000, 400, true}, {-4000, 400, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world w;

        begin(&w, "report", HOURLY);
        fake_set_latency(w.fake, rows[i].latency, rows[i].latency);
        fake_set_skew(w.fake, rows[i].skew);
        world_run(&w, 61 * MINUTE_MS);
        CHECK_INT(world_count(&w, NULL), rows[i].triggers);
        world_done(&w);
    }
}

/* It is not told again and again when it is just about too wrong. */
TEST(it_does_not_waver)
{
    struct world w;

    begin(&w, "report", HOURLY);
    for (int i = 0; i < 60; i++) {
        fake_set_skew(w.fake, i % 2 ? 6500 : 4500);
        world_run(&w, 10 * SECOND_MS);
    }
    CHECK_INT(told(&w, "ClockSkew"), 1);
    CHECK_INT(told(&w, "ClockAgrees"), 0);
    world_done(&w);
}

/* Somebody sets this machine's clock: what then seems to be due was not. */
TEST(a_clock_that_is_set_wrong_is_noticed_before_anything_is_due)
{
    struct world w;

    begin(&w, "report", HOURLY);
    loop_virtual_step_clock(w.loop, 2 * HOUR_MS);
    fake_set_skew(w.fake, -2 * HOUR_MS);
    world_run(&w, MINUTE_MS);
    CHECK_INT(world_count(&w, NULL), 0);
    loop_virtual_step_clock(w.loop, -2 * HOUR_MS);
    fake_set_skew(w.fake, 0);
    world_run(&w, HOUR_MS);
    CHECK_INT(world_count(&w, "DONE"), 1);
    world_done(&w);
}

TEST(nothing_times_out_by_a_clock_that_is_wrong)
{
    struct world w;

    world_init(&w, test_seed());
    w.plan.run_ms = FAKE_NEVER;
    world_start(&w, 0);
    world_deploy(&w, "job", LIMITED);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "RUNNING"));
    fake_set_skew(w.fake, -8 * SECOND_MS);
    world_run(&w, 20 * MINUTE_MS);
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.state"), "RUNNING");
    fake_set_skew(w.fake, 0);
    CHECK(world_run_until(&w, 10 * SECOND_MS, "job.2025", "QUEUED"));
    world_done(&w);
}

/* What is written down meanwhile decides later, by a clock that is right. */
TEST(what_a_wrong_clock_would_stamp_has_the_servers_time)
{
    static const struct {
        int64_t step_ms;
        struct fake_plan plan;
    } cases[] = {
        {DAY_MS, {.exit_code = 1}},           /* its next try would wait for a day */
        {-DAY_MS, {.run_ms = 4 * MINUTE_MS}}, /* it would have run for a day */
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world w;

        world_init_apart(&w, test_seed()); /* the server's clock is another */
        world_start(&w, 0);
        world_deploy(&w, "job", LIMITED);
        world_run(&w, 5 * MINUTE_MS);
        w.plan = cases[i].plan;
        world_step_clock(&w, 0, cases[i].step_ms);
        world_run_by_hand(&w, "job", "2025");
        world_run(&w, 30 * SECOND_MS);
        world_step_clock(&w, 0, -cases[i].step_ms);
        w.plan.exit_code = 0;
        CHECK(world_run_until(&w, 10 * MINUTE_MS, "job.2025", "DONE"));
        CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.attempt"),
                  cases[i].plan.exit_code ? "2" : "1");
        world_done(&w);
    }
}

/* What people ask for goes on, and so does what runs. */
TEST(runs_go_on_with_a_clock_that_is_wrong)
{
    struct world w;

    begin(&w, "job", LIMITED);
    fake_set_skew(w.fake, 8 * SECOND_MS);
    world_run(&w, 10 * SECOND_MS);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2025", "DONE"));
    world_run(&w, HOUR_MS);
    CHECK_INT(world_pods(&w), 1); /* when it may go is the clock's word */
    fake_set_skew(w.fake, 0);
    world_run(&w, 10 * SECOND_MS);
    CHECK_INT(world_pods(&w), 0);
    world_done(&w);
}

/* Nor does a wrong clock hide what the pod tells. */
TEST(what_runs_is_stored_with_a_clock_that_is_wrong)
{
    struct world w;

    begin(&w, "job", "{'schedule': 'yearly', 'template': {'image': 'b:1'}}");
    w.plan.run_ms = FAKE_NEVER;
    world_run(&w, 2 * MINUTE_MS);
    fake_set_skew(w.fake, 8 * SECOND_MS);
    world_run(&w, 10 * SECOND_MS);
    world_run_by_hand(&w, "job", "2025");
    CHECK(world_run_until(&w, 10 * SECOND_MS, "job.2025", "RUNNING"));
    world_done(&w);
}
