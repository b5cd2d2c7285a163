/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a workflow's cursor share:
 *
 *     cursor.c          the life of a cursor in memory, its place among all, what it does next
 *     cursor_calls.c    what is asked of Kubernetes, and what the replies make known
 */
#ifndef KHARON_OPERATOR_CURSOR_PRIVATE_H
#define KHARON_OPERATOR_CURSOR_PRIVATE_H

#include "operator/operator.h"
#include "operator/trigger.h"

enum call_kind {
    CALL_NONE,
    CALL_STORE,
    CALL_CREATE,
    CALL_READ,
    CALL_RETRIGGER,
    CALL_SETTLE,
    CALL_PROVE,
};

/* A partition as it was when its trigger was asked for.  The cursor may be another one when the
 * answer comes: a write of an earlier leader's, or of ours, may have been late. */
struct asked {
    int64_t epoch;
    instant partition, due;
    bool refused; /* once, as a server that has just started refuses everything */
    bool absent;  /* nobody has triggered it, and nobody else will while we lead */
    char parameter[PARTITION_TEXT_MAX];
};

struct cursor_ctl {
    struct work work;
    struct map_node by_key;
    struct list waits; /* in op->cursors_wait */
    bool triggering;   /* counted in n_triggering: being asked for, or in doubt */
    struct operator *op;
    char *key;
    char *uid;
    struct asked asked;       /* while a trigger is asked for */
    struct trigger_done done; /* what became of the partition that was asked for */
    bool was_there;           /* its instance, before it was asked for */
    int64_t doubt_until; /* LOOP_MONOTONIC; what was asked for takes effect by then, or never */
    struct k8s_call *call;
    enum call_kind calling;
    struct trigger_news news; /* of the status that is being stored */
    struct burst_waiter store_waits;
};

/* The cursor is where it was when this was asked for. */
static inline bool cursor_still_there(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    return wf->status.cursor.epoch == ctl->asked.epoch &&
           wf->status.cursor.next == ctl->asked.partition;
}

static inline bool cursor_is_seen_to(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    return trigger_done_is_about(&ctl->done, &wf->status.cursor) && !ctl->done.waits;
}

/* What is asked for has a place among the unfinished runs.  It keeps that while it is in doubt. */
void cursor_take_place(struct cursor_ctl *ctl);
void cursor_leave_place(struct cursor_ctl *ctl);
void cursor_end_doubt(struct cursor_ctl *ctl);

/* One step of the queue. */
enum work_result cursor_look(struct work *work);

/* Each starts the one call of a step; its reply finishes the work. */
enum work_result cursor_store(struct cursor_ctl *ctl, const struct k8s_object *object,
                              const struct workflow_status *status);
enum work_result cursor_create(struct cursor_ctl *ctl, const struct workflow *wf,
                               const char *parameter);
/* Reads what became of what was asked for. */
enum work_result cursor_settle(struct cursor_ctl *ctl, const struct workflow *wf);
/* Reads whether the partition at which the cursor stands was triggered. */
enum work_result cursor_prove(struct cursor_ctl *ctl, const struct workflow *wf,
                              const char *parameter);

/* It need not be asked for: it is noted as if it had been, and was there. */
void cursor_found_triggered(struct cursor_ctl *ctl, const struct workflow *wf,
                            const char *parameter);
/* The instance is of this partition, and the schedule triggered it in this epoch. */
bool cursor_is_trigger_of(const struct instance *inst, const struct workflow *wf,
                          const char *parameter, int64_t epoch);

#endif
