/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/queue.h"

#include <assert.h>

static bool may_step(const struct queue *q)
{
    return !q->paused && q->n_ready > 0 && (q->max_busy == 0 || q->n_busy < q->max_busy);
}

/* Steps never run inside the function that asks for them. */
static void wake(struct queue *q)
{
    if (may_step(q))
        loop_task_queue(q->loop, &q->task);
}

static void enqueue(struct work *w)
{
    struct queue *q = w->queue;

    if (list_linked(&w->link))
        return;
    loop_timer_cancel(q->loop, &w->timer);
    w->queued_at = loop_now(q->loop, LOOP_MONOTONIC);
    list_push_back(w->urgent ? &q->urgent : &q->ready, &w->link);
    q->n_ready++;
    q->adds++;
    wake(q);
}

static void dequeue(struct work *w)
{
    if (!list_linked(&w->link))
        return;
    list_remove(&w->link);
    w->queue->n_ready--;
}

/* Half of the delay is random, so that what failed together does not come back together. */
static int64_t backoff_ms(struct work *w, int64_t most)
{
    int64_t delay = most;

    if (w->failures < 16 && ((int64_t) QUEUE_BACKOFF_MIN_MS << w->failures) < most)
        delay = (int64_t) QUEUE_BACKOFF_MIN_MS << w->failures++;
    return rng_between(w->queue->rng, delay / 2, delay);
}

static void wait_ms(struct work *w, int64_t delay)
{
    struct loop *loop = w->queue->loop;

    loop_timer_set(loop, &w->timer, LOOP_MONOTONIC, loop_now(loop, LOOP_MONOTONIC) + delay);
}

static void on_alarm(void *arg)
{
    work_add(arg);
}

static void on_backoff_over(void *arg)
{
    struct work *w = arg;

    w->not_before = 0;
    work_add(w);
}

/* A failed step.  What changed meanwhile may have cured it, so a dirty work is looked at again at
 * once, unless the server said how long to stay away. */
static void retry(struct work *w, int64_t at_least, int64_t most)
{
    struct queue *q = w->queue;
    int64_t delay = backoff_ms(w, most);

    q->retries++;
    if (at_least > 0) {
        delay = delay > at_least ? delay : at_least;
        w->not_before = loop_now(q->loop, LOOP_MONOTONIC) + at_least;
    }
    if (w->dirty && at_least <= 0) {
        w->dirty = false;
        enqueue(w);
        return;
    }
    w->dirty = false;
    wait_ms(w, delay);
}

static void settle(struct work *w, enum work_result result, int64_t at_least)
{
    w->busy = false;
    if (result == WORK_RETRY || result == WORK_AWAY) {
        retry(w, at_least, result == WORK_AWAY ? QUEUE_AWAY_MAX_MS : QUEUE_BACKOFF_MAX_MS);
        return;
    }
    w->failures = 0;
    if (result == WORK_AGAIN || w->dirty) {
        w->dirty = false;
        enqueue(w);
    }
}

/* The step may end its own work (work_done): `current` is NULL then. */
static void step(struct queue *q, struct work *w)
{
    dequeue(w);
    w->busy = true;
    w->dirty = false;
    q->n_busy++;
    q->steps++;
    if (q->waited)
        metric_observe(q->waited,
                       (double) (loop_now(q->loop, LOOP_MONOTONIC) - w->queued_at) / 1000);
    q->current = w;
    enum work_result result = q->step(w);
    if (q->current != w)
        return;
    q->current = NULL;
    if (result == WORK_BUSY)
        return;
    q->n_busy--;
    settle(w, result, 0);
}

static void on_turn(void *arg)
{
    struct queue *q = arg;

    for (int i = 0; i < QUEUE_STEPS_PER_TURN && may_step(q); i++) {
        const struct list *next = list_empty(&q->urgent) ? &q->ready : &q->urgent;

        step(q, list_entry(next->next, struct work, link));
    }
    wake(q);
}

void queue_init(struct queue *q, struct loop *loop, struct rng *rng,
                enum work_result (*on_step)(struct work *), int max_busy)
{
    *q = (struct queue) {.loop = loop, .rng = rng, .step = on_step, .max_busy = max_busy};
    list_init(&q->urgent);
    list_init(&q->ready);
    q->task = (struct loop_task) {.on_turn = on_turn, .arg = q};
}

void queue_done(struct queue *q)
{
    loop_task_cancel(&q->task);
    assert(q->n_ready == 0 && q->n_busy == 0);
}

void queue_pause(struct queue *q, bool paused)
{
    q->paused = paused;
    wake(q);
}

size_t queue_length(const struct queue *q)
{
    return q->n_ready;
}

void work_init(struct work *w, struct queue *q)
{
    *w = (struct work) {.queue = q};
    w->timer = (struct loop_timer) {.on_time = on_backoff_over, .arg = w};
    w->alarm = (struct loop_timer) {.on_time = on_alarm, .arg = w};
}

void work_done(struct work *w)
{
    struct queue *q = w->queue;

    if (!q)
        return;
    dequeue(w);
    loop_timer_cancel(q->loop, &w->timer);
    loop_timer_cancel(q->loop, &w->alarm);
    if (q->current == w)
        q->current = NULL;
    if (w->busy)
        q->n_busy--;
    w->queue = NULL;
    wake(q);
}

void work_add(struct work *w)
{
    if (w->busy)
        w->dirty = true;
    else if (w->not_before <= loop_now(w->queue->loop, LOOP_MONOTONIC))
        enqueue(w);
    /* else: the timer of the back-off comes */
}

void work_add_at(struct work *w, enum loop_clock clock, int64_t at_ms)
{
    struct loop *loop = w->queue->loop;
    const struct loop_timer *alarm = &w->alarm;

    if (loop_timer_armed(alarm) &&
        alarm->node.key - loop_now(loop, alarm->clock) <= at_ms - loop_now(loop, clock))
        return;
    loop_timer_set(loop, &w->alarm, clock, at_ms);
}

static void finish(struct work *w, enum work_result result, int64_t at_least)
{
    struct queue *q = w->queue;

    assert(w->busy && q->current != w && result != WORK_BUSY);
    q->n_busy--;
    settle(w, result, at_least);
    wake(q);
}

void work_finish(struct work *w, enum work_result result)
{
    finish(w, result, 0);
}

void work_finish_after(struct work *w, int64_t delay_ms)
{
    finish(w, WORK_RETRY, delay_ms);
}
