/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny HTTP responder on the loop, for those who watch a program: /livez, /readyz, /metrics.
 *
 *     static int readyz(struct buf *body, void *arg)
 *     {
 *         buf_adds(body, is_ready ? "ok\n" : "waiting for the first list\n");
 *         return is_ready ? 200 : 503;
 *     }
 *     static const struct probe_page pages[] = {{"/readyz", "text/plain", readyz, NULL}, ...};
 *
 *     if (!probe_new(loop, ":8081", pages, ARRAY_SIZE(pages), &probe, &err))
 *
 * It is no web server.  One request a connection, GET and HEAD; bodies of requests are ignored; the
 * answer is complete in memory before it is sent.  Nobody can harm the program or keep others from
 * their answers by what they send or do not send:
 *
 *  - a head is at most PROBE_MAX_HEAD bytes, a connection lasts at most PROBE_TIMEOUT_MS;
 *  - with PROBE_MAX_CONNECTIONS open the oldest one makes room: the kubelet's probe gets through
 *    however many idle connections somebody holds;
 *  - without free descriptors it waits a moment instead of spinning.
 *
 * Not for virtual loops.
 */
#ifndef KHARON_BASE_PROBE_H
#define KHARON_BASE_PROBE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

#define PROBE_MAX_HEAD        8192
#define PROBE_MAX_CONNECTIONS 64
#define PROBE_TIMEOUT_MS      10000

struct probe;

struct probe_page {
    const char *path;
    const char *content_type;
    int (*render)(struct buf *body, void *arg); /* returns the HTTP status */
    void *arg;
};

/* Listens from now on; `address` as in listen.h.  The pages are kept by reference. */
bool probe_new(struct loop *loop, const char *address, const struct probe_page *pages,
               size_t n_pages, struct probe **ret_probe, struct error *err);

/* Closes everything at once.  Not from within a page. */
void probe_free(struct probe *probe);

/* The port that it listens on, also when 0 was asked for. */
int probe_port(const struct probe *probe);

/* For tests: how long connections that begin from now on may last. */
void probe_set_timeout(struct probe *probe, int64_t ms);

/* How many connections are open now. */
size_t probe_connections(const struct probe *probe);

#endif
