/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "k8s/client.h"
#include "k8s/selector.h"

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};
static const struct k8s_resource wis = {"kharon.dev", "v1alpha1", "workflowinstances",
                                        "WorkflowInstance"};

static void check_path(int line, struct k8s_request r, const char *want)
{
    if (!r.resource)
        r.resource = &pods;
    CLEANUP(free) char *path = k8s_request_path(&r);

    CHECK_STR_AT(line, path, want);
}

#define PATH(want, ...) check_path(__LINE__, (struct k8s_request) {__VA_ARGS__}, want)

TEST(paths)
{
    PATH("/api/v1/namespaces/a/pods/x", .verb = K8S_GET, .ns = "a", .name = "x");
    PATH("/apis/kharon.dev/v1alpha1/namespaces/a/workflowinstances/x", .verb = K8S_GET,
         .resource = &wis, .ns = "a", .name = "x");
    PATH("/api/v1/pods", .verb = K8S_LIST);
    PATH("/api/v1/namespaces/a/pods?limit=500", .verb = K8S_LIST, .ns = "a", .limit = 500);
    PATH("/api/v1/namespaces/a/pods?labelSelector=a%3Db%2Cc%21%3Dd&limit=5&continue=to%2Fk%3D",
         .verb = K8S_LIST, .ns = "a", .limit = 5,
         .continue_token = "to/k=", .label_selector = "a=b,c!=d", .resource_version = "7");
    PATH("/api/v1/pods?resourceVersion=7", .verb = K8S_LIST, .resource_version = "7",
         .continue_token = "");
    PATH("/api/v1/"
         "pods?watch=1&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dx&resourceVersion=7&"
         "timeoutSeconds=3",
         .verb = K8S_WATCH, .field_selector = "metadata.name=x", .resource_version = "7",
         .timeout_ms = 2001);
    PATH("/api/v1/namespaces/a/pods", .verb = K8S_CREATE, .ns = "a", .name = "x");
    PATH("/api/v1/namespaces/a/pods/x/eviction", .verb = K8S_CREATE, .ns = "a", .name = "x",
         .subresource = "eviction");
    PATH("/api/v1/namespaces/a/pods/x/status?fieldManager=kharon", .verb = K8S_PATCH, .ns = "a",
         .name = "x", .subresource = "status", .field_manager = "kharon");
    PATH("/api/v1/namespaces/a/pods/x?fieldManager=m%20%26", .verb = K8S_APPLY, .ns = "a",
         .name = "x", .field_manager = "m &");
    PATH("/api/v1/namespaces/a/pods/x", .verb = K8S_DELETE, .ns = "a", .name = "x", .body = "{}");
}

TEST(lanes_follow_from_verbs_unless_said)
{
    CHECK_INT(k8s_request_lane(&(struct k8s_request) {.verb = K8S_GET}), K8S_LANE_READ);
    CHECK_INT(k8s_request_lane(&(struct k8s_request) {.verb = K8S_LIST}), K8S_LANE_READ);
    CHECK_INT(k8s_request_lane(&(struct k8s_request) {.verb = K8S_CREATE}), K8S_LANE_STATUS);
    CHECK_INT(k8s_request_lane(&(struct k8s_request) {.verb = K8S_DELETE}), K8S_LANE_DELETE);
    CHECK_INT(k8s_request_lane(&(struct k8s_request) {.verb = K8S_DELETE, .lane = K8S_LANE_LEASE}),
              K8S_LANE_LEASE);
}

/* Names come from outside: none leads to another object. */
TEST(a_name_never_changes_the_path)
{
    PATH("/api/v1/namespaces/a/pods/x%2F..%2F..%2Fb%3Fc%23d%25", .verb = K8S_GET, .ns = "a",
         .name = "x/../../b?c#d%");
    PATH("/api/v1/namespaces/a%2Fb/pods/%C3%A9%0A", .verb = K8S_GET, .ns = "a/b",
         .name = "\xC3\xA9\n");
}

static void check_judge(int line, enum k8s_verb verb, int status, const char *text,
                        enum error_code want)
{
    struct k8s_request request = {.verb = verb, .resource = &wis, .ns = "a", .name = "x"};
    struct k8s_reply reply = {.http_status = status};
    CLEANUP(json_decref) json_t *json = NULL;
    struct error err;

    if (!json_parse(text, strlen(text), &json, &err))
        json = NULL;
    reply.object = json;
    k8s_reply_judge(&reply, &request, text);
    if (reply.error.code != want)
        test_fail_at(__FILE__, line, "%s (%s), want %s", error_code_name(reply.error.code),
                     reply.error.text, error_code_name(want));
    CHECK_AT(line, reply.reason != NULL);
    CHECK_AT(line, (reply.error.code == ERROR_NONE) == (reply.error.text[0] == '\0'));
}

#define JUDGE(verb, status, text, want)                                                            \
    check_judge(__LINE__, K8S_##verb, status, text, ERROR_##want)
#define STATUS(reason, message)                                                                    \
    "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"
#define MISSING(group, kind, name)                                                                 \
    "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"m\",\"details\":{\"name\":\"" name \
    "\",\"group\":\"" group "\",\"kind\":\"" kind "\"}}"

TEST(answers_are_judged)
{
    JUDGE(GET, 200, "{}", NONE);
    JUDGE(CREATE, 201, "{}", NONE);
    JUDGE(WATCH, 200, "", NONE);
    JUDGE(GET, 200, "<html>", UNKNOWN);
    JUDGE(CREATE, 201, "{\"cut\":", UNKNOWN);

    JUDGE(GET, 404, MISSING("kharon.dev", "workflowinstances", "x"), NOT_FOUND);
    JUDGE(PATCH, 404, MISSING("kharon.dev", "workflowinstances", "x"), NOT_FOUND);
    JUDGE(GET, 404, MISSING("kharon.dev", "WorkflowInstance", "x"), NOT_FOUND);
    JUDGE(GET, 404, MISSING("kharon.dev", "workflowinstances", "y"), INTERNAL);
    JUDGE(GET, 404, MISSING("other.dev", "workflowinstances", "x"), INTERNAL);
    JUDGE(GET, 404, MISSING("", "namespaces", "x"), INTERNAL);
    JUDGE(GET, 404, "404 page not found\n", INTERNAL);
    JUDGE(GET, 404, STATUS("NotFound", "the server could not find the requested resource"),
          INTERNAL);

    JUDGE(CREATE, 409, STATUS("AlreadyExists", "m"), EXISTS);
    JUDGE(PATCH, 409, STATUS("Conflict", "m"), CONFLICT);
    JUDGE(PATCH, 409, "{}", CONFLICT);
    JUDGE(LIST, 410, STATUS("Expired", "m"), EXPIRED);
    JUDGE(LIST, 410, STATUS("Gone", "m"), EXPIRED);

    JUDGE(GET, 400, STATUS("BadRequest", "m"), INVALID);
    JUDGE(GET, 401, STATUS("Unauthorized", "m"), UNAUTHORIZED);
    JUDGE(CREATE, 403, STATUS("Forbidden", "exceeded quota: q"), FORBIDDEN);
    JUDGE(GET, 405, "", INVALID);
    JUDGE(GET, 408, "", UNKNOWN);
    JUDGE(CREATE, 413, STATUS("RequestEntityTooLarge", "m"), TOO_LARGE);
    JUDGE(CREATE, 415, "", INVALID);
    JUDGE(CREATE, 422, STATUS("Invalid", "m"), INVALID);
    JUDGE(GET, 302, "", INTERNAL);

    JUDGE(CREATE, 500, "{\"message\":\"etcdserver: request is too large\",\"code\":500}",
          TOO_LARGE);
    JUDGE(CREATE, 500,
          "{\"message\":\"rpc error: code = ResourceExhausted desc = trying to send message larger "
          "than max\"}",
          TOO_LARGE);
    JUDGE(APPLY, 500,
          "{\"message\":\"failed to create typed patch object (a/b): .spec.zz: field not declared "
          "in schema\"}",
          INVALID);
    JUDGE(CREATE, 500,
          STATUS("InternalError", "Internal error occurred: failed calling webhook \\\"w\\\""),
          UNAVAILABLE);
    JUDGE(CREATE, 500, "{\"message\":\"etcdserver: leader changed\"}", UNKNOWN);
    JUDGE(CREATE, 500, "{\"message\":\"etcdserver: request timed out\"}", UNKNOWN);
    JUDGE(CREATE, 500, "", UNKNOWN);
    JUDGE(CREATE, 502, "<html>", UNKNOWN);
    JUDGE(CREATE, 503, STATUS("ServiceUnavailable", "m"), UNAVAILABLE);
    JUDGE(CREATE, 503, "upstream connect error or disconnect/reset before headers", UNKNOWN);
    JUDGE(GET, 503, "upstream connect error or disconnect/reset before headers", UNAVAILABLE);
    JUDGE(GET, 504,
          "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: "
          "m\",\"reason\":\"Timeout\",\"code\":504}",
          UNKNOWN);
}

TEST(how_long_to_stay_away)
{
    struct k8s_request request = {.verb = K8S_GET, .resource = &wis, .name = "x"};
    CLEANUP(json_decref) json_t *status =
        json_loads("{\"details\":{\"retryAfterSeconds\":3}}", 0, NULL);
    struct k8s_reply said = {.http_status = 429, .object = status},
                     header = {.http_status = 503, .retry_after_ms = 5000},
                     nothing = {.http_status = 429}, fine = {.http_status = 503};

    k8s_reply_judge(&said, &request, "");
    CHECK_INT(said.retry_after_ms, 3000);
    k8s_reply_judge(&header, &request, "");
    CHECK_INT(header.retry_after_ms, 5000);
    k8s_reply_judge(&nothing, &request, "");
    CHECK_INT(nothing.retry_after_ms, 1000);
    k8s_reply_judge(&fine, &request, "");
    CHECK_INT(fine.retry_after_ms, 0);
}

TEST(an_error_says_what_was_answered)
{
    struct k8s_request request = {.verb = K8S_GET, .resource = &wis, .name = "x"};
    struct k8s_reply reply = {.http_status = 502};

    k8s_reply_judge(&reply, &request, "Bad Gateway\nmore\n");
    CHECK_STR(reply.error.text, "HTTP 502: Bad Gateway");
    k8s_reply_judge(&reply, &request, NULL);
    CHECK_STR(reply.error.text, "HTTP 502 without a message");
}

#define UNCHECKED                                                                                  \
    "<nil>: Invalid value: null: some validation rules were not checked because the object was "   \
    "invalid; correct the existing errors to complete validation"

/* What was not asked because of another fault is of no use to whoever made that fault. */
TEST(rules_that_were_not_asked_are_not_told)
{
    static const struct {
        const char *said, *told;
    } rows[] = {
        {"W \"x\" is invalid: [spec.a: Required value, " UNCHECKED "]",
         "W \"x\" is invalid: [spec.a: Required value]"},
        {"W \"x\" is invalid: [" UNCHECKED ", spec.a: Required value]",
         "W \"x\" is invalid: [spec.a: Required value]"},
        {"W \"x\" is invalid: " UNCHECKED, "W \"x\" is invalid: " UNCHECKED},
    };
    struct k8s_request request = {.verb = K8S_CREATE, .resource = &wis};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(json_decref) json_t *status = json_pack("{s:s}", "message", rows[i].said);
        struct k8s_reply reply = {.http_status = 422, .object = status};

        k8s_reply_judge(&reply, &request, "");
        CHECK_STR(reply.error.text, rows[i].told);
    }
}

TEST(delete_options)
{
    CLEANUP(free) char *both = k8s_delete_options("u", "7", 0);
    CLEANUP(free) char *none = k8s_delete_options(NULL, NULL, -1);

    CHECK_STR(both, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":"
                    "\"u\",\"resourceVersion\":\"7\"},"
                    "\"gracePeriodSeconds\":0}");
    CHECK_STR(none, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{}}");
}

TEST(versions_are_decimal_numbers)
{
    static const struct {
        int line;
        const char *text;
        bool ok;
        uint64_t want;
    } rows[] = {
        {__LINE__, "0", true, 0},
        {__LINE__, "18446744073709551615", true, UINT64_MAX},
        {__LINE__, "18446744073709551616", false, 0},
        {__LINE__, "", false, 0},
        {__LINE__, NULL, false, 0},
        {__LINE__, "-1", false, 0},
        {__LINE__, "+1", false, 0},
        {__LINE__, " 1", false, 0},
        {__LINE__, "1a", false, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t version = 0;

        CHECK_INT_AT(rows[i].line, k8s_version_parse(rows[i].text, &version), rows[i].ok);
        CHECK_AT(rows[i].line, version == rows[i].want);
    }
}

TEST(meta_is_decoded)
{
    CLEANUP(json_decref) json_t *object =
        json_loads("{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\",\"uid\":\"u\","
                   "\"resourceVersion\":\"7\",\"generation\":3,"
                   "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}",
                   0, NULL);
    struct k8s_meta meta;
    struct error err;

    CHECK_OK(k8s_meta_decode(object, &meta, &err), &err);
    CHECK_STR(meta.ns, "a");
    CHECK_STR(meta.name, "x");
    CHECK_STR(meta.uid, "u");
    CHECK_INT(meta.resource_version, 7);
    CHECK_INT(meta.generation, 3);
    CHECK(meta.deleting);
    k8s_meta_done(&meta);
    CLEANUP(json_decref) json_t *nameless =
        json_loads("{\"metadata\":{\"resourceVersion\":\"7\"}}", 0, NULL);
    CHECK_ERROR(k8s_meta_decode(nameless, &meta, &err), &err, ERROR_INVALID);
    CHECK_ERROR(k8s_meta_decode(NULL, &meta, &err), &err, ERROR_INVALID);
}

TEST(selectors)
{
    CLEANUP(json_decref) json_t *labels = json_loads("{\"a\":\"1\",\"b.c/d\":\"\"}", 0, NULL);
    static const struct {
        int line;
        const char *selector;
        bool want;
    } rows[] = {
        {__LINE__, NULL, true},     {__LINE__, "", true},      {__LINE__, "a=1", true},
        {__LINE__, "a==1", true},   {__LINE__, "a=2", false},  {__LINE__, "a!=1", false},
        {__LINE__, "a!=2", true},   {__LINE__, "z!=1", true},  {__LINE__, "a", true},
        {__LINE__, "z", false},     {__LINE__, "!a", false},   {__LINE__, "!z", true},
        {__LINE__, "b.c/d=", true}, {__LINE__, "a=", false},   {__LINE__, "a=1,!z", true},
        {__LINE__, "a=1,z", false}, {__LINE__, "a=11", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        CHECK_INT_AT(rows[i].line, k8s_selector_matches(rows[i].selector, labels), rows[i].want);
    CHECK(!k8s_selector_matches("a", NULL));
}
