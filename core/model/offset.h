/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets: a calendar period and an exact duration, added to instants (Styx behaviour, 6.5).
 */
#ifndef KHARON_MODEL_OFFSET_H
#define KHARON_MODEL_OFFSET_H

#include "model/time.h"

struct offset {
    int64_t months;                 /* years and months; month ends are clamped */
    int64_t days;                   /* weeks and days */
    int64_t ms;
};

bool offset_parse(const char *text, struct offset *ret_offset, struct error *err);
/* t + o; results outside of the years 0001 to 9999 are clamped to them. */
instant offset_add(instant t, const struct offset *o);
instant offset_subtract(instant t, const struct offset *o);

#endif
