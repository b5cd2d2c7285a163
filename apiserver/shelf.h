/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instances by whose they are and, within that, in the order of their parameters as text (Styx
 * behaviour, 13.3).  Finished ones stay for years: a page is found by halving, and nothing but the
 * page is looked at.
 *
 * Instances are borrowed; whoever frees one takes it from its shelf first.  One that stands on a
 * shelf must have a parameter.
 */
#ifndef KHARON_APISERVER_SHELF_H
#define KHARON_APISERVER_SHELF_H

#include "base/map.h"
#include "model/instance.h"

struct shelf {
    struct map_node by_key;
    char *key;
    const struct instance **items; /* by parameter; of the same parameter by name of the object */
    size_t n, cap;
};

struct shelves {
    struct map by_key;
    uint64_t n_compared; /* how often two instances were compared, ever: for tests */
};

void shelves_init(struct shelves *s);
void shelves_done(struct shelves *s);

/* Puts `inst` on the shelf, or in the place of the one that has its parameter and its object. */
void shelves_put(struct shelves *s, const char *key, const struct instance *inst);
/* Takes off what has the parameter and the object of `inst`; nothing if it is not there. */
void shelves_take(struct shelves *s, const char *key, const struct instance *inst);
const struct shelf *shelves_get(const struct shelves *s, const char *key); /* NULL: empty */
/* Where the first one stands whose parameter is not before `parameter`; the number of all if
 * none. */
size_t shelf_find(struct shelves *s, const struct shelf *shelf, const char *parameter);

#endif
