/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's real main loop against a cluster in memory, on virtual time. */
#include "sim/world.h"

#include "test.h"

#define HOURLY "{'schedule': 'hourly', 'template': {'image': 'busybox:1', 'args': ['echo', '{}']}}"

static const char *state_of(struct world *w, const char *instance)
{
    return world_text(w, &instance_resource, instance, "status.state");
}

/* From the first instant on, each hour once: 01:00 runs partition 00. */
TEST(an_hourly_workflow_runs_once_an_hour)
{
    struct world w;

    world_init(&w, 1);
    world_start(&w, 0);
    world_deploy(&w, "report", HOURLY);
    world_run(&w, DAY_MS);
    CHECK_INT(world_count(&w, NULL), 24);
    CHECK_INT(world_count(&w, "DONE"), 24);
    CHECK_INT(w.n_started, 24);
    CHECK_STR(state_of(&w, "report.2026-01-01t23"), "DONE");
    world_done(&w);
}
