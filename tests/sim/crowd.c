/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many runs fall due where there are places for few, and nobody learns for a while which were made:
 * answers are lost, creates are late, and so are the events.
 */
#include "sim/storm.h"

#include <string.h>

#define MOST_SET_BACK 12
#define MOST_PLACES   12

static int see(struct storm *s, const struct k8s_request *r, int i)
{
    (void) i;
    if (storm_now(s) >= s->crowd_until) {
        s->aim = NULL;
        return -1;
    }
    if (r->subresource || strcmp(r->resource->plural, instance_resource.plural) != 0)
        return -1;
    return storm_one_of(s, 2) ? FAKE_LATE : FAKE_LOSE_REPLY;
}

void storm_crowd(struct storm *s)
{
    if (s->aim || s->w.settings[0].max_unfinished > MOST_PLACES)
        return;
    s->aim = see;
    s->crowd_until = storm_now(s) + storm_between(s, 5 * SECOND_MS, 20 * SECOND_MS);
    fake_set_lag(s->w.fake, &instance_resource, MINUTE_MS, 2 * MINUTE_MS);
    for (int i = 0; i < MOST_SET_BACK; i++) {
        CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

        if (inst)
            storm_set_back(s, inst);
    }
}
