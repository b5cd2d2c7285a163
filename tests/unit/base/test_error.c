/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/alloc.h"
#include "test.h"

TEST(setting_and_prefixing)
{
    struct error err = {0};

    CHECK(!error_set(&err, ERROR_INVALID, "%s: %d is too many", "items", 7));
    CHECK_INT(err.code, ERROR_INVALID);
    CHECK_STR(err.text, "items: 7 is too many");
    CHECK(!error_prefix(&err, "file %s", "a.yaml"));
    CHECK_INT(err.code, ERROR_INVALID);
    CHECK_STR(err.text, "file a.yaml: items: 7 is too many");
    error_set(&err, ERROR_CONFLICT, "again: %s", err.text);
    CHECK_STR(err.text, "again: file a.yaml: items: 7 is too many");
}

TEST(codes_and_their_traits)
{
    static const struct {
        int line;
        enum error_code code;
        int status;
        bool again;
        const char *name;
    } rows[] = {
        {__LINE__, ERROR_NONE, 200, false, "none"},
        {__LINE__, ERROR_INVALID, 400, false, "invalid"},
        {__LINE__, ERROR_NOT_FOUND, 404, false, "not found"},
        {__LINE__, ERROR_EXISTS, 409, false, "exists"},
        {__LINE__, ERROR_CONFLICT, 409, true, "conflict"},
        {__LINE__, ERROR_EXPIRED, 410, true, "expired"},
        {__LINE__, ERROR_THROTTLED, 429, true, "throttled"},
        {__LINE__, ERROR_UNKNOWN, 504, true, "unknown outcome"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK_INT_AT(rows[i].line, error_http_status(rows[i].code), rows[i].status);
        CHECK_AT(rows[i].line, error_is_retryable(rows[i].code) == rows[i].again);
        CHECK_STR_AT(rows[i].line, error_code_name(rows[i].code), rows[i].name);
    }
}

#define CUT(text, len, want) CHECK_INT(utf8_cut(text, len), want)

TEST(cuts_at_the_boundaries_of_characters)
{
    CUT("", 0, 0);
    CUT("abc", 2, 2);
    CUT("a\xC3\xA9z", 2, 1);
    CUT("a\xC3\xA9z", 3, 3);
    CUT("\xE2\x82\xAC", 1, 0);
    CUT("\xE2\x82\xAC", 2, 0);
    CUT("\xE2\x82\xAC", 3, 3);
    CUT("\xF0\x9F\x98\x80", 3, 0);
    CUT("\xF0\x9F\x98\x80", 4, 4);
    /* what is not UTF-8 does no harm */
    CUT("\x80\x80\x80\x80\x80", 5, 5);
    CUT("a\xFF", 2, 1);
}

/* Characters of one to four bytes in front of the limit, at every distance from it. */
TEST(long_texts_are_cut_at_a_character)
{
    static const char *const characters[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    struct error err;

    for (size_t c = 0; c < ARRAY_SIZE(characters); c++) {
        size_t width = strlen(characters[c]);

        for (size_t before = 0; before < 4; before++) {
            char text[3 * ERROR_TEXT_MAX] = "xxxx";
            size_t len = before;

            for (; len < 2 * ERROR_TEXT_MAX; len += width)
                memcpy(text + len, characters[c], width);
            text[len] = '\0';
            error_set(&err, ERROR_INVALID, "%s", text);
            size_t got = strlen(err.text);
            CHECK(got < ERROR_TEXT_MAX && got > ERROR_TEXT_MAX - 8);
            CHECK_STR(err.text + got - 3, "...");
            CHECK_INT((got - 3 - before) % width, 0);
            CHECK_INT(memcmp(err.text, text, got - 3), 0);
        }
    }
}

TEST(texts_that_just_fit_are_not_cut)
{
    char text[ERROR_TEXT_MAX + 1];
    struct error err;

    memset(text, 'x', sizeof(text));
    text[ERROR_TEXT_MAX - 1] = '\0';
    error_set(&err, ERROR_INVALID, "%s", text);
    CHECK_STR(err.text, text);
    text[ERROR_TEXT_MAX - 1] = 'x';
    text[ERROR_TEXT_MAX] = '\0';
    error_set(&err, ERROR_INVALID, "%s", text);
    CHECK_INT(strlen(err.text), ERROR_TEXT_MAX - 1);
    CHECK_STR(err.text + ERROR_TEXT_MAX - 4, "...");
    error_prefix(&err, "why");
    CHECK_INT(strlen(err.text), ERROR_TEXT_MAX - 1);
    CHECK_HAS(err.text, "why: xxx");
}
