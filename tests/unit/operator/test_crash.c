/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator that dies right after any one of its writes: never sent, carried out without its
 * knowing, or carried out seconds later, when another one leads.  Every write of a run's life is
 * tried, in every way; the run then ends as it should, and no invariant is broken on the way.
 */
#include "sim/observer.h"

#include "test.h"

#define ACT_AT_MS (30 * SECOND_MS) /* when somebody does something to the run */
#define END_MS    (40 * MINUTE_MS)

#define SPEC "{'schedule': '*/30 * * * *', 'template': {'image': 'b:1', 'runningTimeout': 'PT2M'}}"
#define RUN  "job.2020-01-01t00-00-00z"

enum crash { NO_CRASH, NOT_SENT, NOT_TOLD, LATE };

struct scenario {
    const char *name;
    void (*plan)(const struct pod *pod, struct fake_plan *plan);
    void (*act)(struct world *w); /* NULL: nothing */
    const char *state;            /* of RUN at the end; NULL: it is gone */
    int exit_code;
    int n_runs; /* instances that there are at the end */
    bool by_schedule;
};

struct life {
    const struct scenario *scenario;
    struct world w;
    struct observer o;
    struct fake_watcher watcher;
    struct loop_task die;
    enum crash crash;
    int at, n_writes; /* dies after so many; of the first operator */
    const struct k8s_request *fatal;
};

/* ---- the crash ---- */

static void die(void *arg)
{
    struct life *l = arg;

    world_kill(&l->w, 0);
    world_start(&l->w, 1);
}

static int judge(const char *user, const struct k8s_request *r, void *arg)
{
    struct life *l = arg;

    if (!k8s_verb_writes(r->verb) || strcmp(r->resource->plural, "leases") == 0 ||
        strcmp(user, l->w.identities[0]) != 0)
        return -1;
    if (++l->n_writes != l->at)
        return -1;
    if (l->crash == NOT_TOLD) {
        l->fatal = r;
        return -1;
    }
    loop_task_queue(l->w.loop, &l->die);
    return l->crash == LATE ? (int) FAKE_LATE : (int) FAKE_LOSE_REQUEST;
}

static void on_request(const char *user, const struct k8s_request *r, int status, void *arg)
{
    struct life *l = arg;

    (void) user, (void) status;
    if (r == l->fatal)
        loop_task_queue(l->w.loop, &l->die);
    if (r == l->fatal)
        l->fatal = NULL;
}

static void ignore_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                          void *arg)
{
    (void) resource, (void) old, (void) new, (void) arg;
}

/* ---- a life ---- */

static void plan_pod(const json_t *json, struct fake_plan *plan, void *arg)
{
    const struct life *l = arg;
    CLEANUP(pod_free) struct pod *pod = pod_decode(json);

    plan->start_ms = 500;
    plan->run_ms = 5 * SECOND_MS;
    plan->stop_ms = 3 * SECOND_MS;
    if (l->scenario->plan)
        l->scenario->plan(pod, plan);
}

static void begin(struct life *l, const struct scenario *scenario, enum crash crash, int at)
{
    *l = (struct life) {.scenario = scenario, .crash = crash, .at = at};
    world_init(&l->w, test_seed() + (uint64_t) at);
    observer_init(&l->o, &l->w);
    l->w.on_plan = plan_pod;
    l->w.plan_arg = l;
    l->die = (struct loop_task) {.on_turn = die, .arg = l};
    l->watcher =
        (struct fake_watcher) {.on_change = ignore_change, .on_request = on_request, .arg = l};
    fake_watcher_add(l->w.fake, &l->watcher);
    fake_set_judge(l->w.fake, judge, l);
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        l->w.settings[i].retry_base_ms = SECOND_MS;
        l->w.settings[i].lease_duration_ms = 30 * SECOND_MS;
    }
}

static void live(struct life *l)
{
    struct world *w = &l->w;

    world_start(w, 0);
    world_deploy(w, "job", SPEC);
    if (!l->scenario->by_schedule) {
        world_run(w, SECOND_MS);
        world_run_by_hand(w, "job", "2020-01-01T00:00:00Z");
    }
    world_run(w, ACT_AT_MS);
    if (l->scenario->act)
        l->scenario->act(w);
    world_run(w, END_MS);
}

static void finish(struct life *l)
{
    fake_set_judge(l->w.fake, NULL, NULL);
    fake_watcher_remove(&l->watcher);
    loop_task_cancel(&l->die);
    observer_done(&l->o);
    world_done(&l->w);
}

static void check_end(struct life *l)
{
    static const char *const names[] = {"no crash", "not sent", "not told", "late"};
    const struct scenario *s = l->scenario;
    struct world *w = &l->w;
    const char *state = world_text(w, &instance_resource, RUN, "status.state");
    const char *wanted = s->state ? s->state : "";

    observer_check(&l->o);
    if (*l->o.broken)
        TEST_FAIL("%s, %s after write %d: %s", s->name, names[l->crash], l->at, l->o.broken);
    if (!s->by_schedule && strcmp(state, wanted) != 0)
        TEST_FAIL("%s, %s after write %d: the run is %s, not %s", s->name, names[l->crash], l->at,
                  state, wanted);
    if (world_count(w, NULL) != s->n_runs)
        TEST_FAIL("%s, %s after write %d: %d runs", s->name, names[l->crash], l->at,
                  world_count(w, NULL));
    if (world_count(w, "DONE") + world_count(w, "ERROR") != s->n_runs)
        TEST_FAIL("%s, %s after write %d: not all have ended", s->name, names[l->crash], l->at);
    if (world_pods(w) != 0 || w->n_running != 0)
        TEST_FAIL("%s, %s after write %d: %d pods and %d containers are left", s->name,
                  names[l->crash], l->at, world_pods(w), w->n_running);
}

/* Returns the number of writes. */
static int try_one(const struct scenario *scenario, enum crash crash, int at)
{
    static struct life l;

    begin(&l, scenario, crash, at);
    live(&l);
    check_end(&l);
    int n = l.n_writes;
    finish(&l);
    return n;
}

static void try_all(const struct scenario *scenario)
{
    int n = try_one(scenario, NO_CRASH, 0);

    CHECK(n >= 5);
    for (int at = 1; at <= n; at++)
        for (enum crash crash = NOT_SENT; crash <= LATE; crash++)
            try_one(scenario, crash, at);
}

/* ---- what is tried ---- */

static void first_fails(const struct pod *pod, struct fake_plan *plan)
{
    plan->exit_code = pod->attempt == 1 ? 1 : 0;
}

static void first_hangs(const struct pod *pod, struct fake_plan *plan)
{
    plan->run_ms = pod->attempt == 1 ? FAKE_NEVER : plan->run_ms;
}

/* What the schedule triggers meanwhile does not. */
static void hangs(const struct pod *pod, struct fake_plan *plan)
{
    if (strcmp(pod->instance, RUN) == 0)
        plan->run_ms = FAKE_NEVER;
}

static void halt(struct world *w)
{
    world_patch(w, &instance_resource, RUN, "{'spec': {'haltThrough': 1}}");
}

static void delete_workflow(struct world *w)
{
    world_delete(w, &workflow_resource, "job");
}

static void delete_instance(struct world *w)
{
    world_delete(w, &instance_resource, RUN);
}

#define BOTH 2 /* the run by hand, and what the schedule triggers after half an hour */

TEST(a_crash_in_a_run_that_succeeds)
{
    try_all(&(struct scenario) {.name = "success", .state = "DONE", .n_runs = BOTH});
}

TEST(a_crash_in_a_run_that_fails_and_is_tried_again)
{
    try_all(
        &(struct scenario) {.name = "retry", .plan = first_fails, .state = "DONE", .n_runs = BOTH});
}

TEST(a_crash_in_a_run_that_times_out_and_is_tried_again)
{
    try_all(&(struct scenario) {
        .name = "timeout", .plan = first_hangs, .state = "DONE", .n_runs = BOTH});
}

TEST(a_crash_in_a_run_that_is_halted)
{
    try_all(&(struct scenario) {
        .name = "halt", .plan = hangs, .act = halt, .state = "ERROR", .n_runs = BOTH});
}

TEST(a_crash_when_the_workflow_is_deleted)
{
    try_all(&(struct scenario) {.name = "workflow deleted",
                                .plan = hangs,
                                .act = delete_workflow,
                                .state = "ERROR",
                                .n_runs = 1});
}

TEST(a_crash_when_the_instance_is_deleted)
{
    try_all(&(struct scenario) {
        .name = "instance deleted", .plan = hangs, .act = delete_instance, .n_runs = 1});
}

TEST(a_crash_when_the_schedule_triggers)
{
    try_all(&(struct scenario) {
        .name = "by schedule", .plan = first_fails, .n_runs = 1, .by_schedule = true});
}
