/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes verbs, and the seam that simulations implement.
 *
 * A `struct k8s` is a connection to an API server: the real one (transport.h) speaks HTTP/2 through
 * libcurl on our loop, the fake one (tests/sim/fake.h) keeps objects in memory.  Everything above
 * this header runs unchanged on both.
 *
 * One call is one request:
 *
 *     call = k8s_call(k8s, &(struct k8s_request) {
 *         .verb = K8S_CREATE, .resource = &pods, .ns = ns, .body = text, .fence = fence},
 *         &(struct k8s_handler) {.on_reply = on_reply}, inst);
 *
 *  - `on_reply` runs exactly once, never inside k8s_call, unless the call was cancelled.
 *  - The caller owns the call until then; k8s_cancel(call) ends it without a call back (whether the
 *    request had an effect is then unknown).  k8s_cancel(NULL) does nothing.
 *  - All texts of the request are copied; resource and fence are not and outlive the call.
 *  - LIST and WATCH hand their items to `on_item` one by one as JSON text, before `on_reply`.
 *    A LIST is one page; go on with reply->continue_token.
 *  - Nothing is retried here: who decides, retries (see queue.h).
 *
 * A reply's error says what is known (facts about the real API server: see docs/kubernetes.md):
 *
 *     ERROR_UNKNOWN      sent, no definite answer (time-out, 504, lost connection): may yet happen
 *     ERROR_UNAVAILABLE  not done: connection refused, 503
 *     ERROR_THROTTLED    429, not done; retry_after_ms says when
 *     ERROR_NOT_FOUND    404 with reason NotFound about the name that was asked for: proof.  Any
 *                        other 404 (unknown kind, namespace missing) is ERROR_INTERNAL
 *     ERROR_EXISTS / ERROR_CONFLICT   the two kinds of 409
 *     ERROR_EXPIRED      410, also as an ERROR event of a watch
 *     ERROR_UNAUTHORIZED 401: the token has expired or is wrong
 *     ERROR_FORBIDDEN    403 (quota, RBAC, admission; the text is all there is to tell them apart)
 *     ERROR_INVALID      400, 415, 422: never going to work
 *     ERROR_TOO_LARGE    413, and the 500 by which etcd says so
 *
 * A 500 is ERROR_UNKNOWN unless its text is known to mean something else: "etcdserver: leader
 * changed" comes as one, when the write may already be on its way into the log.
 *
 *     ERROR_FENCED       not sent: the fence was closed when it was its turn
 */
#ifndef KHARON_K8S_CLIENT_H
#define KHARON_K8S_CLIENT_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct k8s_resource {
    const char *group; /* "" is the core group */
    const char *version;
    const char *plural;
    const char *kind;
};

enum k8s_verb {
    K8S_GET,
    K8S_LIST,
    K8S_WATCH,
    K8S_CREATE,
    K8S_APPLY,  /* server-side apply; not forced */
    K8S_PATCH,  /* JSON merge patch */
    K8S_DELETE, /* body: DeleteOptions, see k8s_delete_options */
};

/* Order of importance when requests have to wait for each other. */
enum k8s_lane {
    K8S_LANE_DEFAULT, /* what fits the verb: STATUS, READ or DELETE */
    K8S_LANE_LEASE,   /* a connection of its own; never waits */
    K8S_LANE_POD,     /* creates of pods */
    K8S_LANE_TRIGGER, /* creates of what pods are made for */
    K8S_LANE_STATUS,
    K8S_LANE_READ,
    K8S_LANE_DELETE,
    K8S_LANE_EVENT,
    K8S_N_LANES,
};

/*
 * Whether a write may be sent now.  Asked where the request is handed to the network, after it has
 * waited for its turn, not where it was decided.  Returns how many ms from now an effect may still
 * take place (the request's time-outs are cut to that), or <= 0: do not send.
 */
struct k8s_fence {
    int64_t (*remaining_ms)(void *arg);
    void *arg;
};

struct k8s_request {
    enum k8s_verb verb;
    enum k8s_lane lane;
    const struct k8s_resource *resource;
    const char *ns;            /* NULL: no namespace, or all of them */
    const char *name;          /* for CREATE in the body */
    const char *subresource;   /* "status" */
    const char *body;          /* JSON text */
    const char *field_manager; /* APPLY; for other writes optional */
    const char *label_selector, *field_selector;
    const char *resource_version; /* LIST, WATCH: from where; GET, LIST: NULL is consistent */
    const char *continue_token;   /* LIST: the next page */
    int limit;                    /* LIST: items a page, 0: all */
    /* In all, waiting included; 0: the client's default.  WATCH: how long the server keeps it open;
     * 0: as it likes (30-60 min). */
    int64_t timeout_ms;
    const struct k8s_fence *fence; /* NULL: not fenced; must outlive the call */
};

struct k8s_reply {
    struct error error;           /* ERROR_NONE: done */
    int http_status;              /* 0: no answer.  A watch's ERROR event counts by its code */
    const char *reason;           /* Status.reason, "" when there is none */
    const json_t *object;         /* the answer, if it was JSON; borrowed */
    const char *resource_version; /* of the object or list, "" when there is none */
    const char *continue_token;   /* LIST: "" on the last page */
    int64_t retry_after_ms;       /* 0: not said */
    int64_t server_time_ms;       /* the answer's Date, UTC, whole seconds; 0: none */
};

enum k8s_event { K8S_LISTED, K8S_ADDED, K8S_MODIFIED, K8S_DELETED, K8S_BOOKMARK };

struct k8s_handler {
    void (*on_item)(enum k8s_event event, const char *json, size_t len, void *arg);
    void (*on_reply)(const struct k8s_reply *reply, void *arg);
};

struct k8s;
struct k8s_call;

/* The seam.  Implementations embed `struct k8s` and `struct k8s_call`. */
struct k8s_ops {
    struct k8s_call *(*call)(struct k8s *k8s, const struct k8s_request *request,
                             const struct k8s_handler *handler, void *arg);
    void (*cancel)(struct k8s_call *call);
    void (*free)(struct k8s *k8s);
};

struct k8s {
    const struct k8s_ops *ops;
};

struct k8s_call {
    struct k8s *k8s;
};

static inline struct k8s_call *k8s_call(struct k8s *k8s, const struct k8s_request *request,
                                        const struct k8s_handler *handler, void *arg)
{
    return k8s->ops->call(k8s, request, handler, arg);
}

static inline void k8s_cancel(struct k8s_call *call)
{
    if (call)
        call->k8s->ops->cancel(call);
}

static inline void k8s_free(struct k8s *k8s)
{
    if (k8s)
        k8s->ops->free(k8s);
}

bool k8s_verb_writes(enum k8s_verb verb);
const char *k8s_verb_name(enum k8s_verb verb);

/* The lane that is meant: never K8S_LANE_DEFAULT. */
enum k8s_lane k8s_request_lane(const struct k8s_request *request);

/* The path and query of a request, e.g. "/api/v1/namespaces/a/pods/b?…"; the caller frees. */
char *k8s_request_path(const struct k8s_request *request);

/* Fills reply->error (and reason, retry_after_ms) from reply->http_status, which is not 0, and
 * reply->object, as said above.  `text` is the body as it came, for answers that are not JSON. */
void k8s_reply_judge(struct k8s_reply *reply, const struct k8s_request *request, const char *text);

/* {"kind":"DeleteOptions",…} with preconditions; either may be NULL.  grace_s < 0: the default. */
char *k8s_delete_options(const char *uid, const char *resource_version, int64_t grace_s);

/* A resourceVersion is a decimal number; they are compared within one kind only. */
bool k8s_version_parse(const char *text, uint64_t *ret_version);

/* What every object has.  Texts are owned and never NULL; ns is "" for what has no namespace. */
struct k8s_meta {
    char *ns, *name, *uid;
    uint64_t resource_version; /* compared within one kind only */
    int64_t generation;
    bool deleting; /* has a deletionTimestamp */
};
bool k8s_meta_decode(const json_t *object, struct k8s_meta *ret_meta, struct error *err);
void k8s_meta_done(struct k8s_meta *meta);

#endif
