/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up to when the copy of the pods shows whatever was asked for.
 *
 * A write takes effect within SETTLED_MS or never (design, section 4), but the copy lags, by
 * minutes at times: that the time is over settles nothing.  One more list does, which is
 * consistent: when what the last leader may have sent must have had its effect, and when an attempt
 * has waited for a create of this one.  Who hands over before that hands on the doubt.
 */
#ifndef KHARON_OPERATOR_SETTLING_H
#define KHARON_OPERATOR_SETTLING_H

#include "base/loop.h"

struct operator;

struct settling {
    int64_t shown;         /* LOOP_MONOTONIC: whatever has taken effect until then is in the copy */
    int64_t listing_since; /* 0: no list is under way */
    int64_t created_until; /* LOOP_MONOTONIC: then our last doubtful create has had its effect */
    struct loop_timer over;
};

void settling_setup(struct operator *op);
/* It leads: what the last leader sent is settled by op->settled_at. */
void settling_begin(struct operator *op);
void settling_end(struct operator *op);
void settling_note_create(struct operator *op); /* of a pod, whose fate is unknown */
/* There is something that the copy may not show yet. */
bool settling_is_due(const struct operator *op);

/* Lists the pods if `until` is over and they have not been listed since; look at the attempts when
 * that is done. */
void settling_ask(struct operator *op, int64_t until);
/* Nothing was in doubt. */
void settling_trust(struct operator *op, int64_t until);
/* A kind has been listed. */
void settling_progress(struct operator *op);

#endif
