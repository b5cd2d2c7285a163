/* SPDX-License-Identifier: Apache-2.0 */
/* Workflows: where their cursors go, and what is triggered. */
#include "sim/observer_internal.h"

#include "base/text.h"
#include "model/partition.h"
#include "operator/trigger.h"
#include "sim/tally.h"

#include <inttypes.h>
#include <string.h>

/* As it was seen last. */
struct seen_workflow {
    struct map_node by_name;
    char *name;
    struct workflow *wf; /* NULL: gone */
    int64_t made_at;
    int64_t gone_at; /* or replaced by another of its name; 0: never */
    int n_natural;   /* active runs that the schedule triggered */
    int most_before; /* maxActive, before that was lowered */
    int64_t lowered_at;
};

static struct seen_workflow *see_workflow(struct observer *o, const char *name)
{
    struct map_node *node = map_get(&o->workflows, name);

    if (node)
        return container_of(node, struct seen_workflow, by_name);
    struct seen_workflow *seen = NEW(struct seen_workflow);
    seen->name = xstrdup(name);
    map_add(&o->workflows, &seen->by_name, seen->name);
    return seen;
}

void observer_forget_workflows(struct observer *o)
{
    struct seen_workflow *wf;

    map_foreach (wf, &o->workflows, by_name) {
        map_remove(&o->workflows, &wf->by_name);
        workflow_free(wf->wf);
        free(wf->name);
        free(wf);
    }
    map_done(&o->workflows);
}

/* ---- cursors ---- */

static char *partition_key(const char *trigger_key, const char *parameter)
{
    return text_join(trigger_key, ' ', parameter);
}

/* NULL: by nobody. */
static const struct tally *trigger_of(const struct observer *o, const struct workflow *wf,
                                      const char *parameter)
{
    CLEANUP(free) char *key = trigger_key(wf, wf->status.cursor.epoch);
    CLEANUP(free) char *full = partition_key(key, parameter);

    return tally_find(&o->triggered, full);
}

static bool was_skipped(const struct workflow *wf, instant partition)
{
    for (size_t i = 0; i < wf->status.n_skipped; i++)
        if (wf->status.skipped[i].from <= partition && partition <= wf->status.skipped[i].to)
            return true;
    return false;
}

static bool is_there(const struct observer *o, const struct workflow *wf, const char *parameter)
{
    CLEANUP(free) char *name = instance_name(wf->id.name, parameter);

    return world_get(o->world, &instance_resource, name);
}

/* Only that at which the cursor stood can have been asked for. */
static void note_skip(struct observer *o, const struct workflow *before, const char *parameter)
{
    CLEANUP(free) char *key = trigger_key(before, before->status.cursor.epoch);
    CLEANUP(free) char *full = partition_key(key, parameter);

    tally(&o->skipped, full)->at = observer_now(o);
}

/* So that who moves the cursor can know. */
static bool was_triggered(const struct observer *o, const struct workflow *before,
                          const char *parameter)
{
    const struct tally *t = trigger_of(o, before, parameter);

    return t && t->at < observer_now(o) - MINUTE_MS && is_there(o, before, parameter);
}

/* Nothing that was triggered is; nor is it triggered then. */
static void check_skip(struct observer *o, const struct workflow *before,
                       const struct workflow *after, instant partition, const char *parameter)
{
    if (!was_skipped(after, partition) || was_skipped(before, partition))
        return;
    if (was_triggered(o, before, parameter))
        observer_blame(o, "%s: partition %s was triggered, and is told to be skipped",
                       after->id.name, parameter);
    if (partition == before->status.cursor.next)
        note_skip(o, before, parameter);
}

static void check_passed(struct observer *o, const struct workflow *before,
                         const struct workflow *wf)
{
    instant from = before->status.cursor.next, to = wf->status.cursor.next;
    struct schedule schedule;
    struct error ignored;
    char text[PARTITION_TEXT_MAX];

    if (!schedule_parse(wf->status.observed_schedule, &schedule, &ignored))
        return;
    for (instant t = from; t < to;) {
        bool skipped = was_skipped(wf, t);

        partition_print(&schedule, t, text);
        o->n_skips += skipped;
        if (skipped && t == from)
            observer_excuse_requests(o, wf->id.name);
        check_skip(o, before, wf, t, text);
        if (!skipped && !trigger_of(o, wf, text))
            observer_blame(o, "%s: partition %s of epoch %" PRId64 " was passed by without a trace",
                           wf->id.name, text, wf->status.cursor.epoch);
        if (!schedule_next(&schedule, t, &t))
            return;
    }
}

/* By another schedule or offset: what is left out is recorded. */
static void check_rescheduled(struct observer *o, const struct workflow *before,
                              const struct workflow *after)
{
    bool same = strcmp(before->status.observed_schedule, after->status.observed_schedule) == 0;
    instant since = observer_true_time(o) - OBSERVER_DUE_MS, t = before->status.cursor.next;
    char text[PARTITION_TEXT_MAX];
    struct timing timing;

    if ((same && strcmp(before->status.observed_offset, after->status.observed_offset) == 0) ||
        !workflow_observed_timing(before, &timing))
        return;
    if (!same && before->status.cursor.next_offset >= since)
        return; /* somebody put it off */
    while (same ? t < after->status.cursor.next : offset_add(t, &timing.offset) < since) {
        partition_print(&timing.schedule, t, text);
        check_skip(o, before, after, t, text);
        if (!was_skipped(after, t) && !trigger_of(o, before, text))
            observer_blame(o, "%s: partition %s was forgotten with its schedule", after->id.name,
                           text);
        if (!schedule_next(&timing.schedule, t, &t))
            return;
    }
}

/* By a wish that says when, and not what: what was triggered is not what comes next. */
static void check_wish(struct observer *o, const struct workflow *before,
                       const struct workflow *after)
{
    const struct cursor_wish *wish = &before->set_next;
    const char *was = before->status.set_next_id, *is = after->status.set_next_id;
    char text[PARTITION_TEXT_MAX];
    struct timing timing;

    if (!wish->id || !is || strcmp(wish->id, is) != 0 || (was && strcmp(was, is) == 0) ||
        wish->next != INSTANT_NONE || after->status.cursor.next != before->status.cursor.next ||
        !workflow_observed_timing(before, &timing))
        return;
    partition_print(&timing.schedule, before->status.cursor.next, text);
    if (was_triggered(o, before, text))
        observer_blame(o, "%s: partition %s was triggered, and comes next by a wish",
                       after->id.name, text);
}

static void check_cursor(struct observer *o, const struct workflow *before,
                         const struct workflow *after)
{
    const struct cursor *from = &before->status.cursor, *to = &after->status.cursor;

    if (from->epoch == to->epoch && to->next < from->next)
        observer_blame(o, "%s: the cursor went back", after->id.name);
    if (to->epoch < from->epoch)
        observer_blame(o, "%s: the epoch went back", after->id.name);
    if (from->epoch == to->epoch && from->epoch > 0)
        check_passed(o, before, after);
    if (from->epoch != to->epoch && from->epoch > 0) {
        check_rescheduled(o, before, after);
        check_wish(o, before, after);
    }
}

void observer_on_workflow(struct observer *o, const json_t *old, const json_t *new)
{
    struct seen_workflow *seen = see_workflow(o, json_text_at(new ? new : old, "metadata.name"));
    struct workflow *before = seen->wf;

    seen->wf = new ? workflow_decode(new) : NULL;
    if (before && seen->wf)
        check_cursor(o, before, seen->wf);
    if (before && seen->wf && seen->wf->max_active < before->max_active) {
        seen->most_before = before->max_active;
        seen->lowered_at = observer_now(o);
    }
    if (!seen->wf || seen->wf->id.deleting)
        seen->gone_at = observer_now(o);
    if (!old)
        seen->made_at = observer_now(o);
    workflow_free(before);
}

/* Whoever triggered may have named it; otherwise it is the one that was there. */
static const char *named_workflow(const struct instance *inst)
{
    return inst->trigger.seq > inst->run.seq ? inst->run.trigger.workflow_uid
                                             : inst->trigger.workflow_uid;
}

bool observer_workflow_was_there(struct observer *o, const struct instance *inst, int64_t made_at)
{
    const char *uid = named_workflow(inst);
    const struct seen_workflow *wf = see_workflow(o, inst->workflow);

    if (!wf->wf || wf->wf->id.deleting)
        return false;
    if (uid)
        return strcmp(uid, wf->wf->id.uid) == 0;
    return wf->made_at <= made_at && (wf->gone_at == 0 || wf->gone_at < made_at);
}

/* ---- triggers ---- */

static void check_lag(struct observer *o, const struct instance *inst)
{
    const struct workflow *wf = see_workflow(o, inst->workflow)->wf;
    instant due = wf ? wf->status.cursor.next_offset : INSTANT_NONE, now = observer_true_time(o);

    if (o->strict && due != INSTANT_NONE && (now < due || now > due + OBSERVER_MAX_LAG_MS))
        observer_blame(o, "%s was triggered %" PRId64 " ms after it fell due", inst->id.name,
                       now - due);
}

/* What is under way when it is lowered is sent again. */
static int most_natural(const struct observer *o, const struct seen_workflow *seen)
{
    bool lately = seen->most_before > 0 && observer_now(o) - seen->lowered_at < MINUTE_MS;

    return lately ? seen->most_before : seen->wf->max_active;
}

/* Whether that is a mistake depends on who does it: a create that was late may come too late. */
static void check_natural(struct observer *o, const struct instance *inst)
{
    const struct seen_workflow *seen = see_workflow(o, inst->workflow);

    if (seen->wf && (seen->n_natural >= most_natural(o, seen) ||
                     o->n_natural >= o->world->settings[0].max_unfinished))
        o->excess = xstrdup(inst->id.name);
}

void observer_check_trigger(struct observer *o, const struct instance *old,
                            const struct instance *new)
{
    if (old && old->trigger.seq == new->trigger.seq) {
        if (old->trigger.key &&
            !(new->trigger.key &&strcmp(old->trigger.key, new->trigger.key) == 0))
            observer_blame(o, "%s: trigger %" PRId64 " was replaced", new->id.name,
                           new->trigger.seq);
        return;
    }
    if (new->trigger.type != TRIGGER_NATURAL || !new->trigger.key)
        return;
    if (old && new->trigger.seq <= old->run.seq)
        observer_blame(o, "%s: trigger %" PRId64 " was there before", new->id.name,
                       new->trigger.seq);
    if (old && old->id.deleting)
        observer_blame(o, "%s was triggered while it was being deleted", new->id.name);
    if (old && instance_active(old) && !instance_held(old))
        observer_blame(o, "%s was triggered while it was active", new->id.name);
    CLEANUP(free) char *key = partition_key(new->trigger.key, new->parameter);
    struct tally *t = tally(&o->triggered, key);
    o->n_triggers++;
    observer_excuse_requests(o, new->workflow);
    t->at = observer_now(o);
    if (++t->n > 1)
        observer_blame(o, "%s was triggered twice by %s", new->id.name, new->trigger.key);
    if (tally_find(&o->skipped, key) && !o->restoring)
        observer_blame(o, "%s was triggered, and is told to be skipped", new->id.name);
    check_lag(o, new);
    check_natural(o, new);
}

/* By the workflow's status: nobody has to ask the instance any more. */
static bool is_passed(struct observer *o, const struct instance *inst)
{
    const struct workflow *wf = see_workflow(o, inst->workflow)->wf;
    struct schedule schedule;
    struct error ignored;
    instant t;

    if (!wf || !wf->status.observed_schedule)
        return false;
    CLEANUP(free) char *key = trigger_key(wf, wf->status.cursor.epoch);
    return strcmp(inst->trigger.key, key) == 0 &&
           schedule_parse(wf->status.observed_schedule, &schedule, &ignored) &&
           partition_parse(&schedule, inst->parameter, &t, &ignored) && t < wf->status.cursor.next;
}

/* To delete an instance is to forget that it was triggered, unless its cursor says so: a create
 * that is late makes it anew. */
void observer_forget_trigger(struct observer *o, const struct instance *inst)
{
    if (inst->trigger.type != TRIGGER_NATURAL || !inst->trigger.key || is_passed(o, inst))
        return;
    CLEANUP(free) char *key = partition_key(inst->trigger.key, inst->parameter);
    struct tally *t = tally(&o->triggered, key);
    t->n = 0;
    t->at = observer_now(o);
}

static bool is_natural(const struct instance *inst)
{
    return inst && inst->trigger.type == TRIGGER_NATURAL && inst->trigger.key &&
           instance_active(inst);
}

void observer_count_natural(struct observer *o, const struct instance *old,
                            const struct instance *new)
{
    const struct instance *any = new ? new : old;
    int more = is_natural(new) - is_natural(old);

    if (!any->workflow)
        return;
    see_workflow(o, any->workflow)->n_natural += more;
    o->n_natural += (size_t) more;
}
