/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "apiserver/scheduler.h"

#define TRIGGER "/api/v3/scheduler/trigger"
#define HALT    "/api/v3/scheduler/halt"
#define ALREADY                                                                                    \
    "This workflow instance is already triggered. Did you want to `retry` running it instead?"

#define BODY(component, id, parameter)                                                             \
    "{\"workflow_id\":{\"component_id\":\"" component "\",\"id\":\"" id                            \
    "\"},\"parameter\":\"" parameter "\"}"

#define TRIGGERED(component, id, parameter, parameters, effective)                                 \
    "{\"workflow_id\":{\"component_id\":\"" component "\",\"id\":\"" id                            \
    "\"},\"parameter\":\"" parameter "\",\"trigger_parameters\":" parameters                       \
    ",\"trigger_id\":\"ad-hoc-cli-T\",\"effective_parameter\":\"" effective "\"}"

static void set_up_report(void)
{
    set_up();
    make(&workflow_resource, "billing", "report",
         "{\"schedule\":\"daily\",\"template\":{\"image\":\"busybox:1\"}}", NULL);
    settle();
}

static const json_t *instance(void)
{
    return fake_get(w.fake, &instance_resource, "billing", "report.2026-01-05");
}

/* ---- trigger ---- */

/* STYX-API-24, STYX-TRG-01 */
TEST(a_trigger_creates_the_instance)
{
    set_up_report();
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-05T10:15"), 200,
        TRIGGERED("billing", "report", "2026-01-05T10:15", "null", "2026-01-05"));
    const json_t *object = instance();
    CHECK(object);
    CHECK_STR(json_text_at(object, "spec.workflow"), "report");
    CHECK_STR(json_text_at(object, "spec.parameter"), "2026-01-05");
    CHECK_INT(json_int_at(object, "spec.trigger.seq", 0), 1);
    CHECK_STR(json_text_at(object, "spec.trigger.type"), "adhoc");
    CHECK_STR(json_text_at(object, "spec.trigger.key"), json_text_at(object, "spec.trigger.id"));
    CHECK_STR(json_text_at(object, "spec.trigger.workflowUID"),
              object_text(&workflow_resource, "billing", "report", "metadata.uid"));
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 409, ALREADY);
    ASK("POST", "/api/v0/trigger", BODY("billing", "report", "2026-01-06"), 200,
        TRIGGERED("billing", "report", "2026-01-06", "null", "2026-01-06"));
    tear_down();
}

/* STYX-TRG-03 (stored with the trigger) */
TEST(a_trigger_carries_its_parameters)
{
    set_up_report();
    ASK("POST", TRIGGER,
        "{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},\"parameter\":\"2026-01-"
        "05\","
        "\"trigger_parameters\":{\"env\":{\"A\":\"1\",\"B\":2}}}",
        200,
        TRIGGERED("billing", "report", "2026-01-05", "{\"env\":{\"A\":\"1\",\"B\":\"2\"}}",
                  "2026-01-05"));
    const json_t *env = json_at(instance(), "spec.trigger.env");
    CHECK_INT(json_array_size(env), 2);
    CHECK_STR(json_text_at(json_array_get(env, 1), "value"), "2");
    ASK("POST", TRIGGER,
        "{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},\"parameter\":\"2026-01-"
        "06\","
        "\"trigger_parameters\":{}}",
        200, TRIGGERED("billing", "report", "2026-01-06", "{\"env\":{}}", "2026-01-06"));
    tear_down();
}

/* STYX-API-24: every check, in order */
TEST(triggers_are_refused)
{
    set_up_report();
    make(&workflow_resource, "billing", "empty", "{\"schedule\":\"daily\"}", NULL);
    make(&workflow_resource, "billing", "bad",
         "{\"schedule\":\"daily\",\"template\":{\"image\":\"a b\"}}", NULL);
    make(&workflow_resource, "billing", "later",
         "{\"schedule\":\"daily\",\"template\":{\"image\":\"busybox:1\"},\"limits\":[\"r\"]}",
         NULL);
    settle();
    REFUSED("POST", TRIGGER, NULL, 400, "Missing payload");
    CHECK_INT(ask("POST", TRIGGER, "{")->status, 400);
    CHECK_HAS(w.last->reason, "Payload parsing failed: ");
    REFUSED("POST", TRIGGER, "{}", 400,
            "Payload parsing failed: workflow_id.component_id is missing");
    REFUSED("POST", TRIGGER, "{\"workflow_id\":{\"component_id\":\"c\",\"id\":\"w\"}}", 400,
            "Payload parsing failed: parameter is missing");
    REFUSED("POST", TRIGGER,
            "{\"workflow_id\":{\"component_id\":\"c\",\"id\":\"w\"},\"parameter\":\"2026\","
            "\"trigger_parameters\":\"x\"}",
            400, "Payload parsing failed: trigger_parameters: must be an object");
    REFUSED("POST", TRIGGER, BODY("billing", "nope", "2026-01-05"), 400,
            "The specified workflow is not found in the scheduler");
    REFUSED("POST", TRIGGER, BODY("billing", "empty", "nonsense"), 400,
            "Workflow is missing execution configuration");
    CHECK_INT(ask("POST", TRIGGER, BODY("billing", "bad", "nonsense"))->status, 400);
    CHECK_HAS(w.last->reason, "Invalid workflow configuration: invalid image: ");
    REFUSED("POST", TRIGGER, BODY("billing", "later", "2026-01-05"), 400,
            "Invalid workflow configuration: resources: not supported yet");
    CHECK_INT(ask("POST", TRIGGER, BODY("billing", "report", "2015"))->status, 400);
    CHECK_HAS(w.last->reason, "Cannot parse time parameter 2015 - ");
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-11"), 400,
            "Cannot trigger an instance of the future");
    CHECK_INT(fake_count_objects(w.fake, &instance_resource), 0);
    tear_down();
}

/* STYX-API-24 */
TEST(the_future_is_allowed_on_demand)
{
    set_up_report();
    ASK("POST", TRIGGER "?allowFuture=TRUE", BODY("billing", "report", "2026-01-12"), 200, NULL);
    ASK("POST", TRIGGER "?allowFuture=false", BODY("billing", "report", "2026-01-13"), 400, NULL);
    /* Today's partition began at midnight. */
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-10T23:00"), 200,
        TRIGGERED("billing", "report", "2026-01-10T23:00", "null", "2026-01-10"));
    tear_down();
}

static void finish(const char *state)
{
    CLEANUP(free) char *status = xasprintf(
        "{\"status\":{\"state\":\"%s\",\"active\":false,\"seq\":1,\"counter\":9}}", state);

    fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-05", status);
}

/* Its answer was lost, it has run, and so has the next one: it is not to run once more. */
static void check_overtaken(int line, const char *taken, int want)
{
    set_up_report();
    w.operator_works = false;
    fake_fail_next(w.fake, FAKE_LOSE_REPLY, 1, K8S_CREATE, "workflowinstances");
    struct answer *a = begin("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    for (int i = 0; i < 1000 && !instance(); i++)
        fake_run(w.fake, 1);
    const char *id = json_text_at(instance(), "spec.trigger.id");
    CLEANUP(free) char *status = xasprintf(
        "{\"status\":{\"state\":\"DONE\",\"active\":false,\"seq\":2,\"counter\":9,\"events\":[{"
        "\"counter\":0,\"at\":1767225600000,\"type\":\"triggerExecution\",\"triggerType\":"
        "\"adhoc\","
        "\"triggerId\":\"%s\"}]}}",
        taken ? taken : id);
    fake_patch(
        w.fake, &instance_resource, "billing", "report.2026-01-05",
        "{\"spec\":{\"trigger\":{\"seq\":2,\"type\":\"adhoc\",\"id\":\"x\",\"key\":\"x\"}}}");
    fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-05", status);
    fake_run(w.fake, 10000);
    CHECK_INT_AT(line, a->status, want);
    CHECK_INT_AT(line, json_int_at(instance(), "spec.trigger.seq", 0), 2);
    answer_free(a);
    tear_down();
}

TEST(a_trigger_that_was_overtaken_is_not_repeated)
{
    check_overtaken(__LINE__, NULL, 200);
    check_overtaken(__LINE__, "somebody-elses", 504);
}

/* STYX-TRG-02 */
TEST(a_finished_instance_runs_again)
{
    set_up_report();
    ask("POST", TRIGGER,
        "{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},\"parameter\":\"2026-01-"
        "05\","
        "\"trigger_parameters\":{\"env\":{\"A\":\"1\"}}}");
    finish("DONE");
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 200, NULL);
    CHECK_INT(json_int_at(instance(), "spec.trigger.seq", 0), 2);
    CHECK(!json_at(instance(), "spec.trigger.env"));
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 409, ALREADY);
    CHECK_INT(fake_count_objects(w.fake, &instance_resource), 1);
    tear_down();
}

/* design, section 4: a trigger after an accepted halt is not a 409 */
TEST(what_is_to_be_halted_is_not_in_the_way)
{
    set_up_report();
    w.operator_works = false;
    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    CHECK_INT(ask("POST", HALT, BODY("billing", "report", "2026-01-05"))->status, 202);
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 200, NULL);
    CHECK_INT(json_int_at(instance(), "spec.trigger.seq", 0), 2);
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 1);
    tear_down();
}

#define HELD(seq)                                                                                  \
    "{\"status\":{\"state\":\"NEW\",\"active\":true,\"seq\":0,\"trigger\":{\"seq\":" #seq          \
    "},\"conditions\":[{\"type\":\"Held\",\"status\":\"True\",\"reason\":\"WorkflowReplaced\","    \
    "\"message\":\"\",\"lastTransitionTime\":\"2026-01-10T12:00:00Z\"}]}}"

/* It waits for somebody's decision, and this is one. */
TEST(what_is_held_is_triggered)
{
    set_up_report();
    make(&instance_resource, "billing", "report.2026-01-05",
         "{\"workflow\":\"report\",\"parameter\":\"2026-01-05\",\"trigger\":{\"seq\":3,\"type\":"
         "\"natural\",\"id\":\"natural-trigger\",\"key\":\"old/1\",\"workflowUID\":\"old\"}}",
         NULL);
    fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-05", HELD(2));
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 409, ALREADY);
    fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-05", HELD(3));
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 200, NULL);
    CHECK_INT(json_int_at(instance(), "spec.trigger.seq", 0), 4);
    CHECK_STR(json_text_at(instance(), "spec.trigger.workflowUID"),
              object_text(&workflow_resource, "billing", "report", "metadata.uid"));
    tear_down();
}

/* Names of objects are in lower case, parameters are not. */
TEST(the_name_of_another_parameter_is_not_triggered)
{
    set_up();
    make(&workflow_resource, "billing", "report",
         "{\"schedule\":\"hourly\",\"template\":{\"image\":\"busybox:1\"}}", NULL);
    make(&instance_resource, "billing", "report.2026-01-05t07",
         "{\"workflow\":\"report\",\"parameter\":\"2026-01-05t07\"}", NULL);
    settle();
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-05T07"), 409,
            "The object report.2026-01-05t07 is for another parameter: 2026-01-05t07");
    CHECK(!object_text(&instance_resource, "billing", "report.2026-01-05t07", "spec.trigger.id"));
    tear_down();
}

/* A run that somebody made with kubectl, without a trigger in its spec. */
TEST(a_run_by_hand_counts)
{
    set_up_report();
    make(&instance_resource, "billing", "report.2026-01-05",
         "{\"workflow\":\"report\",\"parameter\":\"2026-01-05\"}", NULL);
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 409, ALREADY);
    finish("ERROR");
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 200, NULL);
    CHECK_INT(json_int_at(instance(), "spec.trigger.seq", 0), 2);
    tear_down();
}

TEST(triggers_survive_faults)
{
    static const struct {
        int line;
        enum fake_fault fault;
        int n, verb;
        bool finished; /* the instance is there already, and done */
        int status;
    } rows[] = {
        {__LINE__, FAKE_LOSE_REPLY, 1, K8S_CREATE, false, 200},
        {__LINE__, FAKE_LOSE_REQUEST, 1, K8S_CREATE, false, 200},
        {__LINE__, FAKE_LATE, 1, K8S_CREATE, false, 200},
        {__LINE__, FAKE_REFUSE, 1, K8S_CREATE, false, 503},
        {__LINE__, FAKE_THROTTLE, 1, K8S_CREATE, false, 429},
        {__LINE__, FAKE_FORBID, 1, K8S_CREATE, false, 403},
        {__LINE__, FAKE_NO_RIGHT, 1, K8S_CREATE, false, 503},
        {__LINE__, FAKE_LOSE_REPLY, 1, K8S_PATCH, true, 200},
        {__LINE__, FAKE_LOSE_REQUEST, 1, K8S_PATCH, true, 200},
        {__LINE__, FAKE_LATE, 1, K8S_PATCH, true, 200},
        {__LINE__, FAKE_CONFLICT, 2, K8S_PATCH, true, 200},
        {__LINE__, FAKE_CONFLICT, 100, K8S_PATCH, true, 409},
        {__LINE__, FAKE_REFUSE, 1, K8S_GET, true, 503},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_up_report();
        if (rows[i].finished) {
            ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
            finish("DONE");
        }
        fake_fail_next(w.fake, rows[i].fault, rows[i].n, rows[i].verb, "workflowinstances");
        CHECK_INT_AT(rows[i].line,
                     ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"))->status,
                     rows[i].status);
        fake_run(w.fake, 10000);
        if (rows[i].status == 200)
            CHECK_INT_AT(rows[i].line, json_int_at(instance(), "spec.trigger.seq", 0),
                         rows[i].finished ? 2 : 1);
        tear_down();
    }
}

TEST(a_trigger_that_may_have_been_taken_is_not_asked_for_again)
{
    for (int finished = 0; finished <= 1; finished++) {
        set_up_report();
        if (finished) {
            ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
            finish("DONE");
        }
        check_not_known("POST", TRIGGER, BODY("billing", "report", "2026-01-05"),
                        "workflowinstances", finished ? K8S_PATCH : K8S_CREATE,
                        finished ? K8S_GET : K8S_CREATE);
        CHECK_INT(json_int_at(instance(), "spec.trigger.seq", 0), 1 + finished);
        tear_down();
    }
}

/* design, section 8 */
TEST(unfinished_instances_have_a_ceiling)
{
    set_up_report();
    w.api.max_active = 2;
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-05"), 200, NULL);
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-06"), 200, NULL);
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-07"), 429,
            "Too many unfinished instances: 2, limit = 2");
    CHECK_STR(w.last->retry_after, "1");
    finish("DONE");
    settle();
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-07"), 200, NULL);
    tear_down();
}

TEST(the_ceiling_counts_what_is_being_made)
{
    set_up_report();
    w.api.max_active = 2;
    fake_set_latency(w.fake, 100, 100);
    struct answer *first = begin("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    struct answer *second = begin("POST", TRIGGER, BODY("billing", "report", "2026-01-06"));
    REFUSED("POST", TRIGGER, BODY("billing", "report", "2026-01-07"), 429,
            "Too many unfinished instances: 2, limit = 2");
    fake_run(w.fake, 1000);
    CHECK_INT(first->status, 200);
    CHECK_INT(second->status, 200);
    answer_free(first);
    answer_free(second);
    finish("DONE");
    fake_run(w.fake, 1000);
    ASK("POST", TRIGGER, BODY("billing", "report", "2026-01-07"), 200, NULL);
    tear_down();
}

TEST(the_environment_of_a_trigger_has_a_limit)
{
    set_up_report();
    CLEANUP(free) char *body = xasprintf("{\"workflow_id\":{\"component_id\":\"billing\",\"id\":"
                                         "\"report\"},\"parameter\":\"2026-01-05\","
                                         "\"trigger_parameters\":{\"env\":{\"A\":\"%09000d\"}}}",
                                         1);
    ASK("POST", TRIGGER, body, 400, NULL);
    tear_down();
}

/* ---- halt ---- */

#define HALTED(component, id, parameter, key)                                                      \
    "{\"workflow_id\":{\"component_id\":\"" component "\",\"id\":\"" id                            \
    "\"},\"parameter\":\"" parameter "\",\"workflow_instance\":\"" key "\"}"

/* STYX-API-26, STYX-API-30 */
TEST(a_run_is_halted_under_both_names)
{
    set_up_report();
    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 200,
        HALTED("billing", "report", "2026-01-05", "billing#report#2026-01-05"));
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 1);
    CHECK_STR(json_text_at(instance(), "status.state"), "ERROR");

    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    ASK("POST", "/v3/scheduler/halt", "{\"workflow_instance\":\"billing/report/2026-01-05\"}", 200,
        HALTED("billing", "report", "2026-01-05", "billing/report/2026-01-05"));
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 2);

    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    ASK("POST", "/api/v0/halt", "{\"workflow_instance\":\"billing#report#2026-01-05\"}", 200, NULL);
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 3);
    tear_down();
}

/* STYX-API-26 */
TEST(halting_what_is_not_active_changes_nothing)
{
    set_up_report();
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 200,
        HALTED("billing", "report", "2026-01-05", "billing#report#2026-01-05"));
    ASK("POST", HALT, BODY("billing", "report", "../x y"), 200, NULL);
    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    finish("DONE");
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 200, NULL);
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 0);
    REFUSED("POST", HALT, BODY("billing", "nope", "2026-01-05"), 404, "workflow not found");
    REFUSED("POST", HALT, NULL, 400, "Missing payload");
    REFUSED("POST", HALT, "{\"workflow_instance\":\"a/b\"}", 400,
            "Payload parsing failed: workflow_instance: a/b is not component#workflow#parameter");
    tear_down();
}

/* The copy in memory does not know of the run yet: it is halted all the same. */
TEST(a_halt_looks_at_the_truth)
{
    set_up_report();
    make(&instance_resource, "billing", "report.2026-01-05",
         "{\"workflow\":\"report\",\"parameter\":\"2026-01-05\"}", NULL);
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 200, NULL);
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 1);
    tear_down();
}

/* So that a restore lowers them. */
static void let_versions_grow(void)
{
    for (int i = 0; i < 100; i++) {
        make(&workflow_resource, "billing", "other", "{\"schedule\":\"daily\"}", NULL);
        fake_delete(w.fake, &workflow_resource, "billing", "other");
    }
}

/* Just after etcd was restored, watches are silent, and the copy misses what is new. */
TEST(a_halt_is_not_confirmed_by_a_copy_that_does_not_know)
{
    set_up_report();
    w.operator_works = false;
    let_versions_grow();
    settle();
    fake_restore(w.fake);
    settle();
    make(&instance_resource, "billing", "report.2026-01-05",
         "{\"workflow\":\"report\",\"parameter\":\"2026-01-05\"}", NULL);
    settle();
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 202, NULL);
    w.operator_works = true;
    fake_delete(w.fake, &instance_resource, "billing", "report.2026-01-05");
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 200, NULL);
    tear_down();
}

/* Nor by the copy of one that was there, and over, in a time that did not happen. */
TEST(a_halt_is_not_confirmed_by_an_instance_of_before)
{
    static const char spec[] = "{\"workflow\":\"report\",\"parameter\":\"2026-01-05\"}";

    set_up_report();
    w.operator_works = false;
    let_versions_grow();
    make(&instance_resource, "billing", "report.2026-01-05", spec,
         "{\"seq\":1,\"state\":\"DONE\",\"active\":false,\"counter\":6}");
    settle();
    fake_restore(w.fake);
    settle();
    fake_delete(w.fake, &instance_resource, "billing", "report.2026-01-05");
    make(&instance_resource, "billing", "report.2026-01-05", spec, NULL);
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 202, NULL);
    tear_down();
}

/* Time is up while Kubernetes is asked whether the instance has gone. */
TEST(a_halt_of_what_goes_at_the_last_moment)
{
    set_up_report();
    w.operator_works = false;
    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    struct answer *a = begin("POST", HALT, BODY("billing", "report", "2026-01-05"));
    fake_run(w.fake, API_CONFIRM_MS - 600);
    fake_set_latency(w.fake, 400, 400); /* of the event, of the question, of its answer */
    fake_delete(w.fake, &instance_resource, "billing", "report.2026-01-05");
    fake_run(w.fake, 2000);
    CHECK_INT(a->status, 200);
    answer_free(a);
    tear_down();
}

/* Its answer was lost, and somebody has triggered the next run before it is asked again. */
TEST(a_halt_that_is_repeated_means_the_same_trigger)
{
    set_up_report();
    w.operator_works = false;
    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    fake_fail_next(w.fake, FAKE_LOSE_REPLY, 1, K8S_PATCH, "workflowinstances");
    struct answer *a = begin("POST", HALT, BODY("billing", "report", "2026-01-05"));
    for (int i = 0; i < 1000 && json_int_at(instance(), "spec.haltThrough", 0) == 0; i++)
        fake_run(w.fake, 1);
    fake_patch(
        w.fake, &instance_resource, "billing", "report.2026-01-05",
        "{\"spec\":{\"trigger\":{\"seq\":2,\"type\":\"adhoc\",\"id\":\"x\",\"key\":\"x\"}}}");
    fake_run(w.fake, 4 * API_CONFIRM_MS);
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 1);
    CHECK_INT(a->status, 202); /* nobody has answered it */
    answer_free(a);
    tear_down();
}

/* What was to be halted is gone; nobody has asked for a halt of what has its name now. */
TEST(a_halt_that_is_repeated_means_the_same_instance)
{
    set_up_report();
    w.operator_works = false;
    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    fake_set_latency(w.fake, 100, 100);
    fake_fail_next(w.fake, FAKE_CONFLICT, 1, K8S_PATCH, "workflowinstances");
    struct answer *a = begin("POST", HALT, BODY("billing", "report", "2026-01-05"));
    fake_run(w.fake, 350); /* it was read, and the wish is refused */
    fake_delete(w.fake, &instance_resource, "billing", "report.2026-01-05");
    make(&instance_resource, "billing", "report.2026-01-05",
         "{\"workflow\":\"report\",\"parameter\":\"2026-01-05\"}", NULL);
    fake_run(w.fake, 4 * API_CONFIRM_MS);
    CHECK_INT(json_int_at(instance(), "spec.haltThrough", 0), 0);
    CHECK_INT(a->status, 200);
    answer_free(a);
    tear_down();
}

TEST(a_halt_that_nobody_confirms_is_accepted_only)
{
    set_up_report();
    w.operator_works = false;
    ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 202,
        HALTED("billing", "report", "2026-01-05", "billing#report#2026-01-05"));
    CHECK_STR(w.last->reason, "Accepted, not yet confirmed by the operator");
    /* Again: the wish is there already. */
    uint64_t patches = fake_count_requests(w.fake, K8S_PATCH, "workflowinstances");
    ASK("POST", HALT, BODY("billing", "report", "2026-01-05"), 202, NULL);
    CHECK_INT(fake_count_requests(w.fake, K8S_PATCH, "workflowinstances"), patches);
    tear_down();
}

TEST(halts_survive_faults)
{
    static const struct {
        int line;
        enum fake_fault fault;
        int n, verb, status;
    } rows[] = {
        {__LINE__, FAKE_LOSE_REPLY, 1, K8S_PATCH, 200},
        {__LINE__, FAKE_LOSE_REQUEST, 1, K8S_PATCH, 200},
        {__LINE__, FAKE_CONFLICT, 2, K8S_PATCH, 200},
        {__LINE__, FAKE_CONFLICT, 100, K8S_PATCH, 409},
        {__LINE__, FAKE_REFUSE, 1, K8S_PATCH, 503},
        {__LINE__, FAKE_NO_RIGHT, 1, K8S_PATCH, 503},
        {__LINE__, FAKE_REFUSE, 1, K8S_GET, 503},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_up_report();
        ask("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
        fake_fail_next(w.fake, rows[i].fault, rows[i].n, rows[i].verb, "workflowinstances");
        CHECK_INT_AT(rows[i].line,
                     ask("POST", HALT, BODY("billing", "report", "2026-01-05"))->status,
                     rows[i].status);
        if (rows[i].status == 200)
            CHECK_STR_AT(rows[i].line, json_text_at(instance(), "status.state"), "ERROR");
        tear_down();
    }
}

TEST(a_request_may_end_at_any_time)
{
    for (int64_t ms = 0; ms < 120; ms += 3) {
        set_up_report();
        w.operator_works = ms % 2;
        struct answer *a = begin("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
        fake_run(w.fake, ms);
        struct answer *b = begin("POST", HALT, BODY("billing", "report", "2026-01-05"));
        struct answer *c = begin("POST", TRIGGER, BODY("billing", "report", "2026-01-05"));
        fake_run(w.fake, ms);
        answer_free(a);
        answer_free(b);
        answer_free(c);
        settle();
        tear_down();
    }
}

/* ---- names in bodies ---- */

TEST(instances_are_named_in_two_ways)
{
    static const struct {
        int line;
        const char *body, *component, *workflow, *parameter; /* NULL: refused */
    } rows[] = {
        {__LINE__, "{\"workflow_id\":{\"component_id\":\"c\",\"id\":\"w\"},\"parameter\":\"p\"}",
         "c", "w", "p"},
        {__LINE__, "{\"workflow_id\":{\"component_id\":\"c\",\"id\":\"w\"},\"parameter\":2026}",
         "c", "w", "2026"},
        {__LINE__, "{\"workflow_instance\":\"c/w/p\"}", "c", "w", "p"},
        {__LINE__, "{\"workflow_instance\":\"c#w#p\"}", "c", "w", "p"},
        {__LINE__, "{\"workflow_instance\":\"c/d#w/x#y#p\"}", "c/d", "w/x#y", "p"},
        {__LINE__, "{\"workflow_instance\":\"c/w/x/p\"}", "c", "w/x", "p"},
        {__LINE__,
         "{\"workflow_instance\":\"a/b/c\",\"workflow_id\":{\"component_id\":\"c\",\"id\":\"w\"},"
         "\"parameter\":\"p\"}",
         "c", "w", "p"},
        {__LINE__, "{\"workflow_instance\":\"c/w\"}", NULL, NULL, NULL},
        {__LINE__, "{\"workflow_instance\":\"c\"}", NULL, NULL, NULL},
        {__LINE__, "{\"workflow_instance\":{}}", NULL, NULL, NULL},
        {__LINE__, "{\"workflow_id\":\"c\",\"parameter\":\"p\"}", NULL, NULL, NULL},
        {__LINE__, "{\"workflow_id\":{\"component_id\":null,\"id\":\"w\"},\"parameter\":\"p\"}",
         NULL, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(json_decref) json_t *body = NULL;
        struct named_instance n = {0};
        struct error err;

        CHECK_OK(json_parse(rows[i].body, strlen(rows[i].body), &body, &err), &err);
        if (!rows[i].component) {
            CHECK_ERROR_AT(rows[i].line, named_instance_read(body, &n, &err), &err, ERROR_INVALID);
            continue;
        }
        CHECK_OK_AT(rows[i].line, named_instance_read(body, &n, &err), &err);
        CHECK_STR_AT(rows[i].line, n.component, rows[i].component);
        CHECK_STR_AT(rows[i].line, n.workflow, rows[i].workflow);
        CHECK_STR_AT(rows[i].line, n.parameter, rows[i].parameter);
        named_instance_done(&n);
    }
}
