/* SPDX-License-Identifier: Apache-2.0 */
#include "model/instance.h"

#include "unit/model/instances.h"

static struct instance *with_status(const char *status)
{
    CLEANUP(free) char *members = xasprintf(
        "'spec': {'workflow': 'report', 'parameter': '2026-01-01', 'trigger': " TRIGGER "},"
        " 'status': %s",
        status);

    return decoded(members);
}

/* ---- decoding ---- */

TEST(a_whole_object_is_decoded)
{
    CLEANUP(instance_free) struct instance *inst = decoded(
        "'spec': {'workflow': 'report', 'parameter': '2026-01-01', 'haltThrough': 2,"
        " 'retry': {'counter': 7, 'delayMillis': 500}, 'trigger': {'seq': 3, 'type': 'adhoc',"
        "  'id': 'ad-hoc-cli-1', 'key': 'ad-hoc-cli-1', 'workflowUID': 'w',"
        "  'env': [{'name': 'MODE', 'value': 'full'}]}},"
        "'status': {'state': 'RUNNING', 'active': true, 'seq': 3, 'counter': 9, 'attempt': 4,"
        " 'tries': 2, 'consecutiveFailures': 1, 'retryCostTenths': 11, 'lastExit': 20,"
        " 'freeTries': 5, 'retryDelayMillis': 600, 'since': '2026-01-01T00:00:09Z',"
        " 'startedAt': '2026-01-01T00:00:05Z', 'completedAt': '2026-01-01T00:00:06Z',"
        " 'executionId': 'styx-run-1', 'runnerId': 'default', 'observedGeneration': 3,"
        " 'message': {'level': 'WARNING', 'line': 'Exit code: 20'}, 'limits': ['a', 'b'],"
        " 'eventsDropped': 8, 'haltedThrough': 1, 'retryCounter': 6,"
        " 'trigger': {'seq': 3, 'type': 'adhoc', 'id': 'i', 'key': 'k', 'workflowUID': 'w'},"
        " 'description': {'image': 'busybox', 'args': ['x'], 'terminationLogging': true,"
        "  'gcpServiceAccount': 'a@b.cd', 'commitSha': 'c0', 'env': [{'name': 'A', 'value': '1'}],"
        "  'runningTimeout': 'PT1H', 'retryCondition': 'true', 'truncated': true},"
        " 'events': [{'counter': 9, 'at': 1767225609000, 'type': 'started'}]}");
    const struct run *run = &inst->run;

    CHECK_STR(inst->problem, NULL);
    CHECK_STR(inst->workflow, "report");
    CHECK_STR(inst->parameter, "2026-01-01");
    CHECK_INT(inst->halt_through, 2);
    CHECK(inst->has_retry);
    CHECK_INT(inst->retry_counter, 7);
    CHECK_INT(inst->retry_delay_ms, 500);
    CHECK_INT(inst->trigger.seq, 3);
    CHECK_INT(inst->trigger.type, TRIGGER_ADHOC);
    CHECK_INT(inst->observed_generation, 3);
    CHECK_INT(run->state, RUN_RUNNING);
    CHECK_INT(run->seq, 3);
    CHECK_INT(run->counter, 9);
    CHECK_INT(run->attempt, 4);
    CHECK_INT(run->tries, 2);
    CHECK_INT(run->consecutive_failures, 1);
    CHECK_INT(run->retry_cost_tenths, 11);
    CHECK(run->has_exit);
    CHECK_INT(run->last_exit, 20);
    CHECK_INT(run->free_tries, 5);
    CHECK_INT(run->retry_delay_ms, 600);
    CHECK_INSTANT(run->since, "2026-01-01T00:00:09Z");
    CHECK_INSTANT(run->started_at, "2026-01-01T00:00:05Z");
    CHECK_INSTANT(run->completed_at, "2026-01-01T00:00:06Z");
    CHECK_STR(run->execution_id, "styx-run-1");
    CHECK_STR(run->runner_id, "default");
    CHECK_INT(run->message_level, MESSAGE_WARNING);
    CHECK_STR(run->message, "Exit code: 20");
    CHECK_INT(run->limits.n, 2);
    CHECK_INT(run->events_dropped, 8);
    CHECK_INT(run->halted_through, 1);
    CHECK_INT(run->retry_counter, 6);
    CHECK_STR(run->trigger.id, "i");
    CHECK_STR(run->trigger.key, "k");
    CHECK_STR(run->trigger.workflow_uid, "w");
    CHECK_STR(env_get(&run->trigger.env, "MODE"), "full");
    CHECK_STR(run->description->image, "busybox");
    CHECK_STR(run->description->args.items[0], "x");
    CHECK(run->description->termination_logging);
    CHECK_STR(run->description->gcp_service_account, "a@b.cd");
    CHECK_STR(run->description->commit_sha, "c0");
    CHECK_STR(env_get(&run->description->env, "A"), "1");
    CHECK_STR(run->description->running_timeout, "PT1H");
    CHECK_STR(run->description->retry_condition, "true");
    CHECK(run->description->truncated);
    CHECK_INT(run->n_events, 1);
    CHECK_INT(run->events[0].type, EVENT_STARTED);
}

TEST(an_object_by_hand_is_a_new_run)
{
    CLEANUP(instance_free) struct instance *inst = decoded(SPEC);

    CHECK_STR(inst->problem, NULL);
    CHECK_INT(inst->run.state, RUN_NEW);
    CHECK_INT(inst->run.counter, -1);
    CHECK_INT(inst->run.retry_counter, -1);
    CHECK_INT(inst->run.retry_delay_ms, -1);
    CHECK_INT(inst->run.since, INSTANT_NONE);
    CHECK_INT(inst->run.held_since, INSTANT_NONE);
    CHECK_INT(inst->trigger.seq, 0);
    CHECK(!inst->has_retry);
}

#define PROBLEM(members, want) check_problem(__LINE__, members, want)

static void check_problem(int line, const char *members, const char *want)
{
    CLEANUP(instance_free) struct instance *inst = decoded(members);

    CHECK_STR_AT(line, inst->problem, want);
    CHECK_STR_AT(line, inst->id.name, "report.2026-01-01");
}

TEST(what_cannot_be_decoded_is_said)
{
    PROBLEM("'spec': {'parameter': 'p'}", "spec.workflow: missing");
    PROBLEM("'spec': {'workflow': 'w'}", "spec.parameter: missing");
    PROBLEM("'spec': {'workflow': 1, 'parameter': 'p'}", "spec.workflow: missing");
    PROBLEM("'spec': null", "spec.workflow: missing");
    PROBLEM("'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': {'seq': 1, 'type': 'cron'}}",
            "spec.trigger: type: cron is no type of trigger");
    PROBLEM("'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': {'seq': 1, 'env': {}}}",
            "spec.trigger: must be a list");
    PROBLEM(SPEC ", 'status': {'state': 'WAITING'}", "status.state: WAITING is no state");
    PROBLEM(SPEC ", 'status': {'limits': 'x'}", "status.limits: must be a list");
    PROBLEM(SPEC ", 'status': {'trigger': {'type': 'x'}}",
            "status.trigger: type: x is no type of trigger");
    PROBLEM(SPEC ", 'status': []", NULL);
}

TEST(a_bad_wish_does_not_hide_the_run)
{
    CLEANUP(instance_free) struct instance *inst =
        decoded("'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': "
                "{'seq': 1, 'env': {}}}, 'status': {'state': 'DONE', 'seq': 1}");

    CHECK(inst->problem != NULL);
    CHECK_INT(inst->run.state, RUN_DONE);
}

/* Numbers that nobody could have meant do not overflow later. */
TEST(numbers_are_kept_within_reason)
{
    CLEANUP(instance_free) struct instance *inst =
        decoded("'spec': {'workflow': 'w', 'parameter': 'p', 'haltThrough': -1,"
                " 'retry': {'counter': -5, 'delayMillis': 9223372036854775807}},"
                "'status': {'state': 'QUEUED', 'seq': -3, 'counter': 9223372036854775807,"
                " 'attempt': 9223372036854775807, 'tries': -1, 'lastExit': 9223372036854775807,"
                " 'retryDelayMillis': 9223372036854775807, 'freeTries': 2147483648,"
                " 'events': [{'counter': -1, 'at': 9223372036854775807, 'type': 'retryAfter',"
                "  'delayMillis': -1}]}");
    const struct run *run = &inst->run;

    CHECK_STR(inst->problem, NULL);
    CHECK_INT(inst->halt_through, 0);
    CHECK_INT(inst->retry_counter, 0);
    CHECK_INT(inst->retry_delay_ms, INSTANT_MAX);
    CHECK_INT(run->seq, 0);
    CHECK_INT(run->counter, INT64_C(1) << 53);
    CHECK_INT(run->attempt, 1000000000);
    CHECK_INT(run->tries, 0);
    CHECK_INT(run->last_exit, INT32_MAX);
    CHECK_INT(run->retry_delay_ms, INSTANT_MAX);
    CHECK_INT(run->free_tries, 1000000000);
    CHECK_INT(run->events[0].at, INSTANT_MAX);
    CHECK_INT(run->events[0].delay_ms, 0);
}

TEST(events_of_a_later_version_are_left_out)
{
    CLEANUP(instance_free) struct instance *inst =
        with_status("{'events': [{'counter': 0, 'at': 1, 'type': 'stop'},"
                    " {'counter': 1, 'at': 1, 'type': 'paused'}, 7,"
                    " {'counter': 2, 'at': 1, 'type': 'halt'}]}");

    CHECK_INT(inst->run.n_events, 2);
    CHECK_INT(inst->run.events[1].counter, 2);
}

/* The next trigger is in spec already, and the run needs the environment of its own. */
/* STYX-TRG-03 */
TEST(the_environment_of_a_run_outlives_the_next_trigger)
{
    CLEANUP(instance_free) struct instance *inst =
        decoded("'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': {'seq': 2,"
                " 'env': [{'name': 'MODE', 'value': 'new'}]}},"
                "'status': {'state': 'RUNNING', 'seq': 1, 'trigger': {'seq': 1}, 'events': ["
                " {'counter': 0, 'at': 1, 'type': 'triggerExecution',"
                "  'env': [{'name': 'MODE', 'value': 'old'}]}]}");

    CHECK_STR(env_get(&inst->run.trigger.env, "MODE"), "old");
    CHECK_STR(env_get(&inst->trigger.env, "MODE"), "new");
}

/* ---- what is wished for ---- */

#define WANTED(members, seq, type, id) check_wanted(__LINE__, members, seq, type, id, NULL)
/* With the key as well, and without a workflow's uid. */
#define BY_HAND(trigger, last, seq, type, id, key)                                                 \
    check_wanted(__LINE__,                                                                         \
                 "'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': {" trigger "}},"          \
                 " 'status': {'seq': 3, 'state': 'DONE', 'trigger': {" last "}}",                  \
                 seq, type, id, key)

static void check_wanted(int line, const char *members, int64_t seq, const char *type,
                         const char *id, const char *key)
{
    CLEANUP(instance_free) struct instance *inst = decoded(members);
    struct run_trigger t, again;

    instance_wanted_trigger(inst, &t);
    instance_wanted_trigger(inst, &again);
    CHECK_INT_AT(line, t.seq, seq);
    CHECK_STR_AT(line, trigger_type_name(t.type), type);
    CHECK_STR_AT(line, t.id, id);
    CHECK_STR_AT(line, again.id, id);
    if (key) {
        CHECK_STR_AT(line, t.key, key);
        CHECK_STR_AT(line, t.workflow_uid, NULL);
    }
    run_trigger_done(&t);
    run_trigger_done(&again);
}

TEST(the_wanted_trigger_is_that_of_spec_or_implied)
{
    WANTED(SPEC, 1, "adhoc", "ad-hoc-cli-1767225600000-24764");
    WANTED("'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': " TRIGGER "}", 1, "natural",
           "natural-trigger");
    WANTED("'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': {'seq': 4}}", 4, "adhoc",
           "ad-hoc-cli-1767225600000-24767");
    WANTED("'spec': {'workflow': 'w', 'parameter': 'p', 'trigger': {'seq': 0, 'id': 'x'}}", 1,
           "adhoc", "ad-hoc-cli-1767225600000-24764");
}

#define NATURAL    "'type': 'natural', 'id': 'natural-trigger', 'key': 'wf-1/4'"
#define FOURTH     "ad-hoc-cli-1767225600000-24767"
#define LAST_ADHOC "'seq': 3, 'type': 'adhoc', 'id': 'me', 'key': 'me'"

/* STYX-TRG-01: a patch with a higher seq leaves all else as it was, and means a run by hand. */
TEST(a_trigger_that_was_only_raised_is_another_one)
{
    BY_HAND("'seq': 4, 'workflowUID': 'wf-1', " NATURAL,
            "'seq': 3, 'workflowUID': 'wf-1', " NATURAL, 4, "adhoc", FOURTH, FOURTH);
    BY_HAND("'seq': 4", "'seq': 3, 'type': 'adhoc', 'id': 'x', 'key': 'x'", 4, "adhoc", FOURTH,
            FOURTH);
    BY_HAND("'seq': 4, 'type': 'adhoc', 'id': 'me'", LAST_ADHOC, 4, "adhoc", FOURTH, FOURTH);
    /* What is said anew counts. */
    BY_HAND("'seq': 4, 'type': 'natural', 'id': 'again', 'key': 'wf-1/4'", "'seq': 3, " NATURAL, 4,
            "adhoc", "again", "again");
    BY_HAND("'seq': 4, 'type': 'backfill', 'id': 'natural-trigger', 'key': 'wf-1/4'",
            "'seq': 3, " NATURAL, 4, "backfill", FOURTH, FOURTH);
    BY_HAND("'seq': 4, 'type': 'backfill', 'id': 'bf', 'key': 'uid'", "'seq': 3, " NATURAL, 4,
            "backfill", "bf", "uid");
    BY_HAND("'seq': 4, 'id': 'mine'", "'seq': 3, " NATURAL, 4, "adhoc", "mine", "mine");
    /* So it is when it is raised once more: what was left is remembered. */
    BY_HAND("'seq': 4, 'workflowUID': 'wf-1', " NATURAL,
            LAST_ADHOC "}, 'specTrigger': {"
                       "'seq': 3, 'workflowUID': 'wf-1', " NATURAL,
            4, "adhoc", FOURTH, FOURTH);
    BY_HAND("'seq': 4, 'type': 'adhoc', 'id': 'x'",
            LAST_ADHOC "}, 'specTrigger': {"
                       "'seq': 3, 'type': 'adhoc', 'id': 'x'",
            4, "adhoc", FOURTH, FOURTH);
    BY_HAND("'seq': 4, 'type': 'adhoc', 'id': 'mine', 'key': 'mine', 'workflowUID': 'wf-1'",
            LAST_ADHOC
            ", 'workflowUID': 'wf-2'}, 'specTrigger': {'seq': 3, 'workflowUID': 'wf-1'," NATURAL,
            4, "adhoc", "mine", "mine");
    /* The one that runs, or is the first, is what it says. */
    BY_HAND("'seq': 3, " NATURAL, "'seq': 3, " NATURAL, 3, "natural", "natural-trigger", "wf-1/4");
    BY_HAND("'seq': 2, " NATURAL, "'seq': 0", 2, "natural", "natural-trigger", "wf-1/4");
}

#define ACTIVE(seq, status, want) check_active(__LINE__, seq, status, want)

static void check_active(int line, int seq, const char *status, bool want)
{
    CLEANUP(free) char *trigger = seq ? xasprintf(", 'trigger': {'seq': %d}", seq) : xstrdup("");
    CLEANUP(free) char *members =
        xasprintf("'spec': {'workflow': 'w', 'parameter': 'p'%s}, 'status': %s", trigger, status);
    CLEANUP(instance_free) struct instance *inst = decoded(members);

    CHECK_INT_AT(line, instance_active(inst), want);
}

TEST(active_is_what_has_something_before_it)
{
    ACTIVE(0, "null", true);
    ACTIVE(1, "null", true);
    ACTIVE(1, "{'state': 'QUEUED', 'seq': 1}", true);
    ACTIVE(1, "{'state': 'TERMINATED', 'seq': 1}", true);
    ACTIVE(1, "{'state': 'FAILED', 'seq': 1}", true);
    ACTIVE(1, "{'state': 'DONE', 'seq': 1}", false);
    ACTIVE(0, "{'state': 'DONE', 'seq': 1}", false);
    ACTIVE(1, "{'state': 'ERROR', 'seq': 1}", false);
    ACTIVE(2, "{'state': 'ERROR', 'seq': 1}", true);
    ACTIVE(2, "{'state': 'DONE', 'seq': 2}", false);
}

/* ---- encoding ---- */

TEST(the_object_to_create)
{
    struct run_trigger t = {.seq = 1,
                            .type = TRIGGER_NATURAL,
                            .id = xstrdup("natural-trigger"),
                            .key = xstrdup("w/1"),
                            .workflow_uid = xstrdup("w")};
    CLEANUP(json_decref) json_t *plain = instance_encode_new("team", "report", "2026-01-01T05", &t);

    CHECK_JSON(plain,
               "{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance', 'metadata':"
               " {'name': 'report.2026-01-01t05', 'namespace': 'team', 'annotations':"
               "  {'velero.io/restore-status': 'true'}},"
               " 'spec': {'workflow': 'report', 'parameter': '2026-01-01T05', 'trigger': " TRIGGER
               "}}");
    env_set(&t.env, "MODE", "full");
    CLEANUP(json_decref) json_t *trigger = run_trigger_encode(&t);
    CHECK_JSON(trigger, "{'seq': 1, 'type': 'natural', 'id': 'natural-trigger', 'key': 'w/1',"
                        " 'workflowUID': 'w', 'env': [{'name': 'MODE', 'value': 'full'}]}");
    run_trigger_done(&t);
}

#define NOTHING                                                                                    \
    "'lastExit': null, 'freeTries': null, 'retryDelayMillis': null, 'haltedThrough': null,"        \
    " 'retryCounter': null, 'runnerId': null, 'limits': null, 'eventsDropped': null,"              \
    " 'startedAt': null, 'ungatedAt': null, 'specTrigger': null"

TEST(the_status_says_what_is_not_there)
{
    struct run run;

    run_init(&run);
    CLEANUP(json_decref) json_t *status = run_encode_status(&run, 3);
    CHECK_JSON(status,
               "{'observedGeneration': 3, 'state': 'NEW', 'active': true, 'seq': 0,"
               " 'counter': null, 'attempt': 0, 'tries': 0, 'consecutiveFailures': 0,"
               " 'retryCostTenths': 0, 'since': null, 'completedAt': null, 'trigger': {'seq': 0,"
               " 'type': 'unknown', 'id': null, 'key': null, 'workflowUID': null},"
               " 'executionId': null, 'message': null, 'description': null, 'conditions': [],"
               " 'events': [], " NOTHING "}");
    run_done(&run);
}

TEST(the_status_of_a_run)
{
    struct run run;

    run_init(&run);
    apply(&run, trigger_event(1));
    apply(&run, (struct event) {.type = EVENT_DEQUEUE});
    apply(&run, submit_event(description_of("busybox")));
    apply(&run, (struct event) {.type = EVENT_HALT, .message = xstrdup("Halted")});
    CLEANUP(json_decref) json_t *status = run_encode_status(&run, 3);
    CHECK_JSON(
        status,
        "{'observedGeneration': 3, 'state': 'ERROR', 'active': false, 'seq': 1, 'counter': 3,"
        " 'attempt': 1, 'tries': 0, 'consecutiveFailures': 0, 'retryCostTenths': 0,"
        " 'since': '2026-01-01T00:00:03Z', 'completedAt': '2026-01-01T00:00:03Z',"
        " 'trigger': {'seq': 1, 'type': 'backfill', 'id': 'backfill-1', 'key': 'k',"
        "  'workflowUID': 'w'}, 'executionId': 'styx-run-1',"
        " 'message': {'level': 'WARNING', 'line': 'Halted'},"
        " 'description': {'image': 'busybox', 'args': null, 'terminationLogging': null,"
        "  'gcpServiceAccount': null, 'commitSha': null, 'env': null, 'runningTimeout': null,"
        "  'retryCondition': null, 'truncated': null},"
        " 'conditions': ["
        "  {'type': 'Complete', 'status': 'False', 'reason': 'ERROR', 'message': '',"
        "   'lastTransitionTime': '2026-01-01T00:00:03Z', 'observedGeneration': 3},"
        "  {'type': 'Failed', 'status': 'True', 'reason': 'ERROR', 'message': 'Halted',"
        "   'lastTransitionTime': '2026-01-01T00:00:03Z', 'observedGeneration': 3}],"
        " 'events': [{'counter': 0, 'at': 1767225600000, 'type': 'triggerExecution',"
        "   'triggerType': 'backfill', 'triggerId': 'backfill-1',"
        "   'env': [{'name': 'MODE', 'value': 'full'}]},"
        "  {'counter': 1, 'at': 1767225601000, 'type': 'dequeue'},"
        "  {'counter': 2, 'at': 1767225602000, 'type': 'submit', 'executionId': 'styx-run-1'},"
        "  {'counter': 3, 'at': 1767225603000, 'type': 'halt', 'message': 'Halted'}]," NOTHING "}");
    run_done(&run);
}

/* What is in a status is written as it was read. */
TEST(every_member_is_read_and_written)
{
    static const char status[] =
        "{'observedGeneration': 3, 'componentId': 'c', 'workflowId': 'w#1', 'state': 'RUNNING',"
        " 'naturalKey': 'w/3', 'active': true, 'seq': 3, 'counter': 12,"
        " 'attempt': 4, 'tries': 2, 'consecutiveFailures': 1, 'retryCostTenths': 11,"
        " 'lastExit': 20, 'freeTries': 5, 'retryDelayMillis': 600, 'haltedThrough': 1,"
        " 'retryCounter': 0, 'since': '2026-01-01T00:00:09Z', 'startedAt': '2026-01-01T00:00:05Z',"
        " 'completedAt': '2026-01-01T00:00:06Z', 'executionId': 'e', 'runnerId': 'r',"
        " 'ungatedAt': '2026-01-01T00:00:10Z',"
        " 'message': {'level': 'WARNING', 'line': 'm'}, 'limits': ['a', 'b'], 'eventsDropped': 8,"
        " 'trigger': {'seq': 3, 'type': 'adhoc', 'id': 'i', 'key': 'k', 'workflowUID': 'w'},"
        " 'specTrigger': {'seq': 3, 'type': 'natural', 'id': 'j', 'key': 'l', 'workflowUID': 'v'},"
        " 'description': {'image': 'busybox', 'args': ['x', '{}'], 'terminationLogging': true,"
        "  'gcpServiceAccount': 'a@b.cd', 'commitSha': 'c0', 'env': [{'name': 'A', 'value': '1'}],"
        "  'runningTimeout': 'PT1H', 'retryCondition': 'true', 'truncated': true},"
        " 'conditions': [], 'events': ["
        "  {'counter': 0, 'at': 1767225600000, 'type': 'triggerExecution', 'triggerType':"
        "   'backfill', 'triggerId': 'b', 'env': [{'name': 'A', 'value': '1'}]},"
        "  {'counter': 1, 'at': 1767225600001, 'type': 'info', 'level': 'ERROR', 'message': 'm'},"
        "  {'counter': 2, 'at': 1767225600002, 'type': 'dequeue', 'limits': ['a', 'b']},"
        "  {'counter': 3, 'at': 1767225600003, 'type': 'submit', 'executionId': 'e'},"
        "  {'counter': 4, 'at': 1767225600004, 'type': 'submitted', 'executionId': 'e',"
        "   'runnerId': 'r'},"
        "  {'counter': 5, 'at': 1767225600005, 'type': 'started'},"
        "  {'counter': 6, 'at': 1767225600006, 'type': 'terminate', 'exitCode': 20,"
        "   'message': 'Exit code: 20'},"
        "  {'counter': 7, 'at': 1767225600007, 'type': 'retryAfter', 'delayMillis': 0},"
        "  {'counter': 8, 'at': 1767225600008, 'type': 'runError', 'free': true, 'message': 'm'},"
        "  {'counter': 9, 'at': 1767225600009, 'type': 'timeout', 'message': 'm'},"
        "  {'counter': 10, 'at': 1767225600010, 'type': 'stop', 'message': 'm'},"
        "  {'counter': 11, 'at': 1767225600011, 'type': 'halt', 'message': 'm'},"
        "  {'counter': 12, 'at': 1767225600012, 'type': 'success'}]}";
    CLEANUP(instance_free) struct instance *inst = with_status(status);
    CLEANUP(json_decref) json_t *written = run_encode_status(&inst->run, 3);

    CHECK_JSON(written, status);
}

TEST(what_is_held_says_so_until_the_next_trigger)
{
    struct run run;
    CLEANUP(json_decref) json_t *object = json_of("{" METADATA ", " SPEC "}");

    run_init(&run);
    run.held_since = BEGAN;
    json_object_set_new(object, "status", run_encode_status(&run, 3));
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);
    const json_t *held = json_array_get(json_at(object, "status.conditions"), 0);
    CHECK_STR(json_text_at(held, "type"), "Held");
    CHECK_STR(json_text_at(held, "status"), "True");
    CHECK_STR(json_text_at(held, "reason"), "WorkflowReplaced");
    CHECK_INT(inst->run.held_since, BEGAN);
    CHECK(instance_active(inst));
    apply(&inst->run, trigger_event(2));
    CLEANUP(json_decref) json_t *after = run_encode_status(&inst->run, 3);
    CHECK_INT(json_array_size(json_at(after, "conditions")), 0);
    run_done(&run);
}
