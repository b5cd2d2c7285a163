/* SPDX-License-Identifier: Apache-2.0 */
#include "model/schedule.h"

#include "base/alloc.h"
#include "unit/model/instants.h"

static struct schedule schedule_at(int line, const char *text)
{
    struct schedule s = {0};
    struct error err;

    CHECK_OK_AT(line, schedule_parse(text, &s, &err), &err);
    return s;
}

#define SCHEDULE(text, kind, canonical, offset)                                                    \
    check_schedule(__LINE__, text, kind, canonical, offset)

static void check_schedule(int line, const char *text, enum schedule_kind kind,
                           const char *canonical, const char *offset)
{
    struct schedule s = schedule_at(line, text), again = schedule_at(line, s.text);
    struct offset o;
    struct error err;

    CHECK_INT_AT(line, s.kind, kind);
    CHECK_STR_AT(line, s.text, canonical);
    CHECK_STR_AT(line, schedule_default_offset_text(&s), offset);
    CHECK_OK_AT(line, offset_parse(offset, &o, &err), &err);
    CHECK_INT_AT(line, schedule_default_offset(&s)->months, o.months);
    CHECK_INT_AT(line, schedule_default_offset(&s)->days, o.days);
    CHECK_INT_AT(line, schedule_default_offset(&s)->ms, o.ms);
    CHECK_INT_AT(line, again.kind, kind);
    CHECK_STR_AT(line, again.text, canonical);
}

/* STYX-SCH-01 */
TEST(aliases)
{
    SCHEDULE("@hourly", SCHEDULE_HOURS, "hours", "PT1H");
    SCHEDULE("hourly", SCHEDULE_HOURS, "hours", "PT1H");
    SCHEDULE("hours", SCHEDULE_HOURS, "hours", "PT1H");
    SCHEDULE("HOURS", SCHEDULE_HOURS, "hours", "PT1H");
    SCHEDULE("@daily", SCHEDULE_DAYS, "days", "P1D");
    SCHEDULE("Daily", SCHEDULE_DAYS, "days", "P1D");
    SCHEDULE("days", SCHEDULE_DAYS, "days", "P1D");
    SCHEDULE("@Weekly", SCHEDULE_WEEKS, "weeks", "P1W");
    SCHEDULE("weekly", SCHEDULE_WEEKS, "weeks", "P1W");
    SCHEDULE("weeks", SCHEDULE_WEEKS, "weeks", "P1W");
    SCHEDULE("@monthly", SCHEDULE_MONTHS, "months", "P1M");
    SCHEDULE("monthly", SCHEDULE_MONTHS, "months", "P1M");
    SCHEDULE("mOnThS", SCHEDULE_MONTHS, "months", "P1M");
    SCHEDULE("@yearly", SCHEDULE_YEARS, "years", "P1Y");
    SCHEDULE("yearly", SCHEDULE_YEARS, "years", "P1Y");
    SCHEDULE("years", SCHEDULE_YEARS, "years", "P1Y");
    SCHEDULE("@annually", SCHEDULE_YEARS, "years", "P1Y");
    SCHEDULE("ANNUALLY", SCHEDULE_YEARS, "years", "P1Y");
}

/* STYX-SCH-01 */
TEST(expressions_keep_their_text)
{
    SCHEDULE("0 * * * *", SCHEDULE_CRON, "0 * * * *", "PT0S");
    SCHEDULE("0 0 * * MON", SCHEDULE_CRON, "0 0 * * mon", "PT0S");
    SCHEDULE("  0\t0   * JAN-Mar\n* ", SCHEDULE_CRON, "0 0 * jan-mar *", "PT0S");
    SCHEDULE("00 007 * * *", SCHEDULE_CRON, "00 007 * * *", "PT0S");
    SCHEDULE("0 0 30 2 *", SCHEDULE_CRON, "0 0 30 2 *", "PT0S");
}

#define REFUSED(text, part) check_refused(__LINE__, text, part)

static void check_refused(int line, const char *text, const char *part)
{
    struct schedule s = {.kind = SCHEDULE_WEEKS};
    struct error err;

    CHECK_ERROR_AT(line, schedule_parse(text, &s, &err), &err, ERROR_INVALID);
    CHECK_INT_AT(line, s.kind, SCHEDULE_WEEKS);
    CHECK_HAS_AT(line, err.text, part);
}

TEST(refused_schedules)
{
    REFUSED("", "five fields");
    REFUSED("hour", "hour is neither a known schedule nor a cron expression");
    REFUSED("@hours", "@hours is neither");
    REFUSED("@midnight", "@midnight is neither");
    REFUSED("hourly ", "hourly is neither");
    REFUSED("daily daily daily daily daily", "minute \"daily\"");
    REFUSED("60 * * * *", "out of bounds");
    REFUSED("0 0 * * * *", "five fields");
}

TEST(the_length_of_a_schedule_is_limited)
{
    char list[247], text[300];

    for (size_t i = 0; i < 246; i++)
        list[i] = i % 2 ? ',' : '1';
    list[246] = '\0';
    snprintf(text, sizeof(text), "  %s10   *  * * *  ", list);
    CHECK_INT(strlen(schedule_at(__LINE__, text).text), 256);
    snprintf(text, sizeof(text), "%s1,1 * * * *", list);
    REFUSED(text, "schedule too long: limit = 256");
}

/* ---- a decade of each, counted by hand ---- */

#define DECADE_FROM 2020
#define DECADE_TO   2030

static instant utc(int year, int month, int day, int hour)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour};

    return (instant) timegm(&tm) * SECOND_MS;
}

struct decade {
    struct schedule schedule;
    instant at; /* the last one that came */
    int64_t n;
};

static void expect(struct decade *d, instant want)
{
    instant next = 0, back = 0;

    CHECK(schedule_next(&d->schedule, d->at, &next));
    if (next != want)
        TEST_FAIL("%s: %" PRId64 " after %" PRId64 ", want %" PRId64, d->schedule.text, next, d->at,
                  want);
    CHECK(schedule_next(&d->schedule, want - 1, &next));
    CHECK_INT(next, want);
    CHECK(schedule_previous(&d->schedule, want + 1, &back));
    CHECK_INT(back, want);
    CHECK(schedule_aligned(&d->schedule, want));
    CHECK(!schedule_aligned(&d->schedule, want + 1));
    CHECK(!schedule_aligned(&d->schedule, want + MINUTE_MS));
    d->at = want;
    d->n++;
}

static struct decade decade_of(const char *text)
{
    return (struct decade) {.schedule = schedule_at(__LINE__, text),
                            .at = utc(DECADE_FROM, 1, 1, 0) - 1};
}

static void check_decade(const struct decade *d, int64_t want)
{
    instant from = utc(DECADE_FROM, 1, 1, 0), to = utc(DECADE_TO, 1, 1, 0);

    CHECK_INT(d->n, want);
    CHECK_INT(schedule_count(&d->schedule, from, to), want);
}

TEST(a_decade_of_hours)
{
    struct decade d = decade_of("hourly");

    for (instant t = utc(DECADE_FROM, 1, 1, 0); t < utc(DECADE_TO, 1, 1, 0); t += HOUR_MS)
        expect(&d, t);
    check_decade(&d, 3653 * 24);
}

TEST(a_decade_of_days)
{
    struct decade d = decade_of("daily");

    for (int day = 0; day < 3653; day++)
        expect(&d, utc(DECADE_FROM, 1, 1 + day, 0));
    check_decade(&d, 3653);
}

TEST(a_decade_of_weeks)
{
    struct decade d = decade_of("weekly");

    for (instant t = utc(2020, 1, 6, 0); t < utc(DECADE_TO, 1, 1, 0); t += 7 * DAY_MS)
        expect(&d, t);
    check_decade(&d, 522);
}

TEST(a_decade_of_months)
{
    struct decade d = decade_of("monthly");

    for (int month = 0; month < 120; month++)
        expect(&d, utc(DECADE_FROM + month / 12, 1 + month % 12, 1, 0));
    check_decade(&d, 120);
}

TEST(a_decade_of_years)
{
    struct decade d = decade_of("yearly");

    for (int year = DECADE_FROM; year < DECADE_TO; year++)
        expect(&d, utc(year, 1, 1, 0));
    check_decade(&d, 10);
}

/* A well-known schedule and the expression that means the same fall on the same instants. */
TEST(aliases_mean_their_expressions)
{
    static const char *const pairs[][2] = {
        {"hourly", "0 * * * *"},  {"daily", "0 0 * * *"},    {"weekly", "0 0 * * MON"},
        {"monthly", "0 0 1 * *"}, {"annually", "0 0 1 1 *"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct schedule alias = schedule_at(__LINE__, pairs[i][0]);
        struct schedule cron = schedule_at(__LINE__, pairs[i][1]);
        instant a = AT("2026-01-01T00:00Z"), b = a;

        CHECK(strcmp(alias.text, cron.text) != 0);
        for (int k = 0; k < 100; k++) {
            CHECK(schedule_next(&alias, a, &a));
            CHECK(schedule_next(&cron, b, &b));
            CHECK_INT(a, b);
        }
    }
}
