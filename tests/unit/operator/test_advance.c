/* SPDX-License-Identifier: Apache-2.0 */
/* Triggers, wishes, workflows and writes; for states see test_advance_states.c */
#include "unit/operator/looks.h"

static const char *const active[] = {QUEUED,  PREPARE,    SUBMITTING, SUBMITTED,
                                     RUNNING, TERMINATED, FAILED};

/* ---- triggers ---- */

TEST(a_new_run_takes_its_trigger)
{
    DECIDE("triggerExecution 1 natural id-1", "");
    DECIDE("triggerExecution 1 adhoc ad-hoc-cli-1767229140000-24764", "", .spec = BY_HAND);
    DECIDE("find workflow", "", .no_wf = true);
    DECIDE("triggerExecution 1 natural id-1", "", .wf_absent = true);
    DECIDE("triggerExecution 1 adhoc ad-hoc-cli-1767229140000-24764", "", .spec = BY_HAND,
           .no_wf = true);
    DECIDE("none", "", .metadata = ", 'deletionTimestamp': '2026-01-01T00:59:59Z'");
    DECIDE("none", "", .spec = "'parameter': 7");
}

TEST(a_run_that_ended_takes_the_next_trigger)
{
    static const char again[] = BY_HAND ", 'trigger': " TRIGGER(2, "adhoc", "wf-1");

    DECIDE("none", DONE);
    DECIDE("none", ERROR);
    DECIDE("none", DONE, .spec = BY_HAND);
    DECIDE("triggerExecution 2 adhoc id-2", DONE, .spec = again);
    DECIDE("triggerExecution 2 adhoc id-2", ERROR, .spec = again);
    DECIDE("until 2026-01-02T01:00:00Z", RUNNING, .spec = again, .pod = POD_RUNS);
    /* The end of a trigger is stored before the one after it begins: what ended it may not be there
     * any more when somebody else looks again. */
    DECIDE("store", "", .ahead = DONE, .spec = again);
    DECIDE("store", RUNNING, .ahead = DONE, .spec = again);
    DECIDE("store", RUNNING, .ahead = ERROR, .spec = again);
}

TEST(a_trigger_by_hand_is_of_the_live_workflow)
{
    struct look look = {.status = "", .spec = BY_HAND};
    struct looked l;

    look_begin(__LINE__, &look, &l);
    struct step step = advance_decide(&l.view, &l.settings);
    CHECK_STR(step.event.trigger.workflow_uid, "wf-1");
    step_done(&step);
    look_end(&l);
}

/* A backup brought the object back without its status, and the workflow has another UID. */
TEST(a_run_whose_status_was_lost_is_held)
{
    static const char spec[] = BY_HAND ", 'trigger': " TRIGGER(1, "natural", "wf-0");
    static const char halted[] =
        BY_HAND ", 'haltThrough': 1, 'trigger': " TRIGGER(1, "natural", "wf-0");
    static const char again[] = BY_HAND ", 'trigger': " TRIGGER(2, "adhoc", "wf-1");
    static const char held[] = "'state': 'NEW', 'conditions': [{'type': 'Held', 'status': 'True',"
                               " 'lastTransitionTime': '2026-01-01T00:59:00Z'}],"
                               " 'trigger': {'seq': 1, 'type': 'natural', 'id': 'id-1',"
                               " 'key': 'id-1', 'workflowUID': 'wf-0'}";
    static const char raised[] = BY_HAND ", 'trigger': " TRIGGER(2, "natural", "wf-0");

    DECIDE("find workflow", "", .spec = spec, .wf_lags = true);
    DECIDE("hold", "", .spec = spec);
    DECIDE("store", "", .ahead = held, .spec = spec);
    DECIDE("none", held, .spec = spec);
    DECIDE("triggerExecution 2 adhoc id-2", held, .spec = again);
    DECIDE("triggerExecution 2 natural id-2", held, .spec = raised); /* as its message says */
    DECIDE("hold", "", .spec = raised);
    DECIDE("triggerExecution 1 natural id-1", "", .spec = halted);
    DECIDE("triggerExecution 1 natural id-1", held, .spec = halted);
    DECIDE("triggerExecution 1 natural id-1 at 00:00:00", "", .spec = spec, .pod = PENDING);
    DECIDE("triggerExecution 1 natural id-1", "", .spec = spec, .wf_absent = true);
    DECIDE("halt: Halted: the workflow was deleted", QUEUED, .spec = spec,
           .ahead = "'state': 'QUEUED', 'seq': 1, 'counter': 0,"
                    " 'trigger': {'workflowUID': 'wf-0'}");
}

/* ---- wishes ---- */

#define HALT(n) BY_SCHEDULE ", 'haltThrough': " #n

/* STYX-SM-05 */
TEST(a_wish_to_halt_is_obeyed_in_every_state)
{
    for (size_t i = 0; i < ARRAY_SIZE(active); i++) {
        DECIDE("halt: Halted", active[i], .spec = HALT(1), .pod = POD_RUNS);
        DECIDE("halt: Halted", active[i], .spec = HALT(2), .no_wf = true);
        DECIDE("halt: Halted", active[i], .spec = HALT(1), .wf_absent = true);
    }
    DECIDE("triggerExecution 1 natural id-1", "", .spec = HALT(1));
}

TEST(a_wish_to_halt_is_answered_when_it_means_nothing_more)
{
    DECIDE("answer", DONE, .spec = HALT(1));
    DECIDE("answer", ERROR, .spec = HALT(7));
    DECIDE("answer", "'state': 'QUEUED', 'seq': 2, 'counter': 5",
           .spec = BY_HAND ", 'haltThrough': 1, 'trigger': " TRIGGER(2, "natural", "wf-1"));
    DECIDE("none", RUN_IN("DONE", ", 'haltedThrough': 1"), .spec = HALT(1));
    DECIDE("none", RUN_IN("DONE", ", 'haltedThrough': 2"), .spec = HALT(1));
}

/* The name of the pod may still be taken by the create. */
TEST(a_create_is_settled_before_the_run_is_halted)
{
    DECIDE("create", SUBMITTING, .spec = HALT(1), .unsettled = true);
    DECIDE("halt: Halted", SUBMITTING, .spec = HALT(1), .unsettled = true, .pod = PENDING);
    DECIDE("halt: Halted", SUBMITTING, .spec = HALT(1), .unsettled = true, .wf_absent = true);
    DECIDE("create", SUBMITTING, .unsettled = true,
           .wf_metadata = ", 'deletionTimestamp': '2026-01-01T00:59:00Z'");
    DECIDE("halt: Halted", QUEUED, .spec = HALT(1), .unsettled = true);
}

#define RETRY(counter) BY_SCHEDULE ", 'retry': {'counter': " #counter ", 'delayMillis': 700}"

TEST(a_wish_to_retry_means_one_counter)
{
    static const char *const ready[] = {QUEUED, TERMINATED, FAILED};
    static const char *const others[] = {PREPARE, SUBMITTING, SUBMITTED, RUNNING, DONE, ERROR};

    for (size_t i = 0; i < ARRAY_SIZE(ready); i++) {
        DECIDE("retryAfter 700", ready[i], .spec = RETRY(5));
        DECIDE("retryAfter 700", ready[i], .spec = RETRY(5), .no_wf = true);
        DECIDE("answer", ready[i], .spec = RETRY(4));
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        DECIDE("answer", others[i], .spec = RETRY(5), .pod = POD_RUNS);
    DECIDE("dequeue", QUEUED, .spec = RETRY(6));
    DECIDE("dequeue", RUN_IN("QUEUED", ", 'retryCounter': 5"), .spec = RETRY(5));
    DECIDE("triggerExecution 1 natural id-1", "", .spec = RETRY(0));
}

/* ---- the workflow ---- */

#define HAND_IN(state, more)                                                                       \
    "'state': '" state "', 'seq': 1, 'counter': 5, 'since': '2026-01-01T01:00:00Z', 'trigger':"    \
    " {'seq': 1, 'type': 'adhoc'}" more

/* STYX-SM-06 */
TEST(without_its_workflow_a_run_is_halted)
{
    for (size_t i = 0; i < ARRAY_SIZE(active); i++) {
        DECIDE("find workflow", active[i], .no_wf = true);
        DECIDE("halt: Halted: the workflow was deleted", active[i], .wf_absent = true);
        DECIDE("halt: Halted: the workflow was deleted", active[i],
               .wf_metadata = ", 'deletionTimestamp': '2026-01-01T00:59:00Z'");
    }
    DECIDE("halt: Halted: there is no workflow report", HAND_IN("QUEUED", ""), .spec = BY_HAND,
           .wf_absent = true);
    DECIDE("halt: Halted: the workflow was deleted",
           "'state': 'QUEUED', 'seq': 1, 'trigger': {'workflowUID': 'wf-0'}");
    DECIDE("find workflow", "'state': 'QUEUED', 'seq': 1, 'trigger': {'workflowUID': 'wf-0'}",
           .wf_lags = true);
    DECIDE("dequeue", HAND_IN("QUEUED", ""), .spec = BY_HAND);
    DECIDE("none", DONE, .no_wf = true);
    DECIDE("none", DONE, .wf_absent = true);
}

#define IMAGE "'template': {'image': 'busybox:1'}"
#define PREPARE_OF(type)                                                                           \
    "'state': 'PREPARE', 'seq': 1, 'counter': 5, 'since': '2026-01-01T01:00:00Z', " TRIGGERED(type)
#define SUSPENDED "'schedule': 'hourly', 'suspend': true, " IMAGE

/* STYX-SM-06 */
TEST(a_disabled_workflow_halts_what_its_schedule_triggered)
{
    DECIDE("halt: Halted: the workflow is disabled", PREPARE, .wf = SUSPENDED);
    DECIDE("submit busybox:1", PREPARE_OF("adhoc"), .wf = SUSPENDED);
    DECIDE("submit busybox:1", PREPARE_OF("backfill"), .wf = SUSPENDED);
    DECIDE("submit busybox:1", PREPARE_OF("unknown"), .wf = SUSPENDED);
    DECIDE("dequeue", QUEUED, .wf = SUSPENDED);
    DECIDE("started", SUBMITTED, .wf = SUSPENDED, .pod = POD_RUNS);
}

#define INVALID(list) "halt: Halted: invalid workflow configuration: " list

/* STYX-SM-06, STYX-CFG-05: limits may have changed since the workflow was deployed. */
TEST(an_invalid_workflow_halts_the_run_at_prepare)
{
    DECIDE(INVALID("[invalid schedule]"), PREPARE, .wf = "'schedule': 'never', " IMAGE);
    DECIDE(INVALID("[running timeout is too big: PT49H, limit = PT48H, "
                   "invalid image: Tag cannot be empty]"),
           PREPARE,
           .wf = "'schedule': 'hourly', 'template': {'image': 'busybox:',"
                 " 'runningTimeout': 'PT49H'}");
    DECIDE(INVALID("spec.maxActive: 0 is not within 1 and 1000"), PREPARE,
           .wf = "'schedule': 'hourly', 'maxActive': 0, " IMAGE);
    DECIDE(INVALID("[limits: not supported yet]"), PREPARE,
           .wf = "'schedule': 'hourly', 'limits': ['a'], " IMAGE);
    DECIDE("halt: Halted: the workflow has no docker image", PREPARE, .wf = "'schedule': 'hourly'");
    DECIDE("dequeue", QUEUED, .wf = "'schedule': 'never'");
    DECIDE("started", SUBMITTED, .wf = "'schedule': 'never'", .pod = POD_RUNS);
}

/* As its condition says. */
TEST(a_workflow_in_the_wrong_place_halts_the_run_at_prepare)
{
    DECIDE("halt: Halted: component team belongs to namespace other, not team", PREPARE,
           .component_ns = "other");
    DECIDE("halt: Halted: workflow team/report is older and has the same component and id", PREPARE,
           .elder = true);
    DECIDE("dequeue", QUEUED, .elder = true);
    DECIDE("started", SUBMITTED, .elder = true, .pod = POD_RUNS);
}

#define HAND(parameter) "'parameter': '" parameter "'"

TEST(what_was_written_by_hand_has_to_be_a_partition)
{
    static const char status[] = HAND_IN("PREPARE", "");

    DECIDE("submit busybox:1", status, .spec = HAND("2026-01-01T00"));
    DECIDE("halt: Halted: parameter 2026-01-01T00:00:00Z is no partition of schedule hours;"
           " 2026-01-01T00 is",
           status, .spec = HAND("2026-01-01T00:00:00Z"));
    DECIDE("submit busybox:1", PREPARE,
           .spec = HAND("yesterday") ", 'trigger': " TRIGGER(1, "natural", "wf-1"));
    DECIDE("halt: Halted: parameter 2026-01-01T00:00:00Z is no partition of schedule hours;"
           " 2026-01-01T00 is",
           status, .spec = HAND("2026-01-01T00:00:00Z") ", 'trigger': {'seq': 1, 'type': 'adhoc'}");
}

/* ---- when to write ---- */

#define SECOND  ", 'generation': 2"
#define SEEN(n) ", 'observedGeneration': " #n

TEST(what_rests_has_seen_the_latest_generation)
{
    DECIDE("store", RUN_IN("DONE", SEEN(1)), .metadata = SECOND);
    DECIDE("store", RUN_IN("ERROR", SEEN(1)), .metadata = SECOND);
    DECIDE("none", RUN_IN("DONE", SEEN(2)), .metadata = SECOND);
    DECIDE("none", RUN_IN("DONE", SEEN(1)),
           .metadata = SECOND ", 'deletionTimestamp': '2026-01-01T01:00:00Z'");
    DECIDE("started", RUN_IN("SUBMITTED", EXECUTES SEEN(1)), .metadata = SECOND, .pod = POD_RUNS);
}

TEST(a_state_that_lasts_is_written)
{
    static const char waiting[] = RUN_IN("QUEUED", ", 'retryDelayMillis': 180000");
    static const char soon[] = RUN_IN("QUEUED", ", 'retryDelayMillis': 900");

    DECIDE("store", QUEUED, .ahead = DONE);
    DECIDE("store", QUEUED, .ahead = ERROR);
    DECIDE("store", RUNNING, .ahead = waiting);
    DECIDE("until 01:00:00.900", RUNNING, .ahead = soon);
    DECIDE("until 01:03:00", waiting);
}

TEST(short_states_share_a_write)
{
    DECIDE("until 01:00:01", QUEUED, .ahead = SUBMITTED, .pod = PENDING);
    DECIDE("until 01:00:01", QUEUED, .ahead = SUBMITTED, .pod = PENDING, .now = "01:00:00.999");
    DECIDE("store", QUEUED, .ahead = SUBMITTED, .pod = PENDING, .now = "01:00:01");
    DECIDE("until 01:10:00", SUBMITTED, .pod = PENDING, .now = "01:00:01");
    DECIDE("started", QUEUED, .ahead = SUBMITTED, .pod = POD_RUNS, .now = "01:00:01");
    DECIDE("store", QUEUED, .ahead = RUNNING, .pod = POD_RUNS, .now = "01:00:01");
    /* The clock was set back. */
    DECIDE("store", QUEUED, .ahead = RUNNING, .pod = POD_RUNS, .now = "00:59:59");
}

TEST(a_create_that_does_not_succeed_does_not_hide_the_state)
{
    DECIDE("create", QUEUED, .ahead = SUBMITTING);
    DECIDE("create", QUEUED, .ahead = SUBMITTING, .now = "01:00:00.999");
    DECIDE("store", QUEUED, .ahead = SUBMITTING, .now = "01:00:01");
    DECIDE("create", SUBMITTING, .now = "01:00:01");
}

/* The pod of an attempt is how it is found again: one can be, two cannot. */
TEST(only_one_attempt_is_ahead_of_what_is_stored)
{
    static const char second[] = RUN_IN("SUBMITTING", ", 'attempt': 2, 'executionId': '" EXECUTION_2
                                                      "', 'description': {'image': 'busybox:1'}");

    DECIDE("create", QUEUED, .ahead = SUBMITTING);
    DECIDE("store", QUEUED, .ahead = second);
    DECIDE("create", FAILED, .ahead = second);
    DECIDE("create", second);
    /* One that was refused has no pod: the next leader would ask for it once more. */
    DECIDE("store", SUBMITTING, .ahead = second);
}

/* ---- at random ---- */

#define NOTED(state) RUN_IN(state, EXECUTES ", 'message': {'level': 'INFO', 'line': 'Waiting: x'}")

/* Invariant 3: what does not go on says why, once, and no longer than it is so. */
TEST(what_is_waited_for_is_said)
{
    DECIDE("note: Waiting: an earlier pod of this run has not ended", QUEUED, .old_pod = true);
    DECIDE("note: Waiting: no room", SUBMITTING, .refused = "no room");
    DECIDE("note: Waiting: no room", NOTED("SUBMITTING"), .refused = "no room");
    DECIDE("note: Waiting: CreateContainerConfigError: no ConfigMap", SUBMITTED,
           .pod = "'phase': 'Pending', " MAIN(
               "'waiting': {'reason': 'CreateContainerConfigError', 'message': 'no ConfigMap'}"));
    DECIDE("note: -", NOTED("SUBMITTED"), .pod = PULLING);
    DECIDE("note: -", NOTED("RUNNING"), .pod = POD_RUNS);
    DECIDE("until 01:10:00", SUBMITTED, .pod = PULLING);
}

/* What is kept of a long reason is compared with what would be. */
TEST(a_long_note_is_said_once)
{
    char text[3001] = {0};
    struct looked l;

    memset(text, 'x', sizeof(text) - 1);
    struct look look = {.status = SUBMITTING, .refused = text};
    look_begin(__LINE__, &look, &l);
    struct step step = advance_decide(&l.view, &l.settings);
    CHECK_INT(step.kind, STEP_NOTE);
    run_note(&l.inst->run, step.event.message);
    step_done(&step);
    step = advance_decide(&l.view, &l.settings);
    CHECK_INT(step.kind, STEP_CREATE_POD);
    look_end(&l);
}

/* The same world, the same step: whatever became of the one that was decided before. */
TEST(asked_again_it_says_the_same)
{
    static const char *const pods[] = {NULL, PENDING, PULLING, POD_RUNS, POD_EXITS("1")};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 500; i++) {
        struct look look = {
            .status = active[rng_below(&rng, ARRAY_SIZE(active))],
            .ahead = rng_below(&rng, 2) ? active[rng_below(&rng, ARRAY_SIZE(active))] : NULL,
            .pod = pods[rng_below(&rng, ARRAY_SIZE(pods))],
            .no_such_pod = rng_below(&rng, 2),
            .old_pod = rng_below(&rng, 2),
            .unsettled = rng_below(&rng, 2),
            .now = rng_below(&rng, 2) ? "01:00:00" : "03:00:00",
        };
        struct looked l;

        look_begin(__LINE__, &look, &l);
        struct step first = advance_decide(&l.view, &l.settings);
        rng_init(&l.rng, test_seed());
        struct step second = advance_decide(&l.view, &l.settings);
        CLEANUP(free) char *want = step_text(&first, l.view.now);
        CLEANUP(free) char *got = step_text(&second, l.view.now);
        CHECK_STR(got, want);
        step_done(&first);
        step_done(&second);
        look_end(&l);
    }
}
