/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/retain.h"

#include <string.h>

#define STUCK_MS (30 * MINUTE_MS)   /* Styx behaviour, 11.7: then by force */

static struct retain_step keep_until(instant t)
{
    return (struct retain_step) {RETAIN_KEEP, t};
}

static struct retain_step only(enum retain_kind kind)
{
    return (struct retain_step) {kind, INSTANT_NONE};
}

/* Whatever the pod can still tell is in the stored status. */
static bool outcome_stored(const struct pod *pod, const struct run *run)
{
    bool under_way = run->state == RUN_SUBMITTING || run->state == RUN_SUBMITTED || run->state == RUN_RUNNING;

    return run->attempt > pod->attempt || (run->attempt == pod->attempt && !under_way);
}

static struct retain_step of_owner_gone(const struct pod *pod)
{
    if (pod->deleting_since == INSTANT_NONE)
        return only(RETAIN_DELETE);
    return pod->has_finalizer ? only(RETAIN_RELEASE) : keep_until(INSTANT_NONE);
}

static struct retain_step of_ended(const struct retain_view *v)
{
    const struct pod *pod = v->pod;
    instant due = pod->finished_at == INSTANT_NONE ? v->now : pod->finished_at + v->retention_ms;

    if (pod->deleting_since != INSTANT_NONE) {
        if (pod->has_finalizer)
            return only(RETAIN_RELEASE);
        if (v->now >= due + STUCK_MS && v->now >= pod->deleting_since + STUCK_MS)
            return only(RETAIN_DELETE_AT_ONCE);
        return keep_until(pod->deleting_since + STUCK_MS);
    }
    return v->now >= due ? only(RETAIN_DELETE) : keep_until(due);
}

struct retain_step retain_decide(const struct retain_view *v)
{
    const struct pod *pod = v->pod;

    if (!pod_is_ours(pod))
        return keep_until(INSTANT_NONE);
    if (!v->inst || strcmp(v->inst->id.uid, pod->owner_uid) != 0)
        return v->inst_absent ? of_owner_gone(pod) : only(RETAIN_FIND_INSTANCE);
    if (v->inst->id.deleting)
        return of_owner_gone(pod);
    if (!outcome_stored(pod, &v->inst->run))
        return keep_until(INSTANT_NONE);
    if (pod_gone(pod))
        return of_ended(v);
    if (pod->deleting_since == INSTANT_NONE)
        return only(RETAIN_DELETE);
    return keep_until(INSTANT_NONE);
}
