/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of k8s_reply_judge, for any status and body of an answer:
 *
 *  - nothing but a 2xx with JSON counts as done;
 *  - only a Status about the very object proves its absence, only AlreadyExists that a name is
 *    taken; only statuses that say so mean that nothing was done;
 *  - every failure has a text, in UTF-8; a pause is at most a day, and who is throttled has one.
 *
 * The lines are the status, the verb (a number), and the body.
 */
#include "k8s/client.h"

#include "fuzz_json.h"

static const struct k8s_resource workflows = {"kharon.dev", "v1alpha1", "workflows", "Workflow"};

static bool text_is(const json_t *json, const char *path, const char *want)
{
    const char *text = json_text_at(json, path);

    return text && strcmp(text, want) == 0;
}

static void check_code(const struct k8s_reply *reply)
{
    enum error_code code = reply->error.code;
    const json_t *status = reply->object;
    int http = reply->http_status;

    if (code == ERROR_NOT_FOUND)
        FUZZ_CHECK(http == 404 && text_is(status, "reason", "NotFound") &&
                   text_is(status, "details.name", "report") &&
                   text_is(status, "details.group", "kharon.dev") &&
                   (text_is(status, "details.kind", "workflows") ||
                    text_is(status, "details.kind", "Workflow")));
    if (code == ERROR_EXISTS)
        FUZZ_CHECK(http == 409 && text_is(status, "reason", "AlreadyExists"));
    if (code == ERROR_CONFLICT)
        FUZZ_CHECK(http == 409 && !text_is(status, "reason", "AlreadyExists"));
    if (code == ERROR_UNAVAILABLE)
        FUZZ_CHECK(http == 503 || http == 500);
    if (code == ERROR_INVALID)
        FUZZ_CHECK((http >= 400 && http < 500) || http == 500);
    FUZZ_CHECK((code == ERROR_THROTTLED) == (http == 429));
    FUZZ_CHECK((code == ERROR_EXPIRED) == (http == 410));
    FUZZ_CHECK(code != ERROR_FENCED);
    if (http > 500 && http != 503)
        FUZZ_CHECK(code == ERROR_UNKNOWN);
}

static void check_failure(const struct k8s_reply *reply, const char *body)
{
    check_code(reply);
    fuzz_check_error(&reply->error, body);
    FUZZ_CHECK(reply->retry_after_ms >= 0 && reply->retry_after_ms <= 86400000);
    FUZZ_CHECK(reply->error.code != ERROR_THROTTLED || reply->retry_after_ms > 0);
}

static void check(int status, enum k8s_verb verb, const char *body)
{
    CLEANUP(json_decref) json_t *json = NULL;
    struct k8s_request request = {
        .verb = verb, .resource = &workflows, .ns = "a", .name = "report"};
    struct error err;
    bool good = status >= 200 && status < 300;

    json_parse(body, strlen(body), &json, &err);
    struct k8s_reply reply = {.http_status = status, .object = json};
    k8s_reply_judge(&reply, &request, body);
    FUZZ_CHECK(reply.reason);
    FUZZ_CHECK((reply.error.code == ERROR_NONE) == (good && (json || verb == K8S_WATCH)));
    if (reply.error.code != ERROR_NONE)
        check_failure(&reply, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[3];

    fuzz_lines(data, len, lines, 3);
    long status = strtol(lines[0], NULL, 10), verb = strtol(lines[1], NULL, 10);
    check((int) (status < 100 || status > 999 ? 100 : status), (enum k8s_verb)(labs(verb % 7)),
          lines[2]);
    fuzz_lines_done(lines, 3);
    return 0;
}
