/* SPDX-License-Identifier: Apache-2.0 */
#include "model/schedule.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\n\f\r"

static const struct kind {
    const char *text, *cron, *offset_text;
    struct offset offset;
} kinds[] = {
    [SCHEDULE_HOURS] = {"hours", "0 * * * *", "PT1H", {.ms = HOUR_MS}},
    [SCHEDULE_DAYS] = {"days", "0 0 * * *", "P1D", {.days = 1}},
    [SCHEDULE_WEEKS] = {"weeks", "0 0 * * mon", "P1W", {.days = 7}},
    [SCHEDULE_MONTHS] = {"months", "0 0 1 * *", "P1M", {.months = 1}},
    [SCHEDULE_YEARS] = {"years", "0 0 1 1 *", "P1Y", {.months = 12}},
    [SCHEDULE_CRON] = {NULL, NULL, "PT0S", {0}},
};

static const struct alias {
    const char *text;
    enum schedule_kind kind;
} aliases[] = {
    {"@hourly", SCHEDULE_HOURS},   {"hourly", SCHEDULE_HOURS},   {"hours", SCHEDULE_HOURS},
    {"@daily", SCHEDULE_DAYS},     {"daily", SCHEDULE_DAYS},     {"days", SCHEDULE_DAYS},
    {"@weekly", SCHEDULE_WEEKS},   {"weekly", SCHEDULE_WEEKS},   {"weeks", SCHEDULE_WEEKS},
    {"@monthly", SCHEDULE_MONTHS}, {"monthly", SCHEDULE_MONTHS}, {"months", SCHEDULE_MONTHS},
    {"@yearly", SCHEDULE_YEARS},   {"yearly", SCHEDULE_YEARS},   {"years", SCHEDULE_YEARS},
    {"@annually", SCHEDULE_YEARS}, {"annually", SCHEDULE_YEARS},
};

static enum schedule_kind kind_of(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
        if (strcasecmp(aliases[i].text, text) == 0)
            return aliases[i].kind;
    return SCHEDULE_CRON;
}

/* Lower case, single blanks, none around.  False: longer than the limit. */
static bool canonical(const char *text, char ret_text[SCHEDULE_TEXT_MAX])
{
    size_t n = 0;

    for (text += strspn(text, BLANKS); *text; text++) {
        bool blank = strchr(BLANKS, *text) != NULL;
        if (blank && (!text[1] || strchr(BLANKS, text[1])))
            continue;
        if (n == SCHEDULE_TEXT_MAX - 1)
            return false;
        bool capital = *text >= 'A' && *text <= 'Z';
        ret_text[n++] = blank ? ' ' : capital ? (char) (*text - 'A' + 'a') : *text;
    }
    ret_text[n] = '\0';
    return true;
}

bool schedule_parse(const char *text, struct schedule *ret_schedule, struct error *err)
{
    struct schedule s = {.kind = kind_of(text)};
    const char *known = kinds[s.kind].text;

    if (!canonical(known ? known : text, s.text))
        return error_set(err, ERROR_INVALID, "schedule too long: limit = %d",
                         SCHEDULE_TEXT_MAX - 1);
    if (!cron_parse(known ? kinds[s.kind].cron : s.text, &s.cron, err))
        return error_prefix(err, "%s is neither a known schedule nor a cron expression", s.text);
    *ret_schedule = s;
    return true;
}

const struct offset *schedule_default_offset(const struct schedule *s)
{
    return &kinds[s->kind].offset;
}

const char *schedule_default_offset_text(const struct schedule *s)
{
    return kinds[s->kind].offset_text;
}

bool schedule_aligned(const struct schedule *s, instant t)
{
    return cron_matches(&s->cron, t);
}

bool schedule_next(const struct schedule *s, instant t, instant *ret_instant)
{
    return cron_next(&s->cron, t, ret_instant);
}

bool schedule_previous(const struct schedule *s, instant t, instant *ret_instant)
{
    return cron_previous(&s->cron, t, ret_instant);
}

int64_t schedule_count(const struct schedule *s, instant from, instant to)
{
    return cron_count(&s->cron, from, to);
}
