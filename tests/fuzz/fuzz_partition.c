/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of partitions (model/partition.h), for any schedule and any text:
 *
 *  - a second reader (naive_iso.h) accepts the same texts for the same instant; what comes out is
 *    the last aligned one at or before it, as days and minutes are walked through (naive_cron.h);
 *  - the partition's own text is read as the same partition, and has the same text;
 *  - the order of texts is the order of time.
 *
 * The lines are the schedule and two parameters.
 */
#include "model/partition.h"

#include "naive_cron.h"
#include "naive_iso.h"

#include "fuzz.h"

#define SEARCH_MINUTES (INT64_C(9) * 366 * 1440)

/* What a schedule takes besides dates: forms that "-01-01" or "-01" makes dates of. */
static bool complete(const struct schedule *s, const char *text, char date[16])
{
    size_t len = strlen(text);
    bool years = s->kind == SCHEDULE_YEARS, months = s->kind == SCHEDULE_MONTHS;

    if (years && naive_has_form(text, len, "0000"))
        snprintf(date, 16, "%.4s-01-01", text);
    else if (years && naive_has_form(text, len, "0000-00") && naive_int(text, 5, 2) >= 1 &&
             naive_int(text, 5, 2) <= 12)
        snprintf(date, 16, "%.4s-01-01", text);
    else if (months && naive_has_form(text, len, "0000-00"))
        snprintf(date, 16, "%.7s-01", text);
    else
        return false;
    return true;
}

static bool is_utc(const char *zone)
{
    return !*zone || strcmp(zone, "Z") == 0 || strcmp(zone, "UTC") == 0 ||
           strcmp(zone, "GMT") == 0 || strcmp(zone, "UT") == 0;
}

static bool naive_parameter(const struct schedule *s, const char *text, int64_t *ret_ms)
{
    char date[16];
    int64_t zone = 0;

    if (complete(s, text, date))
        return naive_moment(date, "00", 2, ret_ms);
    if (strlen(text) < 10 || !naive_has_form(text, 10, "0000-00-00"))
        return false;
    if (!text[10])
        return naive_moment(text, "00", 2, ret_ms);
    if (text[10] != 'T')
        return false;
    const char *end = text + 11 + strcspn(text + 11, "+-ZUG");
    if (!is_utc(end) && !naive_zone(end, &zone))
        return false;
    if (!naive_moment(text, text + 11, (size_t) (end - text - 11), ret_ms))
        return false;
    *ret_ms -= zone * 1000;
    return *ret_ms >= INSTANT_MIN && *ret_ms <= INSTANT_MAX;
}

static bool naive_partition(const struct schedule *s, const char *text, instant *ret)
{
    struct naive_cron naive;
    struct schedule cron = *s;
    int64_t ms = 0, minute, first = INSTANT_MIN / MINUTE_MS;
    static const char *const crons[] = {"0 * * * *", "0 0 * * *", "0 0 * * 1", "0 0 1 * *",
                                        "0 0 1 1 *"};

    FUZZ_CHECK(naive_cron_parse(s->kind == SCHEDULE_CRON ? cron.text : crons[s->kind], &naive));
    if (!naive_parameter(s, text, &ms))
        return false;
    int64_t at = ms / MINUTE_MS - (ms % MINUTE_MS < 0);
    int64_t to = at - SEARCH_MINUTES > first ? at - SEARCH_MINUTES : first;
    if (!naive_cron_find(&naive, at, to, &minute))
        return false;
    *ret = minute * MINUTE_MS;
    return true;
}

static bool check(const struct schedule *s, const char *text, instant *ret)
{
    char printed[PARTITION_TEXT_MAX], twice[PARTITION_TEXT_MAX];
    instant t = INSTANT_NONE, want = 0, again;
    struct error err = {0};
    bool accepted = naive_partition(s, text, &want);

    if (!partition_parse(s, text, &t, &err)) {
        FUZZ_CHECK(!accepted && t == INSTANT_NONE && err.code == ERROR_INVALID);
        fuzz_check_error(&err, text);
        return false;
    }
    FUZZ_CHECK(accepted && t == want && schedule_aligned(s, t));
    partition_print(s, t, printed);
    FUZZ_CHECK(partition_parse(s, printed, &again, &err) && again == t);
    FUZZ_CHECK(strcmp(partition_print(s, again, twice), printed) == 0);
    *ret = t;
    return true;
}

static void check_order(const struct schedule *s, instant a, instant b)
{
    char text_a[PARTITION_TEXT_MAX], text_b[PARTITION_TEXT_MAX];
    int order = strcmp(partition_print(s, a, text_a), partition_print(s, b, text_b));

    FUZZ_CHECK((a < b) == (order < 0) && (a > b) == (order > 0));
}

/* STYX-SCH-04, STYX-SCH-05 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[3];
    struct schedule s;
    struct error err;
    instant a, b;

    fuzz_lines(data, len, lines, 3);
    if (schedule_parse(lines[0], &s, &err)) {
        bool both = check(&s, lines[1], &a);

        both = check(&s, lines[2], &b) && both;
        if (both)
            check_order(&s, a, b);
    }
    fuzz_lines_done(lines, 3);
    return 0;
}
