/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include "test.h"

struct thing {
    int *n_freed;
    struct {
        int a, b;
    } inner;
};

static void thing_free(struct thing *t)
{
    ++*t->n_freed;
    free(t);
}

DEFINE_CLEANUP(struct thing *, thing_free);

static struct thing *thing_new(int *n_freed)
{
    struct thing *t = NEW(struct thing);

    t->n_freed = n_freed;
    return t;
}

static struct thing *make(int *n_freed, bool fine)
{
    CLEANUP(thing_free) struct thing *t = thing_new(n_freed);

    return fine ? TAKE(t) : NULL;
}

TEST(owners_clean_up_unless_they_hand_on)
{
    int n_freed = 0;

    CHECK(!make(&n_freed, false));
    CHECK_INT(n_freed, 1);
    struct thing *t = make(&n_freed, true);
    CHECK_INT(n_freed, 1);
    CHECK(t && t->n_freed == &n_freed);
    thing_free(t);
    {
        CLEANUP(thing_free) struct thing *none = NULL;
        (void) none;
    }
    CHECK_INT(n_freed, 2);
}

TEST(members_lead_to_their_owners)
{
    struct thing t = {0};

    CHECK(container_of(&t.inner.b, struct thing, inner.b) == &t);
}

TEST(memory_is_zeroed_and_never_null)
{
    CLEANUP(free) char *some = xcalloc(3, 5), *none = xcalloc(0, 0);
    CLEANUP(free) char *emptied = xrealloc(xcalloc(4, 1), 0, 1);

    for (int i = 0; i < 15; i++)
        CHECK_INT(some[i], 0);
    CHECK(none && emptied);
}

TEST(copies_of_texts)
{
    CLEANUP(free) char *whole = xstrdup("abc");
    CLEANUP(free) char *part = xstrndup("abc", 2);
    CLEANUP(free) char *more = xstrndup("abc", 9);
    CLEANUP(free) char *printed = xasprintf("%d-%s", 7, "x");

    CHECK_STR(whole, "abc");
    CHECK_STR(part, "ab");
    CHECK_STR(more, "abc");
    CHECK_STR(printed, "7-x");
    CHECK(!xstrdup(NULL));
}
