/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up to when the copy of the pods shows whatever was asked for.
 *
 * A write takes effect within SETTLED_MS or never (design, section 4), but the copy lags, by
 * minutes at times: that the time is over settles nothing.  Whoever waited for that asks for one
 * more list, which is consistent, and goes on when that shows nothing.
 */
#ifndef KHARON_OPERATOR_SETTLING_H
#define KHARON_OPERATOR_SETTLING_H

#include <stdint.h>

struct operator;

struct settling {
    int64_t shown; /* LOOP_MONOTONIC: whatever has taken effect until then is in the copy */
    int64_t listing_since; /* 0: no list is under way */
};

/* Lists the pods if `until` is over and they have not been listed since; look at the attempts when
 * that is done. */
void settling_ask(struct operator *op, int64_t until);
/* Nothing was in doubt. */
void settling_trust(struct operator *op, int64_t until);
/* A kind has been listed. */
void settling_progress(struct operator *op);

#endif
