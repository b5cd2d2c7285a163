/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What server.c (the listener, its connections, the two loops) and server_exchange.c (requests and
 * answers) share.  h2o's types are in here: nobody else includes it.
 */
#ifndef KHARON_APISERVER_SERVER_PRIVATE_H
#define KHARON_APISERVER_SERVER_PRIVATE_H

#include "apiserver/crowd.h"
#include "apiserver/linger.h"
#include "apiserver/server.h"

#include <h2o.h>

/* Made when a socket is accepted; ends after the socket is closed. */
struct connection {
    struct server *server;
    h2o_socket_t *sock;
    struct crowd_member member;
    uint64_t turn; /* in which a handler last got a request of it */
    struct lingering *linger;
};

struct server {
    struct api *api;
    struct server_config config;
    h2o_globalconf_t global;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_evloop_t *evloop;
    h2o_socket_t *nested, *listener;
    int port;
    bool accepting, stopped;
    struct loop_timer retry, sweep, deadline;
    struct server_stats stats;
    struct lingers lingers;
    size_t leaving; /* connections that were told to go */

    uint64_t turn;       /* of h2o's loop */
    uint64_t refreshed;  /* the turn in which the clocks were last read */
    uint64_t slice_turn; /* in which this slice of time for handlers began */
    int64_t slice_used_us;
    struct list exchanges;  /* all */
    struct list ready;      /* those whose requests wait for their turn, in order */
    struct loop_task serve; /* them */
    size_t output;          /* bytes of all answers that are kept */
};

/* ---- server.c ---- */

struct connection *connection_of(const h2o_req_t *h2o);
int connection_fd(const struct connection *c);
void connection_enter(struct connection *c, enum crowd_state state);
/* Shuts it; h2o notices and closes it. */
void connection_leave(struct connection *c);

/* h2o's loop called: the clocks of ours are read, once in each of its turns. */
int64_t server_now(struct server *server);
/* Something ended: others may come in, or be served. */
void server_has_room(struct server *server);

/* ---- server_exchange.c ---- */

void exchanges_init(struct server *server, h2o_hostconf_t *host);
void exchanges_done(struct server *server);
/* Answers a request that does not arrive. */
void exchange_time_out(h2o_req_t *h2o);

#endif
