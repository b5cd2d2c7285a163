/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/shelf.h"

#include <string.h>

void shelves_init(struct shelves *s)
{
    *s = (struct shelves) {0};
    map_init(&s->by_key);
}

static void shelf_free(struct shelves *s, struct shelf *shelf)
{
    map_remove(&s->by_key, &shelf->by_key);
    free(shelf->items);
    free(shelf->key);
    free(shelf);
}

void shelves_done(struct shelves *s)
{
    struct shelf *shelf;

    map_foreach (shelf, &s->by_key, by_key)
        shelf_free(s, shelf);
    map_done(&s->by_key);
}

static struct shelf *find(const struct shelves *s, const char *key)
{
    struct map_node *node = map_get(&s->by_key, key);

    return node ? container_of(node, struct shelf, by_key) : NULL;
}

const struct shelf *shelves_get(const struct shelves *s, const char *key)
{
    return find(s, key);
}

static struct shelf *find_or_make(struct shelves *s, const char *key)
{
    struct shelf *shelf = find(s, key);

    if (shelf)
        return shelf;
    shelf = NEW(struct shelf);
    shelf->key = xstrdup(key);
    map_add(&s->by_key, &shelf->by_key, shelf->key);
    return shelf;
}

/* `name` "": before all objects of the parameter. */
static int compare(struct shelves *s, const struct instance *inst, const char *parameter,
                   const char *name)
{
    int order = strcmp(inst->parameter, parameter);

    s->n_compared++;
    return order ? order : strcmp(inst->id.name, name);
}

static size_t find_place(struct shelves *s, const struct shelf *shelf, const char *parameter,
                         const char *name)
{
    size_t low = 0, high = shelf->n;

    /* New partitions come last, and lists of Kubernetes are in order. */
    if (high > 0 && compare(s, shelf->items[high - 1], parameter, name) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(s, shelf->items[middle], parameter, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(struct shelves *s, const struct shelf *shelf, size_t at,
                  const struct instance *inst)
{
    return at < shelf->n && compare(s, shelf->items[at], inst->parameter, inst->id.name) == 0;
}

static void make_room(struct shelf *shelf, size_t at)
{
    if (shelf->n == shelf->cap) {
        shelf->cap = shelf->cap ? 2 * shelf->cap : 4;
        shelf->items = xrealloc(shelf->items, shelf->cap, sizeof(shelf->items[0]));
    }
    memmove(&shelf->items[at + 1], &shelf->items[at], (shelf->n - at) * sizeof(shelf->items[0]));
    shelf->n++;
}

void shelves_put(struct shelves *s, const char *key, const struct instance *inst)
{
    struct shelf *shelf = find_or_make(s, key);
    size_t at = find_place(s, shelf, inst->parameter, inst->id.name);

    if (!is_at(s, shelf, at, inst))
        make_room(shelf, at);
    shelf->items[at] = inst;
}

void shelves_take(struct shelves *s, const char *key, const struct instance *inst)
{
    struct shelf *shelf = find(s, key);
    size_t at = shelf ? find_place(s, shelf, inst->parameter, inst->id.name) : 0;

    if (!shelf || !is_at(s, shelf, at, inst))
        return;
    shelf->n--;
    memmove(&shelf->items[at], &shelf->items[at + 1], (shelf->n - at) * sizeof(shelf->items[0]));
    if (shelf->n == 0)
        shelf_free(s, shelf);
}

size_t shelf_find(struct shelves *s, const struct shelf *shelf, const char *parameter)
{
    return find_place(s, shelf, parameter, "");
}
