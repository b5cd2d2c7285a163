/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/retain.h"

#include <string.h>

#define STUCK_MS     (30 * MINUTE_MS) /* Styx behaviour, 11.7: then by force */
#define NODE_LATE_MS (30 * SECOND_MS) /* beyond its grace period, a pod should have ended */

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
static bool outcome_stored(const struct pod *pod, const struct instance *inst)
{
    const struct run *run = &inst->run;
    bool under_way =
        run->state == RUN_SUBMITTING || run->state == RUN_SUBMITTED || run->state == RUN_RUNNING;

    if (instance_held(inst))
        return pod->seq < run->trigger.seq;
    if (pod->seq != run->seq)
        return pod->seq < run->seq;
    if (run_state_terminal(run->state))
        return true;
    return run->attempt > pod->attempt || (run->attempt == pod->attempt && !under_way);
}

/* Design, section 4: nothing of it runs, or its node is no more. */
static bool gone(const struct retain_view *v)
{
    return v->lost || pod_gone(v->pod);
}

/* Its owner's deletion takes its pods with it, unless it was told to leave them alone.  One that
 * was deleted without grace is kept until it is gone: it may run on, and whoever gets its owner's
 * name has to see it. */
static struct retain_step of_owner_gone(const struct retain_view *v)
{
    const struct pod *pod = v->pod;

    if (pod->deleting_since == INSTANT_NONE && !pod->orphaned)
        return only(RETAIN_DELETE);
    if (pod->deleted_at_once && !gone(v))
        return keep_until(INSTANT_NONE);
    return pod->has_finalizer ? only(RETAIN_RELEASE) : keep_until(INSTANT_NONE);
}

static bool main_ended(const struct retain_view *v)
{
    return v->pod->main_terminated || gone(v);
}

/* When logs have been there for long enough. */
static instant due(const struct retain_view *v)
{
    instant finished = v->pod->finished_at;

    return finished == INSTANT_NONE ? v->now : finished + v->retention_ms;
}

static struct retain_step of_kept(const struct retain_view *v)
{
    if (!main_ended(v) || has_passed(v, due(v)))
        return only(RETAIN_DELETE);
    return wait_for(v, due(v));
}

/* A name that is free may be taken by a create of ours that comes late: not while the pod is
 * young. */
static struct retain_step of_finalized(const struct retain_view *v)
{
    instant old_enough = v->pod->id.created + v->retention_ms;

    if (!gone(v))
        return keep_until(INSTANT_NONE);
    if (old_enough < v->now + v->tombstone_ms)
        old_enough = v->now + v->tombstone_ms;
    return has_passed(v, old_enough) ? only(RETAIN_RELEASE) : wait_for(v, old_enough);
}

/* From when on its object should have gone.  One that never said when it ended has its deletion
 * only. */
static instant leaving_since(const struct retain_view *v)
{
    const struct pod *pod = v->pod;
    bool said = pod->finished_at != INSTANT_NONE && due(v) > pod->deleting_since;

    return said ? due(v) : pod->deleting_since;
}

static struct retain_step of_deleting(const struct retain_view *v)
{
    const struct pod *pod = v->pod;
    instant stuck = leaving_since(v) + STUCK_MS;

    if (pod->has_finalizer)
        return of_finalized(v);
    if (!main_ended(v) || pod->other_finalizers.n)
        return keep_until(INSTANT_NONE);
    return has_passed(v, stuck) ? only(RETAIN_DELETE_AT_ONCE) : wait_for(v, stuck);
}

static struct retain_step decide(const struct retain_view *v)
{
    const struct pod *pod = v->pod;

    if (!pod_is_ours(pod))
        return keep_until(INSTANT_NONE);
    if (!v->inst || strcmp(v->inst->id.uid, pod->owner_uid) != 0)
        return v->inst_absent ? of_owner_gone(v) : only(RETAIN_FIND_INSTANCE);
    if (v->inst->id.deleting && v->inst->orphans && !pod->orphaned)
        return keep_until(INSTANT_NONE); /* the garbage collector will say so */
    if (v->inst->id.deleting)
        return of_owner_gone(v);
    if (!outcome_stored(pod, v->inst))
        return keep_until(INSTANT_NONE);
    return pod->deleting_since == INSTANT_NONE ? of_kept(v) : of_deleting(v);
}

/* When its node is to be asked for: a pod that was told to end and does not. */
static instant node_due(const struct retain_view *v)
{
    const struct pod *pod = v->pod;

    if (!pod_is_ours(pod) || pod->deleting_since == INSTANT_NONE || !pod->node || gone(v) ||
        v->clock_wrong)
        return INSTANT_NONE;
    instant again = v->now + v->node_wait_ms, late = pod->deleting_since + NODE_LATE_MS;
    return again > late ? again : late;
}

struct retain_step retain_decide(const struct retain_view *v)
{
    struct retain_step step = decide(v);
    instant due = node_due(v);

    if (step.kind != RETAIN_KEEP || due == INSTANT_NONE)
        return step;
    if (v->now >= due)
        return only(RETAIN_FIND_NODE);
    if (step.look_again_at == INSTANT_NONE || due < step.look_again_at)
        step.look_again_at = due;
    return step;
}
