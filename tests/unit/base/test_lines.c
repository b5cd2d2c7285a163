/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lines.h"

#include "base/json.h"
#include "base/rng.h"
#include "test.h"

/* Where a text is cut: at every byte, nowhere, once, or at random. */
struct cutter {
    size_t once; /* SIZE_MAX: not so */
    size_t step; /* 0: at random */
    struct rng rng;
};

static size_t next_cut(struct cutter *c, size_t at, size_t len)
{
    size_t next = c->step ? at + c->step : at + 1 + rng_below(&c->rng, 9);

    if (c->once != SIZE_MAX)
        next = at < c->once ? c->once : len;
    return next < len ? next : len;
}

/* "[line][line]rest" or "[line]!too large": what comes out, in one text to compare. */
static void all_lines(const char *text, size_t len, size_t max, struct cutter *cut, struct buf *out)
{
    struct lines l;
    struct error err;
    size_t line_len;
    const char *line = NULL;
    bool fine = true;

    lines_init(&l, max);
    for (size_t at = 0; at < len && fine;) {
        size_t next = next_cut(cut, at, len);

        CLEANUP(free) char *chunk = xcalloc(next - at, 1); /* of its exact size, for sanitizers */
        memcpy(chunk, text + at, next - at);
        lines_add(&l, chunk, next - at);
        at = next;
        while ((fine = lines_next(&l, &line, &line_len, &err)) && line) {
            CHECK_INT(line[line_len], 0);
            buf_addc(out, '[');
            buf_add(out, line, line_len);
            buf_addc(out, ']');
        }
    }
    if (fine && (line = lines_last(&l, &line_len)))
        buf_add(out, line, line_len);
    if (!fine)
        buf_addf(out, "!%s", error_code_name(err.code));
    lines_done(&l);
}

#define LINES(text, max, want)                                                                     \
    check_lines(__LINE__, text, sizeof(text) - 1, max, want, sizeof(want) - 1)

static void check_lines(int line, const char *text, size_t len, size_t max, const char *want,
                        size_t want_len)
{
    struct cutter cutters[] = {{.once = SIZE_MAX, .step = 1},
                               {.once = SIZE_MAX, .step = 2},
                               {.once = SIZE_MAX, .step = 7},
                               {.once = SIZE_MAX, .step = 1000}};

    for (size_t i = 0; i < ARRAY_SIZE(cutters); i++) {
        struct buf out = BUF_INIT;

        all_lines(text, len, max, &cutters[i], &out);
        CHECK_BYTES_AT(line, out.data, out.len, want, want_len);
        buf_done(&out);
    }
}

TEST(lines_of_texts)
{
    LINES("", 10, "");
    LINES("a\n", 10, "[a]");
    LINES("a\nbc\n\nd", 10, "[a][bc][]d");
    LINES("\n\n", 0, "[][]");
    LINES("a\r\nb\n", 10, "[a\r][b]");
    LINES("a\0b\n\0", 10, "[a\0b]\0");
    LINES("12345\n", 5, "[12345]");
    LINES("1\n123456\n2\n", 5, "[1]!too large");
    LINES("1\n123456", 5, "[1]!too large");
    LINES("x\n", 0, "!too large");
}

TEST(a_line_that_is_too_long_stays_an_error)
{
    struct lines l;
    struct error err;
    const char *line;
    size_t len;

    lines_init(&l, 3);
    lines_add(&l, "abcd", 4);
    CHECK_ERROR(lines_next(&l, &line, &len, &err), &err, ERROR_TOO_LARGE);
    CHECK_HAS(err.text, "3 bytes");
    lines_add(&l, "\nx\n", 3);
    CHECK_ERROR(lines_next(&l, &line, &len, &err), &err, ERROR_TOO_LARGE);
    lines_done(&l);
}

TEST(any_cut_gives_the_same_lines)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int round = 0; round < 2000; round++) {
        char text[60];
        size_t len = rng_below(&rng, sizeof(text)), max = rng_below(&rng, 30);
        struct buf whole = BUF_INIT, cut = BUF_INIT;
        struct cutter none = {.once = SIZE_MAX, .step = 1000},
                      some = {.once = SIZE_MAX, .rng = rng};

        for (size_t i = 0; i < len; i++)
            text[i] = "abc\n\n\r\""[rng_below(&rng, 7)];
        all_lines(text, len, max, &none, &whole);
        all_lines(text, len, max, &some, &cut);
        CHECK_STR(buf_text(&cut), buf_text(&whole));
        buf_done(&whole);
        buf_done(&cut);
        rng_next(&rng);
    }
}

/* "<item><item>rest" or "<item>!code". */
static void all_items(const char *text, size_t len, size_t max_item, size_t max_rest,
                      struct cutter *cut, struct buf *out)
{
    struct items s;
    struct error err;
    size_t item_len;
    const char *item;
    bool fine = true;

    items_init(&s, max_item, max_rest);
    for (size_t at = 0; at < len && fine;) {
        size_t next = next_cut(cut, at, len);

        CLEANUP(free) char *chunk = xcalloc(next - at, 1);
        memcpy(chunk, text + at, next - at);
        items_add(&s, chunk, next - at);
        at = next;
        while ((fine = items_next(&s, &item, &item_len, &err)) && item) {
            CHECK_INT(strlen(item), item_len);
            buf_addf(out, "<%s>", item);
        }
    }
    if (fine && (fine = items_end(&s, &item, &item_len, &err)))
        buf_add(out, item, item_len);
    if (!fine)
        buf_addf(out, "!%s", error_code_name(err.code));
    items_done(&s);
}

#define ITEMS(text, want)                    check_items(__LINE__, text, 1000, 1000, want)
#define ITEMS_CAPPED(text, item, rest, want) check_items(__LINE__, text, item, rest, want)

/* Every single cut, and cuts everywhere. */
static void check_items(int line, const char *text, size_t max_item, size_t max_rest,
                        const char *want)
{
    size_t len = strlen(text);

    for (size_t at = 0; at <= len; at++) {
        struct cutter cut = {.once = at ? at : SIZE_MAX, .step = 1};
        struct buf out = BUF_INIT;

        all_items(text, len, max_item, max_rest, &cut, &out);
        CHECK_STR_AT(line, buf_text(&out), want);
        buf_done(&out);
    }
}

TEST(items_of_lists)
{
    ITEMS("{\"items\":[]}", "{\"items\":[]}");
    ITEMS("{\"items\":[ ]}", "{\"items\":[]}");
    ITEMS("{\"items\":[{\"a\":1},{\"b\":2}]}", "<{\"a\":1}><{\"b\":2}>{\"items\":[]}");
    ITEMS("{ \"k\" : 1 , \"items\" : [ {\"a\": [1, {}]} , [] ] , \"z\": {} }\n",
          "<{\"a\": [1, {}]}><[]>{ \"k\" : 1 , \"items\" : [] , \"z\": {} }\n");
    ITEMS("{\"items\":[1, \"a,]}\\\"b\\\\\" ,null]}", "<1><\"a,]}\\\"b\\\\\"><null>{\"items\":[]}");
    ITEMS("{\"items\":null,\"kind\":\"L\"}", "{\"items\":null,\"kind\":\"L\"}");
    ITEMS("{\"items\":{\"items\":[1]}}", "{\"items\":{\"items\":[1]}}");
    ITEMS("{\"metadata\":{\"items\":[1,2]},\"items\":[3]}",
          "<3>{\"metadata\":{\"items\":[1,2]},\"items\":[]}");
    ITEMS("{\"a\":\"items\",\"b\":[1]}", "{\"a\":\"items\",\"b\":[1]}");
    ITEMS("{\"a\":\"\\\"items\",\"items\":[{\"items\":[4]}]}",
          "<{\"items\":[4]}>{\"a\":\"\\\"items\",\"items\":[]}");
    ITEMS("{\"itemss\":[1],\"item\":[2],\"\\\"items\":[3]}",
          "{\"itemss\":[1],\"item\":[2],\"\\\"items\":[3]}");
    ITEMS("{}", "{}");
}

TEST(texts_that_are_no_lists)
{
    ITEMS("", "!invalid");
    ITEMS("Unauthorized", "!invalid");
    ITEMS("\"text {}\"", "!invalid");
    ITEMS("{\"items\":[", "!invalid");
    ITEMS("{\"items\":[{\"a\":1}", "!invalid");
    ITEMS("{\"items\":[{\"a\":1},{\"b\"", "<{\"a\":1}>!invalid");
    ITEMS("{\"items\":[{\"a\":1}]", "<{\"a\":1}>!invalid");
    ITEMS("{\"items\":[,]}", "!invalid");
    ITEMS("{\"items\":[1,]}", "<1>!invalid");
    ITEMS("{\"items\":[1}}", "!invalid");
    ITEMS("{\"items\":[}]}", "!invalid");
    ITEMS("{\"items\":[1}[,2]}", "!invalid");
    ITEMS("}", "!invalid");
    ITEMS("{}}", "!invalid");
    ITEMS("{} {}", "!invalid");
    ITEMS("{\"a\":\"}", "!invalid");
}

TEST(caps_hold_for_items_and_for_the_rest)
{
    ITEMS_CAPPED("{\"items\":[1234,12345]}", 5, 12, "<1234><12345>{\"items\":[]}");
    ITEMS_CAPPED("{\"items\":[1234,12345]}", 4, 12, "<1234>!too large");
    ITEMS_CAPPED("{\"items\":[1234,12345]}", 5, 11, "<1234><12345>!too large");
    ITEMS_CAPPED("{\"items\":[{\"abcdef", 4, 12, "!too large");
}

TEST(an_error_stays)
{
    struct items s;
    struct error err;
    const char *text;
    size_t len;

    items_init(&s, 100, 100);
    items_add(&s, "{\"items\":[,", 11);
    CHECK_ERROR(items_next(&s, &text, &len, &err), &err, ERROR_INVALID);
    items_add(&s, "1]}", 3);
    CHECK_ERROR(items_next(&s, &text, &len, &err), &err, ERROR_INVALID);
    CHECK_ERROR(items_end(&s, &text, &len, &err), &err, ERROR_INVALID);
    items_done(&s);
}

static json_t *random_value(struct rng *rng, int depth)
{
    json_t *value;
    uint64_t kind = rng_below(rng, depth > 0 ? 5 : 3), n = rng_below(rng, 4);
    char name[24];

    switch (kind) {
    case 0:
        return json_integer((json_int_t) n);
    case 1:
        return json_string((const char *[]) {"", "items", "a\"b,]", "\\"}[n]);
    case 2:
        return json_null();
    case 3:
        value = json_array();
        while (n--)
            json_array_append_new(value, random_value(rng, depth - 1));
        return value;
    default:
        value = json_object();
        while (n--) {
            snprintf(name, sizeof(name), "%s%d", n ? "items" : "\\\"", (int) rng_below(rng, 3));
            json_object_set_new(value, n == 3 ? "items" : name, random_value(rng, depth - 1));
        }
        return value;
    }
}

/* Items and rest, each parsed, put together again. */
static json_t *put_together(const char *text, size_t len, struct rng *rng)
{
    struct items s;
    struct error err;
    const char *part;
    size_t part_len;
    json_t *list = json_array(), *json, *rest;
    struct cutter cut = {.once = SIZE_MAX, .rng = *rng};

    items_init(&s, 10000, 10000);
    for (size_t at = 0, next; at < len; at = next) {
        next = next_cut(&cut, at, len);
        items_add(&s, text + at, next - at);
        for (;;) {
            CHECK_OK(items_next(&s, &part, &part_len, &err), &err);
            if (!part)
                break;
            CHECK_OK(json_parse(part, part_len, &json, &err), &err);
            json_array_append_new(list, json);
        }
    }
    CHECK_OK(items_end(&s, &part, &part_len, &err), &err);
    CHECK_OK(json_parse(part, part_len, &rest, &err), &err);
    CHECK_INT(json_array_size(json_object_get(rest, "items")), 0);
    json_object_set_new(rest, "items", list);
    items_done(&s);
    return rest;
}

TEST(items_and_rest_make_up_the_list)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int round = 0; round < 1000; round++) {
        CLEANUP(json_decref) json_t *list = json_object();
        json_t *items = json_array();

        json_object_set_new(list, "metadata", random_value(&rng, 3));
        for (uint64_t n = rng_below(&rng, 5); n > 0; n--)
            json_array_append_new(items, random_value(&rng, 3));
        json_object_set_new(list, "items", items);
        json_object_set_new(list, "z", random_value(&rng, 3));
        size_t flags = rng_below(&rng, 2) ? JSON_INDENT(2) : JSON_COMPACT;
        CLEANUP(free) char *text = json_dumps(list, flags);
        CLEANUP(json_decref) json_t *got = put_together(text, strlen(text), &rng);
        CHECK(json_equal(got, list));
    }
}

/* Whatever the bytes are: the same pieces and the same error, however they are cut. */
TEST(any_cut_gives_the_same_items)
{
    static const char *const tokens[] = {"{",         "}",  "[",  "]", ",", ":",
                                         "\"items\"", "\"", "\\", " ", "1"};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int round = 0; round < 20000; round++) {
        struct buf text = BUF_INIT, whole = BUF_INIT, cut = BUF_INIT;
        struct cutter none = {.once = SIZE_MAX, .step = 1000},
                      some = {.once = SIZE_MAX, .rng = rng};
        size_t max = rng_below(&rng, 20);

        buf_adds(&text, rng_below(&rng, 4) ? "{\"items\":[" : "");
        for (uint64_t n = rng_below(&rng, 15); n > 0; n--)
            buf_adds(&text, tokens[rng_below(&rng, ARRAY_SIZE(tokens))]);
        all_items(buf_text(&text), text.len, max, max + 10, &none, &whole);
        all_items(buf_text(&text), text.len, max, max + 10, &some, &cut);
        CHECK_STR(buf_text(&cut), buf_text(&whole));
        buf_done(&text);
        buf_done(&whole);
        buf_done(&cut);
    }
}
