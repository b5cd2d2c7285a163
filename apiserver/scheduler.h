/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the handlers under /scheduler/ share: bodies that name a workflow or an instance.
 */
#ifndef KHARON_APISERVER_SCHEDULER_H
#define KHARON_APISERVER_SCHEDULER_H

#include "base/json.h"

/* Texts are owned. */
struct named_instance {
    char *component, *workflow, *parameter;
    char *text; /* `workflow_instance` as it was sent; NULL: it was not */
};

/*
 * Either {"workflow_id":{"component_id","id"},"parameter"} or {"workflow_instance":"c/w/p"}, with
 * '#' or '/' between (Styx behaviour, 3.20): the component ends at the first, the parameter
 * begins after the last.  False, with what a parser would say, if something is missing.
 */
bool named_instance_read(const json_t *body, struct named_instance *ret, struct error *err);
void named_instance_done(struct named_instance *n);

/* {"workflow_id", "parameter", "workflow_instance"}: both forms. */
json_t *named_instance_encode(const struct named_instance *n);

#endif
