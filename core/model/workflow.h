/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workflow as a value: decoded from and encoded to the custom resource `Workflow`.
 *
 * Field names and limits are those of the CRD (charts/kharon/templates/crds).  workflow_decode never
 * fails: what it could not understand is said in `problem`, and nobody acts on such a workflow.
 * Rules about the content (Styx behaviour, 5.2) are in validate.h.
 *
 * All texts are owned by the struct; NULL is absent.
 */
#ifndef KHARON_MODEL_WORKFLOW_H
#define KHARON_MODEL_WORKFLOW_H

#include "base/json.h"
#include "model/cursor.h"

struct env_var {
    char *name, *value;
};

struct env {
    struct env_var *vars;
    size_t n;
};

/* Appends, or replaces the value of a name that is there. */
void env_set(struct env *env, const char *name, const char *value);
const char *env_get(const struct env *env, const char *name);     /* NULL: absent */
void env_copy(struct env *to, const struct env *from);            /* lays `from` over `to` */
void env_done(struct env *env);
json_t *env_encode(const struct env *env);                        /* [{name, value}] */
bool env_decode(const json_t *list, struct env *env, struct error *err);     /* NULL list: empty */

struct texts {
    char **items;
    size_t n;
};

void texts_add(struct texts *t, const char *text);
bool texts_contain(const struct texts *t, const char *text);
void texts_copy(struct texts *to, const struct texts *from);      /* appends */
void texts_done(struct texts *t);
json_t *texts_encode(const struct texts *t);
bool texts_decode(const json_t *list, struct texts *t, struct error *err);   /* NULL list: empty */

/* What runs: the block that Workflow and DagTask share. */
struct template {
    char *image;
    struct texts args;
    struct env env;
    bool termination_logging;
    char *running_timeout;          /* ISO-8601 */
    char *gcp_service_account;
    char *pod_template;             /* JSON */
};

/* What every object has and decisions look at. */
struct identity {
    char *ns, *name, *uid;
    int64_t generation;
    instant created;                /* whole seconds */
    bool deleting;
};

void identity_decode(const json_t *object, struct identity *id);
void identity_done(struct identity *id);

enum catch_up { CATCH_UP_ALL, CATCH_UP_LATEST, CATCH_UP_NONE };
const char *catch_up_name(enum catch_up c);

struct cursor_wish {
    char *id;                       /* NULL: no wish */
    instant next, next_offset;      /* INSTANT_NONE: leave as it is */
};

struct skipped {
    instant from, to;               /* partitions, both inclusive */
    int64_t count;
    char *reason;                   /* Suspended, AlreadyActive, CatchUp … */
    instant at;
};

#define WORKFLOW_MAX_SKIPPED 10

struct workflow_condition {
    char *type, *status, *reason, *message;
    int64_t observed_generation;
    instant since;
};

struct workflow_status {
    char *component_id, *workflow_id;
    int64_t observed_generation;
    char *observed_schedule, *observed_offset;
    struct cursor cursor;           /* epoch 0: never set */
    char *set_next_id;              /* the last wish that was obeyed */
    struct {
        char *partition, *result, *reason, *message;
        instant at;
    } last_decision;
    struct skipped skipped[WORKFLOW_MAX_SKIPPED];     /* newest first */
    size_t n_skipped;
    int active;
    struct workflow_condition ready;
};

struct workflow {
    struct identity id;
    char *problem;                  /* why it could not be decoded; NULL: it could */

    char *component_id, *workflow_id;     /* as in spec; the effective pair is in workflow_component */
    char *schedule, *offset;
    bool suspend;
    struct template template;
    struct texts limits;
    char *retry_condition, *commit_sha;
    char *deployment_source, *deployment_repository;
    instant deployment_time;        /* INSTANT_NONE: none */
    enum catch_up catch_up;
    int max_active;
    int keep_successful, keep_failed;
    char *flyte;                    /* JSON */
    struct cursor_wish set_next;

    struct workflow_status status;
};

struct workflow *workflow_decode(const json_t *object);
void workflow_free(struct workflow *wf);
DEFINE_CLEANUP(struct workflow *, workflow_free);

/* The pair that names the workflow in the HTTP API: spec, or namespace and object name. */
const char *workflow_component(const struct workflow *wf);
const char *workflow_id(const struct workflow *wf);

/* The `spec` object. */
json_t *workflow_encode_spec(const struct workflow *wf);
/* The `status` object. */
json_t *workflow_encode_status(const struct workflow_status *s);
void workflow_status_copy(struct workflow_status *to, const struct workflow_status *from);
void workflow_status_done(struct workflow_status *s);
/* Puts it first and drops the oldest beyond the limit; joins it to the newest if that has the same
 * reason and ends right before. */
void workflow_status_skip(struct workflow_status *s, const struct cursor_skip *skip, const char *reason,
                          instant at);

#endif
