/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one leader to the next (design, section 4: "A new leader has seen what the old one wrote").
 *
 *     the old one   notes the version of everything that it writes; gives the lease up with no call
 *                   in flight, and leaves the marks there
 *     the new one   waits until its copy has reached these marks, and begins.  Without marks (a
 *                   crash), or if they are not reached within HANDOVER_WAIT_MS (etcd was restored):
 *                   lists everything again, consistently, and counts with late writes.
 *     the same one  whose lease ran out, and which nobody took: goes on, or waits on for the lists
 *                   that it began; and counts with late writes, as after a crash.
 *
 * A write is in doubt from when its fate became unknown until SETTLED_MS later.  The marks say for
 * how long yet, and whoever takes over counts with late writes for as long: no list would show
 * them.
 */
#ifndef KHARON_OPERATOR_HANDOVER_H
#define KHARON_OPERATOR_HANDOVER_H

#include "base/loop.h"
#include "k8s/tap.h"
#include "operator/marks.h"

#define HANDOVER_WAIT_MS 3000

struct operator;

struct handover {
    struct marks written, wanted;
    bool caught_up; /* what the last leader wrote is in our copy, or in lists that were begun */
    int64_t doubt_until; /* LOOP_MONOTONIC: then the last write in doubt has had its effect */
    bool waiting;        /* for `wanted` */
    struct loop_timer give_up;
    struct loop_task look; /* whether `wanted` is reached */
    uint64_t n_in_doubt;
    uint64_t newest;   /* version among pods that were written; 0: none since the last lists */
    int64_t newest_at; /* LOOP_BOOT: when that was known */
};

void handover_setup(struct operator *op);
void handover_done(struct operator *op);

/* Every request that ended. */
void handover_note(struct operator *op, const struct k8s_ended *ended);
/* For the lease, when it is given up; "" if it has not led yet.  The caller frees. */
char *handover_record(struct operator *op);

/* The lease was taken: waits, or lists, and calls lead_when_ready then (lead.c).  `goes_on`: it was
 * ours, and nobody has held it since. */
void handover_begin(struct operator *op, const char *record, bool goes_on);
/* The copy has changed. */
void handover_progress(struct operator *op);
void handover_forget(struct operator *op);
bool handover_complete(const struct operator *op);

#endif
