/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment variables and lists of texts, as objects of the API carry them.
 *
 * Both keep the order in which they were given, since people read it back, and own all their texts.
 * Zero-initialised is empty; *_done empties.  They grow by the functions in here only.  Decoding is
 * all or nothing: after a failure the output is as it was.
 */
#ifndef KHARON_MODEL_ENV_H
#define KHARON_MODEL_ENV_H

#include "base/json.h"

struct env_var {
    char *name, *value; /* never NULL */
};

struct env {
    struct env_var *vars; /* no name twice */
    size_t n;
};

/* Appends, or replaces the value of a name that is there. */
void env_set(struct env *env, const char *name, const char *value);
/* Appends a name that is known not to be there, without a search.  Takes `value`. */
void env_append_take(struct env *env, const char *name, char *value);
const char *env_get(const struct env *env, const char *name); /* NULL: absent */
void env_copy(struct env *to, const struct env *from);        /* lays `from` over `to` */
void env_done(struct env *env);
/* [{name, value}] */
json_t *env_encode(const struct env *env);
/* Lays a list of {name, value} over `env`; a variable without a value is empty.  NULL list:
 * nothing. */
bool env_decode(const json_t *list, struct env *env, struct error *err);

struct texts {
    char **items; /* never NULL */
    size_t n;
};

void texts_add(struct texts *t, const char *text);
void texts_add_take(struct texts *t, char *text);
bool texts_contain(const struct texts *t, const char *text);
void texts_copy(struct texts *to, const struct texts *from); /* appends */
void texts_done(struct texts *t);
json_t *texts_encode(const struct texts *t);
/* Appends a list of texts.  NULL list: nothing. */
bool texts_decode(const json_t *list, struct texts *t, struct error *err);

#endif
