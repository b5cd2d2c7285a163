/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON of the Styx HTTP API (Styx behaviour, 2.2, 2.3 and 4): every form that answers have, and
 * the lenient reading of request bodies.
 *
 * Answers are new trees that the caller owns.  Their members come in the order of the
 * specification's tables.  An absent value is null, except in events and triggers (those with
 * `@type`), which leave it out.  Instants and durations are ISO-8601 texts; the few that are epoch
 * milliseconds are integers.  retry_cost is a decimal.
 *
 * An instance is named by its workflow's pair and its parameter.  They are handed in, since the
 * object of an instance knows its workflow by the name of the object only.
 */
#ifndef KHARON_MODEL_STYXJSON_H
#define KHARON_MODEL_STYXJSON_H

#include "model/history.h"
#include "model/instance.h"

struct styx_instance {
    const char *component, *workflow, *parameter;
};

/* component#workflow#parameter (4.5); the caller frees. */
char *styx_instance_key(const struct styx_instance *id);

json_t *styx_workflow_id(const char *component, const char *workflow); /* 4.5 */
json_t *styx_workflow_instance(const struct styx_instance *id);        /* 4.5 */

/* 4.1, with `component_uri`; the configuration is that of 5.1.  The schedule is canonical. */
json_t *styx_workflow(const struct workflow *wf);
/* 4.3, with the cursor as it stands now (workflow_cursor).  NULL: of a workflow that does not
 * exist, which Styx answers too (3.8). */
json_t *styx_workflow_state(const struct workflow *wf, instant now);
json_t *styx_workflow_with_state(const struct workflow *wf, instant now); /* 4.4 */

/* 4.7, RunStateData.  An instance whose trigger the operator has not taken yet is QUEUED, as it is
 * in Styx from the moment that the trigger is accepted. */
json_t *styx_run_state(const struct styx_instance *id, const struct instance *inst);

/* 4.10.  NULL is null. */
json_t *styx_execution_description(const struct description *d, const char *execution_id);

/* 4.8, with the workflow under both names that clients look for. */
json_t *styx_instance_execution(const struct styx_instance *id, const struct history *history);

json_t *styx_event(const struct styx_instance *id, const struct event *e); /* 4.9 */
/* [{"event":…,"timestamp":…}], the value of `events` in 3.16. */
json_t *styx_events(const struct styx_instance *id, const struct event *events, size_t n);

/*
 * Reading what users sent (2.2).  Absent and null leave *ret alone; unknown members do not matter.
 * Scalars are coerced: numbers and booleans to text, "20" and 20.7 to the integer 20, "true" and 1
 * to true.  Where a list is expected a single value is one of one item; items that are null are
 * absent too.  An empty text is absent where no text is expected.  What cannot be read is
 * ERROR_INVALID, "<path>: …".
 *
 * Texts are copied; what *ret owned before is freed.  Paths as in base/json.h.
 */
/* Whether a reader of anything but texts finds a value; it may be a bad one. */
bool styx_is_given(const json_t *body, const char *path);
bool styx_read_text(const json_t *body, const char *path, char **ret, struct error *err);
bool styx_read_int(const json_t *body, const char *path, int64_t low, int64_t high, int64_t *ret,
                   struct error *err);
bool styx_read_bool(const json_t *body, const char *path, bool *ret, struct error *err);
bool styx_read_texts(const json_t *body, const char *path, struct texts *ret, struct error *err);
bool styx_read_env(const json_t *body, const char *path, struct env *ret, struct error *err);
/* ISO-8601, or epoch seconds as a number, with a fraction or without. */
bool styx_read_instant(const json_t *body, const char *path, instant *ret, struct error *err);
/* ISO-8601, or seconds as a number (2.3).  Milliseconds. */
bool styx_read_duration(const json_t *body, const char *path, int64_t *ret_ms, struct error *err);

/*
 * The body of a deployment (3.4, 5.1).  Fails if a member cannot be read or `id` or `schedule` is
 * missing; err's text is the whole reason, "Invalid payload. …".  The rules of 5.2 are not asked.
 * Identity is empty, and `suspend` and everything else that Styx does not know has its default.  A
 * running_timeout that is no duration is kept as it is, for workflow_validate to say what to write.
 */
bool styx_workflow_decode(const json_t *body, const char *component, struct workflow **ret_workflow,
                          struct error *err);

#endif
