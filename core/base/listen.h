/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets.
 *
 * An address is "host:port": the host a number ("127.0.0.1", "[::1]") or nothing, which means every
 * address of both families.  Names are not resolved, so that starting never waits for a name
 * server.  Port 0 lets the kernel choose.
 */
#ifndef KHARON_BASE_LISTEN_H
#define KHARON_BASE_LISTEN_H

#include "base/error.h"

#include <sys/socket.h>

struct listen_address {
    struct sockaddr_storage sockaddr;
    socklen_t len;
};

bool listen_parse(const char *text, struct listen_address *ret, struct error *err);

/* For tables of options. */
bool listen_check(const char *text, struct error *err);

/* A socket that does not block, which the caller closes.  ERROR_UNAVAILABLE when the address is
 * taken or not ours. */
bool listen_open(const char *text, int *ret_fd, struct error *err);

/* The port that a socket is bound to. */
int listen_port(int fd);

#endif
