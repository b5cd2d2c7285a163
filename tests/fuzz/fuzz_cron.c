/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of schedules (model/schedule.h), for any text and any instant:
 *
 *  - what is accepted is an alias or what a second parser accepts (naive_cron.h), no more, no less;
 *  - the canonical text is read as the same schedule, with the same canonical text;
 *  - next and previous are what a walk from day to day and minute to minute finds: strictly after
 *    and before, aligned, and nothing aligned in between;
 *  - there are as many in between as are counted.
 *
 * The lines are the expression and the instant (milliseconds since 1970; made to fit).
 */
#include "model/schedule.h"

#include "naive_cron.h"

#include "fuzz.h"

#include <strings.h>

#define COUNT_MINUTES 3000
/* What comes at all comes within eight years, around 2100. */
#define SEARCH_MINUTES (INT64_C(9) * 366 * 1440)

static const struct {
    const char *names[5], *canonical, *cron;
} aliases[] = {
    {{"@hourly", "hourly", "hours"}, "hours", "0 * * * *"},
    {{"@daily", "daily", "days"}, "days", "0 0 * * *"},
    {{"@weekly", "weekly", "weeks"}, "weeks", "0 0 * * 1"},
    {{"@monthly", "monthly", "months"}, "months", "0 0 1 * *"},
    {{"@yearly", "yearly", "years", "@annually", "annually"}, "years", "0 0 1 1 *"},
};

/* The expression that an alias stands for; NULL: it is none. */
static const char *meaning(const char *text, const char **ret_canonical)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
        for (size_t j = 0; j < 5 && aliases[i].names[j]; j++)
            if (strcasecmp(text, aliases[i].names[j]) == 0) {
                *ret_canonical = aliases[i].canonical;
                return aliases[i].cron;
            }
    return NULL;
}

static int64_t floor_minute(instant t)
{
    return t / MINUTE_MS - (t % MINUTE_MS < 0);
}

static int64_t fit(int64_t minute)
{
    return instant_clamp(minute * MINUTE_MS) / MINUTE_MS;
}

/* What is found is the first match among these minutes, which may lie outside of all years. */
static void check_found(const struct naive_cron *naive, bool found, instant t, int64_t from,
                        int64_t to)
{
    int64_t minute = 0;

    FUZZ_CHECK(found == (from == fit(from) && naive_cron_find(naive, from, fit(to), &minute)));
    FUZZ_CHECK(!found || t == minute * MINUTE_MS);
}

static void check_neighbours(const struct schedule *s, const struct naive_cron *naive, instant t)
{
    int64_t after = floor_minute(t) + 1, before = floor_minute(t - 1);
    instant next = 0, previous = 0, back = 0;
    bool has_next = schedule_next(s, t, &next), has_previous = schedule_previous(s, t, &previous);

    check_found(naive, has_next, next, after, after + SEARCH_MINUTES);
    check_found(naive, has_previous, previous, before, before - SEARCH_MINUTES);
    FUZZ_CHECK(!has_next || (next > t && schedule_aligned(s, next)));
    FUZZ_CHECK(!has_previous || (previous < t && schedule_aligned(s, previous)));
    if (has_next && has_previous)
        FUZZ_CHECK(schedule_previous(s, next, &back) &&
                   back == (schedule_aligned(s, t) ? t : previous));
}

static void check_count(const struct schedule *s, const struct naive_cron *naive, instant t)
{
    int64_t from = floor_minute(t - 1) + 1, n = 0, to = fit(from + COUNT_MINUTES), minute;

    for (int64_t at = from; at < to && naive_cron_find(naive, at, to - 1, &minute); at = minute + 1)
        n++;
    FUZZ_CHECK(schedule_count(s, t, to * MINUTE_MS) == n);
}

static void check_canonical(const struct schedule *s, const char *alias)
{
    struct schedule again;
    struct error err;

    FUZZ_CHECK(!alias || strcmp(s->text, alias) == 0);
    FUZZ_CHECK((s->kind != SCHEDULE_CRON) == (alias != NULL));
    FUZZ_CHECK(schedule_parse(s->text, &again, &err) && again.kind == s->kind);
    FUZZ_CHECK(strcmp(again.text, s->text) == 0 && strlen(s->text) < SCHEDULE_TEXT_MAX);
}

static void check(const char *text, instant t)
{
    struct schedule s = {.kind = SCHEDULE_YEARS};
    struct error err = {0};
    struct naive_cron naive;
    const char *alias = NULL, *cron = meaning(text, &alias);
    bool accepted = naive_cron_parse(cron ? cron : text, &naive);

    if (!schedule_parse(text, &s, &err)) {
        FUZZ_CHECK(!accepted || strlen(text) >= SCHEDULE_TEXT_MAX);
        FUZZ_CHECK(s.kind == SCHEDULE_YEARS && err.code == ERROR_INVALID);
        fuzz_check_error(&err, text);
        return;
    }
    FUZZ_CHECK(accepted);
    check_canonical(&s, alias);
    check_neighbours(&s, &naive, t);
    check_count(&s, &naive, t);
}

/* STYX-SCH-01, STYX-SCH-02, STYX-SCH-03 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[2];

    fuzz_lines(data, len, lines, 2);
    check(lines[0], instant_clamp(strtoll(lines[1], NULL, 10)));
    fuzz_lines_done(lines, 2);
    return 0;
}
