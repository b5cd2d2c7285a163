/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of offsets and durations (model/offset.h, model/time.h), for any text and instants:
 *
 *  - a second reader, which goes through the units instead of the text, accepts the same texts and
 *    comes to the same sums;
 *  - adding is what the C library's calendar says, within the years 0001 to 9999;
 *  - without months, a later instant stays the later one, and subtracting undoes adding;
 *  - a duration that is printed is read as the same.
 *
 * The lines are the text and two instants (milliseconds since 1970; made to fit).
 */
#include "model/offset.h"

#include "fuzz.h"

#include <ctype.h>
#include <time.h>

#define YEARS_MAX 10000

struct sums {
    int64_t months, days, ms;
    bool too_large, has_months, has_number;
};

/* A number before this letter, if it comes next: its whole part (saturated) and thousandths. */
static bool read_unit(const char **text, char letter, int64_t *ret_whole, int64_t *ret_milli,
                      int *ret_sign)
{
    const char *p = *text;
    char milli[4] = "000";
    int64_t whole = 0;
    size_t digits, n = 0;

    *ret_sign = *p == '-' ? -1 : 1;
    p += *p == '-' || *p == '+';
    digits = strspn(p, "0123456789");
    for (size_t i = 0; i < digits; i++)
        whole = whole > INT64_C(1000000000000000) ? whole : whole * 10 + (p[i] - '0');
    p += digits;
    if (letter == 'S' && digits && (*p == '.' || *p == ',')) {
        n = strspn(++p, "0123456789");
        memcpy(milli, p, n < 3 ? n : 3);
        p += n;
    }
    if (!digits || n > 9 || toupper((unsigned char) *p) != letter)
        return false;
    *text = p + 1;
    *ret_whole = whole;
    *ret_milli = strtoll(milli, NULL, 10);
    return true;
}

static void add_units(const char **text, const char *letters, const int64_t *factors, int64_t limit,
                      int sign, int64_t *sum, struct sums *sums)
{
    int64_t whole, milli;
    int own;

    for (size_t i = 0; letters[i]; i++) {
        if (!read_unit(text, letters[i], &whole, &milli, &own))
            continue;
        sums->has_number = true;
        if ((__int128) whole * factors[i] > limit)
            sums->too_large = true;
        else
            *sum += sign * own * (whole * factors[i] + milli);
    }
}

/* False: not a period. */
static bool naive_period(const char *text, struct sums *sums)
{
    int sign = *text == '-' ? -1 : 1;
    const char *before;

    *sums = (struct sums) {0};
    text += *text == '-' || *text == '+';
    if (toupper((unsigned char) *text++) != 'P')
        return false;
    before = text;
    add_units(&text, "YM", (const int64_t[]) {12, 1}, YEARS_MAX * 12, sign, &sums->months, sums);
    sums->has_months = text != before;
    add_units(&text, "WD", (const int64_t[]) {7, 1}, YEARS_MAX * 366, sign, &sums->days, sums);
    if (toupper((unsigned char) *text) == 'T') {
        text++;
        add_units(&text, "HMS", (const int64_t[]) {3600000, 60000, 1000},
                  INT64_C(86400000) * YEARS_MAX * 366, sign, &sums->ms, sums);
    }
    return !*text;
}

static instant naive_add(instant t, const struct offset *o, int sign)
{
    int64_t second = t / 1000 - (t % 1000 < 0), milli = t - second * 1000;
    time_t seconds = (time_t) second;
    struct tm tm, first;

    gmtime_r(&seconds, &tm);
    int day = tm.tm_mday;
    tm.tm_mday = 1;
    tm.tm_mon += (int) (sign * o->months);
    first = tm;
    first.tm_mon++;
    first.tm_mday = 0; /* the last of the month before */
    timegm(&first);
    tm.tm_mday = day < first.tm_mday ? day : first.tm_mday;
    return instant_clamp((int64_t) timegm(&tm) * 1000 + milli +
                         sign * (o->days * INT64_C(86400000) + o->ms));
}

static void check_arithmetic(const struct offset *o, instant a, instant b)
{
    instant later = a > b ? a : b, earlier = a > b ? b : a, there = offset_add(a, o);

    FUZZ_CHECK(there == naive_add(a, o, 1));
    FUZZ_CHECK(offset_subtract(a, o) == naive_add(a, o, -1));
    if (o->months)
        return;
    FUZZ_CHECK(offset_add(earlier, o) <= offset_add(later, o));
    FUZZ_CHECK(offset_subtract(earlier, o) <= offset_subtract(later, o));
    FUZZ_CHECK(there == INSTANT_MIN || there == INSTANT_MAX || offset_subtract(there, o) == a);
}

static void check_offset(const char *text, bool is_period, const struct sums *sums, instant a,
                         instant b)
{
    struct offset o = {.months = 42};
    struct error err = {0};

    if (!offset_parse(text, &o, &err)) {
        FUZZ_CHECK(!is_period || sums->too_large);
        FUZZ_CHECK(o.months == 42 && err.code == ERROR_INVALID);
        fuzz_check_error(&err, text);
        return;
    }
    FUZZ_CHECK(is_period && !sums->too_large);
    FUZZ_CHECK(o.months == sums->months && o.days == sums->days && o.ms == sums->ms);
    check_arithmetic(&o, a, b);
}

static void check_duration(const char *text, bool is_period, const struct sums *sums)
{
    bool fine = is_period && sums->has_number && !sums->too_large && !sums->has_months;
    int64_t ms = 42, again = 0;
    struct error err = {0};
    char printed[DURATION_TEXT_MAX];

    if (!duration_parse(text, &ms, &err)) {
        FUZZ_CHECK(!fine && ms == 42 && err.code == ERROR_INVALID);
        fuzz_check_error(&err, text);
        return;
    }
    FUZZ_CHECK(fine && ms == sums->days * 86400000 + sums->ms);
    FUZZ_CHECK(duration_parse(duration_print(ms, printed), &again, &err) && again == ms);
}

/* STYX-SCH-06 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[3];
    struct sums sums;

    fuzz_lines(data, len, lines, 3);
    bool is_period = naive_period(lines[0], &sums);
    check_offset(lines[0], is_period, &sums, instant_clamp(strtoll(lines[1], NULL, 10)),
                 instant_clamp(strtoll(lines[2], NULL, 10)));
    check_duration(lines[0], is_period, &sums);
    fuzz_lines_done(lines, 3);
    return 0;
}
