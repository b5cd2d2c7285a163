/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_admission.h"

#include "sim/fake_schema.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static bool is_kind(const struct fake_kind *kind, const char *plural)
{
    return kind->built_in && strcmp(kind->resource->plural, plural) == 0;
}

static struct fake_kind *built_in(const struct fake_server *s, const char *plural)
{
    struct fake_kind *kind;

    list_foreach (kind, &s->kinds, link)
        if (is_kind(kind, plural))
            return kind;
    abort(); /* fake_new has made it */
}

/* ---- names and schemas ---- */

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++) {
        bool edge = i == 0 || i == n - 1 || name[i - 1] == '.' || name[i + 1] == '.';

        if (!islower((unsigned char) name[i]) && !isdigit((unsigned char) name[i]) &&
            (edge || (name[i] != '-' && name[i] != '.')))
            return false;
    }
    return n > 0 && n <= 253;
}

/* ---- built-in kinds, as far as Kharon writes them ---- */

/* Six digits, no more, no less. */
static bool is_micro_time(const char *text)
{
    static const char like[] = "0000-00-00T00:00:00.000000Z";
    size_t i = 0;

    while (like[i] && (like[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == like[i]))
        i++;
    return like[i] == '\0' && text[i] == '\0';
}

static char *judge_lease(const json_t *json)
{
    static const char *const times[] = {"spec.renewTime", "spec.acquireTime"};

    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        const char *time = json_text_at(json, times[i]);

        if (time && !is_micro_time(time))
            return xasprintf("patch: Invalid value: parsing time \"%s\" as "
                             "\"2006-01-02T15:04:05.000000Z07:00\"",
                             time);
    }
    if (json_int_at(json, "spec.leaseDurationSeconds", 1) < 1)
        return xstrdup("spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0");
    return NULL;
}

static char *judge_event(const json_t *json)
{
    static const struct {
        const char *path;
        size_t most;
    } texts[] = {
        {"eventTime", 64},
        {"reason", 128},
        {"action", 128},
        {"reportingController", 253},
        {"type", 7},
        {"note", 1024},
        {"reportingInstance", 128},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *text = json_text_at(json, texts[i].path);

        if ((!text || !*text) && texts[i].most != 1024)
            return xasprintf("%s: Required value", texts[i].path);
        if (text && strlen(text) > texts[i].most)
            return xasprintf("%s: Invalid value: \"\": can have at most %zu characters",
                             texts[i].most == 1024 ? "message" : texts[i].path, texts[i].most);
    }
    return is_micro_time(json_text_at(json, "eventTime"))
               ? NULL
               : xstrdup("eventTime: Invalid value: not a MicroTime");
}

static char *judge_kind(const struct fake_kind *kind, const json_t *old, const json_t *json)
{
    if (kind->unjudged)
        return NULL;
    if (kind->schema)
        return fake_schema_judge(kind->schema, old, json);
    if (is_kind(kind, "leases"))
        return judge_lease(json);
    return is_kind(kind, "events") && !old ? judge_event(json) : NULL;
}

char *fake_admission_judge(const struct fake_kind *kind, const json_t *old, const json_t *json)
{
    const char *name = fake_meta_text(json, "name");
    CLEANUP(free) char *text = judge_kind(kind, old, json);

    if (old || is_name(name))
        return TAKE(text);
    return xasprintf(
        "%smetadata.name: Invalid value: \"%s\": a lowercase RFC 1123 subdomain must "
        "consist of lower case alphanumeric characters, '-' or '.', and must start and "
        "end with an alphanumeric character%s%s%s",
        text ? "[" : "", name, text ? ", " : "", text ? text : "", text ? "]" : "");
}

/* ---- what a create meets ---- */

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

void fake_admission_default(const struct fake_kind *kind, json_t *json)
{
    if (is_kind(kind, "pods"))
        default_pod(json);
    else if (is_kind(kind, "namespaces"))
        json_set_take(fake_meta(json), "finalizers", json_pack("[s]", FAKE_NAMESPACE_FINALIZER));
}

static struct fake_answer forbidden(const struct k8s_request *r, const char *name, const char *why)
{
    CLEANUP(free) char *what = fake_qualified(r);

    return fake_failure(403, "Forbidden", r, r->resource->plural, name,
                        "%s \"%s\" is forbidden: %s", what, name, why);
}

static struct fake_answer check_namespace(const struct fake_server *s, const struct k8s_request *r,
                                          const char *name)
{
    const struct fake_kind *namespaces = built_in(s, "namespaces");
    static const struct k8s_resource resource = {"", "v1", "namespaces", "Namespace"};

    if (!r->ns || namespaces->objects.n == 0)
        return (struct fake_answer) {0};
    const struct fake_object *o = fake_store_find(namespaces, NULL, r->ns);
    if (!o) {
        struct k8s_request about = {.resource = &resource, .name = r->ns};
        return fake_not_found(&about);
    }
    if (!fake_is_deleting(o->json))
        return (struct fake_answer) {0};
    CLEANUP(free) char *why = xasprintf(
        "unable to create new content in namespace %s because it is being terminated", r->ns);
    struct fake_answer answer = forbidden(r, name, why);
    json_set_take(json_object_get(answer.body, "details"), "causes",
                  json_pack("[{s:s, s:o, s:s}]", "reason", "NamespaceTerminating", "message",
                            json_sprintf("namespace %s is being terminated", r->ns), "field",
                            "metadata.namespace"));
    return answer;
}

static int64_t pods_in(const struct fake_kind *pods, const char *ns)
{
    struct fake_object *o;
    int64_t n = 0;

    map_foreach (o, &pods->objects, by_key) {
        const char *phase = json_text_at(o->json, "status.phase");

        n += strcmp(fake_meta_text(o->json, "namespace"), ns) == 0 &&
             !(phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0));
    }
    return n;
}

static struct fake_answer check_quota(const struct fake_server *s, const struct fake_kind *pods,
                                      const struct k8s_request *r, const char *name)
{
    struct fake_object *o;

    map_foreach (o, &built_in(s, "resourcequotas")->objects, by_key) {
        const char *limit =
            json_string_value(json_object_get(json_at(o->json, "spec.hard"), "pods"));

        if (strcmp(fake_meta_text(o->json, "namespace"), r->ns) != 0 || !limit)
            continue;
        int64_t used = pods_in(pods, r->ns);
        if (used < strtoll(limit, NULL, 10))
            continue;
        CLEANUP(free) char *why = xasprintf(
            "exceeded quota: %s, requested: pods=1, used: pods=%" PRId64 ", limited: pods=%s",
            fake_meta_text(o->json, "name"), used, limit);
        return forbidden(r, name, why);
    }
    return (struct fake_answer) {0};
}

/* Every namespace has the account "default". */
static struct fake_answer check_account(const struct fake_server *s, const struct k8s_request *r,
                                        const char *name, const char *account)
{
    if (!account || strcmp(account, "default") == 0 ||
        fake_store_find(built_in(s, "serviceaccounts"), r->ns, account))
        return (struct fake_answer) {0};
    CLEANUP(free) char *why =
        xasprintf("error looking up service account %s/%s: serviceaccount \"%s\" not found", r->ns,
                  account, account);
    return forbidden(r, name, why);
}

static struct fake_answer check_priority(const struct fake_server *s, const struct k8s_request *r,
                                         const char *name, const char *class)
{
    if (!class || strncmp(class, "system-", 7) == 0 ||
        fake_store_find(built_in(s, "priorityclasses"), NULL, class))
        return (struct fake_answer) {0};
    CLEANUP(free) char *why = xasprintf("no PriorityClass with name %s was found", class);
    return forbidden(r, name, why);
}

static struct fake_answer check_pod(const struct fake_server *s, const struct fake_kind *kind,
                                    const struct k8s_request *r, const json_t *body)
{
    const char *name = fake_meta_text(body, "name");
    struct fake_answer wrong =
        check_priority(s, r, name, json_text_at(body, "spec.priorityClassName"));

    if (!wrong.status)
        wrong = check_account(s, r, name, json_text_at(body, "spec.serviceAccountName"));
    return wrong.status ? wrong : check_quota(s, kind, r, name);
}

struct fake_answer fake_admission_create(struct fake_server *s, const struct fake_kind *kind,
                                         const struct k8s_request *r, const json_t *body)
{
    struct fake_answer wrong = check_namespace(s, r, fake_meta_text(body, "name"));

    if (wrong.status || !is_kind(kind, "pods"))
        return wrong;
    return check_pod(s, kind, r, body);
}

/* ---- what follows ---- */

void fake_admission_added(struct fake_server *s, const struct fake_kind *kind, const json_t *json)
{
    if (!is_kind(kind, "customresourcedefinitions"))
        return;
    struct fake_schema *schema = fake_schema_new(json);
    if (fake_server_kind(s, &schema->resource))
        fake_schema_free(schema);
    else
        fake_server_add_kind(s, &schema->resource, schema->has_status, schema)->own_schema = schema;
}

static bool is_in(const struct fake_object *o, const char *ns)
{
    const char *its = fake_meta_text(o->json, "namespace");

    return its && strcmp(its, ns) == 0;
}

static bool delete_one(struct fake_server *s, const char *ns)
{
    struct fake_object *o;

    map_foreach (o, &s->by_uid, by_uid)
        if (is_in(o, ns) && !fake_is_deleting(o->json)) {
            fake_server_delete(s, o, -1);
            return true;
        }
    return false;
}

/* All that is in a namespace is deleted with it. */
void fake_admission_deleted(struct fake_server *s, const struct fake_kind *kind, const char *name)
{
    if (!is_kind(kind, "namespaces"))
        return;
    s->n_terminating++;
    while (delete_one(s, name))
        ;
}

static bool is_empty(const struct fake_server *s, const char *ns)
{
    struct fake_object *o;

    map_foreach (o, &s->by_uid, by_uid)
        if (is_in(o, ns))
            return false;
    return true;
}

void fake_admission_end_namespaces(struct fake_server *s)
{
    struct fake_object *o;

    s->n_terminating = 0;
    map_foreach (o, &built_in(s, "namespaces")->objects, by_key) {
        if (!fake_is_deleting(o->json))
            continue;
        if (is_empty(s, fake_meta_text(o->json, "name")))
            fake_gc_remove_finalizer(s, o, FAKE_NAMESPACE_FINALIZER);
        else
            s->n_terminating++;
    }
}
