/* SPDX-License-Identifier: Apache-2.0 */
/* How runs move, and what people should see of it. */
#include "operator/attempt_private.h"

#include "base/log.h"

#include <string.h>

#define NOTE_TAIL_MAX 512 /* bytes of what a container said at its end */

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
bool attempt_apply(struct attempt_ctl *ctl, const struct advance_view *view,
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
    if (step->event.type == EVENT_TRIGGER_EXECUTION)
        instance_note_taken(view->inst, &ctl->run);
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
