/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange with the API server, as a libcurl easy handle and what it has brought so far.
 *
 * libcurl's callbacks are here.  They store bytes and tell `on_data`, which must do no more than
 * queue a task.
 *
 * The body is handed over by a callback that cannot be rewound: libcurl would otherwise repeat a
 * request on its own when a connection turns out to be dead.  One of which no byte of the body has
 * left has had no effect; `may_send` is asked at that very moment.
 */
#ifndef KHARON_K8S_TRANSFER_H
#define KHARON_K8S_TRANSFER_H

#include "base/buf.h"
#include "base/lines.h"
#include "k8s/config.h"

#include <curl/curl.h>
#include <stdint.h>

/* Where requests go and how they show who sends them. */
struct target {
    const struct k8s_config *config;
    char *base;                    /* scheme and authority, as the certificate has it */
    struct curl_slist *connect_to; /* where that is really; NULL: just there */
    char *token;                   /* NULL: none */
    int dead_peer_ms;              /* unacknowledged bytes end the connection */
    long connect_ms;
};

void target_init(struct target *target, const struct k8s_config *config);
void target_done(struct target *target);

enum transfer_kind { TRANSFER_TEXT, TRANSFER_ITEMS, TRANSFER_LINES };

struct transfer_events {
    bool (*may_send)(void *arg); /* NULL: always */
    void (*on_data)(void *arg);
};

struct transfer {
    CURL *easy; /* NULL: not under way */
    struct curl_slist *headers;
    char curl_text[CURL_ERROR_SIZE];
    char *body;
    size_t body_len, body_at;
    bool stopped; /* may_send said no */
    struct transfer_events events;
    void *arg;

    enum transfer_kind kind;
    int status; /* 0: no answer yet */
    int64_t retry_after_ms;
    char date[40];
    struct buf text; /* the answer, unless it is cut into items or lines */
    struct items items;
    struct lines lines;
    size_t received, max; /* bytes of the answer */
    bool too_large;
};

/* Prepares `easy`, a fresh or reset handle, which is borrowed until transfer_end.  `body` is taken;
 * NULL: none. */
void transfer_begin(struct transfer *t, CURL *easy, const struct target *target, const char *method,
                    const char *path, const char *content_type, char *body, size_t max);
/* The handle may be used for something else; what was received stays. */
CURL *transfer_end(struct transfer *t);
void transfer_done(struct transfer *t);

/* Takes in a line of the answer's head, without its line end; for libcurl's callback and tests. */
void transfer_header(struct transfer *t, const char *line, size_t len);
/* The Date of the answer, ms UTC; 0: none. */
int64_t transfer_date_ms(const struct transfer *t);

#endif
