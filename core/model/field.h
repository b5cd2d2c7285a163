/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of custom resources: readers and writers for types that the model has and JSON has not.
 *
 * Readers are strict and go beside json_read_* of base/json.h: absent leaves *ret alone, anything
 * else than the type is ERROR_INVALID and names the path.  What they return is owned by the caller;
 * what *ret owned before is freed.
 */
#ifndef KHARON_MODEL_FIELD_H
#define KHARON_MODEL_FIELD_H

#include "model/env.h"
#include "model/time.h"

bool field_text(const json_t *json, const char *path, char **ret, struct error *err);
bool field_texts(const json_t *json, const char *path, struct texts *ret, struct error *err);
bool field_env(const json_t *json, const char *path, struct env *ret, struct error *err);
bool field_int(const json_t *json, const char *path, int low, int high, int *ret,
               struct error *err);
bool field_instant(const json_t *json, const char *path, instant *ret, struct error *err);
/* An object of any content, as compact JSON text. */
bool field_object(const json_t *json, const char *path, char **ret, struct error *err);

/* INSTANT_NONE is left out. */
void field_set_instant(json_t *object, const char *key, instant t);
/* The inverse of field_object; NULL is left out. */
void field_set_object(json_t *object, const char *key, const char *text);
/* Absent values (NULL, INSTANT_NONE) are null, so that a merge patch removes what was there. */
void field_put_text(json_t *object, const char *key, const char *text);
void field_put_instant(json_t *object, const char *key, instant t);
/* Empty ones are left out. */
void field_set_texts(json_t *object, const char *key, const struct texts *texts);
void field_set_env(json_t *object, const char *key, const struct env *env);

/* Takes an object: set under the key if it has members, freed if not. */
void field_set_unless_empty(json_t *object, const char *key, json_t *value);

#endif
