/* SPDX-License-Identifier: Apache-2.0 */
#include "model/styxjson.h"

#include "base/hash.h"
#include "model/field.h"

#include <string.h>

/* ---- pieces ---- */

static void put_millis(json_t *object, const char *key, instant t)
{
    json_set_take(object, key, t == INSTANT_NONE ? json_null() : json_integer(t));
}

static void put_object(json_t *object, const char *key, const char *text)
{
    if (text)
        field_set_object(object, key, text);
    else
        json_set_take(object, key, json_null());
}

static json_t *env_map(const struct env *env)
{
    json_t *map = json_object();

    for (size_t i = 0; i < env->n; i++)
        json_set_text(map, env->vars[i].name, env->vars[i].value);
    return map;
}

/* As Styx would have printed it; what is no duration, as it is. */
static void put_duration(json_t *object, const char *key, const char *text)
{
    char canonical[DURATION_TEXT_MAX];
    struct error ignored;
    int64_t ms;

    if (text && duration_parse(text, &ms, &ignored))
        text = duration_print(ms, canonical);
    field_put_text(object, key, text);
}

static json_t *parameters(const struct env *env)
{
    json_t *json = json_object();

    json_set_take(json, "env", env_map(env));
    return json;
}

static json_t *message(enum message_level level, const char *line)
{
    json_t *json = json_object();

    json_set_text(json, "level", message_level_name(level));
    json_set_text(json, "line", line ? line : "");
    return json;
}

/* Natural triggers are all the same and have no id in here. */
static json_t *trigger(const struct run_trigger *t)
{
    json_t *json = json_object();

    json_set_text(json, "@type", trigger_type_name(t->type));
    if (t->type != TRIGGER_NATURAL)
        json_set_text(json, "trigger_id", t->id ? t->id : "UNKNOWN");
    return json;
}

/* ---- names ---- */

char *styx_instance_key(const struct styx_instance *id)
{
    return xasprintf("%s#%s#%s", id->component, id->workflow, id->parameter);
}

json_t *styx_workflow_id(const char *component, const char *workflow)
{
    json_t *json = json_object();

    json_set_text(json, "component_id", component);
    json_set_text(json, "id", workflow);
    return json;
}

json_t *styx_workflow_instance(const struct styx_instance *id)
{
    json_t *json = json_object();

    json_set_take(json, "workflow_id", styx_workflow_id(id->component, id->workflow));
    json_set_text(json, "parameter", id->parameter);
    return json;
}

/* ---- workflows ---- */

static void put_schedule(json_t *object, const char *key, const char *text)
{
    struct schedule schedule;
    struct error ignored;

    if (text && schedule_parse(text, &schedule, &ignored))
        text = schedule.text;
    field_put_text(object, key, text);
}

static json_t *deployment_source(const struct workflow *wf)
{
    if (!wf->deployment_source)
        return json_null();
    json_t *json = json_object();

    field_put_text(json, "repository", wf->deployment_repository);
    json_set_text(json, "source", wf->deployment_source);
    return json;
}

static json_t *configuration(const struct workflow *wf)
{
    const struct template *t = &wf->template;
    json_t *json = json_object();

    json_set_text(json, "id", workflow_id(wf));
    put_schedule(json, "schedule", wf->schedule);
    field_put_text(json, "offset", wf->offset);
    field_put_text(json, "commit_sha", wf->commit_sha);
    field_put_text(json, "docker_image", t->image);
    json_set_take(json, "docker_args",
                  t->args.n > 0 || t->empty_args ? texts_encode(&t->args) : json_null());
    json_set_bool(json, "docker_termination_logging", t->termination_logging);
    field_put_text(json, "service_account", t->gcp_service_account);
    json_set_take(json, "resources", texts_encode(&wf->limits));
    json_set_take(json, "env", env_map(&t->env));
    put_duration(json, "running_timeout", t->running_timeout);
    field_put_text(json, "retry_condition", wf->retry_condition);
    put_object(json, "flyte_exec_conf", wf->flyte);
    json_set_take(json, "deployment_source", deployment_source(wf));
    field_put_instant(json, "deployment_time", wf->deployment_time);
    return json;
}

/* component_uri is in the documentation only, and a client may look for it (17, row 4). */
json_t *styx_workflow(const struct workflow *wf)
{
    json_t *json = json_object();

    json_set_text(json, "component_id", workflow_component(wf));
    json_set_text(json, "workflow_id", workflow_id(wf));
    json_set_take(json, "component_uri", json_null());
    json_set_take(json, "configuration", configuration(wf));
    return json;
}

json_t *styx_workflow_state(const struct workflow *wf, instant now)
{
    json_t *json = json_object();
    struct cursor c = wf ? workflow_cursor(wf, now) : (struct cursor) {0};

    json_set_bool(json, "enabled", wf && !wf->suspend);
    field_put_instant(json, "next_natural_trigger", c.epoch > 0 ? c.next : INSTANT_NONE);
    field_put_instant(json, "next_natural_offset_trigger",
                      c.epoch > 0 ? c.next_offset : INSTANT_NONE);
    return json;
}

json_t *styx_workflow_with_state(const struct workflow *wf, instant now)
{
    json_t *json = json_object();

    json_set_take(json, "workflow", styx_workflow(wf));
    json_set_take(json, "state", styx_workflow_state(wf, now));
    return json;
}

/* ---- runs ---- */

/* Clients expect a name of a Flyte execution even for containers (4.10), which nothing is called
 * by. */
static char *flyte_execution_id(const char *execution_id)
{
    char digits[2 * SHA256_SIZE + 1];

    sha256_hex(execution_id, strlen(execution_id), digits);
    return xasprintf("f%.19s", digits);
}

json_t *styx_execution_description(const struct description *d, const char *execution_id)
{
    if (!d)
        return json_null();
    json_t *json = json_object();
    CLEANUP(free) char *flyte_id = flyte_execution_id(execution_id ? execution_id : "");

    field_put_text(json, "docker_image", d->image);
    json_set_take(json, "docker_args", texts_encode(&d->args));
    json_set_bool(json, "docker_termination_logging", d->termination_logging);
    field_put_text(json, "service_account", d->gcp_service_account);
    field_put_text(json, "commit_sha", d->commit_sha);
    json_set_take(json, "env", env_map(&d->env));
    put_duration(json, "running_timeout", d->running_timeout);
    field_put_text(json, "retry_condition", d->retry_condition);
    json_set_take(json, "flyte_exec_conf", json_null());
    json_set_text(json, "flyte_execution_id", flyte_id);
    return json;
}

/* Limits are taken when a run leaves QUEUED and are forgotten when it comes back. */
static bool has_limits(enum run_state state)
{
    return state != RUN_NEW && state != RUN_QUEUED;
}

static json_t *messages(const struct run *run)
{
    json_t *list = json_array();

    if (run->message)
        json_array_append_new(list, message(run->message_level, run->message));
    return list;
}

static json_t *state_data(const struct run *run)
{
    const struct run_trigger *t = run->trigger.seq > 0 ? &run->trigger : NULL;
    json_t *json = json_object();

    json_set_int(json, "tries", run->tries);
    json_set_int(json, "consecutive_failures", run->consecutive_failures);
    json_set_take(json, "retry_cost", json_real(run->retry_cost_tenths / 10.0));
    json_set_take(json, "retry_delay_millis",
                  run->retry_delay_ms < 0 ? json_null() : json_integer(run->retry_delay_ms));
    json_set_take(json, "last_exit", run->has_exit ? json_integer(run->last_exit) : json_null());
    json_set_take(json, "trigger", t ? trigger(t) : json_null());
    field_put_text(json, "trigger_id", t ? t->id : NULL);
    field_put_text(json, "execution_id", run->execution_id);
    field_put_text(json, "runner_id", run->runner_id);
    json_set_take(json, "execution_description",
                  styx_execution_description(run->description, run->execution_id));
    json_set_take(json, "resource_ids",
                  has_limits(run->state) ? texts_encode(&run->limits) : json_null());
    json_set_take(json, "trigger_parameters", t ? parameters(&t->env) : json_null());
    json_set_take(json, "messages", messages(run));
    return json;
}

static json_t *run_state(const struct styx_instance *id, const struct run *run)
{
    json_t *json = json_object();

    json_set_take(json, "workflow_instance", styx_workflow_instance(id));
    json_set_text(json, "state", run_state_name(run->state));
    json_set_take(json, "state_data", state_data(run));
    json_set_take(json, "initial_timestamp", json_null());
    put_millis(json, "latest_timestamp", run->since);
    return json;
}

json_t *styx_run_state(const struct styx_instance *id, const struct instance *inst)
{
    struct run queued;

    run_init(&queued);
    instance_wanted_trigger(inst, &queued.trigger);
    queued.state = RUN_QUEUED;
    if (queued.trigger.seq == 1) /* the object was made for it; when others came is not known */
        queued.since = inst->id.created;
    bool taken = inst->run.seq >= queued.trigger.seq;
    json_t *json = run_state(id, taken ? &inst->run : &queued);

    run_done(&queued);
    return json;
}

/* ---- history ---- */

static json_t *status(const struct history_status *s)
{
    json_t *json = json_object();

    field_put_instant(json, "timestamp", s->at);
    json_set_text(json, "status", s->status);
    field_put_text(json, "message", s->message);
    return json;
}

static json_t *execution(const struct history_execution *x)
{
    json_t *json = json_object(), *statuses = json_array();

    for (size_t i = 0; i < x->n_statuses; i++)
        json_array_append_new(statuses, status(&x->statuses[i]));
    field_put_text(json, "execution_id", x->execution_id);
    field_put_text(json, "docker_image", x->docker_image);
    field_put_text(json, "commit_sha", x->commit_sha);
    json_set_take(json, "flyte_exec_conf", json_null());
    json_set_take(json, "flyte_execution_id", json_null());
    field_put_text(json, "runner_id", x->runner_id);
    json_set_take(json, "statuses", statuses);
    return json;
}

static json_t *history_trigger(const struct history_trigger *t)
{
    json_t *json = json_object(), *executions = json_array();

    for (size_t i = 0; i < t->n_executions; i++)
        json_array_append_new(executions, execution(&t->executions[i]));
    json_set_text(json, "trigger_id", t->trigger_id);
    field_put_instant(json, "timestamp", t->at);
    json_set_take(json, "parameters", parameters(&t->env));
    json_set_bool(json, "complete", t->complete);
    json_set_take(json, "executions", executions);
    return json;
}

json_t *styx_instance_execution(const struct styx_instance *id, const struct history *history)
{
    json_t *json = json_object(), *instance = json_object(), *triggers = json_array();

    json_set_take(instance, "workflow_id", styx_workflow_id(id->component, id->workflow));
    json_set_take(instance, "workflow", styx_workflow_id(id->component, id->workflow));
    json_set_text(instance, "parameter", id->parameter);
    for (size_t i = 0; i < history->n_triggers; i++)
        json_array_append_new(triggers, history_trigger(&history->triggers[i]));
    json_set_take(json, "workflow_instance", instance);
    json_set_take(json, "triggers", triggers);
    return json;
}

/* ---- events ---- */

static void add_details(json_t *json, const struct event *e)
{
    switch (e->type) {
    case EVENT_TRIGGER_EXECUTION:
        json_set_take(json, "trigger", trigger(&e->trigger));
        json_set_take(json, "parameters", parameters(&e->trigger.env));
        break;
    case EVENT_INFO:
        json_set_take(json, "message", message(e->level, e->message));
        break;
    case EVENT_DEQUEUE:
        json_set_take(json, "resource_ids", texts_encode(&e->limits));
        break;
    case EVENT_SUBMIT:
        if (e->description)
            json_set_take(json, "execution_description",
                          styx_execution_description(e->description, e->execution_id));
        json_set_text(json, "execution_id", e->execution_id);
        break;
    case EVENT_SUBMITTED:
        json_set_text(json, "execution_id", e->execution_id);
        json_set_text(json, "runner_id", e->runner_id);
        break;
    case EVENT_TERMINATE:
        if (e->has_exit)
            json_set_int(json, "exit_code", e->exit_code);
        break;
    case EVENT_RUN_ERROR:
        json_set_text(json, "message", e->message ? e->message : "");
        break;
    case EVENT_RETRY_AFTER:
        json_set_int(json, "delay_millis", e->delay_ms);
        break;
    case EVENT_STARTED:
    case EVENT_SUCCESS:
    case EVENT_STOP:
    case EVENT_TIMEOUT:
    case EVENT_HALT:
    case EVENT_N_TYPES:
        break;
    }
}

/* The key has '#' although the documentation shows '/': the official client parses it (4.9). */
json_t *styx_event(const struct styx_instance *id, const struct event *e)
{
    json_t *json = json_object();
    CLEANUP(free) char *key = styx_instance_key(id);

    json_set_text(json, "@type", event_type_name(e->type));
    json_set_text(json, "workflow_instance", key);
    add_details(json, e);
    return json;
}

json_t *styx_events(const struct styx_instance *id, const struct event *events, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *item = json_object();

        json_set_take(item, "event", styx_event(id, &events[i]));
        json_set_int(item, "timestamp", events[i].at);
        json_array_append_new(list, item);
    }
    return list;
}
