/* SPDX-License-Identifier: Apache-2.0 */
/* The runs: what advance.c decides is done here. */
#include "operator/attempt_private.h"

#include "base/log.h"

#include <string.h>

#define MAX_STEPS_IN_MEMORY 32    /* between two looks; more would be a busy loop */
#define PATIENCE_MS         30000 /* until nodes have told what nobody could hear before */
#define OLD_POD_LOOK_MS     10000 /* it may be of an instance of another name */

/* ---- life ---- */

static void forget_run(struct attempt_ctl *ctl)
{
    if (ctl->have_run)
        run_done(&ctl->run);
    ctl->have_run = ctl->ahead = false;
}

void attempt_set_starting(struct attempt_ctl *ctl, bool starting)
{
    ctl->op->burst.n_starting += starting - ctl->work.urgent;
    ctl->work.urgent = starting;
    burst_check(ctl->op);
}

static void ctl_free(struct attempt_ctl *ctl)
{
    burst_leave(&ctl->store_waits);
    attempt_set_starting(ctl, false);
    k8s_cancel(ctl->call);
    work_done(&ctl->work);
    map_remove(&ctl->op->attempts, &ctl->by_key);
    forget_run(ctl);
    free(ctl->key);
    free(ctl->uid);
    free(ctl->create_refused);
    free(ctl->wf_read);
    free(ctl->wf_asked_uid);
    free(ctl);
}

static struct attempt_ctl *ctl_find(struct operator *op, const char *key)
{
    struct map_node *node = map_get(&op->attempts, key);

    return node ? container_of(node, struct attempt_ctl, by_key) : NULL;
}

static struct attempt_ctl *ctl_new(struct operator *op, const struct k8s_object *object)
{
    struct attempt_ctl *ctl = NEW(struct attempt_ctl);
    const struct instance *inst = object->value;

    ctl->op = op;
    ctl->key = xstrdup(object->key);
    ctl->uid = xstrdup(object->meta.uid);
    work_init(&ctl->work, &op->attempt_queue);
    map_add(&op->attempts, &ctl->by_key, ctl->key);
    ctl->pod_read_at = INSTANT_NONE;
    unsettled_suspect(&ctl->unsettled, inst, op->settled_at);
    ghosts_find(&op->ghosts, ctl->key, &ctl->unsettled, op->settling.shown);
    attempt_set_starting(ctl, inst->run.state == RUN_NEW);
    return ctl;
}

/* ---- what is known ---- */

static void derive_run(struct attempt_ctl *ctl, const struct instance *inst)
{
    if (ctl->have_run && (ctl->base_counter != inst->run.counter || ctl->base_seq != inst->run.seq))
        forget_run(ctl); /* somebody else wrote: begin again from what is stored */
    if (ctl->have_run)
        return;
    run_copy(&ctl->run, &inst->run);
    ctl->have_run = true;
    ctl->base_counter = inst->run.counter;
    ctl->base_seq = inst->run.seq;
}

static const struct pod *find_pod(struct attempt_ctl *ctl, const struct instance *inst,
                                  const char *name)
{
    struct k8s_object *object = *name ? k8s_informer_get(ctl->op->pods, inst->id.ns, name) : NULL;

    if (!object)
        return NULL;
    if (strcmp(name, ctl->unsettled.pod) == 0)
        unsettled_end(&ctl->unsettled); /* the name is taken for good */
    const struct pod *pod = object->value;
    return attempt_owns(ctl, pod) ? pod : NULL;
}

static bool other_is_among(struct operator *op, int index, const char *key,
                           const struct instance *inst, const struct pod *current)
{
    struct k8s_object *object = k8s_informer_first(op->pods, index, key);

    for (; object; object = k8s_informer_next(object, index)) {
        const struct pod *pod = object->value;

        if (pod != current && strcmp(pod->id.ns, inst->id.ns) == 0 && pod_is_ours(pod) &&
            !pod_gone(pod) && !reap_is_lost(op, pod))
            return true;
    }
    return false;
}

/* Of an instance that had its name, or of its own, under whatever name its workflow had then. */
static bool other_pod_lives(struct attempt_ctl *ctl, const struct instance *inst,
                            const struct workflow *wf, const struct pod *current)
{
    if (other_is_among(ctl->op, PODS_BY_OWNER, ctl->uid, inst, current))
        return true;
    if (!wf)
        return false;
    CLEANUP(free) char *pair = pair_key(workflow_component(wf), workflow_id(wf));
    CLEANUP(free) char *key = pair_key(pair, inst->parameter);

    return other_is_among(ctl->op, PODS_BY_RUN, key, inst, current);
}

static const char *pod_name(struct attempt_ctl *ctl, const struct instance *inst)
{
    int64_t seq = advance_pod_seq(inst, &ctl->run);
    int attempt = advance_pod_attempt(&ctl->run);

    if (*ctl->pod_name && seq == ctl->pod_seq && attempt == ctl->pod_attempt)
        return ctl->pod_name;
    ctl->pod_seq = seq;
    ctl->pod_attempt = attempt;
    ctl->pod_read_at = INSTANT_NONE;
    ctl->n_unanswered = 0;
    return attempt_execution_id(ctl->uid, seq, attempt, ctl->pod_name);
}

/* While it runs, the workflow of that name is its own; history is told under the pair when the
 * workflow is gone, or when its name is another's. */
static void note_pair(struct run *run, const struct workflow *wf)
{
    const char *component = workflow_component(wf), *id = workflow_id(wf);

    if (run->component_id && run->workflow_id &&
        (run_state_terminal(run->state) ||
         (strcmp(run->component_id, component) == 0 && strcmp(run->workflow_id, id) == 0)))
        return;
    run_set_pair(run, component, id);
}

/* After an outage, or a start, nothing was heard for long; nor could anybody be heard. */
static instant patient_until(struct operator *op)
{
    int64_t left = lease_sighted_at(op->lease) + PATIENCE_MS - loop_now(op->loop, LOOP_BOOT);

    return left > 0 ? clock_now(op) + left : INSTANT_NONE;
}

struct advance_view attempt_gather(struct attempt_ctl *ctl, const struct instance *inst)
{
    struct operator *op = ctl->op;
    struct k8s_object *wf = k8s_informer_get(op->workflows, inst->id.ns, inst->workflow);
    int64_t shown = op->settling.shown;
    const char *name = pod_name(ctl, inst);

    find_pod(ctl, inst, ctl->unsettled.pod);
    const struct pod *pod = find_pod(ctl, inst, name);
    if (wf) {
        ctl->wf_absent = false;
        note_pair(&ctl->run, wf->value);
    }
    if (pod) {
        ctl->pod_absent = false;
        free(TAKE(ctl->create_refused));
    }
    bool other_may_come = unsettled_is_of_other(&ctl->unsettled, name, shown);
    ctl->must_read = ctl->must_read || other_may_come;
    bool preparing = wf && ctl->run.state == RUN_PREPARE;
    bool asked = ctl->wf_asked_at == inst->id.generation;
    return (struct advance_view) {
        .inst = inst,
        .component_ns =
            preparing ? settings_component_ns(op->settings, workflow_component(wf->value)) : NULL,
        .elder = preparing ? workflow_elder(op, wf->value) : NULL,
        .run = &ctl->run,
        .ahead = ctl->ahead,
        .wf = wf ? wf->value : NULL,
        .wf_absent = asked && ctl->wf_absent,
        .wf_read = asked && wf && ctl->wf_read && strcmp(ctl->wf_read, wf->meta.uid) == 0,
        .pod = pod,
        .pod_absent = ctl->pod_absent,
        .pod_lost = pod && reap_is_lost(op, pod),
        .create_refused = ctl->create_refused,
        .pod_read_at = ctl->pod_read_at,
        .patient_until = patient_until(op),
        .create_unsettled = unsettled_is_of(&ctl->unsettled, name, shown),
        .create_hopeless = attempt_is_hopeless(ctl),
        .old_pod_lives = other_may_come || other_pod_lives(ctl, inst, wf ? wf->value : NULL, pod),
        .now = clock_now(op),
        .clock_wrong = clock_wrong(op),
        .rng = op->rng,
    };
}

/* ---- steps ---- */

/* There is something to do about the run. */
static bool wanted(const struct instance *inst)
{
    return instance_active(inst) || advance_answer_owed(inst, &inst->run) ||
           advance_generation_unseen(inst);
}

static bool is_unsettled(const struct attempt_ctl *ctl)
{
    return unsettled_exists(&ctl->unsettled, ctl->op->settling.shown);
}

/* States that say how it goes; the pod tells the same (its finalizer keeps it).  But not the end of
 * what an earlier leader made: if leaders live for less than a burst, none would ever say it, and
 * the next run of its workflow may wait for that. */
static bool store_waits(struct attempt_ctl *ctl)
{
    enum run_state state = ctl->run.state;

    if (!ctl->made_pod && state == RUN_DONE)
        return false;
    if (state == RUN_SUBMITTED || state == RUN_RUNNING || state == RUN_DONE)
        return burst_wait(ctl->op, &ctl->store_waits, &ctl->work);
    burst_leave(&ctl->store_waits);
    return false;
}

/* Then the time is over, or the list is there: look again. */
static void await_settled(struct attempt_ctl *ctl)
{
    int64_t until = ctl->unsettled.until;

    if (loop_now(ctl->op->loop, LOOP_MONOTONIC) < until)
        work_add_at(&ctl->work, LOOP_MONOTONIC, until);
    else
        settling_ask(ctl->op, until);
}

static enum work_result store(struct attempt_ctl *ctl, const struct k8s_object *object)
{
    if (unsettled_is_hidden_by(&ctl->unsettled, object->value, &ctl->run,
                               ctl->op->settling.shown)) {
        await_settled(ctl);
        return WORK_DONE;
    }
    return store_waits(ctl) ? WORK_DONE : attempt_store(ctl, object);
}

static enum work_result do_step(struct attempt_ctl *ctl, const struct k8s_object *object,
                                const struct advance_view *view, const struct step *step)
{
    switch (step->kind) {
    case STEP_STORE:
        return store(ctl, object);
    case STEP_CREATE_POD:
        if (is_unsettled(ctl)) /* a create that is always refused does not end the doubt */
            settling_ask(ctl->op, ctl->unsettled.until);
        if (ctl->must_read)
            return attempt_find(ctl, CALL_READ_INSTANCE, &instance_resource, view->inst,
                                view->inst->id.name);
        return attempt_create_pod(ctl, view);
    case STEP_FIND_POD:
        return attempt_find(ctl, CALL_FIND_POD, &pod_resource, view->inst, ctl->run.execution_id);
    case STEP_FIND_WORKFLOW:
        return attempt_find(ctl, CALL_FIND_WORKFLOW, &workflow_resource, view->inst,
                            view->inst->workflow);
    case STEP_NONE:
    case STEP_APPLY:
    case STEP_ANSWER:
    case STEP_HOLD:
    case STEP_NOTE:
        break;
    }
    int64_t now = loop_now(ctl->op->loop, LOOP_MONOTONIC);
    if (step->look_again_at != INSTANT_NONE && !view->clock_wrong) /* then all is looked at */
        work_add_at(&ctl->work, LOOP_OF_DAY, step->look_again_at);
    if (ctl->ahead && view->clock_wrong)
        work_add_at(&ctl->work, LOOP_MONOTONIC, now + ctl->op->settings->coalesce_ms);
    if (view->old_pod_lives && wanted(view->inst))
        work_add_at(&ctl->work, LOOP_MONOTONIC, now + OLD_POD_LOOK_MS);
    if (is_unsettled(ctl) && (view->old_pod_lives || !wanted(view->inst)))
        await_settled(ctl);
    return WORK_DONE;
}

static void answer(struct run *run, const struct instance *inst)
{
    if (run->halted_through < inst->halt_through)
        run->halted_through = inst->halt_through;
    if (inst->has_retry && run->counter >= inst->retry_counter)
        run->retry_counter = inst->retry_counter;
}

static void hold(struct attempt_ctl *ctl, const struct advance_view *view)
{
    ctl->run.held_since = view->now;
    run_trigger_done(&ctl->run.spec_trigger);
    run_trigger_done(&ctl->run.trigger);
    run_trigger_copy(&ctl->run.trigger, &view->inst->trigger);
    operator_event(ctl->op, event_about("WorkflowInstance", &view->inst->id), true, "Held",
                   "Trigger",
                   "the workflow that was triggered is not the one that has its name now");
}

static void note(struct attempt_ctl *ctl, const struct advance_view *view, const struct step *step)
{
    run_note(&ctl->run, step->event.message);
    if (step->gates_opened)
        ctl->run.ungated_at = view->now;
    if (step->reason)
        operator_event(ctl->op, event_about("WorkflowInstance", &view->inst->id), true,
                       step->reason, "Run", step->event.message);
}

static bool step_in_memory(struct attempt_ctl *ctl, const struct advance_view *view,
                           const struct step *step)
{
    if (step->kind == STEP_APPLY)
        return attempt_apply(ctl, view, step);
    if (step->kind == STEP_ANSWER)
        answer(&ctl->run, view->inst);
    else if (step->kind == STEP_HOLD)
        hold(ctl, view);
    else if (step->kind == STEP_NOTE)
        note(ctl, view, step);
    else
        return false;
    ctl->ahead = true;
    return true;
}

/* Nothing more will happen to the run until the object changes. */
static bool at_rest(const struct attempt_ctl *ctl, const struct instance *inst)
{
    return !ctl->ahead && !ctl->work.dirty && !wanted(inst) && !is_unsettled(ctl);
}

static enum work_result advance(struct work *work)
{
    struct attempt_ctl *ctl = container_of(work, struct attempt_ctl, work);
    struct k8s_object *object = k8s_informer_get_key(ctl->op->instances, ctl->key);

    if (!object || strcmp(object->meta.uid, ctl->uid) != 0)
        return WORK_DONE; /* on_instance has seen to it, or will */
    if (!lead_knows(ctl->op, object->meta.ns)) {
        attempt_set_starting(ctl, false);
        return WORK_DONE;
    }
    const struct instance *inst = object->value;
    for (int i = 0; i < MAX_STEPS_IN_MEMORY; i++) {
        derive_run(ctl, inst);
        struct advance_view view = attempt_gather(ctl, inst);
        struct step step = advance_decide(&view, ctl->op->settings);

        if (!step_in_memory(ctl, &view, &step)) {
            enum work_result result = do_step(ctl, object, &view, &step);

            step_done(&step);
            if (result != WORK_BUSY)
                attempt_set_starting(ctl, false);
            if (result == WORK_DONE && at_rest(ctl, inst))
                ctl_free(ctl);
            return result;
        }
        step_done(&step);
    }
    log_error("a run goes round in circles", KV("instance", ctl->key),
              KV("state", run_state_name(ctl->run.state)));
    return WORK_RETRY;
}

/* ---- events: look at this key ---- */

void attempt_setup(struct operator *op)
{
    map_init(&op->attempts);
    map_init(&op->ghosts);
    queue_init(&op->attempt_queue, op->loop, op->rng, advance, op->settings->max_steps);
}

/* An event is also the time to let go of what has come to rest. */
static void look(struct attempt_ctl *ctl)
{
    const struct k8s_object *object = k8s_informer_get_key(ctl->op->instances, ctl->key);

    if (object && !ctl->work.busy && at_rest(ctl, object->value))
        ctl_free(ctl);
    else
        work_add(&ctl->work);
}

/* A create that is under way goes on without its instance. */
static void leave_ghost(struct attempt_ctl *ctl)
{
    int64_t now = loop_now(ctl->op->loop, LOOP_MONOTONIC);

    if (ctl->call && ctl->calling == CALL_CREATE)
        unsettled_begin(&ctl->unsettled, ctl->run.execution_id, now);
    ghosts_add(&ctl->op->ghosts, ctl->key, &ctl->unsettled, ctl->op->settling.shown);
}

void attempt_on_instance(struct operator *op, const struct k8s_object *old,
                         const struct k8s_object *new)
{
    struct attempt_ctl *ctl = ctl_find(op, (new ? new : old)->key);

    if (ctl && (!new || strcmp(ctl->uid, new->meta.uid) != 0)) {
        leave_ghost(ctl);
        ctl_free(ctl);
        ctl = NULL;
    }
    if (!new)
        return;
    if (ctl || wanted(new->value))
        look(ctl ? ctl : ctl_new(op, new));
}

/* Its status is nothing to its runs: it changes with every trigger. */
static bool same_for_runs(const struct k8s_meta *a, const struct k8s_meta *b)
{
    return strcmp(a->uid, b->uid) == 0 && a->generation == b->generation &&
           a->deleting == b->deleting;
}

void attempt_on_workflow(struct operator *op, const struct k8s_object *old,
                         const struct k8s_object *new)
{
    const struct k8s_object *any = new ? new : old;
    struct k8s_object *object;

    if (old && new &&same_for_runs(&old->meta, &new->meta))
        return;
    object = k8s_informer_first(op->instances, ACTIVE_BY_WORKFLOW, any->key);
    for (; object; object = k8s_informer_next(object, ACTIVE_BY_WORKFLOW)) {
        struct attempt_ctl *ctl = ctl_find(op, object->key);

        if (ctl)
            work_add(&ctl->work);
    }
}

/* A run that waits for a pod of a deleted namesake is found by the same name. */
void attempt_on_pod(struct operator *op, const struct k8s_object *old, const struct k8s_object *new)
{
    const struct pod *pod = (new ? new : old)->value;

    if (!pod->instance)
        return;
    CLEANUP(free) char *key = object_key(pod->id.ns, pod->instance);
    struct attempt_ctl *ctl = ctl_find(op, key);
    if (ctl)
        look(ctl);
}

void attempt_forget(struct operator *op)
{
    struct attempt_ctl *ctl;

    map_foreach (ctl, &op->attempts, by_key) {
        leave_ghost(ctl); /* we may lead again before the copy shows it */
        ctl_free(ctl);
    }
}

void attempt_on_settled(struct operator *op)
{
    struct attempt_ctl *ctl;

    if (op->leading)
        map_foreach (ctl, &op->attempts, by_key)
            if (ctl->unsettled.until > 0)
                look(ctl);
}
