/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/settings.h"

#include "test.h"

/* STYX-SM-07: as shipped with Styx (section 8.5). */
TEST(the_limits_of_states)
{
    static const struct {
        enum run_state state;
        int64_t limit;
    } rows[] = {
        {RUN_NEW, 30 * MINUTE_MS},        {RUN_QUEUED, 2 * DAY_MS},
        {RUN_PREPARE, 2 * DAY_MS},        {RUN_SUBMITTING, 2 * DAY_MS},
        {RUN_SUBMITTED, 10 * MINUTE_MS},  {RUN_RUNNING, DAY_MS},
        {RUN_TERMINATED, 30 * MINUTE_MS}, {RUN_FAILED, 30 * MINUTE_MS},
    };
    struct settings s;

    settings_default(&s);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        CHECK_INT(s.state_limits_ms[rows[i].state], rows[i].limit);
    CHECK_INT(s.max_running_timeout_ms, 2 * DAY_MS);
    CHECK_INT(s.unschedulable_limit_ms, HOUR_MS);
    CHECK_INT(s.retry_base_ms, 3 * MINUTE_MS);
    CHECK_INT(s.pod_retention_ms, 120 * SECOND_MS);
    settings_done(&s);
}

TEST(where_a_component_lives)
{
    struct settings s;

    settings_default(&s);
    texts_add(&s.namespaces, "kharon");
    texts_add(&s.namespaces, "billing");
    texts_add(&s.namespaces, "etl");
    env_set(&s.component_ns, "reports", "etl");
    env_set(&s.component_ns, "billing", "etl");
    CHECK_STR(settings_component_ns(&s, "reports"), "etl");
    CHECK_STR(settings_component_ns(&s, "billing"), "etl");
    CHECK_STR(settings_component_ns(&s, "etl"), "etl");
    CHECK_STR(settings_component_ns(&s, "elsewhere"), "kharon");
    settings_done(&s);
}
