/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions: the text that names one instant of a schedule (Styx behaviour, 6.4).
 *
 *     hours           2016-01-19T09
 *     days, weeks     2016-01-19
 *     months          2016-01
 *     years           2016
 *     cron            2016-01-19T09:11:00Z
 *
 * The text is the parameter of a workflow instance, what its container sees and part of its name;
 * of one schedule, the order of texts is the order of time.
 */
#ifndef KHARON_MODEL_PARTITION_H
#define KHARON_MODEL_PARTITION_H

#include "model/schedule.h"

#define PARTITION_TEXT_MAX 32

/* The partition that begins at t.  Of a t that is not aligned (instants that a user set are taken
 * unchecked) the finer part is left out. */
const char *partition_print(const struct schedule *s, instant t, char text[PARTITION_TEXT_MAX]);

/* A parameter that a user gave, moved back to the previous aligned instant if it is not aligned.
 *
 * Years take YYYY and YYYY-MM (the month is ignored), months YYYY-MM, and all schedules YYYY-MM-DD,
 * perhaps with THH, THH:MM, THH:MM:SS or THH:MM:SS.f (1 to 9 digits), and a time perhaps with Z, a
 * numeric offset, UTC, GMT or UT.  Names of other time zones are refused: there is no database of
 * them here.  The calendar is strict and the T upper case.
 *
 * The error is what follows `Cannot parse time parameter <text> - ` in an answer. */
bool partition_parse(const struct schedule *s, const char *text, instant *ret_instant,
                     struct error *err);

#endif
