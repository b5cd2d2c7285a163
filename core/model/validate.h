/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules for a workflow's configuration (Styx behaviour, 5.2), all errors at once.
 *
 * Everybody who takes a workflow in or is about to run one asks here: the HTTP API at deployment
 * and at a trigger, the operator when it looks at the object and again at PREPARE, since limits may
 * have changed in between.  A broken rule is one text, worded as in the specification; a broken
 * limit is "<message>: <value>, limit = <limit>", durations in ISO-8601.  Lengths are
 * counted in characters (Unicode code points), as the CRD counts them, unless bytes are said.
 */
#ifndef KHARON_MODEL_VALIDATE_H
#define KHARON_MODEL_VALIDATE_H

#include "model/workflow.h"

/* Styx behaviour, 5.2.  TEXT: id, commit, service account, limit name, retry condition. */
#define LIMIT_TEXT                   256
#define LIMIT_LIMITS                 5
#define LIMIT_ENV_VARS               128
#define LIMIT_ENV                    16384
#define LIMIT_RUNNING_TIMEOUT_MIN_MS MINUTE_MS
#define LIMIT_ARGS                   1000000
/* Ours (design, sections 3 and 8): the arguments are also one environment variable, whose
 * length the kernel limits; bytes, each argument counted with its separator. */
#define LIMIT_ARGS_BYTES  98304
#define LIMIT_TRIGGER_ENV 8192
#define LIMIT_OBJECT_NAME 232

struct validate_limits {
    int64_t max_running_timeout_ms; /* 0: none */
};

/* Appends one text for each rule that is broken.  The pair that is checked is the effective one. */
void workflow_validate(const struct workflow *wf, const struct validate_limits *limits,
                       struct texts *errors);

/* Fields that this version does not implement yet and therefore refuses: gcpServiceAccount, limits,
 * retryCondition, flyteExecConf, and a historyLimit that is not the default.  Appends "<field>: not
 * supported yet", by the name in the object or by the one that the HTTP API has for it. */
void workflow_not_supported(const struct workflow *wf, struct texts *errors);
void workflow_not_supported_by_api(const struct workflow *wf, struct texts *errors);

/* The environment that comes with a trigger. */
bool validate_trigger_env(const struct env *env, struct error *err);

/* "[a, b]", as the HTTP API shows them; the caller frees. */
char *validate_join(const struct texts *errors);

/* "<workflow object>.<parameter>", lower case, ':' as '-'; the caller frees. */
char *instance_name(const char *workflow, const char *parameter);

/*
 * The name of the Workflow object for a pair that came by HTTP; the caller frees.  Different pairs
 * have different names, since components may share a namespace: "<component>.<id>" if that is a
 * valid name and the component has no dot, else a readable slug, '-' and 20 hex digits (80 bits) of
 * a hash of the pair.  At most LIMIT_OBJECT_NAME characters.
 */
char *workflow_object_name(const char *component, const char *id);

#endif
