/* SPDX-License-Identifier: Apache-2.0 */
#include "model/workflow.h"

#include "base/rng.h"
#include "test.h"

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

static struct workflow *decode(const char *text)
{
    CLEANUP(json_decref) json_t *object = parse(text);

    return workflow_decode(object);
}

#define CHECK_JSON(got, want) check_json(__LINE__, got, want)

/* Takes `got`. */
static void check_json(int line, json_t *got, const char *want)
{
    CLEANUP(json_decref) json_t *wanted = parse(want);
    CLEANUP(free) char *wanted_text = json_print(wanted);
    CLEANUP(free) char *text = json_print(got);

    json_decref(got);
    CHECK_STR_AT(line, text, wanted_text);
}

static instant at(const char *text)
{
    struct error err;
    instant t = 0;

    CHECK_OK(instant_parse(text, &t, &err), &err);
    return t;
}

#define FULL_SPEC                                                                                  \
    "{'componentId': 'billing', 'workflowId': 'daily-report', 'schedule': 'daily',"                \
    " 'offset': 'P1D', 'suspend': true,"                                                           \
    " 'template': {'image': 'reg.example/report:1.4', 'args': ['--day', '{}'],"                    \
    "  'env': [{'name': 'MODE', 'value': 'full'}, {'name': 'A', 'value': ''}],"                    \
    "  'terminationLogging': true, 'runningTimeout': 'PT2H',"                                      \
    "  'gcpServiceAccount': 'etl@p.iam.gserviceaccount.com',"                                      \
    "  'podTemplate': {'resources': {'requests': {'cpu': '100m'}}, 'nodeSelector': {}}},"          \
    " 'limits': ['warehouse'], 'retryCondition': '#tries < 3', 'commitSha': '3f2a9c1',"            \
    " 'deploymentSource': {'source': 'git', 'repository': 'acme/etl'},"                            \
    " 'deploymentTime': '2026-01-01T10:00:00.250Z', 'catchUp': 'Latest', 'maxActive': 7,"          \
    " 'historyLimit': {'successful': 1, 'failed': 0},"                                             \
    " 'flyteExecConf': {'reference_id': {'name': 'x'}},"                                           \
    " 'setNext': {'id': 'w1', 'next': '2026-01-05T00:00:00Z', 'nextOffset': "                      \
    "'2026-01-06T00:00:00Z'}}"

#define FULL_STATUS                                                                                \
    "{'componentId': 'billing', 'workflowId': 'daily-report', 'observedGeneration': 2,"            \
    " 'observedSchedule': 'days', 'observedOffset': 'P1D', 'epoch': 3,"                            \
    " 'next': '2026-01-02T00:00:00Z', 'nextOffset': '2026-01-03T00:00:00Z', 'nextDue': null,"      \
    " 'setNextId': 'w0',"                                                                          \
    " 'lastDecision': {'partition': '2026-01-01', 'at': '2026-01-02T00:00:00.007Z',"               \
    "  'result': 'Triggered', 'reason': 'Due', 'message': 'as planned'},"                          \
    " 'skipped': [{'from': '2025-12-01T00:00:00Z', 'to': '2025-12-03T00:00:00Z', 'count': 3,"      \
    "  'reason': 'Suspended', 'at': '2025-12-04T10:00:00Z'}],"                                     \
    " 'suspended': true,"                                                                          \
    " 'conditions': [{'type': 'Ready', 'status': 'True', 'observedGeneration': 2,"                 \
    "  'lastTransitionTime': '2025-11-01T00:00:00Z', 'reason': 'Accepted', 'message': ''}]}"

#define METADATA                                                                                   \
    "{'name': 'daily-report', 'namespace': 'kharon', 'uid': 'u-1', 'generation': 2,"               \
    " 'creationTimestamp': '2025-11-01T00:00:00Z', 'labels': {'x': 'y'}}"

#define FULL                                                                                       \
    "{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'Workflow', 'metadata': " METADATA              \
    ", 'spec': " FULL_SPEC ", 'status': " FULL_STATUS "}"

TEST(identity_is_decoded)
{
    CLEANUP(workflow_free) struct workflow *wf = decode(FULL);

    CHECK_STR(wf->problem, NULL);
    CHECK_STR(wf->id.ns, "kharon");
    CHECK_STR(wf->id.name, "daily-report");
    CHECK_STR(wf->id.uid, "u-1");
    CHECK_INT(wf->id.generation, 2);
    CHECK_INT(wf->id.created, at("2025-11-01T00:00:00Z"));
    CHECK(!wf->id.deleting);
}

TEST(an_object_that_is_being_deleted)
{
    CLEANUP(workflow_free) struct workflow *wf =
        decode("{'metadata': {'name': 'a', 'deletionTimestamp': '2026-01-01T00:00:00Z'}}");

    CHECK(wf->id.deleting);
    CHECK_STR(wf->id.ns, "");
    CHECK_STR(wf->id.uid, "");
}

/* STYX-CFG-01 */
TEST(spec_is_decoded)
{
    CLEANUP(workflow_free) struct workflow *wf = decode(FULL);

    CHECK_STR(wf->component_id, "billing");
    CHECK_STR(wf->workflow_id, "daily-report");
    CHECK_STR(wf->schedule, "daily");
    CHECK_STR(wf->offset, "P1D");
    CHECK(wf->suspend);
    CHECK_INT(wf->limits.n, 1);
    CHECK_STR(wf->limits.items[0], "warehouse");
    CHECK_STR(wf->retry_condition, "#tries < 3");
    CHECK_STR(wf->commit_sha, "3f2a9c1");
    CHECK_STR(wf->deployment_source, "git");
    CHECK_STR(wf->deployment_repository, "acme/etl");
    CHECK_INT(wf->deployment_time, at("2026-01-01T10:00:00.250Z"));
    CHECK_STR(catch_up_name(wf->catch_up), "Latest");
    CHECK_INT(wf->max_active, 7);
    CHECK_INT(wf->keep_successful, 1);
    CHECK_INT(wf->keep_failed, 0);
    CHECK_STR(wf->flyte, "{\"reference_id\":{\"name\":\"x\"}}");
    CHECK_STR(wf->set_next.id, "w1");
    CHECK_INT(wf->set_next.next, at("2026-01-05T00:00:00Z"));
    CHECK_INT(wf->set_next.next_offset, at("2026-01-06T00:00:00Z"));
}

/* STYX-CFG-01 */
TEST(template_is_decoded)
{
    CLEANUP(workflow_free) struct workflow *wf = decode(FULL);
    const struct template *t = &wf->template;

    CHECK_STR(t->image, "reg.example/report:1.4");
    CHECK_INT(t->args.n, 2);
    CHECK_STR(t->args.items[0], "--day");
    CHECK_STR(t->args.items[1], "{}");
    CHECK_INT(t->env.n, 2);
    CHECK_STR(env_get(&t->env, "MODE"), "full");
    CHECK_STR(env_get(&t->env, "A"), "");
    CHECK(t->termination_logging);
    CHECK_STR(t->running_timeout, "PT2H");
    CHECK_STR(t->gcp_service_account, "etl@p.iam.gserviceaccount.com");
    CHECK_STR(t->pod_template,
              "{\"resources\":{\"requests\":{\"cpu\":\"100m\"}},\"nodeSelector\":{}}");
}

TEST(status_is_decoded)
{
    CLEANUP(workflow_free) struct workflow *wf = decode(FULL);
    const struct workflow_status *s = &wf->status;

    CHECK_STR(s->component_id, "billing");
    CHECK_STR(s->workflow_id, "daily-report");
    CHECK_INT(s->observed_generation, 2);
    CHECK_STR(s->observed_schedule, "days");
    CHECK_STR(s->observed_offset, "P1D");
    CHECK_INT(s->cursor.epoch, 3);
    CHECK_INT(s->cursor.next, at("2026-01-02T00:00:00Z"));
    CHECK_INT(s->cursor.next_offset, at("2026-01-03T00:00:00Z"));
    CHECK_STR(s->set_next_id, "w0");
    CHECK_STR(s->last_decision.partition, "2026-01-01");
    CHECK_INT(s->last_decision.at, at("2026-01-02T00:00:00.007Z"));
    CHECK_STR(s->last_decision.result, "Triggered");
    CHECK_STR(s->last_decision.reason, "Due");
    CHECK_STR(s->last_decision.message, "as planned");
    CHECK_INT(s->n_skipped, 1);
    CHECK_INT(s->skipped[0].from, at("2025-12-01T00:00:00Z"));
    CHECK_INT(s->skipped[0].to, at("2025-12-03T00:00:00Z"));
    CHECK_INT(s->skipped[0].count, 3);
    CHECK_STR(s->skipped[0].reason, "Suspended");
    CHECK(s->suspended);
    CHECK_STR(s->ready.status, "True");
    CHECK_STR(s->ready.reason, "Accepted");
    CHECK_INT(s->ready.observed_generation, 2);
    CHECK_INT(s->ready.since, at("2025-11-01T00:00:00Z"));
}

/* As in the CRD, for objects that came by another way than an API server with defaulting. */
TEST(absent_fields_have_the_defaults_of_the_crd)
{
    CLEANUP(workflow_free) struct workflow *wf =
        decode("{'metadata': {'name': 'a', 'namespace': 'n'}, 'spec': {'schedule': '@daily',"
               " 'offset': null, 'template': null, 'someday': {}}}");

    CHECK_STR(wf->problem, NULL);
    CHECK_STR(wf->offset, NULL);
    CHECK(!wf->suspend);
    CHECK_STR(wf->template.image, NULL);
    CHECK_INT(wf->template.args.n, 0);
    CHECK_INT(wf->catch_up, CATCH_UP_ALL);
    CHECK_INT(wf->max_active, 100);
    CHECK_INT(wf->keep_successful, 3);
    CHECK_INT(wf->keep_failed, 10);
    CHECK(wf->deployment_time == INSTANT_NONE);
    CHECK_STR(wf->set_next.id, NULL);
    CHECK_INT(wf->status.cursor.epoch, 0);
    CHECK_STR(wf->status.ready.status, NULL);
}

TEST(the_pair_is_that_of_spec_or_namespace_and_name)
{
    CLEANUP(workflow_free) struct workflow *named = decode(FULL);
    CLEANUP(workflow_free) struct workflow *plain =
        decode("{'metadata': {'name': 'a', 'namespace': 'n'}, 'spec': {'schedule': 'daily'}}");

    CHECK_STR(workflow_component(named), "billing");
    CHECK_STR(workflow_id(named), "daily-report");
    CHECK_STR(workflow_component(plain), "n");
    CHECK_STR(workflow_id(plain), "a");
}

#define PROBLEM(object, want) check_problem(__LINE__, object, want)

static void check_problem(int line, const char *object, const char *want)
{
    CLEANUP(workflow_free) struct workflow *wf = decode(object);

    CHECK_STR_AT(line, wf->problem, want);
}

#define SPEC(members)   "{'spec': {'schedule': 'daily', " members "}}"
#define STATUS(members) "{'spec': {'schedule': 'daily'}, 'status': {" members "}}"

TEST(what_cannot_be_understood_is_said)
{
    PROBLEM("[]", "spec.schedule: missing");
    PROBLEM("'text'", "spec.schedule: missing");
    PROBLEM("{'spec': {}}", "spec.schedule: missing");
    PROBLEM("{'spec': 5}", "spec: must be an object");
    PROBLEM("{'spec': {'schedule': 5}}", "spec.schedule: must be a text");
    PROBLEM(SPEC("'suspend': 'no'"), "spec.suspend: must be true or false");
    PROBLEM(SPEC("'template': 'x'"), "spec.template: must be an object");
    PROBLEM(SPEC("'template': {'args': 'x'}"), "spec.template.args: must be a list");
    PROBLEM(SPEC("'template': {'args': ['x', 1]}"), "spec.template.args: item 1: must be a text");
    PROBLEM(SPEC("'template': {'env': [5]}"),
            "spec.template.env: item 0: must be an object with name and value");
    PROBLEM(SPEC("'template': {'env': [{'name': 'A'}, {'value': 'x'}]}"),
            "spec.template.env: item 1: name: missing");
    PROBLEM(SPEC("'template': {'podTemplate': []}"),
            "spec.template.podTemplate: must be an object");
    PROBLEM(SPEC("'commitSha': 'a\\u0000b'"), "spec.commitSha: must not contain a NUL character");
    PROBLEM(SPEC("'template': {'args': ['a\\u0000b']}"),
            "spec.template.args: item 0: must not contain a NUL character");
    PROBLEM(SPEC("'catchUp': 'Some'"), "spec.catchUp: Some is none of All, Latest, None");
    PROBLEM(SPEC("'maxActive': 0"), "spec.maxActive: 0 is not within 1 and 1000");
    PROBLEM(SPEC("'maxActive': 1001"), "spec.maxActive: 1001 is not within 1 and 1000");
    PROBLEM(SPEC("'maxActive': 1.5"), "spec.maxActive: must be an integer");
    PROBLEM(SPEC("'historyLimit': {'failed': -1}"),
            "spec.historyLimit.failed: -1 is not within 0 and 1000");
    PROBLEM(SPEC("'setNext': {'next': '2026-01-01T00:00:00Z'}"), "spec.setNext.id: missing");
    PROBLEM(STATUS("'epoch': 1, 'next': '2026-01-01T00:00:00Z'"), "status.nextOffset: missing");
    PROBLEM(STATUS("'epoch': 1, 'nextOffset': '2026-01-01T00:00:00Z'"), "status.next: missing");
    PROBLEM(STATUS("'epoch': 'x'"), "status.epoch: must be an integer");
    PROBLEM(STATUS("'lastDecision': 5"), "status.lastDecision: must be an object");
    PROBLEM(STATUS("'skipped': [{'count': -1}]"),
            "status.skipped: item 0: count: -1 is not within 0 and 100000");
    PROBLEM(STATUS("'conditions': [5, {'type': 'Ready', 'status': 5}]"),
            "status.conditions: item 1: status: must be a text");
}

TEST(a_bad_instant_names_its_field)
{
    CLEANUP(workflow_free) struct workflow *spec = decode(SPEC("'deploymentTime': 'noon'"));
    CLEANUP(workflow_free) struct workflow *status = decode(STATUS("'next': 'noon'"));

    CHECK_HAS(spec->problem, "spec.deploymentTime: ");
    CHECK_HAS(spec->problem, "noon");
    CHECK_HAS(status->problem, "status.next: ");
}

/* The cursor must survive a mistake in spec. */
TEST(status_is_decoded_in_spite_of_a_bad_spec)
{
    CLEANUP(workflow_free) struct workflow *wf =
        decode("{'spec': {'schedule': 5}, 'status': " FULL_STATUS "}");

    CHECK_HAS(wf->problem, "spec.schedule");
    CHECK_INT(wf->status.cursor.epoch, 3);
    CHECK_STR(wf->status.ready.reason, "Accepted");
}

TEST(encoding_is_the_inverse_of_decoding)
{
    CLEANUP(workflow_free) struct workflow *wf = decode(FULL);

    CHECK_JSON(workflow_encode_spec(wf), FULL_SPEC);
    CHECK_JSON(workflow_encode_status(&wf->status), FULL_STATUS);
}

/* Members in any order come back in one. */
TEST(encoding_has_one_order)
{
    CLEANUP(workflow_free) struct workflow *wf =
        decode("{'spec': {'maxActive': 5, 'template': {'env': [{'value': 'b', 'name': 'a'}],"
               " 'image': 'x'}, 'schedule': 'daily', 'componentId': 'c'}}");

    CHECK_JSON(workflow_encode_spec(wf),
               "{'componentId': 'c', 'schedule': 'daily', 'template': {'image': 'x',"
               " 'env': [{'name': 'a', 'value': 'b'}]}, 'maxActive': 5}");
}

TEST(defaults_are_left_out_of_spec)
{
    CLEANUP(workflow_free) struct workflow *wf = decode(
        "{'spec': {'schedule': 'daily', 'suspend': false, 'catchUp': 'All', 'maxActive': 100,"
        " 'historyLimit': {'successful': 3, 'failed': 10}, 'limits': [],"
        " 'template': {'terminationLogging': false, 'env': []}}}");

    CHECK_JSON(workflow_encode_spec(wf), "{'schedule': 'daily'}");
}

TEST(empty_arguments_are_kept)
{
    CLEANUP(workflow_free) struct workflow *wf =
        decode("{'spec': {'schedule': 'daily', 'template': {'args': []}}}");

    CHECK(wf->template.empty_args);
    CHECK_JSON(workflow_encode_spec(wf), "{'schedule': 'daily', 'template': {'args': []}}");
}

/* A merge patch removes a member only if it is null. */
TEST(what_is_absent_from_status_is_null)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow_new();

    CHECK_JSON(workflow_encode_status(&wf->status),
               "{'componentId': null, 'workflowId': null, 'observedGeneration': 0,"
               " 'observedSchedule': null, 'observedOffset': null, 'epoch': 0, 'next': null,"
               " 'nextOffset': null, 'nextDue': null, 'setNextId': null, 'lastDecision': null,"
               " 'skipped': null,"
               " 'suspended': null, 'conditions': null}");
}

/* It could not be told again as it is; the operator tells a status that is another one anew. */
TEST(a_condition_without_its_instant_is_none)
{
    CLEANUP(workflow_free) struct workflow *wf =
        decode("{'spec': {'schedule': 'days'}, 'status': {'conditions':"
               " [{'type': 'Ready', 'status': 'True', 'reason': 'Valid', 'message': ''}]}}");

    CHECK_STR(wf->problem, NULL);
    CHECK_STR(wf->status.ready.status, NULL);
}

/* The column NEXT of kubectl: nothing rather than an instant that will be in the past. */
TEST(when_the_next_is_due_is_told_while_anything_is_triggered)
{
#define CURSOR_READY(offset, ready)                                                                \
    "{'status': {'epoch': 1, 'next': '2026-01-02T00:00:00Z', 'nextOffset': '" offset "',"          \
    " 'conditions': [{'type': 'Ready', 'status': '" ready "',"                                     \
    "  'lastTransitionTime': '2026-01-01T00:00:00Z'}]}}"
#define READY_SINCE_NEVER                                                                          \
    "{'status': {'epoch': 1, 'next': '2026-01-02T00:00:00Z', 'nextOffset': "                       \
    "'2026-01-03T00:00:00Z',"                                                                      \
    " 'conditions': [{'type': 'Ready', 'status': 'True'}]}}"
    static const struct {
        int line;
        const char *object;
        bool suspended;
        const char *want;
    } rows[] = {
        {__LINE__, CURSOR_READY("2026-01-03T00:00:00Z", "True"), false, "2026-01-03T00:00:00Z"},
        {__LINE__, CURSOR_READY("2026-01-03T00:00:00Z", "True"), true, NULL},
        {__LINE__, CURSOR_READY("2026-01-03T00:00:00Z", "False"), false, NULL},
        {__LINE__, CURSOR_READY("9999-12-31T23:59:59.999Z", "True"), false, NULL},
        {__LINE__, READY_SINCE_NEVER, false, NULL},
        {__LINE__, "{}", false, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(workflow_free) struct workflow *wf = decode(rows[i].object);

        wf->status.suspended = rows[i].suspended;
        CLEANUP(json_decref) json_t *status = workflow_encode_status(&wf->status);
        CHECK_STR_AT(rows[i].line, json_text_at(status, "nextDue"), rows[i].want);
    }
}

TEST(a_zeroed_status_says_as_little)
{
    struct workflow_status zero = {0};
    CLEANUP(workflow_free) struct workflow *wf = workflow_new();
    CLEANUP(json_decref) json_t *a = workflow_encode_status(&zero);
    CLEANUP(json_decref) json_t *b = workflow_encode_status(&wf->status);

    CHECK(json_equal(a, b));
}

TEST(a_copy_of_status_stands_alone)
{
    struct workflow *wf = decode(FULL);
    struct workflow_status copy;

    workflow_status_copy(&copy, &wf->status);
    workflow_free(wf);
    CHECK_JSON(workflow_encode_status(&copy), FULL_STATUS);
    workflow_status_done(&copy);
    CHECK_INT(copy.n_skipped, 0);
}

/* ---- what was skipped ---- */

static void skip(struct workflow_status *s, const char *first, const char *last, int64_t count,
                 const char *reason)
{
    struct cursor_skip range = {.count = count, .first = at(first), .last = at(last)};

    workflow_status_skip(s, &range, reason, at("2026-06-01T00:00:00Z") + count);
}

TEST(ranges_that_touch_are_joined)
{
    struct workflow_status s = {.observed_schedule = xstrdup("days")};

    skip(&s, "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", 3, "Suspended");
    skip(&s, "2026-01-04T00:00:00Z", "2026-01-04T00:00:00Z", 1, "Suspended");
    CHECK_INT(s.n_skipped, 1);
    CHECK_INT(s.skipped[0].from, at("2026-01-01T00:00:00Z"));
    CHECK_INT(s.skipped[0].to, at("2026-01-04T00:00:00Z"));
    CHECK_INT(s.skipped[0].count, 4);
    CHECK_INT(s.skipped[0].at, at("2026-06-01T00:00:00.001Z"));
    workflow_status_done(&s);
}

TEST(ranges_that_do_not_touch_stay_apart)
{
    struct workflow_status s = {.observed_schedule = xstrdup("days")};

    skip(&s, "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", 3, "Suspended");
    skip(&s, "2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z", 1, "Suspended"); /* a gap */
    skip(&s, "2026-01-06T00:00:00Z", "2026-01-06T00:00:00Z", 1,
         "AlreadyActive"); /* another reason */
    skip(&s, "2026-01-06T00:00:00Z", "2026-01-06T00:00:00Z", 1, "AlreadyActive"); /* once more */
    CHECK_INT(s.n_skipped, 4);
    CHECK_STR(s.skipped[0].reason, "AlreadyActive");
    CHECK_STR(s.skipped[2].reason, "Suspended");
    CHECK_INT(s.skipped[2].from, at("2026-01-05T00:00:00Z"));
    CHECK_INT(s.skipped[3].count, 3);
    workflow_status_done(&s);
}

TEST(without_a_schedule_nothing_touches)
{
    struct workflow_status none = {0}, bad = {.observed_schedule = xstrdup("whenever")};

    for (int i = 0; i < 2; i++) {
        struct workflow_status *s = i ? &bad : &none;

        skip(s, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 1, "Suspended");
        skip(s, "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", 1, "Suspended");
        CHECK_INT(s->n_skipped, 2);
        workflow_status_done(s);
    }
}

TEST(an_empty_range_is_not_recorded)
{
    struct workflow_status s = {0};

    skip(&s, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 0, "Suspended");
    CHECK_INT(s.n_skipped, 0);
}

TEST(the_oldest_ranges_are_dropped)
{
    struct workflow_status s = {.observed_schedule = xstrdup("years")};
    char year[40];

    for (int i = 0; i < 25; i++) {
        snprintf(year, sizeof(year), "%d-01-01T00:00:00Z", 2000 + 2 * i);
        skip(&s, year, year, 1, "CatchUp");
    }
    CHECK_INT(s.n_skipped, WORKFLOW_MAX_SKIPPED);
    CHECK_INT(s.skipped[0].from, at("2048-01-01T00:00:00Z"));
    CHECK_INT(s.skipped[WORKFLOW_MAX_SKIPPED - 1].from, at("2030-01-01T00:00:00Z"));
    workflow_status_done(&s);
}

TEST(a_joined_count_stays_within_its_limit)
{
    struct workflow_status s = {.observed_schedule = xstrdup("days")};

    skip(&s, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", CURSOR_SKIP_COUNT_MAX, "Suspended");
    skip(&s, "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", 1, "Suspended");
    CHECK_INT(s.n_skipped, 1);
    CHECK_INT(s.skipped[0].count, CURSOR_SKIP_COUNT_MAX);
    workflow_status_done(&s);
}

/* ---- env and texts ---- */

TEST(a_variable_is_replaced_where_it_stands)
{
    struct env a = {0}, b = {0};

    env_set(&a, "X", "1");
    env_set(&a, "Y", "2");
    env_set(&a, "X", env_get(&a, "Y"));
    env_set(&b, "Z", "3");
    env_copy(&b, &a);
    env_set(&b, "Y", "4");
    CHECK_JSON(env_encode(&b), "[{'name': 'Z', 'value': '3'}, {'name': 'X', 'value': '2'},"
                               " {'name': 'Y', 'value': '4'}]");
    CHECK_STR(env_get(&a, "Z"), NULL);
    env_done(&a);
    env_done(&b);
    CHECK_INT(a.n, 0);
}

TEST(decoding_env_is_all_or_nothing)
{
    CLEANUP(json_decref) json_t *good = parse("[{'name': 'A'}, {'name': 'B', 'value': 'b'}]");
    CLEANUP(json_decref) json_t *bad = parse("[{'name': 'C', 'value': 'c'}, {'name': 5}]");
    struct env env = {0};
    struct error err;

    CHECK_OK(env_decode(good, &env, &err), &err);
    CHECK_OK(env_decode(NULL, &env, &err), &err);
    CHECK_ERROR(env_decode(bad, &env, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "item 1: name: must be a text");
    CHECK_INT(env.n, 2);
    CHECK_STR(env_get(&env, "A"), "");
    env_done(&env);
}

TEST(texts_are_appended)
{
    struct texts t = {0};

    texts_add(&t, "a");
    texts_copy(&t, &t);
    texts_add(&t, "b");
    CHECK_JSON(texts_encode(&t), "['a', 'a', 'b']");
    CHECK(texts_contain(&t, "b"));
    CHECK(!texts_contain(&t, "c"));
    texts_done(&t);
    CHECK(!texts_contain(&t, "a"));
}

/* ---- any JSON at all ---- */

static json_t *random_value(struct rng *rng)
{
    static const char *const texts[] = {
        "",
        "x",
        "daily",
        "P1D",
        "0 0 30 2 *",
        "2026-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "2026-13-01T00:00:00Z",
        "Ready",
        "{}",
        "\xf0\x9f\x9a\xa2",
    };

    switch (rng_below(rng, 9)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(rng_below(rng, 2));
    case 2:
        return json_integer(rng_between(rng, -3, 200));
    case 3:
        return json_integer(rng_below(rng, 2) ? INT64_MAX : INT64_MIN);
    case 4:
        return json_real(1e300);
    case 5:
        return json_stringn("a\0b", 3);
    case 6:
        return json_array();
    case 7:
        return json_object();
    default:
        return json_string(texts[rng_below(rng, ARRAY_SIZE(texts))]);
    }
}

/* Changes one member or item somewhere in the tree: another value, none, or one more. */
static void mutate(json_t *json, struct rng *rng)
{
    size_t n = json_is_object(json) ? json_object_size(json) : json_array_size(json);
    size_t i = n ? rng_below(rng, n) : 0;
    const char *key = NULL;
    json_t *child = NULL;

    if (json_is_object(json) && n) {
        void *iter = json_object_iter(json);

        for (size_t k = 0; k < i; k++)
            iter = json_object_iter_next(json, iter);
        key = json_object_iter_key(iter);
        child = json_object_iter_value(iter);
    } else if (json_is_array(json)) {
        child = json_array_get(json, i);
    }
    if (child && (json_is_object(child) || json_is_array(child)) && rng_below(rng, 8) > 0) {
        mutate(child, rng);
        return;
    }
    if (json_is_array(json) && rng_below(rng, 2)) {
        for (uint64_t k = rng_below(rng, 15); k > 0; k--)
            json_array_append(json, child && rng_below(rng, 2) ? child : json_null());
    } else if (json_is_array(json) && n) {
        json_array_set_new(json, i, random_value(rng));
    } else if (key && rng_below(rng, 4) == 0) {
        json_object_del(json, key);
    } else if (key) {
        json_object_set_new(json, key, random_value(rng));
    }
}

/* Either there is a problem, or what was understood survives being written and read again. */
static void check_any(const json_t *object)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow_decode(object);
    CLEANUP(json_decref) json_t *spec = workflow_encode_spec(wf);
    CLEANUP(json_decref) json_t *status = workflow_encode_status(&wf->status);

    CHECK(wf->id.ns && wf->id.name && wf->id.uid && workflow_component(wf) && workflow_id(wf));
    if (wf->problem) {
        CHECK(*wf->problem);
        return;
    }
    CLEANUP(json_decref) json_t *again = json_pack("{s:O, s:O}", "spec", spec, "status", status);
    CLEANUP(workflow_free) struct workflow *other = workflow_decode(again);
    CLEANUP(json_decref) json_t *other_spec = workflow_encode_spec(other);
    CLEANUP(json_decref) json_t *other_status = workflow_encode_status(&other->status);
    CHECK_STR(other->problem, NULL);
    CHECK(json_equal(spec, other_spec));
    CHECK(json_equal(status, other_status));
}

TEST(any_mutation_is_a_problem_or_round_trips)
{
    CLEANUP(json_decref) json_t *full = parse(FULL);
    struct rng rng;
    int problems = 0;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        CLEANUP(json_decref) json_t *object = json_deep_copy(full);

        for (uint64_t k = rng_below(&rng, 4); k > 0; k--)
            mutate(object, &rng);
        check_any(object);
        CLEANUP(workflow_free) struct workflow *wf = workflow_decode(object);
        problems += wf->problem != NULL;
    }
    CHECK(problems > 2000 && problems < 18000); /* both kinds were met */
}

TEST(values_that_are_no_objects_are_problems)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 100; i++) {
        CLEANUP(json_decref) json_t *value = random_value(&rng);

        check_any(value);
    }
    CLEANUP(workflow_free) struct workflow *none = workflow_decode(NULL);
    CHECK_STR(none->problem, "spec.schedule: missing");
}
