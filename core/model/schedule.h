/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules: the well-known aliases and cron expressions (Styx behaviour, 6.1 to 6.3).
 *
 * An alias (daily, @daily, days, in any case) is kept as its canonical name, anything else as the
 * cron expression that it is.  `hourly` and `0 * * * *` are different schedules: they differ in
 * default offset and in the text of their partitions.
 *
 * A schedule is a value without clean-up.  It is at most 256 characters long, as in the custom
 * resource.
 */
#ifndef KHARON_MODEL_SCHEDULE_H
#define KHARON_MODEL_SCHEDULE_H

#include "model/cron.h"
#include "model/offset.h"

enum schedule_kind {
    SCHEDULE_HOURS,
    SCHEDULE_DAYS,
    SCHEDULE_WEEKS, /* Mondays */
    SCHEDULE_MONTHS,
    SCHEDULE_YEARS,
    SCHEDULE_CRON,
};

#define SCHEDULE_TEXT_MAX 257

struct schedule {
    enum schedule_kind kind;
    struct cron cron; /* of every kind */
    /* Canonical: "hours" … "years", or the expression in lower case with single blanks.  Two
     * schedules are the same if and only if this text is. */
    char text[SCHEDULE_TEXT_MAX];
};

bool schedule_parse(const char *text, struct schedule *ret_schedule, struct error *err);

/* What applies if a workflow names no offset: one unit (PT1H, P1D, P1W, P1M, P1Y), or PT0S. */
const struct offset *schedule_default_offset(const struct schedule *s);
const char *schedule_default_offset_text(const struct schedule *s);

/* A partition begins at t: a match, with no part below a minute. */
bool schedule_aligned(const struct schedule *s, instant t);
/* Strictly after and strictly before t.  False: there is none, see cron.h. */
bool schedule_next(const struct schedule *s, instant t, instant *ret_instant);
bool schedule_previous(const struct schedule *s, instant t, instant *ret_instant);
/* The partitions from `from` (inclusive) to `to` (exclusive); quick, whatever their number. */
int64_t schedule_count(const struct schedule *s, instant from, instant to);

#endif
