/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attempt: one pod.  Its name, its manifest, and what is to be concluded from what is seen of it
 * (Styx behaviour, section 11; design, sections 4 and 5).
 *
 * The pod is the record of the attempt: its annotations hold what a status write that was never
 * made would have said, so that an operator that finds the pod can go on from there.
 */
#ifndef KHARON_MODEL_ATTEMPT_H
#define KHARON_MODEL_ATTEMPT_H

#include "model/instance.h"

#define EXECUTION_ID_MAX 48
#define MAIN_CONTAINER   "styx-run"
#define POD_FINALIZER    "kharon.dev/outcome"
#define POD_LABEL        "app.kubernetes.io/managed-by"
#define POD_LABEL_VALUE  "kharon"
#define POD_SELECTOR     POD_LABEL "=" POD_LABEL_VALUE

/* styx-run-<UUIDv5 of the instance's UID, seq and attempt>: pod name and execution id. */
const char *attempt_execution_id(const char *instance_uid, int64_t seq, int attempt,
                                 char text[EXECUTION_ID_MAX]);

/* ---- making the pod ---- */

struct attempt_settings {
    const char *environment;    /* STYX_ENVIRONMENT */
    struct env execution_env;   /* for names that are not there yet */
    int64_t active_deadline_ms; /* backstop; 0: none */
};

struct attempt {
    const struct workflow *wf;
    const struct instance *inst;
    const struct run_trigger *trigger;
    const struct description *description;           /* as the run has it */
    int attempt;                                     /* this one's number */
    int tries;                                       /* submitted before this one */
    instant triggered_at, dequeued_at, submitted_at; /* for the record */
};

/* What the attempt would run: image, args with the placeholder replaced, env with the trigger's
 * laid over. */
struct description *attempt_describe(const struct workflow *wf, const char *parameter,
                                     const struct run_trigger *trigger);

/* Whether two descriptions are the same, for an annotation. */
#define DESCRIPTION_HASH_MAX 17
void description_hash(const struct description *d, char text[DESCRIPTION_HASH_MAX]);

/* The Pod object. */
json_t *attempt_manifest(const struct attempt *a, const struct attempt_settings *settings);

/* ---- what is seen of it ---- */

enum pod_phase { POD_PENDING, POD_POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };

struct pod {
    struct identity id;
    bool is_ours;    /* see pod_is_ours */
    char *owner_uid; /* of the WorkflowInstance it was made for; NULL: somebody else's pod */
    char *instance;  /* its name */
    bool orphaned;   /* the instance does not control it any more */
    char *run_key;   /* component#workflow#parameter */
    int64_t seq;
    int attempt;
    instant triggered_at, dequeued_at, submitted_at;
    char *description_hash;
    bool termination_logging;
    bool has_finalizer; /* ours */
    struct texts other_finalizers;
    instant deleting_since; /* INSTANT_NONE: it is not being deleted */
    bool deleted_at_once;   /* without grace: the object does not wait for its containers */

    enum pod_phase phase;
    char *reason, *message; /* of the status: Evicted, DeadlineExceeded, NodeLost … */
    char *disruption;       /* reason of the condition DisruptionTarget=True; NULL: none */
    bool scheduled, gated, unschedulable;
    char *unschedulable_message;
    instant scheduled_at;
    char *node; /* NULL: it has none yet */
    /* container styx-run */
    char *image; /* of the spec */
    bool has_main, main_ready, main_terminated;
    bool all_terminated; /* every other container, too */
    char *waiting_reason, *waiting_message;
    bool has_exit;
    int exit_code;
    char *exit_reason, *exit_message;
    instant finished_at; /* INSTANT_NONE: not said or unreadable */
};

struct pod *pod_decode(const json_t *object);
void pod_free(struct pod *pod);
DEFINE_CLEANUP(struct pod *, pod_free);

/* No container of it runs, and none will (design, section 4). */
bool pod_gone(const struct pod *pod);
/* Its name follows from its record: Kharon made it (invariant 6). */
static inline bool pod_is_ours(const struct pod *pod)
{
    return pod->is_ours;
}

enum observation_kind {
    OBSERVED_NOTHING,
    OBSERVED_STARTED,
    OBSERVED_TERMINATED, /* started, if it was not, and then terminate */
    OBSERVED_ERROR,
    OBSERVED_TIMEOUT, /* the backstop deadline */
};

struct observation {
    enum observation_kind kind;
    bool free; /* ERROR: the infrastructure's fault */
    bool has_exit;
    int exit_code;
    char *message; /* ERROR: for people */
};

/* The first rule of 11.5 that applies to the pod of a run in `state`.  observation_done
 * afterwards. */
void pod_observe(const struct pod *pod, enum run_state state, struct observation *ret_observation);
void observation_done(struct observation *o);

/* `Exit code: 1`, with what Kubernetes adds if that says more (OOMKilled, StartError …). */
char *pod_exit_message(const struct pod *pod, bool has_exit, int exit_code);

/* What is to be said about the code that a program logged, if it was to log one (11.6). */
enum exit_log { EXIT_LOG_FINE, EXIT_LOG_MISSING, EXIT_LOG_INVALID, EXIT_LOG_MISMATCH, EXIT_LOG_N };
enum exit_log pod_exit_log(const struct pod *pod);

/* It waits for an image that cannot be pulled. */
bool pod_lacks_image(const struct pod *pod);

/* What a pod that has not started waits for, for people; NULL: not known.  The caller frees. */
char *pod_waits_for(const struct pod *pod);
#define POD_GATES_CLOSED "its scheduling gates are closed" /* how that begins for a gated pod */

/* How long the pod may take to start: when SUBMITTED times out.  `ready_at` is when it was
 * submitted, or its gates opened.  INSTANT_NONE: never (gated). */
instant pod_start_deadline(const struct pod *pod, instant ready_at, int64_t submitted_limit_ms,
                           int64_t unschedulable_limit_ms);

#endif
