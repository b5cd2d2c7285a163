/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, patching, deleting.  What a request brought is its own and may be changed. */
#include "sim/fake_store.h"

#include "sim/fake_admission.h"
#include "sim/fake_owners.h"
#include "sim/fake_schema.h"

#include <inttypes.h>
#include <string.h>

static bool is_pod(const struct fake_kind *kind)
{
    return kind->built_in && strcmp(kind->resource->plural, "pods") == 0;
}

/* ---- trees ---- */

/* RFC 7386.  What the patch does not change is shared with the target; if that is all, it is the
 * target itself.  Returns a reference. */
static json_t *merged(json_t *target, json_t *patch)
{
    const char *key;
    json_t *value;

    if (!json_is_object(patch))
        return json_incref(json_equal(target, patch) ? target : patch);
    json_t *result = json_is_object(target) ? json_incref(target) : json_object();
    json_object_foreach (patch, key, value) {
        json_t *before = json_object_get(result, key);
        json_t *after = json_is_null(value) ? NULL : merged(before, value);

        if (after == before) {
            json_decref(after);
            continue;
        }
        if (result == target) {
            result = json_copy(target);
            json_decref(target);
        }
        if (after)
            json_object_set_new_nocheck(result, key, after);
        else
            json_object_del(result, key);
    }
    return result;
}

/* What no client may write. */
static bool is_the_servers(const char *field)
{
    static const char *const fields[] = {"uid",
                                         "name",
                                         "namespace",
                                         "creationTimestamp",
                                         "generation",
                                         "resourceVersion",
                                         "deletionTimestamp",
                                         "deletionGracePeriodSeconds"};

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strcmp(field, fields[i]) == 0)
            return true;
    return false;
}

static void drop_server_fields(json_t *body)
{
    json_t *meta = fake_meta(body), *value;
    const char *key;
    void *next;

    json_object_foreach_safe (meta, next, key, value)
        if (is_the_servers(key))
            json_object_del(meta, key);
    json_object_del(body, "apiVersion");
    json_object_del(body, "kind");
}

static bool same_but_metadata(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *) (uintptr_t) a, key, value)
        if (value != json_object_get(b, key) && strcmp(key, "metadata") != 0 &&
            strcmp(key, "status") != 0)
            return false;
    return json_object_size(a) == json_object_size(b);
}

/* The metadata must be json's own. */
static void bump_generation(json_t *json)
{
    json_t *meta = fake_meta(json);

    json_set_int(meta, "generation", json_int_at(meta, "generation", 0) + 1);
}

/* ---- create ---- */

/* Makes of a body an object; takes and returns a reference. */
static json_t *new_object(const struct fake_kind *kind, const struct k8s_request *r, json_t *json)
{
    json_t *meta = fake_meta(json);
    const struct k8s_resource *k = kind->resource;
    CLEANUP(free) char *api_version =
        xasprintf("%s%s%s", k->group, *k->group ? "/" : "", k->version);

    json_set_text(json, "apiVersion", api_version);
    json_set_text(json, "kind", k->kind);
    json_set_text(meta, "namespace", r->ns);
    json_set_int(meta, "generation", 1);
    json_object_del(meta, "deletionTimestamp");
    json_object_del(meta, "deletionGracePeriodSeconds");
    if (r->verb != K8S_APPLY)
        json_object_del(meta, "managedFields");
    if (kind->has_status)
        json_object_del(json, "status");
    fake_admission_default(kind, json);
    if (!kind->schema)
        return json;
    fake_schema_prune(kind->schema, json, true);
    return fake_schema_defaulted(kind->schema, json);
}

static struct fake_answer exists(const struct k8s_request *r, const struct fake_object *o,
                                 const char *name)
{
    CLEANUP(free) char *what = fake_qualified(r);

    return fake_failure(409, "AlreadyExists", r, r->resource->plural, name,
                        "%s%s \"%s\" already exists",
                        fake_is_deleting(o->json) ? "object is being deleted: " : "", what, name);
}

/* Status 0: nothing is wrong with what the request says of itself. */
static struct fake_answer check_new(const struct k8s_request *r, const json_t *body)
{
    const char *name = fake_meta_text(body, "name"), *ns = fake_meta_text(body, "namespace");

    if (!name)
        return fake_invalid(r, NULL,
                            "metadata.name: Required value: name or generateName is required");
    if (ns && (!r->ns || strcmp(ns, r->ns) != 0))
        return fake_bad_request(r, "the namespace of the provided object does not match the "
                                   "namespace sent on the request");
    if (fake_meta_text(body, "resourceVersion"))
        return fake_failure(500, NULL, r, NULL, NULL,
                            "resourceVersion should not be set on objects to be created");
    return (struct fake_answer) {0};
}

/* Checks the object, which is taken, and stores it as one that `manager` made. */
static struct fake_answer add(struct fake_server *s, struct fake_kind *kind,
                              const struct k8s_request *r, json_t *object)
{
    CLEANUP(json_decref) json_t *json = object;
    const char *name = fake_meta_text(json, "name");
    CLEANUP(free) char *wrong = fake_admission_judge(kind, NULL, json);

    if (wrong)
        return fake_invalid(r, name, wrong);
    const struct fake_object *o = fake_store_find(kind, r->ns, name);
    if (o)
        return exists(r, o, name);
    if (r->verb != K8S_APPLY)
        fake_owners_created(s, kind, r, json);
    struct fake_answer answer = fake_done(201, fake_store_add(s, kind, TAKE(json))->json);
    fake_admission_added(s, kind, answer.body);
    return answer;
}

struct fake_answer fake_write_create(struct fake_server *s, struct fake_kind *kind,
                                     const struct k8s_request *r, json_t *body)
{
    struct fake_answer wrong = check_new(r, body);

    if (!wrong.status)
        wrong = fake_admission_create(s, kind, r, body);
    return wrong.status ? wrong : add(s, kind, r, new_object(kind, r, json_incref(body)));
}

/* ---- patch ---- */

/* Finalizers may only be taken away from what is being deleted. */
static bool adds_finalizer(const json_t *old, const json_t *new)
{
    return fake_is_deleting(old) && json_array_size(json_at(new, "metadata.finalizers")) >
                                        json_array_size(json_at(old, "metadata.finalizers"));
}

static bool is_over(const json_t *json)
{
    return fake_is_deleting(json) && !fake_has_finalizers(json) &&
           json_int_at(json, "metadata.deletionGracePeriodSeconds", 0) == 0;
}

struct fake_answer fake_store_update(struct fake_server *s, struct fake_object *o, json_t *json)
{
    if (json == o->json) {
        json_decref(json);
        return fake_done(200, o->json);
    }
    if (is_over(json)) { /* that was the last finalizer; DELETED still shows it */
        json_decref(fake_store_remove(s, o));
        return (struct fake_answer) {.status = 200, .body = json};
    }
    fake_store_change(s, o, json);
    return fake_done(200, o->json);
}

void fake_server_change(struct fake_server *s, struct fake_object *o, json_t *json)
{
    struct fake_answer answer = fake_store_update(s, o, json);

    fake_answer_done(&answer);
}

/* Checks the next state, which is taken, and stores it. */
static struct fake_answer change(struct fake_server *s, struct fake_object *o,
                                 const struct k8s_request *r, json_t *next)
{
    CLEANUP(json_decref) json_t *json = next;

    if (o->kind->schema)
        json = fake_schema_defaulted(o->kind->schema, json);
    if (json == o->json || (json != next && json_equal(json, o->json))) /* a default came back */
        return fake_done(200, o->json);
    CLEANUP(free) char *wrong = fake_admission_judge(o->kind, o->json, json);
    if (wrong)
        return fake_invalid(r, r->name, wrong);
    if (!r->subresource && !same_but_metadata(json, o->json)) {
        json = fake_store_own(json);
        bump_generation(json);
    }
    if (!r->subresource && r->verb != K8S_APPLY)
        json = fake_owners_changed(s, o, r, json);
    return fake_store_update(s, o, TAKE(json));
}

static struct fake_answer patch_main(struct fake_server *s, struct fake_object *o,
                                     const struct k8s_request *r, json_t *patch)
{
    const char *uid = fake_meta_text(patch, "uid");

    if (uid && strcmp(uid, o->uid) != 0) {
        CLEANUP(free) char *text =
            xasprintf("metadata.uid: Invalid value: \"%s\": field is immutable", uid);

        return fake_invalid(r, r->name, text);
    }
    drop_server_fields(patch);
    if (o->kind->has_status)
        json_object_del(patch, "status");
    json_t *json = merged(o->json, patch);
    if (!adds_finalizer(o->json, json))
        return change(s, o, r, json);
    json_decref(json);
    return fake_invalid(r, r->name,
                        "metadata.finalizers: Forbidden: no new finalizers can be added if the "
                        "object is being deleted");
}

/* Everything but the status is dropped in silence, the uid too. */
static struct fake_answer patch_status(struct fake_server *s, struct fake_object *o,
                                       const struct k8s_request *r, json_t *patch)
{
    json_t *status = json_object_get(patch, "status");
    CLEANUP(json_decref) json_t *only = json_object();

    if (status)
        json_object_set(only, "status", status);
    return change(s, o, r, merged(o->json, only));
}

/* Status 0: the version in the body is the object's, or there is none. */
static struct fake_answer check_version(const struct fake_object *o, const struct k8s_request *r,
                                        const json_t *body)
{
    const char *version = fake_meta_text(body, "resourceVersion");
    uint64_t ignored;

    if (!version)
        return (struct fake_answer) {0};
    if (!*version)
        return fake_invalid(
            r, r->name,
            "metadata.resourceVersion: Invalid value: \"\": must be specified for an "
            "update");
    if (!k8s_version_parse(version, &ignored))
        return fake_failure(500, NULL, r, NULL, NULL,
                            "strconv.ParseUint: parsing \"%s\": invalid syntax", version);
    if (strcmp(version, fake_meta_text(o->json, "resourceVersion")) != 0)
        return fake_stale(r);
    return (struct fake_answer) {0};
}

struct fake_answer fake_write_patch(struct fake_server *s, struct fake_kind *kind,
                                    const struct k8s_request *r, json_t *body)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);

    if (!o)
        return fake_not_found(r);
    struct fake_answer wrong = check_version(o, r, body);
    if (wrong.status)
        return wrong;
    if (kind->schema)
        fake_schema_prune(kind->schema, body, false);
    return r->subresource ? patch_status(s, o, r, body) : patch_main(s, o, r, body);
}

/* ---- apply ---- */

static struct fake_answer apply_new(struct fake_server *s, struct fake_kind *kind,
                                    const struct k8s_request *r, json_t *body)
{
    const char *uid = fake_meta_text(body, "uid");

    if (r->subresource)
        return fake_not_found(r);
    if (uid) {
        CLEANUP(free) char *why =
            xasprintf("uid mismatch: the provided object specified uid %s, and "
                      "no existing object was found",
                      uid);
        return fake_conflict(r, r->resource->plural, why);
    }
    json_object_del(fake_meta(body), "resourceVersion"); /* it protects from nothing here */
    json_set_text(fake_meta(body), "name", r->name);
    fake_owners_created(s, kind, r, body); /* of what it applied, not of defaults */
    return fake_write_create(s, kind, r, body);
}

static struct fake_answer apply_over(struct fake_server *s, struct fake_object *o,
                                     const struct k8s_request *r, json_t *body)
{
    const char *uid = fake_meta_text(body, "uid");
    struct fake_answer wrong = check_version(o, r, body);
    json_t *json;

    if (wrong.status)
        return wrong;
    if (r->subresource)
        return patch_status(s, o, r, body);
    if (uid && strcmp(uid, o->uid) != 0)
        return patch_main(s, o, r, body);
    drop_server_fields(body);
    json_object_del(body, "status");
    if (!o->kind->schema) /* no schema, no owners */
        return change(s, o, r, merged(o->json, body));
    wrong = fake_owners_apply(s, o, r, body, &json);
    return wrong.status ? wrong : change(s, o, r, json);
}

/* Status 0: it may be applied. */
static struct fake_answer check_apply(const struct fake_kind *kind, const struct k8s_request *r,
                                      const json_t *body)
{
    if (!r->field_manager)
        return fake_failure(
            422, "Invalid", r, "PatchOptions", NULL,
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: "
            "is required for apply patch");
    if (!json_text_at(body, "apiVersion") || !json_text_at(body, "kind"))
        return fake_bad_request(r, "invalid object type: /, Kind=");
    if (json_at(body, "metadata.managedFields"))
        return fake_bad_request(r, "metadata.managedFields must be nil");
    CLEANUP(free) char *unknown = kind->schema ? fake_schema_unknown(kind->schema, body) : NULL;
    if (unknown)
        return fake_failure(500, NULL, r, NULL, NULL,
                            "failed to create typed patch object (%s/%s; %s, Kind=%s): %s: field "
                            "not declared in schema",
                            r->ns, r->name, json_text_at(body, "apiVersion"),
                            json_text_at(body, "kind"), unknown);
    return (struct fake_answer) {0};
}

struct fake_answer fake_write_apply(struct fake_server *s, struct fake_kind *kind,
                                    const struct k8s_request *r, json_t *body)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);
    struct fake_answer wrong = check_apply(kind, r, body);

    if (wrong.status)
        return wrong;
    return o ? apply_over(s, o, r, body) : apply_new(s, kind, r, body);
}

/* ---- delete ---- */

static int64_t pod_grace(const json_t *pod, int64_t asked)
{
    const char *phase = json_text_at(pod, "status.phase");
    bool over = phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);

    if (over || !json_at(pod, "spec.nodeName"))
        return 0;
    return asked >= 0 ? asked : json_int_at(pod, "spec.terminationGracePeriodSeconds", 30);
}

/* Marks the object as being deleted.  A second delete can only make the grace shorter. */
static void mark_deleted(struct fake_server *s, struct fake_object *o, int64_t grace_s)
{
    bool again = fake_is_deleting(o->json);
    char when[32];

    if (again && json_int_at(o->json, "metadata.deletionGracePeriodSeconds", 0) <= grace_s)
        return;
    json_t *json = fake_store_editable(o->json), *meta = fake_meta(json);
    fake_time_text(fake_server_now(s) + grace_s * 1000, when);
    json_set_text(meta, "deletionTimestamp", when);
    json_set_int(meta, "deletionGracePeriodSeconds", grace_s);
    if (!again)
        bump_generation(json);
    fake_store_change(s, o, json);
}

/* Returns what is left of the object, or what was. */
static json_t *delete_object(struct fake_server *s, struct fake_object *o, int64_t grace_s)
{
    int64_t grace = is_pod(o->kind) ? pod_grace(o->json, grace_s) : 0;

    if (grace == 0 && !fake_has_finalizers(o->json))
        return fake_store_remove(s, o);
    mark_deleted(s, o, grace);
    return json_incref(o->json);
}

void fake_server_delete(struct fake_server *s, struct fake_object *o, int64_t grace_s)
{
    json_decref(delete_object(s, o, grace_s));
}

/* How dependents are dealt with is noted as a finalizer, for the garbage collector. */
static void note_policy(struct fake_object *o, const char *policy)
{
    const char *name = !policy                             ? NULL
                       : strcmp(policy, "Foreground") == 0 ? "foregroundDeletion"
                       : strcmp(policy, "Orphan") == 0     ? "orphan"
                                                           : NULL;

    if (!name || fake_is_deleting(o->json))
        return;
    json_t *json = fake_store_editable(o->json), *meta = fake_meta(json);
    json_t *before = json_object_get(meta, "finalizers");
    json_t *all = before ? json_copy(before) : json_array();
    json_array_append_new(all, json_text(name));
    json_object_set_new(meta, "finalizers", all);
    json_decref(o->json); /* no version of its own: it is one with the deletion */
    o->json = json;
}

static struct fake_answer deleted(const struct k8s_request *r, const char *uid)
{
    json_t *body = json_pack("{s:s, s:s, s:{}, s:s, s:{s:s, s:s, s:s}}", "kind", "Status",
                             "apiVersion", "v1", "metadata", "status", "Success", "details", "name",
                             r->name, "kind", r->resource->plural, "uid", uid);

    json_set_text(json_object_get(body, "details"), "group",
                  *r->resource->group ? r->resource->group : NULL);
    return (struct fake_answer) {.status = 200, .body = body};
}

/* Status 0: it may be deleted. */
static struct fake_answer check_delete(const struct fake_object *o, const struct k8s_request *r,
                                       const json_t *options)
{
    const char *uid = json_text_at(options, "preconditions.uid");
    const char *version = json_text_at(options, "preconditions.resourceVersion");
    const char *is = fake_meta_text(o->json, "resourceVersion");
    CLEANUP(free) char *why = NULL;

    if (uid && strcmp(uid, o->uid) != 0)
        why = xasprintf("the UID in the precondition (%s) does not match the UID in record (%s). "
                        "The object might have been deleted and then recreated",
                        uid, o->uid);
    else if (version && strcmp(version, is) != 0)
        why = xasprintf("the ResourceVersion in the precondition (%s) does not match the "
                        "ResourceVersion in record (%s). The object might have been modified",
                        version, is);
    return why ? fake_conflict(r, r->resource->kind, why) : (struct fake_answer) {0};
}

struct fake_answer fake_write_delete(struct fake_server *s, struct fake_kind *kind,
                                     const struct k8s_request *r, const json_t *options)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);

    if (!o)
        return fake_not_found(r);
    struct fake_answer wrong = check_delete(o, r, options);
    if (wrong.status)
        return wrong;
    CLEANUP(free) char *uid = xstrdup(o->uid);
    note_policy(o, json_text_at(options, "propagationPolicy"));
    json_t *left = delete_object(s, o, json_int_at(options, "gracePeriodSeconds", -1));
    fake_admission_deleted(s, kind, r->name);
    if (is_pod(kind) || fake_store_find(kind, r->ns, r->name))
        return (struct fake_answer) {.status = 200, .body = left};
    json_decref(left);
    return deleted(r, uid);
}
