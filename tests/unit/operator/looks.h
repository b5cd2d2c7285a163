/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at runs: everything that is known of one, and what advance_decide makes of it, as texts.
 *
 *     DECIDE("dequeue", QUEUED, .now = "01:00:05");
 *     DECIDE("until 01:10:00", SUBMITTED, .pod = PENDING);
 *
 * It is a workflow `report` in namespace `team`, triggered by its schedule unless said otherwise.
 * All times are of 2026-01-01; the last event was at 01:00:00, and that is also now.
 */
#ifndef KHARON_TEST_LOOKS_H
#define KHARON_TEST_LOOKS_H

#include "base/buf.h"
#include "operator/advance.h"
#include "unit/model/instants.h"
#include "unit/model/json_text.h"

#define UID         "0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0001"
#define EXECUTION_1 "styx-run-d0939220-e5cb-5092-a737-f1eb7b9b2959" /* seq 1, attempt 1 */
#define EXECUTION_2 "styx-run-834b10a9-9cad-56f6-b065-a78e4d1cf0e0" /* seq 1, attempt 2 */

/* ---- statuses: members of what is stored, or of what is ahead of it in memory ---- */

#define TRIGGERED(type) "'trigger': {'seq': 1, 'type': '" type "', 'workflowUID': 'wf-1'}"
#define EXECUTES                                                                                   \
    ", 'attempt': 1, 'executionId': '" EXECUTION_1 "', 'description': {'image': 'busybox:1'}"
#define RUN_IN(state, more)                                                                        \
    "'state': '" state                                                                             \
    "', 'seq': 1, 'counter': 5, 'since': '2026-01-01T01:00:00Z', " TRIGGERED("natural") more

/* What it waits for is said already. */
#define SAYS(line) ", 'message': {'level': 'INFO', 'line': 'Waiting: " line "'}"

#define QUEUED     RUN_IN("QUEUED", "")
#define PREPARE    RUN_IN("PREPARE", "")
#define SUBMITTING RUN_IN("SUBMITTING", EXECUTES)
#define SUBMITTED  RUN_IN("SUBMITTED", EXECUTES ", 'tries': 1")
#define RUNNING    RUN_IN("RUNNING", EXECUTES ", 'tries': 1")
#define TERMINATED RUN_IN("TERMINATED", EXECUTES ", 'tries': 1, 'lastExit': 1")
#define FAILED     RUN_IN("FAILED", EXECUTES ", 'tries': 1")
#define ERROR      RUN_IN("ERROR", EXECUTES ", 'completedAt': '2026-01-01T01:00:00Z'")
#define DONE       RUN_IN("DONE", EXECUTES ", 'completedAt': '2026-01-01T01:00:00Z'")

/* ---- specs ---- */

#define BY_HAND     "'parameter': '2026-01-01T00'"
#define BY_SCHEDULE BY_HAND ", 'trigger': " TRIGGER(1, "natural", "wf-1")
#define TRIGGER(seq, type, uid)                                                                    \
    "{'seq': " #seq ", 'type': '" type "', 'id': 'id-" #seq "', 'workflowUID': '" uid "'}"

/* ---- pods: members of a status ---- */

#define MAIN(state)                                                                                \
    "'containerStatuses': [{'name': 'styx-run', 'ready': true, 'state': {" state "}}]"
#define PENDING "'phase': 'Pending'"
#define PULLING                                                                                    \
    "'phase': 'Pending', " MAIN("'waiting': {'reason': 'ContainerCreating', 'message': 'slow'}")
#define POD_RUNS "'phase': 'Running', " MAIN("'running': {}")
#define POD_EXITS(code)                                                                            \
    "'phase': 'Running', " MAIN("'terminated': {'exitCode': " code ", 'reason': 'Error'}")

struct look {
    const char *status;
    const char *ahead;       /* NULL: nothing is */
    const char *spec;        /* NULL: BY_SCHEDULE */
    const char *wf;          /* its spec; NULL: a valid one */
    const char *wf_metadata; /* more of it */
    const char *pod;         /* of the attempt that matters */
    const char *pod_more;    /* more annotations of it */
    const char *metadata;    /* more of the instance's */
    const char *now;
    bool no_wf, wf_absent, wf_lags, no_such_pod, no_record, unsettled, hopeless, old_pod,
        clock_wrong, pod_lost, pod_lags;
    const char *patient_until; /* NULL: not at all */
    const char *refused;       /* why the pod cannot be created for now */
    const char *component_ns;
    bool elder;
    struct settings *settings;
};

/* ---- objects ---- */

#define OR(text, otherwise) ((text) ? (text) : (otherwise))

TEST_UNUSED static struct instance *look_instance(int line, const struct look *look,
                                                  const char *status)
{
    CLEANUP(free) char *text = xasprintf(
        "{'metadata': {'name': 'report.p', 'namespace': 'team', 'uid': '" UID "',"
        " 'creationTimestamp': '2026-01-01T00:59:00Z' %s}, 'spec': {'workflow': 'report', %s},"
        " 'status': {%s}}",
        OR(look->metadata, ""), OR(look->spec, BY_SCHEDULE), OR(status, ""));
    CLEANUP(json_decref) json_t *json = json_of_at(line, text);

    return instance_decode(json);
}

TEST_UNUSED static struct workflow *look_workflow(int line, const struct look *look)
{
    CLEANUP(free) char *text = xasprintf(
        "{'metadata': {'name': 'report', 'namespace': 'team', 'uid': 'wf-1' %s}, 'spec': {%s}}",
        OR(look->wf_metadata, ""),
        OR(look->wf, "'schedule': 'hourly', 'template': {'image': 'busybox:1'}"));
    CLEANUP(json_decref) json_t *json = json_of_at(line, text);

    return workflow_decode(json);
}

TEST_UNUSED static struct pod *look_pod(int line, const struct look *look)
{
    CLEANUP(free) char *text =
        xasprintf("{'metadata': {'name': 'x', 'annotations': {'kharon.dev/record': '%s' %s}},"
                  " 'spec': {'containers': [{'name': 'styx-run', 'image': 'old:1'}]},"
                  " 'status': {%s}}",
                  look->no_record ? "" : "1767225600000,1767225601000,1767225602000",
                  OR(look->pod_more, ""), look->pod);
    CLEANUP(json_decref) json_t *json = json_of_at(line, text);

    return pod_decode(json);
}

/* ---- steps as text ---- */

TEST_UNUSED static const char *time_text(instant t, char text[INSTANT_TEXT_MAX])
{
    instant_print(t, text);
    if (strncmp(text, "2026-01-01T", 11) != 0)
        return text;
    text[strlen(text) - 1] = '\0';
    return text + 11;
}

/* "stop: why", "terminate 1: Exit code: 1", "retryAfter 180000", "triggerExecution 1 natural id" */
TEST_UNUSED static void add_event_text(struct buf *b, const struct event *e)
{
    buf_adds(b, event_type_name(e->type));
    if (e->type == EVENT_TRIGGER_EXECUTION)
        buf_addf(b, " %" PRId64 " %s %s", e->trigger.seq, trigger_type_name(e->trigger.type),
                 e->trigger.id);
    if (e->type == EVENT_RETRY_AFTER)
        buf_addf(b, " %" PRId64, e->delay_ms);
    if (e->type == EVENT_SUBMIT)
        buf_addf(b, " %s%s", OR(e->description->image, "-"),
                 e->description->truncated ? "..." : "");
    if (e->has_exit)
        buf_addf(b, " %d", e->exit_code);
    if (e->free)
        buf_adds(b, " free");
    if (e->message)
        buf_addf(b, ": %s", e->message);
}

TEST_UNUSED static char *step_text(const struct step *step, instant now)
{
    static const char *const names[] = {
        [STEP_NONE] = "none",
        [STEP_APPLY] = "",
        [STEP_ANSWER] = "answer",
        [STEP_HOLD] = "hold",
        [STEP_NOTE] = "note",
        [STEP_STORE] = "store",
        [STEP_CREATE_POD] = "create",
        [STEP_FIND_POD] = "find pod",
        [STEP_FIND_WORKFLOW] = "find workflow",
    };
    struct buf b = BUF_INIT;
    char text[INSTANT_TEXT_MAX];

    if (step->kind == STEP_NONE && step->look_again_at != INSTANT_NONE) {
        buf_addf(&b, "until %s", time_text(step->look_again_at, text));
        CHECK(step->look_again_at > now); /* or it would be asked for ever */
        return buf_take(&b);
    }
    buf_adds(&b, names[step->kind]);
    if (step->kind == STEP_NOTE)
        buf_addf(&b, ": %s%s", step->event.message ? step->event.message : "-",
                 step->gates_opened ? ", its gates opened" : "");
    if (step->kind == STEP_APPLY) {
        add_event_text(&b, &step->event);
        if (step->at != now)
            buf_addf(&b, " at %s", time_text(step->at, text));
    }
    return buf_take(&b);
}

/* ---- deciding ---- */

struct looked {
    struct instance *inst, *memory;
    struct workflow *wf;
    struct pod *pod;
    struct settings settings;
    struct rng rng;
    struct advance_view view;
};

TEST_UNUSED static void look_begin(int line, const struct look *look, struct looked *l)
{
    CLEANUP(free) char *now = xasprintf("2026-01-01T%sZ", OR(look->now, "01:00:00"));

    settings_default(&l->settings);
    rng_init(&l->rng, test_seed());
    l->inst = look_instance(line, look, look->status);
    l->memory = look->ahead ? look_instance(line, look, look->ahead) : NULL;
    l->wf = look_workflow(line, look);
    l->pod = look->pod ? look_pod(line, look) : NULL;
    l->view = (struct advance_view) {
        .inst = l->inst,
        .run = l->memory ? &l->memory->run : &l->inst->run,
        .ahead = l->memory != NULL,
        .wf = look->no_wf || look->wf_absent ? NULL : l->wf,
        .wf_absent = look->wf_absent,
        .wf_read = !look->wf_lags,
        .component_ns = OR(look->component_ns, "team"),
        .elder = look->elder ? l->wf : NULL,
        .pod = l->pod,
        .pod_absent = look->no_such_pod,
        .pod_lost = look->pod_lost,
        .pod_read_at = look->pod_lags ? INSTANT_NONE : INSTANT_MAX,
        .patient_until = look->patient_until ? instant_at(line, look->patient_until) : INSTANT_NONE,
        .create_unsettled = look->unsettled,
        .create_hopeless = look->hopeless,
        .old_pod_lives = look->old_pod,
        .create_refused = look->refused,
        .now = instant_at(line, strchr(OR(look->now, ""), 'Z') ? look->now : now),
        .clock_wrong = look->clock_wrong,
        .rng = &l->rng,
    };
}

TEST_UNUSED static void look_end(struct looked *l)
{
    instance_free(l->inst);
    instance_free(l->memory);
    workflow_free(l->wf);
    pod_free(l->pod);
    settings_done(&l->settings);
}

#define DECIDE(want, ...) check_decide(__LINE__, want, (struct look) {__VA_ARGS__})

/* A step that is applied is one that the run takes, too. */
TEST_UNUSED static void check_decide(int line, const char *want, struct look look)
{
    struct looked l;
    struct error err;

    look_begin(line, &look, &l);
    const struct settings *settings = OR(look.settings, &l.settings);
    struct step step = advance_decide(&l.view, settings);
    CLEANUP(free) char *got = step_text(&step, l.view.now);
    CHECK_STR_AT(line, got, want);
    if (step.kind == STEP_APPLY) {
        struct run run;

        run_copy(&run, l.view.run);
        CHECK_OK_AT(line, run_apply(&run, &step.event, step.at, "key", &err), &err);
        run_done(&run);
    }
    step_done(&step);
    look_end(&l);
}

#endif
