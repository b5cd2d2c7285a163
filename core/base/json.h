/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON at the edges, on jansson: reading members with errors that name them, writing text.
 *
 * Readers take a dotted path ("spec.template.image"; not empty, no array indices) and return a
 * borrowed value.  "Absent" covers missing, null and a missing parent.
 */
#ifndef KHARON_BASE_JSON_H
#define KHARON_BASE_JSON_H

#include "base/alloc.h"
#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

DEFINE_CLEANUP(json_t *, json_decref);

/* Parses a whole text.  NUL in strings is allowed (Kubernetes passes it on), duplicate keys are
 * not. */
bool json_parse(const char *text, size_t len, json_t **ret_json, struct error *err);

json_t *json_at(const json_t *json, const char *path);          /* NULL: absent */
const char *json_text_at(const json_t *json, const char *path); /* NULL: absent or no text */
int64_t json_int_at(const json_t *json, const char *path, int64_t otherwise);
bool json_bool_at(const json_t *json, const char *path, bool otherwise);

/* Strict readers for what users wrote: absent leaves *ret alone; another type is ERROR_INVALID and
 * names the path.  Texts are borrowed from the tree. */
bool json_read_text(const json_t *json, const char *path, const char **ret, struct error *err);
bool json_read_int(const json_t *json, const char *path, int64_t low, int64_t high, int64_t *ret,
                   struct error *err);
bool json_read_bool(const json_t *json, const char *path, bool *ret, struct error *err);
bool json_read_array(const json_t *json, const char *path, json_t **ret, struct error *err);
bool json_read_object(const json_t *json, const char *path, json_t **ret, struct error *err);

/* Sets object[key]; NULL or absent values leave the key out.  Keys are UTF-8, as our own words and
 * those of texts that were parsed are. */
void json_set_text(json_t *object, const char *key, const char *text);
void json_set_int(json_t *object, const char *key, int64_t value);
void json_set_bool(json_t *object, const char *key, bool value);
void json_set_take(json_t *object, const char *key, json_t *value); /* takes value; NULL: nothing */

/* json_string that never fails: bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *text);

/* Compact text, which is read as the same value; the caller frees.  Fractions have 15 significant
 * digits, so that 0.1 is printed as 0.1, or all have 17 if one of them needs those. */
char *json_print(const json_t *json) __attribute__((returns_nonnull));

/* The length of that text; where numbers have fractions it may be less. */
size_t json_printed_size(const json_t *json);

#endif
