/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator: three informers, three queues, a lease, on one loop.
 *
 *     cursor.c    time → triggers: a Workflow's cursor creates WorkflowInstances
 *     attempt.c   a WorkflowInstance's run: its state machine and its pod
 *     reap.c      pods that have done their service
 *     burst.c     what may wait while many runs start at once
 *     lead.c      who may write: the lease and the fence
 *     handover.c  from one leader to the next
 *     clock.c     whether the clock can be believed
 *     pace.c      whether the control plane keeps up
 *     events.c    Kubernetes Events
 *
 * Each queue looks again at one key at a time (style: one step a turn).  Everything that an event
 * changes is in the informers; what a queue remembers besides can be thrown away at any time.
 *
 * There are no globals: two operators can run in one process, as simulations do.
 */
#ifndef KHARON_OPERATOR_OPERATOR_H
#define KHARON_OPERATOR_OPERATOR_H

#include "k8s/informer.h"
#include "k8s/lease.h"
#include "k8s/queue.h"
#include "operator/burst.h"
#include "operator/clock.h"
#include "operator/handover.h"
#include "operator/pace.h"
#include "operator/settings.h"
#include "operator/settling.h"

#define MAX_EVENTS_IN_FLIGHT 64

struct operator_counters {
    uint64_t triggers, skips, transitions, pods_created, pods_deleted, status_writes, cursor_writes;
    uint64_t events_sent, events_dropped, errors;
    uint64_t exits[256], exits_other, exits_unknown;
    uint64_t image_errors, exit_logs[EXIT_LOG_N];
};

/* What is measured as it happens, in seconds; NULL: nobody asks.  (report.c) */
struct operator_meters {
    struct metric *trigger_lag; /* due instant → instance created */
    struct metric *start;       /* SUBMITTED → RUNNING */
};

/* How many workflows there are that ... (report.c) */
enum workflow_kind {
    WORKFLOWS,
    WORKFLOWS_CONFIGURED,
    WORKFLOWS_ENABLED,
    WORKFLOWS_LOGGING,
    WORKFLOWS_N
};

struct operator {
    struct loop *loop;
    struct k8s *k8s; /* a tap on what operator_new was given */
    struct rng *rng;
    const struct settings *settings;

    struct k8s_informer *workflows, *instances, *pods;
    struct queue cursor_queue, attempt_queue, reap_queue;
    struct map cursors, attempts, reaps;
    struct map ghosts;   /* see unsettled.h */
    int64_t nodes_again; /* LOOP_MONOTONIC: nodes may not be read; not asked for before */
    struct burst burst;
    /* Instances by state and trigger, finished ones too; TRIGGER_N_TYPES: not triggered yet. */
    int n_runs[RUN_N_STATES][TRIGGER_N_TYPES + 1];
    int n_workflows[WORKFLOWS_N];
    size_t n_triggering;      /* cursors that are asking for a run */
    struct list cursors_wait; /* for fewer unfinished runs in all; the first came first */

    struct lease *lease;
    const struct k8s_fence *fence;
    bool leading;       /* holds the lease and has seen what was before */
    int64_t settled_at; /* LOOP_MONOTONIC: what the last leader sent has had its effect by then */
    struct handover handover;
    struct settling settling;
    struct clock_guard clock;
    struct pace pace;
    struct loop_task look_task; /* at everything, once */
    bool stopping;
    struct loop_timer drain;
    int64_t drain_until; /* LOOP_MONOTONIC */
    void (*on_stopped)(void *arg);
    void *on_stopped_arg;

    struct list event_calls;
    int n_event_calls;
    struct operator_counters counters;
    struct operator_meters meters;
};

static inline void operator_measure(struct metric *metric, int64_t ms)
{
    if (metric)
        metric_observe(metric, ms > 0 ? (double) ms / 1000 : 0);
}

/* `settings`, `k8s`, `loop` and `rng` must outlive the operator. */
struct operator *operator_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                              const struct settings *settings);
void operator_free(struct operator *op);
void operator_start(struct operator *op);
/* Finishes the calls in flight, releases the lease, then calls on_stopped.  If a call does not end,
 * the lease is not released: it runs out. */
void operator_stop(struct operator *op, void (*on_stopped)(void *arg), void *arg);
/* All informers have listed. */
bool operator_ready(const struct operator *op);
bool operator_leading(const struct operator *op);
/* Begins to lead if the lease is held and all that has to be known is. */
void lead_when_ready(struct operator *op);
/* Nothing of this namespace was left out (informer.h).  False: nothing is decided there, and all is
 * looked at when it may be listed. */
bool lead_knows(const struct operator *op, const char *ns);

extern const struct k8s_resource workflow_resource, instance_resource, pod_resource;

/* Indexes of the informers. */
enum { WORKFLOWS_BY_PAIR };          /* "component#workflow" */
enum { ACTIVE_BY_WORKFLOW };         /* instances: "namespace/workflow object" */
enum { PODS_BY_OWNER, PODS_BY_RUN }; /* UID of the instance; run key */

char *pair_key(const char *component, const char *workflow); /* the caller frees */
char *object_key(const char *ns, const char *name);

/* Of workflows with the same pair the oldest counts: NULL if it is this one.  (cursor.c) */
const struct workflow *workflow_elder(struct operator *op, const struct workflow *wf);

/* cursor.c, attempt.c, reap.c: told by lead.c of every change */
void cursor_setup(struct operator *op);
void cursor_on_workflow(struct operator *op, const struct k8s_object *old,
                        const struct k8s_object *new);
void cursor_on_instance(struct operator *op, const struct k8s_object *old,
                        const struct k8s_object *new);
void cursor_forget(struct operator *op); /* all that is only in memory, calls included */

void attempt_setup(struct operator *op);
void attempt_on_workflow(struct operator *op, const struct k8s_object *old,
                         const struct k8s_object *new);
void attempt_on_instance(struct operator *op, const struct k8s_object *old,
                         const struct k8s_object *new);
void attempt_on_pod(struct operator *op, const struct k8s_object *old,
                    const struct k8s_object *new);
void attempt_forget(struct operator *op);
void attempt_on_settled(struct operator *op); /* see settling.h */

void reap_setup(struct operator *op);
void reap_on_pod(struct operator *op, const struct k8s_object *old, const struct k8s_object *new);
void reap_on_instance(struct operator *op, const struct k8s_object *old,
                      const struct k8s_object *new);
void reap_forget(struct operator *op);
/* Its node is proven gone, or out of service: nothing of it runs (design, section 4). */
bool reap_is_lost(struct operator *op, const struct pod *pod);

/* How a queue's step ended, from the reply of its call: what to look at again, and when.  Logs what
 * is worth it. */
void finish_by_reply(struct operator *op, struct work *work, const struct k8s_reply *reply,
                     const char *doing, const char *key);

/* events.c.  Fire and forget: at most MAX_EVENTS_IN_FLIGHT at once, more are dropped and
 * counted. */
struct event_about {
    const char *kind, *api_version, *ns, *name, *uid;
};
struct event_about event_about(const char *kind, const struct identity *id);
void operator_event(struct operator *op, struct event_about about, bool is_warning,
                    const char *reason, const char *action, const char *note);
/* About the operator itself: what the Lease says in `kubectl describe`. */
void operator_tell(struct operator *op, bool is_warning, const char *reason, const char *action,
                   const char *note);
void events_forget(struct operator *op);

#endif
