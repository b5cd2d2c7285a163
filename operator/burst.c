/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/burst.h"

#include "operator/operator.h"

void burst_init(struct burst *burst)
{
    *burst = (struct burst) {0};
    list_init(&burst->waiting);
}

/* Cursors that are to be looked at are mostly those that have just fallen due. */
static bool bursts(const struct operator *op)
{
    return op->burst.n_starting + (int) queue_length(&op->cursor_queue) >= BURST_RUNS;
}

bool burst_wait(struct operator *op, struct burst_waiter *waiter, struct work *work)
{
    int64_t now = loop_now(op->loop, LOOP_MONOTONIC);

    if (!waiter->since)
        waiter->since = now;
    list_remove(&waiter->link);
    if (now >= waiter->since + BURST_WAIT_MS || !bursts(op)) {
        waiter->since = 0;
        return false;
    }
    waiter->work = work;
    list_push_back(&op->burst.waiting, &waiter->link);
    work_add_at(work, LOOP_MONOTONIC, waiter->since + BURST_WAIT_MS);
    return true;
}

void burst_leave(struct burst_waiter *waiter)
{
    list_remove(&waiter->link);
    waiter->since = 0;
}

void burst_check(struct operator *op)
{
    struct burst_waiter *waiter;

    if (list_empty(&op->burst.waiting) || bursts(op))
        return;
    list_foreach (waiter, &op->burst.waiting, link) {
        list_remove(&waiter->link);
        work_add(waiter->work);
    }
}
