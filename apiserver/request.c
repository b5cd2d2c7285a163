/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/request.h"

#include "apiserver/api.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

struct request_work {
    struct request_work *next;
    void (*on_end)(void *work);
    max_align_t memory[];
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes in place; the text only gets shorter. */
static bool decode(char *text, bool plus_is_blank, struct error *err)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        if (*p == '+' && plus_is_blank) {
            *to++ = ' ';
            continue;
        }
        if (*p != '%') {
            *to++ = *p;
            continue;
        }
        int high = hex_value(p[1]), low = high < 0 ? -1 : hex_value(p[2]);
        if (low < 0)
            return error_set(err, ERROR_INVALID, "Bad percent-encoding in the URL");
        if (high == 0 && low == 0)
            return error_set(err, ERROR_INVALID, "The URL contains %%00");
        *to++ = (char) (high * 16 + low);
        p += 2;
    }
    *to = '\0';
    /* What is no text could be stored, as something else, and then never be found. */
    return utf8_valid(text) || error_set(err, ERROR_INVALID, "The URL is not UTF-8");
}

static size_t count(const char *text, char c)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == c;
    return n;
}

/* "/a/b/" is a and b: one slash at the end is optional. */
static bool parse_path(struct request *req, char *path, struct error *err)
{
    if (*path != '/')
        return error_set(err, ERROR_INVALID, "The URL does not begin with /");
    req->segments = xcalloc(count(path, '/'), sizeof(req->segments[0]));
    char *rest = path + 1;
    while (rest && (*rest || req->n_segments == 0)) {
        char *segment = strsep(&rest, "/");

        if (!decode(segment, false, err))
            return false;
        req->segments[req->n_segments++] = segment;
    }
    if (req->n_segments == 1 && !*req->segments[0])
        req->n_segments = 0;
    return true;
}

static bool parse_query(struct request *req, char *query, struct error *err)
{
    req->query = xcalloc(count(query, '&') + 1, sizeof(req->query[0]));
    while (query) {
        char *value = strsep(&query, "&"), *name = strsep(&value, "=");

        if (!decode(name, true, err) || (value && !decode(value, true, err)))
            return false;
        if (*name)
            req->query[req->n_query++] = (struct request_pair) {name, value ? value : ""};
    }
    return true;
}

/* Proxies may name the server too: "http://host/path" (RFC 9112, 3.2.2). */
static char *skip_origin(char *target)
{
    size_t len = strncasecmp(target, "http://", 7) == 0 ? 7 : 0;

    if (strncasecmp(target, "https://", 8) == 0)
        len = 8;
    if (len == 0)
        return target;
    char *path = target + len + strcspn(target + len, "/?");
    if (*path != '/')
        *--path = '/';
    return path;
}

bool request_init(struct request *req, struct error *err)
{
    char *text = xstrdup(req->target);

    req->buffer = text;
    text[strcspn(text, "#")] = '\0';
    char *query = skip_origin(text), *path = strsep(&query, "?");
    return parse_path(req, path, err) && (!query || parse_query(req, query, err));
}

static bool printable(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len <= REQUEST_ID_MAX;
}

void request_set_id(struct request *req)
{
    const char *given = request_header(req, "x-styx-request-id");
    char random[33];

    if (given && printable(given)) {
        req->id = xstrdup(given);
        return;
    }
    random_hex(random, 32);
    req->id = xstrdup(random);
}

static void end_works(struct request_work *work)
{
    while (work) {
        struct request_work *next = work->next;

        if (work->on_end)
            work->on_end(work->memory);
        free(work);
        work = next;
    }
}

void request_done(struct request *req)
{
    end_works(TAKE(req->works));
    free(TAKE(req->segments));
    free(TAKE(req->query));
    free(TAKE(req->id));
    free(TAKE(req->buffer));
}

const char *request_header(const struct request *req, const char *name)
{
    return req->header ? req->header(req, name) : NULL;
}

const char *request_query(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->n_query; i++)
        if (strcmp(req->query[i].name, name) == 0)
            return req->query[i].value;
    return NULL;
}

bool request_query_true(const struct request *req, const char *name)
{
    const char *value = request_query(req, name);

    return value && strcasecmp(value, "true") == 0;
}

void *request_work(struct request *req, size_t size, void (*on_end)(void *work))
{
    struct request_work *work = xcalloc(1, sizeof(*work) + size);

    work->next = req->works;
    work->on_end = on_end;
    req->works = work;
    return work->memory;
}

bool request_json(const struct request *req, const char *missing, const char *bad,
                  json_t **ret_json, struct error *err)
{
    if (req->body_len == 0)
        return error_set(err, ERROR_INVALID, "%s", missing);
    CLEANUP(json_decref) json_t *json = NULL;
    if (!json_parse(req->body, req->body_len, &json, err))
        return error_set(err, ERROR_INVALID, "%s%s", bad, err->text);
    if (!json_is_object(json))
        return error_set(err, ERROR_INVALID, "%snot a JSON object", bad);
    *ret_json = TAKE(json);
    return true;
}

/* What a client may see again in its own logs: printable, no blanks at the ends. */
const char *reply_reason(const struct reply *reply, char text[REPLY_REASON_MAX + 1])
{
    const char *reason = reply->reason ? reply->reason : http_reason(reply->status);
    size_t len = strlen(reason);

    if (len > REPLY_REASON_MAX)
        len = utf8_cut(reason, REPLY_REASON_MAX);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char) reason[i];

        text[i] = c < 0x20 || c == 0x7f ? ' ' : (char) c;
    }
    text[len] = '\0';
    return text;
}

/* Clients may invent methods; there are no series for those. */
static const char *method_label(const char *method)
{
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcmp(method, known[i]) == 0)
            return known[i];
    return "other";
}

static void count_reply(const struct request *req, int status, int64_t took_ms)
{
    const char *method = method_label(req->method);
    char code[16];

    if (!req->api->requests)
        return;
    snprintf(code, sizeof(code), "%d", status);
    metric_add(metric_series(req->api->requests, method, code), 1);
    metric_observe(metric_series(req->api->seconds, method), (double) took_ms / 1000);
}

static bool changes_something(const char *method)
{
    static const char *const known[] = {"POST", "PUT", "PATCH", "DELETE"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

/* Styx behaviour, 12.3: what changes something is always logged. */
static void log_reply(const struct request *req, const struct reply *reply, int64_t took)
{
    bool audit = changes_something(req->method);

    log_at(audit ? LOG_INFO : LOG_DEBUG, "request", KV("method", req->method),
           KV("target", req->target), KV("status", reply->status),
           KV("reason", reply->reason ? reply->reason : ""), KV("ms", took),
           KV("request_id", req->id ? req->id : ""), KV("audit", audit));
}

void request_reply(struct request *req, const struct reply *reply)
{
    struct request_work *works = TAKE(req->works);

    assert(req->status == 0 && reply->status >= 100 && reply->status <= 999);
    req->status = reply->status;
    int64_t took = loop_now_fresh(req->api->loop, LOOP_MONOTONIC) - req->began_ms;
    count_reply(req, reply->status, took);
    log_reply(req, reply, took);
    req->send(req, reply);
    end_works(works); /* after: the answer may be made of their texts */
}

void reply_json_text(struct request *req, int status, const char *text, size_t len)
{
    request_reply(req, &(struct reply) {.status = status,
                                        .content_type = "application/json",
                                        .body = text,
                                        .body_len = len});
}

void reply_json_reason_take(struct request *req, int status, const char *reason, json_t *json)
{
    CLEANUP(free) char *text = json_print(json);

    json_decref(json);
    request_reply(req, &(struct reply) {.status = status,
                                        .reason = reason,
                                        .content_type = "application/json",
                                        .body = text,
                                        .body_len = strlen(text)});
}

void reply_json_take(struct request *req, int status, json_t *json)
{
    reply_json_reason_take(req, status, NULL, json);
}

void reply_text(struct request *req, int status, const char *text)
{
    request_reply(req, &(struct reply) {.status = status,
                                        .content_type = "text/plain; charset=utf-8",
                                        .body = text,
                                        .body_len = strlen(text)});
}

void reply_empty(struct request *req, int status)
{
    request_reply(req, &(struct reply) {.status = status});
}

/* A 500 is told as in 2.4.  Styx names the exception; Kubernetes has one name for all of them. */
static char *refusal_text(const struct request *req, int status, const char *text)
{
    if (status != 500)
        return xstrdup(text);
    return xasprintf("%s (Request ID: %s): InternalError: %s", http_reason(status),
                     req->id ? req->id : "none", text);
}

void reply_refusal(struct request *req, struct reply *reply, const char *text)
{
    CLEANUP(free) char *message = refusal_text(req, reply->status, text);
    struct buf body = BUF_INIT;

    reply->reason = reply->reason ? reply->reason : message;
    buf_adds(&body, "{\"message\":");
    buf_add_json(&body, message);
    buf_addf(&body, ",\"status\":%d,\"request_id\":", reply->status);
    buf_add_json(&body, req->id);
    buf_addc(&body, '}');
    reply->content_type = "application/json";
    reply->body = body.data;
    reply->body_len = body.len;
    request_reply(req, reply);
    buf_done(&body);
}

void reply_error(struct request *req, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    CLEANUP(free) char *text = xvasprintf(format, args);
    va_end(args);
    reply_refusal(req, &(struct reply) {.status = status}, text);
}

void reply_failure(struct request *req, const struct error *err)
{
    struct reply reply = {.status = error_http_status(err->code)};

    if (reply.status == 429 || reply.status == 503)
        reply.headers[reply.n_headers++] = (struct request_pair) {"retry-after", "1"};
    reply_refusal(req, &reply, err->text);
}

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Payload Too Large"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}
