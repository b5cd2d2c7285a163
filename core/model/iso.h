/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of ISO-8601 texts, for the parsers of time.h, offset.h and partition.h.
 *
 * Each reader takes a position, moves it behind what it read and returns true; on failure it
 * returns false and the position is anywhere.  Digits are ASCII, counts of digits are exact, and
 * dates and times are checked against the calendar.  What may follow is the caller's business.
 */
#ifndef KHARON_MODEL_ISO_H
#define KHARON_MODEL_ISO_H

#include "model/time.h"

/* Exactly n digits (n at most 9). */
bool iso_digits(const char **p, int n, int *ret_value);

/* YYYY, -MM and -DD are read apart, because partitions may end early; iso_date reads all three. */
bool iso_year(const char **p, struct civil *c);  /* 0001 to 9999 */
bool iso_month(const char **p, struct civil *c); /* with its '-' */
bool iso_day(const char **p, struct civil *c);   /* with its '-'; needs year and month */
bool iso_date(const char **p, struct civil *c);

/* HH[:MM[:SS[.f]]], f of 1 to 9 digits of which milliseconds are kept.  Absent fields become zero.
 * No hour 24, no leap second. */
bool iso_time(const char **p, struct civil *c);

/* ±HH, ±HHMM or ±HH:MM, at most 18 hours. */
bool iso_zone_offset(const char **p, int64_t *ret_ms);

/* [+|-]P[nY][nM][nW][nD][T[nH][nM][n.nS]], any case, a sign before every number allowed, a fraction
 * (after '.' or ',', up to 9 digits, cut to milliseconds) on seconds only.  The whole text; `P` and
 * `PT` are zero (Styx behaviour, 6.5). */
struct iso_period {
    int64_t months, days, ms; /* years are months, weeks are days */
    bool empty;               /* no number at all: P, PT */
    bool calendar;            /* years or months were given, perhaps 0 */
};

enum iso_result { ISO_OK, ISO_MALFORMED, ISO_TOO_LARGE };

#define ISO_PERIOD_YEARS_MAX 10000 /* of each number; beyond it the calendar ends anyhow */

enum iso_result iso_period(const char *text, struct iso_period *ret_period);

#endif
