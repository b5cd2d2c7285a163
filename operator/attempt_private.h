/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a run's attempts share:
 *
 *     attempt.c         the life of a run in memory, what is known of it, one step after the other
 *     attempt_tell.c    the one place where a run moves, and what people see of that
 *     attempt_calls.c   what is asked of Kubernetes, and what the replies make known
 */
#ifndef KHARON_OPERATOR_ATTEMPT_PRIVATE_H
#define KHARON_OPERATOR_ATTEMPT_PRIVATE_H

#include "operator/advance.h"
#include "operator/operator.h"
#include "operator/unsettled.h"

#include <string.h>

/* Creates of a pod without an answer, for so long. */
#define HOPELESS    3
#define HOPELESS_MS (30 * SECOND_MS)

enum call_kind {
    CALL_NONE,
    CALL_STORE,
    CALL_CREATE,
    CALL_ADOPT,
    CALL_FIND_POD,
    CALL_RELABEL,
    CALL_FIND_WORKFLOW,
    CALL_READ_INSTANCE
};

struct attempt_ctl {
    struct work work;
    struct map_node by_key;
    struct operator *op;
    char *key; /* "namespace/name" */
    char *uid;

    /* The run as it is in memory.  Valid while the stored one is still the one it was derived
     * from. */
    bool have_run, ahead;
    bool made_pod; /* in this reign */
    struct burst_waiter store_waits;
    struct run run;
    int64_t base_counter, base_seq;

    /* The name of the pod that was last looked for: it takes a hash to know it. */
    char pod_name[EXECUTION_ID_MAX];
    int64_t pod_seq;
    int pod_attempt;

    bool wf_absent, pod_absent;
    char *wf_read;        /* the UID of the workflow that was read last; NULL: none was */
    int64_t wf_asked_at;  /* the instance's generation; what was read before is of another time */
    char *wf_asked_uid;   /* of the copy's workflow when it was asked for; "": it had none */
    char *create_refused; /* by a quota, in the server's words, or the name is taken; NULL: no */
    int n_unanswered;     /* creates of the pod that neither made it nor were refused */
    int64_t unanswered_since; /* LOOP_MONOTONIC: the first of them */
    instant pod_read_at;      /* INSTANT_NONE: it was not */
    struct unsettled unsettled;
    bool must_read; /* its instance: what was in doubt may have changed it, and the copy lags */
    struct k8s_call *call;
    enum call_kind calling;
};

/* It was made for this instance. */
static inline bool attempt_owns(const struct attempt_ctl *ctl, const struct pod *pod)
{
    return pod_is_ours(pod) && strcmp(pod->owner_uid, ctl->uid) == 0;
}

/* It is no use to wait until a create is answered. */
static inline bool attempt_is_hopeless(const struct attempt_ctl *ctl)
{
    int64_t now = loop_now(ctl->op->loop, LOOP_MONOTONIC);

    return ctl->n_unanswered >= HOPELESS && now - ctl->unanswered_since >= HOPELESS_MS;
}

/* All that is known of the run now.  Valid until something is stored or observed. */
struct advance_view attempt_gather(struct attempt_ctl *ctl, const struct instance *inst);
void attempt_set_starting(struct attempt_ctl *ctl, bool starting);

/* Applies the step's event in memory; false, and logged, if the run's state does not allow it. */
bool attempt_apply(struct attempt_ctl *ctl, const struct advance_view *view,
                   const struct step *step);

/* Each starts the one call of a step; its reply finishes the work. */
enum work_result attempt_store(struct attempt_ctl *ctl, const struct k8s_object *object);
enum work_result attempt_create_pod(struct attempt_ctl *ctl, const struct advance_view *view);
enum work_result attempt_find(struct attempt_ctl *ctl, enum call_kind kind,
                              const struct k8s_resource *resource, const struct instance *inst,
                              const char *name);

#endif
