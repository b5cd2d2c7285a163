/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is: requests that wait for each other, in order of importance.
 *
 * Not more than `window` requests are under way at once.  The window follows what the API server
 * bears: a 429 halves it, answers while it is full widen it again, by about one for each round.
 * A lane that was told to come back later (Retry-After) is closed until then.
 * The lane of the lease neither waits nor counts.
 *
 * Values and lists only: no network, no clock of its own.
 */
#ifndef KHARON_K8S_LANES_H
#define KHARON_K8S_LANES_H

#include "base/list.h"
#include "k8s/client.h"

struct lanes {
    struct list waiting[K8S_N_LANES];
    size_t n_waiting[K8S_N_LANES];
    int64_t closed_until[K8S_N_LANES]; /* ms on the caller's clock */
    int in_flight, max;
    double window;
};

void lanes_init(struct lanes *l, int max_in_flight);
void lanes_add(struct lanes *l, enum k8s_lane lane, struct list *link);
void lanes_remove(struct lanes *l, enum k8s_lane lane, struct list *link); /* one that waits */

/* The next that may go, out of its lane and counted as under way; NULL: none now. */
struct list *lanes_next(struct lanes *l, int64_t now);
/* When lanes_next is worth asking again though nothing has ended; -1: then only. */
int64_t lanes_opens_at(const struct lanes *l, int64_t now);

/* A request is over.  `throttled`: it got a 429; retry_after_ms closes its lane. */
void lanes_done(struct lanes *l, enum k8s_lane lane, bool answered, bool throttled,
                int64_t retry_after_ms, int64_t now);
size_t lanes_waiting(const struct lanes *l);

#endif
