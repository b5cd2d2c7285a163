/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/observer.h"

#include "model/partition.h"
#include "operator/trigger.h"
#include "sim/tally.h"

#include <inttypes.h>
#include <string.h>

/* As it was seen last, and what that cost. */
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

struct seen_instance {
    struct map_node by_name;
    char *name;
    struct instance *inst;
    int64_t made_at;
    int n_writes;
    bool restored;    /* by people, with its trigger: not counted among those of its schedule */
    int64_t last_seq; /* of its latest pod */
    int last_attempt;
};

struct seen_pod {
    struct map_node by_name;
    char *name, *instance;
    int n;           /* how often it was made */
    int64_t gone_at; /* 0: is there */
    int64_t ran_at;  /* 0: its container has not begun yet */
    bool has_exit;   /* it has ended and said so */
    int exit_code;
};

static int64_t monotonic(const struct observer *o)
{
    return loop_now(o->world->loop, LOOP_MONOTONIC);
}

static instant true_time(const struct observer *o)
{
    return loop_now(o->world->loop, LOOP_OF_DAY);
}

void observer_blame(struct observer *o, const char *format, ...)
{
    char when[INSTANT_TEXT_MAX];
    va_list args;

    if (*o->broken)
        return;
    instant_print(true_time(o), when);
    int n = snprintf(o->broken, sizeof(o->broken), "%s: ", when);
    va_start(args, format);
    vsnprintf(o->broken + n, sizeof(o->broken) - (size_t) n, format, args);
    va_end(args);
}

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

static struct seen_instance *find_instance(struct observer *o, const char *name)
{
    struct map_node *node = map_get(&o->instances, name);

    return node ? container_of(node, struct seen_instance, by_name) : NULL;
}

static struct seen_instance *see_instance(struct observer *o, const char *name)
{
    struct seen_instance *seen = find_instance(o, name);

    if (seen)
        return seen;
    seen = NEW(struct seen_instance);
    seen->made_at = monotonic(o);
    seen->name = xstrdup(name);
    map_add(&o->instances, &seen->by_name, seen->name);
    return seen;
}

static void forget_instance(struct observer *o, struct seen_instance *seen)
{
    map_remove(&o->instances, &seen->by_name);
    instance_free(seen->inst);
    free(seen->name);
    free(seen);
}

static struct seen_pod *find_pod(struct observer *o, const char *name)
{
    struct map_node *node = map_get(&o->pods, name);

    return node ? container_of(node, struct seen_pod, by_name) : NULL;
}

static struct seen_pod *see_pod(struct observer *o, const char *name)
{
    struct seen_pod *seen = find_pod(o, name);

    if (seen)
        return seen;
    seen = NEW(struct seen_pod);
    seen->name = xstrdup(name);
    map_add(&o->pods, &seen->by_name, seen->name);
    return seen;
}

static void forget_pod(struct observer *o, struct seen_pod *seen)
{
    map_remove(&o->pods, &seen->by_name);
    free(seen->name);
    free(seen->instance);
    free(seen);
}

/* When many partitions fall due at once, or cannot be triggered one after another, many requests
 * are right, and many writes of the cursor. */
static void excuse_requests(struct observer *o, const char *workflow)
{
    CLEANUP(free) char *what = xasprintf("patch workflows %s", workflow);

    o->n_in_second -= OBSERVER_REQUESTS_A_TRIGGER;
    tally(&o->asked, what)->n -= 2;
}

/* ---- containers ---- */

static const char *run_key(const json_t *pod)
{
    const char *key = json_string_value(
        json_object_get(json_at(pod, "metadata.annotations"), "styx-workflow-instance"));

    return key ? key : "";
}

static void count_running(struct observer *o, const char *what, bool runs, const char *pod)
{
    struct tally *t = tally(&o->running, what);

    t->n += runs ? 1 : -1;
    t->at = monotonic(o);
    if (t->n > 1)
        observer_blame(o, "%d containers of %s run at once; the last one is of %s", t->n, t->key,
                       pod);
}

/* Of an instance, too: its workflow may get another id. */
static void on_container(const json_t *pod, bool runs, void *arg)
{
    struct observer *o = arg;
    const char *key = run_key(pod), *name = json_text_at(pod, "metadata.name");
    const char *owner =
        json_text_at(json_array_get(json_at(pod, "metadata.ownerReferences"), 0), "uid");
    struct seen_pod *seen = find_pod(o, name);

    if (!*key)
        return; /* somebody else's */
    count_running(o, key, runs, name);
    if (owner)
        count_running(o, owner, runs, name);
    if (seen && runs)
        seen->ran_at = monotonic(o);
}

/* The instance that a pod was made for, if it lives; NULL: it does not, or the pod is not ours. */
static const char *living_owner(struct observer *o, const json_t *pod)
{
    const json_t *owner = json_array_get(json_at(pod, "metadata.ownerReferences"), 0);
    const char *name = json_text_at(owner, "name"), *uid = json_text_at(owner, "uid");
    const struct seen_instance *seen = name ? find_instance(o, name) : NULL;

    return seen && uid && strcmp(seen->inst->id.uid, uid) == 0 ? name : NULL;
}

static void note_exit(struct observer *o, const char *name, const json_t *json)
{
    const json_t *status = json_array_get(json_at(json, "status.containerStatuses"), 0),
                 *code = json_at(status, "state.terminated.exitCode");
    struct seen_pod *seen = code ? find_pod(o, name) : NULL;

    if (!seen)
        return;
    seen->has_exit = true;
    seen->exit_code = (int) json_integer_value(code);
}

/* What was given up is not begun again. */
static void check_order(struct observer *o, const char *owner, const json_t *json)
{
    struct seen_instance *seen = find_instance(o, owner);
    CLEANUP(pod_free) struct pod *pod = pod_decode(json);

    if (pod->seq < seen->last_seq ||
        (pod->seq == seen->last_seq && pod->attempt < seen->last_attempt))
        observer_blame(o, "%s: attempt %" PRId64 "/%d was begun after %" PRId64 "/%d", owner,
                       pod->seq, pod->attempt, seen->last_seq, seen->last_attempt);
    seen->last_seq = pod->seq;
    seen->last_attempt = pod->attempt;
}

/* A create that arrives when its instance is gone makes a pod that is gone at once, too. */
static void on_pod(struct observer *o, const json_t *old, const json_t *new)
{
    const char *name = json_text_at(new ? new : old, "metadata.name");

    if (old && new) {
        note_exit(o, name, new);
        return;
    }
    if (old) {
        struct seen_pod *gone = find_pod(o, name);

        if (gone)
            gone->gone_at = monotonic(o);
        return;
    }
    const char *owner = living_owner(o, new);
    if (!owner)
        return;
    struct seen_pod *seen = see_pod(o, name);
    o->n_pods++;
    seen->gone_at = 0;
    free(seen->instance);
    seen->instance = xstrdup(owner);
    if (++seen->n > 1)
        observer_blame(o, "pod %s was created again", name);
    check_order(o, owner, new);
}

/* ---- cursors ---- */

static char *partition_key(const char *trigger_key, const char *parameter)
{
    return xasprintf("%s %s", trigger_key, parameter);
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

    tally(&o->skipped, full)->at = monotonic(o);
}

/* So that who moves the cursor can know. */
static bool was_triggered(const struct observer *o, const struct workflow *before,
                          const char *parameter)
{
    const struct tally *t = trigger_of(o, before, parameter);

    return t && t->at < monotonic(o) - MINUTE_MS && is_there(o, before, parameter);
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
            excuse_requests(o, wf->id.name);
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
    instant since = true_time(o) - OBSERVER_DUE_MS, t = before->status.cursor.next;
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

static void on_workflow(struct observer *o, const json_t *old, const json_t *new)
{
    struct seen_workflow *seen = see_workflow(o, json_text_at(new ? new : old, "metadata.name"));
    struct workflow *before = seen->wf;

    seen->wf = new ? workflow_decode(new) : NULL;
    if (before && seen->wf)
        check_cursor(o, before, seen->wf);
    if (before && seen->wf && seen->wf->max_active < before->max_active) {
        seen->most_before = before->max_active;
        seen->lowered_at = monotonic(o);
    }
    if (!seen->wf || seen->wf->id.deleting)
        seen->gone_at = monotonic(o);
    if (!old)
        seen->made_at = monotonic(o);
    workflow_free(before);
}

/* ---- runs ---- */

static void check_lag(struct observer *o, const struct instance *inst)
{
    const struct workflow *wf = see_workflow(o, inst->workflow)->wf;
    instant due = wf ? wf->status.cursor.next_offset : INSTANT_NONE, now = true_time(o);

    if (o->strict && due != INSTANT_NONE && (now < due || now > due + OBSERVER_MAX_LAG_MS))
        observer_blame(o, "%s was triggered %" PRId64 " ms after it fell due", inst->id.name,
                       now - due);
}

static void forget_suspicion(struct observer *o)
{
    free(TAKE(o->excess));
    free(TAKE(o->given_up));
}

/* What is under way when it is lowered is sent again. */
static int most_natural(const struct observer *o, const struct seen_workflow *seen)
{
    bool lately = seen->most_before > 0 && monotonic(o) - seen->lowered_at < MINUTE_MS;

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

static void check_trigger(struct observer *o, const struct instance *old,
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
    excuse_requests(o, new->workflow);
    t->at = monotonic(o);
    if (++t->n > 1)
        observer_blame(o, "%s was triggered twice by %s", new->id.name, new->trigger.key);
    if (tally_find(&o->skipped, key) && !o->restoring)
        observer_blame(o, "%s was triggered, and is told to be skipped", new->id.name);
    check_lag(o, new);
    check_natural(o, new);
}

static const struct event *find_event(const struct run *run, int64_t counter)
{
    for (size_t i = 0; i < run->n_events; i++)
        if (run->events[i].counter == counter)
            return &run->events[i];
    return NULL;
}

static bool same_event(const struct event *a, const struct event *b)
{
    return a->type == b->type && a->at == b->at && a->has_exit == b->has_exit &&
           a->exit_code == b->exit_code;
}

static void check_events(struct observer *o, const struct instance *old, const struct instance *new)
{
    const struct run *run = &new->run;

    for (size_t i = 0; i < run->n_events; i++) {
        const struct event *e = &run->events[i], *was = find_event(&old->run, e->counter);

        if (was && !same_event(was, e))
            observer_blame(o, "%s: event %" PRId64 " was another one", new->id.name, e->counter);
        /* Only the first event that is kept may stand before a gap. */
        if (i > 1 && e->counter != run->events[i - 1].counter + 1)
            observer_blame(o, "%s: a gap before event %" PRId64, new->id.name, e->counter);
    }
    if (run->n_events && run->events[run->n_events - 1].counter != run->counter)
        observer_blame(o, "%s: the counter is not that of the last event", new->id.name);
}

/* Nothing but the end of the run comes after it. */
static bool is_last_of(const struct run *run, size_t i)
{
    for (i++; i < run->n_events; i++)
        if (run->events[i].type == EVENT_SUBMIT || run->events[i].type == EVENT_TERMINATE)
            return false;
    return true;
}

/* Whoever triggered may have named it; otherwise it is the one that was there. */
static const char *named_workflow(const struct instance *inst)
{
    return inst->trigger.seq > inst->run.seq ? inst->run.trigger.workflow_uid
                                             : inst->trigger.workflow_uid;
}

/* Since it was named by its UID, or else all the time that the instance was there. */
static bool workflow_was_there(struct observer *o, const struct instance *inst)
{
    const char *uid = named_workflow(inst);
    const struct seen_workflow *wf = see_workflow(o, inst->workflow);
    const struct seen_instance *seen = find_instance(o, inst->id.name);

    if (!wf->wf || wf->wf->id.deleting)
        return false;
    if (uid)
        return strcmp(uid, wf->wf->id.uid) == 0;
    return wf->made_at <= seen->made_at && (wf->gone_at == 0 || wf->gone_at < seen->made_at);
}

/* By a wish, or because its workflow is not there, not another, or not fit any more. */
static void check_halt(struct observer *o, const struct instance *inst, const struct event *e)
{
    static const char deleted[] = "Halted: the workflow was deleted",
                      none[] = "Halted: there is no workflow";
    const char *why = e->message ? e->message : "";

    if (strcmp(why, "Halted") == 0 && inst->halt_through < inst->run.seq)
        observer_blame(o, "%s was halted though nobody wished it", inst->id.name);
    if ((strcmp(why, deleted) == 0 || strncmp(why, none, strlen(none)) == 0) &&
        workflow_was_there(o, inst))
        observer_blame(o, "%s was halted though its workflow is there", inst->id.name);
}

static void check_held(struct observer *o, const struct instance *old, const struct instance *new)
{
    if (instance_held(new) && !instance_held(old) && workflow_was_there(o, new))
        observer_blame(o, "%s is held though its workflow is there", new->id.name);
}

static void check_exit(struct observer *o, const struct instance *inst, const struct event *e)
{
    const char *pod = inst->run.execution_id;
    const struct seen_pod *seen = pod ? find_pod(o, pod) : NULL;

    if (!seen || !e->has_exit || (seen->has_exit && seen->exit_code == e->exit_code))
        return;
    observer_blame(o, "%s: exit code %d is not that of %s", inst->id.name, e->exit_code, pod);
}

static const char *execution_before(const struct run *run, size_t i)
{
    while (i-- > 0)
        if (run->events[i].execution_id)
            return run->events[i].execution_id;
    return NULL;
}

/* A pod was seen before it is missed: it does not come back, so it must be gone now. */
static void check_missed(struct observer *o, const struct instance *inst, const struct run *run,
                         size_t i)
{
    const struct event *e = &run->events[i];
    const char *name = execution_before(run, i);
    const struct seen_pod *seen = name ? find_pod(o, name) : NULL;

    if (e->message && strcmp(e->message, "No pod associated with this instance") == 0 && seen &&
        !seen->gone_at)
        observer_blame(o, "%s misses %s, which is there", inst->id.name, name);
}

/* That it was refused says nothing about an earlier request for it.  Again it matters who says so:
 * what a dead leader said may arrive when the next one has made it. */
static void check_given_up(struct observer *o, const struct instance *inst, const struct run *run,
                           size_t i)
{
    static const char refused[] = "Failed to create Kubernetes pod";
    const struct event *e = &run->events[i];
    const char *name = execution_before(run, i);

    if (e->message && strncmp(e->message, refused, strlen(refused)) == 0 && name &&
        find_pod(o, name)) {
        free(TAKE(o->given_up));
        o->given_up = xstrdup(inst->id.name);
    }
}

/* Whatever the clocks said meanwhile. */
static void check_timeout(struct observer *o, const struct instance *inst, const struct run *run,
                          size_t i)
{
    static const char running[] = "Timed out in RUNNING";
    const struct event *e = &run->events[i];
    const char *name = execution_before(run, i);
    const struct seen_pod *seen = name ? find_pod(o, name) : NULL;
    int64_t ran = seen && seen->ran_at ? monotonic(o) - seen->ran_at : INT64_MAX;

    if (e->message && strncmp(e->message, running, strlen(running)) == 0 &&
        ran < OBSERVER_MIN_TIMEOUT_MS)
        observer_blame(o, "%s timed out after %" PRId64 " ms", inst->id.name, ran);
}

/* The last event of a kind is the only one that the rest of the object still tells about. */
static void check_new_events(struct observer *o, const struct instance *old,
                             const struct instance *new)
{
    const struct run *run = &new->run;

    for (size_t i = 0; i < run->n_events; i++) {
        const struct event *e = &run->events[i];

        if (e->counter <= old->run.counter)
            continue;
        if (e->type == EVENT_RUN_ERROR) {
            check_missed(o, new, run, i);
            check_given_up(o, new, run, i);
        }
        if (e->type == EVENT_TIMEOUT)
            check_timeout(o, new, run, i);
        if (e->type == EVENT_HALT && run->state == RUN_ERROR && i + 1 == run->n_events)
            check_halt(o, new, e);
        if (e->type == EVENT_TERMINATE && run->execution_id &&
            (i + 1 == run->n_events || run_state_terminal(run->state)) && is_last_of(run, i))
            check_exit(o, new, e);
    }
}

static void check_run(struct observer *o, const struct instance *old, const struct instance *new)
{
    const struct run *from = &old->run, *to = &new->run;

    check_events(o, old, new);
    check_new_events(o, old, new);
    check_held(o, old, new);
    if (to->counter < from->counter || to->seq < from->seq || to->attempt < from->attempt)
        observer_blame(o, "%s: a number went back", new->id.name);
    if (run_state_terminal(from->state) && to->seq == from->seq &&
        (to->state != from->state || to->counter != from->counter))
        observer_blame(o, "%s: %s was not final: now %s", new->id.name, run_state_name(from->state),
                       run_state_name(to->state));
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
    CLEANUP(free) char *key = xasprintf("%s/%" PRId64, wf->id.uid, wf->status.cursor.epoch);
    return strcmp(inst->trigger.key, key) == 0 &&
           schedule_parse(wf->status.observed_schedule, &schedule, &ignored) &&
           partition_parse(&schedule, inst->parameter, &t, &ignored) && t < wf->status.cursor.next;
}

/* To delete an instance is to forget that it was triggered, unless its cursor says so: a create
 * that is late makes it anew. */
static void forget_trigger(struct observer *o, const struct instance *inst)
{
    if (inst->trigger.type != TRIGGER_NATURAL || !inst->trigger.key || is_passed(o, inst))
        return;
    CLEANUP(free) char *key = partition_key(inst->trigger.key, inst->parameter);
    struct tally *t = tally(&o->triggered, key);
    t->n = 0;
    t->at = monotonic(o);
}

static bool is_natural(const struct instance *inst)
{
    return inst && inst->trigger.type == TRIGGER_NATURAL && inst->trigger.key &&
           instance_active(inst);
}

static void count_natural(struct observer *o, const struct seen_instance *seen,
                          const struct instance *old, const struct instance *new)
{
    const struct instance *any = new ? new : old;
    int more = is_natural(new) - is_natural(old);

    if (!any->workflow || seen->restored)
        return;
    see_workflow(o, any->workflow)->n_natural += more;
    o->n_natural += (size_t) more;
}

/* Measured where it may be near. */
static void check_size(struct observer *o, const struct instance *inst, const json_t *object)
{
    if (inst->run.n_events < 25 && inst->run.events_dropped == 0)
        return;
    size_t size = json_printed_size(object);
    if (size > INSTANCE_MAX)
        observer_blame(o, "%s has %zu bytes", inst->id.name, size);
}

static void count_finished(struct observer *o, const struct instance *old,
                           const struct instance *new)
{
    if (instance_active(new) || !old || !instance_active(old))
        return;
    o->n_finished++;
    o->n_succeeded += new->run.state == RUN_DONE;
}

/* Its cursor's write is not counted with the others: it is one. */
static void check_writes(struct observer *o, const struct seen_instance *seen)
{
    const struct run *run = &seen->inst->run;

    if (o->strict && run->state == RUN_DONE && run->seq == 1 && run->attempt == 1 &&
        seen->n_writes + 1 > OBSERVER_MAX_WRITES)
        observer_blame(o, "%s cost %d writes", seen->name, seen->n_writes + 1);
}

static void on_deleted(struct observer *o, struct seen_instance *seen)
{
    count_natural(o, seen, seen->inst, NULL);
    forget_trigger(o, seen->inst);
    check_writes(o, seen);
    forget_instance(o, seen);
}

static void on_instance(struct observer *o, const json_t *before, const json_t *after)
{
    struct seen_instance *seen =
        see_instance(o, json_text_at(after ? after : before, "metadata.name"));
    struct instance *old = seen->inst;

    if (!after) {
        on_deleted(o, seen);
        return;
    }
    seen->inst = instance_decode(after);
    if (!old)
        seen->restored = o->restoring;
    forget_suspicion(o);
    check_trigger(o, old, seen->inst);
    if (old) {
        check_run(o, old, seen->inst);
        count_finished(o, old, seen->inst);
    }
    check_size(o, seen->inst, after);
    count_natural(o, seen, old, seen->inst);
    instance_free(old);
}

static void on_lease(struct observer *o, const json_t *old, const json_t *new)
{
    (void) old;
    free(o->holder);
    o->holder = xstrdup(json_text_at(new, "spec.holderIdentity"));
}

static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    static const struct {
        const char *plural;
        void (*look)(struct observer *o, const json_t *old, const json_t *new);
    } kinds[] = {{"pods", on_pod},
                 {"workflows", on_workflow},
                 {"workflowinstances", on_instance},
                 {"leases", on_lease}};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].plural, resource->plural) == 0)
            kinds[i].look(arg, old, new);
}

/* ---- requests ---- */

static void check_lease(struct observer *o, const char *user, const struct k8s_request *r)
{
    const char *name = r->name ? r->name : "";

    if (!r->fence)
        observer_blame(o, "%s: %s %s without a fence", user, k8s_verb_name(r->verb),
                       r->resource->plural);
    if (!o->holder || strcmp(o->holder, user) != 0)
        observer_blame(o, "%s: %s %s %s while the lease is %s's", user, k8s_verb_name(r->verb),
                       r->resource->plural, name, o->holder && *o->holder ? o->holder : "nobody");
    if (strncmp(name, FOREIGN_PREFIX, strlen(FOREIGN_PREFIX)) == 0)
        observer_blame(o, "%s: %s %s %s, which is not ours", user, k8s_verb_name(r->verb),
                       r->resource->plural, name);
    if (o->given_up && strcmp(o->given_up, name) == 0)
        observer_blame(o, "%s: %s gives a pod up, which was made", user, name);
    if (o->excess && strcmp(o->excess, name) == 0)
        observer_blame(o, "%s: %s is one more natural run than maxActive", user, name);
}

static void count_request(struct observer *o, const struct k8s_request *r)
{
    int64_t second = monotonic(o) / SECOND_MS;
    CLEANUP(free) char *what =
        xasprintf("%s %s %s", k8s_verb_name(r->verb), r->resource->plural, r->name ? r->name : "");

    o->n_requests++;
    if (second != o->second) {
        o->n_in_second = 0;
        tally_free_all(&o->asked);
    }
    o->second = second;
    if (++o->n_in_second > OBSERVER_MAX_RATE)
        observer_blame(o, "more than %d requests within a second", OBSERVER_MAX_RATE);
    int most = r->verb == K8S_GET ? OBSERVER_MAX_READS : OBSERVER_MAX_SAME;
    if (r->name && ++tally(&o->asked, what)->n > most)
        observer_blame(o, "%s: more than %d times within a second", what, most);
}

/* For which run was that? */
static void count_write(struct observer *o, const struct k8s_request *r)
{
    const char *name = r->name;

    o->n_writes++;
    if (name && strcmp(r->resource->plural, "pods") == 0) {
        const struct seen_pod *pod = find_pod(o, name);

        name = pod ? pod->instance : NULL;
    }
    struct seen_instance *seen = name ? find_instance(o, name) : NULL;
    if (seen)
        seen->n_writes++;
}

static bool is_operator(const char *user)
{
    return strncmp(user, WORLD_OPERATOR, strlen(WORLD_OPERATOR)) == 0;
}

static void on_request(const char *user, const struct k8s_request *r, int status, void *arg)
{
    struct observer *o = arg;

    if (!is_operator(user) || r->verb == K8S_LIST || strcmp(r->resource->plural, "leases") == 0) {
        forget_suspicion(o);
        return;
    }
    count_request(o, r);
    if (k8s_verb_writes(r->verb) && status >= 200 && status < 300) {
        check_lease(o, user, r);
        if (strcmp(r->resource->plural, "events") != 0)
            count_write(o, r);
    }
    forget_suspicion(o);
}

/* Whatever becomes of it on its way. */
static void on_departure(const char *user, const struct k8s_request *r, void *arg)
{
    struct observer *o = arg;

    if (is_operator(user) && k8s_verb_writes(r->verb) &&
        strcmp(r->resource->plural, "leases") != 0 && o->holder && strcmp(o->holder, user) != 0)
        observer_blame(o, "%s sends %s %s %s while the lease is %s's", user, k8s_verb_name(r->verb),
                       r->resource->plural, r->name ? r->name : "",
                       *o->holder ? o->holder : "nobody");
}

/* ---- now and then ---- */

static uint64_t count_steps(const struct observer *o)
{
    uint64_t n = 0;

    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        const struct operator *op = o->world->operators[i];

        if (op)
            n += op->cursor_queue.steps + op->attempt_queue.steps + op->reap_queue.steps;
    }
    return n;
}

void observer_check(struct observer *o)
{
    uint64_t steps = count_steps(o);
    int64_t now = monotonic(o), seconds = (now - o->checked_at) / SECOND_MS + 1;

    if (steps > o->n_steps && steps - o->n_steps > (uint64_t) seconds * OBSERVER_MAX_STEPS)
        observer_blame(o, "%" PRIu64 " looks within %" PRId64 " s", steps - o->n_steps, seconds);
    if (o->world->stuck)
        observer_blame(o, "time stands still");
    o->n_steps = steps;
    o->checked_at = now;
}

void observer_tidy(struct observer *o)
{
    int64_t since = monotonic(o) - 2 * DAY_MS;
    struct seen_pod *pod;

    tally_forget(&o->triggered, since);
    tally_forget(&o->skipped, since);
    tally_forget(&o->running, since);
    map_foreach (pod, &o->pods, by_name)
        if (pod->gone_at && pod->gone_at < since)
            forget_pod(o, pod);
}

/* ---- life ---- */

void observer_init(struct observer *o, struct world *world)
{
    *o = (struct observer) {.world = world};
    o->watcher = (struct fake_watcher) {
        .on_change = on_change, .on_request = on_request, .on_departure = on_departure, .arg = o};
    map_init(&o->running);
    map_init(&o->pods);
    map_init(&o->triggered);
    map_init(&o->skipped);
    map_init(&o->asked);
    map_init(&o->workflows);
    map_init(&o->instances);
    world->on_container = on_container;
    world->container_arg = o;
    fake_watcher_add(world->fake, &o->watcher);
}

static void forget_all(struct observer *o)
{
    struct seen_workflow *wf;
    struct seen_instance *inst;
    struct seen_pod *pod;

    map_foreach (wf, &o->workflows, by_name) {
        map_remove(&o->workflows, &wf->by_name);
        workflow_free(wf->wf);
        free(wf->name);
        free(wf);
    }
    map_foreach (inst, &o->instances, by_name)
        forget_instance(o, inst);
    map_foreach (pod, &o->pods, by_name)
        forget_pod(o, pod);
    map_done(&o->workflows);
    map_done(&o->instances);
    map_done(&o->pods);
}

void observer_done(struct observer *o)
{
    fake_watcher_remove(&o->watcher);
    o->world->on_container = NULL;
    tally_free_all(&o->running);
    tally_free_all(&o->triggered);
    tally_free_all(&o->skipped);
    tally_free_all(&o->asked);
    forget_all(o);
    free(o->holder);
    forget_suspicion(o);
}
