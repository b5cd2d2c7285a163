/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many runs are to start at once: pods come first, and what only says how things stand waits until
 * they are on their way, for BURST_WAIT_MS at most.  Nothing is lost if it is never said: the
 * instance and the pod's annotations tell as much (design, section 4).
 */
#ifndef KHARON_OPERATOR_BURST_H
#define KHARON_OPERATOR_BURST_H

#include "k8s/queue.h"

#define BURST_RUNS    8
#define BURST_WAIT_MS 10000

struct operator;

struct burst {
    int n_starting; /* new runs whose first pod is not created yet */
    struct list waiting;
};

/* Embedded in what may wait, beside its work.  Zeroed, it does not wait. */
struct burst_waiter {
    struct list link;
    struct work *work;
    int64_t since; /* LOOP_MONOTONIC; 0: nothing is owed */
};

void burst_init(struct burst *burst);
/* A write is owed.  True: it may wait; its work is looked at again when the burst is over, or when
 * the wait has become too long.  False: it is to be sent now. */
bool burst_wait(struct operator *op, struct burst_waiter *waiter, struct work *work);
void burst_leave(struct burst_waiter *waiter);
/* Something was started, or given up: is the burst over? */
void burst_check(struct operator *op);

#endif
