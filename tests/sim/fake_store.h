/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake's objects and what happened to them: every change gets the next version, is remembered
 * for watches, and is told to the watchers.
 */
#ifndef KHARON_SIM_FAKE_STORE_H
#define KHARON_SIM_FAKE_STORE_H

#include "sim/fake_server.h"

/* Members that the hot paths read. */
static inline json_t *fake_meta(const json_t *json)
{
    return json_object_get(json, "metadata");
}

static inline const char *fake_meta_text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(fake_meta(json), key));
}

static inline bool fake_is_deleting(const json_t *json)
{
    return json_object_get(fake_meta(json), "deletionTimestamp") != NULL;
}

static inline bool fake_has_finalizers(const json_t *json)
{
    return json_array_size(json_object_get(fake_meta(json), "finalizers")) > 0;
}

struct fake_object *fake_store_find(const struct fake_kind *kind, const char *ns, const char *name);
/* A new object; fills in its uid, creationTimestamp and resourceVersion.  Takes json. */
struct fake_object *fake_store_add(struct fake_server *s, struct fake_kind *kind, json_t *json);
/* The object's new state; takes json, whose parts may belong to others as well. */
void fake_store_change(struct fake_server *s, struct fake_object *object, json_t *json);
/* Gone.  Returns what a DELETED event shows. */
json_t *fake_store_remove(struct fake_server *s, struct fake_object *object);
/* A copy whose metadata may be changed; what is below is shared. */
json_t *fake_store_editable(const json_t *json);
/* Takes json, and returns it if nobody else has it or its metadata; else such a copy. */
json_t *fake_store_own(json_t *json);

/* The garbage collector: fake_gc.c. */
void fake_gc_init(struct fake_server *s);
void fake_gc_done(struct fake_server *s);
void fake_gc_added(struct fake_server *s, struct fake_object *object);
void fake_gc_changed(struct fake_server *s, struct fake_object *object, const json_t *old);
void fake_gc_removed(struct fake_server *s, struct fake_object *object);
void fake_gc_remove_finalizer(struct fake_server *s, struct fake_object *object, const char *name);

/* A delete by the control plane itself; grace_s < 0: as the object wants it. */
void fake_server_delete(struct fake_server *s, struct fake_object *object, int64_t grace_s);
/* A change by the control plane itself; takes json.  The object goes if it is over. */
void fake_server_change(struct fake_server *s, struct fake_object *object, json_t *json);

/* The writing verbs: fake_write.c, fake_apply.c.  The body is the request's, and may be changed. */
struct fake_answer fake_write_create(struct fake_server *s, struct fake_kind *kind,
                                     const struct k8s_request *r, json_t *body);
struct fake_answer fake_write_patch(struct fake_server *s, struct fake_kind *kind,
                                    const struct k8s_request *r, json_t *body);
struct fake_answer fake_write_apply(struct fake_server *s, struct fake_kind *kind,
                                    const struct k8s_request *r, json_t *body);
struct fake_answer fake_write_delete(struct fake_server *s, struct fake_kind *kind,
                                     const struct k8s_request *r, const json_t *options);

/* What they share.  Answers with texts as the real one words them. */
char *fake_qualified(const struct k8s_request *r);      /* "pods", "workflows.kharon.dev" */
struct fake_answer fake_done(int status, json_t *body); /* takes a reference of its own */
struct fake_answer fake_not_found(const struct k8s_request *r);
struct fake_answer fake_conflict(const struct k8s_request *r, const char *kind, const char *why);
struct fake_answer fake_stale(const struct k8s_request *r);
struct fake_answer fake_bad_request(const struct k8s_request *r, const char *message);
struct fake_answer fake_invalid(const struct k8s_request *r, const char *name, const char *why);
/* Stores json, which is taken, as the object's next state; the answer. */
struct fake_answer fake_store_update(struct fake_server *s, struct fake_object *o, json_t *json);

#endif
