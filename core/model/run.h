/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run: the state machine of one workflow instance (Styx behaviour, section 8).
 *
 * A run is a value.  run_apply is the only function that changes `state`; it checks the transition
 * against one table, changes the state data as section 8.2 says, and appends the event.  Nothing
 * here knows pods, Kubernetes or a clock.
 */
#ifndef KHARON_MODEL_RUN_H
#define KHARON_MODEL_RUN_H

#include "model/retry.h"
#include "model/workflow.h"

#define RUN_STATES(X)                                                                              \
    X(NEW)        /* no trigger yet */                                                             \
    X(QUEUED)     /* waits for its delay and for its limits */                                     \
    X(PREPARE)    /* holds its limits; the configuration is read now */                            \
    X(SUBMITTING) /* the pod is being created */                                                   \
    X(SUBMITTED)  /* the pod exists */                                                             \
    X(RUNNING)    /* the container is ready */                                                     \
    X(TERMINATED) /* the container ended; what now is decided */                                   \
    X(FAILED)     /* no exit code to be had; what now is decided */                                \
    X(ERROR)      /* ended without success; final until a new trigger */                           \
    X(DONE)       /* ended with success; final until a new trigger */

enum run_state {
#define X(name) RUN_##name,
    RUN_STATES(X) RUN_N_STATES,
#undef X
};

/* X(name, spelling in events) */
#define RUN_EVENTS(X)                                                                              \
    X(TRIGGER_EXECUTION, "triggerExecution")                                                       \
    X(INFO, "info")                                                                                \
    X(DEQUEUE, "dequeue")                                                                          \
    X(SUBMIT, "submit")                                                                            \
    X(SUBMITTED, "submitted")                                                                      \
    X(STARTED, "started")                                                                          \
    X(TERMINATE, "terminate")                                                                      \
    X(RUN_ERROR, "runError")                                                                       \
    X(SUCCESS, "success")                                                                          \
    X(RETRY_AFTER, "retryAfter")                                                                   \
    X(STOP, "stop")                                                                                \
    X(TIMEOUT, "timeout")                                                                          \
    X(HALT, "halt")

enum event_type {
#define X(name, spelling) EVENT_##name,
    RUN_EVENTS(X) EVENT_N_TYPES,
#undef X
};

/* X(name, spelling): Styx behaviour, section 7 */
#define TRIGGER_TYPES(X)                                                                           \
    X(UNKNOWN, "unknown")                                                                          \
    X(NATURAL, "natural")                                                                          \
    X(ADHOC, "adhoc")                                                                              \
    X(BACKFILL, "backfill")

enum trigger_type {
#define X(name, spelling) TRIGGER_##name,
    TRIGGER_TYPES(X) TRIGGER_N_TYPES,
#undef X
};

struct run_trigger {
    int64_t seq; /* 0: none */
    enum trigger_type type;
    char *id, *key, *workflow_uid;
    struct env env;
};

/* What an attempt runs (Styx behaviour, 4.10).  At most DESCRIPTION_MAX bytes as JSON; longer args
 * and env are cut with a marker and `truncated` is set: the pod has them whole.  Never changed once
 * it is shared. */
struct description {
    int references;
    char *image;
    struct texts args; /* the placeholder is replaced */
    bool termination_logging;
    char *gcp_service_account, *commit_sha;
    struct env env; /* workflow's, with the trigger's laid over */
    char *running_timeout, *retry_condition;
    bool truncated;
};

#define DESCRIPTION_MAX 8192
#define MESSAGE_MAX     1024 /* bytes of an event's message as JSON; more is cut with "..." */

struct event {
    enum event_type type;
    int64_t counter;
    instant at;
    /* Which of these are used depends on the type. */
    bool has_exit;
    int exit_code;
    bool free; /* RUN_ERROR: the infrastructure's fault, costs nothing */
    enum message_level level;
    char *message;
    char *execution_id, *runner_id;
    int64_t delay_ms;
    struct run_trigger trigger; /* of TRIGGER_EXECUTION */
    struct texts limits;
    struct description *description;
};

struct run {
    enum run_state state;
    int64_t seq;     /* of the trigger that runs or ran last; 0: none */
    int64_t counter; /* of the last event; -1: none */
    int attempt;     /* entries to SUBMITTING, never reset */
    int tries;
    int consecutive_failures;
    int retry_cost_tenths;
    bool has_exit;
    int last_exit;
    int free_tries;         /* of this trigger: ended by a time-out or the infrastructure */
    int64_t retry_delay_ms; /* -1: none */
    instant since;          /* of the last event */
    instant ungated_at;     /* after it: the gates of the pod were seen to open; or INSTANT_NONE */
    instant started_at,
        completed_at;           /* of this trigger's first start and its end; or INSTANT_NONE */
    struct run_trigger trigger; /* or the one that is held: its seq is above that of the run */
    struct run_trigger spec_trigger; /* as spec had it when it was taken, without env; seq 0: so */
    char *execution_id, *runner_id;
    struct description *description;
    struct texts limits; /* held, or held at dequeue */
    enum message_level message_level;
    char *message;        /* NULL: none */
    struct event *events; /* oldest first */
    size_t n_events;
    int64_t events_dropped;
    int64_t halted_through; /* the answer to spec.haltThrough */
    int64_t retry_counter;  /* the answer to spec.retry: the counter that was named; -1: none */
    instant held_since; /* a status was lost, and so the trigger is not taken; or INSTANT_NONE */
    char *component_id, *workflow_id; /* of its workflow, which it outlives; NULL: not known yet */
    char *natural_key; /* of the last trigger by the schedule, whatever came after; NULL: none */
};

const char *run_state_name(enum run_state s);
bool run_state_parse(const char *name, enum run_state *ret_state);
bool run_state_terminal(enum run_state s); /* ERROR, DONE */
const char *event_type_name(enum event_type t);
bool event_type_parse(const char *name, enum event_type *ret_type);
const char *trigger_type_name(enum trigger_type t);
bool trigger_type_parse(const char *name, enum trigger_type *ret_type);

void run_init(struct run *run); /* NEW, nothing happened */
void run_done(struct run *run);
void run_copy(struct run *to, const struct run *from); /* `to` is not initialised before */

/* Whose run it is in the HTTP API.  Both are copied. */
void run_set_pair(struct run *run, const char *component_id, const char *workflow_id);

/* Says what the run waits for, or no longer (NULL): a message without an event, so that no limit of
 * time begins anew. */
void run_note(struct run *run, const char *text);

/* Texts of programs and of Kubernetes come in any length; a run keeps MESSAGE_MAX of them.  Takes
 * the text (NULL is fine) and returns what is kept. */
char *message_cut_take(char *text);

/* Applies `event` (its members are copied; counter and at are set here) at `now`.  False, with
 * ERROR_CONFLICT "<key> received <event> while in <STATE>" and nothing changed, if the table has no
 * such transition (Styx behaviour, 8.2).  A run in a terminal state takes a new trigger with a
 * larger seq. */
bool run_apply(struct run *run, const struct event *event, instant now, const char *key,
               struct error *err);

void event_done(struct event *e);
void event_copy(struct event *to, const struct event *from);
/* Counted references; NULL is fine.  unref frees the last one. */
struct description *description_ref(struct description *d);
void description_unref(struct description *d);
bool description_equal(const struct description *a, const struct description *b);
void run_trigger_copy(struct run_trigger *to, const struct run_trigger *from);
void run_trigger_done(struct run_trigger *t);

#endif
