/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/advance_steps.h"

#include <string.h>

void step_done(struct step *step)
{
    event_done(&step->event);
}

/* Before SUBMITTING the attempt is not counted yet. */
int advance_pod_attempt(const struct run *run)
{
    bool counted =
        run->state == RUN_SUBMITTING || run->state == RUN_SUBMITTED || run->state == RUN_RUNNING;

    return counted ? run->attempt : run->attempt + 1;
}

int64_t advance_pod_seq(const struct instance *inst, const struct run *run)
{
    if (!run_state_terminal(run->state) && run->state != RUN_NEW)
        return run->seq;
    return instance_wanted_seq(inst);
}

/* Whether a create took effect is known when it was sent again, and not before (design, section 4):
 * until then no other attempt may begin.  If that is never answered, time settles it: what follows
 * is not stored before (unsettled.h). */
static bool must_settle(const struct advance_view *v)
{
    return v->create_unsettled && !v->create_hopeless && v->run->state == RUN_SUBMITTING &&
           v->run->description && !v->pod && v->wf && !v->old_pod_lives;
}

struct step advance_halt(const struct advance_view *v, char *message_take)
{
    if (must_settle(v)) {
        free(message_take);
        return step_only(STEP_CREATE_POD);
    }
    return step_apply(v->now, (struct event) {.type = EVENT_HALT, .message = message_take});
}

/* ---- wishes ---- */

static bool halt_wished(const struct advance_view *v)
{
    return v->inst->halt_through >= v->run->seq && v->run->seq > 0 &&
           !run_state_terminal(v->run->state);
}

static bool retry_wished(const struct advance_view *v)
{
    const struct run *run = v->run;

    return v->inst->has_retry && v->inst->retry_counter == run->counter &&
           run->retry_counter != v->inst->retry_counter &&
           (run->state == RUN_QUEUED || run->state == RUN_TERMINATED || run->state == RUN_FAILED);
}

bool advance_answer_owed(const struct instance *inst, const struct run *run)
{
    bool halt_done = run_state_terminal(run->state) || inst->halt_through < run->seq;
    bool retry_done =
        run->retry_counter != inst->retry_counter && run->counter >= inst->retry_counter;

    return (run->halted_through < inst->halt_through && halt_done && run->seq > 0) ||
           (inst->has_retry && retry_done && run->seq > 0);
}

/* What waits for a condition believes one of the latest generation only. */
bool advance_generation_unseen(const struct instance *inst)
{
    bool rests = run_state_terminal(inst->run.state) || instance_held(inst);

    return rests && !inst->problem && !inst->id.deleting &&
           inst->observed_generation != inst->id.generation;
}

/* ---- the workflow ---- */

static bool workflow_is_another(const struct advance_view *v)
{
    const char *uid = v->run->trigger.workflow_uid;

    return v->wf && uid && *uid && strcmp(uid, v->wf->id.uid) != 0;
}

/* A step if the workflow is gone or has to be looked for; STEP_NONE if it is there. */
static struct step check_workflow(const struct advance_view *v)
{
    if ((!v->wf && !v->wf_absent) || (workflow_is_another(v) && !v->wf_read))
        return step_only(STEP_FIND_WORKFLOW);
    if (!v->wf && !v->run->trigger.workflow_uid)
        return advance_halt(v, xasprintf("Halted: there is no workflow %s", v->inst->workflow));
    if (!v->wf || v->wf->id.deleting || workflow_is_another(v))
        return advance_halt(v, xstrdup("Halted: the workflow was deleted"));
    return step_none();
}

/* ---- when to write ---- */

static bool lasts(const struct advance_view *v, const struct settings *settings)
{
    const struct run *run = v->run;

    return run_state_terminal(run->state) ||
           (run->state == RUN_QUEUED && run->retry_delay_ms > settings->coalesce_ms);
}

static instant write_due(const struct advance_view *v, const struct settings *settings)
{
    return v->run->since + settings->coalesce_ms;
}

/* Short states share a write. */
bool advance_write_is_due(const struct advance_view *v, const struct settings *settings)
{
    return v->ahead &&
           (lasts(v, settings) || v->now >= write_due(v, settings) || v->now < v->run->since);
}

/* ---- triggers ---- */

static bool trigger_waits(const struct advance_view *v)
{
    return instance_wanted_seq(v->inst) > v->run->seq &&
           (v->run->state == RUN_NEW || run_state_terminal(v->run->state));
}

/* Somebody saw that it is held, and triggered it once more. */
static bool held_and_raised(const struct advance_view *v)
{
    return v->run->held_since != INSTANT_NONE && v->run->trigger.seq > 0 &&
           v->inst->trigger.seq > v->run->trigger.seq;
}

/* A status that was lost (a restore without it) would run everything again: not without being
 * asked, by a trigger of the live workflow.  Who wishes for a halt instead gets that. */
static bool held(const struct advance_view *v)
{
    const char *uid = v->inst->trigger.workflow_uid;

    return v->inst->run.seq == 0 && v->inst->run.state == RUN_NEW && uid && *uid && v->wf &&
           !v->pod && strcmp(uid, v->wf->id.uid) != 0 && !held_and_raised(v) &&
           v->inst->halt_through < v->inst->trigger.seq;
}

/* The trigger names no workflow: it is for the one that is there, and our copy may lag behind one
 * that was just made anew. */
static bool takes_any_workflow(const struct advance_view *v)
{
    struct run_trigger wanted;

    instance_wanted_trigger(v->inst, &wanted);
    bool any = !wanted.workflow_uid || held_and_raised(v);
    run_trigger_done(&wanted);
    return any;
}

static struct step begin(const struct advance_view *v)
{
    struct event event = {.type = EVENT_TRIGGER_EXECUTION};

    instance_wanted_trigger(v->inst, &event.trigger);
    if (held_and_raised(v)) /* for the workflow as it is now */
        free(TAKE(event.trigger.workflow_uid));
    if (!event.trigger.workflow_uid && v->wf)
        event.trigger.workflow_uid = xstrdup(v->wf->id.uid);
    return step_apply(step_recorded(v, v->pod ? v->pod->triggered_at : INSTANT_NONE), event);
}

static struct step store_when_due(const struct advance_view *v, const struct settings *settings,
                                  struct step otherwise)
{
    instant due = write_due(v, settings);

    if (!v->ahead)
        return otherwise;
    if (advance_write_is_due(v, settings))
        return step_only(STEP_STORE);
    if (otherwise.look_again_at == INSTANT_NONE || due < otherwise.look_again_at)
        otherwise.look_again_at = due;
    return otherwise;
}

/* ---- what it waits for ---- */

#define NOTE_PREFIX "Waiting: "

static bool is_just_starting(const struct pod *pod)
{
    return pod->waiting_reason && (strcmp(pod->waiting_reason, "ContainerCreating") == 0 ||
                                   strcmp(pod->waiting_reason, "PodInitializing") == 0);
}

/* Whatever is not going on says why (invariant 3); NULL: nothing out of the ordinary.  A reason
 * is given for what nobody else tells: of a pod that is there, the scheduler and the kubelet do. */
static char *waits_for(const struct advance_view *v, const char **ret_reason)
{
    const struct run *run = v->run;
    bool would_begin =
        run->state == RUN_SUBMITTING || (run->state == RUN_QUEUED && advance_is_eligible(v));

    *ret_reason = NULL;
    if (would_begin && v->old_pod_lives && !v->pod) {
        *ret_reason = "WaitingForOldPod";
        return xstrdup(NOTE_PREFIX "an earlier pod of this run has not ended");
    }
    if (run->state == RUN_SUBMITTING && v->create_refused && !v->pod) {
        *ret_reason = "PodNotCreated";
        return xasprintf(NOTE_PREFIX "%s", v->create_refused);
    }
    if (run->state != RUN_SUBMITTED || !v->pod || is_just_starting(v->pod))
        return NULL;
    CLEANUP(free) char *reason = pod_waits_for(v->pod);
    return reason ? xasprintf(NOTE_PREFIX "%s", reason) : NULL;
}

static bool begins_with(const char *text, const char *prefix)
{
    return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The pod does not tell since when it may be scheduled: what is noted of it does. */
static bool gates_opened(const struct advance_view *v)
{
    return v->run->state == RUN_SUBMITTED && v->pod && !v->pod->gated &&
           begins_with(v->run->message, NOTE_PREFIX POD_GATES_CLOSED);
}

static struct step note(const struct advance_view *v)
{
    const char *now = v->run->message;
    bool noted = begins_with(now, NOTE_PREFIX);
    struct step step = step_only(STEP_NOTE);
    char *wanted = message_cut_take(waits_for(v, &step.reason));

    if (wanted ? noted && strcmp(now, wanted) == 0 : !noted) {
        free(wanted);
        return step_none();
    }
    step.event.message = wanted;
    step.gates_opened = gates_opened(v);
    return step;
}

/* There is a trigger to take. */
static struct step next_trigger(const struct advance_view *v, const struct settings *settings)
{
    if (v->ahead && v->run->seq > 0)
        return step_only(STEP_STORE); /* the end of the last trigger, before the next begins */
    if (v->inst->trigger.seq > 0 && !v->wf && !v->wf_absent)
        return step_only(STEP_FIND_WORKFLOW);
    if (v->wf && !v->wf_read && takes_any_workflow(v))
        return step_only(STEP_FIND_WORKFLOW);
    if (!held(v))
        return begin(v);
    if (v->run->held_since == INSTANT_NONE)
        return step_only(v->wf_read ? STEP_HOLD : STEP_FIND_WORKFLOW);
    if (!v->ahead && advance_generation_unseen(v->inst))
        return step_only(STEP_STORE);
    return store_when_due(v, settings, step_none());
}

struct step advance_decide(const struct advance_view *v, const struct settings *settings)
{
    struct step step;

    if (v->inst->problem || v->inst->id.deleting)
        return step_none();
    if (trigger_waits(v))
        return next_trigger(v, settings);
    if (halt_wished(v))
        return advance_halt(v,
                            xstrdup("Halted")); /* its pod, if there is one, is found and reaped */
    if (retry_wished(v))
        return step_apply(v->now, (struct event) {.type = EVENT_RETRY_AFTER,
                                                  .delay_ms = v->inst->retry_delay_ms});
    if (advance_answer_owed(v->inst, v->run))
        return step_only(STEP_ANSWER);
    if (!run_state_terminal(v->run->state)) {
        step = check_workflow(v);
        if (step.kind == STEP_NONE)
            step = note(v);
        if (step.kind != STEP_NONE)
            return step;
    }
    step = advance_in_state(v, settings);
    if (step.kind == STEP_NONE && !v->ahead && advance_generation_unseen(v->inst))
        return step_only(STEP_STORE);
    return step.kind == STEP_NONE ? store_when_due(v, settings, step) : step;
}
