/* SPDX-License-Identifier: Apache-2.0 */
#include "model/styxjson.h"

#include "base/buf.h"
#include "base/rng.h"
#include "test.h"

static const struct styx_instance id = {"billing", "daily", "2026-01-01"};

/* JSON with ' for ", so that it reads well in here. */
static json_t *parse(const char *text)
{
    CLEANUP(free) char *copy = xstrdup(text);
    struct error err;
    json_t *json = NULL;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    CHECK_OK(json_parse(copy, strlen(copy), &json, &err), &err);
    return json;
}

#define CHECK_JSON(got, want) check_json(__LINE__, got, want)

/* Takes `got`.  The order of members counts. */
static void check_json(int line, json_t *got, const char *want)
{
    CLEANUP(json_decref) json_t *wanted = parse(want);
    CLEANUP(free) char *wanted_text = json_print(wanted);
    CLEANUP(free) char *text = json_print(got);

    json_decref(got);
    CHECK_STR_AT(line, text, wanted_text);
}

static struct workflow *workflow(const char *text)
{
    CLEANUP(json_decref) json_t *object = parse(text);
    struct workflow *wf = workflow_decode(object);

    CHECK_STR(wf->problem, NULL);
    return wf;
}

static struct instance *instance(const char *text)
{
    CLEANUP(json_decref) json_t *object = parse(text);
    struct instance *inst = instance_decode(object);

    CHECK_STR(inst->problem, NULL);
    return inst;
}

/* ---- workflows ---- */

#define FULL                                                                                       \
    "{'metadata': {'name': 'billing.daily', 'namespace': 'kharon'},"                               \
    " 'spec': {'componentId': 'billing', 'workflowId': 'daily', 'schedule': '@Daily',"             \
    " 'offset': 'PT1H', 'template': {'image': 'busybox', 'args': ['--day', '{}'],"                 \
    " 'env': [{'name': 'MODE', 'value': 'full'}], 'terminationLogging': true,"                     \
    " 'runningTimeout': 'P1D', 'gcpServiceAccount': 'a@p.com'}, 'limits': ['warehouse'],"          \
    " 'retryCondition': '#tries < 3', 'commitSha': 'c0ffee',"                                      \
    " 'deploymentSource': {'source': 'git', 'repository': 'acme/etl'},"                            \
    " 'deploymentTime': '2026-01-01T10:00:00.25Z',"                                                \
    " 'flyteExecConf': {'reference_id': {'name': 'n'}}},"                                          \
    " 'status': {'observedSchedule': 'days', 'observedOffset': 'PT1H', 'epoch': 1,"                \
    " 'next': '2026-01-02T00:00:00Z', 'nextOffset': '2026-01-02T01:00:00Z'}}"
#define NOW INT64_C(1768046400000) /* 2026-01-10T12:00:00Z */

#define FULL_CONFIGURATION                                                                         \
    "{'id': 'daily', 'schedule': 'days', 'offset': 'PT1H', 'commit_sha': 'c0ffee',"                \
    " 'docker_image': 'busybox', 'docker_args': ['--day', '{}'],"                                  \
    " 'docker_termination_logging': true, 'service_account': 'a@p.com',"                           \
    " 'resources': ['warehouse'], 'env': {'MODE': 'full'}, 'running_timeout': 'PT24H',"            \
    " 'retry_condition': '#tries < 3', 'flyte_exec_conf': {'reference_id': {'name': 'n'}},"        \
    " 'deployment_source': {'repository': 'acme/etl', 'source': 'git'},"                           \
    " 'deployment_time': '2026-01-01T10:00:00.250Z'}"

#define FULL_WORKFLOW                                                                              \
    "{'component_id': 'billing', 'workflow_id': 'daily', 'component_uri': null,"                   \
    " 'configuration': " FULL_CONFIGURATION "}"

#define FULL_STATE                                                                                 \
    "{'enabled': true, 'next_natural_trigger': '2026-01-02T00:00:00Z',"                            \
    " 'next_natural_offset_trigger': '2026-01-02T01:00:00Z'}"

/* STYX-CFG-01 STYX-HTTP-05 STYX-HTTP-06 STYX-API-30 STYX-FLY-01 */
TEST(a_workflow_with_everything)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow(FULL);

    CHECK_JSON(styx_workflow(wf), FULL_WORKFLOW);
    CHECK_JSON(styx_workflow_state(wf, NOW), FULL_STATE);
    CHECK_JSON(styx_workflow_with_state(wf, NOW),
               "{'workflow': " FULL_WORKFLOW ", 'state': " FULL_STATE "}");
}

/* STYX-HTTP-05: nulls are written. */
TEST(a_workflow_with_nothing)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow(
        "{'metadata': {'name': 'w', 'namespace': 'n'}, 'spec': {'schedule': '0  0 * * MON',"
        " 'suspend': true}}");

    CHECK_JSON(styx_workflow(wf),
               "{'component_id': 'n', 'workflow_id': 'w', 'component_uri': null, 'configuration':"
               " {'id': 'w', 'schedule': '0 0 * * mon', 'offset': null, 'commit_sha': null,"
               " 'docker_image': null, 'docker_args': null, 'docker_termination_logging': false,"
               " 'service_account': null, 'resources': [], 'env': {}, 'running_timeout': null,"
               " 'retry_condition': null, 'flyte_exec_conf': null, 'deployment_source': null,"
               " 'deployment_time': null}}");
}

/* STYX-HTTP-05, STYX-API-09 */
TEST(the_state_of_a_workflow_without_a_next_trigger)
{
    CLEANUP(workflow_free) struct workflow *wf =
        workflow("{'metadata': {}, 'spec': {'schedule': '0 0 30 2 *', 'suspend': true}}");

    CHECK_JSON(styx_workflow_state(wf, NOW), "{'enabled': false, 'next_natural_trigger': null,"
                                             " 'next_natural_offset_trigger': null}");
}

/* STYX-SCH-09: its cursor moves with time. */
TEST(the_state_of_a_suspended_workflow)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow(FULL);

    wf->suspend = true;
    CHECK_JSON(styx_workflow_state(wf, NOW),
               "{'enabled': false, 'next_natural_trigger': '2026-01-11T00:00:00Z',"
               " 'next_natural_offset_trigger': '2026-01-11T01:00:00Z'}");
}

/* Styx answers the state of a workflow that does not exist (3.8). */
TEST(the_state_of_no_workflow)
{
    CHECK_JSON(styx_workflow_state(NULL, NOW), "{'enabled': false, 'next_natural_trigger': null,"
                                               " 'next_natural_offset_trigger': null}");
}

TEST(what_could_not_be_decoded_is_shown_as_it_is)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow_new();

    wf->schedule = xstrdup("Whenever");
    wf->template.running_timeout = xstrdup("2h");
    CLEANUP(json_decref) json_t *json = styx_workflow(wf);
    CHECK_STR(json_text_at(json, "configuration.schedule"), "Whenever");
    CHECK_STR(json_text_at(json, "configuration.running_timeout"), "2h");
}

/* ---- runs ---- */

#define INSTANCE_ID                                                                                \
    "{'workflow_id': {'component_id': 'billing', 'id': 'daily'}, 'parameter': '2026-01-01'}"

#define RUNNING                                                                                    \
    "{'metadata': {'name': 'billing.daily.2026-01-01', 'uid': 'u',"                                \
    "  'creationTimestamp': '2026-01-02T00:00:00Z'},"                                              \
    " 'spec': {'workflow': 'billing.daily', 'parameter': '2026-01-01',"                            \
    "  'trigger': {'seq': 1, 'type': 'adhoc', 'id': 'ad-hoc-cli-1-2'}},"                           \
    " 'status': {'state': 'RUNNING', 'seq': 1, 'counter': 4, 'attempt': 1, 'tries': 2,"            \
    "  'consecutiveFailures': 1, 'retryCostTenths': 13, 'lastExit': 20, 'executionId': 'e',"       \
    "  'runnerId': 'default', 'since': '2026-01-02T00:00:07.5Z', 'limits': ['warehouse'],"         \
    "  'trigger': {'seq': 1, 'type': 'adhoc', 'id': 'ad-hoc-cli-1-2',"                             \
    "   'env': [{'name': 'A', 'value': 'x'}]},"                                                    \
    "  'description': {'image': 'busybox', 'args': ['2026-01-01'], 'commitSha': 'c0ffee',"         \
    "   'env': [{'name': 'A', 'value': 'x'}], 'runningTimeout': 'PT2H'},"                          \
    "  'message': {'level': 'WARNING', 'line': 'Exit code: 20'}}}"

/* The name of the execution that is nowhere: a letter and 19 digits. */
#define FLYTE_E "'f3f79bb7b435b0532165'"

#define DESCRIPTION                                                                                \
    "{'docker_image': 'busybox', 'docker_args': ['2026-01-01'],"                                   \
    " 'docker_termination_logging': false, 'service_account': null, 'commit_sha': 'c0ffee',"       \
    " 'env': {'A': 'x'}, 'running_timeout': 'PT2H', 'retry_condition': null,"                      \
    " 'flyte_exec_conf': null, 'flyte_execution_id': " FLYTE_E "}"

/* STYX-HTTP-05, STYX-API-30 (trigger_id) */
TEST(a_run)
{
    CLEANUP(instance_free) struct instance *inst = instance(RUNNING);

    CHECK_JSON(styx_run_state(&id, inst),
               "{'workflow_instance': " INSTANCE_ID ", 'state': 'RUNNING', 'state_data':"
               " {'tries': 2, 'consecutive_failures': 1, 'retry_cost': 1.3,"
               " 'retry_delay_millis': null, 'last_exit': 20,"
               " 'trigger': {'@type': 'adhoc', 'trigger_id': 'ad-hoc-cli-1-2'},"
               " 'trigger_id': 'ad-hoc-cli-1-2', 'execution_id': 'e', 'runner_id': 'default',"
               " 'execution_description': " DESCRIPTION ", 'resource_ids': ['warehouse'],"
               " 'trigger_parameters': {'env': {'A': 'x'}},"
               " 'messages': [{'level': 'WARNING', 'line': 'Exit code: 20'}]},"
               " 'initial_timestamp': null, 'latest_timestamp': 1767312007500}");
}

TEST(a_run_that_waits_for_its_next_try)
{
    CLEANUP(instance_free) struct instance *inst = instance(
        "{'metadata': {}, 'spec': {'workflow': 'w', 'parameter': '2026-01-01',"
        "  'trigger': {'seq': 1, 'type': 'natural', 'id': 'natural-trigger'}},"
        " 'status': {'state': 'QUEUED', 'seq': 1, 'counter': 7, 'retryDelayMillis': 180000,"
        "  'since': '1970-01-01T00:00:00.007Z',"
        "  'trigger': {'seq': 1, 'type': 'natural', 'id': 'natural-trigger'}}}");

    CHECK_JSON(styx_run_state(&id, inst),
               "{'workflow_instance': " INSTANCE_ID ", 'state': 'QUEUED', 'state_data':"
               " {'tries': 0, 'consecutive_failures': 0, 'retry_cost': 0.0,"
               " 'retry_delay_millis': 180000, 'last_exit': null, 'trigger': {'@type': 'natural'},"
               " 'trigger_id': 'natural-trigger', 'execution_id': null, 'runner_id': null,"
               " 'execution_description': null, 'resource_ids': null,"
               " 'trigger_parameters': {'env': {}}, 'messages': []},"
               " 'initial_timestamp': null, 'latest_timestamp': 7}");
}

#define PENDING(spec_seq, status, created)                                                         \
    "{'metadata': {'creationTimestamp': " created "}, 'spec': {'workflow': 'w',"                   \
    " 'parameter': '2026-01-01', 'trigger': {'seq': " spec_seq ", 'type': 'backfill',"             \
    " 'id': 'b'}}, 'status': " status "}"

#define QUEUED(since)                                                                              \
    "{'workflow_instance': " INSTANCE_ID ", 'state': 'QUEUED', 'state_data':"                      \
    " {'tries': 0, 'consecutive_failures': 0, 'retry_cost': 0.0, 'retry_delay_millis': null,"      \
    " 'last_exit': null, 'trigger': {'@type': 'backfill', 'trigger_id': 'b'}, 'trigger_id': 'b',"  \
    " 'execution_id': null, 'runner_id': null, 'execution_description': null,"                     \
    " 'resource_ids': null, 'trigger_parameters': {'env': {}}, 'messages': []},"                   \
    " 'initial_timestamp': null, 'latest_timestamp': " since "}"

TEST(a_trigger_that_was_not_taken_yet_is_queued)
{
    CLEANUP(instance_free) struct instance *first =
        instance(PENDING("1", "null", "'1970-01-01T00:00:05Z'"));
    CLEANUP(instance_free) struct instance *second =
        instance(PENDING("2", "{'state': 'DONE', 'seq': 1, 'tries': 3, 'lastExit': 0}", "null"));

    CHECK_JSON(styx_run_state(&id, first), QUEUED("5000"));
    CHECK_JSON(styx_run_state(&id, second), QUEUED("null"));
}

TEST(retry_cost_is_a_plain_decimal)
{
    for (int tenths = 0; tenths <= 500; tenths++) {
        CLEANUP(instance_free) struct instance *inst = instance(RUNNING);
        CLEANUP(free) char *want = xasprintf("\"retry_cost\":%d.%d,", tenths / 10, tenths % 10);

        inst->run.retry_cost_tenths = tenths;
        CLEANUP(json_decref) json_t *json = styx_run_state(&id, inst);
        CLEANUP(free) char *text = json_print(json);
        CHECK_HAS(text, want);
    }
}

/* ---- history ---- */

/* A text that is not const. */
#define T(text) ((char[]) {text})

/* STYX-API-30 (workflow), STYX-FLY-01 */
TEST(executions_of_an_instance)
{
    struct env_var var = {T("A"), T("x")};
    struct description d = {.image = T("busybox"), .commit_sha = T("c0ffee")};
    struct event events[] = {
        {.type = EVENT_TRIGGER_EXECUTION, .at = 1000, .trigger = {.id = T("t"), .env = {&var, 1}}},
        {.type = EVENT_SUBMIT, .at = 2000, .execution_id = T("e"), .description = &d},
        {.type = EVENT_SUBMITTED, .at = 3000, .execution_id = T("e"), .runner_id = T("default")},
        {.type = EVENT_TERMINATE, .at = 4005, .has_exit = true, .exit_code = 1},
        {.type = EVENT_STOP, .at = 5000},
        {.type = EVENT_TRIGGER_EXECUTION, .at = 6000, .trigger = {.id = T("u")}},
        {.type = EVENT_RUN_ERROR, .at = 7000, .message = T("no")},
    };
    struct history h;

    history_derive(events, ARRAY_SIZE(events), &h);
    json_t *json = styx_instance_execution(&id, &h);
    history_done(&h);
    CHECK_JSON(json,
               "{'workflow_instance': {'workflow_id': {'component_id': 'billing', 'id': 'daily'},"
               "  'workflow': {'component_id': 'billing', 'id': 'daily'},"
               "  'parameter': '2026-01-01'}, 'triggers': ["
               "{'trigger_id': 't', 'timestamp': '1970-01-01T00:00:01Z',"
               " 'parameters': {'env': {'A': 'x'}}, 'complete': true, 'executions': ["
               "  {'execution_id': 'e', 'docker_image': 'busybox', 'commit_sha': 'c0ffee',"
               "   'flyte_exec_conf': null, 'flyte_execution_id': null, 'runner_id': 'default',"
               "   'statuses': [{'timestamp': '1970-01-01T00:00:03Z', 'status': 'SUBMITTED',"
               "     'message': null}, {'timestamp': '1970-01-01T00:00:04.005Z',"
               "     'status': 'FAILED', 'message': 'Exit code: 1'}]}]},"
               "{'trigger_id': 'u', 'timestamp': '1970-01-01T00:00:06Z', 'parameters': {'env': {}},"
               " 'complete': false, 'executions': ["
               "  {'execution_id': null, 'docker_image': null, 'commit_sha': null,"
               "   'flyte_exec_conf': null, 'flyte_execution_id': null, 'runner_id': 'default',"
               "   'statuses': [{'timestamp': '1970-01-01T00:00:07Z', 'status': 'FAILED',"
               "     'message': 'no'}]}]}]}");
}

TEST(no_executions)
{
    CHECK_JSON(styx_instance_execution(&id, &(struct history) {0}),
               "{'workflow_instance': {'workflow_id': {'component_id': 'billing', 'id': 'daily'},"
               "  'workflow': {'component_id': 'billing', 'id': 'daily'},"
               "  'parameter': '2026-01-01'}, 'triggers': []}");
}

/* ---- events ---- */

#define EVENT(e, want) check_event(__LINE__, &(struct event) e, want)
#define E(...)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* `want` is what comes after type and instance. */
static void check_event(int line, const struct event *e, const char *want)
{
    CLEANUP(free) char *whole =
        xasprintf("{'@type': '%s', 'workflow_instance': 'billing#daily#2026-01-01'%s%s}",
                  event_type_name(e->type), *want ? ", " : "", want);

    check_json(line, styx_event(&id, e), whole);
}

/* STYX-HTTP-05: what is absent is left out of events. */
TEST(every_type_of_event)
{
    struct env_var var = {T("A"), T("x")};
    char *limit = T("warehouse");
    struct description d = {.image = T("busybox"),
                            .args = {(char *[]) {T("2026-01-01")}, 1},
                            .env = {&var, 1},
                            .commit_sha = T("c0ffee"),
                            .running_timeout = T("PT2H")};

    EVENT(E(.type = EVENT_TRIGGER_EXECUTION, .trigger = {.type = TRIGGER_NATURAL, .id = T("n")}),
          "'trigger': {'@type': 'natural'}, 'parameters': {'env': {}}");
    EVENT(E(.type = EVENT_TRIGGER_EXECUTION,
            .trigger = {.type = TRIGGER_BACKFILL, .id = T("b"), .env = {&var, 1}}),
          "'trigger': {'@type': 'backfill', 'trigger_id': 'b'}, 'parameters': {'env': {'A': 'x'}}");
    EVENT(E(.type = EVENT_TRIGGER_EXECUTION),
          "'trigger': {'@type': 'unknown', 'trigger_id': 'UNKNOWN'}, 'parameters': {'env': {}}");
    EVENT(E(.type = EVENT_INFO, .level = MESSAGE_WARNING, .message = T("full")),
          "'message': {'level': 'WARNING', 'line': 'full'}");
    EVENT(E(.type = EVENT_DEQUEUE), "'resource_ids': []");
    EVENT(E(.type = EVENT_DEQUEUE, .limits = {&limit, 1}), "'resource_ids': ['warehouse']");
    EVENT(E(.type = EVENT_SUBMIT, .execution_id = T("e"), .description = &d),
          "'execution_description': " DESCRIPTION ", 'execution_id': 'e'");
    EVENT(E(.type = EVENT_SUBMIT, .execution_id = T("e")), "'execution_id': 'e'");
    EVENT(E(.type = EVENT_SUBMITTED, .execution_id = T("e"), .runner_id = T("default")),
          "'execution_id': 'e', 'runner_id': 'default'");
    EVENT(E(.type = EVENT_STARTED), "");
    EVENT(E(.type = EVENT_TERMINATE, .has_exit = true, .exit_code = 0), "'exit_code': 0");
    EVENT(E(.type = EVENT_TERMINATE), "");
    EVENT(E(.type = EVENT_RUN_ERROR, .message = T("no image")), "'message': 'no image'");
    EVENT(E(.type = EVENT_SUCCESS), "");
    EVENT(E(.type = EVENT_RETRY_AFTER, .delay_ms = 180000), "'delay_millis': 180000");
    EVENT(E(.type = EVENT_STOP), "");
    EVENT(E(.type = EVENT_TIMEOUT, .message = T("late")), "");
    EVENT(E(.type = EVENT_HALT), "");
}

TEST(a_list_of_events)
{
    struct event events[] = {{.type = EVENT_STARTED, .at = 1767312007500},
                             {.type = EVENT_HALT, .at = 1767312007501}};

    CHECK_JSON(styx_events(&id, events, 2),
               "[{'event': {'@type': 'started', 'workflow_instance': 'billing#daily#2026-01-01'},"
               "  'timestamp': 1767312007500},"
               " {'event': {'@type': 'halt', 'workflow_instance': 'billing#daily#2026-01-01'},"
               "  'timestamp': 1767312007501}]");
    CHECK_JSON(styx_events(&id, NULL, 0), "[]");
}

/* ---- reading ---- */

#define READ_TEXT(value, want) check_read_text(__LINE__, value, want)

/* want NULL: absent; "!…": the error. */
static void check_read_text(int line, const char *value, const char *want)
{
    CLEANUP(free) char *whole = xasprintf("{'a': {'x': %s}}", value);
    CLEANUP(json_decref) json_t *body = parse(whole);
    CLEANUP(free) char *got = NULL;
    struct error err;

    if (!styx_read_text(body, "a.x", &got, &err)) {
        CLEANUP(free) char *error = xasprintf("!%s", err.text);

        CHECK_STR_AT(line, error, want);
    } else {
        CHECK_STR_AT(line, got, want);
    }
}

/* STYX-HTTP-04 */
TEST(texts_are_read)
{
    READ_TEXT("'t'", "t");
    READ_TEXT("''", "");
    READ_TEXT("null", NULL);
    READ_TEXT("5", "5");
    READ_TEXT("-9223372036854775808", "-9223372036854775808");
    READ_TEXT("1.50", "1.5");
    READ_TEXT("0.1", "0.1");
    READ_TEXT("true", "true");
    READ_TEXT("{}", "!a.x: must be a text without NUL characters");
    READ_TEXT("['t']", "!a.x: must be a text without NUL characters");
    READ_TEXT("'a\\u0000b'", "!a.x: must be a text without NUL characters");
}

#define READ_INT(value, want) check_read_int(__LINE__, value, want)
#define BAD                   INT64_MAX /* cannot be read; 7 is what was there before */

static void check_read_int(int line, const char *value, int64_t want)
{
    CLEANUP(free) char *whole = xasprintf("{'x': %s}", value);
    CLEANUP(json_decref) json_t *body = parse(whole);
    struct error err;
    int64_t got = 7;

    if (!styx_read_int(body, "x", -100, INT64_MAX - 1, &got, &err)) {
        CHECK_INT_AT(line, got, 7);
        got = BAD;
    }
    CHECK_INT_AT(line, got, want);
}

/* STYX-HTTP-04 */
TEST(integers_are_read)
{
    READ_INT("20", 20);
    READ_INT("'20'", 20);
    READ_INT("' 20 '", 20);
    READ_INT("'-20'", -20);
    READ_INT("20.7", 20);
    READ_INT("-20.7", -20);
    READ_INT("null", 7);
    READ_INT("''", 7);
    READ_INT("-101", BAD);
    READ_INT("1e300", BAD);
    READ_INT("9223372036854775808.0", BAD);
    READ_INT("'9223372036854775808'", BAD);
    READ_INT("'20x'", BAD);
    READ_INT("'x'", BAD);
    READ_INT("' '", BAD);
    READ_INT("'2\\u00000'", BAD);
    READ_INT("true", BAD);
    READ_INT("[1]", BAD);
}

#define READ_BOOL(value, want) check_read_bool(__LINE__, value, want)

/* want '-': absent, '!': an error */
static void check_read_bool(int line, const char *value, char want)
{
    CLEANUP(free) char *whole = xasprintf("{'x': %s}", value);
    CLEANUP(json_decref) json_t *body = parse(whole);

    for (int before = 0; before < 2; before++) {
        struct error err;
        bool got = before;

        CHECK_AT(line, styx_read_bool(body, "x", &got, &err) == (want != '!'));
        CHECK_INT_AT(line, got, want == 't' ? true : want == 'f' ? false : before);
    }
}

/* STYX-HTTP-04 */
TEST(booleans_are_read)
{
    READ_BOOL("true", 't');
    READ_BOOL("false", 'f');
    READ_BOOL("'true'", 't');
    READ_BOOL("'false'", 'f');
    READ_BOOL("'True'", 't');
    READ_BOOL("'FALSE'", 'f');
    READ_BOOL("1", 't');
    READ_BOOL("0", 'f');
    READ_BOOL("null", '-');
    READ_BOOL("''", '-');
    READ_BOOL("'yes'", '!');
    READ_BOOL("1.0", '!');
    READ_BOOL("{}", '!');
    READ_BOOL("'true\\u0000'", '!');
}

#define READ_TEXTS(value, want) check_read_texts(__LINE__, value, want)

static void check_read_texts(int line, const char *value, const char *want)
{
    CLEANUP(free) char *whole = xasprintf("{'x': %s}", value);
    CLEANUP(json_decref) json_t *body = parse(whole);
    struct texts got = {0};
    struct error err;

    texts_add(&got, "before");
    if (!styx_read_texts(body, "x", &got, &err))
        texts_add(&got, err.text);
    check_json(line, texts_encode(&got), want);
    texts_done(&got);
}

/* STYX-HTTP-04 */
TEST(lists_are_read)
{
    READ_TEXTS("['a', 5, true]", "['a', '5', 'true']");
    READ_TEXTS("'a'", "['a']");
    READ_TEXTS("5", "['5']");
    READ_TEXTS("[]", "[]");
    READ_TEXTS("null", "['before']");
    READ_TEXTS("['a', null, 'b']", "['a', 'b']");
    READ_TEXTS("[null]", "[]");
    READ_TEXTS("['a', ['b']]", "['before', 'x: must be a list of texts']");
    READ_TEXTS("{}", "['before', 'x: must be a list of texts']");
}

#define READ_ENV(value, want) check_read_env(__LINE__, value, want)

static void check_read_env(int line, const char *value, const char *want)
{
    CLEANUP(free) char *whole = xasprintf("{'x': {'env': %s}}", value);
    CLEANUP(json_decref) json_t *body = parse(whole);
    struct env got = {0};
    struct error err;

    env_set(&got, "B", "before");
    if (!styx_read_env(body, "x.env", &got, &err))
        env_set(&got, "!", err.text);
    check_json(line, env_encode(&got), want);
    env_done(&got);
}

/* STYX-HTTP-04 */
TEST(maps_are_read)
{
    READ_ENV("{'A': 'x', 'C': 5, 'D': null, 'E': false}",
             "[{'name': 'A', 'value': 'x'}, {'name': 'C', 'value': '5'},"
             " {'name': 'E', 'value': 'false'}]");
    READ_ENV("{}", "[]");
    READ_ENV("null", "[{'name': 'B', 'value': 'before'}]");
    READ_ENV("{'A': 'x', 'C': []}", "[{'name': 'B', 'value': 'before'},"
                                    " {'name': '!', 'value': 'x.env.C: must be a text'}]");
    READ_ENV("['A']", "[{'name': 'B', 'value': 'before'},"
                      " {'name': '!', 'value': 'x.env: must be an object'}]");
}

#define READ_INSTANT(value, want) check_read_instant(__LINE__, value, want)

static void check_read_instant(int line, const char *value, int64_t want)
{
    CLEANUP(free) char *whole = xasprintf("{'x': %s}", value);
    CLEANUP(json_decref) json_t *body = parse(whole);
    struct error err;
    instant got = 7;

    if (!styx_read_instant(body, "x", &got, &err)) {
        CHECK_HAS_AT(line, err.text, "x: ");
        got = BAD;
    }
    CHECK_INT_AT(line, got, want);
}

/* STYX-HTTP-05 */
TEST(instants_are_read)
{
    READ_INSTANT("'2026-01-02T00:00:07.5Z'", 1767312007500);
    READ_INSTANT("'2026-01-02T01:00:07+01:00'", 1767312007000);
    READ_INSTANT("1767312007", 1767312007000);
    READ_INSTANT("1767312007.5", 1767312007500);
    READ_INSTANT("-1.5", -1500);
    READ_INSTANT("null", 7);
    READ_INSTANT("''", 7);
    READ_INSTANT("'noon'", BAD);
    READ_INSTANT("true", BAD);
    READ_INSTANT("1e300", BAD);
    READ_INSTANT("9223372036854775807", BAD);
    READ_INSTANT("253402300799", 253402300799000);
    READ_INSTANT("253402300800", BAD);
    READ_INSTANT("-62135596801", BAD);
    READ_INSTANT("'2026-01-02T00:00:07Z\\u0000'", BAD);
}

#define READ_DURATION(value, want) check_read_duration(__LINE__, value, want)

static void check_read_duration(int line, const char *value, int64_t want)
{
    CLEANUP(free) char *whole = xasprintf("{'x': %s}", value);
    CLEANUP(json_decref) json_t *body = parse(whole);
    struct error err;
    int64_t got = 7;

    if (!styx_read_duration(body, "x", &got, &err)) {
        CHECK_HAS_AT(line, err.text, "x: ");
        got = BAD;
    }
    CHECK_INT_AT(line, got, want);
}

/* STYX-HTTP-06 */
TEST(durations_are_read)
{
    READ_DURATION("'PT2H'", 7200000);
    READ_DURATION("7200", 7200000);
    READ_DURATION("7200.000000000", 7200000);
    READ_DURATION("0.25", 250);
    READ_DURATION("null", 7);
    READ_DURATION("''", 7);
    READ_DURATION("'2h'", BAD);
    READ_DURATION("'PT2H\\u0000'", BAD);
    READ_DURATION("1e300", BAD);
    READ_DURATION("9223372036854775807", BAD);
    READ_DURATION("[]", BAD);
}

/* ---- deployments ---- */

#define DEPLOY(body, want_spec) check_deploy(__LINE__, body, want_spec)

static void check_deploy(int line, const char *text, const char *want)
{
    CLEANUP(json_decref) json_t *body = parse(text);
    CLEANUP(workflow_free) struct workflow *wf = NULL;
    struct error err;

    CHECK_OK_AT(line, styx_workflow_decode(body, "billing", &wf, &err), &err);
    check_json(line, workflow_encode_spec(wf), want);
}

/* STYX-CFG-01 STYX-FLY-01 */
TEST(a_deployment_with_everything)
{
    DEPLOY("{'id': 'daily', 'schedule': 'daily', 'offset': 'PT1H', 'commit_sha': 'c0ffee',"
           " 'docker_image': 'busybox', 'docker_args': ['--day', '{}'],"
           " 'docker_termination_logging': true, 'service_account': 'a@p.com',"
           " 'resources': ['b', 'a', 'b'], 'env': {'MODE': 'full'}, 'running_timeout': 'PT120M',"
           " 'retry_condition': '#tries < 3', 'flyte_exec_conf': {'reference_id': {}},"
           " 'deployment_source': {'source': 'git', 'repository': 'acme/etl'},"
           " 'deployment_time': 1767312007.5, 'secret': {'name': 's', 'mount_path': '/m'},"
           " 'someday': [1]}",
           "{'componentId': 'billing', 'workflowId': 'daily', 'schedule': 'daily',"
           " 'offset': 'PT1H', 'template': {'image': 'busybox', 'args': ['--day', '{}'],"
           " 'env': [{'name': 'MODE', 'value': 'full'}], 'terminationLogging': true,"
           " 'runningTimeout': 'PT2H', 'gcpServiceAccount': 'a@p.com'}, 'limits': ['b', 'a'],"
           " 'retryCondition': '#tries < 3', 'commitSha': 'c0ffee',"
           " 'deploymentSource': {'source': 'git', 'repository': 'acme/etl'},"
           " 'deploymentTime': '2026-01-02T00:00:07.500Z', 'flyteExecConf': {'reference_id': {}}}");
}

/* STYX-HTTP-04 STYX-HTTP-06: what the official client sends: all members, many null, seconds. */
TEST(a_deployment_by_the_official_client)
{
    DEPLOY("{'id': 'daily', 'schedule': 'days', 'offset': null, 'commit_sha': null,"
           " 'docker_image': 'busybox', 'docker_args': null, 'docker_termination_logging': false,"
           " 'service_account': null, 'resources': [], 'env': {},"
           " 'running_timeout': 7200.000000000, 'retry_condition': null, 'flyte_exec_conf': null,"
           " 'deployment_source': null, 'deployment_time': null}",
           "{'componentId': 'billing', 'workflowId': 'daily', 'schedule': 'days',"
           " 'template': {'image': 'busybox', 'runningTimeout': 'PT2H'}}");
}

/* STYX-HTTP-04 */
TEST(a_deployment_that_is_sloppy)
{
    DEPLOY("{'id': 5, 'schedule': 'daily', 'docker_args': 'x', 'resources': 'r',"
           " 'docker_termination_logging': 'true', 'env': {'N': 1}, 'commit_sha': 12345,"
           " 'running_timeout': 90}",
           "{'componentId': 'billing', 'workflowId': '5', 'schedule': 'daily',"
           " 'template': {'args': ['x'], 'env': [{'name': 'N', 'value': '1'}],"
           " 'terminationLogging': true, 'runningTimeout': 'PT1M30S'}, 'limits': ['r'],"
           " 'commitSha': '12345'}");
}

#define DEPLOYED_ARGS(sent, shown) check_args(__LINE__, sent, shown)

static void check_args(int line, const char *sent, const char *shown)
{
    CLEANUP(free) char *text = xasprintf("{'id': 'w', 'schedule': 'daily'%s}", sent);
    CLEANUP(json_decref) json_t *body = parse(text), *object = json_object();
    CLEANUP(workflow_free) struct workflow *wf = NULL;
    struct error err;

    CHECK_OK_AT(line, styx_workflow_decode(body, "billing", &wf, &err), &err);
    json_set_take(object, "spec", workflow_encode_spec(wf));
    CLEANUP(workflow_free) struct workflow *stored = workflow_decode(object);
    CLEANUP(json_decref) json_t *answer = styx_workflow(stored);
    check_json(line, json_incref(json_object_get(json_at(answer, "configuration"), "docker_args")),
               shown);
}

/* STYX-HTTP-05, STYX-CFG-01: an empty list is one, and not absent. */
TEST(no_arguments_are_shown_as_they_were_sent)
{
    DEPLOYED_ARGS("", "null");
    DEPLOYED_ARGS(", 'docker_args': null", "null");
    DEPLOYED_ARGS(", 'docker_args': []", "[]");
    DEPLOYED_ARGS(", 'docker_args': [null]", "[]");
    DEPLOYED_ARGS(", 'docker_args': ['']", "['']");
}

/* For workflow_validate, which says what to write. */
TEST(a_timeout_that_is_none_is_kept)
{
    DEPLOY("{'id': 'w', 'schedule': 'daily', 'running_timeout': '2h'}",
           "{'componentId': 'billing', 'workflowId': 'w', 'schedule': 'daily',"
           " 'template': {'runningTimeout': '2h'}}");
}

#define REFUSED(body, want) check_refused(__LINE__, body, want)

static void check_refused(int line, const char *text, const char *want)
{
    CLEANUP(json_decref) json_t *body = parse(text);
    struct workflow *wf = NULL;
    struct error err;

    CHECK_ERROR_AT(line, styx_workflow_decode(body, "billing", &wf, &err), &err, ERROR_INVALID);
    CHECK_STR_AT(line, err.text, want);
    CHECK_AT(line, !wf);
}

TEST(deployments_that_cannot_be_read)
{
    REFUSED("[]", "Invalid payload. must be an object");
    REFUSED("'x'", "Invalid payload. must be an object");
    REFUSED("{}", "Invalid payload. id: missing");
    REFUSED("{'id': null, 'schedule': 'daily'}", "Invalid payload. id: missing");
    REFUSED("{'id': 'w'}", "Invalid payload. schedule: missing");
    REFUSED("{'id': [], 'schedule': 'daily'}",
            "Invalid payload. id: must be a text without NUL characters");
    REFUSED("{'id': 'w', 'schedule': 'daily', 'docker_args': {}}",
            "Invalid payload. docker_args: must be a list of texts");
    REFUSED("{'id': 'w', 'schedule': 'daily', 'env': []}",
            "Invalid payload. env: must be an object");
    REFUSED("{'id': 'w', 'schedule': 'daily', 'running_timeout': []}",
            "Invalid payload. running_timeout: must be a text without NUL characters");
    REFUSED("{'id': 'w', 'schedule': 'daily', 'flyte_exec_conf': 'x'}",
            "Invalid payload. flyte_exec_conf: must be an object");
    REFUSED("{'id': 'w', 'schedule': 'daily', 'deployment_source': {'repository': 'r'}}",
            "Invalid payload. deployment_source.source: missing");
    REFUSED("{'id': 'w', 'schedule': 'daily', 'deployment_source': 'git'}",
            "Invalid payload. deployment_source: must be an object");
}

/* What is answered can be sent again and means the same. */
TEST(a_configuration_round_trips)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow(FULL), *again = NULL;
    CLEANUP(json_decref) json_t *answer = styx_workflow(wf);
    struct error err;

    CHECK_OK(styx_workflow_decode(json_at(answer, "configuration"), "billing", &again, &err), &err);
    CHECK_JSON(styx_workflow(again), FULL_WORKFLOW);
}

/* A body is up to 2 MB; what is too much for the rules must not be slow before they are asked. */
TEST(hundreds_of_thousands_of_small_things)
{
    json_t *env = json_object(), *resources = json_array();
    CLEANUP(json_decref) json_t *body = json_pack("{s:s, s:s, s:o, s:o}", "id", "w", "schedule",
                                                  "daily", "env", env, "resources", resources);
    CLEANUP(workflow_free) struct workflow *wf = NULL;
    struct error err;

    for (int i = 0; i < 200000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%d", i);
        json_set_text(env, name, "");
        json_array_append_new(resources, json_string(name));
    }
    CHECK_OK(styx_workflow_decode(body, "billing", &wf, &err), &err);
    CHECK_INT(wf->template.env.n, 200000);
    CHECK_INT(wf->limits.n, 200000);
}

/* ---- any JSON at all ---- */

static json_t *random_value(struct rng *rng, int depth)
{
    static const char *const names[] = {
        "id",
        "schedule",
        "offset",
        "docker_args",
        "resources",
        "env",
        "running_timeout",
        "deployment_source",
        "source",
        "repository",
        "deployment_time",
        "flyte_exec_conf",
        "docker_termination_logging",
    };
    json_t *value;

    switch (rng_below(rng, depth > 3 ? 6 : 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(rng_below(rng, 2));
    case 2:
        return json_integer((int64_t) rng_next(rng) >> rng_below(rng, 63));
    case 3:
        return json_real((double) rng_between(rng, -9, 9) * 1e18);
    case 4:
        return json_stringn("a\0b", rng_below(rng, 4));
    case 5:
        return json_string(names[rng_below(rng, ARRAY_SIZE(names))]);
    case 6:
        value = json_array();
        for (uint64_t i = rng_below(rng, 4); i > 0; i--)
            json_array_append_new(value, random_value(rng, depth + 1));
        return value;
    default:
        value = json_object();
        for (uint64_t i = rng_below(rng, 10); i > 0; i--)
            json_object_set_new(value, names[rng_below(rng, ARRAY_SIZE(names))],
                                random_value(rng, depth + 1));
        return value;
    }
}

TEST(any_body_is_read_or_refused)
{
    struct rng rng;
    int read = 0;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 50000; i++) {
        CLEANUP(json_decref) json_t *body = random_value(&rng, 0);
        CLEANUP(workflow_free) struct workflow *wf = NULL, *again = NULL;
        struct error err = {0};

        if (json_is_object(body) && rng_below(&rng, 2)) {
            json_object_set_new(body, "id", json_string("w"));
            json_object_set_new(body, "schedule", json_string("daily"));
        }
        if (!styx_workflow_decode(body, "c", &wf, &err)) {
            CHECK_HAS(err.text, "Invalid payload. ");
            continue;
        }
        CLEANUP(json_decref) json_t *answer = styx_workflow(wf);
        CHECK_OK(styx_workflow_decode(json_at(answer, "configuration"), "c", &again, &err), &err);
        CLEANUP(json_decref) json_t *same = styx_workflow(again);
        CHECK(json_equal(answer, same));
        read++;
    }
    CHECK(read > 500);
}
