/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets: a calendar period and an exact duration, added to instants (Styx behaviour, 6.5).
 *
 *     [+|-]P[nY][nM][nW][nD][T[nH][nM][nS]]
 *
 * in any case, every number with a sign of its own if wanted, a fraction (. or ,) on seconds only;
 * `P` and `PT` are zero.  Not a function of its length: P1M is 28 to 31 days.
 */
#ifndef KHARON_MODEL_OFFSET_H
#define KHARON_MODEL_OFFSET_H

#include "model/time.h"

/* Each member is at most 10,000 years or so, whatever its sign: offset_parse refuses more. */
struct offset {
    int64_t months; /* years and months; month ends are clamped */
    int64_t days;   /* weeks and days */
    int64_t ms;
};

bool offset_parse(const char *text, struct offset *ret_offset, struct error *err);

/* t + o: first the months (31 January plus one is 28 or 29 February, at the same time of day), then
 * days, then milliseconds.  Results outside of the years 0001 to 9999 are clamped to them.
 *
 * Two traps: subtracting is adding the negated offset and no inverse around month ends; and with
 * months, a later t may give an earlier result (30 January 10:00 and 31 January 09:00). */
instant offset_add(instant t, const struct offset *o);
instant offset_subtract(instant t, const struct offset *o);

#endif
