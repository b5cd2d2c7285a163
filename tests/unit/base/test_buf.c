/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/json.h"
#include "base/rng.h"
#include "test.h"

TEST(an_empty_buffer_is_an_empty_text)
{
    struct buf b = BUF_INIT;

    CHECK_STR(buf_text(&b), "");
    buf_clear(&b);
    buf_remove_front(&b, 0);
    CLEANUP(free) char *taken = buf_take(&b);
    CHECK_STR(taken, "");
    buf_done(&b);
}

TEST(adding_clearing_and_taking)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "ab");
    buf_addc(&b, 'c');
    buf_add(&b, "d\0e", 3);
    CHECK_INT(b.len, 6);
    CHECK_BYTES(b.data, b.len + 1, "abcd\0e", 7);
    buf_remove_front(&b, 4);
    CHECK_BYTES(b.data, b.len + 1, "\0e", 3);
    buf_clear(&b);
    CHECK_STR(buf_text(&b), "");
    buf_addf(&b, "%s %d", "x", -5);
    CLEANUP(free) char *taken = buf_take(&b);
    CHECK_STR(taken, "x -5");
    CHECK(!b.data && !b.len && !b.cap);
}

/* Lengths around the sizes at which the buffer grows. */
TEST(formats_of_any_length)
{
    for (int len = 0; len < 300; len++) {
        struct buf b = BUF_INIT;
        char want[320];

        memset(want, ' ', sizeof(want));
        want[0] = '<';
        want[len + 1] = '>';
        want[len + 2] = '\0';
        buf_addf(&b, "<%*s>", len, "");
        CHECK_STR(b.data, want);
        CHECK_INT(b.len, len + 2);
        CHECK(b.cap > b.len);
        buf_done(&b);
    }
}

TEST(many_small_additions)
{
    struct buf b = BUF_INIT;

    for (int i = 0; i < 10000; i++)
        buf_addf(&b, "%04d", i);
    CHECK_INT(b.len, 40000);
    CHECK_BYTES(b.data + 39996, 5, "9999", 5);
    buf_done(&b);
}

#define JSON(text, want) check_json(__LINE__, text, want)
#define UTF8(text, want) check_utf8(__LINE__, text, want)

#define BAD "\xEF\xBF\xBD"

static void check_json(int line, const char *text, const char *want)
{
    struct buf b = BUF_INIT;

    buf_add_json(&b, text);
    CHECK_STR_AT(line, b.data, want);
    buf_done(&b);
}

static void check_utf8(int line, const char *text, const char *want)
{
    struct buf b = BUF_INIT;

    buf_add_utf8(&b, text);
    CHECK_STR_AT(line, buf_text(&b), want);
    buf_done(&b);
}

TEST(json_strings)
{
    JSON(NULL, "null");
    JSON("", "\"\"");
    JSON("plain text/", "\"plain text/\"");
    JSON("\"\\", "\"\\\"\\\\\"");
    JSON("a\b\f\n\r\tz", "\"a\\b\\f\\n\\r\\tz\"");
    JSON("\x01\x1F\x7F", "\"\\u0001\\u001f\\u007f\"");
    JSON("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    JSON("a\xFFz", "\"a" BAD "z\"");
}

/* Unicode, table 3-7: what is well-formed and what is just not. */
TEST(only_well_formed_utf8_passes)
{
    UTF8("", "");
    UTF8("\x7F", "\x7F");
    UTF8("\xC2\x80", "\xC2\x80");
    UTF8("\xC1\xBF", BAD BAD);
    UTF8("\xDF\xBF", "\xDF\xBF");
    UTF8("\xE0\xA0\x80", "\xE0\xA0\x80");
    UTF8("\xE0\x9F\xBF", BAD BAD BAD);
    UTF8("\xED\x9F\xBF", "\xED\x9F\xBF");
    UTF8("\xED\xA0\x80", BAD BAD BAD);
    UTF8("\xEE\x80\x80", "\xEE\x80\x80");
    UTF8("\xF0\x90\x80\x80", "\xF0\x90\x80\x80");
    UTF8("\xF0\x8F\xBF\xBF", BAD BAD BAD BAD);
    UTF8("\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF");
    UTF8("\xF4\x90\x80\x80", BAD BAD BAD BAD);
    UTF8("\xF5\x80", BAD BAD);
    UTF8("\x80", BAD);
    UTF8("\xC3", BAD);
    UTF8("\xE2\x82", BAD BAD);
    UTF8("\xC3z", BAD "z");
}

/* What is printed parses to the same, up to the repair. */
TEST(json_of_random_bytes_parses)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int round = 0; round < 3000; round++) {
        char text[40];
        size_t len = rng_below(&rng, sizeof(text));
        struct buf json = BUF_INIT, repaired = BUF_INIT;

        for (size_t i = 0; i < len; i++)
            text[i] = (char) (1 + rng_below(&rng, 255));
        text[len < sizeof(text) ? len : len - 1] = '\0';
        buf_add_json(&json, text);
        buf_add_utf8(&repaired, text);
        CLEANUP(json_decref) json_t *parsed = json_loads(json.data, JSON_DECODE_ANY, NULL);
        CHECK_STR(json_string_value(parsed), buf_text(&repaired));
        buf_done(&json);
        buf_done(&repaired);
    }
}
