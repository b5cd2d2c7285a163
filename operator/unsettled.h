/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A create of a pod that was sent and whose fate is not known (design, section 4).
 *
 * It may take effect later than anything that is asked meanwhile, so until it is settled no pod of
 * another name may be made for the run.  What settles it: the pod is there, or SETTLED_MS are over,
 * which is many times as long as a write of ours may be on its way, and the copy shows what was
 * made until then (`shown`, see settling.h).
 *
 * An instance that goes while such a create is on its way leaves a ghost: whoever gets its name
 * waits for that pod, too.  It has no owner and is collected, but it may run until then.
 *
 * Who begins to lead does not know what the last leader sent just before.  A leader's memory is at
 * most one attempt ahead of what is stored (advance.c), so that it is known which pod it may be.
 * For the same reason a leader stores nothing that would lead the next one to another pod than the
 * one it waits for.
 */
#ifndef KHARON_OPERATOR_UNSETTLED_H
#define KHARON_OPERATOR_UNSETTLED_H

#include "base/map.h"
#include "model/attempt.h"

#define SETTLED_MS (60 * SECOND_MS)

struct unsettled {
    char pod[EXECUTION_ID_MAX]; /* its name; "": not known */
    int64_t until;              /* LOOP_MONOTONIC; 0: there is none */
};

void unsettled_begin(struct unsettled *u, const char *pod, int64_t now);
/* The last leader may have sent one, which is settled by then. */
void unsettled_suspect(struct unsettled *u, const struct instance *inst, int64_t until);
/* Whoever begins to lead and reads this of the run would wait for another pod. */
bool unsettled_is_hidden_by(const struct unsettled *u, const struct instance *inst,
                            const struct run *run, int64_t shown);
void unsettled_end(struct unsettled *u);
bool unsettled_exists(const struct unsettled *u, int64_t shown);
/* There is one, and it is of this pod; of another pod. */
bool unsettled_is_of(const struct unsettled *u, const char *pod, int64_t shown);
bool unsettled_is_of_other(const struct unsettled *u, const char *pod, int64_t shown);

/* By the instance's "namespace/name". */
void ghosts_add(struct map *ghosts, const char *key, const struct unsettled *u, int64_t shown);
/* Adds what is left of it to `u`. */
void ghosts_find(const struct map *ghosts, const char *key, struct unsettled *u, int64_t shown);
void ghosts_clear(struct map *ghosts);

#endif
