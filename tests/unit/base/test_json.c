/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "test.h"

#define PARSES(text, want) check_parses(__LINE__, text, sizeof(text) - 1, want)

static json_t *parse(const char *text)
{
    struct error err;
    json_t *json = NULL;

    CHECK_OK(json_parse(text, strlen(text), &json, &err), &err);
    return json;
}

/* want: printed again; NULL: an error */
static void check_parses(int line, const char *text, size_t len, const char *want)
{
    struct error err;
    CLEANUP(json_decref) json_t *json = NULL;

    CHECK_AT(line, json_parse(text, len, &json, &err) == (want != NULL));
    if (!want) {
        CHECK_INT_AT(line, err.code, ERROR_INVALID);
        CHECK_HAS_AT(line, err.text, "not JSON: line ");
        CHECK_AT(line, !json);
        return;
    }
    CLEANUP(free) char *printed = json_print(json);
    CHECK_STR_AT(line, printed, want);
    CHECK_AT(line, json_printed_size(json) >= strlen(want));
}

TEST(parsing_and_printing)
{
    PARSES("{ \"a\" : [1, 2.5, true, null] }", "{\"a\":[1,2.5,true,null]}");
    PARSES("\"text\"", "\"text\"");
    PARSES("7", "7");
    PARSES("null", "null");
    PARSES("{\"z\":1,\"a\":2}", "{\"z\":1,\"a\":2}");
    PARSES("\"\\u0000x\"", "\"\\u0000x\"");
    PARSES("9223372036854775807", "9223372036854775807");
    PARSES("[0.1,1e3]", "[0.1,1000.0]");
    PARSES("0.12345678901234567", "0.12345678901234566"); /* the nearest that there is */
    PARSES("1.7976931348623157e308", "1.7976931348623157e308");
    PARSES("", NULL);
    PARSES("{} {}", NULL);
    PARSES("{\"a\":1,\"a\":2}", NULL);
    PARSES("{'a':1}", NULL);
    PARSES("[1,]", NULL);
    PARSES("\"\xFF\"", NULL);
    PARSES("9223372036854775808", NULL);
    PARSES("{}\0", NULL);
}

TEST(deep_nesting_is_refused)
{
    static char text[10000];
    struct error err;
    json_t *json = NULL;

    memset(text, '[', sizeof(text));
    CHECK_ERROR(json_parse(text, sizeof(text), &json, &err), &err, ERROR_INVALID);
}

TEST(members_by_path)
{
    CLEANUP(json_decref) json_t *json =
        parse("{\"a\":{\"b\":{\"c\":\"x\",\"n\":null,\"i\":5,\"t\":true}},\"\":1}");

    CHECK_STR(json_text_at(json, "a.b.c"), "x");
    CHECK(!json_text_at(json, "a.b.i"));
    CHECK(!json_at(json, "a.b.n"));
    CHECK(!json_at(json, "a.b.c.d"));
    CHECK(!json_at(json, "a.x.c"));
    CHECK(!json_at(json, "a.b.cc"));
    CHECK(!json_at(json, "a.b.n.x"));
    CHECK(!json_at(NULL, "a"));
    CHECK(json_is_object(json_at(json, "a.b")));
    CHECK_INT(json_int_at(json, "a.b.i", -1), 5);
    CHECK_INT(json_int_at(json, "a.b.c", -1), -1);
    CHECK_INT(json_int_at(json, "a.b.z", -1), -1);
    CHECK(json_bool_at(json, "a.b.t", false));
    CHECK(json_bool_at(json, "a.b.i", true));
    CHECK(!json_bool_at(json, "a.b.z", false));
}

TEST(strict_readers_take_their_type)
{
    CLEANUP(json_decref) json_t *json =
        parse("{\"s\":{\"t\":\"x\",\"i\":5,\"b\":false,\"l\":[1],\"o\":{},\"n\":null}}");
    struct error err;
    const char *text = "old";
    int64_t number = -1;
    bool flag = true;
    json_t *list = NULL, *object = NULL;

    CHECK_OK(json_read_text(json, "s.t", &text, &err), &err);
    CHECK_STR(text, "x");
    CHECK_OK(json_read_int(json, "s.i", 5, 5, &number, &err), &err);
    CHECK_INT(number, 5);
    CHECK_OK(json_read_bool(json, "s.b", &flag, &err), &err);
    CHECK(!flag);
    CHECK_OK(json_read_array(json, "s.l", &list, &err), &err);
    CHECK_INT(json_array_size(list), 1);
    CHECK_OK(json_read_object(json, "s.o", &object, &err), &err);
    CHECK(json_is_object(object));
}

TEST(strict_readers_leave_alone_what_is_absent)
{
    CLEANUP(json_decref) json_t *json = parse("{\"n\":null}");
    static const char *const paths[] = {"n", "x", "x.y", "n.z"};
    struct error err;
    const char *text = "old";
    int64_t number = -1;
    bool flag = true;
    json_t *value = json;

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        CHECK_OK(json_read_text(json, paths[i], &text, &err), &err);
        CHECK_OK(json_read_int(json, paths[i], 0, 9, &number, &err), &err);
        CHECK_OK(json_read_bool(json, paths[i], &flag, &err), &err);
        CHECK_OK(json_read_array(json, paths[i], &value, &err), &err);
        CHECK_OK(json_read_object(json, paths[i], &value, &err), &err);
    }
    CHECK_STR(text, "old");
    CHECK_INT(number, -1);
    CHECK(flag);
    CHECK(value == json);
}

TEST(strict_readers_name_what_is_wrong)
{
    CLEANUP(json_decref) json_t *json =
        parse("{\"s\":{\"t\":\"x\",\"z\":\"a\\u0000b\",\"i\":5,\"r\":5.0,\"b\":false,"
              "\"l\":[1],\"o\":{}}}");
    struct error err;
    const char *text = "old";
    int64_t number = -1;
    bool flag = true;
    json_t *value = NULL;

    CHECK_ERROR(json_read_text(json, "s.i", &text, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "s.i: must be a text");
    CHECK_ERROR(json_read_text(json, "s.z", &text, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "s.z: must not contain a NUL character");
    CHECK_ERROR(json_read_int(json, "s.r", 0, 9, &number, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "s.r: must be an integer");
    CHECK_ERROR(json_read_int(json, "s.i", 6, 9, &number, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "s.i: 5 is not within 6 and 9");
    CHECK_ERROR(json_read_int(json, "s.i", 0, 4, &number, &err), &err, ERROR_INVALID);
    CHECK_ERROR(json_read_bool(json, "s.t", &flag, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "s.t: must be true or false");
    CHECK_ERROR(json_read_array(json, "s.o", &value, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "s.o: must be a list");
    CHECK_ERROR(json_read_object(json, "s.l", &value, &err), &err, ERROR_INVALID);
    CHECK_STR(err.text, "s.l: must be an object");
    CHECK_STR(text, "old");
    CHECK_INT(number, -1);
    CHECK(flag && !value);
}

/* As long as what is printed, whatever has to be escaped. */
TEST(printed_sizes)
{
    static const char *const texts[] = {
        "{}",          "[]",          "null",
        "true",        "false",       "0",
        "-1",          "10",          "-9223372036854775808",
        "\"\"",        "[[],{},[1]]", "{\"a\":{\"b\":[false,\"\xC3\xA9\"]},\"c\":null}",
        "{\"\\n\":1}",
    };
    char all[256] = "";

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct error err;
        CLEANUP(json_decref) json_t *json = NULL;
        CHECK(json_parse(texts[i], strlen(texts[i]), &json, &err));
        CHECK_INT(json_printed_size(json), strlen(texts[i]));
    }
    for (int c = 0; c < 128; c++)
        all[c] = (char) (127 - c);
    CLEANUP(json_decref) json_t *json = json_stringn(all, 128);
    CLEANUP(free) char *printed = json_print(json);
    CHECK_INT(json_printed_size(json), strlen(printed));
}

TEST(setting_members)
{
    CLEANUP(json_decref) json_t *object = json_object();

    json_set_text(object, "t", "x");
    json_set_text(object, "none", NULL);
    json_set_int(object, "i", INT64_MIN);
    json_set_bool(object, "b", true);
    json_set_take(object, "l", json_array());
    json_set_take(object, "nothing", NULL);
    CLEANUP(free) char *printed = json_print(object);
    CHECK_STR(printed, "{\"t\":\"x\",\"i\":-9223372036854775808,\"b\":true,\"l\":[]}");
}

TEST(texts_are_repaired)
{
    CLEANUP(json_decref) json_t *fine = json_text("\xC3\xA9"), *bad = json_text("a\xC3z\xFF");

    CHECK_STR(json_string_value(fine), "\xC3\xA9");
    CHECK_STR(json_string_value(bad), "a\xEF\xBF\xBDz\xEF\xBF\xBD");
}
