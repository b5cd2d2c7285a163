/* SPDX-License-Identifier: Apache-2.0 */
#include "model/time.h"

#include "base/alloc.h"
#include "model/iso.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_IN_ERA 146097 /* 400 years, after which the calendar repeats */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01.  Years are counted from March, so that the leap day is the last one and
 * the lengths of months follow one formula. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = floor_div(y, 400), year_of_era = y - era * 400;
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_IN_ERA + day_of_era - 719468; /* 0000-03-01 to 1970-01-01 */
}

static void set_date(struct civil *c, int64_t days)
{
    int64_t z = days + 719468, era = floor_div(z, DAYS_IN_ERA), day_of_era = z - era * DAYS_IN_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    c->day = (int) (day_of_year - (153 * month_from_march + 2) / 5 + 1);
    c->month = (int) (month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    c->year = (int) (year_of_era + era * 400 + (c->month <= 2));
}

struct civil civil_of(instant t)
{
    struct civil c = {0};
    int64_t days = floor_div(t, DAY_MS), ms = t - days * DAY_MS;

    set_date(&c, days);
    c.hour = (int) (ms / HOUR_MS);
    c.minute = (int) (ms / MINUTE_MS % 60);
    c.second = (int) (ms / SECOND_MS % 60);
    c.milli = (int) (ms % SECOND_MS);
    c.weekday = (int) (days + 4 - floor_div(days + 4, 7) * 7); /* 1970 began on a Thursday */
    return c;
}

instant instant_of(const struct civil *c)
{
    return days_of(c->year, c->month, c->day) * DAY_MS + c->hour * HOUR_MS + c->minute * MINUTE_MS +
           c->second * SECOND_MS + c->milli;
}

int days_in_month(int year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

instant instant_clamp(int64_t t)
{
    return t < INSTANT_MIN ? INSTANT_MIN : t > INSTANT_MAX ? INSTANT_MAX : t;
}

static char *put_digits(char *p, int value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        p[i] = (char) ('0' + value % 10);
    return p + n;
}

static char *put_field(char *p, char before, int value, int n)
{
    *p++ = before;
    return put_digits(p, value, n);
}

/* Up to the seconds. */
static char *put_instant(char *p, const struct civil *c)
{
    p = put_digits(p, c->year, 4);
    p = put_field(p, '-', c->month, 2);
    p = put_field(p, '-', c->day, 2);
    p = put_field(p, 'T', c->hour, 2);
    p = put_field(p, ':', c->minute, 2);
    return put_field(p, ':', c->second, 2);
}

const char *instant_print(instant t, char text[INSTANT_TEXT_MAX])
{
    struct civil c = civil_of(t);
    char *p = put_instant(text, &c);

    assert(t == instant_clamp(t));
    if (c.milli)
        p = put_field(p, '.', c.milli, 3);
    memcpy(p, "Z", sizeof("Z"));
    return text;
}

const char *instant_print_micro(instant t, char text[INSTANT_TEXT_MAX])
{
    struct civil c = civil_of(t);
    char *p = put_instant(text, &c);

    assert(t == instant_clamp(t));
    p = put_field(p, '.', c.milli * 1000, 6);
    memcpy(p, "Z", sizeof("Z"));
    return text;
}

/* The whole text, with its year perhaps out of range by the zone's offset. */
static bool read_instant(const char *p, instant *ret_instant)
{
    struct civil c;
    int64_t zone = 0;

    if (!iso_date(&p, &c) || (*p != 'T' && *p != 't'))
        return false;
    const char *time = ++p;
    if (!iso_time(&p, &c) || time[2] != ':') /* only partitions may end after the hour */
        return false;
    if (*p == 'Z' || *p == 'z')
        p++;
    else if (!iso_zone_offset(&p, &zone))
        return false;
    *ret_instant = instant_of(&c) - zone;
    return !*p;
}

bool instant_parse(const char *text, instant *ret_instant, struct error *err)
{
    instant t;

    if (!read_instant(text, &t))
        return error_set(err, ERROR_INVALID,
                         "%s is not an ISO-8601 instant such as 2026-01-31T09:00:00Z", text);
    if (t != instant_clamp(t))
        return error_set(err, ERROR_INVALID, "%s is outside of the years 0001 to 9999", text);
    *ret_instant = t;
    return true;
}

/* For `2h`, which people write: the text that they should write, or false. */
static bool suggest_duration(const char *text, char suggestion[DURATION_TEXT_MAX])
{
    static const struct {
        char unit;
        const char *before;
    } known[] = {{'s', "PT"}, {'m', "PT"}, {'h', "PT"}, {'d', "P"}};
    size_t n = strspn(text, "0123456789");

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (n > 0 && n < 10 && (text[n] | 0x20) == known[i].unit && !text[n + 1]) {
            snprintf(suggestion, DURATION_TEXT_MAX, "%s%.*s%c", known[i].before, (int) n, text,
                     known[i].unit - 'a' + 'A');
            return true;
        }
    return false;
}

bool duration_parse(const char *text, int64_t *ret_ms, struct error *err)
{
    struct iso_period period;
    char suggestion[DURATION_TEXT_MAX];
    enum iso_result result = iso_period(text, &period);

    if (result == ISO_TOO_LARGE)
        return error_set(err, ERROR_INVALID, "%s is longer than %d years", text,
                         ISO_PERIOD_YEARS_MAX);
    if (result == ISO_MALFORMED && suggest_duration(text, suggestion))
        return error_set(err, ERROR_INVALID, "%s is not an ISO-8601 duration, write %s", text,
                         suggestion);
    if (result == ISO_MALFORMED || period.empty)
        return error_set(err, ERROR_INVALID, "%s is not an ISO-8601 duration such as PT2H", text);
    if (period.calendar)
        return error_set(err, ERROR_INVALID,
                         "%s has years or months, whose length varies; write days or hours", text);
    *ret_ms = period.days * DAY_MS + period.ms;
    return true;
}

static size_t put_seconds(char *text, size_t size, int64_t ms)
{
    int milli = (int) (ms < 0 ? -(ms % SECOND_MS) : ms % SECOND_MS);
    int n =
        snprintf(text, size, "%s%" PRId64, ms < 0 ? "-" : "", (ms < 0 ? -1 : 1) * (ms / SECOND_MS));

    if (milli) {
        n += snprintf(text + n, size - (size_t) n, ".%03d", milli);
        while (text[n - 1] == '0')
            n--;
    }
    text[n++] = 'S';
    text[n] = '\0';
    return (size_t) n;
}

const char *duration_print(int64_t ms, char text[DURATION_TEXT_MAX])
{
    int64_t hours = ms / HOUR_MS, minutes = ms % HOUR_MS / MINUTE_MS, rest = ms % MINUTE_MS;
    size_t n = sizeof("PT") - 1;

    memcpy(text, "PT", sizeof("PT"));
    if (hours)
        n += (size_t) snprintf(text + n, DURATION_TEXT_MAX - n, "%" PRId64 "H", hours);
    if (minutes)
        n += (size_t) snprintf(text + n, DURATION_TEXT_MAX - n, "%" PRId64 "M", minutes);
    if (rest || !ms)
        put_seconds(text + n, DURATION_TEXT_MAX - n, rest);
    return text;
}
