/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as values: instants in milliseconds since 1970 UTC, civil dates, ISO-8601 text.
 *
 * There is no time zone but UTC and no clock in here.  Instants from year 0001 to 9999 are valid.
 * Source of the text forms: Styx behaviour, 2.3 (instants, durations) and 6.4.
 */
#ifndef KHARON_MODEL_TIME_H
#define KHARON_MODEL_TIME_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t instant;            /* ms since 1970-01-01T00:00Z */

#define INSTANT_NONE INT64_MIN
#define INSTANT_MIN (-62135596800000)
#define INSTANT_MAX 253402300799999

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

struct civil {
    int year, month, day;           /* month and day from 1 */
    int hour, minute, second, milli;
    int weekday;                    /* 0 is Sunday; ignored by instant_of */
};

struct civil civil_of(instant t);
instant instant_of(const struct civil *c);          /* the fields must be a valid date and time */
int days_in_month(int year, int month);

#define INSTANT_TEXT_MAX 40

/* 2016-07-13T09:00:23.941Z: no fraction when it is zero, three digits otherwise. */
const char *instant_print(instant t, char text[INSTANT_TEXT_MAX]);
/* 2016-07-13T09:00:23.941000Z, as Kubernetes wants MicroTime. */
const char *instant_print_micro(instant t, char text[INSTANT_TEXT_MAX]);
/* Any ISO-8601 instant with Z or a numeric offset; digits of a fraction beyond milliseconds are
 * dropped. */
bool instant_parse(const char *text, instant *ret_instant, struct error *err);

/* ISO-8601 durations with an exact length: PnDTnHnMn.nS (and weeks), signs as in offset.h.  Years and
 * months are refused.  Milliseconds. */
bool duration_parse(const char *text, int64_t *ret_ms, struct error *err);
#define DURATION_TEXT_MAX 40
const char *duration_print(int64_t ms, char text[DURATION_TEXT_MAX]);     /* PT59S, PT2H, PT24H, PT1.5S */

#endif
