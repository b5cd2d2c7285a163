/* SPDX-License-Identifier: Apache-2.0 */
/* What a run does in each of its states (Styx behaviour, 8.4 and 8.5). */
#include "operator/advance_steps.h"

#include "model/partition.h"
#include "model/validate.h"
#include "operator/trigger.h"

#include <string.h>

#define OLD_POD "an earlier pod of this run has not ended"

/* ---- the workflow, as it is read at PREPARE ---- */

/* Whoever created the instance by hand also wrote its partition: NULL, or what is wrong with that.
 * (Where a program triggered, which names the workflow that it read, the partition was made from
 * the schedule, which may have changed since.) */
static char *no_partition(const struct advance_view *v)
{
    struct schedule schedule;
    struct error err;
    instant t;
    char text[PARTITION_TEXT_MAX];
    const char *parameter = v->inst->parameter;

    if (v->inst->trigger.workflow_uid || !schedule_parse(v->wf->schedule, &schedule, &err))
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
    CLEANUP(free) char *misplaced = NULL;
    char *why = NULL;

    if (v->run->trigger.type == TRIGGER_NATURAL && v->wf->suspend)
        return xstrdup("Halted: the workflow is disabled");
    if (v->wf->problem)
        return xasprintf("Halted: invalid workflow configuration: %s", v->wf->problem);
    if (trigger_misplaced(v->wf, v->component_ns, v->elder, &misplaced))
        return xasprintf("Halted: %s", misplaced);
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

/* ---- states ---- */

static struct step timed_out(const struct advance_view *v, const char *detail)
{
    char *message = xasprintf("Timed out in %s%s%s", run_state_name(v->run->state),
                              detail ? ": " : "", detail ? detail : "");

    return step_apply(v->now, (struct event) {.type = EVENT_TIMEOUT, .message = message});
}

instant advance_eligible_at(const struct run *run)
{
    return run->since + run->retry_delay_ms;
}

/* What has no delay does not ask the clock. */
bool advance_is_eligible(const struct advance_view *v)
{
    return v->run->retry_delay_ms <= 0 || has_passed(v, advance_eligible_at(v->run));
}

/* The limit of a state counts for a try that waits for its turn, too, as in Styx. */
static struct step in_queued(const struct advance_view *v, const struct settings *settings)
{
    bool ready = advance_is_eligible(v);
    instant eligible = advance_eligible_at(v->run);
    instant limit = v->run->since + settings->state_limits_ms[RUN_QUEUED];

    if (v->pod) /* this attempt was begun before, by somebody who could not write it */
        return step_apply(step_recorded(v, v->pod->dequeued_at),
                          (struct event) {.type = EVENT_DEQUEUE});
    if (ready && !v->old_pod_lives)
        return step_apply(v->now, (struct event) {.type = EVENT_DEQUEUE});
    if (has_passed(v, limit))
        return timed_out(v, ready ? OLD_POD : NULL);
    return step_wait_for(v, !ready && eligible < limit ? eligible : limit);
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
        return advance_halt(v, forbidden);
    attempt_execution_id(v->inst->id.uid, v->run->seq, v->run->attempt + 1, id);
    return step_apply(step_recorded(v, v->pod ? v->pod->submitted_at : INSTANT_NONE),
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
        return advance_halt(v, xstrdup("Halted: the status does not say what is executed"));
    attempt_execution_id(v->inst->id.uid, run->seq, run->attempt, id);
    if (strcmp(run->execution_id, id) == 0)
        return step_none();
    return step_apply(v->now,
                      (struct event) {.type = EVENT_RUN_ERROR,
                                      .free = true,
                                      .message = xasprintf("Execution %s is of another object",
                                                           run->execution_id)});
}

/* Only one attempt may be ahead of what is stored: its pod is how it is found again.  A stored one
 * that was refused has none, and would be begun again. */
static bool too_far_ahead(const struct advance_view *v)
{
    const struct run *stored = &v->inst->run;
    int next = stored->state == RUN_SUBMITTING ? stored->attempt : stored->attempt + 1;

    return v->ahead && v->run->attempt > next;
}

static struct step in_submitting(const struct advance_view *v, const struct settings *settings)
{
    instant limit = v->run->since + settings->state_limits_ms[RUN_SUBMITTING];

    if (v->pod)
        return step_apply(v->now, (struct event) {.type = EVENT_SUBMITTED,
                                                  .execution_id = xstrdup(v->run->execution_id),
                                                  .runner_id = xstrdup(settings->runner_id)});
    if (too_far_ahead(v))
        return step_only(STEP_STORE);
    if ((!v->create_unsettled || v->create_hopeless) && has_passed(v, limit))
        return timed_out(v, v->old_pod_lives ? OLD_POD : NULL);
    if (v->old_pod_lives) /* another reign's, if this is stored by a write of it that was late */
        return has_passed(v, limit) ? step_none() : step_wait_for(v, limit);
    return step_only(advance_write_is_due(v, settings) ? STEP_STORE : STEP_CREATE_POD);
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

/* What it waited for, and which limit that was: large images and clusters that grow need more. */
static char *not_started(const struct pod *pod, const struct settings *settings)
{
    CLEANUP(free) char *waits_for = pod_waits_for(pod);
    char limit[DURATION_TEXT_MAX];

    duration_print(pod->unschedulable ? settings->unschedulable_limit_ms
                                      : settings->state_limits_ms[RUN_SUBMITTED],
                   limit);
    return xasprintf("%s%s(limit: --timeouts=%s=%s)", waits_for ? waits_for : "",
                     waits_for ? " " : "", pod->unschedulable ? "unschedulable" : "submitted",
                     limit);
}

static instant ready_to_start_at(const struct run *run)
{
    return run->ungated_at > run->since ? run->ungated_at : run->since;
}

static struct step until_pod_deadline(const struct advance_view *v, const struct settings *settings)
{
    const struct pod *pod = v->pod;
    instant limit;

    if (v->run->state == RUN_SUBMITTED)
        limit = pod_start_deadline(pod, ready_to_start_at(v->run),
                                   settings->state_limits_ms[RUN_SUBMITTED],
                                   settings->unschedulable_limit_ms);
    else
        limit = v->run->since + running_limit(v, settings);
    if (limit != INSTANT_NONE && limit < v->patient_until)
        limit = v->patient_until;
    if (limit == INSTANT_NONE || !has_passed(v, limit))
        return step_wait_for(v, limit);
    if (v->pod_read_at < limit) /* the copy may not know yet that it has ended */
        return step_only(STEP_FIND_POD);
    CLEANUP(free) char *detail = v->run->state == RUN_SUBMITTED ? not_started(pod, settings) : NULL;
    return timed_out(v, detail);
}

static struct step in_pod(const struct advance_view *v, const struct settings *settings)
{
    struct observation seen;

    if (!v->pod && !v->pod_absent)
        return step_only(STEP_FIND_POD);
    if (!v->pod)
        return step_apply(
            v->now, (struct event) {.type = EVENT_RUN_ERROR,
                                    .message = xstrdup("No pod associated with this instance")});
    if (v->pod_lost && !v->pod->main_terminated)
        return step_apply(v->now, (struct event) {.type = EVENT_RUN_ERROR,
                                                  .free = true,
                                                  .message = xstrdup("Lost node running pod")});
    pod_observe(v->pod, v->run->state, &seen);
    switch (seen.kind) {
    case OBSERVED_STARTED:
        return step_apply(v->now, (struct event) {.type = EVENT_STARTED});
    case OBSERVED_TERMINATED:
        if (v->run->state == RUN_SUBMITTED) {
            observation_done(&seen);
            return step_apply(v->now, (struct event) {.type = EVENT_STARTED});
        }
        return step_apply(v->now, (struct event) {.type = EVENT_TERMINATE,
                                                  .has_exit = seen.has_exit,
                                                  .exit_code = seen.exit_code,
                                                  .message = seen.message});
    case OBSERVED_ERROR:
        return step_apply(
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
        return step_apply(v->now, (struct event) {.type = EVENT_STOP, .message = xstrdup(d.text)});
    return step_apply(v->now, (struct event) {.type = EVENT_RETRY_AFTER, .delay_ms = d.delay_ms});
}

struct step advance_in_state(const struct advance_view *v, const struct settings *settings)
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
            return step_apply(v->now, (struct event) {.type = EVENT_SUCCESS});
        return decide_retry(v, settings);
    case RUN_FAILED:
        return decide_retry(v, settings);
    case RUN_NEW:
    case RUN_ERROR:
    case RUN_DONE:
    case RUN_N_STATES:
        break;
    }
    return step_none();
}
