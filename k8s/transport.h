/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real Kubernetes behind the seam of client.h: HTTP/2 over TLS by libcurl, on our loop.
 *
 * Wires (connections of their own), since streams on one connection starve each other: the lease's,
 * the watches' (another one for each hundred of them), the lists' (HTTP/1.1, one at a time on each
 * connection; see transfer.c), and that of all other requests.  Requests wait for their turn by
 * lane (see lanes.h); each but a watch has, from k8s_call on, a time in which it must be answered:
 *
 *  - not sent within it: ERROR_UNAVAILABLE, nothing was done;
 *  - sent, not answered: ERROR_UNKNOWN.  The server is told the time as well (?timeout=).
 *
 * The time runs on CLOCK_BOOTTIME and is cut to what the request's fence leaves, where it is handed
 * to libcurl and once more where its body leaves; a write of whose time less than a twentieth is
 * left is not sent at all, since it would mostly leave a doubt.  After a freeze of the process,
 * overdue requests are taken out before a socket is touched.  Nothing is repeated silently.
 *
 * A wire on which a request got no answer, and nothing else came either, is given up: later
 * requests open new connections.  A watch that is silent, without even a bookmark, for
 * watch_idle_ms is ended with ERROR_UNKNOWN.
 *
 * A token that lives in a file is read again every token_ms, and at once after a 401.
 */
#ifndef KHARON_K8S_TRANSPORT_H
#define KHARON_K8S_TRANSPORT_H

#include "base/loop.h"
#include "base/metrics.h"
#include "k8s/client.h"
#include "k8s/config.h"

/* Zero members count as the defaults. */
struct k8s_limits {
    int max_in_flight;       /* 64: requests under way, watches and leases apart */
    int64_t timeout_ms;      /* 2000: of a request that says nothing */
    int64_t list_timeout_ms; /* 30000: of a page of a list that says nothing */
    int64_t connect_ms;      /* 5000 */
    int64_t dead_peer_ms;    /* 10000: TCP_USER_TIMEOUT */
    int64_t watch_idle_ms;   /* 100000: bookmarks come every 60 s */
    int64_t token_ms;        /* 60000: how old a token that lives in a file may get */
    size_t max_reply;        /* 64 MiB: an answer, or a page of a list */
};

/* `config` must outlive it.  metrics: NULL for none; they must not be printed any more once it is
 * freed. SIGPIPE is ignored from here on.  Fails if the token's file cannot be read. */
bool k8s_transport_new(struct loop *loop, const struct k8s_config *config,
                       const struct k8s_limits *limits, struct metrics *metrics,
                       struct k8s **ret_k8s, struct error *err);

/* How it does, for programs that report it otherwise than by metrics. */
struct k8s_transport_stats {
    size_t in_flight, waiting, watches;
    int window;                    /* requests that may be under way at once, see lanes.h */
    uint64_t requests, unanswered; /* that got an answer; that got none */
};
struct k8s_transport_stats k8s_transport_stats(const struct k8s *k8s);

#endif
