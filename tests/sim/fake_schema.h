/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CustomResourceDefinition says of its objects, as the fake keeps it: unknown fields are
 * dropped, defaults appear, what is wrong is 422.
 *
 * Kharon's own definitions are read from manifests/crds.yaml, so that what the real API server
 * refuses the fake refuses too.  Rules in CEL are written again in C (fake_rules.c); a rule that is
 * not known there ends the test.
 */
#ifndef KHARON_SIM_FAKE_SCHEMA_H
#define KHARON_SIM_FAKE_SCHEMA_H

#include "k8s/client.h"

struct fake_schema {
    json_t *definition;           /* owned */
    json_t *root;                 /* openAPIV3Schema; in it */
    json_t *selectable;           /* selectableFields, NULL: none; in it */
    struct k8s_resource resource; /* texts in it */
    bool has_status;
};

/* Of a kind of Kharon; NULL: it is none.  Lives as long as the program. */
const struct fake_schema *fake_schema_of(const struct k8s_resource *resource);
/* Of a definition. */
struct fake_schema *fake_schema_new(const json_t *definition);
void fake_schema_free(struct fake_schema *schema);

/* The path of a field that is not declared, ".spec.zz"; NULL: all are.  The caller frees. */
char *fake_schema_unknown(const struct fake_schema *schema, const json_t *object);
/* Drops undeclared fields, and those that are null. */
void fake_schema_prune(const struct fake_schema *schema, json_t *object, bool nulls);
/* The object with its defaults; takes and returns a reference.  What has them all is returned
 * itself. */
json_t *fake_schema_defaulted(const struct fake_schema *schema, json_t *object);
/* What is wrong, as in "… is invalid: TEXT"; NULL: nothing.  `old` may be NULL: a new object.  What
 * did not change is not judged.  The caller frees. */
char *fake_schema_judge(const struct fake_schema *schema, const json_t *old, const json_t *object);
bool fake_schema_selects_by(const struct fake_schema *schema, const char *path);

/* For the members of a value that is described by `node` (NULL: not described). */
json_t *fake_schema_child(const json_t *node, const char *key);
/* "map", "set" or "atomic". */
const char *fake_schema_list_type(const json_t *node);
bool fake_schema_is_atomic_map(const json_t *node);

#endif
