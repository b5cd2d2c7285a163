/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For fuzzers of what is decoded from JSON: reading the input, and putting values together.
 *
 * What is decoded from an object and encoded again is the same value, if it is decoded and encoded
 * once more: the first time, members that nobody knows are left out and numbers are cut to limits.
 */
#ifndef KHARON_FUZZ_JSON_H
#define KHARON_FUZZ_JSON_H

#include "base/json.h"

#include "fuzz.h"

/* NULL: it is no JSON object.  The caller owns it. */
FUZZ_UNUSED static json_t *fuzz_object(const uint8_t *data, size_t len)
{
    struct error err;
    json_t *json = NULL;

    json_parse((const char *) data, len, &json, &err);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

/* {"metadata": of `like`, "spec", "status"}; takes both. */
FUZZ_UNUSED static json_t *fuzz_join_take(const json_t *like, json_t *spec, json_t *status)
{
    json_t *object = json_object();

    json_object_set(object, "metadata", json_object_get(like, "metadata"));
    json_set_take(object, "spec", spec);
    json_set_take(object, "status", status);
    return object;
}

/* As text, since what is stored is text. */
FUZZ_UNUSED static void fuzz_check_same(const json_t *one, const json_t *other)
{
    CLEANUP(free) char *a = json_print(one);
    CLEANUP(free) char *b = json_print(other);

    if (strcmp(a, b) != 0)
        fprintf(stderr, "%s\n%s\n", a, b);
    FUZZ_CHECK(strcmp(a, b) == 0);
    FUZZ_CHECK(utf8_valid(a));
}

/* Printed and read, as it comes back from Kubernetes.  Takes `json`. */
FUZZ_UNUSED static json_t *fuzz_reread_take(json_t *json)
{
    CLEANUP(free) char *text = json_print(json);
    struct error err;
    json_t *read = NULL;

    json_decref(json);
    FUZZ_CHECK(json_parse(text, strlen(text), &read, &err));
    return read;
}

#endif
