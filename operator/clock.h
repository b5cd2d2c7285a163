/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether this machine's clock of day can be believed (design, section 5).
 *
 * Every answer of the API server is stamped with its time, in whole seconds, somewhere between the
 * request and its arrival: so it is known between which bounds the server's clock is.  These bounds
 * are carried on by a clock that nobody sets; what is compared with them is the clock of day as it
 * is when somebody wants to decide by it.  A clock that is set wrong is noticed at once, before any
 * further answer.
 *
 * It is wrong when it is surely more than CLOCK_WRONG_MS off, and right again when it is surely
 * less than CLOCK_RIGHT_MS off.  A wrong clock decides no trigger and no timeout, of any kind, nor
 * is it written down, since what is written decides later; people are told by an Event of the
 * Lease, a metric, /readyz and the log.
 */
#ifndef KHARON_OPERATOR_CLOCK_H
#define KHARON_OPERATOR_CLOCK_H

#include "k8s/tap.h"

#define CLOCK_WRONG_MS     5000
#define CLOCK_RIGHT_MS     4000
#define CLOCK_LONGEST_TRIP 2000 /* an answer that took longer tells little */

struct operator;

struct clock_guard {
    bool known, wrong;
    int64_t server_ms, wide_ms; /* the server's time is from here on, at most so much later ... */
    int64_t boot_ms;            /* ... at this LOOP_BOOT */
};

/* Every request that ended. */
void clock_note(struct operator *op, const struct k8s_ended *ended);
bool clock_wrong(struct operator *op);
/* The time to write down: the server's, about, while ours is wrong. */
int64_t clock_now(struct operator *op);
/* Leading begins: what is wrong is told anew. */
void clock_begin(struct operator *op);
/* How much later the server's clock is, at least; 0: not known to be off. */
int64_t clock_skew_ms(const struct operator *op);

#endif
