/* SPDX-License-Identifier: Apache-2.0 */
/* What a workflow's spec and the time make of its cursor (workflow.h). */
#include "model/workflow.h"

#include "base/text.h"

#include <string.h>

bool workflow_timing(const struct workflow *wf, struct timing *ret_timing, struct error *err)
{
    struct timing t;

    if (!wf->schedule)
        return error_set(err, ERROR_INVALID, "schedule: missing");
    if (!schedule_parse(wf->schedule, &t.schedule, err))
        return false;
    t.offset_text = wf->offset ? wf->offset : schedule_default_offset_text(&t.schedule);
    if (!offset_parse(t.offset_text, &t.offset, err))
        return false;
    *ret_timing = t;
    return true;
}

static bool has_wish(const struct workflow *wf)
{
    return wf->set_next.id && !text_equal(wf->set_next.id, wf->status.set_next_id);
}

bool workflow_observed_timing(const struct workflow *wf, struct timing *ret_timing)
{
    const struct workflow_status *s = &wf->status;
    struct timing t = {.offset_text = s->observed_offset};
    struct error ignored;

    if (s->cursor.epoch == 0 || !s->observed_schedule || !s->observed_offset ||
        !schedule_parse(s->observed_schedule, &t.schedule, &ignored) ||
        !offset_parse(s->observed_offset, &t.offset, &ignored))
        return false;
    *ret_timing = t;
    return true;
}

/* One that nobody has looked at owes what fell due since it was made; but not if that is long ago:
 * Kharon may have been installed, or told to watch its namespace, just now. */
static instant begins_at(const struct workflow *wf, instant now)
{
    instant made = wf->id.created;
    bool is_new =
        wf->status.cursor.epoch == 0 && wf->id.generation == 1 && !wf->status.ready.status;

    return is_new && made != INSTANT_NONE && made < now && now - made <= WORKFLOW_NEW_MS ? made
                                                                                         : now;
}

enum cursor_setter workflow_set_cursor(const struct workflow *wf, const struct timing *t,
                                       instant now, struct cursor *c, struct cursor_skip *ret_skip,
                                       struct error *err)
{
    const struct cursor_wish *wish = &wf->set_next;
    const struct workflow_status *s = &wf->status;

    *ret_skip = (struct cursor_skip) {0};
    if (c->epoch == 0 || !text_equal(s->observed_schedule, t->schedule.text) ||
        !text_equal(s->observed_offset, t->offset_text))
        return cursor_start(c, &t->schedule, &t->offset, begins_at(wf, now), err) ? CURSOR_STARTED
                                                                                  : CURSOR_NEVER;
    if (!has_wish(wf))
        return CURSOR_KEPT;
    if (s->suspended)
        *ret_skip = cursor_pass_due(c, &t->schedule, &t->offset, now);
    cursor_set(c, wish->next, wish->next_offset);
    return CURSOR_WISHED;
}

/* The operator has looked at this version, and makes nothing of it. */
static bool is_unfit(const struct workflow *wf)
{
    const struct workflow_condition *ready = &wf->status.ready;

    return wf->problem || (ready->observed_generation == wf->id.generation && ready->status &&
                           strcmp(ready->status, "False") == 0);
}

struct cursor workflow_cursor(const struct workflow *wf, instant now)
{
    struct cursor c = wf->status.cursor;
    struct cursor_skip ignored_skip;
    struct error ignored;
    struct timing t;

    if ((c.epoch == 0 && is_unfit(wf)) || !workflow_timing(wf, &t, &ignored))
        return c;
    enum cursor_setter setter = workflow_set_cursor(wf, &t, now, &c, &ignored_skip, &ignored);
    if (setter == CURSOR_STARTED && has_wish(wf)) { /* what the second look makes of it */
        cursor_set(&c, wf->set_next.next, wf->set_next.next_offset);
        setter = CURSOR_WISHED;
    }
    bool stands = setter == CURSOR_NEVER || (setter == CURSOR_WISHED && !wf->suspend);
    if (!stands && (wf->suspend || wf->status.suspended))
        cursor_pass_due(&c, &t.schedule, &t.offset, now);
    return c;
}
