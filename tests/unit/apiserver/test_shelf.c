/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/shelf.h"

#include "base/buf.h"
#include "base/rng.h"
#include "test.h"

/* As far as shelves look at it. */
static struct instance *new_instance(const char *name, const char *parameter)
{
    struct instance *inst = NEW(struct instance);

    inst->id.name = xstrdup(name);
    inst->parameter = xstrdup(parameter);
    return inst;
}

static void free_instance(struct instance *inst)
{
    free(inst->id.name);
    free(inst->parameter);
    free(inst);
}

static void check_shelf(int line, struct shelves *s, const char *key, const char *want)
{
    const struct shelf *shelf = shelves_get(s, key);
    struct buf b = BUF_INIT;

    for (size_t i = 0; shelf && i < shelf->n; i++)
        buf_addf(&b, "%s%s:%s", i ? " " : "", shelf->items[i]->parameter, shelf->items[i]->id.name);
    CHECK_STR_AT(line, buf_text(&b), want);
    buf_done(&b);
}

#define SHELF(key, want) check_shelf(__LINE__, &s, key, want)

TEST(instances_stand_in_the_order_of_their_parameters)
{
    struct instance *a = new_instance("w.a", "a"), *b = new_instance("w.b", "b"),
                    *c = new_instance("w.c", "c"), *other = new_instance("v.b", "b"),
                    *again = new_instance("w.b", "b");
    struct shelves s;

    shelves_init(&s);
    CHECK(!shelves_get(&s, "w"));
    shelves_put(&s, "w", c);
    shelves_put(&s, "w", a);
    shelves_put(&s, "w", b);
    shelves_put(&s, "v", a);
    SHELF("w", "a:w.a b:w.b c:w.c");
    SHELF("v", "a:w.a");
    shelves_put(&s, "w", other);
    SHELF("w", "a:w.a b:v.b b:w.b c:w.c");
    CHECK_INT(shelf_find(&s, shelves_get(&s, "w"), "b"), 1);
    CHECK_INT(shelf_find(&s, shelves_get(&s, "w"), ""), 0);
    CHECK_INT(shelf_find(&s, shelves_get(&s, "w"), "bb"), 3);
    CHECK_INT(shelf_find(&s, shelves_get(&s, "w"), "d"), 4);
    /* What is newer takes the place of what it was. */
    shelves_put(&s, "w", again);
    CHECK(shelves_get(&s, "w")->items[2] == again);
    shelves_take(&s, "w", again);
    shelves_take(&s, "w", again);
    shelves_take(&s, "x", again);
    SHELF("w", "a:w.a b:v.b c:w.c");
    shelves_take(&s, "v", a);
    CHECK(!shelves_get(&s, "v"));
    shelves_done(&s);
    free_instance(a);
    free_instance(b);
    free_instance(c);
    free_instance(other);
    free_instance(again);
}

/* 2 to the 17th and some more. */
#define MANY     200000
#define HALVINGS 18

static uint64_t compared_since(const struct shelves *s, uint64_t before)
{
    return s->n_compared - before;
}

/* Kubernetes lists objects in the order of their names: each then comes last, and is not moved. */
TEST(a_change_looks_at_few_of_very_many)
{
    struct instance **all = xcalloc(MANY, sizeof(all[0]));
    struct shelves s;
    uint64_t before;

    shelves_init(&s);
    for (int i = 0; i < MANY; i++) {
        char parameter[16];

        snprintf(parameter, sizeof(parameter), "%08d", i);
        all[i] = new_instance(parameter, parameter);
        before = s.n_compared;
        shelves_put(&s, "w", all[i]);
        CHECK(compared_since(&s, before) <= 1);
    }
    struct rng rng;
    rng_init(&rng, test_seed());
    for (int i = 0; i < 100; i++) {
        struct instance *inst = all[rng_below(&rng, MANY)];

        before = s.n_compared;
        CHECK(shelves_get(&s, "w")->items[shelf_find(&s, shelves_get(&s, "w"), inst->parameter)] ==
              inst);
        shelves_put(&s, "w", inst);
        shelves_take(&s, "w", inst);
        shelves_put(&s, "w", inst);
        CHECK(compared_since(&s, before) <= 4 * (HALVINGS + 2));
    }
    CHECK_INT(shelves_get(&s, "w")->n, MANY);
    shelves_done(&s);
    for (int i = 0; i < MANY; i++)
        free_instance(all[i]);
    free(all);
}
