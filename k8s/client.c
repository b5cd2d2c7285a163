/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/client.h"

#include "base/buf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

bool k8s_verb_writes(enum k8s_verb verb)
{
    return verb >= K8S_CREATE;
}

const char *k8s_verb_name(enum k8s_verb verb)
{
    static const char *const names[] = {
        [K8S_GET] = "get",       [K8S_LIST] = "list",   [K8S_WATCH] = "watch",
        [K8S_CREATE] = "create", [K8S_APPLY] = "apply", [K8S_PATCH] = "patch",
        [K8S_DELETE] = "delete",
    };

    return names[verb];
}

enum k8s_lane k8s_request_lane(const struct k8s_request *r)
{
    if (r->lane != K8S_LANE_DEFAULT)
        return r->lane;
    return r->verb == K8S_DELETE      ? K8S_LANE_DELETE
           : k8s_verb_writes(r->verb) ? K8S_LANE_STATUS
                                      : K8S_LANE_READ;
}

/* Everything but RFC 3986's unreserved characters, so that a name never changes the path. */
static void add_escaped(struct buf *b, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *text; text++) {
        if (strchr(plain, *text))
            buf_addc(b, *text);
        else
            buf_addf(b, "%%%02X", (unsigned char) *text);
    }
}

static void add_segment(struct buf *b, const char *text)
{
    buf_addc(b, '/');
    add_escaped(b, text);
}

static void add_param(struct buf *b, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_addf(b, "%c%s=", strchr(buf_text(b), '?') ? '&' : '?', name);
    add_escaped(b, value);
}

static void add_param_int(struct buf *b, const char *name, int64_t value)
{
    if (value > 0)
        buf_addf(b, "%c%s=%" PRId64, strchr(buf_text(b), '?') ? '&' : '?', name, value);
}

static void add_path(struct buf *b, const struct k8s_request *r)
{
    const struct k8s_resource *kind = r->resource;
    bool named = r->verb != K8S_LIST && r->verb != K8S_WATCH && r->verb != K8S_CREATE;

    buf_adds(b, *kind->group ? "/apis" : "/api");
    if (*kind->group)
        add_segment(b, kind->group);
    add_segment(b, kind->version);
    if (r->ns) {
        buf_adds(b, "/namespaces");
        add_segment(b, r->ns);
    }
    add_segment(b, kind->plural);
    if (named || (r->verb == K8S_CREATE && r->subresource)) {
        assert(r->name && *r->name); /* without one, DELETE would mean the collection */
        add_segment(b, r->name);
    }
    if (r->subresource)
        add_segment(b, r->subresource);
}

static void add_list_query(struct buf *b, const struct k8s_request *r)
{
    add_param(b, "labelSelector", r->label_selector);
    add_param(b, "fieldSelector", r->field_selector);
    add_param_int(b, "limit", r->limit);
    add_param(b, "continue", r->continue_token);
    if (!r->continue_token || !*r->continue_token) /* both together are a 400 */
        add_param(b, "resourceVersion", r->resource_version);
}

static void add_watch_query(struct buf *b, const struct k8s_request *r)
{
    add_param(b, "watch", "1");
    add_param(b, "allowWatchBookmarks", "true");
    add_param(b, "labelSelector", r->label_selector);
    add_param(b, "fieldSelector", r->field_selector);
    add_param(b, "resourceVersion", r->resource_version);
    add_param_int(b, "timeoutSeconds", (r->timeout_ms + 999) / 1000);
}

char *k8s_request_path(const struct k8s_request *request)
{
    struct buf b = BUF_INIT;

    add_path(&b, request);
    switch (request->verb) {
    case K8S_LIST:
        add_list_query(&b, request);
        break;
    case K8S_WATCH:
        add_watch_query(&b, request);
        break;
    case K8S_GET:
        add_param(&b, "resourceVersion", request->resource_version);
        break;
    case K8S_CREATE:
    case K8S_APPLY:
    case K8S_PATCH:
    case K8S_DELETE:
        add_param(&b, "fieldManager", request->field_manager);
        break;
    }
    return buf_take(&b);
}

/* A 404 proves absence only if it is about the very object: an unknown kind or a missing namespace
 * is a 404 too. */
static bool proves_absence(const struct k8s_request *r, const struct k8s_reply *reply)
{
    const char *name = json_text_at(reply->object, "details.name");
    const char *kind = json_text_at(reply->object, "details.kind");
    const char *group = json_text_at(reply->object, "details.group");

    return strcmp(reply->reason, "NotFound") == 0 && r->name && name &&
           strcmp(name, r->name) == 0 && kind &&
           (strcmp(kind, r->resource->plural) == 0 || strcmp(kind, r->resource->kind) == 0) &&
           strcmp(group ? group : "", r->resource->group) == 0;
}

/* What a 500 means is only in its text.  One that is not known here may come from etcd after the
 * write was handed to it ("leader changed", "request timed out"): its outcome is unknown. */
static enum error_code judge_500(const char *message)
{
    static const struct {
        const char *text;
        enum error_code code;
    } known[] = {
        {"failed to create typed patch object", ERROR_INVALID}, /* unknown field in an apply */
        {"field not declared in schema", ERROR_INVALID},
        {"etcdserver: request is too large", ERROR_TOO_LARGE},
        {"message larger than max", ERROR_TOO_LARGE},
        {"failed calling webhook", ERROR_UNAVAILABLE}, /* admission: before anything is stored */
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strstr(message, known[i].text))
            return known[i].code;
    return ERROR_UNKNOWN;
}

/* The API server says it before it does anything; what stands in front of it may have lost the
 * answer. */
static enum error_code judge_503(const struct k8s_reply *reply, const struct k8s_request *r)
{
    return *reply->reason || !k8s_verb_writes(r->verb) ? ERROR_UNAVAILABLE : ERROR_UNKNOWN;
}

static enum error_code judge_409(const struct k8s_reply *reply)
{
    return strcmp(reply->reason, "AlreadyExists") == 0 ? ERROR_EXISTS : ERROR_CONFLICT;
}

static enum error_code judge_code(const struct k8s_reply *reply, const struct k8s_request *r,
                                  const char *message)
{
    int status = reply->http_status;

    switch (status) {
    case 401:
        return ERROR_UNAUTHORIZED;
    case 403:
        return ERROR_FORBIDDEN;
    case 404:
        return proves_absence(r, reply) ? ERROR_NOT_FOUND : ERROR_INTERNAL;
    case 408:
        return ERROR_UNKNOWN;
    case 409:
        return judge_409(reply);
    case 410:
        return ERROR_EXPIRED;
    case 413:
        return ERROR_TOO_LARGE;
    case 429:
        return ERROR_THROTTLED;
    case 500:
        return judge_500(message);
    case 503:
        return judge_503(reply, r);
    default:
        return status >= 500 ? ERROR_UNKNOWN : status >= 400 ? ERROR_INVALID : ERROR_INTERNAL;
    }
}

static bool cut_out(char *text, const char *part)
{
    char *at = strstr(text, part);

    if (at)
        memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
    return at != NULL;
}

/* Where the schema refuses an object, its rules are not asked.  That the API server says so beside
 * the fault itself helps nobody. */
static char *without_unchecked(char *text)
{
#define UNCHECKED                                                                                  \
    "<nil>: Invalid value: null: some validation rules were not checked because the object was "   \
    "invalid; correct the existing errors to complete validation"
    if (!cut_out(text, ", " UNCHECKED))
        cut_out(text, UNCHECKED ", ");
    return text;
}

/* The Status's message, else the first line of what was sent instead. */
static char *message_of(const struct k8s_reply *reply, const char *text)
{
    const char *message = json_text_at(reply->object, "message");

    if (message && *message)
        return without_unchecked(xstrdup(message));
    size_t len = text ? strcspn(text, "\r\n") : 0;
    if (len == 0)
        return xasprintf("HTTP %d without a message", reply->http_status);
    return xasprintf("HTTP %d: %.*s", reply->http_status,
                     (int) (len > 200 ? utf8_cut(text, 200) : len), text);
}

void k8s_reply_judge(struct k8s_reply *reply, const struct k8s_request *request, const char *text)
{
    int status = reply->http_status;
    bool ok = status >= 200 && status < 300;
    const char *reason = ok ? NULL : json_text_at(reply->object, "reason");

    reply->error = (struct error) {0};
    reply->reason = reason ? reason : "";
    if (ok && (reply->object || request->verb == K8S_WATCH))
        return;
    CLEANUP(free) char *message = message_of(reply, text);
    if (ok) {
        error_set(&reply->error, ERROR_UNKNOWN, "the answer is not JSON: %s", message);
        return;
    }
    error_set(&reply->error, judge_code(reply, request, message), "%s", message);
    int64_t seconds = json_int_at(reply->object, "details.retryAfterSeconds", 0);
    if (reply->retry_after_ms == 0 && seconds > 0 && seconds < 86400)
        reply->retry_after_ms = seconds * 1000;
    if (reply->error.code == ERROR_THROTTLED && reply->retry_after_ms == 0)
        reply->retry_after_ms = 1000;
}

char *k8s_delete_options(const char *uid, const char *resource_version, int64_t grace_s)
{
    CLEANUP(json_decref) json_t *options =
        json_pack("{s:s, s:s}", "kind", "DeleteOptions", "apiVersion", "v1");
    json_t *preconditions = json_object();

    json_set_text(preconditions, "uid", uid);
    json_set_text(preconditions, "resourceVersion", resource_version);
    json_set_take(options, "preconditions", preconditions);
    if (grace_s >= 0)
        json_set_int(options, "gracePeriodSeconds", grace_s);
    return json_print(options);
}

bool k8s_version_parse(const char *text, uint64_t *ret_version)
{
    uint64_t n = 0;

    if (!text || !*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t) (*text - '0'), &n))
            return false;
    }
    *ret_version = n;
    return true;
}

bool k8s_meta_decode(const json_t *object, struct k8s_meta *ret_meta, struct error *err)
{
    const json_t *meta = json_at(object, "metadata");
    const char *ns = json_text_at(meta, "namespace");
    const char *name = json_text_at(meta, "name");
    const char *uid = json_text_at(meta, "uid");
    const char *version = json_text_at(meta, "resourceVersion");
    uint64_t n;

    if (!name || !*name)
        return error_set(err, ERROR_INVALID, "an object without metadata.name");
    if (!k8s_version_parse(version, &n))
        return error_set(err, ERROR_INVALID, "%s: metadata.resourceVersion \"%s\" is not a number",
                         name, version ? version : "");
    *ret_meta = (struct k8s_meta) {
        .ns = xstrdup(ns ? ns : ""),
        .name = xstrdup(name),
        .uid = xstrdup(uid ? uid : ""),
        .resource_version = n,
        .generation = json_int_at(meta, "generation", 0),
        .deleting = json_at(meta, "deletionTimestamp") != NULL,
    };
    return true;
}

void k8s_meta_done(struct k8s_meta *meta)
{
    free(meta->ns);
    free(meta->name);
    free(meta->uid);
    *meta = (struct k8s_meta) {0};
}
