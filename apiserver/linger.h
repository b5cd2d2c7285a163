/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing a connection whose client is still sending.
 *
 * A socket that is closed with unread bytes resets the connection, and a reset can overtake the
 * answer: the client that sent too much would see a broken pipe instead of 413 (RFC 9112, 9.6).  So
 * a second descriptor of the socket stays open here, what still comes is thrown away, and the
 * connection ends when the client closes it, or LINGER_MS after our end did.
 *
 *     linger = linger_begin(&lingers, fd);      while the answer is being written
 *     linger_end(linger);                       when the socket itself has been closed
 */
#ifndef KHARON_APISERVER_LINGER_H
#define KHARON_APISERVER_LINGER_H

#include "base/loop.h"

/* Beyond that, connections are closed as they are. */
#define LINGER_MAX 64
#define LINGER_MS  2000

struct lingering;

struct lingers {
    struct loop *loop;
    struct list all;
    size_t n;
};

void lingers_init(struct lingers *lingers, struct loop *loop);
void lingers_done(struct lingers *lingers);

/* NULL: there are too many. */
struct lingering *linger_begin(struct lingers *lingers, int fd);
/* Takes NULL.  The linger frees itself. */
void linger_end(struct lingering *linger);

#endif
