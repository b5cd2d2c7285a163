/* SPDX-License-Identifier: Apache-2.0 */
#include "model/time.h"

#include "base/rng.h"
#include "test.h"

/* ---- the calendar ---- */

#define CIVIL(ms, ...) check_civil(__LINE__, ms, (struct civil) {__VA_ARGS__})

static void check_civil(int line, instant t, struct civil want)
{
    struct civil got = civil_of(t);

    CHECK_INT_AT(line, got.year, want.year);
    CHECK_INT_AT(line, got.month, want.month);
    CHECK_INT_AT(line, got.day, want.day);
    CHECK_INT_AT(line, got.hour, want.hour);
    CHECK_INT_AT(line, got.minute, want.minute);
    CHECK_INT_AT(line, got.second, want.second);
    CHECK_INT_AT(line, got.milli, want.milli);
    CHECK_INT_AT(line, got.weekday, want.weekday);
    CHECK_INT_AT(line, instant_of(&want), t);
}

TEST(civil_dates)
{
    CIVIL(0, 1970, 1, 1, 0, 0, 0, 0, 4);
    CIVIL(-1, 1969, 12, 31, 23, 59, 59, 999, 3);
    CIVIL(1468400423941, 2016, 7, 13, 9, 0, 23, 941, 3);
    CIVIL(951782400000, 2000, 2, 29, 0, 0, 0, 0, 2);
    CIVIL(4107542400000, 2100, 3, 1, 0, 0, 0, 0, 1);
    CIVIL(-2203891200000, 1900, 3, 1, 0, 0, 0, 0, 4);
    CIVIL(INSTANT_MIN, 1, 1, 1, 0, 0, 0, 0, 1);
    CIVIL(INSTANT_MAX, 9999, 12, 31, 23, 59, 59, 999, 5);
}

TEST(days_of_months)
{
    CHECK_INT(days_in_month(2023, 1), 31);
    CHECK_INT(days_in_month(2023, 2), 28);
    CHECK_INT(days_in_month(2024, 2), 29);
    CHECK_INT(days_in_month(1900, 2), 28);
    CHECK_INT(days_in_month(2000, 2), 29);
    CHECK_INT(days_in_month(2100, 2), 28);
    CHECK_INT(days_in_month(2023, 4), 30);
    CHECK_INT(days_in_month(2023, 12), 31);
}

/* Counts on its fingers. */
TEST(every_day_of_ten_thousand_years_follows_the_one_before)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    instant t = INSTANT_MIN;
    int weekday = 1;

    for (int year = 1; year <= 9999; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= lengths[month - 1] + (leap && month == 2); day++) {
                struct civil c = civil_of(t);
                if (c.year != year || c.month != month || c.day != day || c.weekday != weekday)
                    TEST_FAIL("%" PRId64 " is %d-%d-%d, want %d-%d-%d", t, c.year, c.month, c.day,
                              year, month, day);
                CHECK_INT(instant_of(&c), t);
                weekday = (weekday + 1) % 7;
                t += DAY_MS;
            }
    }
    CHECK_INT(t, INSTANT_MAX + 1);
}

TEST(random_instants_agree_with_the_system)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        instant t = rng_between(&rng, INSTANT_MIN, INSTANT_MAX);
        time_t seconds = (t - ((t % 1000) + 1000) % 1000) / 1000;
        struct tm tm;
        struct civil c = civil_of(t);

        CHECK(gmtime_r(&seconds, &tm));
        CHECK_INT(c.year, tm.tm_year + 1900);
        CHECK_INT(c.month, tm.tm_mon + 1);
        CHECK_INT(c.day, tm.tm_mday);
        CHECK_INT(c.hour, tm.tm_hour);
        CHECK_INT(c.minute, tm.tm_min);
        CHECK_INT(c.second, tm.tm_sec);
        CHECK_INT(c.weekday, tm.tm_wday);
        CHECK_INT(instant_of(&c), t);
    }
}

TEST(clamping)
{
    CHECK_INT(instant_clamp(INT64_MIN), INSTANT_MIN);
    CHECK_INT(instant_clamp(INSTANT_MIN), INSTANT_MIN);
    CHECK_INT(instant_clamp(5), 5);
    CHECK_INT(instant_clamp(INSTANT_MAX + 1), INSTANT_MAX);
}

/* ---- instants as texts ---- */

#define PRINT(ms, text, micro) check_print(__LINE__, ms, text, micro)

static void check_print(int line, instant t, const char *want, const char *micro)
{
    char text[INSTANT_TEXT_MAX];
    instant back;
    struct error err;

    CHECK_STR_AT(line, instant_print_micro(t, text), micro);
    CHECK_OK_AT(line, instant_parse(text, &back, &err), &err);
    CHECK_INT_AT(line, back, t);
    CHECK_STR_AT(line, instant_print(t, text), want);
    CHECK_OK_AT(line, instant_parse(text, &back, &err), &err);
    CHECK_INT_AT(line, back, t);
}

TEST(instants_print)
{
    PRINT(0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z");
    PRINT(1468400423941, "2016-07-13T09:00:23.941Z", "2016-07-13T09:00:23.941000Z");
    PRINT(1468400423940, "2016-07-13T09:00:23.940Z", "2016-07-13T09:00:23.940000Z");
    PRINT(7, "1970-01-01T00:00:00.007Z", "1970-01-01T00:00:00.007000Z");
    PRINT(-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999000Z");
    PRINT(INSTANT_MIN, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z");
    PRINT(INSTANT_MAX, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999000Z");
}

TEST(random_instants_print_and_parse)
{
    struct rng rng;
    char text[INSTANT_TEXT_MAX];
    struct error err;
    instant back;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        instant t = rng_between(&rng, INSTANT_MIN, INSTANT_MAX);
        instant_print(t, text);
        CHECK_OK(instant_parse(text, &back, &err), &err);
        CHECK_INT(back, t);
    }
}

#define PARSE(text, want) check_parse(__LINE__, text, want)

static void check_parse(int line, const char *text, const char *want)
{
    instant t = 42;
    struct error err;
    char printed[INSTANT_TEXT_MAX];

    if (!want) {
        CHECK_ERROR_AT(line, instant_parse(text, &t, &err), &err, ERROR_INVALID);
        CHECK_INT_AT(line, t, 42);
        CHECK_HAS_AT(line, err.text, text);
        return;
    }
    CHECK_OK_AT(line, instant_parse(text, &t, &err), &err);
    CHECK_STR_AT(line, instant_print(t, printed), want);
}

TEST(instants_parse)
{
    PARSE("2026-01-01T10:15Z", "2026-01-01T10:15:00Z");
    PARSE("2026-01-01t10:15:30z", "2026-01-01T10:15:30Z");
    PARSE("2026-01-01T10:15:30.5Z", "2026-01-01T10:15:30.500Z");
    PARSE("2026-01-01T10:15:30.123456789Z", "2026-01-01T10:15:30.123Z");
    PARSE("2026-01-01T10:15:30.0009Z", "2026-01-01T10:15:30Z");
    PARSE("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z");
    PARSE("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00Z");
    PARSE("2026-01-01T00:00:00-0130", "2026-01-01T01:30:00Z");
    PARSE("2026-01-01T00:00+14", "2025-12-31T10:00:00Z");
    PARSE("2026-01-01T00:00:00+18:00", "2025-12-31T06:00:00Z");
    PARSE("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z");
    PARSE("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z");
}

TEST(instants_refused)
{
    PARSE("", NULL);
    PARSE("2026", NULL);
    PARSE("2026-01-01", NULL);
    PARSE("2026-01-01T", NULL);
    PARSE("2026-01-01T10", NULL);
    PARSE("2026-01-01T10Z", NULL);
    PARSE("2026-01-01T10:15", NULL);
    PARSE("2026-01-01T10:15:30", NULL);
    PARSE("2026-01-01 10:15:30Z", NULL);
    PARSE(" 2026-01-01T10:15:30Z", NULL);
    PARSE("2026-01-01T10:15:30Z ", NULL);
    PARSE("2026-01-01T10:15:30.Z", NULL);
    PARSE("2026-01-01T10:15:30.1234567890Z", NULL);
    PARSE("2026-01-01T10:15:30,5Z", NULL);
    PARSE("2026-01-01T10:15:60Z", NULL);
    PARSE("2026-01-01T10:60:00Z", NULL);
    PARSE("2026-01-01T24:00:00Z", NULL);
    PARSE("2026-1-01T10:15:30Z", NULL);
    PARSE("2026-13-01T10:15:30Z", NULL);
    PARSE("2026-00-01T10:15:30Z", NULL);
    PARSE("2026-01-00T10:15:30Z", NULL);
    PARSE("2026-04-31T10:15:30Z", NULL);
    PARSE("2023-02-29T10:15:30Z", NULL);
    PARSE("20260101T101530Z", NULL);
    PARSE("2026-01-01T10:15:30+1", NULL);
    PARSE("2026-01-01T10:15:30+01:", NULL);
    PARSE("2026-01-01T10:15:30+01:60", NULL);
    PARSE("2026-01-01T10:15:30+18:01", NULL);
    PARSE("2026-01-01T10:15:30+01:00:00", NULL);
    PARSE("2026-01-01T10:15:30UTC", NULL);
    PARSE("0000-01-01T10:15:30Z", NULL);
    PARSE("0001-01-01T00:00:00+01:00", NULL);
    PARSE("9999-12-31T23:59:59-01:00", NULL);
    PARSE("10000-01-01T00:00:00Z", NULL);
    PARSE("-2026-01-01T10:15:30Z", NULL);
}

/* ---- durations ---- */

#define DURATION(text, ms)      check_duration(__LINE__, text, ms)
#define NO_DURATION(text, part) check_no_duration(__LINE__, text, part)

static void check_duration(int line, const char *text, int64_t want)
{
    int64_t ms = 42;
    struct error err;

    CHECK_OK_AT(line, duration_parse(text, &ms, &err), &err);
    CHECK_INT_AT(line, ms, want);
}

static void check_no_duration(int line, const char *text, const char *part)
{
    int64_t ms = 42;
    struct error err;

    CHECK_ERROR_AT(line, duration_parse(text, &ms, &err), &err, ERROR_INVALID);
    CHECK_INT_AT(line, ms, 42);
    CHECK_HAS_AT(line, err.text, text);
    CHECK_HAS_AT(line, err.text, part);
}

TEST(durations_parse)
{
    DURATION("PT2H", 2 * HOUR_MS);
    DURATION("pt2h", 2 * HOUR_MS);
    DURATION("PT1H30M", 90 * MINUTE_MS);
    DURATION("PT90M", 90 * MINUTE_MS);
    DURATION("PT59S", 59 * SECOND_MS);
    DURATION("PT1.5S", 1500);
    DURATION("PT1,5S", 1500);
    DURATION("PT0.0019S", 1);
    DURATION("PT1.S", 1000);
    DURATION("PT-0.5S", -500);
    DURATION("P2D", 48 * HOUR_MS);
    DURATION("P1W", 7 * DAY_MS);
    DURATION("P1DT1H1M1.001S", DAY_MS + HOUR_MS + MINUTE_MS + 1001);
    DURATION("-PT1H30M", -90 * MINUTE_MS);
    DURATION("+PT1H", HOUR_MS);
    DURATION("PT1H-30M", 30 * MINUTE_MS);
    DURATION("-PT-1H", HOUR_MS);
    DURATION("PT0S", 0);
    DURATION("PT0000000000000000000000001S", 1000);
    DURATION("P3660000D", 3660000 * DAY_MS);
}

TEST(durations_refused)
{
    NO_DURATION("", "such as PT2H");
    NO_DURATION("P", "such as PT2H");
    NO_DURATION("PT", "such as PT2H");
    NO_DURATION("2", "such as PT2H");
    NO_DURATION("2h", "write PT2H");
    NO_DURATION("90s", "write PT90S");
    NO_DURATION("10M", "write PT10M");
    NO_DURATION("1d", "write P1D");
    NO_DURATION("h", "such as PT2H");
    NO_DURATION("12345678901h", "such as PT2H");
    NO_DURATION("P2H", "such as PT2H");
    NO_DURATION("PT1D", "such as PT2H");
    NO_DURATION("PT1.5H", "such as PT2H");
    NO_DURATION("PT1S1M", "such as PT2H");
    NO_DURATION("PT1H1H", "such as PT2H");
    NO_DURATION("PT1HT1M", "such as PT2H");
    NO_DURATION("PT1H ", "such as PT2H");
    NO_DURATION("PT1", "such as PT2H");
    NO_DURATION("PT--1H", "such as PT2H");
    NO_DURATION("PT.5S", "such as PT2H");
    NO_DURATION("PT1.0000000000S", "such as PT2H");
    NO_DURATION("P1M", "years or months");
    NO_DURATION("P0Y", "years or months");
    NO_DURATION("P3660001D", "longer than 10000 years");
    NO_DURATION("PT9223372036854775807S", "longer than 10000 years");
    NO_DURATION("PT99999999999999999999999999H", "longer than 10000 years");
}

#define DURATION_TEXT(ms, text) check_duration_text(__LINE__, ms, text)

static void check_duration_text(int line, int64_t ms, const char *want)
{
    char text[DURATION_TEXT_MAX];

    CHECK_STR_AT(line, duration_print(ms, text), want);
}

TEST(durations_print)
{
    DURATION_TEXT(0, "PT0S");
    DURATION_TEXT(59 * SECOND_MS, "PT59S");
    DURATION_TEXT(60 * SECOND_MS, "PT1M");
    DURATION_TEXT(2 * HOUR_MS, "PT2H");
    DURATION_TEXT(DAY_MS, "PT24H");
    DURATION_TEXT(1500, "PT1.5S");
    DURATION_TEXT(1001, "PT1.001S");
    DURATION_TEXT(20, "PT0.02S");
    DURATION_TEXT(HOUR_MS + 1, "PT1H0.001S");
    DURATION_TEXT(-500, "PT-0.5S");
    DURATION_TEXT(-90 * SECOND_MS, "PT-1M-30S");
    DURATION_TEXT(INT64_MAX, "PT2562047788015H12M55.807S");
    DURATION_TEXT(INT64_MIN, "PT-2562047788015H-12M-55.808S");
}

TEST(random_durations_print_and_parse)
{
    struct rng rng;
    char text[DURATION_TEXT_MAX];

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        int64_t range = INT64_C(1) << rng_below(&rng, 48), back;
        int64_t ms = rng_between(&rng, -range, range);
        struct error err;

        duration_print(ms, text);
        CHECK_OK(duration_parse(text, &back, &err), &err);
        CHECK_INT(back, ms);
    }
}

/* Whatever stands in the text: refused or read, never a crash. */
TEST(random_texts_are_refused_or_read)
{
    static const char alphabet[] = "PpTtYMWDHS+-.,:Z0123456789 ";
    struct rng rng;
    struct error err;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 50000; i++) {
        char text[24], printed[DURATION_TEXT_MAX];
        size_t n = rng_below(&rng, sizeof(text));
        int64_t ms, again;
        instant t;

        for (size_t k = 0; k < n; k++)
            text[k] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        text[n] = '\0';
        instant_parse(text, &t, &err);
        if (!duration_parse(text, &ms, &err))
            continue;
        CHECK_OK(duration_parse(duration_print(ms, printed), &again, &err), &err);
        CHECK_INT(again, ms);
    }
}
