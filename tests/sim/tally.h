/* SPDX-License-Identifier: Apache-2.0 */
/* Maps from texts to small records that own their keys; for observers. */
#ifndef KHARON_SIM_TALLY_H
#define KHARON_SIM_TALLY_H

#include "base/alloc.h"
#include "base/map.h"

struct tally {
    struct map_node node;
    char *key;
    int n;
    int64_t at; /* of the last change */
};

static inline struct tally *tally_find(const struct map *map, const char *key)
{
    struct map_node *node = map_get(map, key);

    return node ? container_of(node, struct tally, node) : NULL;
}

/* Made if it is not there. */
static inline struct tally *tally(struct map *map, const char *key)
{
    struct tally *t = tally_find(map, key);

    if (t)
        return t;
    t = NEW(struct tally);
    t->key = xstrdup(key);
    map_add(map, &t->node, t->key);
    return t;
}

static inline void tally_free(struct map *map, struct tally *t)
{
    map_remove(map, &t->node);
    free(t->key);
    free(t);
}

static inline void tally_free_all(struct map *map)
{
    struct tally *t;

    map_foreach (t, map, node)
        tally_free(map, t);
    map_done(map);
}

/* Those that count nothing and have not changed since. */
static inline void tally_forget(struct map *map, int64_t since)
{
    struct tally *t;

    map_foreach (t, map, node)
        if (t->n <= 0 && t->at < since)
            tally_free(map, t);
}

#endif
