/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trigger.h"

#include <inttypes.h>
#include <stdio.h>

static const char *print(const char *prefix, instant t, uint64_t number, char text[TRIGGER_ID_MAX])
{
    snprintf(text, TRIGGER_ID_MAX, "%s-%013" PRId64 "-%05u", prefix, t,
             (unsigned) (number % TRIGGER_ID_NUMBERS));
    return text;
}

const char *trigger_id_adhoc(instant t, struct rng *rng, char text[TRIGGER_ID_MAX])
{
    return print("ad-hoc-cli", t, rng_below(rng, TRIGGER_ID_NUMBERS), text);
}

const char *trigger_id_backfill(instant t, struct rng *rng, char text[TRIGGER_ID_MAX])
{
    return print("backfill", t, rng_below(rng, TRIGGER_ID_NUMBERS), text);
}

const char *trigger_id_adhoc_of(instant t, uint64_t number, char text[TRIGGER_ID_MAX])
{
    return print("ad-hoc-cli", t, number, text);
}
