/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns which field (metadata.managedFields), for kinds with a schema: what server-side apply
 * lives on.
 *
 * A set of fields is a tree as in fieldsV1: "f:name" for a member, "k:{…}" for an item of a map
 * list, "v:…" for one of a set; what has no members is a field.  Status is nobody's.
 */
#ifndef KHARON_SIM_FAKE_OWNERS_H
#define KHARON_SIM_FAKE_OWNERS_H

#include "sim/fake_store.h"

/* All that a new object says is its maker's; written into its metadata. */
void fake_owners_created(const struct fake_server *s, const struct fake_kind *kind,
                         const struct k8s_request *r, json_t *json);
/* An update makes the object json: what it changed is its writer's.  Takes and returns a
 * reference. */
json_t *fake_owners_changed(const struct fake_server *s, const struct fake_object *o,
                            const struct k8s_request *r, json_t *json);
/* What an apply makes of the object; status 0: *ret_json, a reference.  Otherwise the conflict. */
struct fake_answer fake_owners_apply(const struct fake_server *s, const struct fake_object *o,
                                     const struct k8s_request *r, json_t *body, json_t **ret_json);

#endif
