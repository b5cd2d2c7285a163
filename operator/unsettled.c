/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/unsettled.h"

#include "operator/advance.h"

#include <stdio.h>
#include <string.h>

struct ghost {
    struct map_node by_key;
    char *key;
    struct unsettled unsettled;
};

void unsettled_begin(struct unsettled *u, const char *pod, int64_t now)
{
    snprintf(u->pod, sizeof(u->pod), "%s", pod);
    u->until = now + SETTLED_MS;
}

/* The one pod that may have been asked for beyond what is stored; "": it may be one of several. */
static void suspect(const struct instance *inst, const struct run *run, char *pod)
{
    bool in_pod = run->state == RUN_SUBMITTED || run->state == RUN_RUNNING;
    int attempt = in_pod ? run->attempt + 1 : advance_pod_attempt(run);
    int64_t seq = run->seq > 0 ? run->seq : 1;

    *pod = '\0';
    if (inst->trigger.seq <= seq) /* else that trigger may have been taken, too */
        attempt_execution_id(inst->id.uid, advance_pod_seq(inst, run), attempt, pod);
}

void unsettled_suspect(struct unsettled *u, const struct instance *inst, int64_t until)
{
    u->until = until;
    suspect(inst, &inst->run, u->pod);
}

bool unsettled_is_hidden_by(const struct unsettled *u, const struct instance *inst,
                            const struct run *run, int64_t shown)
{
    char pod[EXECUTION_ID_MAX];

    suspect(inst, run, pod);
    return *pod && unsettled_is_of_other(u, pod, shown);
}

void unsettled_end(struct unsettled *u)
{
    u->until = 0;
}

bool unsettled_exists(const struct unsettled *u, int64_t shown)
{
    return shown < u->until;
}

bool unsettled_is_of(const struct unsettled *u, const char *pod, int64_t shown)
{
    return unsettled_exists(u, shown) && strcmp(u->pod, pod) == 0;
}

bool unsettled_is_of_other(const struct unsettled *u, const char *pod, int64_t shown)
{
    return unsettled_exists(u, shown) && strcmp(u->pod, pod) != 0;
}

/* ---- ghosts ---- */

static void ghost_free(struct map *ghosts, struct ghost *g)
{
    map_remove(ghosts, &g->by_key);
    free(g->key);
    free(g);
}

/* The oldest come first. */
static void forget_old(struct map *ghosts, int64_t shown)
{
    struct ghost *g;

    map_foreach (g, ghosts, by_key) {
        if (unsettled_exists(&g->unsettled, shown))
            return;
        ghost_free(ghosts, g);
    }
}

void ghosts_add(struct map *ghosts, const char *key, const struct unsettled *u, int64_t shown)
{
    struct ghost *g;

    forget_old(ghosts, shown);
    if (!unsettled_exists(u, shown))
        return;
    g = NEW(struct ghost);
    g->key = xstrdup(key);
    g->unsettled = *u;
    map_add(ghosts, &g->by_key, g->key);
}

/* Of several it is not known which pod comes: then it may be any. */
void ghosts_find(const struct map *ghosts, const char *key, struct unsettled *u, int64_t shown)
{
    struct map_node *node = map_get(ghosts, key);

    for (; node; node = map_next_same(node)) {
        const struct ghost *g = container_of(node, struct ghost, by_key);

        if (!unsettled_exists(&g->unsettled, shown))
            continue;
        if (!unsettled_exists(u, shown))
            *u = g->unsettled;
        else if (strcmp(u->pod, g->unsettled.pod) != 0)
            u->pod[0] = '\0';
        if (u->until < g->unsettled.until)
            u->until = g->unsettled.until;
    }
}

void ghosts_clear(struct map *ghosts)
{
    struct ghost *g;

    map_foreach (g, ghosts, by_key)
        ghost_free(ghosts, g);
}
