/* SPDX-License-Identifier: Apache-2.0 */
#include "model/field.h"

#include <string.h>

bool field_text(const json_t *json, const char *path, char **ret, struct error *err)
{
    const char *text = NULL;

    if (!json_read_text(json, path, &text, err))
        return false;
    if (text) {
        free(*ret);
        *ret = xstrdup(text);
    }
    return true;
}

bool field_texts(const json_t *json, const char *path, struct texts *ret, struct error *err)
{
    struct texts read = {0};

    if (!json_at(json, path))
        return true;
    if (!texts_decode(json_at(json, path), &read, err))
        return error_prefix(err, "%s", path);
    texts_done(ret);
    *ret = read;
    return true;
}

bool field_env(const json_t *json, const char *path, struct env *ret, struct error *err)
{
    struct env read = {0};

    if (!json_at(json, path))
        return true;
    if (!env_decode(json_at(json, path), &read, err))
        return error_prefix(err, "%s", path);
    env_done(ret);
    *ret = read;
    return true;
}

bool field_int(const json_t *json, const char *path, int low, int high, int *ret, struct error *err)
{
    int64_t n = *ret;

    if (!json_at(json, path))
        return true;
    if (!json_read_int(json, path, low, high, &n, err))
        return false;
    *ret = (int) n;
    return true;
}

bool field_instant(const json_t *json, const char *path, instant *ret, struct error *err)
{
    const char *text = NULL;

    if (!json_read_text(json, path, &text, err))
        return false;
    if (text && !instant_parse(text, ret, err))
        return error_prefix(err, "%s", path);
    return true;
}

bool field_object(const json_t *json, const char *path, char **ret, struct error *err)
{
    json_t *value = NULL;

    if (!json_read_object(json, path, &value, err))
        return false;
    if (!value)
        return true;
    free(*ret);
    *ret = json_print(value);
    return true;
}

void field_set_instant(json_t *object, const char *key, instant t)
{
    char text[INSTANT_TEXT_MAX];

    if (t != INSTANT_NONE)
        json_set_text(object, key, instant_print(t, text));
}

void field_set_object(json_t *object, const char *key, const char *text)
{
    struct error ignored; /* our own text, made by field_object */
    json_t *value = NULL;

    if (text && json_parse(text, strlen(text), &value, &ignored))
        json_set_take(object, key, value);
}

void field_put_text(json_t *object, const char *key, const char *text)
{
    json_set_take(object, key, text ? json_text(text) : json_null());
}

void field_put_instant(json_t *object, const char *key, instant t)
{
    if (t == INSTANT_NONE)
        json_set_take(object, key, json_null());
    else
        field_set_instant(object, key, t);
}

void field_set_texts(json_t *object, const char *key, const struct texts *texts)
{
    if (texts->n)
        json_set_take(object, key, texts_encode(texts));
}

void field_set_env(json_t *object, const char *key, const struct env *env)
{
    if (env->n)
        json_set_take(object, key, env_encode(env));
}

void field_set_unless_empty(json_t *object, const char *key, json_t *value)
{
    if (json_object_size(value))
        json_set_take(object, key, value);
    else
        json_decref(value);
}
