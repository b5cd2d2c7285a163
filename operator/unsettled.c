/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/unsettled.h"

#include "operator/advance.h"

#include <stdio.h>
#include <string.h>

void unsettled_begin(struct unsettled *u, const char *pod, int64_t now)
{
    snprintf(u->pod, sizeof(u->pod), "%s", pod);
    u->until = now + SETTLED_MS;
}

void unsettled_suspect(struct unsettled *u, const struct instance *inst, int64_t until)
{
    const struct run *run = &inst->run;
    bool running = run->state == RUN_SUBMITTED || run->state == RUN_RUNNING;
    int attempt = running ? run->attempt + 1 : advance_pod_attempt(run);

    u->until = until;
    u->pod[0] = '\0';
    if (inst->trigger.seq <= run->seq + 1) /* else another trigger may have been taken between */
        attempt_execution_id(inst->id.uid, advance_pod_seq(inst, run), attempt, u->pod);
}

void unsettled_end(struct unsettled *u)
{
    u->until = 0;
}

bool unsettled_exists(const struct unsettled *u, int64_t now)
{
    return now < u->until;
}

bool unsettled_is_of(const struct unsettled *u, const char *pod, int64_t now)
{
    return unsettled_exists(u, now) && strcmp(u->pod, pod) == 0;
}

bool unsettled_is_of_other(const struct unsettled *u, const char *pod, int64_t now)
{
    return unsettled_exists(u, now) && strcmp(u->pod, pod) != 0;
}
