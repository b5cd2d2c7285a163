/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP API against a real API server, that of KUBECONFIG: who owns which field, what the
 * schemas refuse, names that Kubernetes has to take.  Needs kubectl; runs from the top folder.
 * Works in a namespace of its own and removes it; the kinds stay.
 */
#include "test.h"

#include "integration/guard.h"

#include "apiserver/api.h"
#include "apiserver/route.h"
#include "apiserver/store.h"
#include "base/hash.h"
#include "base/log.h"
#include "k8s/transport.h"
#include "model/time.h"

#define PATIENCE_MS 20000

static struct {
    char ns[32];
    struct k8s_config *config;
    struct k8s *k8s;
    struct places places;
    struct rng rng;
    struct api api;
    bool ready;
} w;

/* ---- what somebody else does ---- */

static bool replied;
static struct k8s_reply last;
static json_t *last_object;

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    (void) arg;
    replied = true;
    last = *reply;
    json_decref(last_object);
    last_object = json_incref((json_t *) (uintptr_t) reply->object);
}

static void wait_until(const bool *flag, const char *what)
{
    int64_t deadline = loop_now_fresh(w.api.loop, LOOP_MONOTONIC) + PATIENCE_MS;

    while (!*flag) {
        loop_turn(w.api.loop, 100);
        if (loop_now_fresh(w.api.loop, LOOP_MONOTONIC) > deadline)
            TEST_FAIL("waited in vain for %s", what);
    }
}

static enum error_code call(const struct k8s_request *request)
{
    replied = false;
    k8s_call(w.k8s, request, &(struct k8s_handler) {.on_reply = on_reply}, NULL);
    wait_until(&replied, "a reply");
    return last.error.code;
}

static const json_t *get(const struct k8s_resource *resource, const char *name)
{
    struct k8s_request request = {.verb = K8S_GET, .resource = resource, .ns = w.ns, .name = name};

    return call(&request) == ERROR_NONE ? last_object : NULL;
}

/* As kubectl apply --server-side --field-manager does; `spec` is JSON. */
static enum error_code apply(const char *manager, const char *name, const char *spec)
{
    CLEANUP(free) char *body =
        xasprintf("{\"apiVersion\":\"kharon.dev/v1alpha1\",\"kind\":\"Workflow\","
                  "\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"},\"spec\":%s}",
                  name, w.ns, spec);

    return call(&(struct k8s_request) {.verb = K8S_APPLY,
                                       .resource = &workflow_resource,
                                       .ns = w.ns,
                                       .name = name,
                                       .body = body,
                                       .field_manager = manager});
}

static enum error_code patch_status(const struct k8s_resource *resource, const char *name,
                                    const char *status)
{
    CLEANUP(free) char *body = xasprintf("{\"status\":%s}", status);

    return call(&(struct k8s_request) {.verb = K8S_PATCH,
                                       .resource = resource,
                                       .ns = w.ns,
                                       .name = name,
                                       .subresource = "status",
                                       .body = body});
}

/* ---- requests ---- */

static struct {
    struct request req;
    bool answered;
    int status;
    char reason[REPLY_REASON_MAX + 1];
    char *body;
} a;

static void on_send(struct request *req, const struct reply *reply)
{
    (void) req;
    a.answered = true;
    a.status = reply->status;
    reply_reason(reply, a.reason);
    free(a.body);
    a.body = xstrndup(reply->body ? reply->body : "", reply->body_len);
}

static void send_request(const char *method, const char *target, const char *body)
{
    request_done(&a.req);
    a.answered = false;
    a.req = (struct request) {.api = &w.api,
                              .method = method,
                              .target = target,
                              .body = body,
                              .body_len = body ? strlen(body) : 0,
                              .send = on_send};
    route_dispatch(&a.req);
}

static void ask(int line, const char *method, const char *target, const char *body, int status)
{
    send_request(method, target, body);
    wait_until(&a.answered, target);
    if (a.status != status)
        test_fail_at(__FILE__, line, "%s %s is %d %s, want %d\n%s", method, target, a.status,
                     a.reason, status, a.body);
}

#define ASK(method, target, body, status) ask(__LINE__, method, target, body, status)

static bool synced;

static void look_whether_synced(void *arg)
{
    struct loop_timer *timer = arg;

    synced = store_synced(w.api.store);
    if (!synced)
        loop_timer_set(w.api.loop, timer, LOOP_MONOTONIC,
                       loop_now(w.api.loop, LOOP_MONOTONIC) + 20);
}

/* Once for all tests, which use different workflows; component "c" lives in the namespace. */
static void set_up(void)
{
    static struct loop_timer timer = {.on_time = look_whether_synced, .arg = &timer};
    struct k8s_config_options options = {0};
    struct k8s_limits limits = {0};
    struct error err;
    char random[9];

    if (w.ready)
        return;
    log_setup(LOG_TEXT, LOG_ERROR);
    random_hex(random, 8);
    snprintf(w.ns, sizeof(w.ns), "api-%s", random);
    CLEANUP(free) char *command =
        xasprintf("kubectl apply --server-side --force-conflicts -f manifests/crds.yaml >&2 && "
                  "kubectl wait --for=condition=Established --timeout=30s crd "
                  "workflows.kharon.dev workflowinstances.kharon.dev >&2 && "
                  "kubectl create namespace %s >&2",
                  w.ns);
    CHECK_INT(system(command), 0);
    CHECK_OK(k8s_config_load(&options, &w.config, &err), &err);
    w.api = (struct api) {.loop = loop_new(),
                          .rng = &w.rng,
                          .max_running_timeout_ms = 48 * HOUR_MS,
                          .max_active = 100};
    rng_init_from_kernel(&w.rng);
    CHECK_OK(k8s_transport_new(w.api.loop, w.config, &limits, NULL, &w.k8s, &err), &err);
    w.api.k8s = w.k8s;
    CHECK_OK(places_init(&w.places, NULL, 0, NULL, 0, w.ns, &err), &err);
    w.api.store = store_new(w.api.loop, w.k8s, &w.rng, &w.places);
    store_start(w.api.store);
    look_whether_synced(&timer);
    wait_until(&synced, "the first list");
    w.ready = true;
}

__attribute__((destructor)) static void tear_down(void)
{
    if (!w.ready)
        return;
    CLEANUP(free) char *command = xasprintf("kubectl delete namespace %s --wait=false >&2", w.ns);
    if (system(command) != 0)
        fprintf(stderr, "namespace %s is left\n", w.ns);
    request_done(&a.req);
    free(a.body);
    json_decref(last_object);
    store_free(w.api.store);
    k8s_free(w.k8s);
    k8s_config_free(w.config);
    places_done(&w.places);
    loop_free(w.api.loop);
}

/* ---- tests ---- */

static bool owns_suspend(const json_t *object, const char *manager)
{
    size_t i;
    json_t *entry;

    json_array_foreach (json_at(object, "metadata.managedFields"), i, entry) {
        const json_t *spec = json_object_get(json_object_get(entry, "fieldsV1"), "f:spec");

        if (strcmp(json_text_at(entry, "manager"), manager) == 0 &&
            json_object_get(spec, "f:suspend"))
            return true;
    }
    return false;
}

static void check_owners(int line, const char *name, bool suspended)
{
    const json_t *object = get(&workflow_resource, name);

    CHECK_AT(line, object);
    CHECK_INT_AT(line, json_bool_at(object, "spec.suspend", !suspended), suspended);
    CHECK_AT(line, !owns_suspend(object, "kharon-api"));
    CHECK_AT(line, owns_suspend(object, "kharon-api-state"));
}

#define OWNERS(name, suspended) check_owners(__LINE__, name, suspended)

TEST(a_new_workflow_is_suspended_and_stays_so)
{
    set_up();
    ASK("POST", "/v3/workflows/c",
        "{\"id\":\"new\",\"schedule\":\"daily\",\"env\":{\"A\":\"1\",\"B\":\"2\"},"
        "\"docker_image\":\"busybox:1\"}",
        200);
    OWNERS("c.new", true);
    ASK("POST", "/v3/workflows/c", "{\"id\":\"new\",\"schedule\":\"hourly\",\"env\":{\"B\":\"3\"}}",
        200);
    OWNERS("c.new", true);
    const json_t *object = get(&workflow_resource, "c.new");
    CHECK_STR(json_text_at(object, "spec.schedule"), "hourly");
    CHECK_INT(json_array_size(json_at(object, "spec.template.env")), 1);
    CHECK(!json_at(object, "spec.template.image"));
    ASK("PATCH", "/v3/workflows/c/new/state", "{\"enabled\":true}", 200);
    OWNERS("c.new", false);
    ASK("PATCH", "/v3/workflows/c/new/state", "{\"enabled\":false}", 200);
    OWNERS("c.new", true);
    ASK("PATCH", "/v3/workflows/c/new/state", "{\"enabled\":true}", 200);
    ASK("POST", "/v3/workflows/c", "{\"id\":\"new\",\"schedule\":\"daily\"}", 200);
    OWNERS("c.new", false);
    ASK("GET", "/v3/workflows/c/new/state", NULL, 200);
    CHECK_HAS(a.body, "\"enabled\":true");
}

/* What a creation that was cut short may have left behind: PATCH and POST both repair it. */
TEST(half_made_workflows_are_repaired)
{
    static const char *const methods[][2] = {
        {"PATCH", "{\"enabled\":true}"},
        {"PATCH", "{\"enabled\":false}"},
        {"POST", "{\"id\":\"x\",\"schedule\":\"hourly\"}"},
    };

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(methods) * 2; i++) {
        const char *const *m = methods[i / 2];
        CLEANUP(free) char *name = xasprintf("half%zu", i), *body = xstrdup(m[1]);
        CLEANUP(free) char *spec =
            xasprintf("{\"componentId\":\"c\",\"workflowId\":\"%s\",\"schedule\":\"daily\","
                      "\"suspend\":true}",
                      name);
        CLEANUP(free) char *post = xasprintf("{\"id\":\"%s\",\"schedule\":\"hourly\"}", name);
        CLEANUP(free) char *state = xasprintf("/v3/workflows/c/%s/state", name);
        CLEANUP(free) char *object = xasprintf("c.%s", name);

        CHECK_INT(apply("kharon-api", object, spec), ERROR_NONE);
        if (i % 2)
            CHECK_INT(apply("kharon-api-state", object, "{\"suspend\":true}"), ERROR_NONE);
        if (strcmp(m[0], "POST") == 0)
            ASK("POST", "/v3/workflows/c", post, 200);
        else
            ASK("PATCH", state, body, 200);
        OWNERS(object, strstr(m[1], "true") == NULL);
    }
}

TEST(a_field_that_somebody_else_manages_is_left_alone)
{
    set_up();
    CHECK_INT(apply("helm", "c.owned",
                    "{\"componentId\":\"c\",\"workflowId\":\"owned\",\"schedule\":\"daily\","
                    "\"suspend\":false}"),
              ERROR_NONE);
    ASK("POST", "/v3/workflows/c", "{\"id\":\"owned\",\"schedule\":\"hourly\"}", 409);
    CHECK_STR(a.reason,
              "spec.schedule is managed by \"helm\"; change it there, or give the field up there");
    ASK("PATCH", "/v3/workflows/c/owned/state", "{\"enabled\":false}", 409);
    CHECK_STR(a.reason,
              "spec.suspend is managed by \"helm\"; change it there, or give the field up there");
    ASK("PATCH", "/v3/workflows/c/owned/state",
        "{\"enabled\":false,\"next_natural_trigger\":\"2026-01-05T00:00:00Z\"}", 409);
    CHECK(!json_at(get(&workflow_resource, "c.owned"), "spec.setNext"));
    /* The same values are no conflict. */
    ASK("POST", "/v3/workflows/c",
        "{\"id\":\"owned\",\"schedule\":\"daily\",\"docker_image\":\"busybox:1\"}", 200);
    ASK("PATCH", "/v3/workflows/c/owned/state", "{\"enabled\":true}", 200);
    CHECK(!json_bool_at(get(&workflow_resource, "c.owned"), "spec.suspend", true));
    CHECK_STR(json_text_at(last_object, "spec.template.image"), "busybox:1");
}

TEST(any_ids_become_names_of_objects)
{
    static const struct {
        int line;
        const char *component, *id, *path;
    } rows[] = {
        {__LINE__, "Team A", "w/1 \xc3\xa4", "Team%20A/w%2F1%20%C3%A4"},
        {__LINE__, "a.b", "c", "a.b/c"},
        {__LINE__, "a", "b.c", "a/b.c"},
        {__LINE__, "..", "../x", "../..%2Fx"},
        {__LINE__, "c", "x#y", "c/x%23y"},
    };

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(json_decref) json_t *body =
            json_pack("{s:s, s:s}", "id", rows[i].id, "schedule", "daily");
        CLEANUP(free) char *text = json_print(body);
        CLEANUP(free) char *component = xstrndup(rows[i].path, strcspn(rows[i].path, "/"));
        CLEANUP(free) char *post = xasprintf("/v3/workflows/%s", component);
        CLEANUP(free) char *one = xasprintf("/v3/workflows/%s", rows[i].path);

        ask(rows[i].line, "POST", post, text, 200);
        ask(rows[i].line, "GET", one, NULL, 200);
        ask(rows[i].line, "DELETE", one, NULL, 204);
        ask(rows[i].line, "GET", one, NULL, 404);
        ask(rows[i].line, "DELETE", one, NULL, 404);
    }
}

#define BODY(id, parameter)                                                                        \
    "{\"workflow_id\":{\"component_id\":\"c\",\"id\":\"" id "\"},\"parameter\":\"" parameter "\"}"

TEST(instances_are_triggered_and_halted)
{
    set_up();
    ASK("POST", "/v3/workflows/c",
        "{\"id\":\"run\",\"schedule\":\"*/5 * * * *\",\"docker_image\":\"busybox:1\"}", 200);
    ASK("POST", "/v3/scheduler/trigger", BODY("run", "2026-01-05T10:17"), 200);
    CHECK_HAS(a.body, "\"effective_parameter\":\"2026-01-05T10:15:00Z\"");
    const json_t *object = get(&instance_resource, "c.run.2026-01-05t10-15-00z");
    CHECK(object);
    CHECK_STR(json_text_at(object, "spec.parameter"), "2026-01-05T10:15:00Z");
    ASK("POST", "/v3/scheduler/trigger", BODY("run", "2026-01-05T10:15"), 409);
    ASK("GET", "/v3/status/activeStates?component=c&workflow=run", NULL, 200);
    CHECK_HAS(a.body, "2026-01-05T10:15:00Z");

    /* Nobody confirms; a trigger after it is not refused. */
    ASK("POST", "/v3/scheduler/halt", BODY("run", "2026-01-05T10:15:00Z"), 202);
    ASK("POST", "/v3/scheduler/trigger", BODY("run", "2026-01-05T10:15"), 200);
    object = get(&instance_resource, "c.run.2026-01-05t10-15-00z");
    CHECK_INT(json_int_at(object, "spec.trigger.seq", 0), 2);
    CHECK_INT(json_int_at(object, "spec.haltThrough", 0), 1);

    /* Somebody confirms while the request waits. */
    send_request("POST", "/v3/scheduler/halt", BODY("run", "2026-01-05T10:15:00Z"));
    CHECK_INT(
        patch_status(
            &instance_resource, "c.run.2026-01-05t10-15-00z",
            "{\"state\":\"ERROR\",\"active\":false,\"seq\":2,\"haltedThrough\":2,\"counter\":3}"),
        ERROR_NONE);
    wait_until(&a.answered, "the halt");
    CHECK_INT(a.status, 200);
    ASK("POST", "/v3/scheduler/trigger", BODY("run", "2026-01-05T10:15"), 200);
}

TEST(the_cursor_is_moved_by_a_wish)
{
    set_up();
    ASK("POST", "/v3/workflows/c", "{\"id\":\"wish\",\"schedule\":\"daily\"}", 200);
    ASK("PATCH", "/v3/workflows/c/wish/state",
        "{\"enabled\":true,\"next_natural_trigger\":\"2026-01-05T00:00:00Z\",\"next_natural_offset_"
        "trigger\":null}",
        202);
    const json_t *object = get(&workflow_resource, "c.wish");
    CHECK(!json_bool_at(object, "spec.suspend", true));
    CHECK_STR(json_text_at(object, "spec.setNext.next"), "2026-01-05T00:00:00Z");
    CHECK(!json_at(object, "spec.setNext.nextOffset"));
    ASK("POST", "/v3/workflows/c", "{\"id\":\"wish\",\"schedule\":\"hourly\"}", 200);
    CHECK_STR(json_text_at(get(&workflow_resource, "c.wish"), "spec.setNext.next"),
              "2026-01-05T00:00:00Z");
    OWNERS("c.wish", false);
}

/* What our rules let pass and the schema does not. */
TEST(what_the_schema_refuses_is_a_bad_request)
{
    CLEANUP(free) char *body = NULL;

    set_up();
    body = xasprintf(
        "{\"id\":\"schema\",\"schedule\":\"daily\",\"deployment_source\":{\"source\":\"%01500d\"}}",
        1);
    ASK("POST", "/v3/workflows/c", body, 400);
    CHECK_HAS(a.reason, "Invalid workflow configuration: [");
    ASK("GET", "/v3/workflows/c/schema", NULL, 404);
}
