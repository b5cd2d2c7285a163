/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include "base/buf.h"
#include "test.h"

struct item {
    char name;
    struct list link;
};

static struct item items[] = {{'a', {0}}, {'b', {0}}, {'c', {0}}, {'d', {0}}};

#define HOLDS(list, want) check_holds(__LINE__, list, want)

/* Forwards by the macro, backwards by the links. */
static void check_holds(int line, struct list *list, const char *want)
{
    struct buf names = BUF_INIT;
    struct item *item;
    size_t n = 0;

    list_foreach (item, list, link)
        buf_addc(&names, item->name);
    CHECK_STR_AT(line, buf_text(&names), want);
    for (struct list *l = list->prev; l != list; l = l->prev)
        CHECK_INT_AT(line, list_entry(l, struct item, link)->name, want[strlen(want) - ++n]);
    CHECK_INT_AT(line, n, strlen(want));
    CHECK_AT(line, list_empty(list) == (n == 0));
    buf_done(&names);
}

static void put(struct list *list, const char *names)
{
    list_init(list);
    memset(items, 0, sizeof(items));
    for (size_t i = 0; names[i]; i++) {
        items[i].name = names[i];
        list_push_back(list, &items[i].link);
    }
}

TEST(pushing_and_popping)
{
    struct list l;

    put(&l, "");
    HOLDS(&l, "");
    CHECK(!list_pop_front(&l));
    put(&l, "bc");
    list_push_front(&l, &items[3].link);
    items[3].name = 'x';
    HOLDS(&l, "xbc");
    CHECK(list_pop_front(&l) == &items[3].link);
    CHECK(!list_linked(&items[3].link));
    list_insert_before(&items[1].link, &items[3].link);
    HOLDS(&l, "bxc");
}

TEST(removing_twice_is_removing_once)
{
    struct list l;

    put(&l, "abc");
    CHECK(list_linked(&items[1].link));
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    CHECK(!list_linked(&items[1].link));
    HOLDS(&l, "ac");
    list_push_back(&l, &items[1].link);
    HOLDS(&l, "acb");
}

TEST(the_current_member_may_be_removed_while_walking)
{
    struct list l;
    struct item *item;

    put(&l, "abcd");
    list_foreach (item, &l, link)
        if (item->name == 'a' || item->name == 'd')
            list_remove(&item->link);
    HOLDS(&l, "bc");
    list_foreach (item, &l, link)
        list_remove(&item->link);
    HOLDS(&l, "");
}

TEST(splicing_moves_all)
{
    struct list l, other = LIST_INIT(other);

    put(&l, "abc");
    list_push_back(&other, &items[3].link);
    items[3].name = 'x';
    list_splice_back(&other, &l);
    HOLDS(&l, "");
    HOLDS(&other, "xabc");
    list_splice_back(&other, &l);
    HOLDS(&other, "xabc");
}
