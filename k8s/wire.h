/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire: a libcurl multi handle, with its connections, on our loop.
 *
 * Rules that libcurl asks for and that are kept here: it is never called from its own callbacks
 * (they arm timers and watches, nothing else); what has ended is collected after it has returned;
 * a transfer's message is copied before the transfer is taken out.
 *
 * `before` runs each time before libcurl gets to touch a socket.  A process that was frozen may
 * wake up to a socket that is ready and a request that must not be sent any more: there it is taken
 * out.
 */
#ifndef KHARON_K8S_WIRE_H
#define KHARON_K8S_WIRE_H

#include "base/loop.h"

#include <curl/curl.h>
#include <stdbool.h>

struct wire;

struct wire_handler {
    void (*before)(void *arg);
    /* The transfer has ended and is out of the wire. */
    void (*on_done)(CURL *easy, CURLcode result, void *arg);
};

/* At most so many connections to the server; never one: streams of a connection that is being shut
 * down (GOAWAY) would keep the next from being opened. */
struct wire *wire_new(struct loop *loop, long max_connections, const struct wire_handler *handler,
                      void *arg);
void wire_free(struct wire *wire); /* without transfers */
void wire_add(struct wire *wire, CURL *easy);
void wire_remove(struct wire *wire, CURL *easy);
size_t wire_count(const struct wire *wire); /* transfers */

#endif
