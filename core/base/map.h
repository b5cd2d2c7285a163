/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash maps from strings to nodes that live in their owners.
 *
 * The map owns neither nodes nor keys; a key must stay unchanged while its node is in the map.
 * Several nodes may have the same key: map_get finds the one that was added last, and
 * map_next_same goes on to the others.  Iteration order is the order of adding, so that runs
 * repeat.
 */
#ifndef KHARON_BASE_MAP_H
#define KHARON_BASE_MAP_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct map_node {
    const char *key;
    struct map_node *next; /* in its bucket */
    struct list all;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t n_buckets, n;
    struct list all;
};

void map_init(struct map *m);
void map_done(struct map *m); /* frees no node */
void map_add(struct map *m, struct map_node *node, const char *key);
void map_remove(struct map *m, struct map_node *node);          /* nothing if it is in no map */
struct map_node *map_get(const struct map *m, const char *key); /* NULL: none */
struct map_node *map_next_same(const struct map_node *node);

static inline bool map_linked(const struct map_node *node)
{
    return list_linked(&node->all);
}

/* The current member may be removed in the body; no other may. */
#define map_foreach(pos, map, member) list_foreach (pos, &(map)->all, member.all)

uint64_t hash_text(const char *s);

#endif
