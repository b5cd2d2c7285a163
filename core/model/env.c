/* SPDX-License-Identifier: Apache-2.0 */
#include "model/env.h"

#include <string.h>

/* Room for one more.  The room doubles whenever n is a power of two, so that appending many is
 * quick and no capacity has to be kept. */
static void *grow(void *items, size_t n, size_t size)
{
    return (n & (n - 1)) == 0 ? xrealloc(items, n ? 2 * n : 1, size) : items;
}

static struct env_var *find(const struct env *env, const char *name)
{
    for (size_t i = 0; i < env->n; i++)
        if (strcmp(env->vars[i].name, name) == 0)
            return &env->vars[i];
    return NULL;
}

void env_set(struct env *env, const char *name, const char *value)
{
    struct env_var *var = find(env, name);
    char *copy = xstrdup(value); /* value may be the one that is replaced */

    if (var) {
        free(var->value);
        var->value = copy;
        return;
    }
    env_append_take(env, name, copy);
}

void env_append_take(struct env *env, const char *name, char *value)
{
    env->vars = grow(env->vars, env->n, sizeof(*env->vars));
    env->vars[env->n++] = (struct env_var) {xstrdup(name), value};
}

const char *env_get(const struct env *env, const char *name)
{
    const struct env_var *var = find(env, name);

    return var ? var->value : NULL;
}

void env_copy(struct env *to, const struct env *from)
{
    for (size_t i = 0; i < from->n; i++)
        env_set(to, from->vars[i].name, from->vars[i].value);
}

void env_done(struct env *env)
{
    for (size_t i = 0; i < env->n; i++) {
        free(env->vars[i].name);
        free(env->vars[i].value);
    }
    free(env->vars);
    *env = (struct env) {0};
}

json_t *env_encode(const struct env *env)
{
    json_t *list = json_array();

    for (size_t i = 0; i < env->n; i++) {
        json_t *var = json_object();

        json_set_text(var, "name", env->vars[i].name);
        json_set_text(var, "value", env->vars[i].value);
        json_array_append_new(list, var);
    }
    return list;
}

static bool decode_var(const json_t *item, struct env *env, struct error *err)
{
    const char *name = NULL, *value = "";

    if (!json_is_object(item))
        return error_set(err, ERROR_INVALID, "must be an object with name and value");
    if (!json_read_text(item, "name", &name, err) || !json_read_text(item, "value", &value, err))
        return false;
    if (!name)
        return error_set(err, ERROR_INVALID, "name: missing");
    env_set(env, name, value);
    return true;
}

bool env_decode(const json_t *list, struct env *env, struct error *err)
{
    struct env decoded = {0};
    size_t i;
    const json_t *item;

    if (!list)
        return true;
    if (!json_is_array(list))
        return error_set(err, ERROR_INVALID, "must be a list");
    json_array_foreach (list, i, item) {
        if (!decode_var(item, &decoded, err)) {
            env_done(&decoded);
            return error_prefix(err, "item %zu", i);
        }
    }
    env_copy(env, &decoded);
    env_done(&decoded);
    return true;
}

void texts_add_take(struct texts *t, char *text)
{
    t->items = grow(t->items, t->n, sizeof(*t->items));
    t->items[t->n++] = text;
}

void texts_add(struct texts *t, const char *text)
{
    texts_add_take(t, xstrdup(text));
}

bool texts_contain(const struct texts *t, const char *text)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->items[i], text) == 0)
            return true;
    return false;
}

void texts_copy(struct texts *to, const struct texts *from)
{
    size_t n = from->n; /* from may be to */

    for (size_t i = 0; i < n; i++)
        texts_add(to, from->items[i]);
}

void texts_done(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->items[i]);
    free(t->items);
    *t = (struct texts) {0};
}

json_t *texts_encode(const struct texts *t)
{
    json_t *list = json_array();

    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(list, json_text(t->items[i]));
    return list;
}

static bool check_text(const json_t *item, struct error *err)
{
    if (!json_is_string(item))
        return error_set(err, ERROR_INVALID, "must be a text");
    if (strlen(json_string_value(item)) != json_string_length(item))
        return error_set(err, ERROR_INVALID, "must not contain a NUL character");
    return true;
}

bool texts_decode(const json_t *list, struct texts *t, struct error *err)
{
    size_t i;
    const json_t *item;

    if (!list)
        return true;
    if (!json_is_array(list))
        return error_set(err, ERROR_INVALID, "must be a list");
    json_array_foreach (list, i, item)
        if (!check_text(item, err))
            return error_prefix(err, "item %zu", i);
    json_array_foreach (list, i, item)
        texts_add(t, json_string_value(item));
    return true;
}
