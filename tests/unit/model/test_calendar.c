/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Years of schedules, minute by minute, against a calendar that is counted on by one day after the
 * other and a table of what matches (naive_cron.h).  Nothing of core/model takes part in what is
 * wanted.  How many there are was counted by a third calendar, that of Python.
 */
#include "model/schedule.h"

#include "base/alloc.h"
#include "naive_cron.h"
#include "unit/model/instants.h"

/* ---- a calendar on the wall ---- */

struct wall {
    int year, month, day, weekday; /* 0 is Sunday */
    int64_t date;                  /* days since 1970 */
};

static int month_length(const struct wall *w)
{
    switch (w->month) {
    case 2:
        return (w->year % 4 == 0 && w->year % 100 != 0) || w->year % 400 == 0 ? 29 : 28;
    case 4:
    case 6:
    case 9:
    case 11:
        return 30;
    default:
        return 31;
    }
}

static void next_day(struct wall *w)
{
    w->date++;
    w->weekday = (w->weekday + 1) % 7;
    if (++w->day <= month_length(w))
        return;
    w->day = 1;
    if (++w->month <= 12)
        return;
    w->month = 1;
    w->year++;
}

/* New Year's Day: counted from the first day of 1970, a Thursday. */
static struct wall new_year(int year)
{
    struct wall w = {.year = 1970, .month = 1, .day = 1, .weekday = 4};

    while (w.year < year)
        next_day(&w);
    return w;
}

/* ---- a schedule through years ---- */

struct walk {
    int line;
    struct schedule schedule;
    struct naive_cron naive;
    instant begin, last, next; /* last: the latest match that was met; next: what is said to come */
    bool has_last, has_next;
    int64_t n;
};

static void meet(struct walk *w, instant t)
{
    char got[INSTANT_TEXT_MAX], want[INSTANT_TEXT_MAX];
    instant previous = 0;

    CHECK_AT(w->line, w->has_next);
    CHECK_STR_AT(w->line, instant_print(w->next, got), instant_print(t, want));
    CHECK_AT(w->line, schedule_aligned(&w->schedule, t));
    CHECK_AT(w->line, !schedule_aligned(&w->schedule, t + 1));
    if (w->has_last) {
        CHECK_AT(w->line, schedule_previous(&w->schedule, t, &previous));
        CHECK_INT_AT(w->line, previous, w->last);
        CHECK_AT(w->line, schedule_previous(&w->schedule, t + 1, &previous));
        CHECK_INT_AT(w->line, previous, t);
    }
    w->has_last = true;
    w->last = t;
    w->n++;
    w->has_next = schedule_next(&w->schedule, t, &w->next);
}

static void walk_day(struct walk *w, const struct wall *day)
{
    if (!naive_cron_has_day(&w->naive, day->month, day->day, day->weekday))
        return;
    for (int minute = 0; minute < 1440; minute++)
        if (naive_cron_has_minute(&w->naive, minute))
            meet(w, day->date * DAY_MS + minute * MINUTE_MS);
}

/* From the first minute of `from` to the last one of `to`; returns how many matches there were. */
static int64_t walk_years(int line, const char *schedule, const char *cron, int from, int to)
{
    struct wall day = new_year(from);
    struct walk w = {.line = line, .begin = day.date * DAY_MS};
    struct error err;

    CHECK_OK_AT(line, schedule_parse(schedule, &w.schedule, &err), &err);
    CHECK_AT(line, naive_cron_parse(cron, &w.naive));
    w.has_next = schedule_next(&w.schedule, w.begin - 1, &w.next);
    for (; day.year <= to; next_day(&day))
        walk_day(&w, &day);
    CHECK_INT_AT(line, schedule_count(&w.schedule, w.begin, day.date * DAY_MS), w.n);
    CHECK_AT(line, !w.has_next || w.next >= day.date * DAY_MS);
    return w.n;
}

#define YEARS(schedule, cron, from, to, n)                                                         \
    CHECK_INT(walk_years(__LINE__, schedule, cron, from, to), n)
#define CRON(cron, from, to, n) YEARS(cron, cron, from, to, n)

#define DAYS_2026_TO_2036 (11 * 365 + 3) /* with those of February 2028, 2032 and 2036 */

/* STYX-SCH-01 */
TEST(a_decade_of_every_alias)
{
    YEARS("hourly", "0 * * * *", 2026, 2036, 24 * DAYS_2026_TO_2036);
    YEARS("daily", "0 0 * * *", 2026, 2036, DAYS_2026_TO_2036);
    YEARS("weekly", "0 0 * * 1", 2026, 2036, 574);
    YEARS("monthly", "0 0 1 * *", 2026, 2036, 11 * 12);
    YEARS("yearly", "0 0 1 1 *", 2026, 2036, 11);
}

/* STYX-SCH-02, STYX-SCH-03 */
TEST(a_decade_of_odd_schedules)
{
    CRON("0 0 29 2 *", 2026, 2036, 3);
    CRON("59 23 31 12 *", 2026, 2036, 11);
    CRON("0 0 31 * *", 2026, 2036, 11 * 7);
    CRON("30 4 30 * *", 2026, 2036, 11 * 11);
    CRON("0 12 13 * fri", 2026, 2036, 688);
    CRON("15 10 */7 * *", 2026, 2036, 11 * 12 * 5 - 8);
    CRON("0 9-17/4 * * mon-fri", 2026, 2036, 8610);
    CRON("7,37 */5 1-7 jan,apr,jul,oct *", 2026, 2036, 3080);
    CRON("0 0 1-31/2 2 sun", 2026, 2036, 179);
    CRON("0 6 * * 5/2", 2026, 2036, 1148);
    CRON("0 6 * * 7/3", 2026, 2036, 1722);
    CRON("*/13 */11 * 3-11/4 fri-sun", 2026, 2036, 6495);
}

TEST(every_minute_of_a_leap_year)
{
    CRON("* * * * *", 2028, 2028, 366 * 1440);
    CRON("*/7 * * * *", 2032, 2032, 366 * 24 * 9);
}

/* 2100 has no 29 February, 2000 and 2400 have. */
TEST(centuries)
{
    CRON("0 0 29 2 *", 2096, 2104, 2);
    CRON("0 0 29 2 *", 1996, 2004, 3);
    CRON("0 0 29 2 *", 2396, 2404, 3);
    CRON("0 0 28-31 2 *", 2100, 2100, 1);
    YEARS("daily", "0 0 * * *", 2096, 2104, 9 * 365 + 2);
    YEARS("weekly", "0 0 * * 1", 2099, 2101, 156);
    YEARS("hourly", "0 * * * *", 2100, 2100, 365 * 24);
}

TEST(what_never_comes)
{
    CRON("0 0 30 2 *", 2026, 2036, 0);
    CRON("0 0 31 4,6,9,11 *", 2026, 2036, 0);
}

/* ---- days and their numbers ---- */

/* 430 years: the calendar repeats after 400. */
TEST(every_day_has_its_number)
{
    struct wall day = new_year(1970);

    for (; day.year < 2400; next_day(&day)) {
        struct civil c = civil_of(day.date * DAY_MS + DAY_MS - 1);

        CHECK(c.year == day.year && c.month == day.month && c.day == day.day);
        CHECK(c.weekday == day.weekday && c.hour == 23 && c.milli == 999);
        CHECK_INT(days_in_month(day.year, day.month), month_length(&day));
        CHECK_INT(instant_of(&c), day.date * DAY_MS + DAY_MS - 1);
    }
}
