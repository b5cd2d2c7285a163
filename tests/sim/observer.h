/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An observer of a world: what may never happen, judged by the cluster's true history and not by
 * what anybody believes (design, section 4).
 *
 *  - of one run (component, workflow, parameter), and of one instance, at most one container runs
 *    at a time;
 *  - of one attempt there is one pod, ever, while its instance lives;
 *  - a partition is triggered at most once in an epoch of its cursor, and the cursor passes by none
 *    that was not triggered or recorded as skipped, nor does a change of the schedule;
 *  - a schedule triggers nothing that is active or is being deleted;
 *  - a terminal state is final until a new trigger, and a trigger has a number of its own;
 *  - a run records what its container said at its end, and is not halted unless somebody wished so
 *    or its workflow was deleted, nor held unless that was replaced;
 *  - what timed out had run for OBSERVER_MIN_TIMEOUT_MS at least;
 *  - counters grow by one with each event, and events are only appended;
 *  - an instance stays within INSTANCE_MAX, and the natural runs of a workflow within maxActive;
 *  - only who holds the lease sends writes, and they arrive while he does (of one that was late
 *    on its way only the first is asked), and nobody
 *    of us writes to a pod that is not ours (FOREIGN_PREFIX);
 *  - within a second no more than OBSERVER_MAX_RATE requests, OBSERVER_MAX_SAME about the same, or
 *    OBSERVER_MAX_STEPS looks: nobody goes round in circles.
 *
 * In a world without faults, and if it is told so (`strict`):
 *
 *  - a run that succeeds at once costs at most OBSERVER_MAX_WRITES writes;
 *  - a partition is triggered within OBSERVER_MAX_LAG_MS of falling due.
 *
 * It does not end the test by itself, since it looks from deep inside the code under test: ask
 * `broken` between two steps, after observer_check.
 */
#ifndef KHARON_SIM_OBSERVER_H
#define KHARON_SIM_OBSERVER_H

#include "sim/world.h"

#define OBSERVER_MAX_RATE           1500 /* what was held up for hours may all be due at once */
#define OBSERVER_MAX_SAME           20
#define OBSERVER_MAX_READS          200 /* each run of a workflow asks for it by itself */
#define OBSERVER_REQUESTS_A_TRIGGER 10
#define OBSERVER_MAX_STEPS          3000
#define OBSERVER_MAX_WRITES         9
#define OBSERVER_MAX_LAG_MS         5000
#define OBSERVER_DUE_MS             (3 * MINUTE_MS) /* it was due when whoever wrote that looked */
#define OBSERVER_MIN_TIMEOUT_MS     MINUTE_MS       /* all workflows allow themselves twice that */
#define FOREIGN_PREFIX              "foreign-"

struct observer {
    struct world *world;
    struct fake_watcher watcher;
    bool strict;
    bool restoring;                  /* what is made now is of a backup */
    struct map running;              /* run key → containers that run */
    struct map pods;                 /* every name there was of late */
    struct map triggered;            /* "key parameter" of natural triggers */
    struct map skipped;              /* ... and of what was told to be left out */
    struct map workflows, instances; /* by name, as they were seen last */
    char *holder;                    /* of the lease */
    size_t n_natural;                /* active runs that schedules triggered */
    /* The instance whose last change goes beyond a limit, or gives up a pod that was made; who
     * makes that change?  NULL: none. */
    char *excess, *given_up;
    uint64_t n_requests; /* of operators, without watches, lists and the lease */
    uint64_t n_writes;
    uint64_t n_pods, n_triggers, n_skips, n_finished, n_succeeded;
    uint64_t n_steps; /* of queues, at the last check */
    int64_t checked_at;
    int64_t second; /* LOOP_MONOTONIC */
    int n_in_second;
    struct map asked; /* in this second, by kind and name */
    char broken[512]; /* what happened first that may not happen; "" is fine */
};

void observer_init(struct observer *o, struct world *world); /* uses world's on_container */
void observer_done(struct observer *o);                      /* before the world */
/* What is not seen from single events; at least every few seconds. */
void observer_check(struct observer *o);
/* Forgets what is over for days; for long lives. */
void observer_tidy(struct observer *o);
/* Something that only somebody else can know. */
void observer_blame(struct observer *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
