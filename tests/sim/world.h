/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world: a cluster in memory with a kubelet, and operators on one virtual clock.
 *
 *     struct world world;
 *     world_init(&world, test_seed());
 *     world_deploy(&world, "report", "{'schedule': 'hourly', 'template': {…}}");
 *     world_run(&world, DAY_MS);
 *     CHECK_INT(world_count(&world, "DONE"), 24);
 *     world_done(&world);
 *
 * It begins at 2026-01-01T00:00:30Z.  JSON is written with single quotes.
 *
 * world_init_apart makes one in which each operator is a process with clocks of its own, which may
 * be wrong, and which may stand still while the world goes on.  loop_now(world.loop) is the true
 * time.
 */
#ifndef KHARON_SIM_WORLD_H
#define KHARON_SIM_WORLD_H

#include "operator/operator.h"
#include "sim/fake.h"
#include "sim/fake_kubelet.h"

#define WORLD_NS            "team"
#define WORLD_MAX_OPERATORS 2
#define WORLD_OPERATOR      "operator-" /* how their names begin */

struct world_process {
    struct loop *loop; /* its own, or the world's */
    bool frozen;
    bool asleep;     /* frozen, and MONOTONIC with it */
    int64_t owed_ms; /* of its clocks, while it is frozen */
    int64_t drift_ppm, drift_rest;
    int64_t stepped_ms; /* its clock of day is wrong by so much */
};

struct world {
    struct loop *loop;
    bool apart;
    bool stuck; /* time stands still: somebody goes round in circles */
    struct world_process processes[WORLD_MAX_OPERATORS];
    struct fake *fake;
    struct fake_kubelet *kubelet;
    struct fake_watcher watcher;
    struct settings settings[WORLD_MAX_OPERATORS];
    char identities[WORLD_MAX_OPERATORS][32]; /* another one with every start */
    int n_starts;
    struct rng rngs[WORLD_MAX_OPERATORS];
    struct k8s *clients[WORLD_MAX_OPERATORS];
    struct operator *operators[WORLD_MAX_OPERATORS]; /* NULL: not running */

    /* How the next pods end: set by tests; zeroed is success at once. */
    struct fake_plan plan;
    int failures_first; /* so many executions of a run exit with 1 before one succeeds */
    /* What really ran. */
    int n_started, n_running, n_most_at_once;
    /* For tests that plan, or look, for themselves; NULL: not. */
    void (*on_plan)(const json_t *pod, struct fake_plan *plan, void *arg);
    void (*on_container)(const json_t *pod, bool runs, void *arg);
    void *plan_arg, *container_arg;
};

void world_init(struct world *w, uint64_t seed);
void world_init_apart(struct world *w, uint64_t seed);
void world_done(struct world *w);

/* Operator i begins, is killed, or is asked to stop and has stopped. */
void world_start(struct world *w, int i);
void world_kill(struct world *w, int i);
void world_stop(struct world *w, int i);
/* Stops or sleeps, and goes on; its clocks jump then, and what has arrived meanwhile is seen before
 * or after what its timers do. */
void world_freeze(struct world *w, int i, bool asleep);
void world_thaw(struct world *w, int i, bool arrivals_first);
/* Its clock of day is set, or runs wrong from now on. */
void world_step_clock(struct world *w, int i, int64_t ms);
void world_set_drift(struct world *w, int i, int64_t ppm);
void world_run(struct world *w, int64_t ms);
/* Until the condition holds; false after `ms`. */
bool world_run_till(struct world *w, int64_t ms, bool (*condition)(void *arg), void *arg);
/* Until the instance is in that state; false after `ms`. */
bool world_run_until(struct world *w, int64_t ms, const char *instance, const char *state);

/* Objects in WORLD_NS.  `spec` with single quotes. */
void world_create(struct world *w, const struct k8s_resource *resource, const char *text);
void world_deploy(struct world *w, const char *name, const char *spec);
void world_patch(struct world *w, const struct k8s_resource *resource, const char *name,
                 const char *text);
void world_run_by_hand(struct world *w, const char *workflow, const char *parameter);
bool world_delete(struct world *w, const struct k8s_resource *resource, const char *name);
const json_t *world_get(struct world *w, const struct k8s_resource *resource, const char *name);
/* A member of an object as text, "" if it is absent; valid until the next call. */
const char *world_text(struct world *w, const struct k8s_resource *resource, const char *name,
                       const char *path);
/* The message of an instance, likewise. */
const char *world_line(struct world *w, const char *instance);

/* Instances in a state; NULL: all. */
int world_count(struct world *w, const char *state);
int world_pods(struct world *w);

#endif
