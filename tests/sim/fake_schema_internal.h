/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the schema share: fake_schema.c, fake_schema_judge.c, and fake_rules.c. */
#ifndef KHARON_SIM_FAKE_SCHEMA_INTERNAL_H
#define KHARON_SIM_FAKE_SCHEMA_INTERNAL_H

#include "base/buf.h"
#include "sim/fake_schema.h"

/* fake_schema.c: what a node says. */
bool fake_schema_flag(const json_t *node, const char *name);
/* As fake_schema_child, with the properties of the node. */
json_t *fake_schema_member(const json_t *node, const json_t *properties, const char *key);
/* At the root: these are the same in every kind. */
bool fake_schema_is_common(const char *key);

/* A mark of the nodes at or below which there are rules: elsewhere nobody asks them. */
#define FAKE_SCHEMA_RULES "fake-rules"

/* fake_schema_judge.c: what is wrong with an object. */
struct fake_faults {
    struct buf text;
    int n;
    bool blocking; /* with such a fault, rules are not asked */
};
void fake_fault_add(struct fake_faults *faults, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* fake_rules.c: finds each rule's counterpart, once. */
void fake_rules_prepare(json_t *root);
/* Asks the rules of a node: adds what they say of the value at `path`. */
void fake_rules_ask(const json_t *node, const json_t *old, const json_t *value, const char *path,
                    const json_t *object, struct fake_faults *faults);

#endif
