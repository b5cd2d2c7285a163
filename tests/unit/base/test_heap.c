/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include "base/rng.h"
#include "test.h"

#define N_NODES 200

/* The slow and obvious way: the least (key, order) of the linked nodes. */
static const struct heap_node *least(const struct heap_node *nodes)
{
    const struct heap_node *best = NULL;

    for (size_t i = 0; i < N_NODES; i++) {
        const struct heap_node *n = &nodes[i];

        if (!heap_linked(n))
            continue;
        if (!best || n->key < best->key || (n->key == best->key && n->order < best->order))
            best = n;
    }
    return best;
}

TEST(an_empty_heap_has_no_top)
{
    struct heap h = {0};
    struct heap_node n = {0};

    CHECK(!heap_top(&h));
    CHECK(!heap_linked(&n));
    heap_remove(&h, &n);
    heap_add(&h, &n, 5);
    CHECK(heap_top(&h) == &n);
    heap_remove(&h, &n);
    CHECK(!heap_top(&h));
    heap_done(&h);
}

TEST(equal_keys_leave_in_the_order_they_came)
{
    struct heap h = {0};
    struct heap_node nodes[50] = {0};

    for (size_t i = 0; i < 50; i++)
        heap_add(&h, &nodes[i], (int64_t) (i % 2));
    for (size_t i = 0; i < 50; i++) {
        CHECK(heap_top(&h) == &nodes[i < 25 ? 2 * i : 2 * (i - 25) + 1]);
        heap_remove(&h, heap_top(&h));
    }
    heap_done(&h);
}

TEST(extreme_keys_are_ordered)
{
    struct heap h = {0};
    struct heap_node low = {0}, zero = {0}, high = {0};

    heap_add(&h, &high, INT64_MAX);
    heap_add(&h, &zero, 0);
    heap_add(&h, &low, INT64_MIN);
    CHECK(heap_top(&h) == &low);
    heap_remove(&h, &low);
    CHECK(heap_top(&h) == &zero);
    heap_done(&h);
}

TEST(random_operations_agree_with_a_search)
{
    struct heap h = {0};
    struct heap_node nodes[N_NODES] = {0};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int step = 0; step < 20000; step++) {
        struct heap_node *n = &nodes[rng_below(&rng, N_NODES)];

        if (heap_linked(n))
            heap_remove(&h, n);
        else
            heap_add(&h, n, rng_between(&rng, -20, 20));
        CHECK(heap_top(&h) == least(nodes));
    }
    while (heap_top(&h))
        heap_remove(&h, heap_top(&h));
    CHECK(!least(nodes));
    heap_done(&h);
}
