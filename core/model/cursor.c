/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cursor.h"

/* By how much t - o + o can miss t: months are clamped twice, by at most three days each. */
#define MONTH_SLACK_MS (7 * DAY_MS)

/* Partitions of every minute of the slack, before and behind. */
#define WALK_MAX (2 * MONTH_SLACK_MS / MINUTE_MS + 1)

static void move_to(struct cursor *c, const struct offset *o, instant next)
{
    c->next = next;
    c->next_offset = offset_add(next, o);
}

bool cursor_start(struct cursor *c, const struct schedule *s, const struct offset *o, instant now,
                  struct error *err)
{
    instant next;

    if (!schedule_next(s, offset_subtract(now, o), &next))
        return error_set(err, ERROR_INVALID, "the schedule %s never comes", s->text);
    c->epoch++;
    move_to(c, o, next);
    return true;
}

void cursor_set(struct cursor *c, instant next, instant next_offset)
{
    c->epoch++;
    if (next != INSTANT_NONE)
        c->next = next;
    if (next_offset != INSTANT_NONE)
        c->next_offset = next_offset;
}

bool cursor_advance(struct cursor *c, const struct schedule *s, const struct offset *o)
{
    instant next;

    if (!schedule_next(s, c->next, &next))
        return false;
    move_to(c, o, next);
    return true;
}

bool cursor_due(const struct cursor *c, instant now)
{
    return c->epoch > 0 && now >= c->next_offset;
}

/* Moves past what is due for sure: partitions up to now - o, less the slack that months need. */
static bool jump(struct cursor *c, const struct schedule *s, const struct offset *o, instant now)
{
    instant sure = offset_subtract(now, o) - (o->months ? MONTH_SLACK_MS : 0);

    if (sure > c->next)
        c->next = sure; /* no partition perhaps, but the next one is the right one */
    return cursor_advance(c, s, o);
}

static struct cursor_skip passed(const struct cursor *from, const struct cursor *to,
                                 const struct schedule *s)
{
    struct cursor_skip skip = {.first = from->next, .last = from->next};
    instant last;

    if (schedule_previous(s, to->next, &last) && last > from->next)
        skip.last = last;
    skip.count = 1 + schedule_count(s, from->next + 1, to->next);
    if (skip.count > CURSOR_SKIP_COUNT_MAX)
        skip.count = CURSOR_SKIP_COUNT_MAX;
    return skip;
}

struct cursor_skip cursor_skip_to(const struct cursor *c, const struct schedule *s, instant next)
{
    struct cursor to = {.next = next};

    return c->next < next ? passed(c, &to, s) : (struct cursor_skip) {0};
}

bool cursor_skip_due(struct cursor *c, const struct schedule *s, const struct offset *o,
                     instant now, struct cursor_skip *ret_skip)
{
    struct cursor to = *c;

    if (!cursor_due(c, now)) {
        *ret_skip = (struct cursor_skip) {0};
        return true;
    }
    if (!jump(&to, s, o, now))
        return false;
    for (int64_t i = 0; i < WALK_MAX && cursor_due(&to, now); i++)
        if (!cursor_advance(&to, s, o))
            return false;
    *ret_skip = passed(c, &to, s);
    *c = to;
    return true;
}

struct cursor_skip cursor_pass_due(struct cursor *c, const struct schedule *s,
                                   const struct offset *o, instant now)
{
    struct cursor_skip skip;

    if (cursor_skip_due(c, s, o, now, &skip))
        return skip;
    c->next_offset = INSTANT_MAX;
    return (struct cursor_skip) {.count = 1, .first = c->next, .last = c->next};
}
