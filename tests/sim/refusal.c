/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod that is refused when it is asked for the last time, and the death of its operator: when it
 * has made the next attempt's pod and not said so, while what it says about that is on its way, or
 * when it has said so and the pod comes all the same, since an earlier request for it was late.
 */
#include "sim/storm.h"

#include <string.h>

static void on_time(void *arg)
{
    struct storm *s = arg;

    storm_kill(s, s->refusal.operator_index);
    storm_refusal_end(s);
}

static void kill_soon(struct storm *s)
{
    loop_timer_set(s->w.loop, &s->refusal.death, LOOP_MONOTONIC,
                   storm_now(s) + storm_between(s, 0, SECOND_MS));
}

/* The state before it is stored while the create is throttled. */
static int see_create(struct storm *s)
{
    struct refusal *f = &s->refusal;

    if (f->n_tries > 0) {
        f->n_tries--;
        return f->dies == REFUSAL_DIES_LATE ? FAKE_LATE : FAKE_THROTTLE;
    }
    if (!f->refused) {
        f->refused = true;
        storm_note(s, "refused", f->instance);
        return FAKE_NO_ACCOUNT;
    }
    if (f->dies == REFUSAL_DIES_SILENT)
        kill_soon(s);
    return -1;
}

static int see(struct storm *s, const struct k8s_request *r, int i)
{
    struct refusal *f = &s->refusal;
    CLEANUP(free) char *instance = storm_pod_created_for(r);

    f->operator_index = i;
    if (instance && !f->instance)
        f->instance = xstrdup(instance);
    if (instance && strcmp(instance, f->instance) == 0)
        return see_create(s);
    if (!f->refused || f->dies == REFUSAL_DIES_SILENT || r->verb != K8S_PATCH || !r->subresource ||
        strcmp(r->name, f->instance) != 0)
        return -1;
    kill_soon(s);
    return f->dies == REFUSAL_DIES_SPEAKING ? FAKE_LATE : -1;
}

void storm_refusal(struct storm *s)
{
    if (s->aim)
        return;
    s->aim = see;
    s->refusal = (struct refusal) {.n_tries = (int) storm_between(s, 1, 4),
                                   .dies = (enum refusal_death) rng_below(&s->rng, 3),
                                   .death = {.on_time = on_time, .arg = s}};
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        s->w.settings[i].retry_base_ms = SECOND_MS / 4; /* so that it is not stored in between */
}

void storm_refusal_end(struct storm *s)
{
    loop_timer_cancel(s->w.loop, &s->refusal.death);
    free(TAKE(s->refusal.instance));
    if (s->aim == see)
        s->aim = NULL;
}
