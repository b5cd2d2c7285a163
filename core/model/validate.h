/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules for a workflow's configuration (Styx behaviour, 5.2), all errors at once.
 */
#ifndef KHARON_MODEL_VALIDATE_H
#define KHARON_MODEL_VALIDATE_H

#include "model/workflow.h"

struct validate_limits {
    int64_t max_running_timeout_ms;
};

/* Appends one text for each rule that is broken, as the specification words it. */
void workflow_validate(const struct workflow *wf, const struct validate_limits *limits, struct texts *errors);

/* Fields that this version does not implement yet and therefore refuses: limits, retryCondition,
 * flyteExecConf.  Appends "<field>: not supported yet". */
void workflow_not_supported(const struct workflow *wf, struct texts *errors);

/* "[a, b]", as the HTTP API shows them; the caller frees. */
char *validate_join(const struct texts *errors);

/* "<workflow object>.<parameter>", lower case, ':' as '-'; the caller frees. */
char *instance_name(const char *workflow, const char *parameter);

/* The name of the Workflow object for a pair that came by HTTP: the workflow id if that is a valid
 * object name, else a readable slug and 20 hex digits of a hash of the pair (design, section 3). */
char *workflow_object_name(const char *component, const char *id);

#endif
