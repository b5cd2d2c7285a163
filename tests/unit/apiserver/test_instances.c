/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/buf.h"

#define V3 "/api/v3"
#define AT "1767600000000" /* 2026-01-05T08:00:00Z */

static void make_instance(const char *workflow, const char *parameter, const char *status)
{
    CLEANUP(free) char *name = xasprintf("%s.%s", workflow, parameter);
    CLEANUP(free) char *spec =
        xasprintf("{\"workflow\":\"%s\",\"parameter\":\"%s\",\"trigger\":{\"seq\":1,\"type\":"
                  "\"natural\",\"id\":\"natural-trigger\"}}",
                  workflow, parameter);

    for (char *c = name; *c; c++)
        *c = *c == 'T' ? 't' : *c == 'Z' ? 'z' : *c == ':' ? '-' : *c;
    make(&instance_resource, "billing", name, spec, status);
}

/* Triggered, and nothing more. */
#define QUEUED                                                                                     \
    "{\"state\":\"QUEUED\",\"active\":true,\"seq\":1,\"counter\":0,"                               \
    "\"since\":\"2026-01-05T08:00:00Z\","                                                          \
    "\"trigger\":{\"seq\":1,\"type\":\"natural\",\"id\":\"natural-trigger\"},"                     \
    "\"events\":[{\"counter\":0,\"at\":" AT ",\"type\":\"triggerExecution\","                      \
    "\"triggerType\":\"natural\",\"triggerId\":\"natural-trigger\"}]}"

#define DONE                                                                                       \
    "{\"state\":\"DONE\",\"active\":false,\"seq\":1,\"counter\":6,\"tries\":1,\"lastExit\":0,"     \
    "\"since\":\"2026-01-05T08:00:06Z\","                                                          \
    "\"trigger\":{\"seq\":1,\"type\":\"natural\",\"id\":\"natural-trigger\"},\"events\":["         \
    "{\"counter\":0,\"at\":1767600000000,\"type\":\"triggerExecution\",\"triggerType\":"           \
    "\"natural\","                                                                                 \
    "\"triggerId\":\"natural-trigger\"},"                                                          \
    "{\"counter\":1,\"at\":1767600001000,\"type\":\"dequeue\",\"limits\":[]},"                     \
    "{\"counter\":2,\"at\":1767600002000,\"type\":\"submit\",\"executionId\":\"styx-run-1\","      \
    "\"description\":{\"image\":\"busybox:1\",\"args\":[\"x\"],\"commitSha\":\"abc\"}},"           \
    "{\"counter\":3,\"at\":1767600003000,\"type\":\"submitted\",\"executionId\":\"styx-run-1\","   \
    "\"runnerId\":\"default\"},"                                                                   \
    "{\"counter\":4,\"at\":1767600004000,\"type\":\"started\"},"                                   \
    "{\"counter\":5,\"at\":1767600005000,\"type\":\"terminate\",\"exitCode\":0},"                  \
    "{\"counter\":6,\"at\":1767600006000,\"type\":\"success\"}]}"

#define NAMED(parameter)                                                                           \
    "\"workflow_instance\":{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},"     \
    "\"parameter\":\"" parameter "\"}"
#define NAMED_TWICE(parameter)                                                                     \
    "\"workflow_instance\":{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},"     \
    "\"workflow\":{\"component_id\":\"billing\",\"id\":\"report\"},\"parameter\":\"" parameter     \
    "\"}"

static void set_up_report(const char *status)
{
    set_up();
    make(&workflow_resource, "billing", "report",
         "{\"schedule\":\"daily\",\"template\":{\"image\":\"busybox:1\"}}", status);
}

/* STYX-API-14, STYX-STO-02, STYX-API-30 */
TEST(an_instance_shows_its_executions)
{
    set_up_report(NULL);
    make_instance("report", "2026-01-05", DONE);
    settle();
    ASK("GET", V3 "/workflows/billing/report/instances/2026-01-05", NULL, 200,
        "{" NAMED_TWICE("2026-01-05") ",\"triggers\":[{\"trigger_id\":\"natural-trigger\","
                                      "\"timestamp\":\"2026-01-05T08:00:00Z\",\"parameters\":{"
                                      "\"env\":{}},\"complete\":true,\"executions\":["
                                      "{\"execution_id\":\"styx-run-1\",\"docker_image\":\"busybox:"
                                      "1\",\"commit_sha\":\"abc\","
                                      "\"flyte_exec_conf\":null,\"flyte_execution_id\":null,"
                                      "\"runner_id\":\"default\",\"statuses\":["
                                      "{\"timestamp\":\"2026-01-05T08:00:03Z\",\"status\":"
                                      "\"SUBMITTED\",\"message\":null},"
                                      "{\"timestamp\":\"2026-01-05T08:00:04Z\",\"status\":"
                                      "\"STARTED\",\"message\":null},"
                                      "{\"timestamp\":\"2026-01-05T08:00:05Z\",\"status\":"
                                      "\"SUCCESS\",\"message\":null}]}]}]}");
    REFUSED("GET", V3 "/workflows/billing/report/instances/2026-01-06", NULL, 404,
            "Workflow instance not found");
    REFUSED("GET", V3 "/workflows/billing/report/instances/..%2Fa%20b", NULL, 404,
            "Workflow instance not found");
    CHECK_INT(fake_count_requests(w.fake, K8S_GET, "workflowinstances"), 1);
    tear_down();
}

#define OF "\"workflow_instance\":\"billing#report#2026-01-05\""
#define EVENT(second, type, more)                                                                  \
    "{\"event\":{\"@type\":\"" type "\"," OF more "},\"timestamp\":176760000" second "000}"

/* STYX-API-22 */
TEST(events_are_told_in_order)
{
    static const char *const events[] = {
        EVENT("0", "triggerExecution",
              ",\"trigger\":{\"@type\":\"natural\"},\"parameters\":{\"env\":{}}"),
        EVENT("1", "dequeue", ",\"resource_ids\":[]"),
        EVENT("2", "submit",
              ",\"execution_description\":{\"docker_image\":\"busybox:1\",\"docker_args\":[\"x\"],"
              "\"docker_termination_logging\":false,\"service_account\":null,"
              "\"commit_sha\":\"abc\",\"env\":{},\"running_timeout\":null,"
              "\"retry_condition\":null,\"flyte_exec_conf\":null,"
              "\"flyte_execution_id\":\"fe49eb1325f642958172\"},\"execution_id\":\"styx-run-1\""),
        EVENT("3", "submitted", ",\"execution_id\":\"styx-run-1\",\"runner_id\":\"default\""),
        EVENT("4", "started", ""),
        EVENT("5", "terminate", ",\"exit_code\":0"),
        EVENT("6", "success", ""),
    };
    struct buf want = BUF_INIT;

    set_up_report(NULL);
    make_instance("report", "2026-01-05", DONE);
    settle();
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        buf_addf(&want, "%s%s", i ? "," : "{\"events\":[", events[i]);
    buf_adds(&want, "]}");
    ASK("GET", V3 "/status/events/billing/report/2026-01-05", NULL, 200, want.data);
    buf_done(&want);
    ASK("GET", V3 "/status/events/billing/report/2026-01-06", NULL, 200, "{\"events\":[]}");
    ASK("GET", V3 "/status/events/nope/nope/x", NULL, 200, "{\"events\":[]}");
    tear_down();
}

static void check_parameters(int line, const char *target, const char *want)
{
    struct answer *a = ask("GET", target, NULL);
    CLEANUP(json_decref) json_t *json = NULL;
    char got[2000] = "";
    struct error err;
    json_t *item;
    size_t i;

    CHECK_INT_AT(line, a->status, 200);
    CHECK_OK_AT(line, json_parse(a->body, strlen(a->body), &json, &err), &err);
    json_array_foreach (json, i, item) {
        size_t len = strlen(got);

        snprintf(got + len, sizeof(got) - len, "%s%s", i ? " " : "",
                 json_text_at(item, "workflow_instance.parameter"));
    }
    CHECK_STR_AT(line, got, want);
}

#define PARAMETERS(query, want)                                                                    \
    check_parameters(__LINE__, V3 "/workflows/billing/report/instances" query, want)

/* STYX-API-11, STYX-API-12 */
TEST(instances_are_listed_by_their_text)
{
    set_up_report(NULL);
    make_instance("report", "2026-01-07", DONE);
    make_instance("report", "2026-01-05", DONE);
    make_instance("report", "2026-01-06T05", DONE);
    make_instance("report", "2026-01-06", QUEUED);
    make_instance("report", "2026-01-08", NULL); /* nothing has happened to it */
    make_instance("other", "2026-01-05", DONE);
    settle();
    PARAMETERS("", "2026-01-05 2026-01-06 2026-01-06T05 2026-01-07");
    PARAMETERS("?limit=2", "2026-01-05 2026-01-06");
    PARAMETERS("?limit=0", "2026-01-05 2026-01-06 2026-01-06T05 2026-01-07");
    PARAMETERS("?limit=-1", "2026-01-05 2026-01-06 2026-01-06T05 2026-01-07");
    PARAMETERS("?offset=2026-01-06", "2026-01-06 2026-01-06T05 2026-01-07");
    PARAMETERS("?offset=2026-01-06&limit=1", "2026-01-06");
    PARAMETERS("?start=2026-01-06", "2026-01-06 2026-01-06T05 2026-01-07");
    PARAMETERS("?start=2026-01-05&stop=2026-01-07&limit=1", "2026-01-05 2026-01-06 2026-01-06T05");
    PARAMETERS("?start=&stop=2026-01-06", "2026-01-05 2026-01-06 2026-01-06T05 2026-01-07");
    PARAMETERS("?tail=no", "2026-01-05 2026-01-06 2026-01-06T05 2026-01-07");
    ASK("GET", V3 "/workflows/billing/nope/instances", NULL, 200, "[]");
    REFUSED("GET", V3 "/workflows/billing/report/instances?limit=many", NULL, 400,
            "limit: many is not a number");
    tear_down();
}

TEST(no_limit_means_168)
{
    set_up_report(NULL);
    for (int i = 0; i < 200; i++) {
        char parameter[32];

        snprintf(parameter, sizeof(parameter), "%04d-01-01", 2000 + i);
        make_instance("report", parameter, QUEUED);
    }
    settle();
    CLEANUP(json_decref) json_t *json = NULL;
    struct error err;
    const char *body = ask("GET", V3 "/workflows/billing/report/instances", NULL)->body;
    CHECK_OK(json_parse(body, strlen(body), &json, &err), &err);
    CHECK_INT(json_array_size(json), 168);
    tear_down();
}

/* An instance moves with what becomes of it. */
TEST(what_changes_is_listed_as_it_is)
{
    set_up_report(NULL);
    make_instance("report", "2026-01-05", NULL);
    make_instance("report", "2026-01-06", QUEUED);
    settle();
    PARAMETERS("", "2026-01-06");
    fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-05",
                      "{\"status\":" QUEUED "}");
    fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-06",
                      "{\"status\":" DONE "}");
    settle();
    PARAMETERS("", "2026-01-05 2026-01-06");
    CHECK_HAS(w.last->body, "SUCCESS");
    CHECK(fake_delete(w.fake, &instance_resource, "billing", "report.2026-01-05"));
    settle();
    PARAMETERS("", "2026-01-06");
    CHECK(fake_delete(w.fake, &instance_resource, "billing", "report.2026-01-06"));
    settle();
    PARAMETERS("", "");
    tear_down();
}

/* STYX-API-13 */
TEST(a_tail_ends_before_the_next_trigger)
{
    set_up_report("{\"observedSchedule\":\"days\",\"observedOffset\":\"P1D\",\"epoch\":1,"
                  "\"next\":\"2026-01-08T00:00:00Z\",\"nextOffset\":\"2026-01-09T00:00:00Z\"}");
    make_instance("report", "2026-01-04", DONE);
    make_instance("report", "2026-01-05", DONE);
    make_instance("report", "2026-01-07", DONE);
    make_instance("report", "2026-01-08", DONE);
    settle();
    PARAMETERS("?tail=true", "2026-01-04 2026-01-05 2026-01-07");
    PARAMETERS("?tail=TRUE&limit=3&start=2000", "2026-01-05 2026-01-07");
    PARAMETERS("?tail=true&limit=1", "2026-01-07");
    /* An instant that somebody set need not be aligned. */
    fake_patch_status(w.fake, &workflow_resource, "billing", "report",
                      "{\"status\":{\"next\":\"2026-01-07T12:00:00Z\"}}");
    settle();
    PARAMETERS("?tail=true&limit=2", "2026-01-05");
    /* Of a suspended workflow it is where time has moved it: the 10th. */
    fake_patch(w.fake, &workflow_resource, "billing", "report", "{\"spec\":{\"suspend\":true}}");
    settle();
    PARAMETERS("?tail=true&limit=2", "2026-01-08");
    PARAMETERS("?tail=true&limit=3", "2026-01-07 2026-01-08");
    REFUSED("GET", V3 "/workflows/billing/nope/instances?tail=true", NULL, 404,
            "Could not find workflow.");
    make(&workflow_resource, "billing", "never", "{\"schedule\":\"0 0 30 2 *\"}", NULL);
    settle();
    REFUSED("GET", V3 "/workflows/billing/never/instances?tail=true", NULL, 404,
            "No next natural trigger for workflow.");
    tear_down();
}

/* 3.6: history stays readable */
TEST(the_history_of_a_deleted_workflow_is_there)
{
    set_up_report(NULL);
    make_instance("report", "2026-01-05", DONE);
    settle();
    ASK("DELETE", V3 "/workflows/billing/report", NULL, 204, "");
    PARAMETERS("", "2026-01-05");
    CHECK_INT(ask("GET", V3 "/workflows/billing/report/instances/2026-01-05", NULL)->status, 200);
    CHECK_HAS(ask("GET", V3 "/status/events/billing/report/2026-01-05", NULL)->body, "success");
    tear_down();
}

/* With the pair that the operator records. */
static void make_recorded(const char *workflow, const char *parameter, const char *component,
                          const char *id, const char *status)
{
    CLEANUP(free) char *recorded =
        xasprintf("{\"componentId\":\"%s\",\"workflowId\":\"%s\",%s", component, id, status + 1);

    make_instance(workflow, parameter, recorded);
}

/* 3.6, 3.11: whatever its object was called.  STYX-API-07, STYX-API-14, STYX-API-22 */
TEST(the_history_of_a_deleted_workflow_is_found_by_its_pair)
{
#define OTHER V3 "/workflows/money/w%2F1"
    set_up();
    make(&workflow_resource, "billing", "by-hand",
         "{\"componentId\":\"money\",\"workflowId\":\"w/1\",\"schedule\":\"daily\"}", NULL);
    make_recorded("by-hand", "2026-01-06", "money", "w/1", QUEUED);
    make_recorded("by-hand", "2026-01-05", "money", "w/1", DONE);
    settle();
    for (int i = 0; i < 2; i++) {
        check_parameters(__LINE__, OTHER "/instances", "2026-01-05 2026-01-06");
        check_parameters(__LINE__, OTHER "/instances?offset=2026-01-06", "2026-01-06");
        CHECK_HAS(ask("GET", OTHER "/instances/2026-01-05", NULL)->body, "\"status\":\"SUCCESS\"");
        CHECK_HAS(w.last->body, "\"workflow_id\":{\"component_id\":\"money\",\"id\":\"w/1\"}");
        CHECK_HAS(ask("GET", V3 "/status/events/money/w%2F1/2026-01-05", NULL)->body, "terminate");
        CHECK_HAS(ask("GET", V3 "/status/activeStates?component=money", NULL)->body, "2026-01-06");
        if (i == 0)
            ASK("DELETE", OTHER, NULL, 204, "");
        settle();
    }
    REFUSED("GET", OTHER "/instances?tail=true", NULL, 404, "Could not find workflow.");
    /* Another workflow gets the name: the history is not its. */
    make(&workflow_resource, "billing", "by-hand", "{\"schedule\":\"daily\"}", NULL);
    make_recorded("by-hand", "2026-01-07", "billing", "by-hand", DONE);
    settle();
    check_parameters(__LINE__, V3 "/workflows/billing/by-hand/instances", "2026-01-07");
    check_parameters(__LINE__, OTHER "/instances", "2026-01-05 2026-01-06");
    tear_down();
}

/* Made again under another name, a workflow goes on with its history. */
TEST(a_workflow_that_was_made_again_has_all_its_history)
{
    set_up_report(NULL);
    make_recorded("report", "2026-01-04", "billing", "report", DONE);
    make_recorded("report", "2026-01-06", "billing", "report", DONE);
    settle();
    ASK("DELETE", V3 "/workflows/billing/report", NULL, 204, "");
    make(&workflow_resource, "billing", "billing.report",
         "{\"componentId\":\"billing\",\"workflowId\":\"report\",\"schedule\":\"daily\"}", NULL);
    make_recorded("billing.report", "2026-01-05", "billing", "report", DONE);
    make_recorded("billing.report", "2026-01-06", "billing", "report", QUEUED);
    make_instance("billing.report", "2026-01-07", QUEUED); /* the pair is not recorded yet */
    settle();
    PARAMETERS("", "2026-01-04 2026-01-05 2026-01-06 2026-01-07");
    PARAMETERS("?limit=3", "2026-01-04 2026-01-05 2026-01-06");
    PARAMETERS("?start=2026-01-05&stop=2026-01-07", "2026-01-05 2026-01-06");
    CHECK(!strstr(ask("GET", V3 "/workflows/billing/report/instances/2026-01-06", NULL)->body,
                  "SUCCESS"));
    /* Gone again: what ran last. */
    fake_patch_status(w.fake, &instance_resource, "billing", "billing.report.2026-01-06",
                      "{\"status\":{\"since\":\"2026-01-06T00:00:00Z\"}}");
    ASK("DELETE", V3 "/workflows/billing/report", NULL, 204, "");
    settle();
    CHECK(!strstr(ask("GET", V3 "/workflows/billing/report/instances/2026-01-06", NULL)->body,
                  "SUCCESS"));
    tear_down();
}

/* Whoever may write in another namespace writes no history of ours. */
TEST(history_is_read_where_the_component_lives)
{
    set_up_report(NULL);
    make(&instance_resource, "kharon", "x.2026-01-05",
         "{\"workflow\":\"x\",\"parameter\":\"2026-01-05\"}",
         "{\"componentId\":\"billing\",\"workflowId\":\"report\",\"state\":\"DONE\",\"seq\":1,"
         "\"counter\":0,\"events\":[]}");
    settle();
    PARAMETERS("", "");
    tear_down();
}

/* STYX-API-21 */
TEST(active_states_are_filtered)
{
    static const struct {
        int line;
        const char *query;
        bool report, other;
    } rows[] = {
        {__LINE__, "", true, true},
        {__LINE__, "?component=billing", true, false},
        {__LINE__, "?component=bill", false, false},
        {__LINE__, "?component=team&workflow=w", false, true},
        {__LINE__, "?component=team&workflow=x", false, false},
        {__LINE__, "?components=team,billing,team", true, true},
        {__LINE__, "?components=team", false, true},
        {__LINE__, "?components=tea,eam,billings", false, false},
        {__LINE__, "?components=team&component=billing&workflow=report", false, true},
        {__LINE__, "?components=billing&workflow=w", true, false},
    };

    set_up_report(NULL);
    make_instance("report", "2026-01-04", DONE);
    make_instance("report", "2026-01-05", QUEUED);
    make(&workflow_resource, "kharon", "t",
         "{\"componentId\":\"team\",\"workflowId\":\"w\",\"schedule\":\"daily\"}", NULL);
    make(&instance_resource, "kharon", "t.2026-01-05",
         "{\"workflow\":\"t\",\"parameter\":\"2026-01-05\"}", QUEUED);
    settle();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(free) char *target = xasprintf("%s/status/activeStates%s", V3, rows[i].query);
        const char *body = ask("GET", target, NULL)->body;

        CHECK_INT_AT(rows[i].line, strstr(body, "\"id\":\"report\"") != NULL, rows[i].report);
        CHECK_INT_AT(rows[i].line, strstr(body, "\"id\":\"w\"") != NULL, rows[i].other);
        CHECK_AT(rows[i].line, !strstr(body, "2026-01-04"));
    }
    REFUSED("GET", V3 "/status/activeStates?workflow=w", NULL, 400, "No component id specified!");
    tear_down();
}

#define STATE_OF(state, latest)                                                                    \
    "{" NAMED(                                                                                     \
        "2026-01-05") ",\"state\":\"" state "\",\"state_data\":{\"tries\":0,"                      \
                      "\"consecutive_failures\":0,\"retry_cost\":0.0,\"retry_delay_millis\":null," \
                      "\"last_exit\":null,"                                                        \
                      "\"trigger\":{\"@type\":\"natural\"},\"trigger_id\":\"natural-trigger\","    \
                      "\"execution_id\":null,"                                                     \
                      "\"runner_id\":null,\"execution_description\":null,\"resource_ids\":null,"   \
                      "\"trigger_parameters\":{\"env\":{}},\"messages\":[]},\"initial_"            \
                      "timestamp\":null,\"latest_timestamp\":" latest "}"

/* STYX-API-21 */
TEST(an_active_state_is_told_exactly)
{
    set_up_report(NULL);
    ASK("GET", V3 "/status/activeStates", NULL, 200, "{\"active_states\":[]}");
    make_instance("report", "2026-01-05", QUEUED);
    settle();
    ASK("GET", V3 "/status/activeStates", NULL, 200,
        "{\"active_states\":[" STATE_OF("QUEUED", AT) "]}");
    fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-05",
                      "{\"status\":" DONE "}");
    settle();
    ASK("GET", V3 "/status/activeStates", NULL, 200, "{\"active_states\":[]}");
    tear_down();
}

/* What is kept of the last answer is not shown when it has become wrong. */
TEST(an_active_state_names_the_workflow_of_now)
{
    set_up_report(NULL);
    make(&workflow_resource, "kharon", "t",
         "{\"componentId\":\"team\",\"workflowId\":\"w\",\"schedule\":\"daily\"}", NULL);
    make(&instance_resource, "kharon", "t.2026-01-05",
         "{\"workflow\":\"t\",\"parameter\":\"2026-01-05\"}", QUEUED);
    settle();
    for (int i = 0; i < 2; i++)
        CHECK_HAS(ask("GET", V3 "/status/activeStates", NULL)->body,
                  "{\"component_id\":\"team\",\"id\":\"w\"}");
    fake_delete(w.fake, &workflow_resource, "kharon", "t");
    settle();
    CHECK_HAS(ask("GET", V3 "/status/activeStates", NULL)->body,
              "{\"component_id\":\"kharon\",\"id\":\"t\"}");
    tear_down();
}

/* 13.2: after the answer to a trigger the instance is active. */
TEST(what_was_triggered_is_active_at_once)
{
    set_up_report(NULL);
    settle();
    ASK("POST", V3 "/scheduler/trigger",
        "{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},\"parameter\":\"2026-01-"
        "05\"}",
        200, NULL);
    CHECK_HAS(ask("GET", V3 "/status/activeStates", NULL)->body, "\"state\":\"QUEUED\"");
    CHECK_HAS(w.last->body, "{\"@type\":\"adhoc\",\"trigger_id\":\"ad-hoc-cli-");
    tear_down();
}

/* Objects that make no sense are passed over; nothing else suffers. */
TEST(nonsense_is_passed_over)
{
    set_up_report(NULL);
    fake_create_unjudged(
        w.fake, &instance_resource,
        "{\"metadata\":{\"namespace\":\"billing\",\"name\":\"x\"},\"spec\":{\"workflow\":7}}");
    fake_create_unjudged(w.fake, &instance_resource,
                         "{\"metadata\":{\"namespace\":\"billing\",\"name\":\"y\"}}");
    fake_create_unjudged(w.fake, &workflow_resource,
                         "{\"metadata\":{\"namespace\":\"billing\",\"name\":\"z\"},\"spec\":[]}");
    make_instance("report", "2026-01-05", QUEUED);
    settle();
    CHECK_HAS(ask("GET", V3 "/status/activeStates", NULL)->body, "2026-01-05");
    CHECK_INT(ask("GET", V3 "/workflows", NULL)->status, 200);
    CHECK_INT(ask("GET", V3 "/workflows/billing/z/full", NULL)->status, 200);
    CHECK_INT(ask("PATCH", V3 "/workflows/billing/z/state", "{}")->status, 200);
    CHECK_INT(ask("POST", V3 "/scheduler/trigger",
                  "{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"z\"},\"parameter\":"
                  "\"2026-01-05\"}")
                  ->status,
              400);
    tear_down();
}
