/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake's objects and what happened to them: every change gets the next version, is remembered
 * for watches, and is told to the watchers.
 */
#ifndef KHARON_SIM_FAKE_STORE_H
#define KHARON_SIM_FAKE_STORE_H

#include "sim/fake_server.h"

struct fake_object *fake_store_find(const struct fake_kind *kind, const char *ns, const char *name);
/* A new object; fills in its uid, creationTimestamp and resourceVersion.  Takes json. */
struct fake_object *fake_store_add(struct fake_server *s, struct fake_kind *kind, json_t *json);
/* The object's new state; takes json. */
void fake_store_change(struct fake_server *s, struct fake_object *object, json_t *json);
/* Gone.  Returns what a DELETED event shows. */
json_t *fake_store_remove(struct fake_server *s, struct fake_object *object);
/* Look for objects whose owners are all gone. */
void fake_store_schedule_gc(struct fake_server *s);
/* One more request of this kind. */
void fake_store_count(struct fake_server *s, const struct k8s_request *r);
/* A delete by the control plane itself. */
void fake_server_delete(struct fake_server *s, struct fake_object *object, int64_t grace_s);

#endif
