/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workflow as a value: decoded from and encoded to the custom resource `Workflow`.
 *
 *     CLEANUP(workflow_free) struct workflow *wf = workflow_decode(object);
 *     if (wf->problem)
 *         ...say so in status, and do not act on it
 *
 * Field names, defaults and limits are those of the CRD (charts/kharon/templates/crds).
 * workflow_decode never fails: the first thing that it could not understand is said in `problem`,
 * as "<path>: <what is wrong>", and members that come after it may have their defaults.  Identity
 * and status come first.  Unknown members are ignored.  Rules about the content (Styx behaviour,
 * 5.2) are in validate.h.
 *
 * All texts are owned by the struct; NULL is absent.  Nothing points back into the JSON.
 */
#ifndef KHARON_MODEL_WORKFLOW_H
#define KHARON_MODEL_WORKFLOW_H

#include "model/cursor.h"
#include "model/env.h"

/* What runs: the block that Workflow and DagTask share. */
struct template {
    char *image;
    struct texts args;
    bool empty_args; /* the list was given, and is empty: shown as it was given (Styx, 2.3) */
    struct env env;
    bool termination_logging;
    char *running_timeout; /* ISO-8601 */
    char *gcp_service_account;
    char *pod_template; /* JSON */
};

/* What every object has and decisions look at. */
struct identity {
    char *ns, *name, *uid; /* never NULL once decoded; "" is absent */
    int64_t generation;
    instant created; /* whole seconds; 0: not said, or before 1970, as no API server does */
    bool deleting;
};

void identity_decode(const json_t *object, struct identity *id);
void identity_done(struct identity *id);

enum catch_up { CATCH_UP_ALL, CATCH_UP_LATEST, CATCH_UP_NONE };
const char *catch_up_name(enum catch_up c);

struct cursor_wish {
    char *id;                  /* NULL: no wish, and nothing else counts */
    instant next, next_offset; /* INSTANT_NONE: leave as it is */
};

struct skipped {
    instant from, to; /* partitions, both inclusive */
    int64_t count;    /* CURSOR_SKIP_COUNT_MAX: that many or more */
    char *reason;     /* Suspended, AlreadyActive, CatchUp … */
    instant at;
};

#define WORKFLOW_MAX_SKIPPED 10

/* NULL status: it was never set.  NULL type is "Ready". */
struct workflow_condition {
    char *type, *status, *reason, *message;
    int64_t observed_generation;
    instant since; /* when `status` last changed */
};

struct workflow_status {
    char *component_id, *workflow_id;
    int64_t observed_generation;
    char *observed_schedule, *observed_offset;
    struct cursor cursor; /* epoch 0: never set */
    char *set_next_id;    /* the last wish that was obeyed */
    struct {
        char *partition, *result, *reason, *message;
        instant at;
    } last_decision;                              /* NULL result: none yet */
    struct skipped skipped[WORKFLOW_MAX_SKIPPED]; /* newest first */
    size_t n_skipped;
    int64_t n_passed; /* not stored: partitions that were recorded as skipped since the copy */
    bool suspended;   /* spec.suspend was seen: what falls due is skipped from then on */
    struct workflow_condition ready;
};

struct workflow {
    struct identity id;
    char *problem; /* why it could not be decoded; NULL: it could */

    char *component_id, *workflow_id; /* as in spec; the effective pair: workflow_component */
    char *schedule, *offset;
    bool suspend;
    struct template template;
    struct texts limits;
    char *retry_condition, *commit_sha;
    char *deployment_source, *deployment_repository;
    instant deployment_time; /* INSTANT_NONE: none */
    enum catch_up catch_up;
    int max_active;
    int keep_successful, keep_failed; /* finished instances; these are the CRD's defaults: */
#define KEEP_SUCCESSFUL_DEFAULT 3
#define KEEP_FAILED_DEFAULT     10
    char *flyte; /* JSON */
    struct cursor_wish set_next;

    struct workflow_status status;
};

struct workflow *workflow_new(void); /* all defaults, identity of empty texts */
struct workflow *workflow_decode(const json_t *object);
void workflow_free(struct workflow *wf);
DEFINE_CLEANUP(struct workflow *, workflow_free);

/* The pair that names the workflow in the HTTP API: spec, or namespace and object name. */
const char *workflow_component(const struct workflow *wf);
const char *workflow_id(const struct workflow *wf);

/* Schedule and offset of the spec. */
struct timing {
    struct schedule schedule;
    struct offset offset;
    const char *offset_text; /* the workflow's, or the schedule's own */
};
bool workflow_timing(const struct workflow *wf, struct timing *ret_timing, struct error *err);
/* Those that the stored cursor is of; false: it was never set. */
bool workflow_observed_timing(const struct workflow *wf, struct timing *ret_timing);

/*
 * What the spec makes of the stored cursor `c`: set anew if it was never set or belongs to another
 * schedule or offset, else set to a wish that was not obeyed yet.  A wish to a suspended workflow
 * finds the cursor where time has moved it; what was passed by then is told in `ret_skip`, and
 * where the cursor stands afterwards is meant: nothing more is passed by when the workflow goes on.
 * The first partition of a new workflow (of generation 1, and not judged yet) is the first that
 * falls due after it was made, as long as that is not more than WORKFLOW_NEW_MS ago.
 */
#define WORKFLOW_NEW_MS HOUR_MS
enum cursor_setter {
    CURSOR_KEPT,
    CURSOR_STARTED,
    CURSOR_WISHED,
    CURSOR_NEVER, /* the schedule never comes, says `err`; nothing is changed */
};
enum cursor_setter workflow_set_cursor(const struct workflow *wf, const struct timing *t,
                                       instant now, struct cursor *c, struct cursor_skip *ret_skip,
                                       struct error *err);

/*
 * The cursor as it stands now: what the operator makes of the stored one as soon as it looks, or,
 * of a suspended workflow, if it went on now.  Nobody writes down how time moves that (design,
 * section 5).  That of a new workflow is shown before the operator has looked at it, as Styx does
 * (3.4); epoch 0: the schedule makes none, or the operator has found the workflow unfit.
 */
struct cursor workflow_cursor(const struct workflow *wf, instant now);

/*
 * The `spec` object, in the order of the CRD.  What is absent, empty (but for empty_args) or the
 * CRD's default is left out, so that who applies it owns no more than was said.
 */
json_t *workflow_encode_spec(const struct workflow *wf);

/* The `status` object.  Members that are absent are null, so that a merge patch removes what was
 * there. */
json_t *workflow_encode_status(const struct workflow_status *s);
/* `to` is not initialised before. */
void workflow_status_copy(struct workflow_status *to, const struct workflow_status *from);
void workflow_status_done(struct workflow_status *s);

/*
 * Records a range that was skipped (nothing, if its count is 0): puts it first, and drops the
 * oldest beyond the limit.  Joins it to the newest instead, if that has the same reason and the
 * range begins with the partition that follows it in `observed_schedule`.
 */
void workflow_status_skip(struct workflow_status *s, const struct cursor_skip *skip,
                          const char *reason, instant at);

/* For workflow_decode: reads `status` of the object; false with the path and what is wrong, and `s`
 * may be partly filled then. */
bool workflow_status_decode(const json_t *object, struct workflow_status *s, struct error *err);

#endif
