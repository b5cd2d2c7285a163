/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed work queues: each piece of work is looked at again and again, one step at a time.
 *
 *     idle ─add─► queued ─turn─► busy ─work_finish─► idle, queued (if added meanwhile), or waiting
 *
 * `step` looks at the world as it is and starts at most one call; it returns WORK_BUSY if it did
 * and then work_finish ends the step from the call's reply.  A work that is added while busy is
 * looked at again afterwards, never twice at once.  Failures back off exponentially with jitter,
 * from QUEUE_BACKOFF_MIN_MS to QUEUE_BACKOFF_MAX_MS, or to QUEUE_AWAY_MAX_MS if the step could not
 * be tried at all; success resets.  An event (work_add) cuts a back-off short, since what changed
 * may be the cure; it does not cut short what work_finish_after asked for.
 *
 * A step may end its own work with work_done, and free it; what it then returns is ignored.  Before
 * work_done of a busy work its owner cancels the call.
 *
 * At most QUEUE_STEPS_PER_TURN steps run in one turn of the loop, so that a flood of events delays
 * neither leases nor probes.
 */
#ifndef KHARON_K8S_QUEUE_H
#define KHARON_K8S_QUEUE_H

#include "base/loop.h"
#include "base/metrics.h"
#include "base/rng.h"

#define QUEUE_BACKOFF_MIN_MS 100
#define QUEUE_BACKOFF_MAX_MS 60000
#define QUEUE_AWAY_MAX_MS    2000
#define QUEUE_STEPS_PER_TURN 64

enum work_result {
    WORK_DONE,  /* nothing to do now */
    WORK_AGAIN, /* something was done: look again at once */
    WORK_BUSY,  /* a call is in flight; work_finish follows */
    WORK_RETRY, /* failed: look again after a back-off */
    WORK_AWAY,  /* nobody was there to ask: look again soon */
};

struct queue;

/* Embedded in what is worked on; zeroed, then work_init. */
struct work {
    struct queue *queue;
    struct list link;        /* in the queue, when queued */
    struct loop_timer timer; /* back-off, MONOTONIC */
    struct loop_timer alarm; /* work_add_at */
    int64_t queued_at;       /* LOOP_MONOTONIC */
    int64_t not_before;      /* LOOP_MONOTONIC; events wait until then */
    int failures;
    bool busy, dirty;
    bool urgent; /* set by the owner: when it is queued next, it comes before what is not */
};

struct queue {
    struct loop *loop;
    struct rng *rng;
    enum work_result (*step)(struct work *work);
    struct list urgent, ready;
    size_t n_ready;       /* in both */
    struct work *current; /* inside its step */
    struct loop_task task;
    bool paused;
    int max_busy, n_busy; /* steps in flight; 0: no limit */
    uint64_t adds, steps, retries;
    struct metric *waited; /* seconds in the queue; NULL: nobody asks */
};

void queue_init(struct queue *q, struct loop *loop, struct rng *rng,
                enum work_result (*step)(struct work *), int max_busy);
void queue_done(struct queue *q); /* after work_done of everything */
/* A paused queue takes work and starts no step. */
void queue_pause(struct queue *q, bool paused);
size_t queue_length(const struct queue *q);

void work_init(struct work *w, struct queue *q);
void work_done(struct work *w); /* out of everything; before its memory goes */
void work_add(struct work *w);
/* Look again at that time.  One alarm is kept, the one that comes first as the clocks are now; a
 * step sets again whatever else it needs. */
void work_add_at(struct work *w, enum loop_clock clock, int64_t at_ms);
void work_finish(struct work *w, enum work_result result);
/* WORK_RETRY, but not before this many ms (Retry-After). */
void work_finish_after(struct work *w, int64_t delay_ms);

#endif
