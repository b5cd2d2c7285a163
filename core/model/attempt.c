/* SPDX-License-Identifier: Apache-2.0 */
#include "model/attempt.h"

#include "base/hash.h"
#include "model/image.h"
#include "model/label.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NO_UUID         "00000000-0000-0000-0000-000000000000"
#define TERMINATION_LOG "/dev/termination-log"

const char *attempt_execution_id(const char *instance_uid, int64_t seq, int attempt,
                                 char text[EXECUTION_ID_MAX])
{
    static const char prefix[] = "styx-run-";
    char name[64], *uuid = text + strlen(prefix);

    memcpy(text, prefix, strlen(prefix));
    snprintf(name, sizeof(name), "%" PRId64 "/%d", seq, attempt);
    if (!uuid5(instance_uid, name, uuid)) { /* Kubernetes promises that it is one */
        CLEANUP(free) char *whole = xasprintf("%s/%s", instance_uid, name);
        uuid5(NO_UUID, whole, uuid);
    }
    return text;
}

/* ---- description ---- */

static size_t printed_size_take(json_t *json)
{
    size_t size = json_printed_size(json);

    json_decref(json);
    return size;
}

static size_t size_of_last(const struct texts *texts)
{
    return printed_size_take(json_text(texts->items[texts->n - 1])) + 1;
}

static size_t size_of_last_var(const struct env *env)
{
    const struct env last = {&env->vars[env->n - 1], 1};

    return printed_size_take(env_encode(&last)) - 1;
}

static void drop_last(struct texts *texts)
{
    free(texts->items[--texts->n]);
}

static void drop_last_var(struct env *env)
{
    struct env_var *var = &env->vars[--env->n];

    free(var->name);
    free(var->value);
}

/* Arguments or variables go, from the end, whichever take more room: the pod has them whole. */
static void limit_description(struct description *d)
{
    size_t size = printed_size_take(description_encode(d));

    if (size <= DESCRIPTION_MAX)
        return;
    d->truncated = true;
    size = printed_size_take(description_encode(d));
    size_t args = printed_size_take(texts_encode(&d->args)),
           env = printed_size_take(env_encode(&d->env));
    while (size > DESCRIPTION_MAX && d->args.n + d->env.n > 0) {
        bool from_args = d->env.n == 0 || (d->args.n > 0 && args >= env);
        size_t dropped = from_args ? size_of_last(&d->args) : size_of_last_var(&d->env);

        if (from_args)
            drop_last(&d->args);
        else
            drop_last_var(&d->env);
        *(from_args ? &args : &env) -= dropped;
        size -= dropped;
    }
}

static void add_args(struct texts *to, const struct texts *args, const char *parameter)
{
    for (size_t i = 0; i < args->n; i++)
        texts_add(to, strcmp(args->items[i], "{}") == 0 ? parameter : args->items[i]);
}

static struct description *describe_whole(const struct workflow *wf, const char *parameter,
                                          const struct run_trigger *trigger)
{
    struct description *d = NEW(struct description);

    d->references = 1;
    d->image = xstrdup(wf->template.image);
    add_args(&d->args, &wf->template.args, parameter);
    d->termination_logging = wf->template.termination_logging;
    d->gcp_service_account = xstrdup(wf->template.gcp_service_account);
    d->commit_sha = xstrdup(wf->commit_sha);
    env_copy(&d->env, &wf->template.env);
    env_copy(&d->env, &trigger->env);
    d->running_timeout = xstrdup(wf->template.running_timeout);
    d->retry_condition = xstrdup(wf->retry_condition);
    return d;
}

static void replace_text(char **member, const char *text)
{
    free(*member);
    *member = xstrdup(text);
}

/* What the pod runs is what was decided at PREPARE, whatever became of the workflow since; only
 * arguments and variables that did not fit into the object are looked up again. */
static struct description *describe_pod(const struct attempt *a)
{
    const struct description *decided = a->description;

    if (!decided->truncated)
        return description_ref((struct description *) (uintptr_t) decided);
    struct description *d = describe_whole(a->wf, a->inst->parameter, a->trigger);
    replace_text(&d->image, decided->image);
    replace_text(&d->gcp_service_account, decided->gcp_service_account);
    replace_text(&d->commit_sha, decided->commit_sha);
    d->termination_logging = decided->termination_logging;
    return d;
}

struct description *attempt_describe(const struct workflow *wf, const char *parameter,
                                     const struct run_trigger *trigger)
{
    struct description *d = describe_whole(wf, parameter, trigger);

    limit_description(d);
    return d;
}

void description_hash(const struct description *d, char text[DESCRIPTION_HASH_MAX])
{
    json_t *json = description_encode(d);
    char *printed = json_print(json), hex[2 * SHA256_SIZE + 1];

    sha256_hex(printed, strlen(printed), hex);
    snprintf(text, DESCRIPTION_HASH_MAX, "%.16s", hex);
    free(printed);
    json_decref(json);
}

/* ---- environment (11.4) ---- */

static char *join_args(const struct texts *args)
{
    size_t len = 1;

    for (size_t i = 0; i < args->n; i++)
        len += strlen(args->items[i]) + 1;
    char *joined = xcalloc(len, 1), *at = joined;
    for (size_t i = 0; i < args->n; i++) {
        size_t n = strlen(args->items[i]);

        if (i)
            *at++ = ' ';
        memcpy(at, args->items[i], n);
        at += n;
    }
    return joined;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static void add_system_env(struct env *env, const struct attempt *a, const struct description *d,
                           const char *execution_id, const struct attempt_settings *settings)
{
    CLEANUP(free) char *args = join_args(&d->args);
    char tries[16];

    snprintf(tries, sizeof(tries), "%d", a->tries);
    const char *const vars[][2] = {
        {"STYX_COMPONENT_ID", workflow_component(a->wf)},
        {"STYX_WORKFLOW_ID", workflow_id(a->wf)},
        {"STYX_PARAMETER", a->inst->parameter},
        {"STYX_COMMIT_SHA", or_empty(d->commit_sha)},
        {"STYX_SERVICE_ACCOUNT", or_empty(d->gcp_service_account)},
        {"STYX_DOCKER_ARGS", args},
        {"STYX_DOCKER_IMAGE", d->image},
        {"STYX_EXECUTION_ID", execution_id},
        {"STYX_TERMINATION_LOG", TERMINATION_LOG},
        {"STYX_TRIGGER_ID", or_empty(a->trigger->id)},
        {"STYX_TRIGGER_TYPE", trigger_type_name(a->trigger->type)},
        {"STYX_ENVIRONMENT", or_empty(settings->environment)},
        {"STYX_LOGGING", "structured"},
        {"STYX_EXECUTION_TRIES", tries},
    };

    for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
        env_set(env, vars[i][0], vars[i][1]);
}

/* Weakest first: what an operator of the cluster adds, then users, then Styx's own names. */
static json_t *environment(const struct attempt *a, const struct description *d,
                           const char *execution_id, const struct attempt_settings *settings)
{
    struct env env = {0};

    env_copy(&env, &settings->execution_env);
    env_copy(&env, &d->env);
    add_system_env(&env, a, d, execution_id, settings);
    json_t *list = env_encode(&env);
    env_done(&env);
    return list;
}

/* ---- manifest ---- */

static char *run_key(const struct attempt *a)
{
    return xasprintf("%s#%s#%s", workflow_component(a->wf), workflow_id(a->wf), a->inst->parameter);
}

static json_t *annotations(const struct attempt *a, const json_t *template)
{
    json_t *json = json_object();
    char hash[DESCRIPTION_HASH_MAX], text[96];
    CLEANUP(free) char *key = run_key(a);

    json_object_update(json, json_at(template, "metadata.annotations"));
    json_set_text(json, "styx-workflow-instance", key);
    json_set_text(json, "styx-docker-termination-logging",
                  a->description->termination_logging ? "true" : "false");
    snprintf(text, sizeof(text), "%" PRId64 ",%" PRId64 ",%" PRId64, a->triggered_at,
             a->dequeued_at, a->submitted_at);
    json_set_text(json, "kharon.dev/record", text);
    snprintf(text, sizeof(text), "%" PRId64, a->trigger->seq);
    json_set_text(json, "kharon.dev/seq", text);
    snprintf(text, sizeof(text), "%d", a->attempt);
    json_set_text(json, "kharon.dev/attempt", text);
    description_hash(a->description, hash);
    json_set_text(json, "kharon.dev/description", hash);
    json_set_text(json, "kharon.dev/instance", a->inst->id.name);
    json_set_text(json, "kharon.dev/instance-uid", a->inst->id.uid);
    return json;
}

static void add_label(json_t *labels, const char *name, const char *value)
{
    CLEANUP(free) char *label = label_normalise(value);

    json_set_text(labels, name, label);
}

static json_t *labels(const struct attempt *a, const json_t *template, const char *execution_id,
                      const struct attempt_settings *settings)
{
    json_t *json = json_object();

    json_object_update(json, json_at(template, "metadata.labels"));
    json_set_text(json, POD_LABEL, POD_LABEL_VALUE);
    add_label(json, "STYX_COMPONENT_ID", workflow_component(a->wf));
    add_label(json, "STYX_WORKFLOW_ID", workflow_id(a->wf));
    add_label(json, "STYX_PARAMETER", a->inst->parameter);
    json_set_text(json, "STYX_EXECUTION_ID", execution_id);
    json_set_text(json, "STYX_TRIGGER_TYPE", trigger_type_name(a->trigger->type));
    if (settings->environment)
        json_set_text(json, "STYX_ENVIRONMENT", settings->environment);
    return json;
}

static json_t *metadata(const struct attempt *a, const json_t *template, const char *execution_id,
                        const struct attempt_settings *settings)
{
    json_t *json = json_object();

    json_set_text(json, "name", execution_id);
    json_set_text(json, "namespace", a->inst->id.ns);
    json_set_take(json, "labels", labels(a, template, execution_id, settings));
    json_set_take(json, "annotations", annotations(a, template));
    json_set_take(json, "finalizers", json_pack("[s]", POD_FINALIZER));
    json_set_take(json, "ownerReferences",
                  json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion", "kharon.dev/v1alpha1",
                            "kind", "WorkflowInstance", "name", a->inst->id.name, "uid",
                            a->inst->id.uid, "controller", 1, "blockOwnerDeletion", 0));
    return json;
}

/* Copies the members of the pod template that have a place of the same name. */
static void copy_members(json_t *to, const json_t *template, const char *const *keys)
{
    for (; *keys; keys++)
        json_set_take(to, *keys, json_incref(json_at(template, *keys)));
}

/* `defaults` with what the template says laid over. */
static json_t *laid_over(json_t *defaults, const json_t *over)
{
    if (over)
        json_object_update(defaults, (json_t *) (uintptr_t) over);
    return defaults;
}

static json_t *container(const struct attempt *a, const json_t *template, const char *execution_id,
                         const struct attempt_settings *settings)
{
    static const char *const keys[] = {"resources", "imagePullPolicy", "volumeMounts", NULL};
    struct description *whole = describe_pod(a);
    CLEANUP(free) char *image = image_with_tag(whole->image);
    json_t *json = json_object();

    json_set_text(json, "name", MAIN_CONTAINER);
    json_set_text(json, "image", image);
    if (whole->args.n)
        json_set_take(json, "args", texts_encode(&whole->args));
    json_set_take(json, "env", environment(a, whole, execution_id, settings));
    json_set_text(json, "terminationMessagePath", TERMINATION_LOG);
    json_set_text(json, "terminationMessagePolicy",
                  whole->termination_logging ? "File" : "FallbackToLogsOnError");
    copy_members(json, template, keys);
    json_set_take(json, "securityContext",
                  laid_over(json_pack("{s:b}", "allowPrivilegeEscalation", 0),
                            json_at(template, "containerSecurityContext")));
    description_unref(whole);
    return json;
}

static json_t *pod_spec(const struct attempt *a, const json_t *template, const char *execution_id,
                        const struct attempt_settings *settings)
{
    static const char *const keys[] = {"nodeSelector",
                                       "affinity",
                                       "tolerations",
                                       "imagePullSecrets",
                                       "volumes",
                                       "serviceAccountName",
                                       "priorityClassName",
                                       "schedulerName",
                                       "runtimeClassName",
                                       "terminationGracePeriodSeconds",
                                       NULL};
    json_t *json = json_object(), *containers = json_array();

    json_set_text(json, "restartPolicy", "Never");
    json_set_bool(json, "enableServiceLinks", false);
    json_set_bool(json, "automountServiceAccountToken",
                  json_bool_at(template, "automountServiceAccountToken", false));
    if (settings->active_deadline_ms > 0)
        json_set_int(json, "activeDeadlineSeconds", settings->active_deadline_ms / SECOND_MS);
    copy_members(json, template, keys);
    json_set_take(json, "securityContext",
                  laid_over(json_pack("{s:{s:s}}", "seccompProfile", "type", "RuntimeDefault"),
                            json_at(template, "securityContext")));
    json_array_append_new(containers, container(a, template, execution_id, settings));
    json_set_take(json, "containers", containers);
    return json;
}

json_t *attempt_manifest(const struct attempt *a, const struct attempt_settings *settings)
{
    CLEANUP(json_decref) json_t *template = NULL;
    char execution_id[EXECUTION_ID_MAX];
    struct error err;
    json_t *pod = json_object();
    const char *text = a->wf->template.pod_template;

    attempt_execution_id(a->inst->id.uid, a->trigger->seq, a->attempt, execution_id);
    if (!text || !json_parse(text, strlen(text), &template, &err))
        template = json_object();
    json_set_text(pod, "apiVersion", "v1");
    json_set_text(pod, "kind", "Pod");
    json_set_take(pod, "metadata", metadata(a, template, execution_id, settings));
    json_set_take(pod, "spec", pod_spec(a, template, execution_id, settings));
    return pod;
}
