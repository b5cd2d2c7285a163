/* SPDX-License-Identifier: Apache-2.0 */
#include "model/partition.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "unit/model/instants.h"

static struct schedule schedule_at(int line, const char *text)
{
    struct schedule s = {0};
    struct error err;

    CHECK_OK_AT(line, schedule_parse(text, &s, &err), &err);
    return s;
}

#define PRINT(schedule, t, want) check_print(__LINE__, schedule, t, want)

static void check_print(int line, const char *schedule, const char *t, const char *want)
{
    struct schedule s = schedule_at(line, schedule);
    char text[PARTITION_TEXT_MAX];

    CHECK_STR_AT(line, partition_print(&s, instant_at(line, t), text), want);
}

/* STYX-SCH-04 */
TEST(partitions_print)
{
    PRINT("hours", "2016-01-19T09:00Z", "2016-01-19T09");
    PRINT("days", "2016-01-19T00:00Z", "2016-01-19");
    PRINT("weeks", "2016-01-18T00:00Z", "2016-01-18");
    PRINT("months", "2016-01-01T00:00Z", "2016-01");
    PRINT("years", "2016-01-01T00:00Z", "2016");
    PRINT("11 * * * *", "2016-01-19T09:11Z", "2016-01-19T09:11:00Z");
    PRINT("0 * * * *", "2016-01-19T09:00Z", "2016-01-19T09:00:00Z");
}

TEST(the_finer_part_of_an_instant_is_left_out)
{
    PRINT("hours", "2016-01-19T09:59:59.999Z", "2016-01-19T09");
    PRINT("days", "2016-01-19T23:59Z", "2016-01-19");
    PRINT("weeks", "2016-01-19T23:59Z", "2016-01-19");
    PRINT("years", "2016-12-31T23:59Z", "2016");
    PRINT("* * * * *", "2016-01-19T09:11:12.345Z", "2016-01-19T09:11:00Z");
    PRINT("days", "1969-12-31T23:59Z", "1969-12-31");
    PRINT("years", "0001-01-01T00:00Z", "0001");
}

#define PARSE(schedule, text, want) check_parse(__LINE__, schedule, text, want)

static void check_parse(int line, const char *schedule, const char *text, const char *want)
{
    struct schedule s = schedule_at(line, schedule);
    struct error err;
    instant t = 42;

    if (want) {
        CHECK_OK_AT(line, partition_parse(&s, text, &t, &err), &err);
        CHECK_INSTANT_AT(line, t, want);
        return;
    }
    CHECK_ERROR_AT(line, partition_parse(&s, text, &t, &err), &err, ERROR_INVALID);
    CHECK_INT_AT(line, t, 42);
    CHECK_AT(line, err.text[0] != '\0');
}

/* STYX-SCH-05 */
TEST(parameters_are_moved_back_to_a_partition)
{
    PARSE("hours", "2017-03-25T10:15:25+01:00", "2017-03-25T09:00Z");
    PARSE("days", "2017-03-25T23:00-03:00", "2017-03-26T00:00Z");
    PARSE("weeks", "2017-03-25", "2017-03-20T00:00Z");
    PARSE("months", "2017-02-01T00+01:00", "2017-01-01T00:00Z");
    PARSE("years", "2016-12-31T23-01:00", "2017-01-01T00:00Z");
    PARSE("* 3,8 1 1 *", "2017-03-25T10:15:25", "2017-01-01T08:59Z");
    PARSE("hours", "2017-03-25", "2017-03-25T00:00Z");
    PARSE("days", "2015", NULL);
}

/* STYX-SCH-05 */
TEST(parameters_accepted)
{
    PARSE("years", "2017", "2017-01-01T00:00Z");
    PARSE("years", "2017-05", "2017-01-01T00:00Z");
    PARSE("years", "2017-05-06", "2017-01-01T00:00Z");
    PARSE("years", "2017-05-06T07:08:09Z", "2017-01-01T00:00Z");
    PARSE("months", "2017-05", "2017-05-01T00:00Z");
    PARSE("months", "2017-05-31", "2017-05-01T00:00Z");
    PARSE("days", "2024-02-29", "2024-02-29T00:00Z");
    PARSE("days", "2017-03-25T00", "2017-03-25T00:00Z");
    PARSE("weeks", "2017-03-20", "2017-03-20T00:00Z");
    PARSE("weeks", "2017-03-20T00:00:00Z", "2017-03-20T00:00Z");
    PARSE("weeks", "2017-03-19", "2017-03-13T00:00Z");
    PARSE("hours", "2017-03-25T10", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10Z", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:15", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:15:25", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:15:25.1", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:00:00.000000001", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:15:25.123456789Z", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:15UTC", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:15GMT", "2017-03-25T10:00Z");
    PARSE("hours", "2017-03-25T10:15+0130", "2017-03-25T08:00Z");
    PARSE("hours", "2017-03-25T10+02", "2017-03-25T08:00Z");
    PARSE("11 * * * *", "2017-03-25T10:11:00Z", "2017-03-25T10:11Z");
    PARSE("11 * * * *", "2017-03-25T10:11:00.000Z", "2017-03-25T10:11Z");
    PARSE("11 * * * *", "2017-03-25T10:10:59.999Z", "2017-03-25T09:11Z");
    PARSE("0 0 29 2 *", "2026-01-01", "2024-02-29T00:00Z");
}

/* STYX-SCH-05 */
TEST(parameters_refused)
{
    static const char *const schedules[] = {"hours",  "days",  "weeks",
                                            "months", "years", "* * * * *"};
    static const char *const texts[] = {
        "",
        "x",
        "20170325",
        "2017-3-25",
        "2017-03-5",
        "2017-04-31",
        "2017-02-29",
        "2017-13-01",
        "2017-00-01",
        "2017-01-00",
        "0000-01-01",
        "17-03-25",
        "02017-03-25",
        "+2017-03-25",
        "2017-03-25Z",
        "2017-03-25+01:00",
        "2017-03-25UTC",
        "2017-03-25T",
        "2017-03-25t10",
        "2017-03-25 10",
        "2017-03-25T1",
        "2017-03-25T24",
        "2017-03-25T10:",
        "2017-03-25T10:60",
        "2017-03-25T10:15:",
        "2017-03-25T10:15:60",
        "2017-03-25T10:15:25.",
        "2017-03-25T10:15.5",
        "2017-03-25T10:15:25.1234567890",
        "2017-03-25T10z",
        "2017-03-25T10 Z",
        "2017-03-25T10:15+19:00",
        "2017-03-25T10:15+01:00x",
        "2017-03-25T10:15Mars/Olympus",
        "2017-03-25 ",
        " 2017-03-25",
        "2017-",
        "2017-1",
        "2017-13",
        "2017-05x",
        "2017x",
        "201",
        "0001-01-01T00+01:00",
        "9999-12-31T23-18:00",
    };

    for (size_t i = 0; i < ARRAY_SIZE(schedules); i++)
        for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
            struct schedule s = schedule_at(__LINE__, schedules[i]);
            struct error err;
            instant t;
            if (partition_parse(&s, texts[k], &t, &err))
                TEST_FAIL("%s accepted \"%s\"", schedules[i], texts[k]);
        }
    PARSE("months", "2017", NULL);
    PARSE("days", "2017-03", NULL);
    PARSE("weeks", "2017-03", NULL);
    PARSE("hours", "2017-03", NULL);
    PARSE("* * * * *", "2017-03", NULL);
    PARSE("0 0 30 2 *", "2017-03-25", NULL);
    PARSE("weeks", "0001-01-01", "0001-01-01T00:00Z");
}

TEST(an_error_shows_what_would_be_right)
{
    struct schedule s = schedule_at(__LINE__, "hourly");
    struct error err;
    instant t;

    CHECK_ERROR(partition_parse(&s, "2017", &t, &err), &err, ERROR_INVALID);
    CHECK_HAS(err.text, "2016-01-19T09");
}

/* STYX-SCH-05: the rules of other zones are in a database, which is not in the image. */
TEST(a_zone_by_another_name_is_told_which_are_taken)
{
    static const char *const zones[] = {"Europe/Berlin", "[Europe/Berlin]", "CET", "Etc/UTC"};
    struct schedule s = schedule_at(__LINE__, "hourly");
    struct error err;
    instant t;

    for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
        CLEANUP(free) char *text = xasprintf("2017-03-25T10:15%s", zones[i]);

        CHECK_ERROR(partition_parse(&s, text, &t, &err), &err, ERROR_INVALID);
        CHECK_STR(err.text, "the zone after the time must be Z, UTC, GMT, UT or an offset such as "
                            "+01:00; partitions of this schedule look like 2016-01-19T09");
    }
}

/* STYX-SCH-04 */
TEST(random_partitions_print_parse_and_sort)
{
    static const char *const schedules[] = {"hours", "days",      "weeks",          "months",
                                            "years", "* * * * *", "*/7 3,8 1 1 mon"};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        struct schedule s =
            schedule_at(__LINE__, schedules[rng_below(&rng, ARRAY_SIZE(schedules))]);
        instant a = rng_between(&rng, -900000 * DAY_MS / 2, 900000 * DAY_MS), b, back;
        char text[PARTITION_TEXT_MAX], later[PARTITION_TEXT_MAX];
        struct error err;

        CHECK(schedule_next(&s, a, &a));
        CHECK(schedule_next(&s, a, &b));
        CHECK_OK(partition_parse(&s, partition_print(&s, a, text), &back, &err), &err);
        CHECK_INT(back, a);
        CHECK(strcmp(text, partition_print(&s, b, later)) < 0);
    }
}
