/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include "base/alloc.h"

#include <assert.h>

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void place(struct heap *h, size_t i, struct heap_node *node)
{
    h->nodes[i - 1] = node;
    node->index = i;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *node)
{
    for (; i > 1 && before(node, h->nodes[i / 2 - 1]); i /= 2)
        place(h, i, h->nodes[i / 2 - 1]);
    place(h, i, node);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *node)
{
    for (size_t child; (child = 2 * i) <= h->n; i = child) {
        if (child < h->n && before(h->nodes[child], h->nodes[child - 1]))
            child++;
        if (!before(h->nodes[child - 1], node))
            break;
        place(h, i, h->nodes[child - 1]);
    }
    place(h, i, node);
}

void heap_done(struct heap *h)
{
    free(h->nodes);
    *h = (struct heap) {0};
}

void heap_add(struct heap *h, struct heap_node *node, int64_t key)
{
    assert(!heap_linked(node));
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->nodes = xrealloc(h->nodes, h->cap, sizeof(*h->nodes));
    }
    node->key = key;
    node->order = h->orders++;
    h->n++;
    sift_up(h, h->n, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    size_t i = node->index;

    if (i == 0)
        return;
    assert(h->nodes[i - 1] == node);
    struct heap_node *last = h->nodes[--h->n];
    node->index = 0;
    if (last == node)
        return;
    if (i > 1 && before(last, h->nodes[i / 2 - 1]))
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}
