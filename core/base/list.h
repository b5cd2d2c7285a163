/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doubly linked lists whose links live in the members.
 *
 * A list is a link that points to itself when empty.  A zeroed or removed link is in no list, and
 * removing it again does nothing.
 */
#ifndef KHARON_BASE_LIST_H
#define KHARON_BASE_LIST_H

#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>

struct list {
    struct list *prev, *next;
};

/* clang-format off */
#define LIST_INIT(name) {&(name), &(name)}
/* clang-format on */

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline bool list_linked(const struct list *link)
{
    return link->next && link->next != link;
}

static inline void list_insert_before(struct list *at, struct list *link)
{
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}

static inline void list_push_back(struct list *l, struct list *link)
{
    list_insert_before(l, link);
}

static inline void list_push_front(struct list *l, struct list *link)
{
    list_insert_before(l->next, link);
}

static inline void list_remove(struct list *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

/* The first link, removed; NULL when the list is empty. */
static inline struct list *list_pop_front(struct list *l)
{
    struct list *link = l->next;

    if (link == l)
        return NULL;
    list_remove(link);
    return link;
}

/* Moves all of `from` to the end of `to`. */
static inline void list_splice_back(struct list *to, struct list *from)
{
    struct list *link;

    while ((link = list_pop_front(from)))
        list_push_back(to, link);
}

#define list_entry(link, type, member) container_of(link, type, member)

#define LIST_PASTE_(a, b) a##b
#define LIST_PASTE(a, b)  LIST_PASTE_(a, b)

/* The current member may be removed in the body; no other may. */
/* clang-format off */
#define list_foreach(pos, head, member)                                                            \
    for (struct list *LIST_PASTE(at_, __LINE__) = (head)->next,                                    \
                     *LIST_PASTE(next_, __LINE__) = LIST_PASTE(at_, __LINE__)->next;               \
         LIST_PASTE(at_, __LINE__) != (head) &&                                                    \
         ((pos) = container_of(LIST_PASTE(at_, __LINE__), __typeof__(*(pos)), member), true);      \
         LIST_PASTE(at_, __LINE__) = LIST_PASTE(next_, __LINE__),                                  \
                     LIST_PASTE(next_, __LINE__) = LIST_PASTE(at_, __LINE__)->next)
/* clang-format on */

#endif
