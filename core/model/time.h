/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as values: instants in milliseconds since 1970 UTC, civil dates, ISO-8601 text.
 *
 * There is no time zone but UTC and no clock in here: callers hand in the time of their loop.
 * Instants from year 0001 to 9999 are valid, on the proleptic Gregorian calendar and without leap
 * seconds.  INSTANT_NONE stands for an absent instant in structs; no function takes it.
 *
 * Parsers take whole texts (no blanks around) and fail with ERROR_INVALID and a text that shows
 * what was given and what would be right; it does not say which field it came from, so callers
 * prefix that.  Printers return the buffer that they were given.
 *
 * Source of the text forms: Styx behaviour, 2.3 (instants, durations) and 6.4.
 */
#ifndef KHARON_MODEL_TIME_H
#define KHARON_MODEL_TIME_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t instant; /* ms since 1970-01-01T00:00Z */

#define INSTANT_NONE INT64_MIN
#define INSTANT_MIN  (-62135596800000) /* 0001-01-01T00:00:00Z */
#define INSTANT_MAX  253402300799999   /* 9999-12-31T23:59:59.999Z */

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

struct civil {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second, milli;
    int weekday; /* 0 is Sunday; ignored by instant_of */
};

struct civil civil_of(instant t);
instant instant_of(const struct civil *c); /* the fields must be a valid date and time */
int days_in_month(int year, int month);

#define INSTANT_TEXT_MAX 40

/* 2016-07-13T09:00:23.941Z: no fraction when it is zero, three digits otherwise. */
const char *instant_print(instant t, char text[INSTANT_TEXT_MAX]);
/* 2016-07-13T09:00:23.941000Z, as Kubernetes wants MicroTime. */
const char *instant_print_micro(instant t, char text[INSTANT_TEXT_MAX]);
/* Any ISO-8601 instant with Z or a numeric offset, date and time in their extended forms, any case;
 * seconds may be absent.  Digits of a fraction (1 to 9) beyond milliseconds are dropped. */
bool instant_parse(const char *text, instant *ret_instant, struct error *err);

/* Years from 0001 to 9999; what lies outside becomes the nearest bound. */
instant instant_clamp(int64_t t);

/* ISO-8601 durations with an exact length: PnWnDTnHnMn.nS, in any case, with signs as in offset.h;
 * at least one number.  Years and months are refused, and so is more than 10,000 years.
 * Milliseconds. */
bool duration_parse(const char *text, int64_t *ret_ms, struct error *err);
#define DURATION_TEXT_MAX 40
/* PT59S, PT2H, PT24H, PT1.5S, PT0S; every part of a negative one has its sign (PT-1M-30S). */
const char *duration_print(int64_t ms, char text[DURATION_TEXT_MAX]);

#endif
