/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON for tests: written with single quotes, compared as text, and spoilt at random.
 */
#ifndef KHARON_TEST_JSON_TEXT_H
#define KHARON_TEST_JSON_TEXT_H

#include "base/json.h"
#include "base/rng.h"
#include "test.h"

/* Two objects are the same if all members are, in any order. */
#define CHECK_JSON_AT(line, got, want) check_json(line, #got, got, want)
#define CHECK_JSON(got, want)          CHECK_JSON_AT(__LINE__, got, want)

TEST_UNUSED static json_t *json_of_at(int line, const char *text)
{
    CLEANUP(free) char *quoted = xstrdup(text);
    json_t *json = NULL;
    struct error err;

    for (char *c = quoted; *c; c++)
        if (*c == '\'')
            *c = '"';
    CHECK_OK_AT(line, json_parse(quoted, strlen(quoted), &json, &err), &err);
    return json;
}

#define json_of(text) json_of_at(__LINE__, text)

TEST_UNUSED static void check_json(int line, const char *what, const json_t *got, const char *want)
{
    CLEANUP(json_decref) json_t *json = json_of_at(line, want);
    CLEANUP(free) char *a = json_dumps(got, JSON_SORT_KEYS | JSON_INDENT(1));
    CLEANUP(free) char *b = json_dumps(json, JSON_SORT_KEYS | JSON_INDENT(1));

    test_str(__FILE__, line, what, a, b);
}

/* Something that nobody expects. */
TEST_UNUSED static json_t *json_surprise(struct rng *rng)
{
    static const char *const texts[] = {
        "", "x", "2026-13-01T00:00:00Z", "-1", "9999-12-31T23:59:59.999Z", "\x7f\x01"};
    static const int64_t numbers[] = {0, -1, 1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};

    switch (rng_below(rng, 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(rng_below(rng, 2));
    case 2:
    case 3:
        return json_integer(numbers[rng_below(rng, ARRAY_SIZE(numbers))]);
    case 4:
        return json_string(texts[rng_below(rng, ARRAY_SIZE(texts))]);
    case 5:
        return json_real(1e300);
    case 6:
        return json_pack("[{s:s}, n, i]", "type", "submit", 7);
    default:
        return json_pack("{s:s#, s:[]}", "name", "a\0b", 3, "status");
    }
}

static void json_mutate(json_t *json, struct rng *rng);

TEST_UNUSED static void json_mutate_member(json_t *object, struct rng *rng)
{
    size_t at = (size_t) rng_below(rng, json_object_size(object));
    void *iter = json_object_iter(object);

    while (at-- > 0)
        iter = json_object_iter_next(object, iter);
    CLEANUP(free) char *key = xstrdup(json_object_iter_key(iter));
    json_t *value = json_object_iter_value(iter);
    uint64_t dice = rng_below(rng, 10);

    if (dice < 6 && (json_is_object(value) || json_is_array(value)))
        json_mutate(value, rng);
    else if (dice < 9)
        json_object_set_new(object, key, json_surprise(rng));
    else
        json_object_del(object, key);
}

TEST_UNUSED static void json_mutate_item(json_t *list, struct rng *rng)
{
    size_t at = (size_t) rng_below(rng, json_array_size(list));
    json_t *value = json_array_get(list, at);
    uint64_t dice = rng_below(rng, 10);

    if (dice < 6 && (json_is_object(value) || json_is_array(value)))
        json_mutate(value, rng);
    else if (dice < 7)
        json_array_append_new(list, json_deep_copy(value));
    else if (dice < 9)
        json_array_set_new(list, at, json_surprise(rng));
    else
        json_array_remove(list, at);
}

/* Changes one thing somewhere in it. */
TEST_UNUSED static void json_mutate(json_t *json, struct rng *rng)
{
    if (json_object_size(json))
        json_mutate_member(json, rng);
    else if (json_array_size(json))
        json_mutate_item(json, rng);
}

#endif
