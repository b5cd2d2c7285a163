/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions: the text that names one instant of a schedule (Styx behaviour, 6.4).
 */
#ifndef KHARON_MODEL_PARTITION_H
#define KHARON_MODEL_PARTITION_H

#include "model/schedule.h"

#define PARTITION_TEXT_MAX 32

/* The partition that begins at t, which must be aligned. */
const char *partition_print(const struct schedule *s, instant t, char text[PARTITION_TEXT_MAX]);

/* A parameter that a user gave, moved back to the previous aligned instant if it is not aligned.
 * The error is what follows `Cannot parse time parameter <text> - ` in an answer. */
bool partition_parse(const struct schedule *s, const char *text, instant *ret_instant,
                     struct error *err);

#endif
