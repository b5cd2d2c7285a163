/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of an observer share:
 *
 *     observer.c             requests and the lease; the rest is handed on
 *     observer_workflows.c   cursors, and what is triggered
 *     observer_runs.c        instances, their pods, and what of them runs
 */
#ifndef KHARON_SIM_OBSERVER_INTERNAL_H
#define KHARON_SIM_OBSERVER_INTERNAL_H

#include "sim/observer.h"

static inline int64_t observer_now(const struct observer *o)
{
    return loop_now(o->world->loop, LOOP_MONOTONIC);
}

static inline instant observer_true_time(const struct observer *o)
{
    return loop_now(o->world->loop, LOOP_OF_DAY);
}

/* ---- observer.c ---- */

/* When many partitions fall due at once, or cannot be triggered one after another, many requests
 * are right, and many writes of the cursor. */
void observer_excuse_requests(struct observer *o, const char *workflow);
/* Whoever made the last change may. */
void observer_forget_suspicion(struct observer *o);

/* ---- observer_workflows.c ---- */

void observer_on_workflow(struct observer *o, const json_t *old, const json_t *new);
/* That of the instance: since it was named by its UID, or else all the time that the instance was
 * there. */
bool observer_workflow_was_there(struct observer *o, const struct instance *inst, int64_t made_at);
/* `old` is NULL for one that was made, `new` for one that is gone. */
void observer_check_trigger(struct observer *o, const struct instance *old,
                            const struct instance *new);
void observer_count_natural(struct observer *o, const struct instance *old,
                            const struct instance *new);
void observer_forget_trigger(struct observer *o, const struct instance *inst);
void observer_forget_workflows(struct observer *o); /* at the end */

/* ---- observer_runs.c ---- */

void observer_on_container(const json_t *pod, bool runs, void *observer);
void observer_on_pod(struct observer *o, const json_t *old, const json_t *new);
void observer_on_instance(struct observer *o, const json_t *old, const json_t *new);
void observer_count_write(struct observer *o, const struct k8s_request *r);
void observer_forget_pods(struct observer *o, int64_t since); /* that are gone for so long */
void observer_forget_runs(struct observer *o);                /* at the end */

#endif
