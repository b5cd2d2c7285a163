/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers that the table of routes names, a file a resource.  Section numbers are those of the
 * Styx behaviour.  For `params` see the patterns in route.c.
 */
#ifndef KHARON_APISERVER_HANDLERS_H
#define KHARON_APISERVER_HANDLERS_H

#include "apiserver/request.h"

/* workflows.c: 3.2, 3.3, 3.5, 3.7 */
void workflows_list(struct request *req);
void workflows_of_component(struct request *req);
void workflow_get(struct request *req);
void workflow_get_full(struct request *req);

/* deploy.c: 3.4, 3.6 */
void workflow_post(struct request *req);
void workflow_delete(struct request *req);

/* state.c: 3.8, 3.9 */
void workflow_state_get(struct request *req);
void workflow_state_patch(struct request *req);

/* instances.c: 3.10, 3.11 */
void instances_list(struct request *req);
void instance_get(struct request *req);

/* status.c: 3.15, 3.16 */
void status_active_states(struct request *req);
void status_events(struct request *req);

/* trigger.c: 3.18; halt.c: 3.20 */
void scheduler_trigger(struct request *req);
void scheduler_halt(struct request *req);

#endif
