/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: sockets on one side, struct request on the other.  The only module that knows
 * h2o, in two files.
 *
 *     server_new ── server_run … until server_stop has let everybody finish ── server_free
 *
 * HTTP/1.1 and 1.0 without TLS; HTTP/2 and TLS belong to what stands in front.  One thread: h2o's
 * loop is the outer one and waits for ours (base/loop.h) as for one of its sockets, so that
 * everything, answers included, happens inside its dispatch.
 *
 * Nobody harms others by what they send, do not send, or do not read:
 *
 *  - a request, head and body together, has to arrive within `request_ms` of its beginning, else it
 *    is 408; that long a connection may also be idle;
 *  - bodies beyond SERVER_MAX_BODY are 413, heads beyond SERVER_MAX_HEAD 431, and heads that two
 *    servers might read differently 400 (head.h);
 *  - with `max_connections` open, a new one takes the place of another that only holds it
 *    (crowd.h); it waits in the kernel's queue only while we owe everybody an answer;
 *  - what has been received takes at most `max_input` bytes, and answers that are not read
 *    `max_output`, or somebody has to go; no request is begun without room for an answer;
 *  - requests that come all at once are handled one after the other, a few milliseconds in each
 *    turn, in between those of others and behind those that are urgent;
 *  - a client that resets its connection ends its request, and with it the calls that it waits for;
 *    one that only ends its sending half gets its answer; one that does not read its answer is cut
 *    off after SERVER_WRITE_MS.
 *
 * A head that cannot be parsed at all, h2o answers: 400 without a JSON body and without a request
 * id.
 */
#ifndef KHARON_APISERVER_SERVER_H
#define KHARON_APISERVER_SERVER_H

#include "apiserver/api.h"
#include "apiserver/request.h"

#define SERVER_MAX_BODY (2 * 1024 * 1024)
#define SERVER_MAX_HEAD (16 * 1024)
#define SERVER_WRITE_MS 20000
/* The usual max_input and max_output.  Buffers of what arrives grow by doubling. */
#define SERVER_MAX_INPUT  (32 * 1024 * 1024)
#define SERVER_MAX_OUTPUT (64 * 1024 * 1024)

struct server_config {
    const char *listen; /* as in base/listen.h */
    size_t max_connections;
    int64_t request_ms;
    size_t max_input, max_output; /* bytes */
    /* Gets every request; see request.h for what it has to do. */
    void (*on_request)(struct request *req);
    /* Whether it is answered in no time and should not wait for those of others; has method and
     * target to look at.  May be NULL. */
    bool (*is_urgent)(const struct request *req);
};

struct server_stats {
    bool stopping;
    size_t connections;           /* now */
    size_t pending;               /* requests that wait for something, now */
    uint64_t requests, abandoned; /* abandoned: their clients left before the answer */
    uint64_t refused_accepts;     /* no descriptors */
    uint64_t timed_out, evicted;  /* connections */
};

struct server;

/* Listens from now on.  Ignores SIGPIPE from now on. */
bool server_new(struct api *api, const struct server_config *config, struct server **ret_server,
                struct error *err);
int server_port(const struct server *server);
struct server_stats server_stats(const struct server *server);

/* Runs both loops until the server has stopped. */
void server_run(struct server *server);
/* One turn of both; false: it has stopped. */
bool server_turn(struct server *server, int max_wait_ms);
/* Takes no more connections, closes the idle ones, lets requests finish for at most drain_ms; then
 * server_run returns.  Again: at once. */
void server_stop(struct server *server, int64_t drain_ms);
/* After server_run has returned, or before it began.  Connections that did not finish in time are
 * left to the end of the process. */
void server_free(struct server *server);

#endif
