/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary min-heap of nodes that live in their owners, ordered by an int64 and, among equals, by
 * the order in which they were added, so that a run is the same each time it is repeated.
 */
#ifndef KHARON_BASE_HEAP_H
#define KHARON_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint64_t order;
    size_t index; /* 1-based; 0: in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t n, cap;
    uint64_t orders;
};

void heap_done(struct heap *h); /* frees no node */
void heap_add(struct heap *h, struct heap_node *node, int64_t key);
void heap_remove(struct heap *h, struct heap_node *node); /* nothing if it is in no heap */

/* NULL when empty. */
static inline struct heap_node *heap_top(const struct heap *h)
{
    return h->n ? h->nodes[0] : NULL;
}

static inline bool heap_linked(const struct heap_node *node)
{
    return node->index != 0;
}

#endif
