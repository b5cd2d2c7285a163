/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the control plane keeps up: it answers within Δ (design, section 4).
 *
 * When it does not, requests are backed off from where they are (a narrower window, see lanes.h; a
 * longer delay, see queue.h).  This module only says so: as an Event of the Lease, a metric, in
 * /readyz and in the log.  Raising --delta is the cure for a control plane that is always slow.
 */
#ifndef KHARON_OPERATOR_PACE_H
#define KHARON_OPERATOR_PACE_H

#include "k8s/tap.h"

#define PACE_PERIOD_MS 5000 /* this one and the last one count */
#define PACE_OVERDUE   5    /* so many of them, and no fewer than were answered: it is slow */

struct operator;

struct pace {
    int64_t period; /* LOOP_BOOT, in periods */
    struct {
        int answered, overdue;
    } now, last;
    bool slow;
    int64_t slow_since; /* LOOP_BOOT */
    uint64_t n_overdue;
};

/* Every request that ended. */
void pace_note(struct operator *op, const struct k8s_ended *ended);
/* Leading begins: what is slow is told anew. */
void pace_begin(struct operator *op);

#endif
