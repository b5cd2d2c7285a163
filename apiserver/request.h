/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request and its answer, as handlers see them: no socket and no h2o in here.
 *
 *     route_dispatch ─ request_init ─ a handler: reads, perhaps waits, one reply_… ─ request_done
 *
 *  - Whoever brings requests (server.c, or a test) fills in the first members and the seam, gives
 *    the struct to route_dispatch, and calls request_done when the request has ended, answered or
 *    not.
 *  - A handler answers exactly once: at once, or later from a callback of the loop.  The answer may
 *    end the request: after reply_… returns, neither the request nor its work may be touched.
 *  - What a handler waits for is its *work*: memory that the request owns (request_work).  Its
 *    `on_end` cancels what is pending; it runs when the request is answered or ends, and a client
 *    that goes away is one way for it to end.  So no callback ever meets a request that is gone.
 *
 * Paths: the raw path is split at '/' and each segment is decoded once, so that "team%2Fa" is one
 * segment (Styx behaviour, 2.1).  Escapes that are not two hexadecimal digits, and %00, are refused
 * with 400.  In the query '+' is a blank, and of a repeated parameter the first counts.
 *
 * Errors are told twice: as the reason phrase, since Styx's clients show that and read no body, and
 * as {"message", "status", "request_id"} (2.4).
 */
#ifndef KHARON_APISERVER_REQUEST_H
#define KHARON_APISERVER_REQUEST_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

struct api;

#define REQUEST_MAX_PARAMS 4
#define REQUEST_ID_MAX     128 /* longer ones, or not printable, are replaced by our own */
#define REPLY_REASON_MAX   480
#define REPLY_MAX_HEADERS  4

struct request_pair {
    const char *name, *value;
};

struct reply {
    int status;
    const char *reason;       /* NULL: the usual one; made a single line of limited length */
    const char *content_type; /* NULL: no body */
    const char *body;         /* copied */
    size_t body_len;
    struct request_pair headers[REPLY_MAX_HEADERS];
    size_t n_headers;
};

struct request {
    struct api *api;
    const char *method; /* as sent: "GET" */
    const char *target; /* path and query, undecoded */
    const char *body;   /* not NUL-terminated */
    size_t body_len;

    char **segments;
    size_t n_segments;
    struct request_pair *query;
    size_t n_query;
    const char *params[REQUEST_MAX_PARAMS]; /* what the route's pattern names, in its order */
    char *id;                               /* X-Styx-Request-Id; NULL: this route has none */
    int status;                             /* of the answer; 0: not answered */
    int64_t began_ms;                       /* LOOP_MONOTONIC */

    void *context;              /* the handler's own */
    struct request_work *works; /* internal: newest first */
    char *buffer;               /* internal: decoded texts */

    /* The seam: how headers are found and an answer leaves. */
    const char *(*header)(const struct request *req, const char *name);
    void (*send)(struct request *req, const struct reply *reply);
};

/* Takes method, target, body and the seam's functions from *req, and parses the target.  False:
 * what is wrong with it; the request can be answered all the same. */
bool request_init(struct request *req, struct error *err);
void request_done(struct request *req);

/* Takes over the id that the client gave, or makes one up (Styx behaviour, 2.5). */
void request_set_id(struct request *req);

/* NULL: absent; the name in lower case. */
const char *request_header(const struct request *req, const char *name);
const char *request_query(const struct request *req, const char *name);
/* "true" in any case. */
bool request_query_true(const struct request *req, const char *name);

/* Zeroed memory that is freed after on_end at the request's end; newer ones end first. */
void *request_work(struct request *req, size_t size, void (*on_end)(void *work));

/* The body as a JSON object; ERROR_INVALID with the text `missing` if there is none, and with
 * `bad` before what the parser says ("Invalid payload. "). */
bool request_json(const struct request *req, const char *missing, const char *bad,
                  json_t **ret_json, struct error *err);

void request_reply(struct request *req, const struct reply *reply);

void reply_json_take(struct request *req, int status, json_t *json);
void reply_json_text(struct request *req, int status, const char *text, size_t len);
/* Like reply_json_take, with a reason phrase of its own. */
void reply_json_reason_take(struct request *req, int status, const char *reason, json_t *json);
void reply_text(struct request *req, int status, const char *text);
void reply_empty(struct request *req, int status);
void reply_error(struct request *req, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `reply` with the text in its body, and as its reason if it has none of its own. */
void reply_refusal(struct request *req, struct reply *reply, const char *text);
/* A failure with the status of its code; 429 and 503 say when to come again. */
void reply_failure(struct request *req, const struct error *err);

/* One line of at most REPLY_REASON_MAX bytes: control characters are blanks. */
const char *reply_reason(const struct reply *reply, char text[REPLY_REASON_MAX + 1]);
const char *http_reason(int status);

#endif
