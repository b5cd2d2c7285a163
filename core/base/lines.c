/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lines.h"

#include <string.h>

void lines_init(struct lines *l, size_t max)
{
    *l = (struct lines) {.max = max};
}

void lines_done(struct lines *l)
{
    buf_done(&l->buf);
    lines_init(l, l->max);
}

void lines_add(struct lines *l, const void *data, size_t len)
{
    buf_remove_front(&l->buf, l->start);
    l->searched -= l->start;
    l->start = 0;
    buf_add(&l->buf, data, len);
}

bool lines_next(struct lines *l, const char **ret_line, size_t *ret_len, struct error *err)
{
    const char *line = buf_text(&l->buf) + l->start;
    char *end = NULL;

    if (l->searched < l->buf.len)
        end = memchr(l->buf.data + l->searched, '\n', l->buf.len - l->searched);
    size_t len = end ? (size_t) (end - line) : l->buf.len - l->start;
    if (len > l->max)
        return error_set(err, ERROR_TOO_LARGE, "a line is longer than %zu bytes", l->max);
    l->searched = l->start + len;
    if (!end) {
        *ret_line = NULL;
        *ret_len = 0;
        return true;
    }
    *end = '\0';
    l->searched++;
    l->start = l->searched;
    *ret_line = line;
    *ret_len = len;
    return true;
}

const char *lines_last(struct lines *l, size_t *ret_len)
{
    *ret_len = l->buf.len - l->start;
    return *ret_len ? l->buf.data + l->start : NULL;
}

void items_init(struct items *s, size_t max_item, size_t max_rest)
{
    *s = (struct items) {.max_item = max_item, .max_rest = max_rest};
}

void items_done(struct items *s)
{
    buf_done(&s->input);
    buf_done(&s->item);
    buf_done(&s->rest);
    items_init(s, s->max_item, s->max_rest);
}

void items_add(struct items *s, const void *data, size_t len)
{
    if (s->failed.code)
        return;
    buf_remove_front(&s->input, s->at);
    s->at = 0;
    buf_add(&s->input, data, len);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void scan_byte(struct json_scan *s, char c)
{
    if (s->escaped)
        s->escaped = false;
    else if (s->in_string && c == '\\')
        s->escaped = true;
    else if (c == '"')
        s->in_string = !s->in_string;
    else if (s->in_string)
        return;
    else if (c == '{' || c == '[')
        s->depth++;
    else if (c == '}' || c == ']')
        s->depth--;
}

/* What the latest byte outside of items means for finding the member "items" of depth 1. */
static void find_array(struct items *s, char c, bool was_in_string)
{
    static const char name[] = "\"items\"";
    const size_t name_len = sizeof(name) - 1;

    if (s->scan.in_string) {
        if (!was_in_string)
            s->name_at = s->rest.len - 1;
        return;
    }
    if (was_in_string && s->scan.depth == 1)
        s->name_is_items = s->rest.len - s->name_at == name_len &&
                           memcmp(s->rest.data + s->name_at, name, name_len) == 0;
    else if (c == ':' && s->scan.depth == 1)
        s->value_of_items = s->name_is_items;
    else if (!is_space(c)) {
        s->in_array = c == '[' && s->value_of_items && s->scan.depth == 2;
        s->value_of_items = false;
        if (s->in_array)
            s->n_items = 0;
    }
}

static bool take_outside(struct items *s, char c, struct error *err)
{
    bool was_in_string = s->scan.in_string;

    if (s->scan.depth == 0 && !was_in_string &&
        (c == '}' || c == ']' || (s->seen_end && !is_space(c))))
        return error_set(err, ERROR_INVALID, "not JSON: '%c' after the end", c);
    if (s->rest.len == s->max_rest)
        return error_set(err, ERROR_TOO_LARGE, "without its items a list is longer than %zu bytes",
                         s->max_rest);
    buf_addc(&s->rest, c);
    scan_byte(&s->scan, c);
    if (c == '}' && s->scan.depth == 0 && !was_in_string)
        s->seen_end = true;
    find_array(s, c, was_in_string);
    return true;
}

/* The number of bytes of text[0..len) that belong to the current item. */
static size_t span_of_item(struct json_scan *scan, const char *text, size_t len)
{
    size_t i = 0;

    for (; i < len; i++) {
        char c = text[i];

        if (scan->depth == 2 && !scan->in_string && (c == ',' || c == ']' || c == '}'))
            break;
        scan_byte(scan, c);
    }
    return i;
}

static void trim_end(struct buf *b)
{
    while (b->len && is_space(b->data[b->len - 1]))
        b->len--;
    if (b->data)
        b->data[b->len] = '\0';
}

/* The item has ended with c; an empty one is fine as the only one, before ']'. */
static bool end_item(struct items *s, char c, bool *ret_complete, struct error *err)
{
    trim_end(&s->item);
    if (c == '}' || (s->item.len == 0 && (c == ',' || s->n_items)))
        return error_set(err, ERROR_INVALID, "not JSON: '%c' in the place of item %zu", c,
                         s->n_items);
    *ret_complete = s->item.len > 0;
    s->n_items++;
    if (c == ']') {
        s->in_array = false;
        return take_outside(s, c, err);
    }
    return true;
}

static bool take_item(struct items *s, bool *ret_complete, struct error *err)
{
    const char *text = s->input.data + s->at;
    size_t left = s->input.len - s->at;

    if (s->item.len == 0 && is_space(*text)) {
        s->at++;
        return true;
    }
    size_t len = span_of_item(&s->scan, text, left);
    if (len > s->max_item - s->item.len)
        return error_set(err, ERROR_TOO_LARGE, "item %zu is longer than %zu bytes", s->n_items,
                         s->max_item);
    buf_add(&s->item, text, len);
    s->at += len;
    return len == left || end_item(s, s->input.data[s->at++], ret_complete, err);
}

static bool take(struct items *s, bool *ret_complete, struct error *err)
{
    if (s->in_array)
        return take_item(s, ret_complete, err);
    return take_outside(s, s->input.data[s->at++], err);
}

bool items_next(struct items *s, const char **ret_item, size_t *ret_len, struct error *err)
{
    bool complete = false;

    if (s->item_handed_out)
        buf_clear(&s->item);
    s->item_handed_out = false;
    while (!complete && s->at < s->input.len && !s->failed.code)
        take(s, &complete, &s->failed);
    if (s->failed.code) {
        *err = s->failed;
        return false;
    }
    s->item_handed_out = complete;
    *ret_item = complete ? buf_text(&s->item) : NULL;
    *ret_len = complete ? s->item.len : 0;
    return true;
}

bool items_end(struct items *s, const char **ret_rest, size_t *ret_len, struct error *err)
{
    if (s->failed.code) {
        *err = s->failed;
        return false;
    }
    if (!s->seen_end)
        return error_set(err, ERROR_INVALID, "not JSON, or cut off after %zu bytes and %zu items",
                         s->rest.len, s->n_items);
    *ret_rest = buf_text(&s->rest);
    *ret_len = s->rest.len;
    return true;
}
