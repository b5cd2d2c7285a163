/* SPDX-License-Identifier: Apache-2.0 */
#include "model/partition.h"

#include "base/alloc.h"
#include "model/iso.h"

#include <string.h>

/* Every text is the beginning of an instant's. */
#define LEN_YEAR   4  /* 2016 */
#define LEN_MONTH  7  /* 2016-01 */
#define LEN_DAY    10 /* 2016-01-19 */
#define LEN_HOUR   13 /* 2016-01-19T09 */
#define LEN_MINUTE 16 /* 2016-01-19T09:11 */

static const struct {
    size_t len;
    const char *rest, *example;
} formats[] = {
    [SCHEDULE_HOURS] = {LEN_HOUR, "", "2016-01-19T09"},
    [SCHEDULE_DAYS] = {LEN_DAY, "", "2016-01-19"},
    [SCHEDULE_WEEKS] = {LEN_DAY, "", "2016-01-18"},
    [SCHEDULE_MONTHS] = {LEN_MONTH, "", "2016-01"},
    [SCHEDULE_YEARS] = {LEN_YEAR, "", "2016"},
    [SCHEDULE_CRON] = {LEN_MINUTE, ":00Z", "2016-01-19T09:11:00Z"},
};

const char *partition_print(const struct schedule *s, instant t, char text[PARTITION_TEXT_MAX])
{
    char whole[INSTANT_TEXT_MAX];
    size_t len = formats[s->kind].len;

    instant_print(t, whole);
    memcpy(text, whole, len);
    memcpy(text + len, formats[s->kind].rest, strlen(formats[s->kind].rest) + 1);
    return text;
}

static bool read_zone(const char *p, int64_t *ret_ms)
{
    static const char *const utc[] = {"", "Z", "UTC", "GMT", "UT"};

    *ret_ms = 0;
    for (size_t i = 0; i < ARRAY_SIZE(utc); i++)
        if (strcmp(p, utc[i]) == 0)
            return true;
    return iso_zone_offset(&p, ret_ms) && !*p;
}

/* YYYY and YYYY-MM where the schedule takes them.  The first day of it, at midnight. */
static bool read_short(enum schedule_kind kind, const char *p, struct civil *c)
{
    bool years = kind == SCHEDULE_YEARS, months = kind == SCHEDULE_MONTHS;

    *c = (struct civil) {.month = 1, .day = 1};
    if (!iso_year(&p, c))
        return false;
    if (!*p)
        return years;
    return (years || months) && iso_month(&p, c) && !*p;
}

/* YYYY-MM-DD and what may follow.  Returns NULL, or what is wrong. */
static const char *read_long(const char *p, struct civil *c, int64_t *ret_zone_ms)
{
    *c = (struct civil) {0};
    *ret_zone_ms = 0;
    if (!iso_date(&p, c))
        return "not a date";
    if (!*p)
        return NULL;
    if (*p++ != 'T' || !iso_time(&p, c))
        return "not a time after the date";
    return read_zone(p, ret_zone_ms)
               ? NULL
               : "the zone after the time must be Z, UTC, GMT, UT or an offset such as +01:00";
}

bool partition_parse(const struct schedule *s, const char *text, instant *ret_instant,
                     struct error *err)
{
    struct civil c;
    int64_t zone = 0;
    const char *why = read_short(s->kind, text, &c) ? NULL : read_long(text, &c, &zone);

    if (why)
        return error_set(err, ERROR_INVALID, "%s; partitions of this schedule look like %s", why,
                         formats[s->kind].example);
    instant t = instant_of(&c) - zone;
    if (t != instant_clamp(t))
        return error_set(err, ERROR_INVALID, "outside of the years 0001 to 9999");
    if (!schedule_aligned(s, t) && !schedule_previous(s, t, &t))
        return error_set(err, ERROR_INVALID, "the schedule has no partition at or before it");
    *ret_instant = t;
    return true;
}
