/* SPDX-License-Identifier: Apache-2.0 */
/* The runs: what advance.c decides is done here. */
#include "operator/advance.h"
#include "operator/operator.h"
#include "operator/unsettled.h"

#include "base/log.h"

#include <assert.h>
#include <string.h>

#define NOTE_TAIL_MAX       512 /* bytes of what a container said at its end */
#define MAX_STEPS_IN_MEMORY 32  /* between two looks; more would be a busy loop */

enum call_kind {
    CALL_NONE,
    CALL_STORE,
    CALL_CREATE,
    CALL_ADOPT,
    CALL_FIND_POD,
    CALL_RELABEL,
    CALL_FIND_WORKFLOW
};

struct attempt_ctl {
    struct work work;
    struct map_node by_key;
    struct operator *op;
    char *key; /* "namespace/name" */
    char *uid;

    /* The run as it is in memory.  Valid while the stored one is still the one it was derived
     * from. */
    bool have_run, ahead;
    bool starting; /* counted in burst.n_starting */
    struct burst_waiter store_waits;
    struct run run;
    int64_t base_counter, base_seq;

    /* The name of the pod that was last looked for: it takes a hash to know it. */
    char pod_name[EXECUTION_ID_MAX];
    int64_t pod_seq;
    int pod_attempt;

    bool wf_absent, pod_absent;
    char *create_refused; /* by a quota, in the server's words, or the name is taken; NULL: no */
    struct unsettled unsettled;
    struct k8s_call *call;
    enum call_kind calling;
};

/* ---- life ---- */

static void forget_run(struct attempt_ctl *ctl)
{
    if (ctl->have_run)
        run_done(&ctl->run);
    ctl->have_run = ctl->ahead = false;
}

static void set_starting(struct attempt_ctl *ctl, bool starting)
{
    ctl->op->burst.n_starting += starting - ctl->starting;
    ctl->starting = starting;
    burst_check(ctl->op);
}

static void ctl_free(struct attempt_ctl *ctl)
{
    burst_leave(&ctl->store_waits);
    set_starting(ctl, false);
    k8s_cancel(ctl->call);
    work_done(&ctl->work);
    map_remove(&ctl->op->attempts, &ctl->by_key);
    forget_run(ctl);
    free(ctl->key);
    free(ctl->uid);
    free(ctl->create_refused);
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
    unsettled_suspect(&ctl->unsettled, inst, op->settled_at);
    ghosts_find(&op->ghosts, ctl->key, &ctl->unsettled, loop_now(op->loop, LOOP_MONOTONIC));
    set_starting(ctl, inst->run.state == RUN_NEW);
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
    return pod_is_ours(pod) && strcmp(pod->owner_uid, ctl->uid) == 0 ? pod : NULL;
}

static bool other_pod_lives(struct attempt_ctl *ctl, const struct instance *inst,
                            const struct workflow *wf, const struct pod *current)
{
    if (!wf)
        return false;
    CLEANUP(free) char *pair = pair_key(workflow_component(wf), workflow_id(wf));
    CLEANUP(free) char *key = pair_key(pair, inst->parameter);
    struct k8s_object *object = k8s_informer_first(ctl->op->pods, PODS_BY_RUN, key);

    for (; object; object = k8s_informer_next(object, PODS_BY_RUN)) {
        const struct pod *pod = object->value;

        if (pod != current && strcmp(pod->id.ns, inst->id.ns) == 0 && pod_is_ours(pod) &&
            !pod_gone(pod) && !reap_is_lost(ctl->op, pod))
            return true;
    }
    return false;
}

static const char *pod_name(struct attempt_ctl *ctl, const struct instance *inst)
{
    int64_t seq = advance_pod_seq(inst, &ctl->run);
    int attempt = advance_pod_attempt(&ctl->run);

    if (!*ctl->pod_name || seq != ctl->pod_seq || attempt != ctl->pod_attempt)
        attempt_execution_id(ctl->uid, seq, attempt, ctl->pod_name);
    ctl->pod_seq = seq;
    ctl->pod_attempt = attempt;
    return ctl->pod_name;
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

static struct advance_view gather(struct attempt_ctl *ctl, const struct instance *inst)
{
    struct operator *op = ctl->op;
    struct k8s_object *wf = k8s_informer_get(op->workflows, inst->id.ns, inst->workflow);
    int64_t now = loop_now(op->loop, LOOP_MONOTONIC);
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
    bool preparing = wf && ctl->run.state == RUN_PREPARE;
    return (struct advance_view) {
        .inst = inst,
        .component_ns =
            preparing ? settings_component_ns(op->settings, workflow_component(wf->value)) : NULL,
        .elder = preparing ? workflow_elder(op, wf->value) : NULL,
        .run = &ctl->run,
        .ahead = ctl->ahead,
        .wf = wf ? wf->value : NULL,
        .wf_absent = ctl->wf_absent,
        .pod = pod,
        .pod_absent = ctl->pod_absent,
        .pod_lost = pod && reap_is_lost(op, pod),
        .create_refused = ctl->create_refused,
        .create_unsettled = unsettled_is_of(&ctl->unsettled, name, now),
        .old_pod_lives = unsettled_is_of_other(&ctl->unsettled, name, now) ||
                         other_pod_lives(ctl, inst, wf ? wf->value : NULL, pod),
        .now = loop_now(op->loop, LOOP_OF_DAY),
        .clock_wrong = clock_wrong(op),
        .rng = op->rng,
    };
}

/* ---- what people should see ---- */

static char *instance_text(const struct instance *inst, const struct run *run)
{
    return xasprintf("%s#%s#%s", run->component_id ? run->component_id : inst->id.ns,
                     run->workflow_id ? run->workflow_id : inst->workflow, inst->parameter);
}

/* The message of the run, and what the container said at its end: the reason that people look
 * for. */
static char *failure_note(const struct run *run, const struct pod *pod)
{
    const char *said = pod ? pod->exit_message : NULL;

    if (!said || !*said)
        return xstrdup(run->message);
    return xasprintf("%s: %.*s", run->message, (int) utf8_cut(said, strnlen(said, NOTE_TAIL_MAX)),
                     said);
}

/* Kubernetes Events only for what is out of the ordinary: a run that just succeeds costs no
 * writes. */
static void tell(struct attempt_ctl *ctl, const struct advance_view *view, const struct event *e)
{
    static const struct {
        enum event_type type;
        const char *reason, *action;
    } told[] = {
        {EVENT_RUN_ERROR, "ExecutionFailed", "Run"},
        {EVENT_TIMEOUT, "TimedOut", "Run"},
        {EVENT_HALT, "Halted", "Halt"},
        {EVENT_STOP, "GaveUp", "Retry"},
    };
    struct event_about about = event_about("WorkflowInstance", &view->inst->id);

    if (e->type == EVENT_TERMINATE && !(e->has_exit && e->exit_code == 0)) {
        CLEANUP(free) char *note = failure_note(&ctl->run, view->pod);

        operator_event(ctl->op, about, true, "ExecutionFailed", "Run", note);
    }
    for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
        const char *note = e->message ? e->message : ctl->run.message;

        if (told[i].type == e->type)
            operator_event(ctl->op, about, true, told[i].reason, told[i].action,
                           note ? note : told[i].reason);
    }
}

static void count_exit(struct operator_counters *c, const struct event *e)
{
    if (!e->has_exit)
        c->exits_unknown++;
    else if (e->exit_code >= 0 && e->exit_code < 256)
        c->exits[e->exit_code]++;
    else
        c->exits_other++;
}

/* `submitted_at`: when the last event was. */
static void count_event(struct operator *op, const struct pod *pod, const struct step *step,
                        instant submitted_at)
{
    struct operator_counters *c = &op->counters;
    enum event_type type = step->event.type;

    c->transitions++;
    if (type == EVENT_STARTED)
        operator_measure(op->meters.start, step->at - submitted_at);
    if (type == EVENT_RUN_ERROR && pod && pod_lacks_image(pod))
        c->image_errors++;
    if (type != EVENT_TERMINATE)
        return;
    count_exit(c, &step->event);
    if (pod)
        c->exit_logs[pod_exit_log(pod)]++;
}

/* The one place where a run moves: STYX-OPS-03's transition log. */
static bool apply_event(struct attempt_ctl *ctl, const struct advance_view *view,
                        const struct step *step)
{
    CLEANUP(free) char *text = instance_text(view->inst, &ctl->run);
    enum run_state from = ctl->run.state;
    instant since = ctl->run.since;
    struct error err;

    if (!run_apply(&ctl->run, &step->event, step->at, text, &err)) {
        log_error("refused transition", KV("instance", text), KV("error", err.text));
        return false;
    }
    free(TAKE(ctl->create_refused));
    ctl->ahead = true;
    ctl->pod_absent = false;
    count_event(ctl->op, view->pod, step, since);
    log_info("transition", KV("instance", text), KV("counter", ctl->run.counter),
             KV("event", event_type_name(step->event.type)), KV("from", run_state_name(from)),
             KV("to", run_state_name(ctl->run.state)), KV("tries", ctl->run.tries),
             KV("delay_ms", step->event.delay_ms), KV("execution", ctl->run.execution_id),
             KV("message", ctl->run.message));
    tell(ctl, view, &step->event);
    return true;
}

/* ---- calls ---- */

static void on_reply(const struct k8s_reply *reply, void *arg);

static enum work_result start_call(struct attempt_ctl *ctl, enum call_kind kind,
                                   struct k8s_request request)
{
    static const struct k8s_handler handler = {.on_reply = on_reply};

    ctl->calling = kind;
    ctl->call = k8s_call(ctl->op->k8s, &request, &handler, ctl);
    return WORK_BUSY;
}

static enum work_result store(struct attempt_ctl *ctl, const struct k8s_object *object)
{
    const struct instance *inst = object->value;
    CLEANUP(json_decref) json_t *patch = json_object();
    char version[24];

    snprintf(version, sizeof(version), "%llu", (unsigned long long) object->meta.resource_version);
    json_set_take(patch, "metadata", json_pack("{s:s}", "resourceVersion", version));
    json_set_take(patch, "status", run_encode_status(&ctl->run, inst->id.generation));
    CLEANUP(free) char *body = json_print(patch);
    return start_call(ctl, CALL_STORE,
                      (struct k8s_request) {.verb = K8S_PATCH,
                                            .lane = K8S_LANE_STATUS,
                                            .resource = &instance_resource,
                                            .ns = inst->id.ns,
                                            .name = inst->id.name,
                                            .subresource = "status",
                                            .body = body,
                                            .fence = ctl->op->fence});
}

static instant event_time(const struct run *run, enum event_type type)
{
    for (size_t i = run->n_events; i-- > 0;)
        if (run->events[i].type == type)
            return run->events[i].at;
    return run->since;
}

static enum work_result create_pod(struct attempt_ctl *ctl, const struct advance_view *view)
{
    const struct run *run = &ctl->run;

    struct attempt attempt = {
        .wf = view->wf,
        .inst = view->inst,
        .trigger = &run->trigger,
        .description = run->description,
        .attempt = run->attempt,
        .tries = run->tries,
        .triggered_at = event_time(run, EVENT_TRIGGER_EXECUTION),
        .dequeued_at = event_time(run, EVENT_DEQUEUE),
        .submitted_at = event_time(run, EVENT_SUBMIT),
    };
    CLEANUP(json_decref) json_t *manifest = attempt_manifest(&attempt, &ctl->op->settings->attempt);
    CLEANUP(free) char *body = json_print(manifest);
    return start_call(ctl, CALL_CREATE,
                      (struct k8s_request) {.verb = K8S_CREATE,
                                            .lane = K8S_LANE_POD,
                                            .resource = &pod_resource,
                                            .ns = view->inst->id.ns,
                                            .name = run->execution_id,
                                            .body = body,
                                            .fence = ctl->op->fence});
}

static enum work_result find(struct attempt_ctl *ctl, enum call_kind kind,
                             const struct k8s_resource *resource, const struct instance *inst,
                             const char *name)
{
    return start_call(ctl, kind,
                      (struct k8s_request) {.verb = K8S_GET,
                                            .lane = K8S_LANE_READ,
                                            .resource = resource,
                                            .ns = inst->id.ns,
                                            .name = name});
}

/* There is something to do about the run. */
static bool wanted(const struct instance *inst)
{
    return instance_active(inst) || advance_answer_owed(inst, &inst->run) ||
           advance_generation_unseen(inst);
}

static bool is_unsettled(const struct attempt_ctl *ctl)
{
    return unsettled_exists(&ctl->unsettled, loop_now(ctl->op->loop, LOOP_MONOTONIC));
}

/* States that say how it goes; the pod tells the same (its finalizer keeps it). */
static bool store_waits(struct attempt_ctl *ctl)
{
    enum run_state state = ctl->run.state;

    if (state == RUN_SUBMITTED || state == RUN_RUNNING || state == RUN_DONE)
        return burst_wait(ctl->op, &ctl->store_waits, &ctl->work);
    burst_leave(&ctl->store_waits);
    return false;
}

static enum work_result do_step(struct attempt_ctl *ctl, const struct k8s_object *object,
                                const struct advance_view *view, const struct step *step)
{
    switch (step->kind) {
    case STEP_STORE:
        return store_waits(ctl) ? WORK_DONE : store(ctl, object);
    case STEP_CREATE_POD:
        return create_pod(ctl, view);
    case STEP_FIND_POD:
        return find(ctl, CALL_FIND_POD, &pod_resource, view->inst, ctl->run.execution_id);
    case STEP_FIND_WORKFLOW:
        return find(ctl, CALL_FIND_WORKFLOW, &workflow_resource, view->inst, view->inst->workflow);
    case STEP_NONE:
    case STEP_APPLY:
    case STEP_ANSWER:
    case STEP_HOLD:
    case STEP_NOTE:
        break;
    }
    if (step->look_again_at != INSTANT_NONE)
        work_add_at(&ctl->work, LOOP_OF_DAY, step->look_again_at);
    if (is_unsettled(ctl) && (view->old_pod_lives || !wanted(view->inst)))
        work_add_at(&ctl->work, LOOP_MONOTONIC, ctl->unsettled.until);
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
        return apply_event(ctl, view, step);
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
    const struct instance *inst = object->value;
    for (int i = 0; i < MAX_STEPS_IN_MEMORY; i++) {
        derive_run(ctl, inst);
        struct advance_view view = gather(ctl, inst);
        struct step step = advance_decide(&view, ctl->op->settings);

        if (!step_in_memory(ctl, &view, &step)) {
            enum work_result result = do_step(ctl, object, &view, &step);

            step_done(&step);
            if (result != WORK_BUSY)
                set_starting(ctl, false);
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

/* ---- replies: what became known; what follows is decided at the next look ---- */

static void on_stored(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    ctl->op->counters.status_writes++;
    ctl->ahead = false;
    ctl->base_counter = ctl->run.counter;
    ctl->base_seq = ctl->run.seq;
    k8s_informer_observe(ctl->op->instances, reply->object);
}

/* A run error for a pod that will never be, with the API server's own words. */
static void refuse_pod(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    struct k8s_object *object = k8s_informer_get_key(ctl->op->instances, ctl->key);

    if (!object)
        return;
    struct advance_view view = gather(ctl, object->value);
    struct step step = {
        .kind = STEP_APPLY,
        .at = view.now,
        .event = {.type = EVENT_RUN_ERROR,
                  .message = xasprintf("Failed to create Kubernetes pod: %s", reply->error.text)},
    };
    apply_event(ctl, &view, &step);
    step_done(&step);
}

static bool is_quota(const struct k8s_reply *reply)
{
    return reply->error.code == ERROR_FORBIDDEN && strstr(reply->error.text, "exceeded quota");
}

static void note_refusal(struct attempt_ctl *ctl, const char *text)
{
    free(ctl->create_refused);
    ctl->create_refused = xstrdup(text);
}

static void on_created(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    switch (reply->error.code) {
    case ERROR_NONE:
        unsettled_end(&ctl->unsettled);
        ctl->op->counters.pods_created++;
        k8s_informer_observe(ctl->op->pods, reply->object);
        return;
    case ERROR_UNKNOWN:
        unsettled_begin(&ctl->unsettled, ctl->run.execution_id,
                        loop_now(ctl->op->loop, LOOP_MONOTONIC));
        return;
    case ERROR_FORBIDDEN:
        if (is_quota(reply)) { /* back-pressure: the queue's back-off asks again */
            note_refusal(ctl, reply->error.text);
            return;
        }
        __attribute__((fallthrough));
    case ERROR_INVALID:
    case ERROR_TOO_LARGE:
        refuse_pod(ctl, reply); /* an earlier create stays unsettled: the next try waits for it */
        return;
    default:
        return;
    }
}

static void on_pod_found(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code == ERROR_NONE)
        k8s_informer_observe(ctl->op->pods, reply->object);
    else if (reply->error.code == ERROR_NOT_FOUND)
        ctl->pod_absent = true;
}

/* Our pod is there, but its label is gone: no watch shows it, nobody would see how it ends. */
static bool is_hidden(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code != ERROR_NONE)
        return false;
    CLEANUP(pod_free) struct pod *pod = pod_decode(reply->object);
    return pod_is_ours(pod) && strcmp(pod->owner_uid, ctl->uid) == 0 &&
           !k8s_informer_get(ctl->op->pods, pod->id.ns, pod->id.name);
}

static void relabel(struct attempt_ctl *ctl, const json_t *object)
{
    CLEANUP(json_decref) json_t *patch = json_pack(
        "{s:{s:s, s:s, s:{s:s}}}", "metadata", "uid", json_text_at(object, "metadata.uid"),
        "resourceVersion", json_text_at(object, "metadata.resourceVersion"), "labels", POD_LABEL,
        POD_LABEL_VALUE);
    CLEANUP(free) char *body = json_print(patch);

    start_call(ctl, CALL_RELABEL,
               (struct k8s_request) {.verb = K8S_PATCH,
                                     .lane = K8S_LANE_STATUS,
                                     .resource = &pod_resource,
                                     .ns = json_text_at(object, "metadata.namespace"),
                                     .name = json_text_at(object, "metadata.name"),
                                     .body = body,
                                     .fence = ctl->op->fence});
}

static void on_relabelled(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code != ERROR_NONE) {
        finish_by_reply(ctl->op, &ctl->work, reply, "label pod", ctl->key);
        return;
    }
    k8s_informer_observe(ctl->op->pods, reply->object);
    work_finish(&ctl->work, is_hidden(ctl, reply) ? WORK_RETRY : WORK_AGAIN);
}

static void on_workflow_found(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code == ERROR_NONE)
        k8s_informer_observe(ctl->op->workflows, reply->object);
    else if (reply->error.code == ERROR_NOT_FOUND)
        ctl->wf_absent = true;
}

/* The name is taken: by our own create whose answer was lost, or by somebody else. */
static void adopt(struct attempt_ctl *ctl)
{
    struct k8s_object *object = k8s_informer_get_key(ctl->op->instances, ctl->key);

    if (!object) {
        work_finish(&ctl->work, WORK_DONE);
        return;
    }
    find(ctl, CALL_ADOPT, &pod_resource, object->value, ctl->run.execution_id);
}

/* False if the pod is somebody else's: it is not touched, and the create is tried again later. */
static bool on_adopted(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    CLEANUP(pod_free) struct pod *pod = NULL;

    if (reply->error.code != ERROR_NONE)
        return true; /* still unsettled: the same create is sent again */
    pod = pod_decode(reply->object);
    k8s_informer_observe(ctl->op->pods, reply->object);
    if (pod_is_ours(pod) && strcmp(pod->owner_uid, ctl->uid) == 0) {
        unsettled_end(&ctl->unsettled);
        return true;
    }
    CLEANUP(free) char *text = xasprintf("a pod that is not ours has its name: %s", pod->id.name);
    note_refusal(ctl, text);
    return false;
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    static const char *const doing[] = {"",         "store status", "create pod",   "read pod",
                                        "read pod", "label pod",    "read workflow"};
    struct attempt_ctl *ctl = arg;
    enum call_kind kind = ctl->calling;

    ctl->call = NULL;
    ctl->calling = CALL_NONE;
    if (kind == CALL_CREATE || kind == CALL_STORE)
        set_starting(ctl, false);
    if (kind == CALL_CREATE && reply->error.code == ERROR_EXISTS) {
        adopt(ctl);
        return;
    }
    if (kind == CALL_RELABEL) {
        on_relabelled(ctl, reply);
        return;
    }
    if (kind == CALL_STORE && reply->error.code == ERROR_NONE)
        on_stored(ctl, reply);
    else if (kind == CALL_CREATE)
        on_created(ctl, reply);
    else if (kind == CALL_FIND_POD)
        on_pod_found(ctl, reply);
    else if (kind == CALL_FIND_WORKFLOW)
        on_workflow_found(ctl, reply);
    if (kind == CALL_ADOPT && !on_adopted(ctl, reply)) {
        work_finish(&ctl->work, WORK_RETRY);
        return;
    }
    if ((kind == CALL_FIND_POD || kind == CALL_ADOPT) && is_hidden(ctl, reply)) {
        relabel(ctl, reply->object);
        return;
    }
    bool expected = reply->error.code == ERROR_NOT_FOUND &&
                    (kind == CALL_FIND_POD || kind == CALL_FIND_WORKFLOW);
    bool refused = kind == CALL_CREATE && ctl->run.state == RUN_FAILED;
    if (expected || refused)
        work_finish(&ctl->work, WORK_AGAIN);
    else
        finish_by_reply(ctl->op, &ctl->work, reply, doing[kind], ctl->key);
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
    ghosts_add(&ctl->op->ghosts, ctl->key, &ctl->unsettled, now);
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

    map_foreach (ctl, &op->attempts, by_key)
        ctl_free(ctl);
    ghosts_clear(&op->ghosts);
}
