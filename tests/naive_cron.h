/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cron expressions a second time, to hold core/model/cron.c against: a table of what matches in
 * each field, and days looked at one by one.  The calendar is that of the C library.
 *
 * Written from the specification (Styx behaviour, 6.2) and in another way than what it judges: the
 * text is cut up from the outside to the inside, and nothing is computed that can be looked up.
 */
#ifndef KHARON_NAIVE_CRON_H
#define KHARON_NAIVE_CRON_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NAIVE_UNUSED __attribute__((unused))

enum { NAIVE_MINUTE, NAIVE_HOUR, NAIVE_DAY, NAIVE_MONTH, NAIVE_WEEKDAY, NAIVE_FIELDS };

struct naive_cron {
    bool has[NAIVE_FIELDS][60];
    bool bare[NAIVE_FIELDS]; /* a star and nothing else */
};

static const struct {
    long min, max;
    const char *names[13]; /* the place in the list is the value */
} naive_fields[NAIVE_FIELDS] = {
    [NAIVE_MINUTE] = {0, 59, {NULL}},
    [NAIVE_HOUR] = {0, 23, {NULL}},
    [NAIVE_DAY] = {1, 31, {NULL}},
    [NAIVE_MONTH] = {1,
                     12,
                     {"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct",
                      "nov", "dec"}},
    [NAIVE_WEEKDAY] = {0, 7, {"", "mon", "tue", "wed", "thu", "fri", "sat", "sun"}},
};

/* -1: not a number. */
static long naive_number(const char *text)
{
    const char *digits = *text == '+' ? text + 1 : text;
    size_t n = strlen(digits);
    unsigned long value;

    for (size_t i = 0; i < n; i++)
        if (digits[i] < '0' || digits[i] > '9')
            return -1;
    value = strtoul(digits, NULL, 10);
    return n == 0 ? -1 : value > 9999 ? 9999 : (long) value;
}

static long naive_value(const char *text, int field)
{
    for (int i = 1; i < 13 && naive_fields[field].names[i]; i++)
        if (strcasecmp(text, naive_fields[field].names[i]) == 0)
            return i;
    return naive_number(text);
}

/* A text is cut at the first of this character; returns what follows, or NULL. */
static char *naive_cut(char *text, char at)
{
    char *found = strchr(text, at);

    if (found)
        *found++ = '\0';
    return found;
}

static bool naive_item(char *item, int field, struct naive_cron *c)
{
    long min = naive_fields[field].min, max = naive_fields[field].max;
    char *step_text = naive_cut(item, '/');
    bool star = strcmp(item, "*") == 0 || (step_text && !*item);
    char *high_text = naive_cut(item, '-');
    long step = step_text ? naive_number(step_text) : 1;
    long low = star ? min : naive_value(item, field);
    long high = star ? max : high_text ? naive_value(high_text, field) : low;

    if (low < min || high < low || high > max || step < 1 || step > max)
        return false;
    if (field == NAIVE_WEEKDAY && high_text && step == 7 && step_text)
        return false;
    if (step_text && !high_text)
        high = max; /* from there to the end ... */
    if (step_text && !high_text && field == NAIVE_WEEKDAY && low == 7)
        low = 0; /* ... which for Sunday begins anew */
    for (long value = low; value <= high; value++)
        if ((value - low) % step == 0)
            c->has[field][field == NAIVE_WEEKDAY && value == 7 ? 0 : value] = true;
    c->bare[field] = star && step == 1;
    return true;
}

static bool naive_field(char *text, int field, struct naive_cron *c)
{
    bool many = strchr(text, ',') != NULL;

    while (text) {
        char *rest = naive_cut(text, ',');

        if (!naive_item(text, field, c))
            return false;
        text = rest;
    }
    if (many)
        c->bare[field] = false;
    return true;
}

/* Five fields between blanks. */
NAIVE_UNUSED static bool naive_cron_parse(const char *text, struct naive_cron *ret_cron)
{
    char *copy = strdup(text), *rest = copy;
    int n = 0;
    bool good = true;

    memset(ret_cron, 0, sizeof(*ret_cron));
    for (char *field; good && (field = strsep(&rest, " \t\n\f\r"));) {
        if (!*field)
            continue;
        good = n < NAIVE_FIELDS && naive_field(field, n, ret_cron);
        n++;
    }
    free(copy);
    return good && n == NAIVE_FIELDS;
}

NAIVE_UNUSED static bool naive_cron_has_day(const struct naive_cron *c, int month, int day,
                                            int weekday)
{
    bool by_day = c->has[NAIVE_DAY][day], by_weekday = c->has[NAIVE_WEEKDAY][weekday];

    if (!c->has[NAIVE_MONTH][month])
        return false;
    if (!c->bare[NAIVE_DAY] && !c->bare[NAIVE_WEEKDAY])
        return by_day || by_weekday;
    return by_day && by_weekday;
}

static bool naive_cron_has_minute(const struct naive_cron *c, int minute_of_day)
{
    return c->has[NAIVE_HOUR][minute_of_day / 60] && c->has[NAIVE_MINUTE][minute_of_day % 60];
}

/* Days since 1970. */
static bool naive_cron_has_date(const struct naive_cron *c, int64_t date)
{
    time_t midnight = (time_t) date * 86400;
    struct tm tm;

    gmtime_r(&midnight, &tm);
    return naive_cron_has_day(c, tm.tm_mon + 1, tm.tm_mday, tm.tm_wday);
}

/* The first match among the minutes (since 1970) from `from` to `to`, whichever of them comes
 * first; false: none. */
NAIVE_UNUSED static bool naive_cron_find(const struct naive_cron *c, int64_t from, int64_t to,
                                         int64_t *ret_minute)
{
    int64_t step = from <= to ? 1 : -1, date = from / 1440 - (from % 1440 < 0), last = -1;
    bool match = false;

    for (int64_t minute = from; step > 0 ? minute <= to : minute >= to;) {
        date = minute / 1440 - (minute % 1440 < 0);
        if (minute == from || date != last)
            match = naive_cron_has_date(c, date);
        last = date;
        if (!match) {
            minute = step > 0 ? (date + 1) * 1440 : date * 1440 - 1;
            continue;
        }
        if (naive_cron_has_minute(c, (int) (minute - date * 1440))) {
            *ret_minute = minute;
            return true;
        }
        minute += step;
    }
    return false;
}

#endif
