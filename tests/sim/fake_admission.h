/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an API server asks before it stores something: names, schemas, namespaces, quotas; and what
 * follows from what was stored: definitions make kinds, namespaces take their objects along.
 *
 * Namespaces count from the first one that is created: without any, all exist.
 */
#ifndef KHARON_SIM_FAKE_ADMISSION_H
#define KHARON_SIM_FAKE_ADMISSION_H

#include "sim/fake_store.h"

/* Of every namespace; the real ones have theirs in spec.finalizers. */
#define FAKE_NAMESPACE_FINALIZER "kubernetes"

/* What is wrong with an object, as in "… is invalid: TEXT"; NULL: nothing.  The caller frees. */
char *fake_admission_judge(const struct fake_kind *kind, const json_t *old, const json_t *json);
/* Fills in what a new object of a built-in kind has. */
void fake_admission_default(const struct fake_kind *kind, json_t *json);
/* Status 0: it may be created. */
struct fake_answer fake_admission_create(struct fake_server *s, const struct fake_kind *kind,
                                         const struct k8s_request *r, const json_t *body);
void fake_admission_added(struct fake_server *s, const struct fake_kind *kind, const json_t *json);
/* Namespaces that are being deleted, and are empty, go. */
void fake_admission_end_namespaces(struct fake_server *s);
/* An object of that name was deleted, or is going to be. */
void fake_admission_deleted(struct fake_server *s, const struct fake_kind *kind, const char *name);

#endif
