/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#define V3 "/api/v3"

/* What every workflow of these tests answers: only what differs is written again. */
#define CONFIGURATION(id, schedule, image)                                                         \
    "{\"id\":\"" id "\",\"schedule\":\"" schedule "\",\"offset\":null,\"commit_sha\":null,"        \
    "\"docker_image\":" image ",\"docker_args\":null,\"docker_termination_logging\":false,"        \
    "\"service_account\":null,\"resources\":[],\"env\":{},\"running_timeout\":null,"               \
    "\"retry_condition\":null,\"flyte_exec_conf\":null,\"deployment_source\":null,"                \
    "\"deployment_time\":null}"

#define WORKFLOW(component, id, schedule, image)                                                   \
    "{\"component_id\":\"" component "\",\"workflow_id\":\"" id "\",\"component_uri\":null,"       \
    "\"configuration\":" CONFIGURATION(id, schedule, image) "}"

#define STATE(enabled, next, offset)                                                               \
    "{\"enabled\":" enabled ",\"next_natural_trigger\":" next                                      \
    ",\"next_natural_offset_trigger\":" offset "}"

/* A cursor as the operator sets it, and how it is shown. */
#define CURSOR                                                                                     \
    "{\"observedSchedule\":\"days\",\"observedOffset\":\"P1D\",\"epoch\":1,"                       \
    "\"next\":\"2026-01-10T00:00:00Z\",\"nextOffset\":\"2026-01-11T00:00:00Z\"}"
#define NEXT        "\"2026-01-10T00:00:00Z\""
#define NEXT_OFFSET "\"2026-01-11T00:00:00Z\""

static void make_workflow(const char *ns, const char *name, const char *spec)
{
    make(&workflow_resource, ns, name, spec, NULL);
}

/* STYX-API-02, STYX-API-04, STYX-API-06, STYX-API-08, STYX-HTTP-05, STYX-API-30 */
TEST(workflows_are_read)
{
    set_up();
    ASK("GET", V3 "/workflows", NULL, 200, "[]");
    make(&workflow_resource, "billing", "daily-report",
         "{\"schedule\":\"daily\",\"template\":{\"image\":\"busybox:1\"}}", CURSOR);
    settle();
    make_workflow("kharon", "x",
                  "{\"componentId\":\"team a\",\"workflowId\":\"w/1\",\"schedule\":\"0 * * * MON\","
                  "\"suspend\":true}");
    settle();
#define REPORT       WORKFLOW("billing", "daily-report", "days", "\"busybox:1\"")
#define OTHER        WORKFLOW("team a", "w/1", "0 * * * mon", "null")
#define REPORT_STATE STATE("true", NEXT, NEXT_OFFSET)
#define OTHER_STATE  STATE("false", "\"2026-01-12T00:00:00Z\"", "\"2026-01-12T00:00:00Z\"")
    ASK("GET", V3 "/workflows", NULL, 200, "[" REPORT "," OTHER "]");
    CHECK_STR(w.last->type, "application/json");
    ASK("GET", V3 "/workflows?full=false", NULL, 200, "[" REPORT "," OTHER "]");
    ASK("GET", V3 "/workflows?full", NULL, 200,
        "[{\"workflow\":" REPORT ",\"state\":" REPORT_STATE "},{\"workflow\":" OTHER
        ",\"state\":" OTHER_STATE "}]");
    ASK("GET", V3 "/workflows/billing", NULL, 200, "[" REPORT "]");
    ASK("GET", V3 "/workflows/unknown", NULL, 200, "[]");
    ASK("GET", V3 "/workflows/billing/daily-report", NULL, 200, REPORT);
    ASK("GET", V3 "/workflows/team%20a/w%2F1", NULL, 200, OTHER);
    ASK("GET", V3 "/workflows/billing/daily-report/full", NULL, 200,
        "{\"workflow\":" REPORT ",\"state\":" REPORT_STATE "}");
    ASK("GET", V3 "/workflows/billing/daily-report/state", NULL, 200, REPORT_STATE);
    tear_down();
}

/* STYX-API-02, STYX-API-08, STYX-API-09, STYX-SCH-09 */
TEST(the_cursor_of_a_disabled_workflow_moves_with_time)
{
    set_up();
    make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\",\"suspend\":true}",
         CURSOR);
    settle();
    for (int day = 0; day < 3; day++) {
        CLEANUP(free) char *state =
            xasprintf(STATE("false", "\"2026-01-%dT00:00:00Z\"", "\"2026-01-%dT00:00:00Z\""),
                      10 + day, 11 + day);
        CLEANUP(free) char *full = xasprintf("{\"workflow\":%s,\"state\":%s}",
                                             WORKFLOW("billing", "report", "days", "null"), state);
        CLEANUP(free) char *list = xasprintf("[%s]", full);

        ASK("GET", V3 "/workflows/billing/report/state", NULL, 200, state);
        ASK("GET", V3 "/workflows/billing/report/full", NULL, 200, full);
        ASK("GET", V3 "/workflows?full=true", NULL, 200, list);
        ASK("PATCH", V3 "/workflows/billing/report/state", "{}", 200, state);
        fake_run(w.fake, DAY_MS);
    }
    CHECK_INT(fake_count_requests(w.fake, K8S_PATCH, "workflows"), 0);
    tear_down();
}

/* STYX-API-06, STYX-API-08, STYX-API-09 */
TEST(what_does_not_exist_is_asked_for_first)
{
    set_up();
    REFUSED("GET", V3 "/workflows/billing/nope", NULL, 404, "workflow not found");
    CHECK_INT(fake_count_requests(w.fake, K8S_GET, "workflows"), 1);
    REFUSED("GET", V3 "/workflows/billing/nope/full", NULL, 404, "workflow not found");
    ASK("GET", V3 "/workflows/billing/nope/state", NULL, 200, STATE("false", "null", "null"));
    tear_down();
}

TEST(when_kubernetes_cannot_be_asked_nobody_is_told_404)
{
    set_up();
    fake_fail_next(w.fake, FAKE_REFUSE, 1, K8S_GET, "workflows");
    CHECK_INT(ask("GET", V3 "/workflows/billing/nope", NULL)->status, 503);
    CHECK_STR(w.last->retry_after, "1");
    CHECK_HAS(w.last->reason, "Could not ask Kubernetes: ");
    fake_fail_next(w.fake, FAKE_LOSE_REPLY, 1, K8S_GET, "workflows");
    CHECK_INT(ask("GET", V3 "/workflows/billing/nope", NULL)->status, 504);
    tear_down();
}

/* STYX-API-03 */
TEST(deployments_are_filtered)
{
    static const struct {
        int line;
        const char *query;
        bool a, b, c;
    } rows[] = {
        {__LINE__, "", true, true, true},
        {__LINE__, "?deployment_type=", true, true, true},
        {__LINE__, "?deployment_type=git", true, false, false},
        {__LINE__, "?deployment_type=GIT", false, false, false},
        {__LINE__, "?deployment_time_before=2026-01-02T00:00:00Z", true, false, false},
        {__LINE__, "?deployment_time_before=2026-01-01T00:00:00Z", false, false, false},
        {__LINE__, "?deployment_time_after=2026-01-01T00:00:00Z", false, true, false},
        {__LINE__, "?deployment_time_after=2025-12-31T23:59:59.999Z&deployment_type=git", true,
         false, false},
    };

    set_up();
    make_workflow("billing", "a",
                  "{\"schedule\":\"daily\",\"deploymentSource\":{\"source\":\"git\"},"
                  "\"deploymentTime\":\"2026-01-01T00:00:00Z\"}");
    make_workflow("billing", "b",
                  "{\"schedule\":\"daily\",\"deploymentSource\":{\"source\":\"styx-cli\"},"
                  "\"deploymentTime\":\"2026-01-03T00:00:00Z\"}");
    make_workflow("billing", "c", "{\"schedule\":\"daily\"}");
    settle();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(free) char *target = xasprintf("%s/workflows%s", V3, rows[i].query);
        const char *body = ask("GET", target, NULL)->body;

        CHECK_INT_AT(rows[i].line, strstr(body, "\"workflow_id\":\"a\"") != NULL, rows[i].a);
        CHECK_INT_AT(rows[i].line, strstr(body, "\"workflow_id\":\"b\"") != NULL, rows[i].b);
        CHECK_INT_AT(rows[i].line, strstr(body, "\"workflow_id\":\"c\"") != NULL, rows[i].c);
    }
    CHECK_INT(ask("GET", V3 "/workflows?deployment_time_before=yesterday", NULL)->status, 400);
    tear_down();
}

/* design, section 3: where things live */
TEST(only_the_oldest_in_the_right_place_is_meant)
{
    set_up();
    make_workflow("kharon", "elsewhere",
                  "{\"componentId\":\"money\",\"workflowId\":\"w\",\"schedule\":\"daily\"}");
    settle();
    ASK("GET", V3 "/workflows/money", NULL, 200, "[]");
    make_workflow("billing", "first",
                  "{\"componentId\":\"money\",\"workflowId\":\"w\",\"schedule\":\"hourly\"}");
    fake_run(w.fake, 5000);
    make_workflow("billing", "second",
                  "{\"componentId\":\"money\",\"workflowId\":\"w\",\"schedule\":\"weekly\"}");
    settle();
    ASK("GET", V3 "/workflows/money/w", NULL, 200, WORKFLOW("money", "w", "hours", "null"));
    ASK("GET", V3 "/workflows", NULL, 200, "[" WORKFLOW("money", "w", "hours", "null") "]");
    CHECK(fake_delete(w.fake, &workflow_resource, "billing", "first"));
    settle();
    ASK("GET", V3 "/workflows/money/w", NULL, 200, WORKFLOW("money", "w", "weeks", "null"));
    tear_down();
}

/* ---- POST ---- */

#define POSTED(component, id, schedule, image)                                                     \
    "{\"component_id\":\"" component "\",\"workflow_id\":\"" id "\",\"component_uri\":null,"       \
    "\"configuration\":{\"id\":\"" id "\",\"schedule\":\"" schedule "\",\"offset\":null,"          \
    "\"commit_sha\":null,\"docker_image\":" image ",\"docker_args\":null,"                         \
    "\"docker_termination_logging\":false,\"service_account\":null,\"resources\":[],\"env\":{},"   \
    "\"running_timeout\":null,\"retry_condition\":null,\"flyte_exec_conf\":null,"                  \
    "\"deployment_source\":null,\"deployment_time\":\"T\"},\"__from_api\":\"V3\"}"

/* The time of the deployment, which is now, becomes "T". */
static void check_posted(int line, const char *target, const char *body, const char *want)
{
    struct answer *a = ask("POST", target, body);
    char *at = strstr(a->body, "\"deployment_time\":\"2026-01-10T12:");

    CHECK_INT_AT(line, a->status, 200);
    CHECK_AT(line, at);
    at += strlen("\"deployment_time\":\"");
    memmove(at + 1, strchr(at, '"'), strlen(strchr(at, '"')) + 1);
    *at = 'T';
    CHECK_STR_AT(line, a->body, want);
}

#define POST(target, body, want) check_posted(__LINE__, target, body, want)

/* STYX-API-05, STYX-API-09 */
TEST(a_workflow_is_created_disabled)
{
    set_up();
    POST(V3 "/workflows/billing",
         "{\"id\":\"report\",\"schedule\":\"@daily\",\"docker_image\":\"busybox:1\",\"unknown\":1,"
         "\"commit_sha\":null}",
         POSTED("billing", "report", "days", "\"busybox:1\""));
    /* 13.2: visible to the next read, before any watch has told. */
    CHECK_INT(ask("GET", V3 "/workflows/billing/report", NULL)->status, 200);
    /* Nor does anybody wait for the operator to see what comes next (6.6). */
    ASK("GET", V3 "/workflows/billing/report/state", NULL, 200, STATE("false", NEXT, NEXT_OFFSET));
    CHECK_HAS(ask("GET", V3 "/workflows/billing/report/full", NULL)->body,
              "\"state\":" STATE("false", NEXT, NEXT_OFFSET));
    const json_t *object = fake_get(w.fake, &workflow_resource, "billing", "billing.report");
    CHECK(object);
    CHECK_STR(json_text_at(object, "spec.componentId"), "billing");
    CHECK_STR(json_text_at(object, "spec.workflowId"), "report");
    CHECK(json_bool_at(object, "spec.suspend", false));
    tear_down();
}

/* STYX-API-05 */
TEST(an_update_keeps_what_it_does_not_know)
{
    set_up();
    make_workflow("billing", "report",
                  "{\"schedule\":\"daily\",\"suspend\":false,\"catchUp\":\"Latest\"}");
    settle();
    POST(V3 "/workflows/billing",
         "{\"id\":\"report\",\"schedule\":\"daily\",\"docker_image\":\"busybox:1\"}",
         POSTED("billing", "report", "days", "\"busybox:1\""));
    const json_t *object = fake_get(w.fake, &workflow_resource, "billing", "report");
    CHECK_STR(json_text_at(object, "spec.template.image"), "busybox:1");
    CHECK_STR(json_text_at(object, "spec.catchUp"), "Latest");
    CHECK_STR(json_text_at(object, "spec.componentId"), NULL);
    CHECK(!json_bool_at(object, "spec.suspend", true));
    CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 1);
    tear_down();
}

/* STYX-API-05: the order of the checks */
TEST(deployments_are_refused_in_order)
{
    set_up();
    REFUSED("POST", V3 "/workflows/c", NULL, 400, "Missing payload.");
    CHECK_INT(ask("POST", V3 "/workflows/c", "{")->status, 400);
    CHECK_HAS(w.last->reason, "Invalid payload. ");
    CHECK_INT(ask("POST", V3 "/workflows/c", "[]")->status, 400);
    CHECK_HAS(w.last->reason, "Invalid payload. ");
    CHECK_INT(ask("POST", V3 "/workflows/c", "{\"id\":\"x\"}")->status, 400);
    CHECK_HAS(w.last->reason, "Invalid payload. ");
    REFUSED("POST", V3 "/workflows/c%23d", "{\"id\":\"\",\"schedule\":\"never\"}", 400,
            "Invalid workflow configuration: [component id cannot contain #, workflow id cannot be "
            "empty, "
            "invalid schedule]");
    CHECK_INT(ask("POST", V3 "/workflows/c", "{\"id\":\"x\",\"schedule\":\"0 0 30 2 *\"}")->status,
              400);
    CHECK_HAS(w.last->reason, "Invalid workflow configuration: [");
    REFUSED(
        "POST", V3 "/workflows/c",
        "{\"id\":\"x\",\"schedule\":\"daily\",\"resources\":[\"r\"],\"retry_condition\":\"true\"}",
        400,
        "Invalid workflow configuration: [resources: not supported yet, retry_condition: not "
        "supported yet]");
    CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 0);
    tear_down();
}

TEST(a_name_that_is_taken_by_another_pair_is_told)
{
    set_up();
    make_workflow("kharon", "c.x",
                  "{\"componentId\":\"other\",\"workflowId\":\"y\",\"schedule\":\"daily\"}");
    settle();
    REFUSED("POST", V3 "/workflows/c", "{\"id\":\"x\",\"schedule\":\"daily\"}", 409,
            "The object kharon/c.x is another workflow: other#y");
    tear_down();
}

/* Lost requests, lost replies and conflicts cost another look, not an error. */
TEST(deployments_survive_faults)
{
    static const struct {
        int line;
        enum fake_fault fault;
        int n, verb, status;
    } rows[] = {
        {__LINE__, FAKE_LOSE_REPLY, 1, K8S_APPLY, 200},
        {__LINE__, FAKE_LOSE_REQUEST, 1, K8S_APPLY, 200},
        {__LINE__, FAKE_LATE, 1, K8S_APPLY, 200},
        {__LINE__, FAKE_CONFLICT, 2, K8S_APPLY, 200},
        {__LINE__, FAKE_CONFLICT, 100, K8S_APPLY, 409},
        {__LINE__, FAKE_REFUSE, 1, K8S_APPLY, 503},
        {__LINE__, FAKE_THROTTLE, 1, K8S_APPLY, 429},
        {__LINE__, FAKE_FORBID, 1, K8S_APPLY, 403},
        {__LINE__, FAKE_NO_RIGHT, 1, K8S_APPLY, 503},
        {__LINE__, FAKE_REFUSE, 1, K8S_GET, 503},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_up();
        fake_fail_next(w.fake, rows[i].fault, rows[i].n, rows[i].verb, "workflows");
        CHECK_INT_AT(
            rows[i].line,
            ask("POST", V3 "/workflows/c", "{\"id\":\"x\",\"schedule\":\"daily\"}")->status,
            rows[i].status);
        if (rows[i].status == 200) {
            CHECK_INT_AT(rows[i].line, fake_count_objects(w.fake, &workflow_resource), 1);
            CHECK_AT(rows[i].line,
                     json_bool_at(fake_get(w.fake, &workflow_resource, "kharon", "c.x"),
                                  "spec.suspend", false));
        }
        tear_down();
    }
}

/* ---- DELETE ---- */

/* STYX-API-07 */
TEST(a_workflow_is_deleted)
{
    set_up();
    make_workflow("billing", "report", "{\"schedule\":\"daily\"}");
    settle();
    ASK("DELETE", V3 "/workflows/billing/report", NULL, 204, "");
    REFUSED("GET", V3 "/workflows/billing/report", NULL, 404, "workflow not found");
    REFUSED("DELETE", V3 "/workflows/billing/report", NULL, 404, "Workflow does not exist");
    CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 0);
    tear_down();
}

TEST(an_object_that_a_finalizer_keeps_counts_as_deleted)
{
    set_up();
    fake_create(
        w.fake, &workflow_resource,
        "{\"metadata\":{\"namespace\":\"billing\",\"name\":\"report\",\"finalizers\":[\"a.b/c\"]},"
        "\"spec\":{\"schedule\":\"daily\"}}");
    settle();
    ASK("DELETE", V3 "/workflows/billing/report", NULL, 204, "");
    REFUSED("DELETE", V3 "/workflows/billing/report", NULL, 404, "Workflow does not exist");
    CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 1);
    tear_down();
}

static void set_up_report(void)
{
    set_up();
    make_workflow("billing", "report", "{\"schedule\":\"daily\"}");
    settle();
}

/* Somebody deletes the workflow and makes it again: another object under the same name. */
static void make_anew(const char *spec)
{
    fake_delete(w.fake, &workflow_resource, "billing", "report");
    make_workflow("billing", "report", spec);
}

TEST(deletions_survive_faults)
{
    static const struct {
        int line;
        enum fake_fault fault;
        int n, verb, status;
    } rows[] = {
        {__LINE__, FAKE_LOSE_REPLY, 1, K8S_DELETE, 204},
        {__LINE__, FAKE_LOSE_REQUEST, 1, K8S_DELETE, 204},
        {__LINE__, FAKE_HANG_UP, 1, K8S_DELETE, 204},
        {__LINE__, FAKE_NO_LEADER, 1, K8S_DELETE, 204},
        {__LINE__, FAKE_CONFLICT, 2, K8S_DELETE, 204},
        {__LINE__, FAKE_CONFLICT, 100, K8S_DELETE, 409},
        {__LINE__, FAKE_REFUSE, 1, K8S_DELETE, 503},
        {__LINE__, FAKE_NO_RIGHT, 1, K8S_DELETE, 503},
        {__LINE__, FAKE_REFUSE, 1, K8S_GET, 503},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (int stale = 0; stale < 2; stale++) {
            set_up_report();
            if (stale) /* the copy in memory does not know of it yet */
                make_anew("{\"schedule\":\"hourly\"}");
            fake_fail_next(w.fake, rows[i].fault, rows[i].n, rows[i].verb, "workflows");
            CHECK_INT_AT(rows[i].line, ask("DELETE", V3 "/workflows/billing/report", NULL)->status,
                         rows[i].status);
            CHECK_INT_AT(rows[i].line, fake_count_objects(w.fake, &workflow_resource),
                         rows[i].status != 204);
            tear_down();
        }
}

/* Its answer was lost, and the workflow is there again before it is repeated: it was done all the
 * same, and what is there now is not meant. */
TEST(a_deletion_that_is_repeated_means_the_same_workflow)
{
    static const enum fake_fault faults[] = {FAKE_LOSE_REPLY, FAKE_LOSE_REQUEST};

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        set_up_report();
        fake_fail_next(w.fake, faults[i], 1, K8S_DELETE, "workflows");
        struct answer *a = begin("DELETE", V3 "/workflows/billing/report", NULL);
        fake_run(w.fake, 100);
        CHECK(!a->answered);
        make_anew("{\"schedule\":\"hourly\"}");
        fake_run(w.fake, ANSWER_WITHIN_MS);
        CHECK_INT(a->status, 204);
        CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 1);
        ASK("GET", V3 "/workflows/billing/report", NULL, 200,
            WORKFLOW("billing", "report", "hours", "null"));
        answer_free(a);
        tear_down();
    }
}

/* The copy does not know yet that it has gone, and that another workflow's object has its name. */
TEST(a_deletion_does_not_hit_another_workflow_of_that_name)
{
    set_up_report();
    make_anew("{\"componentId\":\"billing\",\"workflowId\":\"other\",\"schedule\":\"daily\"}");
    REFUSED("DELETE", V3 "/workflows/billing/report", NULL, 404, "Workflow does not exist");
    CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 1);
    CHECK_INT(ask("GET", V3 "/workflows/billing/other", NULL)->status, 200);
    tear_down();
}

/* Between our look and our delete. */
TEST(a_deletion_meets_a_workflow_that_is_made_anew)
{
    set_up_report();
    fake_set_latency(w.fake, 100, 100);
    struct answer *a = begin("DELETE", V3 "/workflows/billing/report", NULL);
    fake_run(w.fake, 250);
    make_anew("{\"schedule\":\"hourly\"}");
    fake_run(w.fake, 2000);
    CHECK_INT(a->status, 204);
    CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 0);
    answer_free(a);
    tear_down();
}

/* ---- PATCH state ---- */

/* STYX-API-10, STYX-HTTP-04 */
TEST(the_state_is_patched)
{
    static const struct {
        int line;
        const char *body, *want;
    } rows[] = {
        {__LINE__, "{}", STATE("true", NEXT, NEXT_OFFSET)},
        /* An empty text is no value, as for the instants. */
        {__LINE__, "{\"enabled\":\"\",\"next_natural_trigger\":\"\"}",
         STATE("true", NEXT, NEXT_OFFSET)},
        {__LINE__, "{\"enabled\":false}", STATE("false", NEXT, NEXT_OFFSET)},
        {__LINE__, "{\"enabled\":\"true\",\"next_natural_trigger\":null}",
         STATE("true", NEXT, NEXT_OFFSET)},
        {__LINE__, "{\"enabled\":\"false\",\"more\":1}", STATE("false", NEXT, NEXT_OFFSET)},
        {__LINE__, "{\"next_natural_trigger\":\"2026-01-05T00:00:00Z\"}",
         STATE("false", "\"2026-01-05T00:00:00Z\"", NEXT_OFFSET)},
        {__LINE__, "{\"enabled\":true,\"next_natural_offset_trigger\":1767744000}",
         STATE("true", "\"2026-01-05T00:00:00Z\"", "\"2026-01-07T00:00:00Z\"")},
        {__LINE__,
         "{\"enabled\":false,\"next_natural_trigger\":\"2026-01-08T00:00:00Z\","
         "\"next_natural_offset_trigger\":\"2026-01-12T00:00:00.5Z\"}",
         STATE("false", "\"2026-01-08T00:00:00Z\"", "\"2026-01-12T00:00:00.500Z\"")},
        /* Time has moved it on before anybody could read it. */
        {__LINE__, "{\"next_natural_offset_trigger\":\"2026-01-09T00:00:00Z\"}",
         STATE("false", NEXT, NEXT_OFFSET)},
    };

    set_up();
    make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
    settle();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct answer *a = ask("PATCH", V3 "/workflows/billing/report/state", rows[i].body);

        CHECK_INT_AT(rows[i].line, a->status, 200);
        CHECK_STR_AT(rows[i].line, a->body, rows[i].want);
        ASK("GET", V3 "/workflows/billing/report/state", NULL, 200, rows[i].want);
    }
    tear_down();
}

/* STYX-API-10: the phrase is Styx's, and the body tells more. */
TEST(bad_patches_are_refused)
{
    static const struct {
        int line;
        const char *body, *detail;
    } rows[] = {
        {__LINE__, "nonsense", "\"message\":\"Invalid payload. not JSON: "},
        {__LINE__, "[]", "\"message\":\"Invalid payload. not a JSON object\""},
        {__LINE__, "{\"enabled\":\"maybe\"}",
         "\"message\":\"Invalid payload. enabled: must be true or false\""},
        {__LINE__, "{\"next_natural_trigger\":\"soon\"}",
         "\"message\":\"Invalid payload. next_natural_trigger: "},
    };

    set_up();
    make_workflow("billing", "report", "{\"schedule\":\"daily\"}");
    settle();
    REFUSED("PATCH", V3 "/workflows/billing/nope/state", NULL, 400, "Missing payload.");
    REFUSED("PATCH", V3 "/workflows/billing/nope/state", "nonsense", 404, "workflow not found");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct answer *a = ask("PATCH", V3 "/workflows/billing/report/state", rows[i].body);

        CHECK_INT_AT(rows[i].line, a->status, 400);
        CHECK_STR_AT(rows[i].line, a->reason, "Invalid payload.");
        CHECK_HAS_AT(rows[i].line, a->body, rows[i].detail);
    }
    tear_down();
}

TEST(a_wish_that_nobody_answers_is_accepted_only)
{
    set_up();
    w.operator_works = false;
    make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
    settle();
    int64_t before = loop_now(w.loop, LOOP_MONOTONIC);
    ASK("PATCH", V3 "/workflows/billing/report/state",
        "{\"next_natural_trigger\":\"2026-01-05T00:00:00Z\"}", 202,
        STATE("true", "\"2026-01-05T00:00:00Z\"", NEXT_OFFSET));
    CHECK_STR(w.last->reason, "Accepted, not yet confirmed by the operator");
    CHECK(loop_now(w.loop, LOOP_MONOTONIC) - before >= API_CONFIRM_MS);
    tear_down();
}

/* ---- one write ---- */

#define BOTH                                                                                       \
    "{\"enabled\":true,\"next_natural_trigger\":\"2026-01-05T00:00:00Z\","                         \
    "\"next_natural_offset_trigger\":\"2026-01-06T00:00:00Z\"}"

/* Whenever the workflow changes: enabled and moved, or neither. */
static void check_whole(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                        void *arg)
{
    int *n = arg;

    (void) old;
    if (resource != &workflow_resource || !new)
        return;
    ++*n;
    CHECK_INT(!json_bool_at(new, "spec.suspend", false), json_at(new, "spec.setNext") != NULL);
}

static void make_suspended(const char *manager)
{
    make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
    suspend_by(manager, "billing", "report");
    settle();
}

static void set_up_suspended(struct fake_watcher *watcher, int *n_changes)
{
    set_up();
    make_suspended("kharon-api-state");
    *n_changes = 0;
    *watcher = (struct fake_watcher) {.on_change = check_whole, .arg = n_changes};
    fake_watcher_add(w.fake, watcher);
}

static bool is_enabled(void)
{
    return !json_bool_at(fake_get(w.fake, &workflow_resource, "billing", "report"), "spec.suspend",
                         false);
}

/* STYX-API-10: the present fields are written atomically. */
TEST(enabling_and_moving_is_one_write)
{
    struct fake_watcher watcher;
    int n_changes;

    set_up_suspended(&watcher, &n_changes);
    ASK("PATCH", V3 "/workflows/billing/report/state", BOTH, 200,
        STATE("true", "\"2026-01-05T00:00:00Z\"", "\"2026-01-06T00:00:00Z\""));
    CHECK_INT(fake_count_requests(w.fake, K8S_PATCH, "workflows"), 1);
    CHECK_INT(fake_count_requests(w.fake, K8S_APPLY, "workflows"), 0);
    CHECK_STR(object_text(&workflow_resource, "billing", "report", "spec.setNext.next"),
              "2026-01-05T00:00:00Z");
    /* What is so already is not written. */
    ASK("PATCH", V3 "/workflows/billing/report/state", "{\"enabled\":true}", 200, NULL);
    CHECK_INT(fake_count_requests(w.fake, K8S_PATCH, "workflows"), 1);
    fake_watcher_remove(&watcher);
    tear_down();
}

/* STYX-API-10 */
TEST(no_fault_leaves_half_a_patch)
{
    static const struct {
        int line;
        enum fake_fault fault;
        int n, verb, status;
    } rows[] = {
        {__LINE__, FAKE_LOSE_REPLY, 1, K8S_PATCH, 200},
        {__LINE__, FAKE_LOSE_REQUEST, 1, K8S_PATCH, 200},
        {__LINE__, FAKE_LATE, 1, K8S_PATCH, 200},
        {__LINE__, FAKE_CONFLICT, 2, K8S_PATCH, 200},
        {__LINE__, FAKE_CONFLICT, 100, K8S_PATCH, 409},
        {__LINE__, FAKE_REFUSE, 1, K8S_PATCH, 503},
        {__LINE__, FAKE_FORBID, 1, K8S_PATCH, 403},
        {__LINE__, FAKE_NO_RIGHT, 1, K8S_PATCH, 503},
        {__LINE__, FAKE_REFUSE, 1, K8S_GET, 503},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fake_watcher watcher;
        int n_changes;

        set_up_suspended(&watcher, &n_changes);
        fake_fail_next(w.fake, rows[i].fault, rows[i].n, rows[i].verb, "workflows");
        CHECK_INT_AT(rows[i].line, ask("PATCH", V3 "/workflows/billing/report/state", BOTH)->status,
                     rows[i].status);
        CHECK_INT_AT(rows[i].line, is_enabled(), rows[i].status == 200);
        fake_run(w.fake, 10000);
        CHECK_INT_AT(rows[i].line, is_enabled(), rows[i].status == 200);
        CHECK_INT_AT(rows[i].line, n_changes > 0, rows[i].status == 200);
        fake_watcher_remove(&watcher);
        tear_down();
    }
}

/* A client that leaves at any time has patched all or nothing. */
TEST(a_client_that_leaves_has_not_patched_half)
{
    int n_enabled = 0;

    for (int64_t ms = 0; ms < 100; ms++) {
        struct fake_watcher watcher;
        int n_changes;

        set_up_suspended(&watcher, &n_changes);
        struct answer *a = begin("PATCH", V3 "/workflows/billing/report/state", BOTH);
        fake_run(w.fake, ms);
        answer_free(a);
        settle();
        n_enabled += is_enabled();
        fake_watcher_remove(&watcher);
        tear_down();
    }
    CHECK(n_enabled > 0 && n_enabled < 100);
}

/* STYX-API-10: who made a workflow without a word of it does not own whether it is suspended. */
TEST(what_kubectl_made_is_disabled_and_enabled)
{
    set_up();
    fake_create(w.fake, &workflow_resource,
                "{\"metadata\":{\"namespace\":\"billing\",\"name\":\"report\"},"
                "\"spec\":{\"schedule\":\"daily\"}}");
    settle();
    ASK("PATCH", V3 "/workflows/billing/report/state", "{\"enabled\":false}", 200, NULL);
    CHECK(!is_enabled());
    ASK("PATCH", V3 "/workflows/billing/report/state", "{\"enabled\":true}", 200, NULL);
    CHECK(is_enabled());
    tear_down();
}

/* design, section 6 */
TEST(what_somebody_else_suspended_stays_so)
{
    set_up();
    make_suspended("helm");
    REFUSED("PATCH", V3 "/workflows/billing/report/state", BOTH, 409,
            "spec.suspend is managed by \"helm\"; change it there, or give the field up there");
    CHECK(!json_at(fake_get(w.fake, &workflow_resource, "billing", "report"), "spec.setNext"));
    CHECK(!is_enabled());
    /* What it is already, and what helm does not manage. */
    ASK("PATCH", V3 "/workflows/billing/report/state", "{\"enabled\":false}", 200, NULL);
    ASK("PATCH", V3 "/workflows/billing/report/state",
        "{\"enabled\":false,\"next_natural_trigger\":\"2026-01-05T00:00:00Z\"}", 200, NULL);
    CHECK(!is_enabled());
    tear_down();
    set_up();
    make_suspended("kharon-api-state");
    ASK("PATCH", V3 "/workflows/billing/report/state", BOTH, 200, NULL);
    CHECK(is_enabled());
    tear_down();
}

/* What was accepted and not done yet is not lost by a second wish for something else. */
TEST(an_accepted_wish_is_not_forgotten)
{
    set_up();
    w.operator_works = false;
    make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
    settle();
    ASK("PATCH", V3 "/workflows/billing/report/state",
        "{\"next_natural_trigger\":\"2026-01-05T00:00:00Z\"}", 202, NULL);
    ASK("PATCH", V3 "/workflows/billing/report/state",
        "{\"next_natural_offset_trigger\":\"2026-01-06T00:00:00Z\"}", 202,
        STATE("true", "\"2026-01-05T00:00:00Z\"", "\"2026-01-06T00:00:00Z\""));
    ASK("GET", V3 "/workflows/billing/report/state", NULL, 200,
        STATE("true", "\"2026-01-05T00:00:00Z\"", "\"2026-01-06T00:00:00Z\""));
    tear_down();
}

/* A second wish does not inherit from the first, once that is done. */
TEST(wishes_replace_each_other)
{
    set_up();
    make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
    settle();
    ask("PATCH", V3 "/workflows/billing/report/state",
        "{\"next_natural_trigger\":\"2026-01-05T00:00:00Z\"}");
    CLEANUP(free) char *first =
        xstrdup(object_text(&workflow_resource, "billing", "report", "spec.setNext.id"));
    ask("PATCH", V3 "/workflows/billing/report/state",
        "{\"next_natural_offset_trigger\":\"2026-01-06T00:00:00Z\"}");
    CHECK(strcmp(object_text(&workflow_resource, "billing", "report", "spec.setNext.id"), first) !=
          0);
    CHECK_STR(object_text(&workflow_resource, "billing", "report", "spec.setNext.next"), NULL);
    CHECK_STR(object_text(&workflow_resource, "billing", "report", "spec.setNext.nextOffset"),
              "2026-01-06T00:00:00Z");
    tear_down();
}

#define MOVE(day) "{\"next_natural_trigger\":\"2026-01-" day "T00:00:00Z\"}"

/* Written a second time it would set the cursor back a second time, and the partitions from there
 * on would run again. */
TEST(a_wish_whose_answer_was_lost_is_not_done_twice)
{
    static const struct {
        int line;
        enum fake_fault fault;
        bool replaced, obeyed; /* by another wish, before ours is looked for; that is done, too */
        int status;
        const char *next;
    } rows[] = {
        {__LINE__, FAKE_LOSE_REPLY, false, false, 200, "2026-01-05T00:00:00Z"},
        {__LINE__, FAKE_LOSE_REQUEST, false, false, 200, "2026-01-05T00:00:00Z"},
        {__LINE__, FAKE_LOSE_REPLY, true, true, 504, "2026-01-07T00:00:00Z"},
        {__LINE__, FAKE_LOSE_REQUEST, true, true, 504, "2026-01-07T00:00:00Z"},
        /* The status still tells that ours was done. */
        {__LINE__, FAKE_LOSE_REPLY, true, false, 200, "2026-01-07T00:00:00Z"},
        {__LINE__, FAKE_LOSE_REQUEST, true, false, 504, "2026-01-07T00:00:00Z"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_up();
        make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
        settle();
        ASK("PATCH", V3 "/workflows/billing/report/state", MOVE("06"), 200, NULL);
        fake_fail_next(w.fake, rows[i].fault, 1, K8S_PATCH, "workflows");
        struct answer *a = begin("PATCH", V3 "/workflows/billing/report/state", MOVE("05"));
        fake_run(w.fake, 100);
        CHECK_AT(rows[i].line, !a->answered);
        w.operator_works = rows[i].obeyed || !rows[i].replaced;
        if (rows[i].replaced)
            CHECK_INT_AT(rows[i].line,
                         ask("PATCH", V3 "/workflows/billing/report/state", MOVE("07"))->status,
                         rows[i].obeyed ? 200 : 202);
        fake_run(w.fake, ANSWER_WITHIN_MS);
        CHECK_INT_AT(rows[i].line, a->status, rows[i].status);
        CHECK_STR_AT(rows[i].line,
                     object_text(&workflow_resource, "billing", "report", "spec.setNext.next"),
                     rows[i].next);
        answer_free(a);
        tear_down();
    }
}

TEST(a_wish_that_may_have_been_written_is_not_asked_for_again)
{
    set_up();
    make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
    settle();
    check_not_known("PATCH", V3 "/workflows/billing/report/state", MOVE("05"), "workflows",
                    K8S_PATCH, K8S_GET);
    tear_down();
}

/* A client that leaves while its request is being worked on leaves nothing behind. */
TEST(a_request_may_end_at_any_time)
{
    for (int64_t ms = 0; ms < 200; ms += 3) {
        set_up();
        w.operator_works = ms % 2;
        struct answer *a =
            begin("POST", V3 "/workflows/c", "{\"id\":\"x\",\"schedule\":\"daily\"}");
        struct answer *b = begin("DELETE", V3 "/workflows/c/x", NULL);
        make(&workflow_resource, "billing", "report", "{\"schedule\":\"daily\"}", CURSOR);
        fake_run(w.fake, ms);
        struct answer *c = begin("PATCH", V3 "/workflows/billing/report/state",
                                 "{\"next_natural_trigger\":\"2026-01-05T00:00:00Z\"}");
        fake_run(w.fake, ms);
        answer_free(a);
        answer_free(b);
        answer_free(c);
        settle();
        tear_down();
    }
}
