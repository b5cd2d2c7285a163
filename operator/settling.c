/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/settling.h"

#include "operator/operator.h"

void settling_ask(struct operator *op, int64_t until)
{
    struct settling *s = &op->settling;
    int64_t now = loop_now(op->loop, LOOP_MONOTONIC);

    if (now < until || until <= s->shown || until <= s->listing_since)
        return;
    s->listing_since = now;
    k8s_informer_resync(op->pods);
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
    attempt_on_settled(op);
}
