/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workflow instance as a value: decoded from and encoded to the custom resource
 * `WorkflowInstance`, spec (what is wished) and status (the run).
 */
#ifndef KHARON_MODEL_INSTANCE_H
#define KHARON_MODEL_INSTANCE_H

#include "model/run.h"

struct instance {
    struct identity id;
    char *problem; /* why it could not be decoded; NULL: it could */
    bool orphans;  /* if it is being deleted, its pods are to stay (--cascade=orphan) */

    char *workflow; /* object name, same namespace */
    char *parameter;
    struct run_trigger trigger; /* seq 0: none given, an ad hoc run by hand */
    int64_t halt_through;
    bool has_retry;
    int64_t retry_counter, retry_delay_ms;

    struct run run; /* status */
    int64_t observed_generation;
};

struct instance *instance_decode(const json_t *object);
void instance_free(struct instance *inst);
DEFINE_CLEANUP(struct instance *, instance_free);

/* The trigger that is wished for: spec.trigger, or the implied ad hoc one with seq 1.  What it does
 * not say, or has left from the trigger before, is that of a run by hand: type adhoc, id from
 * creation time, UID and seq (ad-hoc-cli-<13-digit millis>-<5 digits>), which is also the key, and
 * no workflow's UID.  `ret_trigger` is to be run_trigger_done'd. */
void instance_wanted_trigger(const struct instance *inst, struct run_trigger *ret_trigger);
/* `run` has just taken that trigger: what spec says beside it is remembered, or a patch that raises
 * seq once more would seem to say it anew. */
void instance_note_taken(const struct instance *inst, struct run *run);

/* The seq of that trigger, and of the last one: that, or one that was taken after it. */
int64_t instance_wanted_seq(const struct instance *inst);
int64_t instance_last_seq(const struct instance *inst);

/* A trigger waits to be taken, or the state is not terminal (design, section 3). */
bool instance_active(const struct instance *inst);

/* Its trigger is not taken, since the status was lost: a later one is, whoever made it. */
bool instance_held(const struct instance *inst);

/* The object to create. */
json_t *instance_encode_new(const char *ns, const char *workflow, const char *parameter,
                            const struct run_trigger *trigger);
json_t *run_trigger_encode(const struct run_trigger *trigger);
/*
 * The `status` object, conditions included.  Members that are absent are null, so that a merge
 * patch removes what was there.
 *
 * The whole object stays within INSTANCE_MAX bytes, if the environment of the trigger is one that
 * validate_trigger_env takes (design, section 8).  Events are kept newest first up to EVENTS_MAX
 * bytes, or what is left; older ones are dropped, from `run` too, and counted, but never the
 * trigger of the run that is going on, and there is always room for the next one.  The description
 * of an execution is written once for as long as it does not change: a `submit` event without one
 * has that of the next later `submit` that has one, else status.description.
 */
json_t *run_encode_status(struct run *run, int64_t generation);
#define INSTANCE_MAX 32768
#define EVENTS_MAX   12288
json_t *description_encode(const struct description *d);

#endif
