/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody else does to the cluster: at once, without a network. */
#include "sim/fake_internal.h"
#include "sim/fake_store.h"

#include <string.h>

static const json_t *do_now(struct fake *f, struct k8s_request request)
{
    struct fake_answer answer = fake_server_do(&f->server, &request);
    const struct fake_kind *kind = fake_server_kind(&f->server, request.resource);
    const char *name = json_text_at(answer.body, "metadata.name");
    const struct fake_object *o =
        answer.status < 300 ? fake_store_find(kind, request.ns, name ? name : request.name) : NULL;

    if (answer.status >= 300 && request.verb != K8S_GET && request.verb != K8S_DELETE) {
        fprintf(stderr, "fake: %s\n", json_text_at(answer.body, "message"));
        abort();
    }
    fake_answer_done(&answer);
    return o ? o->json : NULL;
}

/* Sends a text that says itself where it belongs. */
static const json_t *send_text(struct fake *f, struct k8s_request request, const char *text)
{
    CLEANUP(json_decref) json_t *json = NULL;
    struct error err;

    if (!json_parse(text, strlen(text), &json, &err)) {
        fprintf(stderr, "fake: %s\n", err.text);
        abort();
    }
    request.body = text;
    request.ns = json_text_at(json, "metadata.namespace");
    request.name = request.verb == K8S_APPLY ? json_text_at(json, "metadata.name") : NULL;
    return do_now(f, request);
}

const json_t *fake_create(struct fake *f, const struct k8s_resource *resource, const char *text)
{
    return send_text(f,
                     (struct k8s_request) {.verb = K8S_CREATE,
                                           .resource = resource,
                                           .field_manager = "kubectl-create"},
                     text);
}

const json_t *fake_create_unjudged(struct fake *f, const struct k8s_resource *resource,
                                   const char *text)
{
    struct fake_kind *kind = fake_server_kind(&f->server, resource);
    const struct fake_schema *schema = kind->schema;

    kind->schema = NULL;
    kind->unjudged = true;
    const json_t *json = fake_create(f, resource, text);
    kind->unjudged = false;
    kind->schema = schema;
    return json;
}

const json_t *fake_apply(struct fake *f, const struct k8s_resource *resource, const char *manager,
                         const char *text)
{
    return send_text(
        f, (struct k8s_request) {.verb = K8S_APPLY, .resource = resource, .field_manager = manager},
        text);
}

const json_t *fake_get(struct fake *f, const struct k8s_resource *resource, const char *ns,
                       const char *name)
{
    const struct fake_kind *kind = fake_server_kind(&f->server, resource);
    const struct fake_object *o = kind ? fake_store_find(kind, ns, name) : NULL;

    return o ? o->json : NULL;
}

const json_t *fake_patch(struct fake *f, const struct k8s_resource *resource, const char *ns,
                         const char *name, const char *text)
{
    return do_now(f, (struct k8s_request) {.verb = K8S_PATCH,
                                           .resource = resource,
                                           .ns = ns,
                                           .name = name,
                                           .body = text,
                                           .field_manager = "kubectl-patch"});
}

const json_t *fake_patch_status(struct fake *f, const struct k8s_resource *resource, const char *ns,
                                const char *name, const char *text)
{
    return do_now(f, (struct k8s_request) {.verb = K8S_PATCH,
                                           .resource = resource,
                                           .ns = ns,
                                           .name = name,
                                           .subresource = "status",
                                           .body = text,
                                           .field_manager = "kubectl-patch"});
}

static bool delete_with(struct fake *f, const struct k8s_resource *resource, const char *ns,
                        const char *name, const char *options)
{
    if (!fake_get(f, resource, ns, name))
        return false;
    do_now(f,
           (struct k8s_request) {
               .verb = K8S_DELETE, .resource = resource, .ns = ns, .name = name, .body = options});
    return true;
}

bool fake_delete(struct fake *f, const struct k8s_resource *resource, const char *ns,
                 const char *name)
{
    return delete_with(f, resource, ns, name, "{}");
}

bool fake_delete_now(struct fake *f, const struct k8s_resource *resource, const char *ns,
                     const char *name)
{
    return delete_with(f, resource, ns, name, "{\"gracePeriodSeconds\":0}");
}

bool fake_delete_cascading(struct fake *f, const struct k8s_resource *resource, const char *ns,
                           const char *name, const char *policy)
{
    CLEANUP(free) char *options = xasprintf("{\"propagationPolicy\":\"%s\"}", policy);

    return delete_with(f, resource, ns, name, options);
}

size_t fake_count_objects(struct fake *f, const struct k8s_resource *resource)
{
    return fake_server_kind(&f->server, resource)->objects.n;
}

void fake_foreach(struct fake *f, const struct k8s_resource *resource,
                  void (*each)(const json_t *object, void *arg), void *arg)
{
    struct fake_object *o;

    map_foreach (o, &fake_server_kind(&f->server, resource)->objects, by_key)
        each(o->json, arg);
}

void fake_watcher_add(struct fake *f, struct fake_watcher *w)
{
    list_push_back(&f->server.watchers, &w->link);
}

void fake_watcher_remove(struct fake_watcher *w)
{
    list_remove(&w->link);
}

uint64_t fake_count_requests(const struct fake *f, enum k8s_verb verb, const char *plural)
{
    size_t len = strcspn(plural, "/");
    struct fake_kind *kind;

    list_foreach (kind, &f->server.kinds, link)
        if (strlen(kind->resource->plural) == len &&
            memcmp(kind->resource->plural, plural, len) == 0)
            return kind->counts[verb][plural[len] == '/'];
    return 0;
}
