/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of base/lines.h, for any bytes:
 *
 *  - however a stream is cut, the same lines and the same items come out, then the same error;
 *  - a text is JSON if and only if its items and its rest are (up to the depth that the parser
 *    allows), and put together they are the same document.
 *
 * The first byte of the input chooses the cuts, the second the caps, the others are the text.
 */
#include "base/lines.h"

#include "base/json.h"
#include "base/rng.h"

#include "fuzz.h"

#include <string.h>

#define NO_CAP 1000000

/* An input that is handed over in pieces. */
struct stream {
    const uint8_t *data;
    size_t len, at;
    struct rng rng;
    bool whole;
};

static size_t next_piece(struct stream *s, const uint8_t **ret)
{
    size_t left = s->len - s->at, n = s->whole ? left : 1 + rng_below(&s->rng, 17);

    if (n > left)
        n = left;
    *ret = s->data + s->at;
    s->at += n;
    return n;
}

static void all_lines(struct stream s, size_t max, struct buf *out)
{
    struct lines l;
    struct error err;
    const uint8_t *piece;
    const char *line;
    size_t len;
    bool fine = true;

    lines_init(&l, max);
    while (fine && (len = next_piece(&s, &piece)) > 0) {
        lines_add(&l, piece, len);
        while ((fine = lines_next(&l, &line, &len, &err)) && line) {
            FUZZ_CHECK(len <= max && !memchr(line, '\n', len) && line[len] == '\0');
            buf_add(out, line, len);
            buf_addc(out, '\n');
        }
    }
    if (fine && (line = lines_last(&l, &len)))
        buf_add(out, line, len);
    buf_adds(out, fine ? "+" : "-");
    lines_done(&l);
}

/* Items, each with a NUL, then the rest.  `list` takes the decoded items; true if all were JSON. */
static bool all_items(struct stream s, size_t max_item, size_t max_rest, struct buf *out,
                      json_t *list)
{
    struct items items;
    struct error err;
    const uint8_t *piece;
    const char *text;
    size_t len;
    bool fine = true, json_only = true;

    items_init(&items, max_item, max_rest);
    while (fine && (len = next_piece(&s, &piece)) > 0) {
        items_add(&items, piece, len);
        while ((fine = items_next(&items, &text, &len, &err)) && text) {
            json_t *item = NULL;

            FUZZ_CHECK(len > 0 && len <= max_item);
            buf_add(out, text, len + 1);
            json_only = json_parse(text, len, &item, &err) && json_only;
            json_array_append_new(list, item ? item : json_null());
        }
    }
    fine = fine && items_end(&items, &text, &len, &err);
    if (fine)
        buf_add(out, text, len);
    buf_addf(out, "|%d", fine ? 0 : (int) err.code);
    items_done(&items);
    return fine && json_only;
}

static void check_same(const struct buf *a, const struct buf *b)
{
    FUZZ_CHECK(a->len == b->len && memcmp(buf_text(a), buf_text(b), a->len) == 0);
}

static void check_cuts(const struct stream *cut, const struct stream *whole, size_t max)
{
    struct buf one = BUF_INIT, two = BUF_INIT;
    json_t *list = json_array();

    all_lines(*whole, max, &one);
    all_lines(*cut, max, &two);
    check_same(&one, &two);
    buf_clear(&one);
    buf_clear(&two);
    FUZZ_CHECK(all_items(*whole, max, 2 * max, &one, list) ==
               all_items(*cut, max, 2 * max, &two, list));
    check_same(&one, &two);
    buf_done(&one);
    buf_done(&two);
    json_decref(list);
}

/* The text after the items, which all_items has put at the end. */
static json_t *decode_rest(const struct buf *out, size_t n_items)
{
    struct error err;
    const char *rest = buf_text(out);
    json_t *json = NULL;

    while (n_items--)
        rest += strlen(rest) + 1;
    return json_parse(rest, out->len - (size_t) (rest - out->data) - 2, &json, &err) ? json : NULL;
}

static bool is_deep(const struct stream *s)
{
    size_t open = 0;

    for (size_t i = 0; i < s->len; i++)
        open += s->data[i] == '[' || s->data[i] == '{';
    return open > 1000;
}

/* An item with a NUL in it is no JSON, so that strlen finds its end in decode_rest. */
static void check_parts(const struct stream *s)
{
    struct buf out = BUF_INIT;
    struct error err;
    json_t *list = json_array(), *whole = NULL, *rest = NULL;

    if (all_items(*s, NO_CAP, NO_CAP, &out, list))
        rest = decode_rest(&out, json_array_size(list));
    json_parse((const char *) s->data, s->len, &whole, &err);
    FUZZ_CHECK(json_is_object(whole) == json_is_object(rest));
    if (json_is_object(rest) && json_array_size(list) > 0)
        json_object_set(rest, "items", list);
    FUZZ_CHECK(!json_is_object(whole) || json_equal(whole, rest));
    json_decref(whole);
    json_decref(rest);
    json_decref(list);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct stream cut = {.data = data + 2, .len = len - 2}, whole = cut;

    rng_init(&cut.rng, data[0]);
    whole.whole = true;
    check_cuts(&cut, &whole, data[1]);
    if (!is_deep(&whole))
        check_parts(&cut);
    return 0;
}
