/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plan.h"

#include "base/alloc.h"
#include "model/time.h"
#include "sim/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct mishap_table *const tables[] = {&storm_faults, &storm_people, &storm_callers};

const struct mishap *plan_mishap(size_t i)
{
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        if (i < tables[t]->n)
            return &tables[t]->rows[i];
        i -= tables[t]->n;
    }
    return NULL;
}

/* Which table the mishap is of. */
static const char *group_of(size_t i)
{
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        if (i < tables[t]->n)
            return tables[t]->group;
        i -= tables[t]->n;
    }
    return NULL;
}

/* One item of the list: [-]name[=rate] */
static bool set_one(struct plan *plan, const char *item, struct error *err)
{
    bool without = *item == '-';
    const char *name = item + without, *sign = strchr(name, '=');
    size_t len = sign ? (size_t) (sign - name) : strlen(name);
    char *end = NULL;
    double rate = sign ? strtod(sign + 1, &end) : -1;
    int n = 0;

    if (sign && (*end || end == sign + 1 || rate < 0))
        return error_set(err, ERROR_INVALID, "%s: not a rate", item);
    for (size_t i = 0; plan_mishap(i); i++) {
        const struct mishap *m = plan_mishap(i);
        const char *const known[] = {"all", group_of(i), m->name};

        for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
            if (strlen(known[k]) != len || strncmp(known[k], name, len) != 0)
                continue;
            plan->rates[i] = without ? 0 : rate >= 0 ? rate : m->rate;
            n++;
        }
    }
    return n > 0 || error_set(err, ERROR_INVALID, "%s: no such fault", item);
}

bool plan_set_faults(struct plan *plan, const char *text, struct error *err)
{
    plan->faults = text;
    for (size_t i = 0; i < PLAN_MAX_MISHAPS; i++)
        plan->rates[i] = 0;
    if (strcmp(text, "none") == 0)
        return true;
    while (*text) {
        size_t len = strcspn(text, ",");
        CLEANUP(free) char *item = xstrndup(text, len);

        if (!set_one(plan, item, err))
            return false;
        text += len + (text[len] == ',');
    }
    return true;
}

bool plan_is_calm(const struct plan *plan)
{
    for (size_t i = 0; i < PLAN_MAX_MISHAPS; i++)
        if (plan->rates[i] > 0)
            return false;
    return true;
}

void plan_print_mishaps(void)
{
    const char *group = "";

    for (size_t i = 0; plan_mishap(i); i++) {
        const struct mishap *m = plan_mishap(i);

        if (strcmp(group, group_of(i)) != 0)
            printf("%s\n", group = group_of(i));
        printf("  %-18s %6g %s  %s\n", m->name, m->rate, m->act ? "/h  " : "/1000", m->help);
    }
}

char *plan_command(const struct plan *plan)
{
    CLEANUP(free) char *lease = plan->lease_ms
                                    ? xasprintf(" --lease=%" PRId64 "s", plan->lease_ms / SECOND_MS)
                                    : xstrdup("");

    return xasprintf("sim --seeds=%" PRIu64 " --minutes=%" PRId64
                     " --workflows=%d --storm=%g --faults=%s%s%s",
                     plan->seed, plan->ms / MINUTE_MS, plan->n_workflows, plan->storm_percent,
                     plan->faults, plan->busy ? " --busy" : "", lease);
}
