/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five-field cron expressions in Styx's dialect (Styx behaviour, 6.2), in UTC.
 *
 * Minute, hour, day of month, month, day of week; lists, ranges, steps (a-b/n, *\/n, /n, a/n), names
 * of months and days.  Both day fields restricted: either matches.
 */
#ifndef KHARON_MODEL_CRON_H
#define KHARON_MODEL_CRON_H

#include "model/time.h"

struct cron {
    uint64_t minutes;               /* bit n: minute n */
    uint32_t hours, days, months;   /* bit n: that hour, day of month, month */
    uint8_t weekdays;               /* bit 0: Sunday */
    bool any_day, any_weekday;      /* the field is a bare star */
};

bool cron_parse(const char *text, struct cron *ret_cron, struct error *err);
bool cron_matches(const struct cron *c, instant t);          /* false if t has a part below a minute */
/* The first match strictly after, or the last strictly before, t.  False: there is none. */
bool cron_next(const struct cron *c, instant t, instant *ret_instant);
bool cron_previous(const struct cron *c, instant t, instant *ret_instant);

#endif
