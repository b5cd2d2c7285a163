/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people do with kubectl.  They do not do what makes the truth unknowable: force pods away
 * that nothing keeps, or touch a run whose natural trigger is just being given.
 *
 *     people.c             to runs and pods; housekeeping; the table
 *     people_workflows.c   to workflows; first runs
 *     people_races.c       at the worst moment
 */
#ifndef KHARON_SIM_PEOPLE_INTERNAL_H
#define KHARON_SIM_PEOPLE_INTERNAL_H

#include "sim/storm.h"

/* ---- people.c ---- */

/* One that is deleted while a second create of it is on its way comes back by that, and runs again:
 * nobody can know better. */
bool people_instance_comes_back(struct storm *s, const char *name);
/* As the API does: for the workflow that is there. */
void people_trigger_named(struct storm *s, const struct instance *inst);

/* ---- people_workflows.c: rows of the table ---- */

void people_deploy(struct storm *s);
void people_delete_workflow(struct storm *s);
void people_deploy_twin(struct storm *s);
void people_edit_workflow(struct storm *s);
void people_set_next(struct storm *s);
void people_run_by_hand(struct storm *s);
void people_run_new(struct storm *s);
void people_run_unseen(struct storm *s);
void people_remake(struct storm *s);

/* ---- people_races.c: rows of the table ---- */

void people_delete_triggered(struct storm *s);
void people_hold(struct storm *s);
void people_end_unsaid(struct storm *s);
void people_abandon(struct storm *s);

#endif
