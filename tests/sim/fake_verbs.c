/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_store.h"

#include "k8s/selector.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

struct pages {
    struct list link;
    uint64_t id, version;
    json_t *items;
};

/* ---- failures, as the real one words them ---- */

struct fake_answer fake_failure(int status, const char *reason, const struct k8s_request *r,
                                const char *kind, const char *name, const char *format, ...)
{
    json_t *details = json_object(), *body = json_object();
    va_list args;

    va_start(args, format);
    CLEANUP(free) char *message = xvasprintf(format, args);
    va_end(args);
    json_set_text(details, "name", name);
    json_set_text(details, "group", *r->resource->group ? r->resource->group : NULL);
    json_set_text(details, "kind", kind);
    json_set_text(body, "kind", "Status");
    json_set_text(body, "apiVersion", "v1");
    json_set_take(body, "metadata", json_object());
    json_set_text(body, "status", "Failure");
    json_set_text(body, "message", message);
    json_set_text(body, "reason", reason);
    json_set_take(body, "details", details);
    json_set_int(body, "code", status);
    return (struct fake_answer) {.status = status, .body = body};
}

/* "pods" or "workflows.kharon.dev" */
static char *qualified(const struct k8s_request *r)
{
    const struct k8s_resource *kind = r->resource;

    return xasprintf("%s%s%s", kind->plural, *kind->group ? "." : "", kind->group);
}

static struct fake_answer not_found(const struct k8s_request *r)
{
    CLEANUP(free) char *what = qualified(r);

    return fake_failure(404, "NotFound", r, r->resource->plural, r->name, "%s \"%s\" not found",
                        what, r->name);
}

static struct fake_answer conflict(const struct k8s_request *r, const char *kind, const char *why)
{
    CLEANUP(free) char *what = qualified(r);

    return fake_failure(409, "Conflict", r, kind, r->name,
                        "Operation cannot be fulfilled on %s \"%s\": %s", what, r->name, why);
}

static struct fake_answer stale(const struct k8s_request *r)
{
    return conflict(r, r->resource->plural,
                    "the object has been modified; please apply your changes to the latest version "
                    "and try again");
}

static struct fake_answer bad_request(const struct k8s_request *r, const char *message)
{
    return fake_failure(400, "BadRequest", r, NULL, NULL, "%s", message);
}

static struct fake_answer invalid(const struct k8s_request *r, const char *why)
{
    return fake_failure(422, "Invalid", r, r->resource->kind, r->name, "%s \"%s\" is invalid: %s",
                        r->resource->kind, r->name ? r->name : "", why);
}

static struct fake_answer done(int status, json_t *body)
{
    return (struct fake_answer) {.status = status, .body = json_incref(body)};
}

void fake_answer_done(struct fake_answer *answer)
{
    json_decref(answer->body);
    json_decref(answer->items);
    *answer = (struct fake_answer) {0};
}

/* ---- trees ---- */

/* RFC 7386; the result shares nothing with its arguments. */
static json_t *merged(const json_t *target, const json_t *patch)
{
    const char *key;
    json_t *value;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *result = json_is_object(target) ? json_deep_copy(target) : json_object();
    json_object_foreach ((json_t *) (uintptr_t) patch, key, value) {
        if (json_is_null(value))
            json_object_del(result, key);
        else
            json_set_take(result, key, merged(json_object_get(result, key), value));
    }
    return result;
}

/* Puts `from`'s member into `to`, or removes it where there is none. */
static void keep_member(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value)
        json_object_set(to, key, value);
    else
        json_object_del(to, key);
}

/* What no client may write. */
static void keep_server_fields(json_t *json, const json_t *old)
{
    static const char *const fields[] = {"uid",
                                         "name",
                                         "namespace",
                                         "creationTimestamp",
                                         "generation",
                                         "resourceVersion",
                                         "deletionTimestamp",
                                         "deletionGracePeriodSeconds"};
    json_t *meta = json_object_get(json, "metadata");
    const json_t *old_meta = json_object_get(old, "metadata");

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        keep_member(meta, old_meta, fields[i]);
    keep_member(json, old, "apiVersion");
    keep_member(json, old, "kind");
}

static bool same_but_metadata(const json_t *a, const json_t *b)
{
    CLEANUP(json_decref) json_t *left = json_copy((json_t *) (uintptr_t) a);
    CLEANUP(json_decref) json_t *right = json_copy((json_t *) (uintptr_t) b);

    json_object_del(left, "metadata");
    json_object_del(right, "metadata");
    json_object_del(left, "status");
    json_object_del(right, "status");
    return json_equal(left, right);
}

static void bump_generation(json_t *json)
{
    json_t *meta = json_object_get(json, "metadata");

    json_set_int(meta, "generation", json_int_at(meta, "generation", 0) + 1);
}

static bool has_finalizers(const json_t *json)
{
    return json_array_size(json_at(json, "metadata.finalizers")) > 0;
}

static bool is_pod(const struct fake_kind *kind)
{
    return strcmp(kind->resource->plural, "pods") == 0;
}

/* ---- get, list ---- */

static struct fake_answer do_get(struct fake_kind *kind, const struct k8s_request *r)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);

    return o ? done(200, o->json) : not_found(r);
}

static bool field_is(const json_t *object, const char *path, const char *want)
{
    const json_t *value = json_at(object, path);
    char number[24] = "";

    if (json_is_string(value))
        return strcmp(json_string_value(value), want) == 0;
    if (json_is_boolean(value))
        return strcmp(json_is_true(value) ? "true" : "false", want) == 0;
    if (json_is_integer(value))
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return strcmp(number, want) == 0; /* an absent field is the empty text */
}

/* One requirement of a field selector, text[0..len): path=value, path==value or path!=value. */
static bool field_requirement(const json_t *object, const char *text, size_t len)
{
    CLEANUP(free) char *path = xstrndup(text, len);
    char *sign = strchr(path, '=');

    if (!sign)
        return false;
    const char *value = sign[1] == '=' ? sign + 2 : sign + 1;
    bool negated = sign > path && sign[-1] == '!';
    *(negated ? sign - 1 : sign) = '\0';
    return field_is(object, path, value) != negated;
}

static bool fields_match(const char *selector, const json_t *object)
{
    while (selector && *selector) {
        size_t len = strcspn(selector, ",");

        if (!field_requirement(object, selector, len))
            return false;
        selector += len + (selector[len] == ',');
    }
    return true;
}

bool fake_server_selects(const struct k8s_request *r, const json_t *object)
{
    const char *ns = json_text_at(object, "metadata.namespace");

    return object && (!r->ns || (ns && strcmp(ns, r->ns) == 0)) &&
           k8s_selector_matches(r->label_selector, json_at(object, "metadata.labels")) &&
           fields_match(r->field_selector, object);
}

static int by_key(const void *a, const void *b)
{
    const struct fake_object *const *left = a, *const *right = b;

    return strcmp((*left)->key, (*right)->key);
}

/* As etcd keeps them: in the order of their names. */
static json_t *snapshot(const struct fake_kind *kind, const struct k8s_request *r)
{
    struct fake_object **all = xcalloc(kind->objects.n, sizeof(struct fake_object *)), *o;
    json_t *items = json_array();
    size_t n = 0;

    map_foreach (o, &kind->objects, by_key)
        if (fake_server_selects(r, o->json))
            all[n++] = o;
    qsort(all, n, sizeof(struct fake_object *), by_key);
    for (size_t i = 0; i < n; i++)
        json_array_append(items, all[i]->json);
    free(all);
    return items;
}

static void pages_free(struct pages *p)
{
    list_remove(&p->link);
    json_decref(p->items);
    free(p);
}

static struct pages *find_pages(const struct fake_server *s, uint64_t id)
{
    struct pages *p;

    list_foreach (p, &s->pages, link)
        if (p->id == id)
            return p;
    return NULL;
}

/* The built-in kinds' items say neither kind nor apiVersion. */
static json_t *list_item(const struct fake_kind *kind, json_t *object)
{
    if (!kind->built_in)
        return json_incref(object);
    json_t *item = json_copy(object);
    json_object_del(item, "kind");
    json_object_del(item, "apiVersion");
    return item;
}

static struct fake_answer page(const struct fake_kind *kind, const struct k8s_request *r,
                               struct pages *p, size_t from)
{
    size_t n = json_array_size(p->items),
           to = r->limit > 0 && from + (size_t) r->limit < n ? from + (size_t) r->limit : n;
    struct fake_answer answer = {.status = 200, .body = json_object(), .items = json_array()};
    json_t *meta = json_object();
    char text[48];

    for (size_t i = from; i < to; i++)
        json_array_append_new(answer.items, list_item(kind, json_array_get(p->items, i)));
    snprintf(text, sizeof(text), "%" PRIu64, p->version);
    json_set_text(meta, "resourceVersion", text);
    if (to < n) {
        snprintf(text, sizeof(text), "%" PRIu64 ".%zu", p->id, to);
        json_set_text(meta, "continue", text);
        json_set_int(meta, "remainingItemCount", (json_int_t) (n - to));
    } else {
        pages_free(p);
    }
    json_set_take(answer.body, "metadata", meta);
    return answer;
}

static struct fake_answer do_list(struct fake_server *s, struct fake_kind *kind,
                                  const struct k8s_request *r)
{
    const char *token = r->continue_token;

    if (token && *token) {
        char *end;
        struct pages *p = find_pages(s, strtoull(token, &end, 10));

        if (!p)
            return fake_failure(
                410, "Expired", r, NULL, NULL,
                "The provided continue parameter is too old to display a consistent list result.");
        return page(kind, r, p, strtoull(end + 1, NULL, 10));
    }
    struct pages *p = NEW(struct pages);
    p->id = ++s->n_pages;
    p->version = s->version;
    p->items = snapshot(kind, r);
    list_push_back(&s->pages, &p->link);
    return page(kind, r, p, 0);
}

void fake_server_expire(struct fake_server *s)
{
    struct pages *p;

    list_foreach (p, &s->pages, link)
        pages_free(p);
    s->oldest = s->version;
}

/* ---- create ---- */

static void default_pod(json_t *json)
{
    json_t *spec = json_object_get(json, "spec");
    CLEANUP(json_decref) json_t *defaults =
        json_pack("{s:s, s:i, s:s}", "restartPolicy", "Always", "terminationGracePeriodSeconds", 30,
                  "schedulerName", "default-scheduler");

    if (!spec)
        json_set_take(json, "spec", spec = json_object());
    json_object_update_missing(spec, defaults);
    json_set_take(json, "status",
                  json_pack("{s:s, s:s}", "phase", "Pending", "qosClass", "BestEffort"));
}

static json_t *new_object(const struct fake_kind *kind, const struct k8s_request *r,
                          const json_t *body)
{
    json_t *json = json_deep_copy(body), *meta = json_object_get(json, "metadata");
    const struct k8s_resource *k = kind->resource;
    CLEANUP(free) char *api_version =
        xasprintf("%s%s%s", k->group, *k->group ? "/" : "", k->version);

    json_set_text(json, "apiVersion", api_version);
    json_set_text(json, "kind", k->kind);
    json_set_text(meta, "namespace", r->ns);
    json_set_int(meta, "generation", 1);
    json_object_del(meta, "deletionTimestamp");
    json_object_del(meta, "deletionGracePeriodSeconds");
    if (is_pod(kind))
        default_pod(json);
    else if (kind->has_status)
        json_object_del(json, "status");
    return json;
}

static struct fake_answer exists(const struct k8s_request *r, const struct fake_object *o,
                                 const char *name)
{
    CLEANUP(free) char *what = qualified(r);
    bool deleting = json_at(o->json, "metadata.deletionTimestamp") != NULL;

    return fake_failure(409, "AlreadyExists", r, r->resource->plural, name,
                        "%s%s \"%s\" already exists", deleting ? "object is being deleted: " : "",
                        what, name);
}

static struct fake_answer do_create(struct fake_server *s, struct fake_kind *kind,
                                    const struct k8s_request *r, const json_t *body)
{
    const char *name = json_text_at(body, "metadata.name"),
               *ns = json_text_at(body, "metadata.namespace");

    if (!name)
        return invalid(r, "metadata.name: Required value: name or generateName is required");
    if (ns && (!r->ns || strcmp(ns, r->ns) != 0))
        return bad_request(r, "the namespace of the provided object does not match the namespace "
                              "sent on the request");
    if (json_at(body, "metadata.resourceVersion"))
        return bad_request(r, "resourceVersion should not be set on objects to be created");
    const struct fake_object *o = fake_store_find(kind, r->ns, name);
    if (o)
        return exists(r, o, name);
    return done(201, fake_store_add(s, kind, new_object(kind, r, body))->json);
}

/* ---- patch, apply ---- */

/* Finalizers may only be taken away from what is being deleted. */
static bool adds_finalizer(const json_t *old, const json_t *new)
{
    const json_t *before = json_at(old, "metadata.finalizers"),
                 *after = json_at(new, "metadata.finalizers");

    return json_at(old, "metadata.deletionTimestamp") &&
           json_array_size(after) > json_array_size(before);
}

static bool is_over(const json_t *json)
{
    return json_at(json, "metadata.deletionTimestamp") && !has_finalizers(json) &&
           json_int_at(json, "metadata.deletionGracePeriodSeconds", 0) == 0;
}

static struct fake_answer store_update(struct fake_server *s, struct fake_object *o, json_t *json)
{
    if (json_equal(json, o->json)) {
        json_decref(json);
        return done(200, o->json);
    }
    if (is_over(json)) { /* that was the last finalizer */
        json_decref(fake_store_remove(s, o));
        return (struct fake_answer) {.status = 200, .body = json};
    }
    fake_store_change(s, o, json);
    return done(200, json);
}

static struct fake_answer update_main(struct fake_server *s, struct fake_object *o,
                                      const struct k8s_request *r, const json_t *patch)
{
    const char *uid = json_text_at(patch, "metadata.uid");

    if (uid && strcmp(uid, o->uid) != 0)
        return invalid(r, "metadata.uid: Invalid value: field is immutable");
    json_t *json = merged(o->json, patch);
    keep_server_fields(json, o->json);
    if (o->kind->has_status)
        keep_member(json, o->json, "status");
    if (adds_finalizer(o->json, json)) {
        json_decref(json);
        return invalid(r, "metadata.finalizers: Forbidden: no new finalizers can be added if the "
                          "object is being deleted");
    }
    if (!same_but_metadata(json, o->json))
        bump_generation(json);
    return store_update(s, o, json);
}

static struct fake_answer update_status(struct fake_server *s, struct fake_object *o,
                                        const json_t *patch)
{
    json_t *json = json_deep_copy(o->json);
    CLEANUP(json_decref) json_t *wanted = merged(o->json, patch);

    keep_member(json, wanted, "status");
    return store_update(s, o, json);
}

static struct fake_answer update(struct fake_server *s, struct fake_object *o,
                                 const struct k8s_request *r, const json_t *patch)
{
    const json_t *version = json_at(patch, "metadata.resourceVersion");

    if (version && !field_is(o->json, "metadata.resourceVersion", json_string_value(version)))
        return stale(r);
    return r->subresource ? update_status(s, o, patch) : update_main(s, o, r, patch);
}

static struct fake_answer do_patch(struct fake_server *s, struct fake_kind *kind,
                                   const struct k8s_request *r, const json_t *body)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);

    return o ? update(s, o, r, body) : not_found(r);
}

static struct fake_answer do_apply(struct fake_server *s, struct fake_kind *kind,
                                   const struct k8s_request *r, const json_t *body)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);

    if (!r->field_manager)
        return bad_request(
            r, "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value");
    if (!json_text_at(body, "apiVersion") || !json_text_at(body, "kind"))
        return bad_request(r, "invalid object type: /, Kind=");
    if (o)
        return update(s, o, r, body);
    if (r->subresource)
        return not_found(r);
    if (json_at(body, "metadata.uid"))
        return conflict(r, r->resource->plural, "uid mismatch: no existing object was found");
    CLEANUP(json_decref) json_t *copy = json_deep_copy(body);
    json_object_del(json_object_get(copy, "metadata"), "resourceVersion");
    json_set_text(json_object_get(copy, "metadata"), "name", r->name);
    return do_create(s, kind, r, copy);
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
    bool again = json_at(o->json, "metadata.deletionTimestamp") != NULL;
    char when[32];

    if (again && json_int_at(o->json, "metadata.deletionGracePeriodSeconds", 0) <= grace_s)
        return;
    json_t *json = json_deep_copy(o->json), *meta = json_object_get(json, "metadata");
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

    if (grace == 0 && !has_finalizers(o->json))
        return fake_store_remove(s, o);
    mark_deleted(s, o, grace);
    return json_incref(o->json);
}

void fake_server_delete(struct fake_server *s, struct fake_object *o, int64_t grace_s)
{
    json_decref(delete_object(s, o, grace_s));
}

static struct fake_answer deleted(const struct k8s_request *r, const char *uid)
{
    json_t *body = json_pack("{s:s, s:s, s:{}, s:s, s:{s:s, s:s, s:s}}", "kind", "Status",
                             "apiVersion", "v1", "metadata", "status", "Success", "details", "name",
                             r->name, "kind", r->resource->plural, "uid", uid);

    return (struct fake_answer) {.status = 200, .body = body};
}

static struct fake_answer do_delete(struct fake_server *s, struct fake_kind *kind,
                                    const struct k8s_request *r, const json_t *options)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);
    const char *uid = json_text_at(options, "preconditions.uid");
    const char *version = json_text_at(options, "preconditions.resourceVersion");

    if (!o)
        return not_found(r);
    if (uid && strcmp(uid, o->uid) != 0)
        return conflict(r, r->resource->kind,
                        "the UID in the precondition does not match the UID in record. The object "
                        "might have been "
                        "deleted and then recreated");
    if (version && !field_is(o->json, "metadata.resourceVersion", version))
        return conflict(r, r->resource->kind,
                        "the ResourceVersion in the precondition does not match");
    CLEANUP(free) char *own_uid = xstrdup(o->uid);
    json_t *left = delete_object(s, o, json_int_at(options, "gracePeriodSeconds", -1));
    if (is_pod(kind) || fake_store_find(kind, r->ns, r->name))
        return (struct fake_answer) {.status = 200, .body = left};
    json_decref(left);
    return deleted(r, own_uid);
}

/* ---- all ---- */

struct fake_kind *fake_server_kind(const struct fake_server *s, const struct k8s_resource *resource)
{
    struct fake_kind *kind;

    list_foreach (kind, &s->kinds, link)
        if (strcmp(kind->resource->plural, resource->plural) == 0 &&
            strcmp(kind->resource->group, resource->group) == 0)
            return kind;
    return NULL;
}

static struct fake_answer perform(struct fake_server *s, struct fake_kind *kind,
                                  const struct k8s_request *r, const json_t *body)
{
    switch (r->verb) {
    case K8S_GET:
        return do_get(kind, r);
    case K8S_LIST:
    case K8S_WATCH:
        return do_list(s, kind, r);
    case K8S_CREATE:
        return do_create(s, kind, r, body);
    case K8S_APPLY:
        return do_apply(s, kind, r, body);
    case K8S_PATCH:
        return do_patch(s, kind, r, body);
    case K8S_DELETE:
        return do_delete(s, kind, r, body);
    }
    abort();
}

struct fake_answer fake_server_do(struct fake_server *s, const struct k8s_request *r)
{
    CLEANUP(json_decref) json_t *body = NULL;
    struct fake_kind *kind = fake_server_kind(s, r->resource);
    struct error err;

    if (!kind || (r->subresource && (strcmp(r->subresource, "status") != 0 || !kind->has_status)))
        return (struct fake_answer) {.status = 404, .text = "404 page not found\n"};
    if (r->body && !json_parse(r->body, strlen(r->body), &body, &err))
        return bad_request(r, "the object provided is unrecognized");
    if (k8s_verb_writes(r->verb) && r->verb != K8S_DELETE && !json_is_object(body))
        return bad_request(r, "the object provided is unrecognized");
    return perform(s, kind, r, body);
}
