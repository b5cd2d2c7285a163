/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/advance.h"

#include "model/partition.h"
#include "model/validate.h"

#include <string.h>

static struct step none(void)
{
    return (struct step) {.kind = STEP_NONE, .look_again_at = INSTANT_NONE};
}

static struct step wait_until(instant t)
{
    return (struct step) {.kind = STEP_NONE, .look_again_at = t};
}

static struct step only(enum step_kind kind)
{
    return (struct step) {.kind = kind, .look_again_at = INSTANT_NONE};
}

static struct step apply(instant at, struct event event)
{
    return (struct step) {
        .kind = STEP_APPLY, .at = at, .event = event, .look_again_at = INSTANT_NONE};
}

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
    return inst->trigger.seq > 0 ? inst->trigger.seq : 1;
}

/* Whether a create took effect is known when it was sent again, and not before (design, section 4):
 * until then no other attempt may begin. */
static bool must_settle(const struct advance_view *v)
{
    return v->create_unsettled && v->run->state == RUN_SUBMITTING && v->run->description &&
           !v->pod && v->wf;
}

static struct step halt(const struct advance_view *v, char *message_take)
{
    if (must_settle(v)) {
        free(message_take);
        return only(STEP_CREATE_POD);
    }
    return apply(v->now, (struct event) {.type = EVENT_HALT, .message = message_take});
}

/* When something of the attempt happened, if its pod has it on record. */
static instant recorded(const struct advance_view *v, instant on_record)
{
    return v->pod && on_record != INSTANT_NONE ? on_record : v->now;
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

/* ---- the workflow ---- */

/* Whoever created the instance by hand also wrote its partition: NULL, or what is wrong with that.
 * (A trigger's partition was made from the schedule, which may have changed since.) */
static char *no_partition(const struct advance_view *v)
{
    struct schedule schedule;
    struct error err;
    instant t;
    char text[PARTITION_TEXT_MAX];
    const char *parameter = v->inst->parameter;

    if (v->inst->trigger.seq > 0 || !schedule_parse(v->wf->schedule, &schedule, &err))
        return NULL;
    if (!partition_parse(&schedule, parameter, &t, &err))
        return xasprintf("Halted: Cannot parse time parameter %s - %s", parameter, err.text);
    if (strcmp(partition_print(&schedule, t, text), parameter) != 0)
        return xasprintf("Halted: parameter %s is no partition of schedule %s; %s is", parameter,
                         schedule.text, text);
    return NULL;
}

/* NULL, or why the run may not go on.  Everything but absence is only asked at PREPARE. */
static char *workflow_forbids(const struct advance_view *v, const struct settings *settings)
{
    struct validate_limits limits = {.max_running_timeout_ms = settings->max_running_timeout_ms};
    struct texts errors = {0};
    char *why = NULL;

    if (v->run->trigger.type == TRIGGER_NATURAL && v->wf->suspend)
        return xstrdup("Halted: the workflow is disabled");
    if (v->wf->problem)
        return xasprintf("Halted: invalid workflow configuration: %s", v->wf->problem);
    workflow_validate(v->wf, &limits, &errors);
    workflow_not_supported(v->wf, &errors);
    if (errors.n) {
        CLEANUP(free) char *list = validate_join(&errors);
        why = xasprintf("Halted: invalid workflow configuration: %s", list);
    } else if (!v->wf->template.image) {
        why = xstrdup("Halted: the workflow has no docker image");
    }
    texts_done(&errors);
    return why ? why : no_partition(v);
}

static bool workflow_is_another(const struct advance_view *v)
{
    const char *uid = v->run->trigger.workflow_uid;

    return v->wf && uid && *uid && strcmp(uid, v->wf->id.uid) != 0;
}

/* A step if the workflow is gone or has to be looked for; STEP_NONE if it is there. */
static struct step check_workflow(const struct advance_view *v)
{
    if (!v->wf && !v->wf_absent)
        return only(STEP_FIND_WORKFLOW);
    if (!v->wf && !v->run->trigger.workflow_uid)
        return halt(v, xasprintf("Halted: there is no workflow %s", v->inst->workflow));
    if (!v->wf || v->wf->id.deleting || workflow_is_another(v))
        return halt(v, xstrdup("Halted: the workflow was deleted"));
    return none();
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
static bool write_is_due(const struct advance_view *v, const struct settings *settings)
{
    return v->ahead &&
           (lasts(v, settings) || v->now >= write_due(v, settings) || v->now < v->run->since);
}

/* ---- states ---- */

static struct step timed_out(const struct advance_view *v, const char *detail)
{
    char *message = xasprintf("Timed out in %s%s%s", run_state_name(v->run->state),
                              detail ? ": " : "", detail ? detail : "");

    return apply(v->now, (struct event) {.type = EVENT_TIMEOUT, .message = message});
}

static instant eligible_at(const struct run *run)
{
    return run->since + (run->retry_delay_ms > 0 ? run->retry_delay_ms : 0);
}

/* The limit of a state counts for a try that waits for its turn, too, as in Styx. */
static struct step in_queued(const struct advance_view *v, const struct settings *settings)
{
    instant eligible = eligible_at(v->run);
    instant limit = v->run->since + settings->state_limits_ms[RUN_QUEUED];

    if (v->pod) /* this attempt was begun before, by somebody who could not write it */
        return apply(recorded(v, v->pod->dequeued_at), (struct event) {.type = EVENT_DEQUEUE});
    if (v->now >= eligible && !v->old_pod_lives)
        return apply(v->now, (struct event) {.type = EVENT_DEQUEUE});
    if (v->now >= limit)
        return timed_out(v, v->now >= eligible ? "an earlier pod of this run has not ended" : NULL);
    return wait_until(v->now < eligible && eligible < limit ? eligible : limit);
}

/* The description of a pod that was made before, possibly from another version of the workflow. */
static struct description *describe(const struct advance_view *v)
{
    struct description *d = attempt_describe(v->wf, v->inst->parameter, &v->run->trigger);
    char hash[DESCRIPTION_HASH_MAX];

    description_hash(d, hash);
    if (!v->pod || !v->pod->description_hash || strcmp(hash, v->pod->description_hash) == 0)
        return d;
    free(d->image);
    d->image = xstrdup(v->pod->image);
    texts_done(&d->args);
    env_done(&d->env);
    d->termination_logging = v->pod->termination_logging;
    d->truncated = true; /* the pod has the rest */
    return d;
}

static struct step in_prepare(const struct advance_view *v, const struct settings *settings)
{
    char id[EXECUTION_ID_MAX], *forbidden = v->pod ? NULL : workflow_forbids(v, settings);

    if (forbidden)
        return halt(v, forbidden);
    attempt_execution_id(v->inst->id.uid, v->run->seq, v->run->attempt + 1, id);
    return apply(recorded(v, v->pod ? v->pod->submitted_at : INSTANT_NONE),
                 (struct event) {.type = EVENT_SUBMIT,
                                 .execution_id = xstrdup(id),
                                 .description = describe(v)});
}

/* A status that nobody of us has written: by hand, or from a backup of another cluster. */
static struct step check_execution(const struct advance_view *v)
{
    const struct run *run = v->run;
    char id[EXECUTION_ID_MAX];

    if (!run->execution_id || !run->description || !run->description->image)
        return halt(v, xstrdup("Halted: the status does not say what is executed"));
    attempt_execution_id(v->inst->id.uid, run->seq, run->attempt, id);
    if (strcmp(run->execution_id, id) == 0)
        return none();
    return apply(v->now, (struct event) {.type = EVENT_RUN_ERROR,
                                         .free = true,
                                         .message = xasprintf("Execution %s is of another object",
                                                              run->execution_id)});
}

static struct step in_submitting(const struct advance_view *v, const struct settings *settings)
{
    if (v->pod)
        return apply(v->now, (struct event) {.type = EVENT_SUBMITTED,
                                             .execution_id = xstrdup(v->run->execution_id),
                                             .runner_id = xstrdup(settings->runner_id)});
    /* Only one attempt may be ahead of what is stored: its pod is how it is found again. */
    if (v->ahead && v->inst->run.attempt < v->run->attempt - 1)
        return only(STEP_STORE);
    if (!v->create_unsettled && v->now >= v->run->since + settings->state_limits_ms[RUN_SUBMITTING])
        return timed_out(v, NULL);
    return only(write_is_due(v, settings) ? STEP_STORE : STEP_CREATE_POD);
}

static int64_t running_limit(const struct advance_view *v, const struct settings *settings)
{
    int64_t limit = settings->state_limits_ms[RUN_RUNNING], own;
    const char *text = v->wf ? v->wf->template.running_timeout : NULL;
    struct error ignored;

    if (text && duration_parse(text, &own, &ignored))
        limit = own;
    return limit < settings->max_running_timeout_ms ? limit : settings->max_running_timeout_ms;
}

static struct step until_pod_deadline(const struct advance_view *v, const struct settings *settings)
{
    const struct pod *pod = v->pod;
    instant limit;

    if (v->run->state == RUN_SUBMITTED)
        limit = pod_start_deadline(pod, v->run->since, settings->state_limits_ms[RUN_SUBMITTED],
                                   settings->unschedulable_limit_ms);
    else
        limit = v->run->since + running_limit(v, settings);
    if (limit == INSTANT_NONE || v->now < limit)
        return wait_until(limit);
    CLEANUP(free) char *waits_for = v->run->state == RUN_SUBMITTED ? pod_waits_for(pod) : NULL;
    return timed_out(v, waits_for);
}

static struct step in_pod(const struct advance_view *v, const struct settings *settings)
{
    struct observation seen;

    if (!v->pod && !v->pod_absent)
        return only(STEP_FIND_POD);
    if (!v->pod)
        return apply(v->now,
                     (struct event) {.type = EVENT_RUN_ERROR,
                                     .message = xstrdup("No pod associated with this instance")});
    pod_observe(v->pod, v->run->state, &seen);
    switch (seen.kind) {
    case OBSERVED_STARTED:
        return apply(v->now, (struct event) {.type = EVENT_STARTED});
    case OBSERVED_TERMINATED:
        if (v->run->state == RUN_SUBMITTED) {
            observation_done(&seen);
            return apply(v->now, (struct event) {.type = EVENT_STARTED});
        }
        return apply(v->now, (struct event) {.type = EVENT_TERMINATE,
                                             .has_exit = seen.has_exit,
                                             .exit_code = seen.exit_code,
                                             .message = seen.message});
    case OBSERVED_ERROR:
        return apply(
            v->now,
            (struct event) {.type = EVENT_RUN_ERROR, .free = seen.free, .message = seen.message});
    case OBSERVED_TIMEOUT:
        observation_done(&seen);
        return timed_out(v, "the pod's deadline");
    case OBSERVED_NOTHING:
        break;
    }
    return until_pod_deadline(v, settings);
}

static struct step decide_retry(const struct advance_view *v, const struct settings *settings)
{
    const struct run *run = v->run;
    struct retry_input in = {
        .has_exit = run->has_exit,
        .last_exit = run->last_exit,
        .retry_cost_tenths = run->retry_cost_tenths,
        .consecutive_failures = run->consecutive_failures,
        .free_tries = run->free_tries,
        .base_ms = settings->retry_base_ms,
    };
    struct retry_decision d = retry_decide(&in, v->rng);

    if (d.action == RETRY_STOP)
        return apply(v->now, (struct event) {.type = EVENT_STOP, .message = xstrdup(d.text)});
    return apply(v->now, (struct event) {.type = EVENT_RETRY_AFTER, .delay_ms = d.delay_ms});
}

static struct step in_state(const struct advance_view *v, const struct settings *settings)
{
    struct step step;

    switch (v->run->state) {
    case RUN_QUEUED:
        return in_queued(v, settings);
    case RUN_PREPARE:
        return in_prepare(v, settings);
    case RUN_SUBMITTING:
    case RUN_SUBMITTED:
    case RUN_RUNNING:
        step = check_execution(v);
        if (step.kind != STEP_NONE)
            return step;
        return v->run->state == RUN_SUBMITTING ? in_submitting(v, settings) : in_pod(v, settings);
    case RUN_TERMINATED:
        if (v->run->has_exit && v->run->last_exit == 0)
            return apply(v->now, (struct event) {.type = EVENT_SUCCESS});
        return decide_retry(v, settings);
    case RUN_FAILED:
        return decide_retry(v, settings);
    case RUN_NEW:
    case RUN_ERROR:
    case RUN_DONE:
    case RUN_N_STATES:
        break;
    }
    return none();
}

/* ---- triggers ---- */

static bool trigger_waits(const struct advance_view *v)
{
    int64_t wanted = v->inst->trigger.seq > 0 ? v->inst->trigger.seq : 1;

    return wanted > v->run->seq && (v->run->state == RUN_NEW || run_state_terminal(v->run->state));
}

/* A status that was lost (a restore without it) would run everything again: not without being
 * asked, by a trigger of the live workflow.  Who wishes for a halt instead gets that. */
static bool held(const struct advance_view *v)
{
    const char *uid = v->inst->trigger.workflow_uid;

    return v->inst->run.seq == 0 && v->inst->run.state == RUN_NEW && uid && *uid && v->wf &&
           !v->pod && strcmp(uid, v->wf->id.uid) != 0 &&
           v->inst->halt_through < v->inst->trigger.seq;
}

static struct step begin(const struct advance_view *v)
{
    struct event event = {.type = EVENT_TRIGGER_EXECUTION};

    instance_wanted_trigger(v->inst, &event.trigger);
    if (!event.trigger.workflow_uid && v->wf)
        event.trigger.workflow_uid = xstrdup(v->wf->id.uid);
    return apply(recorded(v, v->pod ? v->pod->triggered_at : INSTANT_NONE), event);
}

static struct step store_when_due(const struct advance_view *v, const struct settings *settings,
                                  struct step otherwise)
{
    instant due = write_due(v, settings);

    if (!v->ahead)
        return otherwise;
    if (write_is_due(v, settings))
        return only(STEP_STORE);
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

/* Whatever is not going on says why (invariant 3); NULL: nothing out of the ordinary. */
static char *waits_for(const struct advance_view *v)
{
    const struct run *run = v->run;

    if (run->state == RUN_QUEUED && v->old_pod_lives && !v->pod && v->now >= eligible_at(run))
        return xstrdup(NOTE_PREFIX "an earlier pod of this run has not ended");
    if (run->state == RUN_SUBMITTING && v->create_refused && !v->pod)
        return xasprintf(NOTE_PREFIX "%s", v->create_refused);
    if (run->state != RUN_SUBMITTED || !v->pod || is_just_starting(v->pod))
        return NULL;
    CLEANUP(free) char *reason = pod_waits_for(v->pod);
    return reason ? xasprintf(NOTE_PREFIX "%s", reason) : NULL;
}

static struct step note(const struct advance_view *v)
{
    const char *now = v->run->message;
    bool noted = now && strncmp(now, NOTE_PREFIX, strlen(NOTE_PREFIX)) == 0;
    char *wanted = message_cut_take(waits_for(v));
    struct step step = only(STEP_NOTE);

    if (wanted ? noted && strcmp(now, wanted) == 0 : !noted) {
        free(wanted);
        return none();
    }
    step.event.message = wanted;
    return step;
}

/* There is a trigger to take. */
static struct step next_trigger(const struct advance_view *v, const struct settings *settings)
{
    if (v->ahead && v->run->seq > v->inst->run.seq)
        return only(STEP_STORE); /* the end of the last trigger, before the next begins */
    if (v->inst->trigger.seq > 0 && !v->wf && !v->wf_absent)
        return only(STEP_FIND_WORKFLOW);
    if (!held(v))
        return begin(v);
    return v->run->held_since == INSTANT_NONE ? only(STEP_HOLD)
                                              : store_when_due(v, settings, none());
}

struct step advance_decide(const struct advance_view *v, const struct settings *settings)
{
    struct step step;

    if (v->inst->problem || v->inst->id.deleting)
        return none();
    if (trigger_waits(v))
        return next_trigger(v, settings);
    if (halt_wished(v))
        return halt(v, xstrdup("Halted")); /* its pod, if there is one, is found and reaped */
    if (retry_wished(v))
        return apply(v->now, (struct event) {.type = EVENT_RETRY_AFTER,
                                             .delay_ms = v->inst->retry_delay_ms});
    if (advance_answer_owed(v->inst, v->run))
        return only(STEP_ANSWER);
    if (!run_state_terminal(v->run->state)) {
        step = check_workflow(v);
        if (step.kind == STEP_NONE)
            step = note(v);
        if (step.kind != STEP_NONE)
            return step;
    }
    step = in_state(v, settings);
    return step.kind == STEP_NONE ? store_when_due(v, settings, step) : step;
}
