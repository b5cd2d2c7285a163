/* SPDX-License-Identifier: Apache-2.0 */
#include "model/offset.h"

#include "model/iso.h"

bool offset_parse(const char *text, struct offset *ret_offset, struct error *err)
{
    struct iso_period period;

    switch (iso_period(text, &period)) {
    case ISO_OK:
        break;
    case ISO_TOO_LARGE:
        return error_set(err, ERROR_INVALID, "%s is longer than %d years", text,
                         ISO_PERIOD_YEARS_MAX);
    case ISO_MALFORMED:
        return error_set(err, ERROR_INVALID,
                         "%s is not an ISO-8601 period such as PT2H, P1D or P1M", text);
    }
    *ret_offset = (struct offset) {period.months, period.days, period.ms};
    return true;
}

/* The same day `months` later, or the last one of a month that is too short.  May leave the valid
 * years; what is added afterwards may lead back. */
static int64_t add_months(instant t, int64_t months)
{
    struct civil c = civil_of(t);
    int64_t month = c.year * INT64_C(12) + c.month - 1 + months;
    int64_t year = month >= 0 ? month / 12 : (month - 11) / 12;

    c.year = (int) year;
    c.month = (int) (month - year * 12) + 1;
    int last = days_in_month(c.year, c.month);
    if (c.day > last)
        c.day = last;
    return instant_of(&c);
}

static instant add(instant t, int64_t months, int64_t days, int64_t ms)
{
    int64_t at = instant_clamp(t);

    if (months)
        at = add_months(at, months);
    return instant_clamp(at + days * DAY_MS + ms);
}

instant offset_add(instant t, const struct offset *o)
{
    return add(t, o->months, o->days, o->ms);
}

instant offset_subtract(instant t, const struct offset *o)
{
    return add(t, -o->months, -o->days, -o->ms);
}
