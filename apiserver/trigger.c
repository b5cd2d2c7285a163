/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a workflow for a parameter now (Styx behaviour, 3.18).
 *
 * An instance is one object by construction, so creating it is the question whether it runs
 * already. If the name is taken, the object is read live: a trigger with our key is ours (the
 * reply to the first attempt was lost); an active one is 409; a finished one gets the next
 * trigger, under its resourceVersion.  A reply that was lost is settled by sending the same again
 * (design, section 4).
 */
#include "apiserver/handlers.h"

#include "apiserver/job.h"
#include "apiserver/lookup.h"
#include "apiserver/scheduler.h"
#include "model/partition.h"
#include "model/styxjson.h"
#include "model/trigger.h"
#include "model/validate.h"

#include <string.h>

#define ALREADY_TRIGGERED                                                                          \
    "This workflow instance is already triggered. Did you want to `retry` running it instead?"

struct trigger {
    struct job job;
    struct named_instance named;
    bool has_parameters;
    bool counted;               /* in n_triggering */
    struct run_trigger trigger; /* seq 1, or the one after the last */
    char effective[PARTITION_TEXT_MAX];
    char *ns, *workflow, *name; /* of objects */
};

static void trigger_end(struct job *job)
{
    struct trigger *t = (struct trigger *) job;

    job->api->n_triggering -= t->counted;
    named_instance_done(&t->named);
    run_trigger_done(&t->trigger);
    free(t->ns);
    free(t->workflow);
    free(t->name);
}

/* The parameter is shown as it was sent (18.1). */
static json_t *encode_answer(const struct trigger *t)
{
    json_t *parameters = json_null();

    if (t->has_parameters) {
        json_t *env = json_object();

        for (size_t i = 0; i < t->trigger.env.n; i++)
            json_object_set_new(env, t->trigger.env.vars[i].name,
                                json_text(t->trigger.env.vars[i].value));
        parameters = json_pack("{s:o}", "env", env);
    }
    return json_pack("{s:o, s:o, s:o, s:s, s:s}", "workflow_id",
                     styx_workflow_id(t->named.component, t->named.workflow), "parameter",
                     json_text(t->named.parameter), "trigger_parameters", parameters, "trigger_id",
                     t->trigger.id, "effective_parameter", t->effective);
}

static void reply_triggered(struct trigger *t)
{
    reply_json_take(t->job.req, 200, encode_answer(t));
}

static void create(struct trigger *t);
static void look(struct trigger *t);

static void on_triggered_again(struct job *job, const struct k8s_reply *reply)
{
    struct trigger *t = (struct trigger *) job;

    job->in_doubt |= reply->error.code == ERROR_UNKNOWN;
    switch (reply->error.code) {
    case ERROR_NONE:
        store_observe_instance(job->api->store, reply->object);
        reply_triggered(t);
        return;
    case ERROR_CONFLICT:
    case ERROR_NOT_FOUND:
    case ERROR_UNKNOWN:
        if (job_again(job)) {
            look(t);
            return;
        }
        __attribute__((fallthrough));
    default:
        job_fail(job, reply, "Could not trigger");
    }
}

/* All of the old trigger is replaced; a merge would keep its env. */
static void trigger_again(struct trigger *t, const json_t *object)
{
    json_t *trigger = run_trigger_encode(&t->trigger);

    if (!json_object_get(trigger, "env"))
        json_object_set_new(trigger, "env", json_null());
    CLEANUP(json_decref) json_t *patch =
        json_pack("{s:{s:O}, s:{s:o}}", "metadata", "resourceVersion",
                  json_at(object, "metadata.resourceVersion"), "spec", "trigger", trigger);
    CLEANUP(free) char *text = json_print(patch);

    job_call(&t->job,
             &(struct k8s_request) {.verb = K8S_PATCH,
                                    .lane = K8S_LANE_TRIGGER,
                                    .resource = &instance_resource,
                                    .ns = t->ns,
                                    .name = t->name,
                                    .body = text},
             on_triggered_again);
}

/* What somebody wished to halt is not in the way, even if the operator has not come to it; nor is
 * what waits for somebody's decision. */
static bool is_in_the_way(const struct instance *inst, const struct run_trigger *wanted)
{
    return instance_active(inst) && !instance_held(inst) && inst->halt_through < wanted->seq;
}

static bool was_taken(const struct trigger *t, const struct instance *inst)
{
    for (size_t i = 0; i < inst->run.n_events; i++) {
        const struct run_trigger *taken = &inst->run.events[i].trigger;

        if (taken->id && strcmp(taken->id, t->trigger.id) == 0)
            return true;
    }
    return false;
}

static void on_looked(struct job *job, const struct k8s_reply *reply)
{
    struct trigger *t = (struct trigger *) job;

    if (reply->error.code == ERROR_NOT_FOUND && job_again(job)) {
        create(t);
        return;
    }
    if (reply->error.code != ERROR_NONE) {
        job_fail(job, reply, "Could not read the instance");
        return;
    }
    CLEANUP(instance_free) struct instance *inst = instance_decode(reply->object);
    struct run_trigger wanted;
    store_observe_instance(job->api->store, reply->object);
    instance_wanted_trigger(inst, &wanted);
    bool ours = wanted.key && strcmp(wanted.key, t->trigger.key) == 0;
    bool busy = is_in_the_way(inst, &wanted);
    run_trigger_done(&wanted);

    int64_t last = instance_last_seq(inst);
    bool overtaken = job->in_doubt && last > t->trigger.seq;
    t->trigger.seq = last + 1;
    if (!inst->parameter || strcmp(inst->parameter, t->effective) != 0)
        reply_error(job->req, 409, "The object %s is for another parameter: %s", t->name,
                    inst->parameter ? inst->parameter : "none");
    else if (ours || (overtaken && was_taken(t, inst)))
        reply_triggered(t);
    else if (overtaken)
        job_lose_sight(job, "triggered the instance");
    else if (inst->id.deleting)
        reply_error(job->req, 409, "The instance is being deleted");
    else if (busy)
        reply_error(job->req, 409, "%s", ALREADY_TRIGGERED);
    else
        trigger_again(t, reply->object);
}

static void look(struct trigger *t)
{
    job_get(&t->job, &instance_resource, t->ns, t->name, on_looked);
}

static void on_created(struct job *job, const struct k8s_reply *reply)
{
    struct trigger *t = (struct trigger *) job;

    job->in_doubt |= reply->error.code == ERROR_UNKNOWN;
    if (reply->error.code == ERROR_NONE) {
        store_observe_instance(job->api->store, reply->object);
        reply_triggered(t);
    } else if (reply->error.code == ERROR_EXISTS) {
        look(t);
    } else if (reply->error.code == ERROR_UNKNOWN && job_again(job)) {
        create(t);
    } else if (reply->error.code == ERROR_INVALID || reply->error.code == ERROR_TOO_LARGE) {
        reply_error(job->req, 400, "%s", reply->error.text);
    } else {
        job_fail(job, reply, "Could not trigger");
    }
}

static void create(struct trigger *t)
{
    t->trigger.seq = 1;
    CLEANUP(json_decref) json_t *object =
        instance_encode_new(t->ns, t->workflow, t->effective, &t->trigger);
    CLEANUP(free) char *text = json_print(object);

    job_call(&t->job,
             &(struct k8s_request) {.verb = K8S_CREATE,
                                    .lane = K8S_LANE_TRIGGER,
                                    .resource = &instance_resource,
                                    .ns = t->ns,
                                    .body = text},
             on_created);
}

static bool check_configuration(const struct api *api, const struct workflow *wf, struct error *err)
{
    struct validate_limits limits = {.max_running_timeout_ms = api->max_running_timeout_ms};
    struct texts errors = {0};

    if (wf->problem)
        return error_set(err, ERROR_INVALID, "Invalid workflow configuration: %s", wf->problem);
    if (!wf->template.image && !wf->flyte)
        return error_set(err, ERROR_INVALID, "Workflow is missing execution configuration");
    workflow_validate(wf, &limits, &errors);
    workflow_not_supported_by_api(wf, &errors);
    if (errors.n == 0)
        return true;
    CLEANUP(free) char *list = validate_join(&errors);
    size_t len = strlen(list);
    texts_done(&errors);
    /* Without the brackets: "a, b" here, "[a, b]" at a deployment. */
    return error_set(err, ERROR_INVALID, "Invalid workflow configuration: %.*s", (int) len - 2,
                     list + 1);
}

static bool find_partition(struct trigger *t, const struct workflow *wf, struct error *err)
{
    struct schedule schedule;
    struct error detail;
    instant at;

    if (!schedule_parse(wf->schedule, &schedule, err))
        return false;
    if (!partition_parse(&schedule, t->named.parameter, &at, &detail))
        return error_set(err, ERROR_INVALID, "Cannot parse time parameter %s - %s",
                         t->named.parameter, detail.text);
    if (at > loop_now(t->job.api->loop, LOOP_OF_DAY) &&
        !request_query_true(t->job.req, "allowFuture"))
        return error_set(err, ERROR_INVALID, "Cannot trigger an instance of the future");
    partition_print(&schedule, at, t->effective);
    return true;
}

static bool check(struct trigger *t, const struct workflow *wf, struct error *err)
{
    struct api *api = t->job.api;
    size_t n_active = store_count_active(api->store) + api->n_triggering;

    if (!wf)
        return error_set(err, ERROR_INVALID,
                         "The specified workflow is not found in the scheduler");
    if (!check_configuration(api, wf, err) || !find_partition(t, wf, err) ||
        !validate_trigger_env(&t->trigger.env, err))
        return false;
    if (n_active >= api->max_active)
        return error_set(err, ERROR_THROTTLED, "Too many unfinished instances: %zu, limit = %zu",
                         n_active, api->max_active);
    t->counted = true;
    api->n_triggering++;
    return true;
}

static void on_workflow_known(struct request *req)
{
    struct trigger *t = req->context;
    const struct workflow *wf =
        store_workflow(req->api->store, t->named.component, t->named.workflow);
    char id[TRIGGER_ID_MAX];
    struct error err;

    if (!check(t, wf, &err)) {
        reply_failure(req, &err);
        return;
    }
    trigger_id_adhoc(loop_now(req->api->loop, LOOP_OF_DAY), req->api->rng, id);
    t->trigger.type = TRIGGER_ADHOC;
    t->trigger.id = xstrdup(id);
    t->trigger.key = xstrdup(id);
    t->trigger.workflow_uid = xstrdup(wf->id.uid);
    t->ns = xstrdup(wf->id.ns);
    t->workflow = xstrdup(wf->id.name);
    t->name = instance_name(t->workflow, t->effective);
    create(t);
}

void scheduler_trigger(struct request *req)
{
    CLEANUP(json_decref) json_t *body = NULL;
    json_t *parameters = NULL;
    struct trigger *t = job_new(req, sizeof(*t), trigger_end);
    struct error err;

    if (!request_json(req, "Missing payload", "Payload parsing failed: ", &body, &err)) {
        reply_failure(req, &err);
        return;
    }
    if (!named_instance_read(body, &t->named, &err) ||
        !json_read_object(body, "trigger_parameters", &parameters, &err) ||
        !styx_read_env(body, "trigger_parameters.env", &t->trigger.env, &err)) {
        reply_error(req, 400, "Payload parsing failed: %s", err.text);
        return;
    }
    req->context = t;
    t->has_parameters = parameters != NULL;
    look_up_workflow(req, t->named.component, t->named.workflow, on_workflow_known);
}
