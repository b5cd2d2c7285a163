/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five-field cron expressions in Styx's dialect (Styx behaviour, 6.2), in UTC.
 *
 * Minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day of week 0-7 or MON-SUN,
 * where 0, 7 and SUN are Sunday; separated by blanks, in any case.  A field is a list of
 *
 *     *   a   a-b   *\/n or /n   a-b/n   a/n (from a to the field's end)
 *
 * Peculiarities, all of which people have by now relied upon:
 *
 *  - ranges ascend, and SUN is 7 in them: FRI-SUN is valid, SUN-TUE is not;
 *  - a step is at most the field's maximum, and 7 is none in a range of days of the week;
 *  - steps over days of the week count over 0 to 7, so *\/2 is Sunday, Tuesday, Thursday, Saturday;
 *    a/n with Sunday as a starts at 0;
 *  - if both day fields are restricted, a day that matches either matches.  Only *, *\/1 and /1 are
 *    unrestricted.
 *
 * A cron is a value: parse it once, it needs no clean-up.  An expression that matches no day of any
 * year (30 February) parses; cron_next then finds nothing.
 */
#ifndef KHARON_MODEL_CRON_H
#define KHARON_MODEL_CRON_H

#include "model/time.h"

struct cron {
    uint64_t minutes;             /* bit n: minute n */
    uint32_t hours, days, months; /* bit n: that hour, day of month, month */
    uint8_t weekdays;             /* bit 0: Sunday */
    bool any_day, any_weekday;    /* the field is unrestricted */
};

/* The error names the field, the item and what is wrong with it. */
bool cron_parse(const char *text, struct cron *ret_cron, struct error *err);

bool cron_matches(const struct cron *c, instant t); /* false if t has a part below a minute */

/* The first match strictly after, or the last strictly before, t.  False: there is none in the
 * years 0001 to 9999.  Takes no longer than looking at a hundred months. */
bool cron_next(const struct cron *c, instant t, instant *ret_instant);
bool cron_previous(const struct cron *c, instant t, instant *ret_instant);

/* How many matches there are from `from` (inclusive) to `to` (exclusive); 0 if to <= from.  Takes
 * time by the number of months in between, not of matches. */
int64_t cron_count(const struct cron *c, instant from, instant to);

#endif
