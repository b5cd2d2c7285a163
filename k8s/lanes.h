/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is: requests that wait for each other, in order of importance.
 *
 * Not more than `window` requests are under way at once.  The window follows what the API server
 * bears: a 429, a time-out or a slow answer halves it, once for all that were under way by then;
 * quick answers while it is full widen it again, by about one for each round.  Reads have half of
 * it at most, since lists take long.  A lane that was told to come back later (Retry-After) is
 * closed until then.  The lane of the lease neither waits nor counts.
 *
 * No lane starves.  Of the requests behind more important ones, those that have waited for
 * LANES_PATIENCE_MS get every other turn, one lane after the other: whatever waits before it, a
 * lane gets one turn of ten, as far as it is neither closed nor, of reads, at its half.
 *
 * Values and lists only: no network, no clock of its own.
 */
#ifndef KHARON_K8S_LANES_H
#define KHARON_K8S_LANES_H

#include "base/list.h"
#include "k8s/client.h"

/* Of a request that waits. */
struct lanes_place {
    struct list link;
    int64_t since; /* ms on the caller's clock */
};

struct lanes {
    struct list waiting[K8S_N_LANES]; /* struct lanes_place */
    size_t n_waiting[K8S_N_LANES];
    int64_t closed_until[K8S_N_LANES]; /* ms on the caller's clock */
    bool gave_way;                     /* the last turn was one of those that had waited for long */
    int last_late;                     /* the lane that got the last such turn */
    int in_flight, max, reads;
    double window;
    int64_t slow_ms;     /* an answer that takes longer tells of trouble; 0: none does */
    int64_t narrowed_at; /* what was sent before it tells nothing new */
};

#define LANES_MIN_WINDOW  2 /* one of them is never a read */
#define LANES_PATIENCE_MS 250

/* How a request ended that was under way. */
struct lanes_end {
    bool answered;
    bool throttled; /* 429 */
    bool overdue;   /* sent, and not answered in time */
    int64_t retry_after_ms;
    int64_t took_ms; /* since it was sent; 0: does not tell */
};

void lanes_init(struct lanes *l, int max_in_flight, int64_t slow_ms);
void lanes_add(struct lanes *l, enum k8s_lane lane, struct lanes_place *place, int64_t now);
void lanes_remove(struct lanes *l, enum k8s_lane lane, struct lanes_place *place);

/* The next that may go, out of its lane and counted as under way; NULL: none now. */
struct lanes_place *lanes_next(struct lanes *l, int64_t now);
/* When lanes_next is worth asking again though nothing has ended; -1: then only. */
int64_t lanes_opens_at(const struct lanes *l, int64_t now);

void lanes_done(struct lanes *l, enum k8s_lane lane, const struct lanes_end *end, int64_t now);
size_t lanes_waiting(const struct lanes *l);

#endif
