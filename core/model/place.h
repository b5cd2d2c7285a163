/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where components live (design, section 3): in the namespace that the settings map them to, else
 * in the watched namespace of the same name, else in that of the installation.
 *
 * Both programs take the same arguments, and go by this rule.
 */
#ifndef KHARON_MODEL_PLACE_H
#define KHARON_MODEL_PLACE_H

#include "model/env.h"

struct places {
    struct texts watched; /* that of the installation first */
    struct env mapped;    /* component → namespace */
    char *installation;
};

/* From lists as on the command line, "component=namespace" each. */
bool places_init(struct places *p, char *const *watched, size_t n_watched, char *const *mapped,
                 size_t n_mapped, const char *installation, struct error *err);
void places_done(struct places *p);
const char *place_of(const struct places *p, const char *component);

#endif
