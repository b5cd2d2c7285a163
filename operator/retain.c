/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/retain.h"

#include <string.h>

#define STUCK_MS (30 * MINUTE_MS) /* Styx behaviour, 11.7: then by force */

/* Whether that instant is over, as far as the clock can be believed. */
static bool has_passed(const struct retain_view *v, instant t)
{
    return !v->clock_wrong && v->now >= t;
}

static struct retain_step keep_until(instant t)
{
    return (struct retain_step) {RETAIN_KEEP, t};
}

static struct retain_step wait_for(const struct retain_view *v, instant t)
{
    return keep_until(v->clock_wrong ? INSTANT_NONE : t);
}

static struct retain_step only(enum retain_kind kind)
{
    return (struct retain_step) {kind, INSTANT_NONE};
}

/* Whatever the pod can still tell is in the stored status, or of a trigger that is over. */
static bool outcome_stored(const struct pod *pod, const struct run *run)
{
    bool under_way =
        run->state == RUN_SUBMITTING || run->state == RUN_SUBMITTED || run->state == RUN_RUNNING;

    if (pod->seq != run->seq)
        return pod->seq < run->seq;
    if (run_state_terminal(run->state))
        return true;
    return run->attempt > pod->attempt || (run->attempt == pod->attempt && !under_way);
}

/* Its owner's deletion takes its pods with it, unless it was told to leave them alone. */
static struct retain_step of_owner_gone(const struct pod *pod)
{
    if (pod->deleting_since == INSTANT_NONE && !pod->orphaned)
        return only(RETAIN_DELETE);
    return pod->has_finalizer ? only(RETAIN_RELEASE) : keep_until(INSTANT_NONE);
}

static bool main_ended(const struct pod *pod)
{
    return pod->main_terminated || pod_gone(pod);
}

/* When logs have been there for long enough. */
static instant due(const struct retain_view *v)
{
    instant finished = v->pod->finished_at;

    return finished == INSTANT_NONE ? v->now : finished + v->retention_ms;
}

static struct retain_step of_kept(const struct retain_view *v)
{
    if (!main_ended(v->pod) || has_passed(v, due(v)))
        return only(RETAIN_DELETE);
    return wait_for(v, due(v));
}

/* A name that is free may be taken by a create of ours that comes late: not while the pod is
 * young. */
static struct retain_step of_finalized(const struct retain_view *v)
{
    instant old_enough = v->pod->id.created + v->retention_ms;

    if (!pod_gone(v->pod))
        return keep_until(INSTANT_NONE);
    if (old_enough < v->now + v->tombstone_ms)
        old_enough = v->now + v->tombstone_ms;
    return has_passed(v, old_enough) ? only(RETAIN_RELEASE) : wait_for(v, old_enough);
}

static struct retain_step of_deleting(const struct retain_view *v)
{
    const struct pod *pod = v->pod;
    instant stuck = (due(v) > pod->deleting_since ? due(v) : pod->deleting_since) + STUCK_MS;

    if (pod->has_finalizer)
        return of_finalized(v);
    if (!main_ended(pod) || pod->other_finalizers.n)
        return keep_until(INSTANT_NONE);
    return has_passed(v, stuck) ? only(RETAIN_DELETE_AT_ONCE) : wait_for(v, stuck);
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
    return pod->deleting_since == INSTANT_NONE ? of_kept(v) : of_deleting(v);
}
