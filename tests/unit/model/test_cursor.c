/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cursor.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "unit/model/instants.h"

/* A workflow as far as its cursor is concerned. */
struct flow {
    struct schedule schedule;
    struct offset offset;
    struct cursor cursor;
};

/* offset NULL: the schedule's own. */
static struct flow flow_at(int line, const char *schedule, const char *offset)
{
    struct flow f = {0};
    struct error err;

    CHECK_OK_AT(line, schedule_parse(schedule, &f.schedule, &err), &err);
    f.offset = *schedule_default_offset(&f.schedule);
    if (offset)
        CHECK_OK_AT(line, offset_parse(offset, &f.offset, &err), &err);
    return f;
}

static struct flow started(int line, const char *schedule, const char *offset, const char *now)
{
    struct flow f = flow_at(line, schedule, offset);
    struct error err;

    CHECK_OK_AT(line, cursor_start(&f.cursor, &f.schedule, &f.offset, instant_at(line, now), &err),
                &err);
    return f;
}

static void check_cursor(int line, const struct cursor *c, const char *next,
                         const char *next_offset)
{
    CHECK_INSTANT_AT(line, c->next, next);
    CHECK_INSTANT_AT(line, c->next_offset, next_offset);
}

#define START(schedule, offset, now, next, next_offset)                                            \
    check_start(__LINE__, schedule, offset, now, next, next_offset)

static void check_start(int line, const char *schedule, const char *offset, const char *now,
                        const char *next, const char *next_offset)
{
    struct flow f = started(line, schedule, offset, now);

    check_cursor(line, &f.cursor, next, next_offset);
    CHECK_INT_AT(line, f.cursor.epoch, 1);
}

/* STYX-SCH-07 */
TEST(a_cursor_starts_at_the_first_partition_after_now_less_the_offset)
{
    START("hourly", NULL, "2026-01-01T15:30Z", "2026-01-01T15:00Z", "2026-01-01T16:00Z");
    START("daily", "P30D", "2018-08-13T10:00Z", "2018-07-15T00:00Z", "2018-08-14T00:00Z");
    START("hourly", NULL, "2026-01-01T15:00Z", "2026-01-01T15:00Z", "2026-01-01T16:00Z");
    START("hourly", NULL, "2026-01-01T15:59:59.999Z", "2026-01-01T15:00Z", "2026-01-01T16:00Z");
    START("hourly", "PT0S", "2026-01-01T15:30Z", "2026-01-01T16:00Z", "2026-01-01T16:00Z");
    START("hourly", "PT0S", "2026-01-01T15:00Z", "2026-01-01T16:00Z", "2026-01-01T16:00Z");
    START("hourly", "-PT90M", "2026-01-01T15:30Z", "2026-01-01T18:00Z", "2026-01-01T16:30Z");
    START("daily", NULL, "2026-01-01T10:00Z", "2026-01-01T00:00Z", "2026-01-02T00:00Z");
    START("weekly", NULL, "2026-01-01T10:00Z", "2025-12-29T00:00Z", "2026-01-05T00:00Z");
    START("monthly", NULL, "2026-03-31T10:00Z", "2026-03-01T00:00Z", "2026-04-01T00:00Z");
    START("yearly", NULL, "2026-03-31T10:00Z", "2026-01-01T00:00Z", "2027-01-01T00:00Z");
    START("*/10 * * * *", NULL, "2026-01-01T10:05Z", "2026-01-01T10:10Z", "2026-01-01T10:10Z");
    START("0 0 29 2 *", "P1D", "2026-01-01T00:00Z", "2028-02-29T00:00Z", "2028-03-01T00:00Z");
}

/* STYX-SCH-07 */
TEST(a_schedule_that_never_comes_starts_nothing)
{
    struct flow f = flow_at(__LINE__, "0 0 30 2 *", NULL);
    struct cursor before = {.epoch = 3, .next = 5, .next_offset = 7}, c = before;
    struct error err;

    CHECK_ERROR(cursor_start(&c, &f.schedule, &f.offset, 0, &err), &err, ERROR_INVALID);
    CHECK_HAS(err.text, "0 0 30 2 *");
    CHECK(memcmp(&c, &before, sizeof(c)) == 0);
}

/* STYX-SCH-07 */
TEST(setting_counts_and_advancing_does_not)
{
    struct flow f = started(__LINE__, "hourly", NULL, "2026-01-01T15:30Z");
    struct error err;

    CHECK_INT(f.cursor.epoch, 1);
    CHECK(cursor_advance(&f.cursor, &f.schedule, &f.offset));
    CHECK_INT(f.cursor.epoch, 1);
    CHECK_OK(cursor_start(&f.cursor, &f.schedule, &f.offset, AT("2026-01-01T15:30Z"), &err), &err);
    CHECK_INT(f.cursor.epoch, 2);

    cursor_set(&f.cursor, AT("2025-01-01T00:07Z"), INSTANT_NONE);
    check_cursor(__LINE__, &f.cursor, "2025-01-01T00:07Z", "2026-01-01T16:00Z");
    CHECK_INT(f.cursor.epoch, 3);
    cursor_set(&f.cursor, INSTANT_NONE, AT("2025-01-01T00:08Z"));
    check_cursor(__LINE__, &f.cursor, "2025-01-01T00:07Z", "2025-01-01T00:08Z");
    CHECK_INT(f.cursor.epoch, 4);

    /* An instant that nobody checked is left behind at the next step. */
    CHECK(cursor_advance(&f.cursor, &f.schedule, &f.offset));
    check_cursor(__LINE__, &f.cursor, "2025-01-01T01:00Z", "2025-01-01T02:00Z");
    CHECK_INT(f.cursor.epoch, 4);
}

#define ADVANCE(schedule, offset, now, next, next_offset)                                          \
    check_advance(__LINE__, schedule, offset, now, next, next_offset)

static void check_advance(int line, const char *schedule, const char *offset, const char *now,
                          const char *next, const char *next_offset)
{
    struct flow f = started(line, schedule, offset, now);

    CHECK_AT(line, cursor_advance(&f.cursor, &f.schedule, &f.offset));
    check_cursor(line, &f.cursor, next, next_offset);
}

TEST(a_cursor_advances_by_one_partition)
{
    ADVANCE("hourly", NULL, "2026-01-01T15:30Z", "2026-01-01T16:00Z", "2026-01-01T17:00Z");
    ADVANCE("monthly", NULL, "2026-01-15T00:00Z", "2026-02-01T00:00Z", "2026-03-01T00:00Z");
    ADVANCE("daily", "P1M", "2026-02-28T12:00Z", "2026-01-30T00:00Z", "2026-02-28T00:00Z");
    ADVANCE("daily", "-P1D", "2026-01-01T12:00Z", "2026-01-04T00:00Z", "2026-01-03T00:00Z");
    ADVANCE("0 0 29 2 *", NULL, "2026-01-01T00:00Z", "2032-02-29T00:00Z", "2032-02-29T00:00Z");
}

TEST(there_is_no_partition_after_the_last_one)
{
    struct flow f = started(__LINE__, "yearly", "PT0S", "9998-06-01T00:00Z");
    struct cursor before = f.cursor;
    struct cursor_skip skip;

    CHECK_INSTANT(f.cursor.next, "9999-01-01T00:00Z");
    CHECK(!cursor_advance(&f.cursor, &f.schedule, &f.offset));
    CHECK(!cursor_skip_due(&f.cursor, &f.schedule, &f.offset, AT("9999-06-01T00:00Z"), &skip));
    CHECK(memcmp(&f.cursor, &before, sizeof(before)) == 0);
}

TEST(due_at_its_instant_and_not_before)
{
    struct flow f = started(__LINE__, "hourly", NULL, "2026-01-01T15:30Z");
    struct cursor never = {0};

    CHECK(!cursor_due(&f.cursor, AT("2026-01-01T15:30Z")));
    CHECK(!cursor_due(&f.cursor, AT("2026-01-01T15:59:59.999Z")));
    CHECK(cursor_due(&f.cursor, AT("2026-01-01T16:00Z")));
    CHECK(cursor_due(&f.cursor, AT("2026-01-02T16:00Z")));
    CHECK(!cursor_due(&never, AT("2026-01-02T16:00Z")));
}

TEST(a_cursor_is_never_due_when_it_starts)
{
    static const char *const schedules[] = {"hourly", "weekly", "*/7 3 * * *", "0 0 31 * 1"};
    static const char *const offsets[] = {"PT0S", "PT1H", "-P3D", "P40D"};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 2000; i++) {
        struct flow f = flow_at(__LINE__, schedules[rng_below(&rng, ARRAY_SIZE(schedules))],
                                offsets[rng_below(&rng, ARRAY_SIZE(offsets))]);
        instant now = rng_between(&rng, 0, 40000 * DAY_MS);
        struct error err;

        CHECK_OK(cursor_start(&f.cursor, &f.schedule, &f.offset, now, &err), &err);
        CHECK(!cursor_due(&f.cursor, now));
    }
}

/* ---- passing by what is due ---- */

#define SKIP(schedule, offset, start, now, count, first, last, next)                               \
    check_skip(__LINE__, schedule, offset, start, now, count, first, last, next)

static void check_skip(int line, const char *schedule, const char *offset, const char *start,
                       const char *now, int64_t count, const char *first, const char *last,
                       const char *next)
{
    struct flow f = started(line, schedule, offset, start);
    struct cursor_skip skip = {.count = -1};

    CHECK_AT(line,
             cursor_skip_due(&f.cursor, &f.schedule, &f.offset, instant_at(line, now), &skip));
    CHECK_INT_AT(line, skip.count, count);
    if (count) {
        CHECK_INSTANT_AT(line, skip.first, first);
        CHECK_INSTANT_AT(line, skip.last, last);
    }
    CHECK_INSTANT_AT(line, f.cursor.next, next);
    CHECK_INT_AT(line, f.cursor.next_offset, offset_add(f.cursor.next, &f.offset));
    CHECK_AT(line, !cursor_due(&f.cursor, instant_at(line, now)));
    CHECK_INT_AT(line, f.cursor.epoch, 1);
}

TEST(skipping_passes_what_is_due)
{
    SKIP("hourly", NULL, "2026-01-01T15:30Z", "2026-01-01T15:59Z", 0, NULL, NULL,
         "2026-01-01T15:00Z");
    SKIP("hourly", NULL, "2026-01-01T15:30Z", "2026-01-01T16:00Z", 1, "2026-01-01T15:00Z",
         "2026-01-01T15:00Z", "2026-01-01T16:00Z");
    SKIP("hourly", NULL, "2026-01-01T15:30Z", "2026-01-02T00:10Z", 9, "2026-01-01T15:00Z",
         "2026-01-01T23:00Z", "2026-01-02T00:00Z");
    SKIP("daily", "-P1D", "2026-01-01T12:00Z", "2026-01-04T12:00Z", 3, "2026-01-03T00:00Z",
         "2026-01-05T00:00Z", "2026-01-06T00:00Z");
    SKIP("daily", "PT0S", "2026-01-01T12:00Z", "2026-01-04T00:00Z", 3, "2026-01-02T00:00Z",
         "2026-01-04T00:00Z", "2026-01-05T00:00Z");
    SKIP("monthly", NULL, "2026-01-01T12:00Z", "2026-12-31T00:00Z", 11, "2026-01-01T00:00Z",
         "2026-11-01T00:00Z", "2026-12-01T00:00Z");
    SKIP("0 0 29 2 *", NULL, "2020-01-01T00:00Z", "2030-01-01T00:00Z", 3, "2020-02-29T00:00Z",
         "2028-02-29T00:00Z", "2032-02-29T00:00Z");
    SKIP("daily", "P1M", "2026-02-15T00:00Z", "2026-02-28T00:00Z", 16, "2026-01-16T00:00Z",
         "2026-01-31T00:00Z", "2026-02-01T00:00Z");
}

TEST(a_clock_that_goes_back_takes_nothing_back)
{
    struct flow f = started(__LINE__, "hourly", NULL, "2026-01-01T15:30Z");
    struct cursor before = f.cursor;
    struct cursor_skip skip = {.count = -1};

    CHECK(!cursor_due(&f.cursor, AT("2025-01-01T00:00Z")));
    CHECK(cursor_skip_due(&f.cursor, &f.schedule, &f.offset, AT("2025-01-01T00:00Z"), &skip));
    CHECK_INT(skip.count, 0);
    CHECK(memcmp(&f.cursor, &before, sizeof(before)) == 0);
}

TEST(years_of_minutes_are_passed_at_once)
{
    SKIP("* * * * *", NULL, "1990-01-01T00:00Z", "2026-01-01T00:00Z", CURSOR_SKIP_COUNT_MAX,
         "1990-01-01T00:01Z", "2026-01-01T00:00Z", "2026-01-01T00:01Z");
    SKIP("* * * * *", "P1M", "1990-01-01T00:00Z", "2026-03-01T00:00Z", CURSOR_SKIP_COUNT_MAX,
         "1989-12-01T00:01Z", "2026-02-01T00:00Z", "2026-02-01T00:01Z");
}

/* A cursor that was set to an instant of no partition, due at another one. */
TEST(an_unaligned_cursor_is_passed_too)
{
    struct flow f = started(__LINE__, "hourly", NULL, "2026-01-01T00:00Z");
    struct cursor_skip skip;

    cursor_set(&f.cursor, AT("2026-01-01T10:30Z"), AT("2026-01-01T00:00Z"));
    CHECK(cursor_skip_due(&f.cursor, &f.schedule, &f.offset, AT("2026-01-01T10:45Z"), &skip));
    CHECK_INT(skip.count, 1);
    CHECK_INSTANT(skip.first, "2026-01-01T10:30Z");
    CHECK_INSTANT(skip.last, "2026-01-01T10:30Z");
    check_cursor(__LINE__, &f.cursor, "2026-01-01T11:00Z", "2026-01-01T12:00Z");
}

/* One by one, as a workflow that is not suspended would. */
static struct cursor_skip pass_slowly(struct flow *f, instant now)
{
    struct cursor_skip skip = {0};

    while (cursor_due(&f->cursor, now)) {
        if (skip.count++ == 0)
            skip.first = f->cursor.next;
        skip.last = f->cursor.next;
        CHECK(cursor_advance(&f->cursor, &f->schedule, &f->offset));
    }
    return skip;
}

TEST(skipping_agrees_with_advancing)
{
    static const char *const schedules[] = {"hourly",      "daily",      "weekly",    "monthly",
                                            "*/7 3 * * *", "0 0 31 * 1", "30 4 * * *"};
    static const char *const offsets[] = {
        "PT0S",   "PT1H",   "-P3DT2H", "P40D", "P1M",         "-P1M",     "P1M1D",
        "-P1M1D", "P1M-1D", "P-1M2D",  "P1Y",  "-P1Y2M3DT4H", "P11MT13H", "P-2M31DT1H",
    };
    struct rng rng;
    int64_t total = 0;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 4000; i++) {
        struct flow f = flow_at(__LINE__, schedules[rng_below(&rng, ARRAY_SIZE(schedules))],
                                offsets[rng_below(&rng, ARRAY_SIZE(offsets))]);
        instant now = rng_between(&rng, 10000 * DAY_MS, 40000 * DAY_MS);
        struct cursor_skip quick, slow;
        struct error err;

        CHECK_OK(cursor_start(&f.cursor, &f.schedule, &f.offset, now, &err), &err);
        struct flow g = f;
        now += rng_between(&rng, 0, 90 * DAY_MS);
        slow = pass_slowly(&g, now);
        CHECK(cursor_skip_due(&f.cursor, &f.schedule, &f.offset, now, &quick));
        CHECK_INT(quick.count, slow.count);
        CHECK_INT(f.cursor.next, g.cursor.next);
        CHECK_INT(f.cursor.next_offset, g.cursor.next_offset);
        if (slow.count) {
            CHECK_INT(quick.first, slow.first);
            CHECK_INT(quick.last, slow.last);
        }
        total += slow.count;
    }
    CHECK(total > 10000);
}
