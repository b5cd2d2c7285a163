/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/buf.h"

#include <inttypes.h>
#include <string.h>

/* Jansson shows what it met, which may be half a character. */
static bool refuse(const json_error_t *where, struct error *err)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf reason = BUF_INIT;

    buf_add_utf8(&reason, where->text);
    return error_set(err, ERROR_INVALID, "not JSON: line %d, column %d: %s", where->line,
                     where->column, buf_text(&reason));
}

bool json_parse(const char *text, size_t len, json_t **ret_json, struct error *err)
{
    json_error_t where;
    json_t *json =
        json_loadb(text, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);

    if (!json)
        return refuse(&where, err);
    *ret_json = json;
    return true;
}

json_t *json_at(const json_t *json, const char *path)
{
    json_t *value = NULL;

    while (*path) {
        size_t len = (size_t) (strchrnul(path, '.') - path);

        value = json_object_getn(json, path, len);
        if (!value || json_is_null(value))
            return NULL;
        json = value;
        path += len + (path[len] == '.');
    }
    return value;
}

const char *json_text_at(const json_t *json, const char *path)
{
    return json_string_value(json_at(json, path));
}

int64_t json_int_at(const json_t *json, const char *path, int64_t otherwise)
{
    const json_t *value = json_at(json, path);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool json_bool_at(const json_t *json, const char *path, bool otherwise)
{
    const json_t *value = json_at(json, path);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

bool json_read_text(const json_t *json, const char *path, const char **ret, struct error *err)
{
    const json_t *value = json_at(json, path);

    if (!value)
        return true;
    if (!json_is_string(value))
        return error_set(err, ERROR_INVALID, "%s: must be a text", path);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return error_set(err, ERROR_INVALID, "%s: must not contain a NUL character", path);
    *ret = json_string_value(value);
    return true;
}

bool json_read_int(const json_t *json, const char *path, int64_t low, int64_t high, int64_t *ret,
                   struct error *err)
{
    const json_t *value = json_at(json, path);

    if (!value)
        return true;
    if (!json_is_integer(value))
        return error_set(err, ERROR_INVALID, "%s: must be an integer", path);
    int64_t n = json_integer_value(value);
    if (n < low || n > high)
        return error_set(err, ERROR_INVALID,
                         "%s: %" PRId64 " is not within %" PRId64 " and %" PRId64, path, n, low,
                         high);
    *ret = n;
    return true;
}

bool json_read_bool(const json_t *json, const char *path, bool *ret, struct error *err)
{
    const json_t *value = json_at(json, path);

    if (!value)
        return true;
    if (!json_is_boolean(value))
        return error_set(err, ERROR_INVALID, "%s: must be true or false", path);
    *ret = json_is_true(value);
    return true;
}

bool json_read_array(const json_t *json, const char *path, json_t **ret, struct error *err)
{
    json_t *value = json_at(json, path);

    if (!value)
        return true;
    if (!json_is_array(value))
        return error_set(err, ERROR_INVALID, "%s: must be a list", path);
    *ret = value;
    return true;
}

bool json_read_object(const json_t *json, const char *path, json_t **ret, struct error *err)
{
    json_t *value = json_at(json, path);

    if (!value)
        return true;
    if (!json_is_object(value))
        return error_set(err, ERROR_INVALID, "%s: must be an object", path);
    *ret = value;
    return true;
}

void json_set_take(json_t *object, const char *key, json_t *value)
{
    if (value && json_object_set_new_nocheck(object, key, value) != 0)
        abort();
}

void json_set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_set_take(object, key, json_text(text));
}

void json_set_int(json_t *object, const char *key, int64_t value)
{
    json_set_take(object, key, json_integer(value));
}

void json_set_bool(json_t *object, const char *key, bool value)
{
    json_set_take(object, key, json_boolean(value));
}

static json_t *repaired(const char *text)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf b = BUF_INIT;

    buf_add_utf8(&b, text);
    return json_string(buf_text(&b));
}

json_t *json_text(const char *text)
{
    json_t *json = json_string(text);

    return json ? json : repaired(text);
}

/* Whether it is read back as the same when it is printed with so few digits. */
static bool survives_15_digits(double real)
{
    char text[40];

    snprintf(text, sizeof(text), "%.15g", real);
    return strtod(text, NULL) == real;
}

static bool has_long_fraction(const json_t *json)
{
    const json_t *value;
    const char *key;
    size_t i;

    json_array_foreach (json, i, value)
        if (has_long_fraction(value))
            return true;
    json_object_foreach ((json_t *) (uintptr_t) json, key, value)
        if (has_long_fraction(value))
            return true;
    return json_is_real(json) && !survives_15_digits(json_real_value(json));
}

char *json_print(const json_t *json)
{
    size_t digits = has_long_fraction(json) ? 17 : 15;
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));

    if (!text)
        abort();
    return text;
}

/* ---- sizes: jansson tells them, too, by printing, which takes five times as long ---- */

static size_t text_size(const char *text, size_t len)
{
    size_t size = strlen("\"\"") + len;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char) text[i];

        if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v'))
            size += strlen("\\n") - 1;
        else if (c < ' ')
            size += strlen("\\u0000") - 1;
    }
    return size;
}

static size_t int_size(json_int_t n)
{
    size_t size = n < 0 ? strlen("-0") : strlen("0");

    while ((n /= 10))
        size++;
    return size;
}

size_t json_printed_size(const json_t *json)
{
    size_t size = 0, len, i;
    const json_t *value;
    const char *key;

    switch (json_typeof(json)) {
    case JSON_OBJECT:
        json_object_keylen_foreach ((json_t *) (uintptr_t) json, key, len, value)
            size += text_size(key, len) + strlen(":,") + json_printed_size(value);
        return size ? size + strlen("{}") - strlen(",") : strlen("{}");
    case JSON_ARRAY:
        json_array_foreach (json, i, value)
            size += json_printed_size(value) + strlen(",");
        return size ? size + strlen("[]") - strlen(",") : strlen("[]");
    case JSON_STRING:
        return text_size(json_string_value(json), json_string_length(json));
    case JSON_INTEGER:
        return int_size(json_integer_value(json));
    case JSON_REAL:
        return strlen("-1.2345678901234567e-308");
    case JSON_FALSE:
        return strlen("false");
    default:
        return strlen("true"); /* or null */
    }
}
