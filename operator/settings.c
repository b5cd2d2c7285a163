/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/settings.h"

#include "model/place.h"

#include <string.h>

void settings_default(struct settings *s)
{
    *s = (struct settings) {
        .installation_ns = "kharon",
        .lease_ns = "kharon",
        .lease_name = "kharon-operator",
        .lease_duration_ms = 6 * SECOND_MS,
        .delta_ms = 2 * SECOND_MS,
        .runner_id = "default",
        .retry_base_ms = RETRY_BASE_MS,
        .max_running_timeout_ms = 48 * HOUR_MS,
        .unschedulable_limit_ms = HOUR_MS,
        .pod_retention_ms = 120 * SECOND_MS,
        .coalesce_ms = SECOND_MS,
        .late_ms = MINUTE_MS,
        .max_unfinished = 20000,
        .max_steps = 16,
    };
    for (int i = 0; i < RUN_N_STATES; i++)
        s->state_limits_ms[i] = 2 * DAY_MS;
    s->state_limits_ms[RUN_NEW] = 30 * MINUTE_MS;
    s->state_limits_ms[RUN_SUBMITTED] = 10 * MINUTE_MS;
    s->state_limits_ms[RUN_RUNNING] = 24 * HOUR_MS;
    s->state_limits_ms[RUN_TERMINATED] = 30 * MINUTE_MS;
    s->state_limits_ms[RUN_FAILED] = 30 * MINUTE_MS;
}

void settings_done(struct settings *s)
{
    texts_done(&s->namespaces);
    env_done(&s->component_ns);
    env_done(&s->attempt.execution_env);
}

size_t settings_room_to_catch_up(const struct settings *s)
{
    return s->max_unfinished - s->max_unfinished / 10;
}

const char *settings_component_ns(const struct settings *s, const char *component)
{
    const struct places places = {.watched = s->namespaces,
                                  .mapped = s->component_ns,
                                  .installation = (char *) (uintptr_t) s->installation_ns};

    return place_of(&places, component);
}
