/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/settling.h"

#include "operator/operator.h"
#include "operator/unsettled.h"

void settling_ask(struct operator *op, int64_t until)
{
    struct settling *s = &op->settling;
    int64_t now = loop_now(op->loop, LOOP_MONOTONIC);

    if (now < until || until <= s->shown || s->listing_since)
        return; /* too early, known, or to be asked again when this list is there */
    s->listing_since = now;
    k8s_informer_resync(op->pods);
}

static void on_over(void *arg)
{
    struct operator *op = arg;

    settling_ask(op, op->settled_at);
}

void settling_setup(struct operator *op)
{
    op->settling.over = (struct loop_timer) {.on_time = on_over, .arg = op};
}

void settling_begin(struct operator *op)
{
    if (op->settled_at > op->settling.shown)
        loop_timer_set(op->loop, &op->settling.over, LOOP_MONOTONIC, op->settled_at);
}

void settling_end(struct operator *op)
{
    loop_timer_cancel(op->loop, &op->settling.over);
}

void settling_note_create(struct operator *op)
{
    op->settling.created_until = loop_now(op->loop, LOOP_MONOTONIC) + SETTLED_MS;
}

bool settling_is_due(const struct operator *op)
{
    const struct settling *s = &op->settling;

    return op->settled_at > s->shown || s->created_until > s->shown;
}

void settling_trust(struct operator *op, int64_t until)
{
    if (op->settling.shown < until)
        op->settling.shown = until;
}

void settling_progress(struct operator *op)
{
    struct settling *s = &op->settling;

    if (!s->listing_since || !k8s_informer_synced(op->pods))
        return;
    settling_trust(op, s->listing_since);
    s->listing_since = 0;
    settling_ask(op, op->settled_at);
    attempt_on_settled(op);
}
