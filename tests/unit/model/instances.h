/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workflow instances to try things with, and events to happen to them.
 */
#ifndef KHARON_TEST_INSTANCES_H
#define KHARON_TEST_INSTANCES_H

#include "model/instance.h"
#include "unit/model/instants.h"
#include "unit/model/json_text.h"

#define BEGAN 1767225600000 /* 2026-01-01T00:00:00Z */

/* ---- objects ---- */

#define METADATA                                                                                   \
    "'metadata': {'name': 'report.2026-01-01', 'namespace': 'team', 'generation': 3,"              \
    " 'uid': '0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0001', 'creationTimestamp': '2026-01-01T00:00:00Z'}"
#define SPEC "'spec': {'workflow': 'report', 'parameter': '2026-01-01'}"
#define TRIGGER                                                                                    \
    "{'seq': 1, 'type': 'natural', 'id': 'natural-trigger', 'key': 'w/1', 'workflowUID': 'w'}"

/* `members` follow metadata. */
TEST_UNUSED static struct instance *decoded(const char *members)
{
    CLEANUP(free) char *text = xasprintf("{" METADATA ", %s}", members);
    CLEANUP(json_decref) json_t *object = json_of(text);

    return instance_decode(object);
}

TEST_UNUSED static struct event trigger_event(int64_t seq)
{
    struct event e = {.type = EVENT_TRIGGER_EXECUTION,
                      .trigger = {.seq = seq,
                                  .type = TRIGGER_BACKFILL,
                                  .id = xstrdup("backfill-1"),
                                  .key = xstrdup("k"),
                                  .workflow_uid = xstrdup("w")}};

    env_set(&e.trigger.env, "MODE", "full");
    return e;
}

TEST_UNUSED static struct description *description_of(const char *image)
{
    struct description *d = NEW(struct description);

    d->references = 1;
    d->image = xstrdup(image);
    return d;
}

TEST_UNUSED static struct event submit_event(struct description *d_take)
{
    return (struct event) {
        .type = EVENT_SUBMIT, .execution_id = xstrdup("styx-run-1"), .description = d_take};
}

TEST_UNUSED static void apply(struct run *run, struct event event)
{
    struct error err;

    CHECK_OK(run_apply(run, &event, BEGAN + (run->counter + 1) * SECOND_MS, "key", &err), &err);
    event_done(&event);
}

#endif
