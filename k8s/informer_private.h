/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of an informer share:
 *
 *     informer.c           the copy of all namespaces, and what replies say of it
 *     informer_stream.c    one namespace: its list, its watch, and when to go on with which
 */
#ifndef KHARON_K8S_INFORMER_PRIVATE_H
#define KHARON_K8S_INFORMER_PRIVATE_H

#include "k8s/informer.h"
#include "k8s/store.h"

enum stream_state { STREAM_STOPPED, STREAM_LISTING, STREAM_WATCHING };

/* One namespace, or all. */
struct stream {
    struct k8s_informer *informer;
    char *ns; /* NULL: all */
    enum stream_state state;
    struct k8s_call *call, *check;
    struct loop_timer timer; /* when to go on with `state` */
    uint64_t version;        /* everything up to here is in the store; 0: not yet */
    uint64_t told;           /* by the newest event, or by the last list */
    char *continue_token;
    uint64_t list;   /* the number of the list in progress, or of the last one */
    bool even_older; /* the server went back in time: believe this list */
    bool back;       /* it has: what was known when the list began is newer than what it shows */
    bool listed;     /* since the start or the last resync; or left out */
    bool left_out;   /* it may not be listed, and keeps nobody waiting */
    int64_t forbidden_since; /* 0: it is not, as far as is known */
    int failures;            /* in a row, to reach the server */
    int expiries;            /* in a row, without a good watch in between */
    int64_t list_began, watch_began;
    uint64_t watch_items;
};

struct k8s_informer {
    struct loop *loop;
    struct k8s *k8s;
    struct rng *rng;
    struct k8s_store store;
    struct k8s_informer_handler handler;
    void *arg;
    struct stream *streams;
    size_t n_streams;
    uint64_t lists_begun;
    bool told_synced;
    struct k8s_informer_stats stats;
    struct error error;
};

/* ns: NULL for all.  It stands still until it is restarted. */
void stream_init(struct stream *s, struct k8s_informer *informer, const char *ns);
void stream_done(struct stream *s);
/* Breaks off what is in progress, and lists from the first page. */
void stream_restart(struct stream *s);

/* A namespace besides this one is listed, and not left out. */
bool k8s_informer_another_is_listed(const struct stream *s);
void k8s_informer_tell_if_synced(struct k8s_informer *informer);

#endif
