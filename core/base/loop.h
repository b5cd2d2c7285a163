/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: descriptors, timers on three clocks, tasks for the next turn, signals.
 *
 * One thread, one loop.  A turn runs the tasks that were queued before it, then waits for
 * descriptors and timers and dispatches them.  Rules, each of which somebody paid for:
 *
 *  - a callback never runs inside the function that starts the work: use a task;
 *  - ready timers are collected first and then fired, so a timer set in a callback fires next turn;
 *    those of one clock fire in the order of their times, those of different clocks in no order;
 *  - time comes from here and stands still during a turn;
 *  - an fd watch, timer or task may be removed at any time, also from its own callback, and its
 *    callback is not called afterwards.
 *
 * The loop is itself a descriptor (loop_fd) that is readable when a turn has something to do, so
 * that it nests inside another loop (h2o's).
 *
 * A virtual loop (loop_new_virtual) has no descriptors and no real time: when nothing is queued, a
 * turn moves the clocks to the next timer.  The whole operator runs on one in simulations.
 *
 * Clocks, all in milliseconds: OF_DAY is UTC and may be set by people; MONOTONIC never steps
 * (back-off); BOOT counts while the machine sleeps too (leases).
 */
#ifndef KHARON_BASE_LOOP_H
#define KHARON_BASE_LOOP_H

#include "base/heap.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum loop_clock { LOOP_OF_DAY, LOOP_MONOTONIC, LOOP_BOOT };
#define LOOP_N_CLOCKS 3

struct loop;

struct loop_timer {
    struct heap_node node;
    struct list fired;
    void (*on_time)(void *arg);
    void *arg;
    enum loop_clock clock;
};

struct loop_task {
    struct list queued;
    void (*on_turn)(void *arg);
    void *arg;
};

struct loop_io {
    int fd;
    bool dead; /* removed; the current batch of events may still name it */
    void (*on_ready)(uint32_t epoll_events, void *arg);
    void *arg;
};

struct loop *loop_new(void);
struct loop *loop_new_virtual(int64_t of_day_ms);
void loop_free(struct loop *loop);

/* Runs until loop_stop, which may be called from any callback. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn; waits at most max_wait_ms (-1: as long as it takes, 0: not at all).  A virtual loop
 * returns false when it has nothing left to do. */
bool loop_turn(struct loop *loop, int64_t max_wait_ms);

/* For nesting: wait for loop_fd to become readable, then loop_turn(loop, 0).  loop_prepare before
 * each wait makes the descriptor show what was queued or armed outside of a turn. */
int loop_fd(struct loop *loop);
void loop_prepare(struct loop *loop);
/* Reads the clocks, for what the outer loop dispatches by itself: it may have waited since the last
 * turn of this one. */
void loop_refresh(struct loop *loop);

int64_t loop_now(const struct loop *loop, enum loop_clock clock);
/* Reads the clock again, for a measurement within a turn. */
int64_t loop_now_fresh(struct loop *loop, enum loop_clock clock);

/* Arms, or moves, the timer.  A time in the past fires next turn.  When the clock of day is set,
 * its timers are looked at again. */
void loop_timer_set(struct loop *loop, struct loop_timer *t, enum loop_clock clock, int64_t at_ms);
void loop_timer_cancel(struct loop *loop, struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);

/* Runs t->on_turn in the next turn; queueing it twice is once. */
void loop_task_queue(struct loop *loop, struct loop_task *t);
void loop_task_cancel(struct loop_task *t);

/* epoll events (level-triggered).  loop_io_remove before the fd is closed.  The struct may be freed
 * only when the turn that removed it has ended: loop_free_later does that. */
void loop_io_add(struct loop *loop, struct loop_io *io, uint32_t epoll_events);
void loop_io_change(struct loop *loop, struct loop_io *io, uint32_t epoll_events);
void loop_io_remove(struct loop *loop, struct loop_io *io);

/* free()s p after the current batch of events. */
void loop_free_later(struct loop *loop, void *p);

/* Signals become callbacks; they are blocked for the process from here on. */
void loop_on_signal(struct loop *loop, int signo, void (*on_signal)(int signo, void *arg),
                    void *arg);

/* The longest time that one turn's callbacks took, in microseconds, since the last call. */
int64_t loop_longest_turn_us(struct loop *loop);

/* Virtual loops: steps the clock of day by delta, as somebody who sets the time would; stops the
 * world for a while, as a frozen process would see it. */
void loop_virtual_step_clock(struct loop *loop, int64_t delta_ms);
void loop_virtual_advance(struct loop *loop, int64_t ms);
/* The machine sleeps: MONOTONIC does not count that, BOOT does. */
void loop_virtual_sleep(struct loop *loop, int64_t ms);
/* For worlds of several loops: how long until a turn has something to do; -1: never. */
int64_t loop_virtual_wait(const struct loop *loop);

#endif
