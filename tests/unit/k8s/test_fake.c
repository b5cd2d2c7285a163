/* SPDX-License-Identifier: Apache-2.0 */
/* The fake against what the real API server does (docs/kubernetes.md); the same rules are tried on
 * a real one in tests/integration/test_k8s.c. */
#include "test.h"

#include "base/alloc.h"
#include "sim/fake.h"
#include "sim/fake_kubelet.h"

#define START 1767225600000 /* 2026-01-01T00:00:00Z */

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};
static const struct k8s_resource things = {"kharon.dev", "v1alpha1", "things", "Thing"};
static const struct k8s_resource unknown = {"kharon.dev", "v1alpha1", "unknowns", "Unknown"};

static struct loop *loop;
static struct fake *fake;
static struct k8s *k8s;

/* What a call brought. */
static struct seen {
    int replies;
    struct k8s_reply reply;
    json_t *object;
    char version[32], token[64], reason[64];
    char items[4096]; /* "ADDED a/x=1 …" */
    int n_items;
    int64_t at;
} seen;

static void set_up(void)
{
    loop = loop_new_virtual(START);
    fake = fake_new(loop, 1);
    fake_add_kind(fake, &things, true);
    k8s = fake_client(fake, "test");
    memset(&seen, 0, sizeof(seen));
}

static void tear_down(void)
{
    json_decref(seen.object);
    k8s_free(k8s);
    fake_free(fake);
    loop_free(loop);
}

static void on_item(enum k8s_event event, const char *text, size_t len, void *arg)
{
    static const char *const names[] = {"", "+", "*", "-", "@"};
    CLEANUP(json_decref) json_t *json = NULL;
    struct error err;
    char item[160];

    (void) arg;
    CHECK_OK(json_parse(text, len, &json, &err), &err);
    snprintf(item, sizeof(item), "%s%s%s", *seen.items ? " " : "", names[event],
             event == K8S_BOOKMARK ? "" : json_text_at(json, "metadata.name"));
    strncat(seen.items, item, sizeof(seen.items) - strlen(seen.items) - 1);
    seen.n_items++;
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    (void) arg;
    json_decref(seen.object);
    seen.reply = *reply;
    seen.object = json_incref((json_t *) (uintptr_t) reply->object);
    snprintf(seen.version, sizeof(seen.version), "%s", reply->resource_version);
    snprintf(seen.token, sizeof(seen.token), "%s", reply->continue_token);
    snprintf(seen.reason, sizeof(seen.reason), "%s", reply->reason);
    seen.at = loop_now(loop, LOOP_MONOTONIC);
    seen.replies++;
}

static const struct k8s_handler handler = {on_item, on_reply};

static bool has_reply(void *arg)
{
    return seen.replies > *(int *) arg;
}

/* Sends it and waits. */
static enum error_code ask(struct k8s_request request)
{
    int before = seen.replies;

    if (!request.resource)
        request.resource = &things;
    if (!request.ns)
        request.ns = "a";
    seen.items[0] = '\0';
    k8s_call(k8s, &request, &handler, NULL);
    CHECK_INT(seen.replies, before); /* never inside k8s_call */
    CHECK(fake_run_until(fake, 10000, has_reply, &before));
    return seen.reply.error.code;
}

static enum error_code create(const char *body)
{
    return ask((struct k8s_request) {.verb = K8S_CREATE, .body = body});
}

static enum error_code patch(const char *name, const char *subresource, const char *body)
{
    return ask((struct k8s_request) {
        .verb = K8S_PATCH, .name = name, .subresource = subresource, .body = body});
}

static enum error_code drop(const char *name, const char *uid, const char *version)
{
    CLEANUP(free) char *body = k8s_delete_options(uid, version, -1);

    return ask((struct k8s_request) {.verb = K8S_DELETE, .name = name, .body = body});
}

static const char *get(const char *name, const char *path)
{
    return json_text_at(fake_get(fake, &things, "a", name), path);
}

TEST(create_fills_in_what_the_server_owns)
{
    set_up();
    CHECK_INT(create("{\"metadata\":{\"name\":\"x\"},\"spec\":{\"n\":1},\"status\":{\"no\":true}}"),
              ERROR_NONE);
    CHECK_INT(seen.reply.http_status, 201);
    CHECK_STR(json_text_at(seen.object, "metadata.creationTimestamp"), "2026-01-01T00:00:00Z");
    CHECK_STR(json_text_at(seen.object, "metadata.namespace"), "a");
    CHECK_STR(json_text_at(seen.object, "apiVersion"), "kharon.dev/v1alpha1");
    CHECK_STR(json_text_at(seen.object, "kind"), "Thing");
    CHECK_INT(json_int_at(seen.object, "metadata.generation", 0), 1);
    CHECK_INT(strlen(json_text_at(seen.object, "metadata.uid")), 36);
    CHECK(!json_at(seen.object, "status"));
    CHECK_STR(seen.version, "101");
    CHECK_INT(seen.reply.server_time_ms, START);
    CHECK_INT(create("{\"metadata\":{\"name\":\"x\"}}"), ERROR_EXISTS);
    CHECK_STR(seen.reply.error.text, "things.kharon.dev \"x\" already exists");
    CHECK_INT(create("{\"metadata\":{}}"), ERROR_INVALID);
    CHECK_INT(create("nonsense"), ERROR_INVALID);
    tear_down();
}

TEST(absence_is_proven_only_by_a_404_about_the_name)
{
    set_up();
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_GET, .name = "x"}), ERROR_NOT_FOUND);
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_GET, .name = "x", .resource = &unknown}),
              ERROR_INTERNAL);
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_LIST, .resource = &unknown}), ERROR_INTERNAL);
    tear_down();
}

TEST(spec_and_status_are_written_apart)
{
    set_up();
    create("{\"metadata\":{\"name\":\"x\"},\"spec\":{\"n\":1}}");
    CHECK_INT(patch("x", NULL, "{\"spec\":{\"n\":2},\"status\":{\"s\":1}}"), ERROR_NONE);
    CHECK_INT(json_int_at(seen.object, "metadata.generation", 0), 2);
    CHECK(!json_at(seen.object, "status"));
    CHECK_INT(patch("x", "status",
                    "{\"spec\":{\"n\":3},\"metadata\":{\"labels\":{\"a\":\"b\"}},\"status\":{\"s\":"
                    "\"on\"}}"),
              ERROR_NONE);
    CHECK_INT(json_int_at(seen.object, "metadata.generation", 0), 2);
    CHECK_INT(json_int_at(seen.object, "spec.n", 0), 2);
    CHECK(!json_at(seen.object, "metadata.labels"));
    CHECK_STR(get("x", "status.s"), "on");
    CHECK_INT(patch("x", NULL, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), ERROR_NONE);
    CHECK_INT(json_int_at(seen.object, "metadata.generation", 0), 2);
    CHECK_INT(patch("x", NULL, "{\"spec\":{\"n\":null}}"), ERROR_NONE);
    CHECK(!json_at(seen.object, "spec.n"));
    tear_down();
}

TEST(patches_carry_preconditions)
{
    set_up();
    create("{\"metadata\":{\"name\":\"x\"},\"spec\":{\"n\":1}}");
    CHECK_INT(patch("x", NULL, "{\"metadata\":{\"resourceVersion\":\"101\"},\"spec\":{\"n\":2}}"),
              ERROR_NONE);
    CHECK_INT(patch("x", NULL, "{\"metadata\":{\"resourceVersion\":\"101\"},\"spec\":{\"n\":3}}"),
              ERROR_CONFLICT);
    CHECK_HAS(seen.reply.error.text, "Operation cannot be fulfilled on things.kharon.dev \"x\"");
    CHECK_INT(patch("x", "status", "{\"metadata\":{\"resourceVersion\":\"101\"},\"status\":{}}"),
              ERROR_CONFLICT);
    CHECK_INT(patch("x", NULL, "{\"metadata\":{\"uid\":\"other\"},\"spec\":{\"n\":3}}"),
              ERROR_INVALID);
    CHECK_INT(patch("x", NULL, "{\"spec\":{\"n\":2}}"), ERROR_NONE);
    CHECK_STR(seen.version, "102"); /* nothing changed */
    CHECK_INT(patch("y", NULL, "{\"spec\":{\"n\":2}}"), ERROR_NOT_FOUND);
    tear_down();
}

TEST(apply_creates_or_merges)
{
    static const char body[] =
        "{\"apiVersion\":\"kharon.dev/"
        "v1alpha1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"a\":1}}";

    set_up();
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_APPLY, .name = "x", .body = body}),
              ERROR_INVALID);
    CHECK_INT(ask((struct k8s_request) {
                  .verb = K8S_APPLY, .name = "x", .body = body, .field_manager = "m"}),
              ERROR_NONE);
    CHECK_INT(seen.reply.http_status, 201);
    CHECK_INT(ask((struct k8s_request) {
                  .verb = K8S_APPLY, .name = "x", .body = body, .field_manager = "m"}),
              ERROR_NONE);
    CHECK_INT(seen.reply.http_status, 200);
    CHECK_STR(seen.version, "101");
    tear_down();
}

TEST(delete_checks_its_preconditions)
{
    set_up();
    create("{\"metadata\":{\"name\":\"x\"}}");
    CHECK_INT(drop("x", "wrong", NULL), ERROR_CONFLICT);
    CHECK_INT(drop("x", NULL, "7"), ERROR_CONFLICT);
    CHECK_INT(drop("x", get("x", "metadata.uid"), "101"), ERROR_NONE);
    CHECK_STR(json_text_at(seen.object, "status"), "Success");
    CHECK_STR(seen.version, "");
    CHECK_INT(drop("x", NULL, NULL), ERROR_NOT_FOUND);
    tear_down();
}

TEST(finalizers_keep_an_object)
{
    set_up();
    create("{\"metadata\":{\"name\":\"x\",\"finalizers\":[\"kharon.dev/a\"]}}");
    CHECK_INT(drop("x", NULL, NULL), ERROR_NONE);
    CHECK_STR(json_text_at(seen.object, "kind"), "Thing");
    CHECK_STR(get("x", "metadata.deletionTimestamp"), "2026-01-01T00:00:00Z");
    CHECK_INT(create("{\"metadata\":{\"name\":\"x\"}}"), ERROR_EXISTS);
    CHECK_HAS(seen.reply.error.text, "object is being deleted: ");
    CHECK_INT(
        patch("x", NULL, "{\"metadata\":{\"finalizers\":[\"kharon.dev/a\",\"kharon.dev/b\"]}}"),
        ERROR_INVALID);
    CHECK_INT(patch("x", NULL, "{\"metadata\":{\"finalizers\":null}}"), ERROR_NONE);
    CHECK(!fake_get(fake, &things, "a", "x"));
    tear_down();
}

TEST(what_has_lost_its_owners_goes)
{
    const json_t *owner;
    char text[256];

    set_up();
    owner = fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    snprintf(text, sizeof(text),
             "{\"metadata\":{\"name\":\"y\",\"namespace\":\"a\",\"ownerReferences\":[{\"uid\":\"%"
             "s\"}]}}",
             json_text_at(owner, "metadata.uid"));
    fake_create(fake, &things, text);
    fake_run(fake, 1000);
    CHECK(get("y", "metadata.name"));
    fake_delete(fake, &things, "a", "x");
    fake_run(fake, 1000);
    CHECK(!get("y", "metadata.name"));
    fake_create(fake, &things, text); /* for an owner that is gone already */
    fake_run(fake, 1000);
    CHECK(!get("y", "metadata.name"));
    tear_down();
}

TEST(a_list_in_pages_is_one_version)
{
    char text[128];

    set_up();
    for (int i = 9; i >= 0; i--) {
        snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"x%d\",\"namespace\":\"a\"}}", i);
        fake_create(fake, &things, text);
    }
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"other\",\"namespace\":\"b\"}}");
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_LIST, .limit = 4}), ERROR_NONE);
    CHECK_STR(seen.items, "x0 x1 x2 x3");
    CHECK_STR(seen.version, "111");
    fake_delete(fake, &things, "a", "x5");
    CHECK_INT(
        ask((struct k8s_request) {.verb = K8S_LIST, .limit = 4, .continue_token = seen.token}),
        ERROR_NONE);
    CHECK_STR(seen.items, "x4 x5 x6 x7");
    CHECK_INT(
        ask((struct k8s_request) {.verb = K8S_LIST, .limit = 4, .continue_token = seen.token}),
        ERROR_NONE);
    CHECK_STR(seen.items, "x8 x9");
    CHECK_STR(seen.token, "");
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_LIST, .limit = 4}), ERROR_NONE);
    fake_expire_history(fake);
    CHECK_INT(
        ask((struct k8s_request) {.verb = K8S_LIST, .limit = 4, .continue_token = seen.token}),
        ERROR_EXPIRED);
    tear_down();
}

TEST(selectors_choose)
{
    set_up();
    fake_create(fake, &things,
                "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\",\"labels\":{\"l\":\"1\"}},"
                "\"spec\":{\"on\":true}}");
    fake_create(fake, &things,
                "{\"metadata\":{\"name\":\"y\",\"namespace\":\"a\",\"labels\":{\"l\":\"2\"}},"
                "\"spec\":{\"on\":false}}");
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"z\",\"namespace\":\"a\"}}");
    static const struct {
        int line;
        const char *label, *field, *want;
    } rows[] = {
        {__LINE__, "l=1", NULL, "x"},
        {__LINE__, "l!=1", NULL, "y z"},
        {__LINE__, "l", NULL, "x y"},
        {__LINE__, "!l", NULL, "z"},
        {__LINE__, NULL, "spec.on=true", "x"},
        {__LINE__, NULL, "spec.on!=true", "y z"},
        {__LINE__, NULL, "spec.on=", "z"},
        {__LINE__, "l==2", "spec.on=false", "y"},
        {__LINE__, NULL, "metadata.name=z", "z"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ask((struct k8s_request) {
            .verb = K8S_LIST, .label_selector = rows[i].label, .field_selector = rows[i].field});
        CHECK_STR_AT(rows[i].line, seen.items, rows[i].want);
    }
    tear_down();
}

static struct k8s_call *watch(const char *from, const char *label, int64_t timeout_ms)
{
    seen.items[0] = '\0';
    return k8s_call(k8s,
                    &(struct k8s_request) {.verb = K8S_WATCH,
                                           .resource = &things,
                                           .ns = "a",
                                           .resource_version = from,
                                           .label_selector = label,
                                           .timeout_ms = timeout_ms},
                    &handler, NULL);
}

TEST(a_watch_tells_what_happened_since)
{
    set_up();
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    struct k8s_call *call = watch("100", NULL, 0);
    fake_run(fake, 100);
    CHECK_STR(seen.items, "+x");
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"y\",\"namespace\":\"b\"}}");
    fake_patch(fake, &things, "a", "x", "{\"spec\":{\"n\":1}}");
    fake_delete(fake, &things, "a", "x");
    fake_run(fake, 100);
    CHECK_STR(seen.items, "+x *x -x");
    fake_run(fake, 60000);
    CHECK_STR(seen.items, "+x *x -x @");
    k8s_cancel(call);
    fake_run(fake, 100000);
    CHECK_INT(seen.replies, 0);
    tear_down();
}

TEST(a_watch_with_a_selector_shows_leaving_as_deleted)
{
    set_up();
    struct k8s_call *call = watch("100", "l=1", 0);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_patch(fake, &things, "a", "x", "{\"metadata\":{\"labels\":{\"l\":\"1\"}}}");
    fake_patch(fake, &things, "a", "x", "{\"metadata\":{\"labels\":{\"l\":\"2\"}}}");
    fake_run(fake, 100);
    CHECK_STR(seen.items, "+x -x");
    CHECK(get("x", "metadata.name"));
    k8s_cancel(call);
    tear_down();
}

TEST(watches_end)
{
    set_up();
    watch("100", NULL, 3000);
    fake_run(fake, 4000);
    CHECK_INT(seen.replies, 1);
    CHECK_INT(seen.reply.error.code, ERROR_NONE);
    CHECK_STR(seen.items, ""); /* a bookmark that says nothing new is not sent */
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_expire_history(fake);
    watch("100", NULL, 0);
    fake_run(fake, 100);
    CHECK_INT(seen.reply.error.code, ERROR_EXPIRED);
    watch("101", NULL, 0);
    fake_run(fake, 100);
    fake_end_watches(fake, true);
    CHECK_INT(seen.replies, 3);
    CHECK_INT(seen.reply.error.code, ERROR_NONE);
    watch("101", NULL, 0);
    fake_run(fake, 100);
    fake_end_watches(fake, false);
    CHECK_INT(seen.reply.error.code, ERROR_UNKNOWN);
    watch("999", NULL, 200000); /* from the future: silence */
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"y\",\"namespace\":\"a\"}}");
    fake_run(fake, 99000);
    CHECK_STR(seen.items, "");
    fake_run(fake, 2000);
    CHECK_INT(seen.replies, 5);
    tear_down();
}

static const char *version(const char *name)
{
    static char text[32];

    snprintf(text, sizeof(text), "%s", get(name, "metadata.resourceVersion"));
    return text;
}

TEST(watches_lag_by_kind)
{
    set_up();
    fake_set_lag(fake, &things, 60000, 90000);
    struct k8s_call *call = watch("100", NULL, 0);
    create("{\"metadata\":{\"name\":\"x\"}}");
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_GET, .name = "x"}), ERROR_NONE);
    seen.items[0] = '\0';
    fake_run(fake, 50000);
    CHECK_STR(seen.items, "");
    fake_patch(fake, &things, "a", "x", "{\"spec\":{\"n\":1}}");
    fake_run(fake, 45000);
    CHECK_STR(seen.items, "+x");
    fake_run(fake, 50000);
    CHECK_HAS(seen.items, "+x *x");
    CHECK_INT(seen.n_items, 2);
    k8s_cancel(call);
    tear_down();
}

TEST(events_come_twice)
{
    set_up();
    fake_set_rate(fake, FAKE_DUPLICATE, 1000);
    struct k8s_call *call = watch("100", NULL, 0);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_delete(fake, &things, "a", "x");
    fake_run(fake, 100);
    CHECK_STR(seen.items, "+x +x -x -x");
    k8s_cancel(call);
    tear_down();
}

TEST(a_silent_watch_is_given_up)
{
    set_up();
    watch("100", NULL, 1000000);
    fake_run(fake, 10000);
    fake_silence_watches(fake);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_run(fake, 99000);
    CHECK_INT(seen.replies, 0);
    fake_run(fake, 2000);
    CHECK_INT(seen.reply.error.code, ERROR_UNKNOWN);
    CHECK_STR(seen.items, "");
    tear_down();
}

TEST(a_stopped_server_refuses_and_its_watches_go_on_for_a_minute)
{
    set_up();
    struct k8s_call *call = watch("100", NULL, 1000000);
    fake_run(fake, 100);
    fake_stop_server(fake, 40000);
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_GET, .name = "x"}), ERROR_UNAVAILABLE);
    CHECK_INT(seen.reply.http_status, 0);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_run(fake, 40000);
    CHECK_STR(seen.items, "+x");
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_GET, .name = "x"}), ERROR_UNAVAILABLE);
    CHECK_INT(seen.reply.retry_after_ms, 5000);
    fake_run(fake, 3000);
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_GET, .name = "x"}), ERROR_NONE);
    fake_run(fake, 20000);
    CHECK_INT(seen.reply.error.code, ERROR_UNKNOWN);
    (void) call;
    tear_down();
}

/* What it knows begins with its start.  Pages of a list are etcd's. */
TEST(a_server_that_started_serves_no_watch_from_before)
{
    set_up();
    CHECK_INT(create("{\"metadata\":{\"name\":\"x\"}}"), ERROR_NONE);
    CHECK_INT(create("{\"metadata\":{\"name\":\"y\"}}"), ERROR_NONE);
    CHECK_INT(create("{\"metadata\":{\"name\":\"z\"}}"), ERROR_NONE);
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_LIST, .limit = 2}), ERROR_NONE);
    CLEANUP(free) char *token = xstrdup(seen.token), *version = xstrdup(seen.version);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"w\",\"namespace\":\"a\"}}");
    fake_stop_server(fake, 1000);
    fake_run(fake, 10000);
    watch(version, NULL, 0);
    fake_run(fake, 100);
    CHECK_INT(seen.reply.error.code, ERROR_EXPIRED);
    CHECK_INT(ask((struct k8s_request) {.verb = K8S_LIST, .limit = 2, .continue_token = token}),
              ERROR_NONE);
    CHECK_STR(seen.version, version);
    tear_down();
}

TEST(a_stall_of_etcd_lets_some_writes_happen_in_the_end)
{
    int n = 0;

    set_up();
    for (int i = 0; i < 40; i++) {
        char body[64], name[16];

        snprintf(name, sizeof(name), "x%d", i);
        snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"%s\"}}", name);
        fake_stall(fake, 5000);
        CHECK_INT(create(body), ERROR_UNKNOWN);
        CHECK_INT(ask((struct k8s_request) {.verb = K8S_GET, .name = name}), ERROR_UNKNOWN);
        CHECK(!fake_get(fake, &things, "a", name));
        fake_run(fake, 10000);
        n += fake_get(fake, &things, "a", name) != NULL;
    }
    CHECK(n > 8 && n < 28);
    fake_stall(fake, 1000); /* shorter than the request's time */
    CHECK_INT(create("{\"metadata\":{\"name\":\"y\"}}"), ERROR_NONE);
    tear_down();
}

TEST(a_late_create_comes_just_after_a_404)
{
    int n = 0;

    set_up();
    for (int i = 0; i < 40; i++) {
        char body[64], name[16];

        snprintf(name, sizeof(name), "x%d", i);
        snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"%s\"}}", name);
        fake_fail_next(fake, FAKE_LATE, 1, K8S_CREATE, "things");
        CHECK_INT(create(body), ERROR_UNKNOWN);
        if (ask((struct k8s_request) {.verb = K8S_GET, .name = name}) == ERROR_NOT_FOUND) {
            fake_run(fake, 1000);
            n += fake_get(fake, &things, "a", name) != NULL;
        }
        fake_run(fake, 30000);
        CHECK(fake_get(fake, &things, "a", name));
    }
    CHECK(n > 15);
    tear_down();
}

TEST(a_restored_backup_takes_versions_and_objects_back)
{
    set_up();
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"y\",\"namespace\":\"a\"}}");
    fake_backup(fake);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"z\",\"namespace\":\"a\"}}");
    fake_patch(fake, &things, "a", "x", "{\"spec\":{\"n\":1}}");
    fake_delete(fake, &things, "a", "y");
    watch("105", NULL, 0);
    fake_run(fake, 100);
    fake_restore(fake);
    CHECK_INT(seen.reply.error.code, ERROR_UNKNOWN);
    CHECK_STR(version("x"), "101");
    CHECK(!get("x", "spec"));
    CHECK(get("y", "metadata.name"));
    CHECK(!get("z", "metadata.name"));
    CHECK_INT(
        ask((struct k8s_request) {.verb = K8S_LIST, .resource_version = "105", .timeout_ms = 5000}),
        ERROR_UNKNOWN);
    CHECK_HAS(seen.reply.error.text, "Too large resource version: 105, current: 102");
    watch("105", NULL, 0); /* silence, until it is given up */
    fake_patch(fake, &things, "a", "x", "{\"spec\":{\"n\":2}}");
    fake_run(fake, 99000);
    CHECK_STR(seen.items, "");
    fake_run(fake, 2000);
    CHECK_INT(seen.reply.error.code, ERROR_UNKNOWN);
    tear_down();
}

static void fault_case(int line, enum fake_fault fault, enum error_code want, bool happened,
                       int64_t after)
{
    set_up();
    fake_fail_next(fake, fault, 1, K8S_CREATE, "things");
    int64_t start = loop_now(loop, LOOP_MONOTONIC);
    CHECK_INT_AT(line, create("{\"metadata\":{\"name\":\"x\"}}"), want);
    CHECK_INT_AT(line, (fake_get(fake, &things, "a", "x") != NULL), happened);
    CHECK_AT(line, seen.at - start >= after);
    fake_run(fake, 31000);
    CHECK_INT_AT(line, (fake_get(fake, &things, "a", "x") != NULL), happened || fault == FAKE_LATE);
    CHECK_INT_AT(line, create("{\"metadata\":{\"name\":\"y\"}}"), ERROR_NONE);
    tear_down();
}

TEST(faults)
{
    fault_case(__LINE__, FAKE_LOSE_REQUEST, ERROR_UNKNOWN, false, 2000);
    fault_case(__LINE__, FAKE_LOSE_REPLY, ERROR_UNKNOWN, true, 2000);
    fault_case(__LINE__, FAKE_LATE, ERROR_UNKNOWN, false, 2000);
    fault_case(__LINE__, FAKE_REFUSE, ERROR_UNAVAILABLE, false, 0);
    fault_case(__LINE__, FAKE_THROTTLE, ERROR_THROTTLED, false, 0);
    fault_case(__LINE__, FAKE_CONFLICT, ERROR_CONFLICT, false, 0);
    fault_case(__LINE__, FAKE_EXPIRE, ERROR_EXPIRED, false, 0);
    fault_case(__LINE__, FAKE_FORBID, ERROR_FORBIDDEN, false, 0);
    fault_case(__LINE__, FAKE_HANG_UP, ERROR_UNKNOWN, true, 0);
    fault_case(__LINE__, FAKE_TIMEOUT, ERROR_UNKNOWN, false, 1900);
    fault_case(__LINE__, FAKE_NO_ACCOUNT, ERROR_FORBIDDEN, false, 0);
    fault_case(__LINE__, FAKE_NO_PRIORITY, ERROR_FORBIDDEN, false, 0);
    fault_case(__LINE__, FAKE_NO_ROUTE, ERROR_INTERNAL, false, 0);
}

TEST(what_nobody_listened_to_does_not_come_late)
{
    set_up();
    fake_stop_server(fake, 1000);
    fake_fail_next(fake, FAKE_LATE, 1, K8S_CREATE, "things");
    CHECK_INT(create("{\"metadata\":{\"name\":\"x\"}}"), ERROR_UNAVAILABLE);
    fake_run(fake, 40000);
    CHECK(!fake_get(fake, &things, "a", "x"));
    tear_down();
}

TEST(throttling_says_for_how_long)
{
    set_up();
    fake_fail_next(fake, FAKE_THROTTLE, 1, -1, NULL);
    create("{\"metadata\":{\"name\":\"x\"}}");
    CHECK_INT(seen.reply.retry_after_ms, 1000);
    CHECK_HAS(seen.reply.error.text, "Too many requests");
    tear_down();
}

static int64_t left;

static int64_t remaining(void *arg)
{
    (void) arg;
    return left;
}

TEST(a_closed_fence_sends_nothing)
{
    static const struct k8s_fence fence = {remaining, NULL};

    set_up();
    left = 0;
    CHECK_INT(ask((struct k8s_request) {
                  .verb = K8S_CREATE, .body = "{\"metadata\":{\"name\":\"x\"}}", .fence = &fence}),
              ERROR_FENCED);
    CHECK(!get("x", "metadata.name"));
    left = 500; /* and an open one cuts the time-out */
    fake_fail_next(fake, FAKE_LOSE_REPLY, 1, -1, NULL);
    int64_t start = loop_now(loop, LOOP_MONOTONIC);
    CHECK_INT(ask((struct k8s_request) {
                  .verb = K8S_CREATE, .body = "{\"metadata\":{\"name\":\"x\"}}", .fence = &fence}),
              ERROR_UNKNOWN);
    CHECK_INT(seen.at - start, 500);
    tear_down();
}

TEST(a_cancelled_call_never_calls_back)
{
    int arrived = 0;

    set_up();
    for (int i = 0; i < 40; i++) {
        char text[128];

        snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"x%d\"}}", i);
        struct k8s_call *call =
            k8s_call(k8s,
                     &(struct k8s_request) {
                         .verb = K8S_CREATE, .resource = &things, .ns = "a", .body = text},
                     &handler, NULL);
        loop_turn(loop, 0);
        k8s_cancel(call);
        fake_run(fake, 100);
        arrived += fake_count_objects(fake, &things) > (size_t) arrived;
    }
    CHECK_INT(seen.replies, 0);
    CHECK(arrived > 5 && arrived < 35); /* whether it had an effect is unknown */
    tear_down();
}

TEST(a_partitioned_client_hears_nothing)
{
    set_up();
    watch("100", NULL, 0);
    fake_run(fake, 100);
    fake_partition(k8s, true);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_run(fake, 20000);
    CHECK_STR(seen.items, "");
    fake_run(fake, 20000);
    CHECK_INT(seen.reply.error.code, ERROR_UNKNOWN);
    CHECK_INT(create("{\"metadata\":{\"name\":\"y\"}}"), ERROR_UNKNOWN);
    fake_partition(k8s, false);
    CHECK_INT(create("{\"metadata\":{\"name\":\"y\"}}"), ERROR_NONE);
    tear_down();
}

TEST(a_frozen_client_hears_when_it_goes_on)
{
    set_up();
    watch("100", NULL, 0);
    fake_run(fake, 100);
    fake_freeze(k8s, true);
    fake_create(fake, &things, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}}");
    fake_run(fake, 30000);
    fake_end_watches(fake, true);
    fake_run(fake, 30000);
    CHECK_STR(seen.items, "");
    CHECK_INT(seen.replies, 0);
    fake_freeze(k8s, false);
    fake_run(fake, 2000);
    CHECK_HAS(seen.items, "+x");
    CHECK_INT(seen.replies, 1); /* the end of the watch */
    tear_down();
}

/* ---- a judge ---- */

static int n_judged;

static int freeze_first(const char *user, const struct k8s_request *request, void *arg)
{
    CHECK_STR(user, "test");
    CHECK_INT(request->verb, K8S_CREATE);
    if (++n_judged == 1)
        fake_freeze(arg, true);
    return n_judged == 3 ? (int) FAKE_REFUSE : -1;
}

/* Whoever stops between deciding and sending is asked for his fence when he goes on. */
TEST(a_judge_says_what_becomes_of_a_request)
{
    static const struct k8s_fence fence = {remaining, NULL};
    struct k8s_request request = {.verb = K8S_CREATE,
                                  .resource = &things,
                                  .ns = "a",
                                  .body = "{\"metadata\":{\"name\":\"x\"}}",
                                  .fence = &fence};

    set_up();
    n_judged = 0;
    left = 1000;
    fake_set_judge(fake, freeze_first, k8s);
    k8s_call(k8s, &request, &handler, NULL);
    fake_run(fake, 10000);
    CHECK_INT(seen.replies, 0);
    left = 0;
    fake_freeze(k8s, false);
    fake_run(fake, 100);
    CHECK_INT(seen.reply.error.code, ERROR_FENCED);
    CHECK_INT(n_judged, 2);
    left = 1000;
    CHECK_INT(ask(request), ERROR_UNAVAILABLE);
    CHECK_INT(ask(request), ERROR_NONE);
    fake_set_judge(fake, NULL, NULL);
    tear_down();
}

/* A kind that is built in has rules of its own, beside a schema. */
TEST(a_fixture_is_not_judged)
{
    static const struct k8s_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease"};

    set_up();
    fake_create_unjudged(fake, &leases,
                         "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"},"
                         "\"spec\":{\"renewTime\":\"12:00:+00\",\"leaseDurationSeconds\":0}}");
    CHECK_STR(json_text_at(fake_get(fake, &leases, "a", "x"), "spec.renewTime"), "12:00:+00");
    CHECK_INT(
        ask((struct k8s_request) {
            .verb = K8S_CREATE,
            .resource = &leases,
            .ns = "a",
            .body = "{\"metadata\":{\"name\":\"y\"},\"spec\":{\"renewTime\":\"12:00:+00\"}}"}),
        ERROR_INVALID);
    tear_down();
}

/* ---- pods ---- */

static struct fake_plan plan;
static char phases[4096];
static int max_running, n_running;

static void on_plan(const json_t *pod, struct fake_plan *ret_plan, void *arg)
{
    (void) pod;
    (void) arg;
    *ret_plan = plan;
}

static void on_container(const json_t *pod, bool runs, void *arg)
{
    (void) pod;
    (void) arg;
    n_running += runs ? 1 : -1;
    if (n_running > max_running)
        max_running = n_running;
}

static void on_pod(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                   void *arg)
{
    const json_t *status = json_array_get(json_at(new, "status.containerStatuses"), 0);
    const char *state = json_object_iter_key(json_object_iter(json_at(status, "state")));

    (void) old;
    (void) arg;
    if (strcmp(resource->plural, "pods") != 0)
        return;
    strncat(phases, *phases ? " " : "", sizeof(phases) - strlen(phases) - 1);
    strncat(phases, new ? json_text_at(new, "status.phase") : "gone",
            sizeof(phases) - strlen(phases) - 1);
    if (state) {
        strncat(phases, "/", sizeof(phases) - strlen(phases) - 1);
        strncat(phases, state, sizeof(phases) - strlen(phases) - 1);
    }
}

static struct fake_kubelet *kubelet;
static struct fake_watcher watcher = {.on_change = on_pod};

static void set_up_pods(struct fake_plan p)
{
    static const struct fake_kubelet_handler kubelet_handler = {on_plan, on_container};

    set_up();
    plan = p;
    phases[0] = '\0';
    max_running = n_running = 0;
    fake_watcher_add(fake, &watcher);
    kubelet = fake_kubelet_new(fake, loop, &kubelet_handler, NULL);
}

static void tear_down_pods(void)
{
    fake_watcher_remove(&watcher);
    fake_kubelet_free(kubelet);
    tear_down();
}

static void create_pod(const char *extra_meta)
{
    CLEANUP(free) char *text = xasprintf(
        "{\"metadata\":{\"name\":\"p\",\"namespace\":\"a\"%s},\"spec\":{\"restartPolicy\":"
        "\"Never\",\"containers\":[{\"name\":\"main\",\"image\":\"i\"}]}}",
        extra_meta);

    fake_create(fake, &pods, text);
}

static const json_t *pod(void)
{
    return fake_get(fake, &pods, "a", "p");
}

static const json_t *terminated(void)
{
    return json_at(json_array_get(json_at(pod(), "status.containerStatuses"), 0),
                   "state.terminated");
}

TEST(a_pod_runs_and_ends)
{
    set_up_pods((struct fake_plan) {.run_ms = 3000, .exit_code = 3, .message = "no luck"});
    create_pod("");
    fake_run(fake, 10000);
    CHECK_STR(phases, "Pending Pending Pending Pending/waiting Running/running Running/terminated "
                      "Failed/terminated");
    CHECK_INT(json_int_at(terminated(), "exitCode", -1), 3);
    CHECK_STR(json_text_at(terminated(), "message"), "no luck");
    CHECK_STR(json_text_at(terminated(), "reason"), "Error");
    CHECK_STR(json_text_at(terminated(), "finishedAt"), "2026-01-01T00:00:03Z");
    CHECK_INT(fake_kubelet_running(kubelet), 0);
    CHECK_INT(max_running, 1);
    fake_delete(fake, &pods, "a", "p");
    CHECK(!pod()); /* a finished pod goes at once */
    tear_down_pods();
}

TEST(a_deleted_pod_is_stopped_first)
{
    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 2000});
    create_pod(",\"finalizers\":[\"kharon.dev/outcome\"]");
    fake_run(fake, 1000);
    fake_delete(fake, &pods, "a", "p");
    CHECK_INT(json_int_at(pod(), "metadata.deletionGracePeriodSeconds", -1), 30);
    fake_run(fake, 1000);
    CHECK_INT(fake_kubelet_running(kubelet), 1);
    fake_run(fake, 5000);
    CHECK_INT(fake_kubelet_running(kubelet), 0);
    CHECK_INT(json_int_at(terminated(), "exitCode", -1), 143);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Failed");
    CHECK_INT(json_int_at(pod(), "metadata.deletionGracePeriodSeconds", -1), 0);
    fake_patch(fake, &pods, "a", "p", "{\"metadata\":{\"finalizers\":null}}");
    CHECK(!pod());
    tear_down_pods();
}

TEST(one_that_ignores_sigterm_is_killed)
{
    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = 100000});
    create_pod("");
    fake_run(fake, 1000);
    fake_delete(fake, &pods, "a", "p");
    fake_run(fake, 29000);
    CHECK(pod());
    fake_run(fake, 3000);
    CHECK(!pod());
    CHECK_HAS(phases, "Running/terminated Failed/terminated");
    tear_down_pods();
}

TEST(a_forced_delete_leaves_the_container_running)
{
    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER});
    create_pod("");
    fake_run(fake, 1000);
    fake_delete_now(fake, &pods, "a", "p");
    CHECK(!pod());
    create_pod(""); /* the same name, beside the old one */
    fake_run(fake, 1000);
    CHECK_INT(max_running, 2);
    fake_run(fake, 5000);
    CHECK_INT(n_running, 1);
    fake_delete_now(fake, &pods, "a", "p");

    create_pod(",\"finalizers\":[\"kharon.dev/outcome\"]"); /* a finalizer helps */
    fake_run(fake, 5000);
    fake_delete_now(fake, &pods, "a", "p");
    fake_run(fake, 1000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Running");
    fake_run(fake, 4000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Failed");
    CHECK_INT(n_running, 0);
    tear_down_pods();
}

TEST(a_gated_pod_waits_for_its_gate)
{
    set_up_pods((struct fake_plan) {.run_ms = 1000});
    fake_create(fake, &pods,
                "{\"metadata\":{\"name\":\"p\",\"namespace\":\"a\"},\"spec\":{\"schedulingGates\":["
                "{\"name\":\"g\"}]}}");
    fake_run(fake, 100000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Pending");
    fake_patch(fake, &pods, "a", "p", "{\"spec\":{\"schedulingGates\":null}}");
    fake_run(fake, 10000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Succeeded");
    tear_down_pods();
}

TEST(an_active_deadline_ends_a_pod)
{
    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER});
    fake_create(fake, &pods,
                "{\"metadata\":{\"name\":\"p\",\"namespace\":\"a\"},\"spec\":{"
                "\"activeDeadlineSeconds\":60}}");
    fake_run(fake, 59000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Running");
    fake_run(fake, 5000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Failed");
    CHECK_STR(json_text_at(pod(), "status.reason"), "DeadlineExceeded");
    tear_down_pods();
}

TEST(an_unbound_pod_that_is_deleted_fails_later)
{
    set_up_pods((struct fake_plan) {.schedule_ms = FAKE_NEVER});
    create_pod(",\"finalizers\":[\"kharon.dev/outcome\"]");
    fake_run(fake, 1000);
    fake_delete(fake, &pods, "a", "p");
    CHECK_INT(json_int_at(pod(), "metadata.deletionGracePeriodSeconds", -1), 0);
    fake_run(fake, 4000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Pending");
    fake_run(fake, 2000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Failed");
    tear_down_pods();
}

TEST(an_evicted_pod_says_so)
{
    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER});
    create_pod(",\"finalizers\":[\"kharon.dev/outcome\"]");
    fake_run(fake, 1000);
    fake_kubelet_evict(kubelet, "a", "p");
    fake_run(fake, 5000);
    CLEANUP(free) char *text = json_print(json_at(pod(), "status.conditions"));
    CHECK_HAS(text, "EvictionByEvictionAPI");
    CHECK_INT(json_int_at(terminated(), "exitCode", -1), 143);
    tear_down_pods();
}

static const char *disruption(void)
{
    const json_t *all = json_at(pod(), "status.conditions"), *one;
    size_t i;

    json_array_foreach ((json_t *) (uintptr_t) all, i, one)
        if (strcmp(json_text_at(one, "type"), "DisruptionTarget") == 0)
            return json_text_at(one, "reason");
    return NULL;
}

TEST(a_lost_nodes_pods_are_deleted_and_stay)
{
    set_up_pods((struct fake_plan) {.run_ms = 60000});
    create_pod("");
    fake_run(fake, 1000);
    fake_kubelet_lose_node(kubelet, "node");
    fake_run(fake, 100000);
    CHECK_INT(n_running, 0); /* it has ended, and nobody knows */
    CHECK_STR(json_text_at(pod(), "status.phase"), "Running");
    CHECK_STR(disruption(), NULL);
    fake_run(fake, 300000);
    CHECK_STR(disruption(), "DeletionByTaintManager");
    CHECK_INT(json_int_at(pod(), "metadata.deletionGracePeriodSeconds", -1), 30);
    fake_run(fake, 3600000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Running");
    fake_kubelet_regain_node(kubelet, "node");
    fake_run(fake, 1000);
    CHECK(!pod());
    CHECK_HAS(phases, "Succeeded/terminated gone");
    tear_down_pods();
}

TEST(a_force_deleted_pod_of_a_lost_node_runs_on)
{
    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER});
    create_pod("");
    fake_run(fake, 1000);
    fake_kubelet_lose_node(kubelet, "node");
    fake_delete_now(fake, &pods, "a", "p");
    fake_run(fake, 100000);
    CHECK(!pod());
    CHECK_INT(n_running, 1);
    fake_kubelet_regain_node(kubelet, "node");
    fake_run(fake, 3000);
    CHECK_INT(n_running, 0);
    tear_down_pods();
}

static void give_up_node(int line, void (*give_up)(struct fake_kubelet *k, const char *node),
                         int64_t within_ms, const char *reason)
{
    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER});
    create_pod(",\"finalizers\":[\"kharon.dev/outcome\"]");
    fake_run(fake, 1000);
    fake_kubelet_lose_node(kubelet, "node");
    fake_run(fake, 1000);
    give_up(kubelet, "node");
    CHECK_INT_AT(line, n_running, 0);
    fake_run(fake, within_ms - 1000);
    CHECK_STR_AT(line, json_text_at(pod(), "status.phase"), "Running");
    fake_run(fake, 2000);
    CHECK_STR_AT(line, json_text_at(pod(), "status.phase"), "Failed");
    CHECK_STR_AT(line, disruption(), reason);
    CHECK_INT_AT(line, json_int_at(pod(), "metadata.deletionGracePeriodSeconds", -1), 0);
    fake_patch(fake, &pods, "a", "p", "{\"metadata\":{\"finalizers\":null}}");
    CHECK_AT(line, !pod());
    create_pod(""); /* there is no node left for it */
    fake_run(fake, 20000);
    CHECK_STR_AT(line, json_text_at(pod(), "status.phase"), "Pending");
    fake_kubelet_add_node(kubelet, "other");
    fake_run(fake, 6000);
    CHECK_STR_AT(line, json_text_at(pod(), "spec.nodeName"), "other");
    tear_down_pods();
}

TEST(a_node_that_is_given_up_gives_its_pods_up)
{
    give_up_node(__LINE__, fake_kubelet_fence_node, 4000, "DeletionByTaintManager");
    give_up_node(__LINE__, fake_kubelet_remove_node, 45000, "DeletionByPodGC");
}

TEST(pods_fail_in_many_ways)
{
    set_up_pods((struct fake_plan) {.start_error = true});
    create_pod("");
    fake_run(fake, 5000);
    CHECK_STR(json_text_at(terminated(), "reason"), "StartError");
    CHECK_STR(json_text_at(terminated(), "startedAt"), "1970-01-01T00:00:00Z");
    CHECK_INT(json_int_at(terminated(), "exitCode", -1), 128);
    CHECK_INT(max_running, 0);
    tear_down_pods();

    set_up_pods((struct fake_plan) {.unseen = true, .run_ms = 2000});
    create_pod("");
    fake_run(fake, 5000);
    CHECK(!strstr(phases, "Running"));
    CHECK_HAS(phases, "Pending/terminated Succeeded/terminated");
    CHECK_INT(max_running, 1);
    tear_down_pods();

    set_up_pods((struct fake_plan) {.start_ms = FAKE_NEVER, .waiting = "ErrImagePull"});
    create_pod("");
    fake_run(fake, 15000);
    CLEANUP(free) char *now = json_print(pod());
    CHECK_HAS(now, "ImagePullBackOff");
    fake_run(fake, 30000);
    CLEANUP(free) char *later = json_print(pod());
    CHECK_HAS(later, "ErrImagePull");
    tear_down_pods();

    set_up_pods((struct fake_plan) {.run_ms = FAKE_NEVER});
    create_pod("");
    fake_run(fake, 1000);
    fake_kubelet_press(kubelet, "a", "p");
    fake_run(fake, 5000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Failed");
    CHECK_STR(json_text_at(pod(), "status.reason"), "Evicted");
    CHECK_STR(disruption(), "TerminationByKubelet");
    tear_down_pods();
}

TEST(a_pod_out_of_a_backup_does_not_run)
{
    set_up_pods((struct fake_plan) {.run_ms = 10000});
    create_pod("");
    fake_run(fake, 1000);
    fake_backup(fake);
    fake_run(fake, 20000);
    fake_delete(fake, &pods, "a", "p");
    fake_run(fake, 1000);
    fake_restore(fake);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Running");
    fake_run(fake, 1000);
    CHECK_STR(json_text_at(pod(), "status.phase"), "Failed");
    CHECK_STR(json_text_at(terminated(), "reason"), "ContainerStatusUnknown");
    CHECK_INT(n_running, 0);
    tear_down_pods();
}

TEST(requests_of_clients_are_counted)
{
    set_up();
    create("{\"metadata\":{\"name\":\"x\"}}");
    create("{\"metadata\":{\"name\":\"x\"}}");
    patch("x", "status", "{\"status\":{}}");
    fake_patch(fake, &things, "a", "x", "{\"spec\":{}}");
    CHECK_INT(fake_count_requests(fake, K8S_CREATE, "things"), 2);
    CHECK_INT(fake_count_requests(fake, K8S_PATCH, "things/status"), 1);
    CHECK_INT(fake_count_requests(fake, K8S_PATCH, "things"), 0);
    tear_down();
}
