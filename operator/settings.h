/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator is told at its start (docs/reference: options of kharon-operator).
 */
#ifndef KHARON_OPERATOR_SETTINGS_H
#define KHARON_OPERATOR_SETTINGS_H

#include "model/attempt.h"
#include "model/run.h"

struct settings {
    struct texts namespaces; /* watched; that of the installation among them */
    const char *installation_ns;
    struct env component_ns; /* component = namespace */

    const char *lease_ns, *lease_name, *identity;
    int64_t lease_duration_ms, delta_ms;

    const char *runner_id;
    struct attempt_settings attempt;
    int64_t retry_base_ms;
    int64_t state_limits_ms[RUN_N_STATES]; /* Styx behaviour, 8.5 */
    int64_t max_running_timeout_ms;
    int64_t unschedulable_limit_ms; /* of SUBMITTED, while no node has room */
    int64_t pod_retention_ms;       /* of a pod that has ended: for its logs, and as a tombstone */
    int64_t coalesce_ms;            /* a state that lasts longer is written */
    int64_t late_ms;                /* catchUp None skips what is due for longer */
    size_t max_unfinished;          /* runs of all workflows; cursors wait (design, section 8) */
    /* Steps of a queue with a call in flight; the rest waits where waiting costs nothing, not in
     * the client, where it would time out. */
    int max_steps;
};

/* The values that the specification and the design give. */
void settings_default(struct settings *s);
void settings_done(struct settings *s);

/* Live before catch-up: what was missed leaves room for what falls due. */
size_t settings_room_to_catch_up(const struct settings *s);

/* The namespace in which a component's workflows must be (design, section 3). */
const char *settings_component_ns(const struct settings *s, const char *component);

#endif
