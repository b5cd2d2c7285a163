/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <assert.h>
#include <string.h>

/* FNV-1a.  Keys are names that the API server has checked and bounded in number: not hostile. */
uint64_t hash_text(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *s; s++)
        h = (h ^ (unsigned char) *s) * 0x100000001b3u;
    return h;
}

void map_init(struct map *m)
{
    *m = (struct map) {0};
    list_init(&m->all);
}

void map_done(struct map *m)
{
    free(m->buckets);
    map_init(m);
}

static struct map_node **bucket(const struct map *m, uint64_t hash)
{
    return &m->buckets[hash & (m->n_buckets - 1)];
}

static void link_node(struct map *m, struct map_node *node)
{
    struct map_node **b = bucket(m, node->hash);

    node->next = *b;
    *b = node;
}

static void grow(struct map *m)
{
    struct map_node *node;

    m->n_buckets = m->n_buckets ? 2 * m->n_buckets : 16;
    free(m->buckets);
    m->buckets = xcalloc(m->n_buckets, sizeof(*m->buckets));
    list_foreach (node, &m->all, all)
        link_node(m, node);
}

void map_add(struct map *m, struct map_node *node, const char *key)
{
    assert(!map_linked(node));
    if (m->n >= m->n_buckets)
        grow(m);
    node->key = key;
    node->hash = hash_text(key);
    link_node(m, node);
    list_push_back(&m->all, &node->all);
    m->n++;
}

void map_remove(struct map *m, struct map_node *node)
{
    if (!map_linked(node))
        return;
    struct map_node **at = bucket(m, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    list_remove(&node->all);
    m->n--;
}

static struct map_node *match(struct map_node *node, uint64_t hash, const char *key)
{
    for (; node; node = node->next)
        if (node->hash == hash && strcmp(node->key, key) == 0)
            return node;
    return NULL;
}

struct map_node *map_get(const struct map *m, const char *key)
{
    if (m->n == 0)
        return NULL;
    uint64_t hash = hash_text(key);
    return match(*bucket(m, hash), hash, key);
}

struct map_node *map_next_same(const struct map_node *node)
{
    return match(node->next, node->hash, node->key);
}
