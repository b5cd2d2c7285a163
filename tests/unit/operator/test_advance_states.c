/* SPDX-License-Identifier: Apache-2.0 */
/* What a run does in each of its states (Styx behaviour, 8.4 and 8.5). */
#include "unit/operator/looks.h"

/* ---- QUEUED ---- */

#define WAITS(ms) RUN_IN("QUEUED", ", 'retryDelayMillis': " #ms)

TEST(a_queued_run_waits_for_its_delay)
{
    DECIDE("dequeue", QUEUED);
    DECIDE("dequeue", WAITS(0));
    DECIDE("until 01:03:00", WAITS(180000));
    DECIDE("until 01:03:00", WAITS(180000), .now = "01:02:59.999");
    DECIDE("dequeue", WAITS(180000), .now = "01:03:00");
    DECIDE("dequeue", WAITS(180000), .now = "2026-01-05T00:00:00Z");
    DECIDE("until 01:03:00", WAITS(180000), .now = "00:30:00");
}

/* An earlier try may not have ended yet, by a time-out that was not obeyed or a lost node. */
TEST(a_queued_run_waits_for_an_earlier_pod)
{
    static const char old[] = RUN_IN("QUEUED", SAYS("an earlier pod of this run has not ended"));
    static const char delayed[] = RUN_IN(
        "QUEUED", ", 'retryDelayMillis': 180000" SAYS("an earlier pod of this run has not ended"));

    DECIDE("until 2026-01-03T01:00:00Z", old, .old_pod = true);
    DECIDE("until 01:03:00", WAITS(180000), .old_pod = true);
    DECIDE("until 2026-01-03T01:00:00Z", delayed, .old_pod = true, .now = "01:03:00");
    DECIDE("timeout: Timed out in QUEUED: an earlier pod of this run has not ended", old,
           .old_pod = true, .now = "2026-01-03T01:00:00Z");
}

/* STYX-SM-07: the limit of QUEUED. */
TEST(a_delay_does_not_go_beyond_the_limit_of_the_state)
{
    DECIDE("until 2026-01-03T01:00:00Z", WAITS(9000000000000000000));
    DECIDE("timeout: Timed out in QUEUED", WAITS(9000000000000000000),
           .now = "2026-01-03T01:00:00Z");
}

/* Somebody made the pod and could not write that: its record says when things were. */
TEST(a_pod_that_is_there_already_is_adopted)
{
    DECIDE("triggerExecution 1 natural id-1 at 00:00:00", "", .pod = PENDING);
    DECIDE("dequeue at 00:00:01", QUEUED, .pod = PENDING);
    DECIDE("dequeue at 00:00:01", WAITS(180000), .pod = PENDING, .old_pod = true);
    DECIDE("submit old:1... at 00:00:02", PREPARE, .pod = PENDING,
           .pod_more = ", 'kharon.dev/description': '0000000000000000'");
    DECIDE("submit busybox:1 at 00:00:02", PREPARE, .pod = PENDING,
           .pod_more = ", 'kharon.dev/description': '5986acb3e7b9e7f3'");
    DECIDE("submit busybox:1 at 00:00:02", PREPARE, .pod = PENDING);
    /* The workflow may have changed since: the pod runs all the same. */
    DECIDE("submit busybox:1 at 00:00:02", PREPARE, .pod = PENDING,
           .wf = "'schedule': 'hourly', 'suspend': true, 'template': {'image': 'busybox:1'}");
    DECIDE("submitted", SUBMITTING, .pod = POD_EXITS("1"));
    DECIDE("dequeue", QUEUED, .pod = PENDING, .no_record = true);
    DECIDE("submit busybox:1", PREPARE, .pod = PENDING, .no_record = true);
}

TEST(what_was_adopted_says_how_its_exit_code_is_read)
{
    struct look look = {.status = PREPARE,
                        .pod = PENDING,
                        .wf = "'schedule': 'hourly', 'template': {'image': 'new:1', 'args': ['x'],"
                              " 'env': [{'name': 'A'}]}",
                        .pod_more = ", 'kharon.dev/description': '0',"
                                    " 'styx-docker-termination-logging': 'true'"};
    struct looked l;

    look_begin(__LINE__, &look, &l);
    struct step step = advance_decide(&l.view, &l.settings);
    CHECK(step.event.description->termination_logging);
    CHECK_INT(step.event.description->args.n, 0);
    CHECK_INT(step.event.description->env.n, 0);
    step_done(&step);
    look_end(&l);
}

/* ---- PREPARE ---- */

/* STYX-SM-05, STYX-TRG-03: the configuration is read now. */
TEST(prepare_describes_what_will_run)
{
    struct look look = {
        .status = PREPARE,
        .spec = "'parameter': '2026-01-01T00', 'trigger': {'seq': 1, 'type': 'natural',"
                " 'workflowUID': 'wf-1', 'env': [{'name': 'MODE', 'value': 'trigger'}]}",
        .wf = "'schedule': 'hourly', 'commitSha': 'c0ffee', 'template': {'image': 'busybox:1',"
              " 'args': ['{}', 'x'], 'runningTimeout': 'PT1H', 'env': [{'name': 'MODE',"
              " 'value': 'workflow'}, {'name': 'A', 'value': '1'}]}",
    };
    struct looked l;

    look_begin(__LINE__, &look, &l);
    struct step step = advance_decide(&l.view, &l.settings);
    CHECK_INT(step.event.type, EVENT_SUBMIT);
    CHECK_STR(step.event.execution_id, EXECUTION_1);
    CLEANUP(json_decref) json_t *json = description_encode(step.event.description);
    CHECK_JSON(json, "{'image': 'busybox:1', 'args': ['2026-01-01T00', 'x'], 'env': ["
                     " {'name': 'MODE', 'value': 'trigger'}, {'name': 'A', 'value': '1'}],"
                     " 'commitSha': 'c0ffee', 'runningTimeout': 'PT1H'}");
    step_done(&step);
    look_end(&l);
}

/* STYX-POD-01 */
TEST(every_attempt_has_a_name_of_its_own)
{
    struct look look = {.status = RUN_IN("PREPARE", ", 'attempt': 1")};
    struct looked l;

    look_begin(__LINE__, &look, &l);
    struct step step = advance_decide(&l.view, &l.settings);
    CHECK_STR(step.event.execution_id, EXECUTION_2);
    CHECK_INT(advance_pod_attempt(l.view.run), 2);
    step_done(&step);
    look_end(&l);
}

/* ---- SUBMITTING ---- */

#define SUBMITTING_SAYS                                                                            \
    RUN_IN("SUBMITTING", EXECUTES ", 'message': {'level': 'INFO', 'line': 'Waiting: an earlier"    \
                                  " pod of this run has not ended'}")

/* STYX-SM-05, STYX-SM-07 */
TEST(a_pod_is_created_until_it_is_there)
{
    DECIDE("create", SUBMITTING);
    DECIDE("create", SUBMITTING, .now = "2026-01-03T00:59:59Z");
    DECIDE("timeout: Timed out in SUBMITTING", SUBMITTING, .now = "2026-01-03T01:00:00Z");
    DECIDE("create", SUBMITTING, .now = "2026-01-03T01:00:00Z", .unsettled = true);
    DECIDE("submitted", SUBMITTING, .pod = PENDING, .now = "2026-01-03T01:00:00Z");
}

/* It can be stored by a late write of an earlier reign, when a pod of this one runs. */
TEST(no_pod_is_created_beside_an_old_one)
{
    DECIDE("note: Waiting: an earlier pod of this run has not ended", SUBMITTING, .old_pod = true);
    DECIDE("until 2026-01-03T01:00:00Z", SUBMITTING_SAYS, .old_pod = true);
    DECIDE("submitted", SUBMITTING, .pod = PENDING, .old_pod = true);
    DECIDE("halt: Halted", SUBMITTING_SAYS, .spec = BY_SCHEDULE ", 'haltThrough': 1",
           .old_pod = true, .unsettled = true);
    DECIDE("none", SUBMITTING_SAYS, .old_pod = true, .unsettled = true,
           .now = "2026-01-03T01:00:00Z");
    DECIDE("timeout: Timed out in SUBMITTING: an earlier pod of this run has not ended",
           SUBMITTING_SAYS, .old_pod = true, .now = "2026-01-03T01:00:00Z");
}

#define OTHER ", 'attempt': 1, 'executionId': 'styx-run-other', 'description': {'image': 'a'}"

/* STYX-SM-05: nothing to go on with. */
TEST(a_status_that_was_not_ours)
{
    static const char *const states[] = {"SUBMITTING", "SUBMITTED", "RUNNING"};

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        static const char *const missing[] = {
            "", ", 'attempt': 1, 'executionId': '" EXECUTION_1 "'",
            ", 'attempt': 1, 'description': {'image': 'a'}",
            ", 'attempt': 1, 'executionId': '" EXECUTION_1 "', 'description': {}"};
        CLEANUP(free) char *other =
            xasprintf("'state': '%s', 'seq': 1, 'trigger': {} " OTHER, states[i]);

        for (size_t j = 0; j < ARRAY_SIZE(missing); j++) {
            CLEANUP(free) char *status =
                xasprintf("'state': '%s', 'seq': 1, 'trigger': {} %s", states[i], missing[j]);
            DECIDE("halt: Halted: the status does not say what is executed", status);
        }
        /* A backup of another cluster: its pod is not here. */
        DECIDE("runError free: Execution styx-run-other is of another object", other);
    }
}

/* ---- SUBMITTED and RUNNING ---- */

/* STYX-SM-05 */
TEST(what_the_pod_shows_is_followed)
{
    DECIDE("started", SUBMITTED, .pod = POD_RUNS);
    DECIDE("started", SUBMITTED, .pod = POD_EXITS("3"));
    DECIDE("terminate 3: Exit code: 3", RUNNING, .pod = POD_EXITS("3"));
    DECIDE("terminate 0: Exit code: 0", RUNNING, .pod = POD_EXITS("0"));
    DECIDE("terminate: Exit code: -", RUNNING,
           .pod = "'phase': 'Failed', " MAIN("'terminated': {'exitCode': 0}"));
    DECIDE("runError: Could not find our container in pod", SUBMITTED, .pod = "'phase': 'Failed'");
    DECIDE("runError free: Pod was stopped by its node: Evicted", RUNNING,
           .pod = "'phase': 'Failed', 'reason': 'Evicted'");
    DECIDE("timeout: Timed out in RUNNING: the pod's deadline", RUNNING,
           .pod = "'phase': 'Failed', 'reason': 'DeadlineExceeded'");
    DECIDE("until 01:10:00", SUBMITTED, .pod = PENDING);
    DECIDE("until 2026-01-02T01:00:00Z", RUNNING, .pod = POD_RUNS);
}

/* STYX-POD-05, STYX-POD-06: that it is not in the cache proves nothing. */
TEST(a_pod_that_is_not_there)
{
    static const char *const states[] = {SUBMITTED, RUNNING};

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        DECIDE("find pod", states[i]);
        DECIDE("find pod", states[i], .now = "2026-02-01T00:00:00Z");
        DECIDE("runError: No pod associated with this instance", states[i], .no_such_pod = true);
        DECIDE("until 01:10:00", SUBMITTED, .pod = PENDING, .no_such_pod = true);
    }
}

#define SCHEDULED_AT(time)                                                                         \
    PENDING ", 'conditions': [{'type': 'PodScheduled', 'status': 'True',"                          \
            " 'lastTransitionTime': '2026-01-01T" time "Z'}]"
#define UNSCHEDULABLE                                                                              \
    RUN_IN("SUBMITTED", EXECUTES SAYS("no node takes it: 0/3 nodes are available"))
#define NOT_SCHEDULED(reason)                                                                      \
    PENDING ", 'conditions': [{'type': 'PodScheduled', 'status': 'False', 'reason': '" reason      \
            "', 'message': '0/3 nodes are available'}]"

/* STYX-SM-07: the limit of SUBMITTED. */
TEST(a_pod_that_does_not_start_times_out)
{
    DECIDE("timeout: Timed out in SUBMITTED: (limit: --timeouts=submitted=PT10M)", SUBMITTED,
           .pod = PENDING, .now = "01:10:00");
    DECIDE("timeout: Timed out in SUBMITTED: ContainerCreating: slow"
           " (limit: --timeouts=submitted=PT10M)",
           SUBMITTED, .pod = PULLING, .now = "01:10:00");
    DECIDE("find pod", SUBMITTED, .pod = PENDING, .now = "01:10:00", .pod_lags = true);
    DECIDE("until 01:15:00", SUBMITTED, .pod = SCHEDULED_AT("01:05:00"), .now = "01:10:00");
    DECIDE("timeout: Timed out in SUBMITTED: (limit: --timeouts=submitted=PT10M)", SUBMITTED,
           .pod = SCHEDULED_AT("01:05:00"), .now = "01:15:00");
    DECIDE("until 02:00:00", UNSCHEDULABLE, .pod = NOT_SCHEDULED("Unschedulable"),
           .now = "01:59:59");
    DECIDE("timeout: Timed out in SUBMITTED: no node takes it: 0/3 nodes are available"
           " (limit: --timeouts=unschedulable=PT1H)",
           UNSCHEDULABLE, .pod = NOT_SCHEDULED("Unschedulable"), .now = "02:00:00");
}

#define GATED "its scheduling gates are closed: 0/3 nodes are available"

/* No limit of time counts while somebody keeps the gates closed: they begin when they are open. */
TEST(a_gated_pod_has_all_its_time_when_its_gates_open)
{
    static const char gated[] = RUN_IN("SUBMITTED", EXECUTES SAYS(GATED));
    static const char opened[] = RUN_IN(
        "SUBMITTED",
        EXECUTES SAYS(
            "no node takes it: 0/3 nodes are available") ", 'ungatedAt': '2026-01-01T05:00:00Z'");
    static const char pending[] =
        RUN_IN("SUBMITTED", EXECUTES ", 'ungatedAt': '2026-01-01T05:00:00Z'");

    DECIDE("note: Waiting: " GATED, SUBMITTED, .pod = NOT_SCHEDULED("SchedulingGated"));
    DECIDE("none", gated, .pod = NOT_SCHEDULED("SchedulingGated"), .now = "2026-03-01T00:00:00Z");
    DECIDE("note: Waiting: no node takes it: 0/3 nodes are available, its gates opened", gated,
           .pod = NOT_SCHEDULED("Unschedulable"), .now = "05:00:00");
    DECIDE("note: -, its gates opened", gated, .pod = PENDING, .now = "05:00:00");
    DECIDE("until 06:00:00", opened, .pod = NOT_SCHEDULED("Unschedulable"), .now = "05:59:59");
    DECIDE("until 05:10:00", pending, .pod = PENDING, .now = "05:00:00");
    DECIDE("until 05:12:00", pending, .pod = SCHEDULED_AT("05:02:00"), .now = "05:02:00");
}

#define LIMITED(text)                                                                              \
    "'schedule': 'hourly', 'template': {'image': 'a', 'runningTimeout': '" text "'}"

/* STYX-SM-07: min(running_timeout or else the limit of RUNNING, the maximum). */
TEST(a_pod_that_runs_for_too_long_times_out)
{
    DECIDE("until 2026-01-02T01:00:00Z", RUNNING, .pod = POD_RUNS);
    DECIDE("timeout: Timed out in RUNNING", RUNNING, .pod = POD_RUNS,
           .now = "2026-01-02T01:00:00Z");
    DECIDE("until 01:30:00", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT30M"));
    DECIDE("until 01:30:00", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT30M"), .now = "01:29:59");
    DECIDE("timeout: Timed out in RUNNING", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT30M"),
           .now = "01:30:00");
    DECIDE("until 2026-01-02T13:00:00Z", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT36H"));
    DECIDE("until 2026-01-03T01:00:00Z", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT72H"));
    DECIDE("until 2026-01-02T01:00:00Z", RUNNING, .pod = POD_RUNS, .wf = LIMITED("2h"));
    /* Our copy may not know yet that it has ended in time, nor may its node have told. */
    DECIDE("find pod", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT30M"), .now = "01:30:00",
           .pod_lags = true);
    DECIDE("until 01:30:20", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT30M"), .now = "01:30:00",
           .patient_until = "2026-01-01T01:30:20Z");
    DECIDE("timeout: Timed out in RUNNING", RUNNING, .pod = POD_RUNS, .wf = LIMITED("PT30M"),
           .now = "01:30:00", .patient_until = "2026-01-01T01:29:20Z");
    /* What ended counts, however late it is seen. */
    DECIDE("terminate 0: Exit code: 0", RUNNING, .pod = POD_EXITS("0"),
           .now = "2026-02-01T00:00:00Z");
}

/* Design, section 5.  What does not ask the clock goes on. */
TEST(a_wrong_clock_decides_no_timeout_and_no_delay)
{
    DECIDE("none", WAITS(180000), .now = "01:04:00", .clock_wrong = true);
    DECIDE("none", QUEUED SAYS("an earlier pod of this run has not ended"), .old_pod = true,
           .now = "2026-01-03T01:00:00Z", .clock_wrong = true);
    DECIDE("dequeue", QUEUED, .clock_wrong = true);
    DECIDE("dequeue", QUEUED, .now = "00:00:00", .clock_wrong = true);
    DECIDE("create", SUBMITTING, .now = "2026-01-03T01:00:00Z", .clock_wrong = true);
    DECIDE("none", SUBMITTED, .pod = PENDING, .now = "01:10:00", .clock_wrong = true);
    DECIDE("none", RUNNING, .pod = POD_RUNS, .now = "2026-01-03T01:00:00Z", .clock_wrong = true);
    DECIDE("terminate 3: Exit code: 3", RUNNING, .pod = POD_EXITS("3"), .clock_wrong = true);
}

/* What it has said at its end counts all the same. */
TEST(a_pod_whose_node_is_lost)
{
    DECIDE("runError free: Lost node running pod", RUNNING, .pod = POD_RUNS, .pod_lost = true);
    DECIDE("runError free: Lost node running pod", SUBMITTED, .pod = PENDING, .pod_lost = true);
    DECIDE("terminate 3: Exit code: 3", RUNNING, .pod = POD_EXITS("3"), .pod_lost = true);
}

TEST(limits_are_settings)
{
    struct settings settings;

    settings_default(&settings);
    settings.state_limits_ms[RUN_QUEUED] = 5 * MINUTE_MS;
    settings.state_limits_ms[RUN_SUBMITTING] = 6 * MINUTE_MS;
    settings.state_limits_ms[RUN_SUBMITTED] = 7 * MINUTE_MS;
    settings.state_limits_ms[RUN_RUNNING] = 8 * MINUTE_MS;
    settings.unschedulable_limit_ms = 9 * MINUTE_MS;
    settings.max_running_timeout_ms = 20 * MINUTE_MS;
    DECIDE("until 01:05:00", WAITS(3600000), .settings = &settings);
    DECIDE("timeout: Timed out in SUBMITTING", SUBMITTING, .settings = &settings,
           .now = "01:06:00");
    DECIDE("until 01:07:00", SUBMITTED, .settings = &settings, .pod = PENDING);
    DECIDE("until 01:09:00", UNSCHEDULABLE, .settings = &settings,
           .pod = NOT_SCHEDULED("Unschedulable"));
    DECIDE("until 01:08:00", RUNNING, .settings = &settings, .pod = POD_RUNS);
    DECIDE("until 01:20:00", RUNNING, .settings = &settings, .pod = POD_RUNS,
           .wf = LIMITED("PT1H"));
    settings_done(&settings);
}

/* ---- TERMINATED and FAILED ---- */

#define ENDED_WITH(exit, more) RUN_IN("TERMINATED", EXECUTES ", 'lastExit': " #exit more)
#define FAILED_WITH(more)      RUN_IN("FAILED", EXECUTES more)

/* STYX-RET-02 */
TEST(what_follows_from_an_exit_code)
{
    DECIDE("success", ENDED_WITH(0, ""));
    DECIDE("success", ENDED_WITH(0, ", 'retryCostTenths': 500"));
    DECIDE("retryAfter 600000", ENDED_WITH(20, ", 'retryCostTenths': 1"));
    DECIDE("stop: exit code 50 says not to try again", ENDED_WITH(50, ", 'retryCostTenths': 10"));
    DECIDE("retryAfter 180000", ENDED_WITH(1, ", 'retryCostTenths': 10, 'consecutiveFailures': 1"));
    DECIDE("retryAfter 180000", RUN_IN("TERMINATED", EXECUTES));
    DECIDE("retryAfter 180000", FAILED_WITH(", 'retryCostTenths': 10, 'consecutiveFailures': 1"));
    /* A time-out after missing dependencies keeps their code, as in Styx. */
    DECIDE("retryAfter 600000", FAILED_WITH(", 'lastExit': 20"));
    DECIDE("retryAfter 180000", FAILED_WITH(", 'lastExit': 0"));
}

/* STYX-RET-01 */
TEST(retries_are_used_up)
{
    DECIDE("retryAfter 180000", ENDED_WITH(1, ", 'retryCostTenths': 499"));
    DECIDE("stop: the retries are used up", ENDED_WITH(1, ", 'retryCostTenths': 500"));
    DECIDE("stop: the retries are used up", ENDED_WITH(20, ", 'retryCostTenths': 501"));
    DECIDE("stop: the retries are used up", FAILED_WITH(", 'retryCostTenths': 500"));
    DECIDE("retryAfter 180000", FAILED_WITH(", 'freeTries': 99"));
    DECIDE("stop: too many tries that ended without an exit code",
           FAILED_WITH(", 'freeTries': 100"));
}

/* STYX-RET-03: 3 minutes times a random number up to 15. */
TEST(the_delay_grows_with_failures)
{
    struct look look = {.status = FAILED_WITH(", 'consecutiveFailures': 9")};
    struct looked l;
    int64_t least = INT64_MAX, most = 0;

    look_begin(__LINE__, &look, &l);
    for (int i = 0; i < 1000; i++) {
        struct step step = advance_decide(&l.view, &l.settings);

        CHECK_INT(step.event.type, EVENT_RETRY_AFTER);
        CHECK_INT(step.event.delay_ms % (3 * MINUTE_MS), 0);
        least = step.event.delay_ms < least ? step.event.delay_ms : least;
        most = step.event.delay_ms > most ? step.event.delay_ms : most;
        step_done(&step);
    }
    CHECK_INT(least, 3 * MINUTE_MS);
    CHECK_INT(most, 45 * MINUTE_MS);
    look_end(&l);
}

/* ---- the name of the pod that matters ---- */

#define POD_OF(status, spec, seq, attempt) check_pod_of(__LINE__, status, spec, seq, attempt)

static void check_pod_of(int line, const char *status, const char *spec, int64_t seq, int attempt)
{
    struct look look = {.status = status, .spec = spec};
    struct looked l;

    look_begin(line, &look, &l);
    CHECK_INT_AT(line, advance_pod_seq(l.inst, l.view.run), seq);
    CHECK_INT_AT(line, advance_pod_attempt(l.view.run), attempt);
    look_end(&l);
}

TEST(the_pod_that_matters)
{
    static const char again[] = BY_HAND ", 'trigger': " TRIGGER(7, "adhoc", "wf-1");

    POD_OF("", BY_HAND, 1, 1);
    POD_OF("", again, 7, 1);
    POD_OF(QUEUED, again, 1, 1);
    POD_OF(PREPARE, again, 1, 1);
    POD_OF(SUBMITTING, again, 1, 1);
    POD_OF(SUBMITTED, again, 1, 1);
    POD_OF(RUNNING, again, 1, 1);
    POD_OF(TERMINATED, again, 1, 2);
    POD_OF(FAILED, again, 1, 2);
    POD_OF(DONE, again, 7, 2);
    POD_OF(DONE, BY_SCHEDULE, 1, 2);
}
