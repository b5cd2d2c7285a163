/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules: the well-known aliases and cron expressions (Styx behaviour, 6.1 to 6.3).
 *
 * `hourly` and `0 * * * *` are different schedules: they differ in default offset and in the text
 * of their partitions.
 */
#ifndef KHARON_MODEL_SCHEDULE_H
#define KHARON_MODEL_SCHEDULE_H

#include "model/cron.h"
#include "model/offset.h"

enum schedule_kind {
    SCHEDULE_HOURS,
    SCHEDULE_DAYS,
    SCHEDULE_WEEKS,
    SCHEDULE_MONTHS,
    SCHEDULE_YEARS,
    SCHEDULE_CRON,
};

#define SCHEDULE_TEXT_MAX 257

struct schedule {
    enum schedule_kind kind;
    struct cron cron;
    /* Canonical: "hours" … "years", or the expression in lower case with single blanks.  Two
     * schedules are the same if and only if this text is. */
    char text[SCHEDULE_TEXT_MAX];
};

bool schedule_parse(const char *text, struct schedule *ret_schedule, struct error *err);
const struct offset *schedule_default_offset(const struct schedule *s);
const char *schedule_default_offset_text(const struct schedule *s);

bool schedule_aligned(const struct schedule *s, instant t);
bool schedule_next(const struct schedule *s, instant t, instant *ret_instant);       /* strictly after */
bool schedule_previous(const struct schedule *s, instant t, instant *ret_instant);   /* strictly before */

#endif
