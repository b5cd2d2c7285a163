/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two operators and an API server in a bad world, by seed (sim/storm.h).  What may never happen is
 * watched by the observer; when the faults stop, everything comes to its end.  The program `sim`
 * does the same for other seeds and for longer.
 *
 *     TEST_SEED=random      other seeds
 *     TEST_SEED=7           that one
 */
#include "sim/storm.h"

#include "base/log.h"

#include "test.h"

static void begin_plan(struct plan *plan, const char *faults)
{
    struct error err;

    *plan = (struct plan) {.storm_percent = 10, .n_workflows = 20, .ms = DAY_MS};
    CHECK_OK(plan_set_faults(plan, faults, &err), &err);
}

static uint64_t run_with(struct plan *plan, uint64_t seed, bool hashed)
{
    static struct storm s;
    struct trace *trace = hashed ? trace_new(NULL) : NULL;
    uint64_t hash = 0;

    log_setup(LOG_TEXT, LOG_ERROR);
    plan->seed = seed;
    storm_begin(&s, plan, trace);
    storm_run(&s);
    storm_end(&s);
    if (*storm_broken(&s)) {
        CLEANUP(free) char *command = plan_command(plan);

        TEST_FAIL("%s\nreplay with: build/check/bin/%s", storm_broken(&s), command);
    }
    storm_done(&s);
    if (trace)
        hash = trace_hash(trace);
    trace_free(trace);
    return hash;
}

static void run_seeds(struct plan *plan, uint64_t n)
{
    const char *text = getenv("TEST_SEED");
    bool one = text && *text && strcmp(text, "random") != 0;
    uint64_t first = text && *text ? test_seed() : 1;

    for (uint64_t seed = first; seed < first + (one ? 1 : n); seed++)
        run_with(plan, seed, false);
}

TEST(nothing_is_lost_or_doubled_in_a_bad_world)
{
    struct plan plan;

    begin_plan(&plan, "all");
    plan.storm_percent = 100;
    plan.busy = true;
    plan.n_workflows = 4;
    plan.ms = 6 * MINUTE_MS;
    run_seeds(&plan, 8);
}

TEST(nothing_is_lost_or_doubled_in_mixed_weather)
{
    struct plan plan;

    begin_plan(&plan, "all");
    plan.ms = 8 * HOUR_MS;
    run_seeds(&plan, 2);
}

/* The budgets of writes and of time count. */
TEST(nothing_happens_in_a_good_world)
{
    struct plan plan;

    begin_plan(&plan, "none");
    run_seeds(&plan, 1);
}

TEST(the_same_seed_gives_the_same_run)
{
    struct plan plan;

    begin_plan(&plan, "all");
    plan.storm_percent = 50;
    plan.ms = HOUR_MS;
    uint64_t first = run_with(&plan, 5, true), again = run_with(&plan, 5, true);
    CHECK(first == again);
    CHECK(first != run_with(&plan, 6, true));
}
