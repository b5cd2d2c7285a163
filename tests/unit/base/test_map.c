/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/rng.h"
#include "test.h"

#include <limits.h>

#define N_ENTRIES 400
#define N_KEYS    60

struct entry {
    struct map_node node;
    char key[16];
    int added; /* a count of all additions when this one was; 0: not in the map */
};

TEST(hashes_of_published_vectors)
{
    CHECK(hash_text("") == 0xcbf29ce484222325u);
    CHECK(hash_text("a") == 0xaf63dc4c8601ec8cu);
    CHECK(hash_text("foobar") == 0x85944171f73967e8u);
}

TEST(an_empty_map_finds_nothing)
{
    struct map m;
    struct entry e = {0};

    map_init(&m);
    CHECK(!map_get(&m, "a"));
    map_remove(&m, &e.node);
    CHECK(!map_linked(&e.node));
    map_add(&m, &e.node, "a");
    CHECK(map_linked(&e.node));
    CHECK(map_get(&m, "a") == &e.node);
    CHECK(!map_get(&m, "b"));
    map_remove(&m, &e.node);
    CHECK(!map_get(&m, "a"));
    CHECK_INT(m.n, 0);
    map_done(&m);
}

/* The latest of the key that is older than `than`. */
static struct entry *slow_get(struct entry *entries, const char *key, int than)
{
    struct entry *best = NULL;

    for (size_t i = 0; i < N_ENTRIES; i++) {
        struct entry *e = &entries[i];

        if (e->added && e->added < than && strcmp(e->key, key) == 0 &&
            (!best || e->added > best->added))
            best = e;
    }
    return best;
}

static void check_key(const struct map *m, struct entry *entries, const char *key)
{
    struct map_node *node = map_get(m, key);
    struct entry *want = slow_get(entries, key, INT_MAX);

    while (node || want) {
        CHECK(node && want);
        CHECK(node == &want->node);
        node = map_next_same(node);
        want = slow_get(entries, key, want->added);
    }
}

static void check_order(const struct map *m)
{
    const struct entry *e;
    int last = 0;
    size_t n = 0;

    map_foreach (e, m, node) {
        CHECK(e->added > last);
        last = e->added;
        n++;
    }
    CHECK_INT(n, m->n);
}

TEST(random_operations_agree_with_a_search)
{
    static struct entry entries[N_ENTRIES];
    struct map m;
    struct rng rng;
    int additions = 0;

    map_init(&m);
    rng_init(&rng, test_seed());
    for (int step = 0; step < 10000; step++) {
        struct entry *e = &entries[rng_below(&rng, N_ENTRIES)];
        char key[16];

        if (e->added) {
            map_remove(&m, &e->node);
            e->added = 0;
        } else {
            snprintf(e->key, sizeof(e->key), "k%d", (int) rng_below(&rng, N_KEYS));
            map_add(&m, &e->node, e->key);
            e->added = ++additions;
        }
        snprintf(key, sizeof(key), "k%d", (int) rng_below(&rng, N_KEYS + 1));
        check_key(&m, entries, key);
        if (step % 500 == 0)
            check_order(&m);
    }
    map_done(&m);
}

TEST(all_members_may_be_removed_while_walking)
{
    struct map m;
    struct entry entries[40] = {0}, *e;

    map_init(&m);
    for (int i = 0; i < 40; i++)
        map_add(&m, &entries[i].node, i % 2 ? "odd" : "even");
    map_foreach (e, &m, node)
        map_remove(&m, &e->node);
    CHECK_INT(m.n, 0);
    CHECK(!map_get(&m, "odd") && !map_get(&m, "even"));
    map_done(&m);
}
