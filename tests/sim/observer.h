/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An observer of a world: what may never happen, judged by the cluster's true history and not by
 * what anybody believes (design, section 4).
 *
 *  - of one run (component, workflow, parameter) at most one container runs at a time;
 *  - of one attempt there is one pod, ever, while its instance lives;
 *  - a partition is triggered at most once in an epoch of its cursor, and the cursor passes by none
 *    that was not triggered or recorded as skipped;
 *  - a terminal state is final until a new trigger;
 *  - counters grow by one with each event, and events are only appended;
 *  - only who holds the lease writes (a request that was late on its way is not judged);
 *  - no more than OBSERVER_MAX_RATE requests within a second: nobody goes round in circles.
 *
 * It does not end the test by itself, since it looks from deep inside the code under test: ask
 * `broken` between two steps.
 */
#ifndef KHARON_SIM_OBSERVER_H
#define KHARON_SIM_OBSERVER_H

#include "sim/world.h"

#define OBSERVER_MAX_RATE 300

struct observer {
    struct world *world;
    struct fake_watcher watcher;
    struct map running;   /* run key → containers that run */
    struct map pod_names; /* every name there ever was */
    struct map triggered; /* "key parameter" of natural triggers */
    uint64_t n_requests;  /* without watches, lists and the lease */
    uint64_t n_pods, n_triggers, n_skips;
    int64_t second; /* LOOP_MONOTONIC */
    int n_in_second;
    char broken[512]; /* what happened first that may not happen; "" is fine */
};

void observer_init(struct observer *o, struct world *world); /* uses world's on_container */
void observer_done(struct observer *o);                      /* before the world */

#endif
