/* SPDX-License-Identifier: Apache-2.0 */
/* Runs: their containers and pods, what their events say, and what they cost. */
#include "sim/observer_internal.h"

#include "sim/tally.h"

#include <inttypes.h>
#include <string.h>

/* As it was seen last, and what that cost. */
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
    seen->made_at = observer_now(o);
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

void observer_forget_pods(struct observer *o, int64_t since)
{
    struct seen_pod *pod;

    map_foreach (pod, &o->pods, by_name)
        if (pod->gone_at && pod->gone_at < since)
            forget_pod(o, pod);
}

void observer_forget_runs(struct observer *o)
{
    struct seen_instance *inst;
    struct seen_pod *pod;

    map_foreach (inst, &o->instances, by_name)
        forget_instance(o, inst);
    map_foreach (pod, &o->pods, by_name)
        forget_pod(o, pod);
    map_done(&o->instances);
    map_done(&o->pods);
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
    t->at = observer_now(o);
    if (t->n > 1)
        observer_blame(o, "%d containers of %s run at once; the last one is of %s", t->n, t->key,
                       pod);
}

/* Of an instance, too: its workflow may get another id. */
void observer_on_container(const json_t *pod, bool runs, void *arg)
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
        seen->ran_at = observer_now(o);
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
void observer_on_pod(struct observer *o, const json_t *old, const json_t *new)
{
    const char *name = json_text_at(new ? new : old, "metadata.name");

    if (old && new) {
        note_exit(o, name, new);
        return;
    }
    if (old) {
        struct seen_pod *gone = find_pod(o, name);

        if (gone)
            gone->gone_at = observer_now(o);
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

/* ---- runs ---- */

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

static bool workflow_was_there(struct observer *o, const struct instance *inst)
{
    return observer_workflow_was_there(o, inst, find_instance(o, inst->id.name)->made_at);
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
    int64_t ran = seen && seen->ran_at ? observer_now(o) - seen->ran_at : INT64_MAX;

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
    if (!seen->restored)
        observer_count_natural(o, seen->inst, NULL);
    observer_forget_trigger(o, seen->inst);
    check_writes(o, seen);
    forget_instance(o, seen);
}

void observer_on_instance(struct observer *o, const json_t *before, const json_t *after)
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
    observer_forget_suspicion(o);
    observer_check_trigger(o, old, seen->inst);
    if (old) {
        check_run(o, old, seen->inst);
        count_finished(o, old, seen->inst);
    }
    check_size(o, seen->inst, after);
    if (!seen->restored)
        observer_count_natural(o, old, seen->inst);
    instance_free(old);
}

/* For which run was that? */
void observer_count_write(struct observer *o, const struct k8s_request *r)
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
