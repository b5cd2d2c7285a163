/* SPDX-License-Identifier: Apache-2.0 */
/* Printing trees: a simulation prints an object for every event. */
#include "sim/fake_server.h"

#include "base/buf.h"

#include <inttypes.h>
#include <string.h>

static void print_text(struct buf *b, const char *text, size_t len)
{
    buf_reserve(b, len + strlen("\"\""));
    char *to = b->data + b->len;
    *to++ = '"';
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) text[i] < ' ' || text[i] == '"' || text[i] == '\\') {
            buf_add_json(b, text);
            return;
        }
        to[i] = text[i];
    }
    b->len += 1 + len;
    buf_addc(b, '"');
}

static void print_int(struct buf *b, json_int_t n)
{
    char digits[24];

    if (n < 0)
        buf_addc(b, '-');
    fake_version_text(n < 0 ? -(uint64_t) n : (uint64_t) n, digits);
    buf_adds(b, digits);
}

static void print(struct buf *b, const json_t *json);

static void print_object(struct buf *b, json_t *json)
{
    char sign = '{';

    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i)) {
        buf_addc(b, sign);
        sign = ',';
        print_text(b, json_object_iter_key(i), json_object_iter_key_len(i));
        buf_addc(b, ':');
        print(b, json_object_iter_value(i));
    }
    buf_adds(b, sign == '{' ? "{}" : "}");
}

static void print_array(struct buf *b, const json_t *json)
{
    buf_addc(b, '[');
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (i)
            buf_addc(b, ',');
        print(b, json_array_get(json, i));
    }
    buf_addc(b, ']');
}

static void print(struct buf *b, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        print_object(b, (json_t *) (uintptr_t) json);
        break;
    case JSON_ARRAY:
        print_array(b, json);
        break;
    case JSON_STRING:
        print_text(b, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        print_int(b, json_integer_value(json));
        break;
    case JSON_REAL:
        buf_addf(b, "%.15g", json_real_value(json));
        break;
    case JSON_TRUE:
        buf_adds(b, "true");
        break;
    case JSON_FALSE:
        buf_adds(b, "false");
        break;
    case JSON_NULL:
        buf_adds(b, "null");
        break;
    }
}

char *fake_print(const json_t *json)
{
    struct buf b = BUF_INIT;

    buf_reserve(&b, 2048);
    print(&b, json);
    return buf_take(&b);
}
