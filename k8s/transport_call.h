/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What transport.c, transport_call.c and transport_reply.c share.
 *
 *     CALL_WAITING ──its turn──► CALL_SENT ──over, overdue, refused by the fence──► CALL_ENDED
 *          └───────────────overdue, refused by the fence────────────────────────────────┘
 *
 * Whatever ends a call takes it out of lanes, wires and deadlines and queues its task; callbacks
 * run from that task only.
 */
#ifndef KHARON_K8S_TRANSPORT_CALL_H
#define KHARON_K8S_TRANSPORT_CALL_H

#include "k8s/lanes.h"
#include "k8s/transfer.h"
#include "k8s/transport.h"
#include "k8s/wire.h"

#define IDLE_HANDLES 64

enum wire_use { WIRE_LEASE, WIRE_WATCHES, WIRE_LISTS, WIRE_REQUESTS, N_WIRES };

/* A wire and when it last brought anything. */
struct line {
    struct list link; /* in lines or given_up */
    struct wire *wire;
    struct transport *transport;
    int64_t heard_at; /* BOOT */
};

struct counters {
    struct metric_family *requests, *seconds;
    struct metric *in_flight, *waiting, *window, *watches;
};

struct transport {
    struct k8s base;
    struct loop *loop;
    const struct k8s_config *config;
    struct k8s_limits limits;
    struct target target;
    struct list lines[N_WIRES];
    struct list given_up;
    struct lanes lanes;
    struct heap deadlines; /* BOOT; of all calls */
    struct loop_timer deadline;
    struct loop_timer lane_opens;
    struct loop_timer token_due;
    struct loop_task pump;
    CURL *idle[IDLE_HANDLES];
    size_t n_idle, n_calls;
    struct k8s_transport_stats stats;
    struct counters counters;
};

enum call_state { CALL_WAITING, CALL_SENT, CALL_ENDED };

struct call {
    struct k8s_call base;
    struct transport *t;
    struct k8s_request request; /* ns and name are owned; other texts are gone */
    char *ns, *name, *path, *body;
    struct k8s_handler handler;
    void *arg;
    enum call_state state;
    struct lanes_place waiting;
    struct heap_node deadline;
    struct loop_task task; /* hand on what has come, and finish */
    struct line *line;
    struct transfer transfer;
    struct error error;  /* how it ended, if no answer tells */
    json_t *watch_error; /* the Status of an ERROR event */
    bool cut;            /* what has not been handed on is of no interest */
    bool overdue;        /* it was sent, and not answered in time */
    int64_t deadline_ms, sent_at, heard_at, ended_at; /* BOOT */
    int64_t least_ms;                                 /* with less time left it is not sent */
    bool *gone; /* set when it is freed within its own callback */
};

/* Ends a call that is waiting or sent; its task finishes it. */
void call_abandon(struct call *c);
void call_free(struct call *c);
const char *call_method(const struct call *c);
/* The task: hands on what has come; when all has and the call has ended, answers and frees it. */
void call_hand_on(void *arg);
/* The seam. */
struct k8s_call *transport_call(struct k8s *k8s, const struct k8s_request *request,
                                const struct k8s_handler *handler, void *arg);
void transport_cancel(struct k8s_call *call);

/* A wire's: the transfer of a call is over. */
void call_over(CURL *easy, CURLcode result, void *arg);
/* Ends what is overdue. */
void transport_expire(void *transport);
/* Sends what may be sent. */
void transport_take_turns(void *transport);

/* One that has room for one more; opened if there is none. */
struct line *transport_line(struct transport *t, enum wire_use use);
/* Nothing comes on this line any more: later calls get a new one; it is freed when it is empty. */
void transport_give_up(struct transport *t, struct line *line);
void transport_free_given_up(struct transport *t);
/* The token may have been renewed. */
void transport_read_token(struct transport *t);

#endif
