/* SPDX-License-Identifier: Apache-2.0 */
#include "model/iso.h"

#include "base/alloc.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

static bool skip(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

bool iso_digits(const char **p, int n, int *ret_value)
{
    int value = 0;

    for (int i = 0; i < n; i++, (*p)++) {
        if (!is_digit(**p))
            return false;
        value = value * 10 + (**p - '0');
    }
    *ret_value = value;
    return true;
}

bool iso_year(const char **p, struct civil *c)
{
    return iso_digits(p, 4, &c->year) && c->year >= 1;
}

bool iso_month(const char **p, struct civil *c)
{
    return skip(p, '-') && iso_digits(p, 2, &c->month) && c->month >= 1 && c->month <= 12;
}

bool iso_day(const char **p, struct civil *c)
{
    return skip(p, '-') && iso_digits(p, 2, &c->day) && c->day >= 1 &&
           c->day <= days_in_month(c->year, c->month);
}

bool iso_date(const char **p, struct civil *c)
{
    return iso_year(p, c) && iso_month(p, c) && iso_day(p, c);
}

/* At most 9 digits after the point, as milliseconds; returns how many there were, -1: too many. */
static int fraction(const char **p, int *ret_milli)
{
    int n = 0, milli = 0;

    for (; is_digit(**p); (*p)++, n++) {
        if (n == 9)
            return -1;
        if (n < 3)
            milli = milli * 10 + (**p - '0');
    }
    for (int i = n; i < 3; i++)
        milli *= 10;
    *ret_milli = milli;
    return n;
}

bool iso_time(const char **p, struct civil *c)
{
    c->minute = c->second = c->milli = 0;
    if (!iso_digits(p, 2, &c->hour) || c->hour > 23)
        return false;
    if (!skip(p, ':'))
        return true;
    if (!iso_digits(p, 2, &c->minute) || c->minute > 59)
        return false;
    if (!skip(p, ':'))
        return true;
    if (!iso_digits(p, 2, &c->second) || c->second > 59)
        return false;
    return !skip(p, '.') || fraction(p, &c->milli) > 0;
}

bool iso_zone_offset(const char **p, int64_t *ret_ms)
{
    int hours, minutes = 0;
    bool negative = **p == '-';

    if (!skip(p, '+') && !skip(p, '-'))
        return false;
    if (!iso_digits(p, 2, &hours))
        return false;
    if ((skip(p, ':') || is_digit(**p)) && !iso_digits(p, 2, &minutes))
        return false;
    if (minutes > 59 || hours * 60 + minutes > 18 * 60)
        return false;
    *ret_ms = (hours * HOUR_MS + minutes * MINUTE_MS) * (negative ? -1 : 1);
    return true;
}

enum part { MONTHS, DAYS, MS, N_PARTS };

static const int64_t part_limit[N_PARTS] = {
    [MONTHS] = ISO_PERIOD_YEARS_MAX * 12,
    [DAYS] = ISO_PERIOD_YEARS_MAX * 366,
    [MS] = ISO_PERIOD_YEARS_MAX * 366 * DAY_MS,
};

/* In the order in which they have to come. */
static const struct unit {
    char letter;
    bool time; /* after the T */
    enum part part;
    int64_t factor;
} units[] = {
    {'Y', false, MONTHS, 12},   {'M', false, MONTHS, 1},  {'W', false, DAYS, 7},
    {'D', false, DAYS, 1},      {'H', true, MS, HOUR_MS}, {'M', true, MS, MINUTE_MS},
    {'S', true, MS, SECOND_MS},
};

struct number {
    int64_t whole; /* saturates, so that everything too large stays so */
    int milli;
    bool negative, has_fraction;
};

#define NUMBER_MAX INT64_C(1000000000000)

static bool read_number(const char **p, struct number *n)
{
    *n = (struct number) {.negative = **p == '-'};
    if (!skip(p, '-'))
        skip(p, '+');
    if (!is_digit(**p))
        return false;
    for (; is_digit(**p); (*p)++)
        if (n->whole < NUMBER_MAX)
            n->whole = n->whole * 10 + (**p - '0');
    n->has_fraction = skip(p, '.') || skip(p, ',');
    return !n->has_fraction || fraction(p, &n->milli) >= 0;
}

/* The unit at or behind `from` with this letter; NULL: there is none. */
static const struct unit *find_unit(const struct unit *from, char letter, bool time)
{
    for (const struct unit *u = from; u < units + ARRAY_SIZE(units); u++)
        if (u->letter == upper(letter) && u->time == time)
            return u;
    return NULL;
}

static enum iso_result add_number(int64_t totals[N_PARTS], const struct number *n,
                                  const struct unit *unit)
{
    if (n->whole > part_limit[unit->part] / unit->factor)
        return ISO_TOO_LARGE;
    int64_t value = n->whole * unit->factor + n->milli;
    totals[unit->part] += n->negative ? -value : value;
    return ISO_OK;
}

/* What follows the P.  The syntax is read to its end: nonsense is never called too large. */
static enum iso_result read_parts(const char *p, int64_t totals[N_PARTS], struct iso_period *period)
{
    const struct unit *next = units;
    enum iso_result result = ISO_OK;
    bool time = false;
    struct number n;

    while (*p) {
        if (!time && upper(*p) == 'T') {
            time = true;
            p++;
            continue;
        }
        if (!read_number(&p, &n))
            return ISO_MALFORMED;
        const struct unit *unit = find_unit(next, *p, time);
        if (!unit || (n.has_fraction && unit->letter != 'S'))
            return ISO_MALFORMED;
        p++;
        next = unit + 1;
        period->empty = false;
        period->calendar |= unit->part == MONTHS;
        if (add_number(totals, &n, unit) != ISO_OK)
            result = ISO_TOO_LARGE;
    }
    return result;
}

enum iso_result iso_period(const char *text, struct iso_period *ret_period)
{
    struct iso_period period = {.empty = true};
    int64_t totals[N_PARTS] = {0};
    int64_t sign = *text == '-' ? -1 : 1;

    if (!skip(&text, '-'))
        skip(&text, '+');
    if (upper(*text) != 'P')
        return ISO_MALFORMED;
    enum iso_result result = read_parts(text + 1, totals, &period);
    if (result != ISO_OK)
        return result;
    period.months = sign * totals[MONTHS];
    period.days = sign * totals[DAYS];
    period.ms = sign * totals[MS];
    *ret_period = period;
    return ISO_OK;
}
