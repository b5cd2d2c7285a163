/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server inside the fake: objects, versions, history; verbs as functions of a request.
 * Knows no network: see fake_call.c for that.
 *
 * Objects are trees that share what did not change with their predecessors: a tree is never changed
 * once it is stored.
 */
#ifndef KHARON_SIM_FAKE_SERVER_H
#define KHARON_SIM_FAKE_SERVER_H

#include "base/map.h"
#include "sim/fake.h"

#define FAKE_N_VERBS (K8S_DELETE + 1)

struct fake_schema;

struct fake_kind {
    struct list link;
    const struct k8s_resource *resource;
    bool has_status, built_in;
    bool unjudged;                    /* for now: a fixture is created */
    const struct fake_schema *schema; /* NULL: anything goes */
    struct fake_schema *own_schema;   /* the same, if it goes with the kind */
    struct map objects;               /* by "ns/name" */
    uint64_t counts[FAKE_N_VERBS][2]; /* requests; those to a subresource apart */
    int64_t lag_min, lag_max;
};

/* An owner of an object. */
struct fake_owner {
    struct map_node by_owner; /* by the owner's uid */
    struct fake_object *object;
    char *uid;
};

struct fake_object {
    struct fake_kind *kind;
    json_t *json;
    char *key, *uid;
    struct map_node by_key, by_uid;
    struct fake_owner *owners;
    size_t n_owners;
    struct list suspect; /* for the garbage collector */
};

/* What happened, for watches. */
struct fake_event {
    uint64_t version;
    int64_t at; /* LOOP_MONOTONIC */
    const struct fake_kind *kind;
    json_t *old, *new; /* owned; either may be NULL */
    char *text;        /* the object that it shows, once somebody asked; owned */
};

struct fake_answer {
    int status;
    json_t *body;     /* owned; NULL when text is there */
    const char *text; /* not JSON */
    int64_t retry_after_ms;
    json_t *items; /* LIST: the items, as an array; owned */
};

/* An object in a backup. */
struct fake_copy {
    struct fake_kind *kind;
    json_t *json;
};

struct fake_server {
    struct loop *loop;
    struct rng *rng;
    struct list kinds;
    struct map by_uid, by_owner;
    uint64_t version;          /* the newest */
    uint64_t oldest;           /* watches from before this get 410 */
    uint64_t served_from;      /* ... and those that begin from before this: it started then */
    struct fake_event *events; /* by version */
    size_t n_events, cap_events;
    struct list pages; /* versions of lists that are read in pages */
    uint64_t n_pages;
    struct list watchers;
    struct list suspects; /* objects that the garbage collector looks at next */
    struct loop_timer gc;
    int n_terminating; /* namespaces */
    int64_t skew_ms;
    struct fake_copy *backup; /* NULL: none */
    size_t n_backup;
    uint64_t backup_version;
    unsigned n_restores, version_step;
    void (*on_event)(const struct fake_kind *kind, void *arg); /* it is in the history */
    void *arg;
};

void fake_server_init(struct fake_server *s, struct loop *loop, struct rng *rng);
void fake_server_done(struct fake_server *s);
struct fake_kind *fake_server_kind(const struct fake_server *s,
                                   const struct k8s_resource *resource);
/* As fake_add_kind; schema may be NULL. */
struct fake_kind *fake_server_add_kind(struct fake_server *s, const struct k8s_resource *resource,
                                       bool has_status, const struct fake_schema *schema);

/* Carries out anything but a watch. */
struct fake_answer fake_server_do(struct fake_server *s, const struct k8s_request *request);
void fake_answer_done(struct fake_answer *answer);
/* A failure as the real one words it.  `kind`: the plural or the Kind, as details.kind shows it. */
struct fake_answer fake_failure(int status, const char *reason, const struct k8s_request *request,
                                const char *kind, const char *name, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* 504: a version that is not there yet. */
struct fake_answer fake_server_too_large(const struct fake_server *s, const struct k8s_request *r);

/* Does a watch or list with these selectors show the object?  NULL: no. */
bool fake_server_selects(const struct k8s_request *request, const json_t *object);
/* Status 0: they are in order. */
struct fake_answer fake_server_check_selectors(const struct fake_kind *kind,
                                               const struct k8s_request *r);
/* The index of the first event after that version. */
size_t fake_server_after(const struct fake_server *s, uint64_t version);
/* One more request of a client. */
void fake_server_count(struct fake_server *s, const struct k8s_request *r);
void fake_server_expire(struct fake_server *s);
void fake_server_backup(struct fake_server *s);
void fake_server_restore(struct fake_server *s);

/* As json_print, in a fraction of the time; the caller frees.  No NUL in texts. */
char *fake_print(const json_t *json);
/* Where it is about speed (KHARON_SIM_FAST), objects are handed over as they are: from now on
 * json_parse of the text that this returns yields the object.  NULL: print it. */
const char *fake_offer(const json_t *object);
/* ms UTC as "2026-01-01T00:00:00Z"; the time as the API server sees it. */
void fake_time_text(int64_t ms, char text[32]);
void fake_version_text(uint64_t version, char text[24]);
int64_t fake_server_now(const struct fake_server *s);

#endif
