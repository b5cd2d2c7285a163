/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server inside the fake: objects, versions, history; verbs as functions of a request.
 * Knows no network: see fake.c for that.
 */
#ifndef KHARON_SIM_FAKE_SERVER_H
#define KHARON_SIM_FAKE_SERVER_H

#include "base/map.h"
#include "sim/fake.h"

struct fake_kind {
    struct list link;
    const struct k8s_resource *resource;
    bool has_status, built_in;
    struct map objects; /* by "ns/name" */
};

struct fake_object {
    struct fake_kind *kind;
    json_t *json;
    char *key, *uid;
    struct map_node by_key, by_uid;
};

/* What happened, for watches. */
struct fake_event {
    uint64_t version;
    int64_t at; /* LOOP_MONOTONIC */
    const struct fake_kind *kind;
    json_t *old, *new; /* owned; either may be NULL */
};

struct fake_answer {
    int status;
    json_t *body;     /* owned; NULL when text is there */
    const char *text; /* not JSON */
    int64_t retry_after_ms;
    json_t *items; /* LIST: the items, as an array; owned */
};

struct fake_server {
    struct loop *loop;
    struct rng *rng;
    struct list kinds;
    struct map by_uid;
    uint64_t version;          /* the newest */
    uint64_t oldest;           /* watches from before this get 410 */
    struct fake_event *events; /* by version */
    size_t n_events, cap_events;
    struct list pages; /* versions of lists that are read in pages */
    uint64_t n_pages;
    struct list watchers;
    struct loop_timer gc;
    struct map counts;
    int64_t skew_ms;
    void (*on_event)(void *arg); /* a new event is in the history */
    void *arg;
};

void fake_server_init(struct fake_server *s, struct loop *loop, struct rng *rng);
void fake_server_done(struct fake_server *s);
struct fake_kind *fake_server_kind(const struct fake_server *s,
                                   const struct k8s_resource *resource);

/* Carries out anything but a watch. */
struct fake_answer fake_server_do(struct fake_server *s, const struct k8s_request *request);
void fake_answer_done(struct fake_answer *answer);
/* A failure as the real one words it.  `kind`: the plural or the Kind, as details.kind shows it. */
struct fake_answer fake_failure(int status, const char *reason, const struct k8s_request *request,
                                const char *kind, const char *name, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Does a watch or list with these selectors show the object?  NULL: no. */
bool fake_server_selects(const struct k8s_request *request, const json_t *object);
/* The index of the first event after that version. */
size_t fake_server_after(const struct fake_server *s, uint64_t version);
uint64_t fake_server_requests(const struct fake_server *s, enum k8s_verb verb, const char *plural);
void fake_server_expire(struct fake_server *s);
void fake_server_restore(struct fake_server *s);

/* ms UTC as "2026-01-01T00:00:00Z"; the time as the API server sees it. */
void fake_time_text(int64_t ms, char text[32]);
int64_t fake_server_now(const struct fake_server *s);

#endif
