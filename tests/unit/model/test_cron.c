/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cron.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "unit/model/instants.h"

static struct cron cron_at(int line, const char *text)
{
    struct cron c = {0};
    struct error err;

    CHECK_OK_AT(line, cron_parse(text, &c, &err), &err);
    return c;
}

/* ---- what is accepted ---- */

#define REFUSED(text, part) check_refused(__LINE__, text, part)
#define SAME(text, as)      check_same(__LINE__, text, as)

static void check_refused(int line, const char *text, const char *part)
{
    struct cron c = {.hours = 42};
    struct error err;

    CHECK_ERROR_AT(line, cron_parse(text, &c, &err), &err, ERROR_INVALID);
    CHECK_INT_AT(line, c.hours, 42);
    CHECK_HAS_AT(line, err.text, part);
}

static void check_same(int line, const char *text, const char *as)
{
    struct cron a = cron_at(line, text), b = cron_at(line, as);

    CHECK_INT_AT(line, a.minutes, b.minutes);
    CHECK_INT_AT(line, a.hours, b.hours);
    CHECK_INT_AT(line, a.days, b.days);
    CHECK_INT_AT(line, a.months, b.months);
    CHECK_INT_AT(line, a.weekdays, b.weekdays);
    CHECK_AT(line, a.any_day == b.any_day && a.any_weekday == b.any_weekday);
}

/* STYX-SCH-02 */
TEST(refused_expressions)
{
    REFUSED("", "five fields");
    REFUSED("   ", "five fields");
    REFUSED("* * * *", "five fields");
    REFUSED("* * * * * *", "five fields");
    REFUSED("@midnight", "@midnight");
    REFUSED("@reboot", "@reboot");
    REFUSED("60 * * * *", "minute \"60\": out of bounds");
    REFUSED("* 24 * * *", "hour \"24\": out of bounds");
    REFUSED("* * 0 * *", "day of month \"0\": out of bounds");
    REFUSED("* * 32 * *", "day of month \"32\": out of bounds");
    REFUSED("* * * 0 *", "month \"0\": out of bounds");
    REFUSED("* * * 13 *", "month \"13\": out of bounds");
    REFUSED("* * * * 8", "day of week \"8\": out of bounds");
    REFUSED("99999999999999999999 * * * *", "out of bounds");
    REFUSED("4294967296 * * * *", "out of bounds");
    REFUSED("0-60 * * * *", "out of bounds");
    REFUSED("60/2 * * * *", "out of bounds");
    REFUSED("*/60 * * * *", "step");
    REFUSED("* */24 * * *", "step");
    REFUSED("* * */32 * *", "step");
    REFUSED("* * * */13 *", "step");
    REFUSED("* * * * */8", "step");
    REFUSED("*/0 * * * *", "step");
    REFUSED("*/ * * * *", "step");
    REFUSED("/ * * * *", "step");
    REFUSED("1/ * * * *", "step");
    REFUSED("*/a * * * *", "step");
    REFUSED("1- * * * *", "range");
    REFUSED("1-a * * * *", "range");
    REFUSED("5-1 * * * *", "ascend");
    REFUSED("* * * * SUN-TUE", "ascend");
    REFUSED("* * * NOV-FEB *", "ascend");
    REFUSED("-1 * * * *", "not a number");
    REFUSED("1-5-9 * * * *", "not understood");
    REFUSED("1.5 * * * *", "not understood");
    REFUSED("*5 * * * *", "not understood");
    REFUSED("** * * * *", "not understood");
    REFUSED("*-5 * * * *", "not understood");
    REFUSED("1,,2 * * * *", "not a number");
    REFUSED("1, * * * *", "not a number");
    REFUSED(",1 * * * *", "not a number");
    REFUSED("a * * * *", "not a number");
    REFUSED("? * * * *", "not a number");
    REFUSED("* * ? * *", "not a number");
    REFUSED("* * L * *", "not a number");
    REFUSED("* * 15W * *", "not understood");
    REFUSED("* * * * 5#2", "not understood");
    REFUSED("* * * * 5L", "not understood");
    REFUSED("* * * FOO *", "not a number");
    REFUSED("* * * * MONDAY", "not understood");
    REFUSED("* MON * * *", "not a number");
    REFUSED("* * * MON *", "not a number");
    REFUSED("* * * * 2-6/7", "step");
}

/* STYX-SCH-02 */
TEST(equal_expressions)
{
    SAME("* * * * *", "*/1 */1 */1 */1 */1");
    SAME("* * * * *", "/1 /1 /1 /1 /1");
    SAME("  *\t*   *\n* *  ", "* * * * *");
    SAME("/15 * * * *", "0,15,30,45 * * * *");
    SAME("*/59 * * * *", "0,59 * * * *");
    SAME("50/4 * * * *", "50,54,58 * * * *");
    SAME("10-20/5 * * * *", "10,15,20 * * * *");
    SAME("5,1-3,*/30 * * * *", "0,1,2,3,5,30 * * * *");
    SAME("+5 007 * * *", "5 7 * * *");
    SAME("* * * jan,Feb,MAR-may *", "* * * 1-5 *");
    SAME("* * * * sun", "* * * * 0");
    SAME("* * * * 7", "* * * * 0");
    SAME("* * * * mon-fri", "* * * * 1-5");
    SAME("* * * * FRI-SUN", "* * * * 5,6,0");
    SAME("* * * * fri-7", "* * * * 0,5,6");
    SAME("* * * * 7-SUN", "* * * * 0");
    SAME("* * * * */2", "* * * * 0,2,4,6");
    SAME("* * * * 1/2", "* * * * 0,1,3,5");
    SAME("* * * * */7", "* * * * 0");
    SAME("* * * * 7/5", "* * * * 0,5");
    SAME("* * 1-31/31 * *", "* * 1 * *");
}

static bool has_item(const char *line, int n, const char **ret_item, size_t *ret_len)
{
    for (; n > 0 && line; n--) {
        line = strchr(line, '\t');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return false;
    *ret_item = line;
    *ret_len = strcspn(line, "\t\n");
    return true;
}

static char *item_of(const char *line, int n)
{
    const char *item;
    size_t len;

    return has_item(line, n, &item, &len) ? xstrndup(item, len) : NULL;
}

/* One row of the file: the expression, an instant, and what comes after it. */
static void check_vector(int number, const char *row)
{
    CLEANUP(free) char *text = item_of(row, 0);
    CLEANUP(free) char *from = item_of(row, 1);
    struct cron c;
    struct error err;
    instant t;

    if (strstr(row, "\tINVALID")) {
        if (cron_parse(text, &c, &err))
            TEST_FAIL("row %d: %s was accepted", number, text);
        return;
    }
    if (!cron_parse(text, &c, &err))
        TEST_FAIL("row %d: %s: %s", number, text, err.text);
    t = AT(from);
    for (int i = 2;; i++) {
        CLEANUP(free) char *want = item_of(row, i);
        char got[INSTANT_TEXT_MAX] = "NONE";
        if (!want) {
            CHECK(i > 2);
            return;
        }
        instant before = t, back;
        if (cron_next(&c, t, &t))
            instant_print(t, got);
        if (strcmp(got, want) != 0)
            TEST_FAIL("row %d: %s: %s, want %s", number, text, got, want);
        /* And back: nothing lies between a match and the next one. */
        if (i > 2 && (!cron_previous(&c, t, &back) || back != before))
            TEST_FAIL("row %d: %s: wrong before %s", number, text, want);
    }
}

/* STYX-SCH-02, STYX-SCH-03 */
TEST(vectors_of_the_reference_dialect)
{
    FILE *file = fopen(TEST_DATA "/cron-vectors.tsv", "r");
    char row[1024];
    int number = 0, n = 0;

    CHECK(file != NULL);
    while (fgets(row, sizeof(row), file)) {
        number++;
        if (row[0] == '#')
            continue;
        check_vector(number, row);
        n++;
    }
    fclose(file);
    CHECK_INT(n, 345);
}

/* ---- the next and the previous match ---- */

#define AROUND(text, previous, t, next) check_around(__LINE__, text, previous, t, next)

static void check_around(int line, const char *text, const char *previous, const char *t,
                         const char *next)
{
    struct cron c = cron_at(line, text);
    char got[INSTANT_TEXT_MAX] = NONE, want[INSTANT_TEXT_MAX] = NONE;
    instant at = instant_at(line, t), found = 0;

    if (cron_next(&c, at, &found))
        instant_print(found, got);
    if (strcmp(next, NONE) != 0)
        instant_print(instant_at(line, next), want);
    CHECK_STR_AT(line, got, want);

    strncpy(got, NONE, sizeof(got));
    strncpy(want, NONE, sizeof(want));
    if (cron_previous(&c, at, &found))
        instant_print(found, got);
    if (strcmp(previous, NONE) != 0)
        instant_print(instant_at(line, previous), want);
    CHECK_STR_AT(line, got, want);
}

TEST(next_and_previous)
{
    AROUND("* * * * *", "2026-01-01T10:14Z", "2026-01-01T10:15Z", "2026-01-01T10:16Z");
    AROUND("* * * * *", "2026-01-01T10:15Z", "2026-01-01T10:15:00.001Z", "2026-01-01T10:16Z");
    AROUND("* * * * *", "2026-01-01T10:15Z", "2026-01-01T10:15:59.999Z", "2026-01-01T10:16Z");
    AROUND("* * * * *", "1969-12-31T23:59Z", "1970-01-01T00:00Z", "1970-01-01T00:01Z");
    AROUND("* * * * *", "1969-12-31T23:59Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00Z");
    AROUND("0 0 1 1 *", "2025-01-01T00:00Z", "2026-01-01T00:00Z", "2027-01-01T00:00Z");
    AROUND("59 23 31 12 *", "2025-12-31T23:59Z", "2026-01-01T00:00Z", "2026-12-31T23:59Z");
    AROUND("30 12 * * *", "2025-12-31T12:30Z", "2026-01-01T12:29Z", "2026-01-01T12:30Z");
    AROUND("30 12 * * *", "2026-01-01T12:30Z", "2026-01-01T12:31Z", "2026-01-02T12:30Z");
    AROUND("15 3,20 * * *", "2026-01-01T03:15Z", "2026-01-01T09:00Z", "2026-01-01T20:15Z");
    AROUND("0 0 31 * *", "2026-01-31T00:00Z", "2026-02-10T00:00Z", "2026-03-31T00:00Z");
    AROUND("0 0 29 2 *", "2024-02-29T00:00Z", "2026-01-01T00:00Z", "2028-02-29T00:00Z");
    AROUND("0 0 29 2 *", "2096-02-29T00:00Z", "2100-03-01T00:00Z", "2104-02-29T00:00Z");
    AROUND("0 0 29 2 *", "2096-02-29T00:00Z", "2104-02-29T00:00Z", "2108-02-29T00:00Z");
    AROUND("0 0 29 2 *", "2092-02-29T00:00Z", "2096-02-29T00:00Z", "2104-02-29T00:00Z");
    AROUND("0 0 30 2 *", NONE, "2026-01-01T00:00Z", NONE);
    AROUND("0 0 31 4,6,9,11 *", NONE, "2026-01-01T00:00Z", NONE);
    AROUND("* * * * *", NONE, "0001-01-01T00:00Z", "0001-01-01T00:01Z");
    AROUND("* * * * *", "9999-12-31T23:59Z", "9999-12-31T23:59:59.999Z", NONE);
    AROUND("0 0 29 2 *", NONE, "0003-01-01T00:00Z", "0004-02-29T00:00Z");
    AROUND("0 0 29 2 *", "9996-02-29T00:00Z", "9997-01-01T00:00Z", NONE);
}

/* STYX-SCH-03 */
TEST(restricted_days_of_both_kinds_are_united)
{
    /* 2026-01-01 is a Thursday */
    AROUND("0 0 13 * 5", "2025-12-26T00:00Z", "2026-01-01T00:00Z", "2026-01-02T00:00Z");
    AROUND("0 0 13 * 5", "2026-01-09T00:00Z", "2026-01-10T00:00Z", "2026-01-13T00:00Z");
    AROUND("0 0 13 * *", "2025-12-13T00:00Z", "2026-01-01T00:00Z", "2026-01-13T00:00Z");
    AROUND("0 0 * * 5", "2026-01-09T00:00Z", "2026-01-10T00:00Z", "2026-01-16T00:00Z");
    AROUND("0 0 13 * */1", "2025-12-13T00:00Z", "2026-01-01T00:00Z", "2026-01-13T00:00Z");
    AROUND("0 0 */1 * 5", "2026-01-09T00:00Z", "2026-01-10T00:00Z", "2026-01-16T00:00Z");
    AROUND("0 0 /1 * 5", "2026-01-09T00:00Z", "2026-01-10T00:00Z", "2026-01-16T00:00Z");
    AROUND("0 0 1-31 * 5", "2026-01-09T00:00Z", "2026-01-10T00:00Z", "2026-01-11T00:00Z");
    AROUND("0 0 13 * 0-7", "2026-01-09T00:00Z", "2026-01-10T00:00Z", "2026-01-11T00:00Z");
    AROUND("0 0 */2 * 1", "2026-01-09T00:00Z", "2026-01-10T00:00Z", "2026-01-11T00:00Z");
    AROUND("0 0 30 2 1", "2025-02-24T00:00Z", "2026-01-01T00:00Z", "2026-02-02T00:00Z");
}

TEST(instants_beyond_the_calendar_are_no_trouble)
{
    struct cron c = cron_at(__LINE__, "* * * * *");
    instant t = 42;

    CHECK(cron_next(&c, INT64_MIN, &t));
    CHECK_INSTANT(t, "0001-01-01T00:00Z");
    CHECK(!cron_next(&c, INT64_MAX, &t));
    CHECK(cron_previous(&c, INT64_MAX, &t));
    CHECK_INSTANT(t, "9999-12-31T23:59Z");
    CHECK(!cron_previous(&c, INT64_MIN, &t));
    CHECK_INSTANT(t, "9999-12-31T23:59Z");
}

TEST(matching)
{
    struct cron c = cron_at(__LINE__, "15 9 * * mon");

    CHECK(cron_matches(&c, AT("2026-01-05T09:15Z")));
    CHECK(!cron_matches(&c, AT("2026-01-05T09:15:01Z")));
    CHECK(!cron_matches(&c, AT("2026-01-05T09:15:00.001Z")));
    CHECK(!cron_matches(&c, AT("2026-01-05T09:16Z")));
    CHECK(!cron_matches(&c, AT("2026-01-05T10:15Z")));
    CHECK(!cron_matches(&c, AT("2026-01-06T09:15Z")));
}

/* ---- against a search that takes its time ---- */

/* An expression and, told apart from its text, what it means. */
struct naive {
    bool minute[60], hour[24], day[32], month[13], weekday[8];
    bool any_day, any_weekday;
    char *text;
};

/* A random item of a field: the text is appended, the values are marked. */
static void random_item(struct rng *rng, struct buf *text, bool *set, int min, int max)
{
    int a = (int) rng_between(rng, min, max), b = (int) rng_between(rng, a, max);
    int step = (int) rng_between(rng, 1, max < 8 ? 6 : max);

    switch (rng_below(rng, 4)) {
    case 0:
        buf_addf(text, "%d", a);
        b = a;
        break;
    case 1:
        buf_addf(text, "%d-%d", a, b);
        step = 1;
        break;
    case 2:
        buf_addf(text, "%d-%d/%d", a, b, step);
        break;
    default:
        buf_addf(text, "*/%d", step > 1 ? step : 2);
        step = step > 1 ? step : 2;
        a = min;
        b = max;
    }
    for (int value = a; value <= b; value += step)
        set[value] = true;
}

/* Returns whether the field is a star. */
static bool random_field(struct rng *rng, struct buf *text, bool *set, int min, int max)
{
    if (text->len)
        buf_addc(text, ' ');
    if (rng_below(rng, 3) == 0) {
        buf_addc(text, '*');
        for (int value = min; value <= max; value++)
            set[value] = true;
        return true;
    }
    for (uint64_t i = 0, n = 1 + rng_below(rng, 3); i < n; i++) {
        if (i)
            buf_addc(text, ',');
        random_item(rng, text, set, min, max);
    }
    return false;
}

static struct naive random_expression(struct rng *rng)
{
    struct naive n = {0};
    struct buf text = BUF_INIT;

    random_field(rng, &text, n.minute, 0, 59);
    random_field(rng, &text, n.hour, 0, 23);
    n.any_day = random_field(rng, &text, n.day, 1, 31);
    random_field(rng, &text, n.month, 1, 12);
    n.any_weekday = random_field(rng, &text, n.weekday, 0, 7);
    n.weekday[0] = n.weekday[7] = n.weekday[0] || n.weekday[7];
    n.text = buf_take(&text);
    return n;
}

static bool naive_day(const struct naive *n, const struct tm *tm)
{
    bool day = n->day[tm->tm_mday], weekday = n->weekday[tm->tm_wday];

    if (!n->month[tm->tm_mon + 1])
        return false;
    if (!n->any_day && !n->any_weekday)
        return day || weekday;
    return day && weekday; /* a star contains every day */
}

/* Minute by minute, days that do not match in one step; by the system's calendar.  `direction` is 1
 * or -1.  The calendar of a schedule repeats in far less than `years`. */
static bool naive_search(const struct naive *n, time_t t, int direction, time_t *ret_match)
{
    time_t end = t + direction * 12L * 366 * 86400;

    t = direction > 0 ? t - t % 60 + 60 : t - 1 - (t - 1) % 60;
    while (direction > 0 ? t < end : t > end) {
        struct tm tm;
        gmtime_r(&t, &tm);
        if (!naive_day(n, &tm)) {
            t += direction > 0 ? 86400 - t % 86400 : -(t % 86400) - 60;
            continue;
        }
        if (n->hour[tm.tm_hour] && n->minute[tm.tm_min]) {
            *ret_match = t;
            return true;
        }
        t += direction * 60;
    }
    return false;
}

static void check_against_search(const struct naive *n, const struct cron *c, time_t from)
{
    for (int direction = -1; direction <= 1; direction += 2) {
        time_t want = 0;
        instant got = 0;
        bool exists = naive_search(n, from, direction, &want);
        bool found =
            direction > 0 ? cron_next(c, from * 1000, &got) : cron_previous(c, from * 1000, &got);

        if (found != exists || got != want * 1000)
            TEST_FAIL("%s: %d from %ld is %" PRId64 ", want %ld", n->text, direction, from, got,
                      want);
        if (found)
            CHECK(cron_matches(c, got));
    }
}

TEST(random_expressions_agree_with_a_search)
{
    struct rng rng;
    struct error err;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 3000; i++) {
        struct naive n = random_expression(&rng);
        struct cron c;

        CHECK_OK(cron_parse(n.text, &c, &err), &err);
        for (int k = 0; k < 3; k++)
            check_against_search(&n, &c, rng_between(&rng, 20L * 366 * 86400, 200L * 366 * 86400));
        free(n.text);
    }
}

TEST(counting_agrees_with_stepping)
{
    struct rng rng;
    struct error err;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 2000; i++) {
        struct naive n = random_expression(&rng);
        struct cron c;
        instant from = rng_between(&rng, 0, 50000 * DAY_MS), to = from, first = from, last;
        int64_t steps = 0;

        CHECK_OK(cron_parse(n.text, &c, &err), &err);
        if (rng_below(&rng, 2) && cron_next(&c, from, &first))
            from = first; /* a match counts where the range begins, not where it ends */
        if (cron_matches(&c, from))
            steps++;
        last = from;
        for (uint64_t k = rng_below(&rng, 500); k > 0 && cron_next(&c, last, &last); k--)
            steps++;
        to = last + (steps > 0);
        CHECK_INT(cron_count(&c, from, to), steps);
        if (steps > 0 && cron_matches(&c, last))
            CHECK_INT(cron_count(&c, from, last), steps - 1);
        free(n.text);
    }
}

#define COUNT(text, from, to, want) check_count(__LINE__, text, from, to, want)

static void check_count(int line, const char *text, const char *from, const char *to, int64_t want)
{
    struct cron c = cron_at(line, text);

    CHECK_INT_AT(line, cron_count(&c, instant_at(line, from), instant_at(line, to)), want);
}

TEST(counts)
{
    COUNT("* * * * *", "2026-01-01T00:00Z", "2026-01-01T00:00Z", 0);
    COUNT("* * * * *", "2026-01-01T00:00Z", "2026-01-01T00:01Z", 1);
    COUNT("* * * * *", "2026-01-01T00:00:00.001Z", "2026-01-01T00:01Z", 0);
    COUNT("* * * * *", "2026-01-01T00:00Z", "2026-01-01T00:01:00.001Z", 2);
    COUNT("* * * * *", "2026-01-01T00:01Z", "2026-01-01T00:00Z", 0);
    COUNT("0 * * * *", "2026-01-01T00:00Z", "2027-01-01T00:00Z", 8760);
    COUNT("0 0 * * *", "2024-01-01T00:00Z", "2025-01-01T00:00Z", 366);
    COUNT("0 0 29 2 *", "2000-01-01T00:00Z", "2400-01-01T00:00Z", 97);
    COUNT("0 0 30 2 *", "2000-01-01T00:00Z", "2400-01-01T00:00Z", 0);
    COUNT("* * * * *", "0001-01-01T00:00Z", "9999-12-31T23:59:59.999Z", 3652059 * 1440L);
}

/* Whatever stands in the text: refused or read, never a crash or an endless search. */
TEST(random_texts)
{
    static const char alphabet[] = "*****/,-0123456789   janmonsun+?LW#";
    struct rng rng;
    struct error err;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 50000; i++) {
        char text[24];
        size_t n = rng_below(&rng, sizeof(text));
        struct cron c;
        instant t = 0, back;

        for (size_t k = 0; k < n; k++)
            text[k] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        text[n] = '\0';
        if (!cron_parse(text, &c, &err) || !cron_next(&c, t, &t))
            continue;
        CHECK(cron_matches(&c, t));
        if (cron_previous(&c, t, &back))
            CHECK_INT(cron_count(&c, back, t), 1);
    }
}
