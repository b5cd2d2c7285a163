/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, and what all verbs share. */
#include "sim/fake_store.h"

#include "base/text.h"
#include "k8s/selector.h"
#include "sim/fake_schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define MAX_BODY   3145728
#define MAX_STORED 1572864 /* etcd's limit */
#define PAGES_MS   300000  /* a list can be gone on with so long: until etcd is compacted */

struct pages {
    struct list link;
    uint64_t id, version;
    int64_t at; /* LOOP_MONOTONIC */
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

char *fake_qualified(const struct k8s_request *r)
{
    const struct k8s_resource *kind = r->resource;

    return xasprintf("%s%s%s", kind->plural, *kind->group ? "." : "", kind->group);
}

struct fake_answer fake_not_found(const struct k8s_request *r)
{
    CLEANUP(free) char *what = fake_qualified(r);

    return fake_failure(404, "NotFound", r, r->resource->plural, r->name, "%s \"%s\" not found",
                        what, r->name);
}

/* A failed precondition of a delete names the Kind, all else the plural. */
struct fake_answer fake_conflict(const struct k8s_request *r, const char *kind, const char *why)
{
    const char *group = r->resource->group;

    return fake_failure(409, "Conflict", r, kind, r->name,
                        "Operation cannot be fulfilled on %s%s%s \"%s\": %s", kind,
                        *group ? "." : "", group, r->name, why);
}

struct fake_answer fake_stale(const struct k8s_request *r)
{
    return fake_conflict(r, r->resource->plural,
                         "the object has been modified; please apply your changes to the latest "
                         "version and try again");
}

struct fake_answer fake_bad_request(const struct k8s_request *r, const char *message)
{
    return fake_failure(400, "BadRequest", r, NULL, NULL, "%s", message);
}

struct fake_answer fake_invalid(const struct k8s_request *r, const char *name, const char *why)
{
    const char *group = r->resource->group;

    return fake_failure(422, "Invalid", r, r->resource->kind, name, "%s%s%s \"%s\" is invalid: %s",
                        r->resource->kind, *group ? "." : "", group, name ? name : "", why);
}

struct fake_answer fake_server_too_large(const struct fake_server *s, const struct k8s_request *r)
{
    struct fake_answer answer = fake_failure(504, "Timeout", r, NULL, NULL,
                                             "Too large resource version: %s, current: %" PRIu64,
                                             r->resource_version, s->version);
    json_t *details = json_object_get(answer.body, "details");

    json_set_take(details, "causes",
                  json_pack("[{s:s, s:s}]", "reason", "ResourceVersionTooLarge", "message",
                            "Too large resource version"));
    json_set_int(details, "retryAfterSeconds", 1);
    answer.retry_after_ms = 1000;
    return answer;
}

struct fake_answer fake_done(int status, json_t *body)
{
    return (struct fake_answer) {.status = status, .body = json_incref(body)};
}

void fake_answer_done(struct fake_answer *answer)
{
    json_decref(answer->body);
    json_decref(answer->items);
    *answer = (struct fake_answer) {0};
}

/* ---- get, list ---- */

static struct fake_answer do_get(struct fake_kind *kind, const struct k8s_request *r)
{
    struct fake_object *o = fake_store_find(kind, r->ns, r->name);

    return o ? fake_done(200, o->json) : fake_not_found(r);
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
    const json_t *meta = fake_meta(object);
    const char *ns = json_string_value(json_object_get(meta, "namespace"));

    return object && (!r->ns || (ns && strcmp(ns, r->ns) == 0)) &&
           (!r->label_selector ||
            k8s_selector_matches(r->label_selector, json_object_get(meta, "labels"))) &&
           fields_match(r->field_selector, object);
}

struct fake_answer fake_server_check_selectors(const struct fake_kind *kind,
                                               const struct k8s_request *r)
{
    const char *selector = r->field_selector;

    while (kind->schema && selector && *selector) {
        size_t len = strcspn(selector, ",");
        CLEANUP(free) char *path = xstrndup(selector, strcspn(selector, "=!,"));

        if (!fake_schema_selects_by(kind->schema, path)) {
            CLEANUP(free) char *text = xasprintf("field label not supported: %s", path);
            return fake_bad_request(r, text);
        }
        selector += len + (selector[len] == ',');
    }
    return (struct fake_answer) {0};
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

/* "id:from:key": where a list goes on; once its version is gone, from the object of that key. */
static void set_continue(json_t *meta, uint64_t id, size_t from, const char *key)
{
    CLEANUP(free) char *token = xasprintf("%" PRIu64 ":%zu:%s", id, from, key);

    json_set_text(meta, "continue", token);
}

static char *key_of_item(const struct pages *p, size_t i)
{
    const json_t *item = json_array_get(p->items, i);
    const char *ns = fake_meta_text(item, "namespace");

    return text_join(ns, '/', fake_meta_text(item, "name"));
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
    fake_version_text(p->version, text);
    json_set_text(meta, "resourceVersion", text);
    if (to < n) {
        CLEANUP(free) char *key = key_of_item(p, to);

        set_continue(meta, p->id, to, key);
        json_set_int(meta, "remainingItemCount", (json_int_t) (n - to));
    } else {
        pages_free(p);
    }
    json_set_take(answer.body, "metadata", meta);
    return answer;
}

static struct pages *new_pages(struct fake_server *s, const struct fake_kind *kind,
                               const struct k8s_request *r)
{
    struct pages *p = NEW(struct pages);

    p->id = ++s->n_pages;
    p->version = s->version;
    p->at = loop_now(s->loop, LOOP_MONOTONIC);
    p->items = snapshot(kind, r);
    list_push_back(&s->pages, &p->link);
    return p;
}

static void drop_old_pages(struct fake_server *s)
{
    struct pages *p;

    list_foreach (p, &s->pages, link)
        if (p->at + PAGES_MS < loop_now(s->loop, LOOP_MONOTONIC))
            pages_free(p);
}

/* The token that is given leads on from the same place, at another version. */
static struct fake_answer too_old(const struct k8s_request *r, const char *key)
{
    struct fake_answer answer = fake_failure(
        410, "Expired", r, NULL, NULL,
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted between "
        "the time the first chunk was returned and now may show up in the list.");

    set_continue(json_object_get(answer.body, "metadata"), 0, 0, key);
    return answer;
}

static struct fake_answer go_on(struct fake_server *s, struct fake_kind *kind,
                                const struct k8s_request *r)
{
    unsigned long long id, from;
    int at = 0;

    if (sscanf(r->continue_token, "%llu:%llu:%n", &id, &from, &at) < 2 || !at)
        return fake_bad_request(r, "continue key is not valid");
    const char *key = r->continue_token + at;
    drop_old_pages(s);
    struct pages *p = id ? find_pages(s, id) : new_pages(s, kind, r);
    if (!p)
        return too_old(r, key);
    for (; !id && from < json_array_size(p->items); from++) {
        CLEANUP(free) char *other = key_of_item(p, from);

        if (strcmp(other, key) >= 0)
            break;
    }
    return page(kind, r, p, from);
}

static struct fake_answer do_list(struct fake_server *s, struct fake_kind *kind,
                                  const struct k8s_request *r)
{
    struct fake_answer wrong = fake_server_check_selectors(kind, r);

    if (wrong.status)
        return wrong;
    if (r->continue_token && *r->continue_token)
        return go_on(s, kind, r);
    return page(kind, r, new_pages(s, kind, r), 0);
}

void fake_server_expire(struct fake_server *s)
{
    struct pages *p;

    list_foreach (p, &s->pages, link)
        pages_free(p);
    s->oldest = s->version;
    s->served_from = 0;
}

/* ---- all ---- */

struct fake_kind *fake_server_kind(const struct fake_server *s, const struct k8s_resource *resource)
{
    struct fake_kind *kind;

    list_foreach (kind, &s->kinds, link)
        if (text_equal(kind->resource->plural, resource->plural) &&
            text_equal(kind->resource->group, resource->group))
            return kind;
    return NULL;
}

struct fake_kind *fake_server_add_kind(struct fake_server *s, const struct k8s_resource *resource,
                                       bool has_status, const struct fake_schema *schema)
{
    struct fake_kind *kind = NEW(struct fake_kind);

    kind->resource = resource;
    kind->has_status = has_status;
    kind->schema = schema;
    map_init(&kind->objects);
    list_push_back(&s->kinds, &kind->link);
    return kind;
}

void fake_server_count(struct fake_server *s, const struct k8s_request *r)
{
    struct fake_kind *kind = fake_server_kind(s, r->resource);

    if (kind)
        kind->counts[r->verb][r->subresource != NULL]++;
}

static struct fake_answer perform(struct fake_server *s, struct fake_kind *kind,
                                  const struct k8s_request *r, json_t *body)
{
    switch (r->verb) {
    case K8S_GET:
        return do_get(kind, r);
    case K8S_LIST:
    case K8S_WATCH:
        return do_list(s, kind, r);
    case K8S_CREATE:
        return fake_write_create(s, kind, r, body);
    case K8S_APPLY:
        return fake_write_apply(s, kind, r, body);
    case K8S_PATCH:
        return fake_write_patch(s, kind, r, body);
    case K8S_DELETE:
        return fake_write_delete(s, kind, r, body);
    }
    abort();
}

static bool is_served(const struct fake_kind *kind, const struct k8s_request *r)
{
    return kind && (!r->subresource || (strcmp(r->subresource, "status") == 0 && kind->has_status));
}

/* What etcd refuses is about the object that is stored: here, as much as was sent. */
static struct fake_answer too_large_to_store(const struct k8s_request *r, size_t len)
{
    if (len > MAX_BODY)
        return fake_failure(413, "RequestEntityTooLarge", r, NULL, NULL,
                            "Request entity too large: limit is %d", MAX_BODY);
    return fake_failure(500, NULL, r, NULL, NULL, "etcdserver: request is too large");
}

struct fake_answer fake_server_do(struct fake_server *s, const struct k8s_request *r)
{
    CLEANUP(json_decref) json_t *body = NULL;
    struct fake_kind *kind = fake_server_kind(s, r->resource);
    struct error err;

    if (!is_served(kind, r))
        return (struct fake_answer) {.status = 404, .text = "404 page not found\n"};
    size_t len = r->body ? strlen(r->body) : 0;
    if (len > MAX_STORED)
        return too_large_to_store(r, len);
    if (r->body && !json_parse(r->body, len, &body, &err))
        return fake_bad_request(r, "the object provided is unrecognized");
    if (k8s_verb_writes(r->verb) && r->verb != K8S_DELETE && !json_is_object(body))
        return fake_bad_request(r, "the object provided is unrecognized");
    return perform(s, kind, r, body);
}
