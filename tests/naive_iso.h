/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ISO-8601 instants a second time, to hold core/model against: forms are patterns that a text has
 * as a whole, and whether a date exists is asked of the C library.
 */
#ifndef KHARON_NAIVE_ISO_H
#define KHARON_NAIVE_ISO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* '0' is any digit, other characters are themselves. */
static bool naive_has_form(const char *text, size_t len, const char *form)
{
    if (len != strlen(form))
        return false;
    for (size_t i = 0; i < len; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static int naive_int(const char *text, size_t at, size_t n)
{
    int value = 0;

    for (size_t i = at; i < at + n; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* The seconds of YYYY-MM-DD and HH:MM:SS, if the calendar has them. */
static bool naive_seconds(const char *date, int hour, int minute, int second, int64_t *ret)
{
    struct tm tm = {.tm_year = naive_int(date, 0, 4) - 1900,
                    .tm_mon = naive_int(date, 5, 2) - 1,
                    .tm_mday = naive_int(date, 8, 2),
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    struct tm asked = tm;

    if (tm.tm_year + 1900 < 1)
        return false;
    *ret = timegm(&tm); /* which also puts 31 April right */
    return tm.tm_mon == asked.tm_mon && tm.tm_mday == asked.tm_mday && tm.tm_hour == hour &&
           tm.tm_min == minute && tm.tm_sec == second;
}

/* ±HH, ±HHMM, ±HH:MM up to 18 hours. */
static bool naive_zone(const char *text, int64_t *ret_seconds)
{
    static const char *const forms[] = {"00", "0000", "00:00"};
    size_t len = strlen(text);

    if (*text != '+' && *text != '-')
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (!naive_has_form(text + 1, len - 1, forms[i]))
            continue;
        int minutes = i == 0 ? 0 : naive_int(text, len - 2, 2);
        int64_t seconds = naive_int(text, 1, 2) * 3600 + minutes * 60;
        *ret_seconds = *text == '-' ? -seconds : seconds;
        return minutes < 60 && seconds <= 18 * 3600;
    }
    return false;
}

/* HH, HH:MM, HH:MM:SS or HH:MM:SS.f at text[0..len), on this date: the milliseconds since 1970. */
static bool naive_moment(const char *date, const char *text, size_t len, int64_t *ret_ms)
{
    const char *point = memchr(text, '.', len);
    size_t whole = point ? (size_t) (point - text) : len, digits = point ? len - whole - 1 : 0;
    int minute = 0, second = 0, milli = 0;
    int64_t seconds;

    if (naive_has_form(text, whole, "00:00:00"))
        second = naive_int(text, 6, 2);
    else if (point || !(naive_has_form(text, len, "00") || naive_has_form(text, len, "00:00")))
        return false;
    if (whole > 2)
        minute = naive_int(text, 3, 2);
    if (point &&
        (digits < 1 || digits > 9 || !naive_has_form(point + 1, digits, &"000000000"[9 - digits])))
        return false;
    for (size_t i = 0; i < 3; i++)
        milli = milli * 10 + (i < digits ? point[1 + i] - '0' : 0);
    if (!naive_seconds(date, naive_int(text, 0, 2), minute, second, &seconds))
        return false;
    *ret_ms = seconds * 1000 + milli;
    return true;
}

#endif
