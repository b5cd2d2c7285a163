/* SPDX-License-Identifier: Apache-2.0 */
#include "model/offset.h"

#include "base/rng.h"
#include "unit/model/instants.h"

#define OFFSET(text, months, days, ms) check_offset(__LINE__, text, months, days, ms)
#define NO_OFFSET(text)                check_no_offset(__LINE__, text)

static void check_offset(int line, const char *text, int64_t months, int64_t days, int64_t ms)
{
    struct offset o;
    struct error err;

    CHECK_OK_AT(line, offset_parse(text, &o, &err), &err);
    CHECK_INT_AT(line, o.months, months);
    CHECK_INT_AT(line, o.days, days);
    CHECK_INT_AT(line, o.ms, ms);
}

static void check_no_offset(int line, const char *text)
{
    struct offset o = {1, 2, 3};
    struct error err;

    CHECK_ERROR_AT(line, offset_parse(text, &o, &err), &err, ERROR_INVALID);
    CHECK_HAS_AT(line, err.text, text);
    CHECK_AT(line, o.months == 1 && o.days == 2 && o.ms == 3);
}

/* STYX-SCH-06 */
TEST(offsets_parse)
{
    OFFSET("P1DT2H", 0, 1, 2 * HOUR_MS);
    OFFSET("-PT1H30M", 0, 0, -90 * MINUTE_MS);
    OFFSET("P-1D", 0, -1, 0);
    OFFSET("PT-1H", 0, 0, -HOUR_MS);
    OFFSET("P2W", 0, 14, 0);
    OFFSET("P1WT2H", 0, 7, 2 * HOUR_MS);
    OFFSET("p1d", 0, 1, 0);
    OFFSET("P", 0, 0, 0);
    OFFSET("PT", 0, 0, 0);
    OFFSET("-P", 0, 0, 0);
    OFFSET("PT1,5S", 0, 0, 1500);
    OFFSET("PT1.5S", 0, 0, 1500);
    OFFSET("PT0S", 0, 0, 0);
    OFFSET("P1Y2M3W4DT5H6M7.089S", 14, 25, 5 * HOUR_MS + 6 * MINUTE_MS + 7089);
    OFFSET("-P1Y2M3W4DT5H6M7.089S", -14, -25, -(5 * HOUR_MS + 6 * MINUTE_MS + 7089));
    OFFSET("+p1y-12m", 0, 0, 0);
    OFFSET("-P-1D", 0, 1, 0);
    OFFSET("P+1DT-30M", 0, 1, -30 * MINUTE_MS);
    OFFSET("PT36H", 0, 0, 36 * HOUR_MS);
    OFFSET("P1M", 1, 0, 0);
    OFFSET("PT1M", 0, 0, MINUTE_MS);
    OFFSET("P10000Y", 120000, 0, 0);
}

/* STYX-SCH-06 */
TEST(offsets_refused)
{
    NO_OFFSET("");
    NO_OFFSET("P1.5D");
    NO_OFFSET("P1H");
    NO_OFFSET("PT1D");
    NO_OFFSET("P1M1Y");
    NO_OFFSET("P1D1W");
    NO_OFFSET("PT1.5H");
    NO_OFFSET("1D");
    NO_OFFSET("T1H");
    NO_OFFSET("P1");
    NO_OFFSET("P1D ");
    NO_OFFSET(" P1D");
    NO_OFFSET("P 1D");
    NO_OFFSET("PTT1H");
    NO_OFFSET("PT1H1H");
    NO_OFFSET("P--1D");
    NO_OFFSET("--P1D");
    NO_OFFSET("P1X");
    NO_OFFSET("PT1S2");
    NO_OFFSET("PT.5S");
    NO_OFFSET("P10001Y");
    NO_OFFSET("P99999999999999999999D");
    NO_OFFSET("PT9999999999999999999S");
}

#define ADD(t, offset, want)      check_add(__LINE__, t, offset, want, false)
#define SUBTRACT(t, offset, want) check_add(__LINE__, t, offset, want, true)

static void check_add(int line, const char *t, const char *text, const char *want, bool subtract)
{
    struct offset o;
    struct error err;

    CHECK_OK_AT(line, offset_parse(text, &o, &err), &err);
    instant at = instant_at(line, t);
    CHECK_INSTANT_AT(line, subtract ? offset_subtract(at, &o) : offset_add(at, &o), want);
}

/* STYX-SCH-06 */
TEST(offset_arithmetic)
{
    ADD("2026-01-01T00:00Z", "P1D", "2026-01-02T00:00Z");
    ADD("2026-01-01T10:11:12.345Z", "PT1H", "2026-01-01T11:11:12.345Z");
    ADD("2026-01-31T00:00Z", "P1M", "2026-02-28T00:00Z");
    ADD("2028-01-31T00:00Z", "P1M", "2028-02-29T00:00Z");
    ADD("2026-01-31T23:59Z", "P1M", "2026-02-28T23:59Z");
    ADD("2026-12-31T00:00Z", "P2M", "2027-02-28T00:00Z");
    ADD("2026-12-31T00:00Z", "P1M1D", "2027-02-01T00:00Z");
    ADD("2024-02-29T00:00Z", "P1Y", "2025-02-28T00:00Z");
    ADD("2024-02-29T00:00Z", "P4Y", "2028-02-29T00:00Z");
    ADD("2026-03-31T00:00Z", "P-1M", "2026-02-28T00:00Z");
    ADD("2026-01-15T00:00Z", "-P1M", "2025-12-15T00:00Z");
    ADD("2026-01-15T00:00Z", "-P13M", "2024-12-15T00:00Z");
    ADD("1969-12-31T23:59:59.999Z", "PT0.001S", "1970-01-01T00:00Z");
    ADD("1968-01-31T12:00Z", "P1M", "1968-02-29T12:00Z");

    SUBTRACT("2026-03-31T00:00Z", "P1M", "2026-02-28T00:00Z");
    SUBTRACT("2026-02-28T00:00Z", "P1M", "2026-01-28T00:00Z");
    SUBTRACT("2026-03-30T12:00Z", "P1M1DT1H", "2026-02-27T11:00Z");
    SUBTRACT("2026-01-01T00:00Z", "-P1M", "2026-02-01T00:00Z");
}

TEST(results_stay_within_the_years)
{
    ADD("9999-12-31T00:00Z", "P1D", "9999-12-31T23:59:59.999Z");
    ADD("9999-12-31T00:00Z", "P10000Y", "9999-12-31T23:59:59.999Z");
    ADD("9999-12-31T00:00Z", "P10000YT316224000000S", "9999-12-31T23:59:59.999Z");
    ADD("0001-01-01T00:00Z", "-PT1S", "0001-01-01T00:00Z");
    ADD("9999-01-01T00:00Z", "-P10000Y", "0001-01-01T00:00Z");
    ADD("0001-01-01T00:00Z", "-P10000Y3660000DT87840000H", "0001-01-01T00:00Z");
    ADD("9999-12-31T00:00Z", "P1M-31D", "9999-12-31T00:00Z");
}

/* A trap that callers have to know of. */
TEST(a_later_instant_may_give_an_earlier_result)
{
    ADD("2026-01-30T10:00Z", "P1M", "2026-02-28T10:00Z");
    ADD("2026-01-31T09:00Z", "P1M", "2026-02-28T09:00Z");
}

TEST(exact_offsets_are_exact)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        struct offset o = {0, rng_between(&rng, -1000, 1000), rng_between(&rng, -DAY_MS, DAY_MS)};
        instant t = rng_between(&rng, -1000000 * DAY_MS / 10, 1000000 * DAY_MS / 10);

        CHECK_INT(offset_add(t, &o), t + o.days * DAY_MS + o.ms);
        CHECK_INT(offset_subtract(offset_add(t, &o), &o), t);
    }
}

/* Month by month, by hand. */
TEST(months_agree_with_counting)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        int64_t months = rng_between(&rng, -500, 500);
        struct offset o = {.months = months};
        struct civil c = civil_of(rng_between(&rng, 0, 100000 * DAY_MS));
        instant t = instant_of(&c);

        for (; months > 0; months--)
            if (++c.month > 12) {
                c.month = 1;
                c.year++;
            }
        for (; months < 0; months++)
            if (--c.month < 1) {
                c.month = 12;
                c.year--;
            }
        while (c.day > days_in_month(c.year, c.month))
            c.day--;
        CHECK_INT(offset_add(t, &o), instant_of(&c));
    }
}
