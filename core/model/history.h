/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History: what happened to an instance, as people read it (Styx behaviour, 13.4).
 *
 * The events of an instance are one long list over all its triggers; this makes triggers with their
 * executions of it.  An execution is what one try showed: the statuses that it went through.  A
 * try that failed before it had a pod is an execution without an id.
 *
 *     history_derive(run->events, run->n_events, &history);
 *     ...
 *     history_done(&history);
 *
 * Pure and total: any list of events gives a history.  Older events may be missing (an object keeps
 * the newest only); statuses whose trigger is not in the list belong to one with the id UNKNOWN.
 */
#ifndef KHARON_MODEL_HISTORY_H
#define KHARON_MODEL_HISTORY_H

#include "model/run.h"

struct history_status {
    instant at;
    const char *status; /* SUBMITTED, STARTED, SUCCESS, MISSING_DEPS, FAILED, TIMEOUT, HALTED */
    char *message;      /* NULL: none */
};

struct history_execution {
    char *execution_id, *docker_image, *commit_sha, *runner_id; /* NULL: not known */
    struct history_status *statuses;
    size_t n_statuses;
};

struct history_trigger {
    char *trigger_id;
    instant at;
    struct env env;
    bool complete;
    struct history_execution *executions;
    size_t n_executions;
};

struct history {
    struct history_trigger *triggers; /* oldest first */
    size_t n_triggers;
};

/* Events in the order of their counters.  Everything in *ret_history is copied. */
void history_derive(const struct event *events, size_t n, struct history *ret_history);
void history_done(struct history *history);

#endif
