/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the fake's network share: fake.c (the whole), fake_call.c, fake_ghost.c,
 * fake_watch.c, fake_faults.c, and fake_people.c (everybody else). */
#ifndef KHARON_SIM_FAKE_INTERNAL_H
#define KHARON_SIM_FAKE_INTERNAL_H

#include "sim/fake_server.h"

#define FAKE_TIMEOUT_MS 2000 /* of a call that says nothing */
#define FAKE_AMBUSH_MS  1000 /* from a 404 to the create that it did not see */

struct fake {
    struct loop *loop;
    struct rng rng;
    struct fake_server server;
    struct list clients;
    struct list ghosts;
    struct list injections;
    int per_mille[FAKE_N_FAULTS];
    int64_t latency_min, latency_max;
    /* LOOP_MONOTONIC; past: it is not so. */
    int64_t stalled_until, down_until, starting_until;
    bool stopped; /* and has not started again */
    fake_judge *judge;
    void *judge_arg;
};

struct fake_client {
    struct k8s base;
    struct fake *fake;
    char *user;
    struct list link;
    struct list calls;
    bool gone; /* partitioned */
    bool frozen;
};

enum fake_phase {
    FAKE_SENDING,
    FAKE_TRAVELLING,
    FAKE_WAITING, /* at the server, for a version that it does not have yet */
    FAKE_RETURNING,
    FAKE_LOST,    /* the client waits for its time-out */
    FAKE_CUT,     /* the connection ends */
    FAKE_REFUSED, /* there is no connection */
    FAKE_WATCHING,
};

struct fake_call {
    struct k8s_call base;
    struct fake_client *client;
    struct list link;
    struct k8s_request request; /* texts owned */
    struct k8s_handler handler;
    void *arg;
    enum fake_phase phase;
    bool held;        /* what comes next waits for a frozen client */
    int fault;        /* enum fake_fault, or -1 */
    int64_t deadline; /* LOOP_MONOTONIC */
    struct loop_timer timer;
    struct fake_answer answer;
    /* Watches. */
    const struct fake_kind *kind;
    uint64_t version; /* everything up to here has been delivered */
    uint64_t marked;  /* the last bookmark, or where it began */
    json_t *mark;     /* that bookmark; NULL: there was none */
    int64_t lag;      /* of the next delivery */
    bool silent;
    int64_t dead_at; /* 0: its connection is not lost */
    bool *gone;      /* set while it delivers: tells that it was cancelled */
    struct loop_timer bookmark, end;
};

int64_t fake_now(const struct fake *f);
int64_t fake_latency(struct fake *f);
void fake_call_set(struct fake_call *c, enum fake_phase phase, int64_t at);
/* They end the call. */
void fake_call_answer(struct fake_call *c);
void fake_call_fail(struct fake_call *c, int status, enum error_code code, const char *text);

/* Texts are copied; the caller frees. */
struct k8s_request fake_request_copy(const struct k8s_request *r);
void fake_request_free(struct k8s_request *r);
/* Tells the watchers how it was answered; status 0: nobody waits for that. */
void fake_request_tell(struct fake *f, const char *user, const struct k8s_request *request,
                       int status);

/* It is carried out then, and nobody hears of it. */
void fake_ghost_send(struct fake *f, const struct k8s_request *request, int64_t at);
/* The request of this call is carried out after its time-out. */
void fake_ghost_send_late(struct fake_call *c);
/* Somebody was just told that there is no such object: one that makes it may come now. */
void fake_ghost_spring_ambush(struct fake *f, const struct k8s_request *get);
void fake_ghost_drop_all(struct fake *f);

void fake_watch_begin(struct fake_call *c);
void fake_watch_deliver(struct fake_call *c);
void fake_watch_on_bookmark(void *call);
void fake_watch_on_end(void *call);
/* Its connection is lost: the client notices then. */
void fake_watch_dies_at(struct fake_call *c, int64_t at);
/* Something was written of that kind; NULL: of any. */
void fake_watch_wake(struct fake *f, const struct fake_kind *kind);

/* The fault that hits this request, -1: none. */
int fake_fault_pick(struct fake *f, const struct k8s_request *r);
/* The answer of a fault that is one (is_refusal). */
bool fake_fault_is_refusal(enum fake_fault fault);
struct fake_answer fake_fault_refusal(const struct fake *f, const struct k8s_request *r,
                                      enum fake_fault fault);
struct fake_answer fake_fault_starting(const struct k8s_request *r);
struct fake_answer fake_fault_timeout(const struct k8s_request *r);

#endif
