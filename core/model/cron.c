/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cron.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\n\f\r"

/* A day that exists comes back within eight years: 29 February around 2100. */
#define SEARCH_MONTHS (8 * 12 + 2)

enum field_name { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };

static const struct field {
    const char *name;
    int min, max;
    const char *words; /* three letters each, the first stands for 1; NULL: none */
} fields[N_FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL},
    [HOUR] = {"hour", 0, 23, NULL},
    [DAY] = {"day of month", 1, 31, NULL},
    [MONTH] = {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    [WEEKDAY] = {"day of week", 0, 7, "montuewedthufrisatsun"},
};

static bool read_word(const char **p, const struct field *f, int *ret_value)
{
    for (const char *w = f->words; w && *w; w += 3)
        if (strncasecmp(*p, w, 3) == 0) {
            *p += 3;
            *ret_value = (int) (w - f->words) / 3 + 1;
            return true;
        }
    return false;
}

/* Saturates far above every field's maximum. */
static bool read_number(const char **p, int *ret_value)
{
    const char *digits = *p + (**p == '+');
    size_t n = strspn(digits, "0123456789");
    int value = 0;

    for (size_t i = 0; i < n; i++)
        if (value < 1000)
            value = value * 10 + (digits[i] - '0');
    *p = digits + n;
    *ret_value = value;
    return n > 0;
}

static bool read_value(const char **p, const struct field *f, int *ret_value)
{
    return read_word(p, f, ret_value) || read_number(p, ret_value);
}

/* An item of a field's list: low to high by step. */
struct item {
    int low, high, step;
    bool range;
    bool unrestricted;
};

/* What stands before the step.  Returns NULL, or what is wrong. */
static const char *read_span(const char **p, const struct field *f, struct item *item)
{
    if (**p == '*' || **p == '/') {
        *p += **p == '*';
        item->unrestricted = true;
        return NULL;
    }
    if (!read_value(p, f, &item->low))
        return "not a number or name";
    item->high = item->low;
    if (**p == '-') {
        item->range = true;
        (*p)++;
        if (!read_value(p, f, &item->high))
            return "a range needs an end";
    }
    if (item->low < f->min || item->high > f->max || item->low > f->max)
        return "out of bounds";
    return item->low > item->high ? "ranges must ascend" : NULL;
}

static const char *read_step(const char **p, const struct field *f, struct item *item)
{
    bool weekday = f == &fields[WEEKDAY];

    (*p)++;
    if (!read_number(p, &item->step))
        return "a step needs a number";
    if (item->step < 1 || item->step > f->max || (weekday && item->range && item->step == 7))
        return "the step is out of bounds";
    if (item->step > 1)
        item->unrestricted = false;
    if (!item->range)
        item->high = f->max;
    if (weekday && !item->range && item->low == 7)
        item->low = 0;
    return NULL;
}

static const char *read_item(const char **p, const struct field *f, struct item *item)
{
    *item = (struct item) {.low = f->min, .high = f->max, .step = 1};
    const char *why = read_span(p, f, item);

    if (!why && **p == '/')
        why = read_step(p, f, item);
    return why;
}

/* `text` ends at a blank or NUL.  An unrestricted field is one such item alone. */
static bool parse_field(const char *text, const struct field *f, uint64_t *ret_mask, bool *ret_any,
                        struct error *err)
{
    size_t len = strcspn(text, BLANKS);
    const char *p = text, *end = text + len;
    struct item item;
    int n = 0;

    *ret_mask = 0;
    do {
        const char *why = read_item(&p, f, &item);
        if (!why && p < end && *p != ',')
            why = "not understood";
        if (why)
            return error_set(err, ERROR_INVALID, "%s \"%.*s\": %s", f->name, (int) len, text, why);
        for (int value = item.low; value <= item.high; value += item.step)
            *ret_mask |= UINT64_C(1) << value;
        n++;
    } while (p++ < end);
    *ret_any = n == 1 && item.unrestricted;
    return true;
}

bool cron_parse(const char *text, struct cron *ret_cron, struct error *err)
{
    uint64_t masks[N_FIELDS];
    bool any[N_FIELDS];
    const char *p = text + strspn(text, BLANKS);

    for (int i = 0; i < N_FIELDS; i++) {
        if (!*p)
            return error_set(err, ERROR_INVALID, "%s: a cron expression has five fields", text);
        if (!parse_field(p, &fields[i], &masks[i], &any[i], err))
            return false;
        p += strcspn(p, BLANKS);
        p += strspn(p, BLANKS);
    }
    if (*p)
        return error_set(err, ERROR_INVALID, "%s: a cron expression has five fields", text);
    *ret_cron = (struct cron) {
        .minutes = masks[MINUTE],
        .hours = (uint32_t) masks[HOUR],
        .days = (uint32_t) masks[DAY],
        .months = (uint32_t) masks[MONTH],
        .weekdays = (uint8_t) ((masks[WEEKDAY] | masks[WEEKDAY] >> 7) & 0x7f),
        .any_day = any[DAY],
        .any_weekday = any[WEEKDAY],
    };
    return true;
}

/* Bits 1 to 31: the days of that month that match, whether or not the month does. */
static uint32_t matching_days(const struct cron *c, int year, int month)
{
    struct civil first = {.year = year, .month = month, .day = 1};
    uint32_t all = (uint32_t) ((UINT64_C(2) << days_in_month(year, month)) - 2);
    int weekday = civil_of(instant_of(&first)).weekday;
    uint32_t week = ((uint32_t) c->weekdays * 0x81u) >> weekday & 0x7f;  /* bit 0: day 1 */
    uint32_t by_weekday = (uint32_t) (week * UINT64_C(0x10204081) << 1); /* every seven bits */

    if (c->any_day)
        return c->any_weekday ? all : by_weekday & all;
    return (c->any_weekday ? c->days : c->days | by_weekday) & all;
}

static bool month_matches(const struct cron *c, int month)
{
    return c->months >> month & 1;
}

/* Moves `at` to the first match at or after its hour and minute of the day. */
static bool first_in_day(const struct cron *c, struct civil *at)
{
    uint64_t minutes = c->hours >> at->hour & 1 ? c->minutes >> at->minute : 0;

    if (minutes) {
        at->minute += __builtin_ctzll(minutes);
        return true;
    }
    uint32_t later = c->hours & -(2u << at->hour);
    if (!later)
        return false;
    at->hour = __builtin_ctz(later);
    at->minute = __builtin_ctzll(c->minutes);
    return true;
}

static bool last_in_day(const struct cron *c, struct civil *at)
{
    uint64_t up_to = (UINT64_C(2) << at->minute) - 1;
    uint64_t minutes = c->hours >> at->hour & 1 ? c->minutes & up_to : 0;

    if (minutes) {
        at->minute = 63 - __builtin_clzll(minutes);
        return true;
    }
    uint32_t earlier = c->hours & ((1u << at->hour) - 1);
    if (!earlier)
        return false;
    at->hour = 31 - __builtin_clz(earlier);
    at->minute = 63 - __builtin_clzll(c->minutes);
    return true;
}

/* The same for the rest of the month; of a later day the whole counts. */
static bool first_in_month(const struct cron *c, struct civil *at)
{
    uint32_t days =
        month_matches(c, at->month) ? matching_days(c, at->year, at->month) & -(1u << at->day) : 0;

    for (; days; days &= days - 1) {
        int day = __builtin_ctz(days);
        if (day != at->day)
            at->hour = at->minute = 0;
        at->day = day;
        if (first_in_day(c, at))
            return true;
    }
    return false;
}

static bool last_in_month(const struct cron *c, struct civil *at)
{
    uint32_t days = month_matches(c, at->month)
                        ? matching_days(c, at->year, at->month) & ((2u << at->day) - 1)
                        : 0;

    while (days) {
        int day = 31 - __builtin_clz(days);
        if (day != at->day) {
            at->hour = 23;
            at->minute = 59;
        }
        at->day = day;
        if (last_in_day(c, at))
            return true;
        days &= ~(1u << day);
    }
    return false;
}

static void next_month(struct civil *at)
{
    int month = at->month % 12 + 1;

    *at = (struct civil) {.year = at->year + (month == 1), .month = month, .day = 1};
}

static void previous_month(struct civil *at)
{
    int month = at->month == 1 ? 12 : at->month - 1, year = at->year - (at->month == 1);

    *at = (struct civil) {.year = year, .month = month, .day = days_in_month(year, month)};
    at->hour = 23;
    at->minute = 59;
}

static instant floor_minute(instant t)
{
    return t - (t % MINUTE_MS + MINUTE_MS) % MINUTE_MS;
}

bool cron_matches(const struct cron *c, instant t)
{
    struct civil at = civil_of(t);

    return at.second == 0 && at.milli == 0 && c->minutes >> at.minute & 1 &&
           c->hours >> at.hour & 1 && month_matches(c, at.month) &&
           matching_days(c, at.year, at.month) >> at.day & 1;
}

bool cron_next(const struct cron *c, instant t, instant *ret_instant)
{
    instant from = t < INSTANT_MIN ? INSTANT_MIN : floor_minute(instant_clamp(t)) + MINUTE_MS;
    struct civil at = civil_of(from);

    for (int i = 0; i < SEARCH_MONTHS && at.year <= 9999; i++) {
        if (first_in_month(c, &at)) {
            *ret_instant = instant_of(&at);
            return true;
        }
        next_month(&at);
    }
    return false;
}

bool cron_previous(const struct cron *c, instant t, instant *ret_instant)
{
    instant to = t > INSTANT_MAX ? INSTANT_MAX : instant_clamp(t) - 1;
    struct civil at = civil_of(floor_minute(to));

    for (int i = 0; i < SEARCH_MONTHS && at.year >= 1; i++) {
        if (last_in_month(c, &at)) {
            *ret_instant = instant_of(&at);
            return true;
        }
        previous_month(&at);
    }
    return false;
}

/* Matches of the month that are before `at`. */
static int64_t count_before(const struct cron *c, const struct civil *at)
{
    uint32_t days = matching_days(c, at->year, at->month);
    int hours = __builtin_popcount(c->hours & ((1u << at->hour) - 1));
    int minutes = __builtin_popcountll(c->minutes), n;

    if (!month_matches(c, at->month))
        return 0;
    n = __builtin_popcount(days & ((1u << at->day) - 1)) * __builtin_popcount(c->hours) * minutes;
    if (days >> at->day & 1)
        n += hours * minutes;
    if (days >> at->day & 1 && c->hours >> at->hour & 1)
        n += __builtin_popcountll(c->minutes & ((UINT64_C(1) << at->minute) - 1));
    return n;
}

static int64_t count_month(const struct cron *c, const struct civil *at)
{
    int minutes = __builtin_popcountll(c->minutes), hours = __builtin_popcount(c->hours);

    if (!month_matches(c, at->month))
        return 0;
    return (int64_t) __builtin_popcount(matching_days(c, at->year, at->month)) * hours * minutes;
}

static struct civil ceil_minute(instant t)
{
    return civil_of(floor_minute(instant_clamp(t) + MINUTE_MS - 1));
}

int64_t cron_count(const struct cron *c, instant from, instant to)
{
    struct civil at = ceil_minute(from), end = ceil_minute(to);

    if (to <= from)
        return 0;
    int64_t n = -count_before(c, &at);
    for (; at.year != end.year || at.month != end.month; next_month(&at))
        n += count_month(c, &at);
    return n + count_before(c, &end);
}
