/* SPDX-License-Identifier: Apache-2.0 */
#include "model/workflow.h"

#include "model/field.h"

#include <string.h>

/* Defaults and ranges of the CRD. */
enum {
    MAX_ACTIVE_DEFAULT = 100,
    MAX_ACTIVE_MAX = 1000,
    KEEP_MAX = 1000,
};

static const char *const catch_up_names[] = {
    [CATCH_UP_ALL] = "All",
    [CATCH_UP_LATEST] = "Latest",
    [CATCH_UP_NONE] = "None",
};

const char *catch_up_name(enum catch_up c)
{
    return catch_up_names[c];
}

/* ---- what every object has ---- */

static char *text_or_empty(const json_t *json, const char *path)
{
    const char *text = json_text_at(json, path);

    return xstrdup(text ? text : "");
}

void identity_decode(const json_t *object, struct identity *id)
{
    struct error ignored;
    instant created = 0;
    const json_t *meta = json_at(object, "metadata");
    const char *text = json_text_at(meta, "creationTimestamp");

    if (text)
        instant_parse(text, &created, &ignored);
    *id = (struct identity) {
        .ns = text_or_empty(meta, "namespace"),
        .name = text_or_empty(meta, "name"),
        .uid = text_or_empty(meta, "uid"),
        .generation = json_int_at(meta, "generation", 0),
        .created = created > 0 ? created : 0,
        .deleting = json_at(meta, "deletionTimestamp") != NULL,
    };
}

void identity_done(struct identity *id)
{
    free(id->ns);
    free(id->name);
    free(id->uid);
    *id = (struct identity) {0};
}

/* ---- decoding ---- */

static bool decode_args(const json_t *spec, struct template *t, struct error *err)
{
    if (!field_texts(spec, "spec.template.args", &t->args, err))
        return false;
    t->empty_args = json_at(spec, "spec.template.args") && t->args.n == 0;
    return true;
}

static bool decode_template(const json_t *spec, struct template *t, struct error *err)
{
    return field_text(spec, "spec.template.image", &t->image, err) && decode_args(spec, t, err) &&
           field_env(spec, "spec.template.env", &t->env, err) &&
           json_read_bool(spec, "spec.template.terminationLogging", &t->termination_logging, err) &&
           field_text(spec, "spec.template.runningTimeout", &t->running_timeout, err) &&
           field_text(spec, "spec.template.gcpServiceAccount", &t->gcp_service_account, err) &&
           field_object(spec, "spec.template.podTemplate", &t->pod_template, err);
}

static bool decode_catch_up(const json_t *object, enum catch_up *ret, struct error *err)
{
    const char *text = catch_up_name(*ret);

    if (!json_read_text(object, "spec.catchUp", &text, err))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(catch_up_names); i++) {
        if (strcmp(text, catch_up_names[i]) == 0) {
            *ret = (enum catch_up) i;
            return true;
        }
    }
    return error_set(err, ERROR_INVALID, "spec.catchUp: %s is none of All, Latest, None", text);
}

static bool decode_wish(const json_t *object, struct cursor_wish *wish, struct error *err)
{
    if (!json_at(object, "spec.setNext"))
        return true;
    if (!field_text(object, "spec.setNext.id", &wish->id, err) ||
        !field_instant(object, "spec.setNext.next", &wish->next, err) ||
        !field_instant(object, "spec.setNext.nextOffset", &wish->next_offset, err))
        return false;
    return wish->id ? true : error_set(err, ERROR_INVALID, "spec.setNext.id: missing");
}

/* A block of the wrong type would otherwise look like one that is absent. */
static bool check_blocks(const json_t *object, struct error *err)
{
    static const char *const blocks[] = {
        "spec",         "spec.template", "spec.deploymentSource", "spec.historyLimit",
        "spec.setNext", "status",        "status.lastDecision",
    };
    json_t *ignored;

    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
        if (!json_read_object(object, blocks[i], &ignored, err))
            return false;
    return true;
}

static bool decode_spec(const json_t *object, struct workflow *wf, struct error *err)
{
    bool read =
        field_text(object, "spec.componentId", &wf->component_id, err) &&
        field_text(object, "spec.workflowId", &wf->workflow_id, err) &&
        field_text(object, "spec.schedule", &wf->schedule, err) &&
        field_text(object, "spec.offset", &wf->offset, err) &&
        json_read_bool(object, "spec.suspend", &wf->suspend, err) &&
        decode_template(object, &wf->template, err) &&
        field_texts(object, "spec.limits", &wf->limits, err) &&
        field_text(object, "spec.retryCondition", &wf->retry_condition, err) &&
        field_text(object, "spec.commitSha", &wf->commit_sha, err) &&
        field_text(object, "spec.deploymentSource.source", &wf->deployment_source, err) &&
        field_text(object, "spec.deploymentSource.repository", &wf->deployment_repository, err) &&
        field_instant(object, "spec.deploymentTime", &wf->deployment_time, err) &&
        decode_catch_up(object, &wf->catch_up, err) &&
        field_int(object, "spec.maxActive", 1, MAX_ACTIVE_MAX, &wf->max_active, err) &&
        field_int(object, "spec.historyLimit.successful", 0, KEEP_MAX, &wf->keep_successful, err) &&
        field_int(object, "spec.historyLimit.failed", 0, KEEP_MAX, &wf->keep_failed, err) &&
        field_object(object, "spec.flyteExecConf", &wf->flyte, err) &&
        decode_wish(object, &wf->set_next, err);

    if (!read)
        return false;
    return wf->schedule ? true : error_set(err, ERROR_INVALID, "spec.schedule: missing");
}

/* The status comes first: the cursor in it is kept whatever a user wrote into spec. */
static bool decode(const json_t *object, struct workflow *wf, struct error *err)
{
    return check_blocks(object, err) && workflow_status_decode(object, &wf->status, err) &&
           decode_spec(object, wf, err);
}

struct workflow *workflow_new(void)
{
    struct workflow *wf = NEW(struct workflow);

    wf->id = (struct identity) {.ns = xstrdup(""), .name = xstrdup(""), .uid = xstrdup("")};
    wf->deployment_time = INSTANT_NONE;
    wf->catch_up = CATCH_UP_ALL;
    wf->max_active = MAX_ACTIVE_DEFAULT;
    wf->keep_successful = KEEP_SUCCESSFUL_DEFAULT;
    wf->keep_failed = KEEP_FAILED_DEFAULT;
    wf->set_next.next = wf->set_next.next_offset = INSTANT_NONE;
    wf->status.cursor.next = wf->status.cursor.next_offset = INSTANT_NONE;
    wf->status.last_decision.at = wf->status.ready.since = INSTANT_NONE;
    return wf;
}

struct workflow *workflow_decode(const json_t *object)
{
    struct workflow *wf = workflow_new();
    struct error err;

    identity_done(&wf->id);
    identity_decode(object, &wf->id);
    if (!decode(object, wf, &err))
        wf->problem = xstrdup(err.text);
    return wf;
}

static void template_done(struct template *t)
{
    free(t->image);
    texts_done(&t->args);
    env_done(&t->env);
    free(t->running_timeout);
    free(t->gcp_service_account);
    free(t->pod_template);
}

void workflow_free(struct workflow *wf)
{
    if (!wf)
        return;
    identity_done(&wf->id);
    free(wf->problem);
    free(wf->component_id);
    free(wf->workflow_id);
    free(wf->schedule);
    free(wf->offset);
    template_done(&wf->template);
    texts_done(&wf->limits);
    free(wf->retry_condition);
    free(wf->commit_sha);
    free(wf->deployment_source);
    free(wf->deployment_repository);
    free(wf->flyte);
    free(wf->set_next.id);
    workflow_status_done(&wf->status);
    free(wf);
}

const char *workflow_component(const struct workflow *wf)
{
    return wf->component_id ? wf->component_id : wf->id.ns;
}

const char *workflow_id(const struct workflow *wf)
{
    return wf->workflow_id ? wf->workflow_id : wf->id.name;
}

/* ---- encoding ---- */

static void set_unless(json_t *object, const char *key, int value, int otherwise)
{
    if (value != otherwise)
        json_set_int(object, key, value);
}

static json_t *encode_template(const struct template *t)
{
    json_t *json = json_object();

    json_set_text(json, "image", t->image);
    if (t->args.n > 0 || t->empty_args)
        json_set_take(json, "args", texts_encode(&t->args));
    field_set_env(json, "env", &t->env);
    if (t->termination_logging)
        json_set_bool(json, "terminationLogging", true);
    json_set_text(json, "runningTimeout", t->running_timeout);
    json_set_text(json, "gcpServiceAccount", t->gcp_service_account);
    field_set_object(json, "podTemplate", t->pod_template);
    return json;
}

static json_t *encode_deployment_source(const struct workflow *wf)
{
    json_t *json = json_object();

    json_set_text(json, "source", wf->deployment_source);
    json_set_text(json, "repository", wf->deployment_repository);
    return json;
}

static json_t *encode_history_limit(const struct workflow *wf)
{
    json_t *json = json_object();

    set_unless(json, "successful", wf->keep_successful, KEEP_SUCCESSFUL_DEFAULT);
    set_unless(json, "failed", wf->keep_failed, KEEP_FAILED_DEFAULT);
    return json;
}

static json_t *encode_wish(const struct cursor_wish *wish)
{
    json_t *json = json_object();

    if (!wish->id)
        return json;
    json_set_text(json, "id", wish->id);
    field_set_instant(json, "next", wish->next);
    field_set_instant(json, "nextOffset", wish->next_offset);
    return json;
}

json_t *workflow_encode_spec(const struct workflow *wf)
{
    json_t *spec = json_object();

    json_set_text(spec, "componentId", wf->component_id);
    json_set_text(spec, "workflowId", wf->workflow_id);
    json_set_text(spec, "schedule", wf->schedule);
    json_set_text(spec, "offset", wf->offset);
    if (wf->suspend)
        json_set_bool(spec, "suspend", true);
    field_set_unless_empty(spec, "template", encode_template(&wf->template));
    field_set_texts(spec, "limits", &wf->limits);
    json_set_text(spec, "retryCondition", wf->retry_condition);
    json_set_text(spec, "commitSha", wf->commit_sha);
    field_set_unless_empty(spec, "deploymentSource", encode_deployment_source(wf));
    field_set_instant(spec, "deploymentTime", wf->deployment_time);
    if (wf->catch_up != CATCH_UP_ALL)
        json_set_text(spec, "catchUp", catch_up_name(wf->catch_up));
    set_unless(spec, "maxActive", wf->max_active, MAX_ACTIVE_DEFAULT);
    field_set_unless_empty(spec, "historyLimit", encode_history_limit(wf));
    field_set_object(spec, "flyteExecConf", wf->flyte);
    field_set_unless_empty(spec, "setNext", encode_wish(&wf->set_next));
    return spec;
}
