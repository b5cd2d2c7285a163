/* SPDX-License-Identifier: Apache-2.0 */
#include "model/instance.h"

#include "base/map.h"
#include "model/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- decoding ---- */

static instant read_instant(const json_t *json, const char *path)
{
    struct error ignored;
    instant t = INSTANT_NONE;
    const char *text = json_text_at(json, path);

    if (text && !instant_parse(text, &t, &ignored))
        return INSTANT_NONE;
    return t;
}

static char *read_copy(const json_t *json, const char *path)
{
    return xstrdup(json_text_at(json, path));
}

static enum message_level read_level(const char *name)
{
    enum message_level level = MESSAGE_UNKNOWN;

    return name && message_level_parse(name, &level) ? level : MESSAGE_UNKNOWN;
}

static bool decode_trigger(const json_t *json, struct run_trigger *t, struct error *err)
{
    const char *type = json_text_at(json, "type");

    *t = (struct run_trigger) {.seq = json_int_at(json, "seq", 0), .type = TRIGGER_UNKNOWN};
    if (type && !trigger_type_parse(type, &t->type))
        return error_set(err, ERROR_INVALID, "type: %s is no type of trigger", type);
    t->id = read_copy(json, "id");
    t->key = read_copy(json, "key");
    t->workflow_uid = read_copy(json, "workflowUID");
    return env_decode(json_at(json, "env"), &t->env, err);
}

static struct description *decode_description(const json_t *json)
{
    struct error ignored;

    if (!json)
        return NULL;
    struct description *d = NEW(struct description);
    d->references = 1;
    d->image = read_copy(json, "image");
    texts_decode(json_at(json, "args"), &d->args, &ignored);
    d->termination_logging = json_bool_at(json, "terminationLogging", false);
    d->gcp_service_account = read_copy(json, "gcpServiceAccount");
    d->commit_sha = read_copy(json, "commitSha");
    env_decode(json_at(json, "env"), &d->env, &ignored);
    d->running_timeout = read_copy(json, "runningTimeout");
    d->retry_condition = read_copy(json, "retryCondition");
    d->truncated = json_bool_at(json, "truncated", false);
    return d;
}

/* An event of a type that this version does not know is left out. */
static bool decode_event(const json_t *json, struct event *e)
{
    struct error ignored;
    const char *type = json_text_at(json, "type"), *trigger = json_text_at(json, "triggerType");

    *e = (struct event) {0};
    if (!type || !event_type_parse(type, &e->type))
        return false;
    e->counter = json_int_at(json, "counter", 0);
    e->at = json_int_at(json, "at", 0);
    e->has_exit = json_is_integer(json_at(json, "exitCode"));
    e->exit_code = (int) json_int_at(json, "exitCode", 0);
    e->free = json_bool_at(json, "free", false);
    e->level = read_level(json_text_at(json, "level"));
    e->message = read_copy(json, "message");
    e->execution_id = read_copy(json, "executionId");
    e->runner_id = read_copy(json, "runnerId");
    e->delay_ms = json_int_at(json, "delayMillis", 0);
    if (trigger && !trigger_type_parse(trigger, &e->trigger.type))
        e->trigger.type = TRIGGER_UNKNOWN;
    e->trigger.id = read_copy(json, "triggerId");
    env_decode(json_at(json, "env"), &e->trigger.env, &ignored);
    texts_decode(json_at(json, "limits"), &e->limits, &ignored);
    e->description = decode_description(json_at(json, "description"));
    return true;
}

static void decode_events(const json_t *list, struct run *run)
{
    size_t i;
    json_t *item;

    if (!json_is_array(list))
        return;
    run->events = xcalloc(json_array_size(list), sizeof(*run->events));
    json_array_foreach (list, i, item)
        if (decode_event(item, &run->events[run->n_events]))
            run->n_events++;
}

/* The inverse of what run_encode_status leaves out. */
static void share_descriptions(struct run *run, struct description *latest)
{
    struct description *later = latest;

    for (size_t i = run->n_events; i-- > 0;) {
        struct event *e = &run->events[i];

        if (e->type != EVENT_SUBMIT)
            continue;
        if (!e->description)
            e->description = description_ref(later);
        later = e->description;
    }
}

static bool decode_run(const json_t *status, struct run *run, struct error *err)
{
    const char *state = json_text_at(status, "state");

    if (state && !run_state_parse(state, &run->state))
        return error_set(err, ERROR_INVALID, "status.state: %s is no state", state);
    run->seq = json_int_at(status, "seq", 0);
    run->counter = json_int_at(status, "counter", -1);
    run->attempt = (int) json_int_at(status, "attempt", 0);
    run->tries = (int) json_int_at(status, "tries", 0);
    run->consecutive_failures = (int) json_int_at(status, "consecutiveFailures", 0);
    run->retry_cost_tenths = (int) json_int_at(status, "retryCostTenths", 0);
    run->has_exit = json_is_integer(json_at(status, "lastExit"));
    run->last_exit = (int) json_int_at(status, "lastExit", 0);
    run->free_tries = (int) json_int_at(status, "freeTries", 0);
    run->retry_delay_ms = json_int_at(status, "retryDelayMillis", -1);
    run->since = read_instant(status, "since");
    run->started_at = read_instant(status, "startedAt");
    run->completed_at = read_instant(status, "completedAt");
    run->execution_id = read_copy(status, "executionId");
    run->runner_id = read_copy(status, "runnerId");
    run->message = read_copy(status, "message.line");
    run->message_level = read_level(json_text_at(status, "message.level"));
    run->events_dropped = json_int_at(status, "eventsDropped", 0);
    run->halted_through = json_int_at(status, "haltedThrough", 0);
    run->retry_counter = json_int_at(status, "retryCounter", -1);
    decode_events(json_at(status, "events"), run);
    struct description *latest = decode_description(json_at(status, "description"));
    share_descriptions(run, latest);
    run->description = run->execution_id ? description_ref(latest) : NULL;
    description_unref(latest);
    return texts_decode(json_at(status, "limits"), &run->limits, err) &&
           decode_trigger(json_at(status, "trigger"), &run->trigger, err);
}

static bool decode(const json_t *object, struct instance *inst, struct error *err)
{
    const json_t *trigger = json_at(object, "spec.trigger"), *retry = json_at(object, "spec.retry");

    inst->workflow = read_copy(object, "spec.workflow");
    inst->parameter = read_copy(object, "spec.parameter");
    if (!inst->workflow || !inst->parameter)
        return error_set(err, ERROR_INVALID, "spec.%s: missing", inst->workflow ? "parameter" : "workflow");
    inst->halt_through = json_int_at(object, "spec.haltThrough", 0);
    inst->has_retry = retry != NULL;
    inst->retry_counter = json_int_at(retry, "counter", 0);
    inst->retry_delay_ms = json_int_at(retry, "delayMillis", 0);
    inst->observed_generation = json_int_at(object, "status.observedGeneration", 0);
    if (trigger && !decode_trigger(trigger, &inst->trigger, err))
        return error_prefix(err, "spec.trigger");
    if (!decode_run(json_at(object, "status"), &inst->run, err))
        return false;
    if (inst->run.seq == inst->trigger.seq)
        env_copy(&inst->run.trigger.env, &inst->trigger.env);
    return true;
}

struct instance *instance_decode(const json_t *object)
{
    struct instance *inst = NEW(struct instance);
    struct error err;

    identity_decode(object, &inst->id);
    run_init(&inst->run);
    if (!decode(object, inst, &err))
        inst->problem = xstrdup(err.text);
    return inst;
}

void instance_free(struct instance *inst)
{
    if (!inst)
        return;
    identity_done(&inst->id);
    free(inst->problem);
    free(inst->workflow);
    free(inst->parameter);
    run_trigger_done(&inst->trigger);
    run_done(&inst->run);
    free(inst);
}

/* ---- what is wished for ---- */

void instance_wanted_trigger(const struct instance *inst, struct run_trigger *ret_trigger)
{
    if (inst->trigger.seq > 0) {
        run_trigger_copy(ret_trigger, &inst->trigger);
        return;
    }
    /* Made from what does not change, so that it is the same whoever looks and however often. */
    char *id = xasprintf("ad-hoc-cli-%013" PRId64 "-%05" PRIu64, inst->id.created,
                         hash_text(inst->id.uid ? inst->id.uid : "") % 100000);
    *ret_trigger = (struct run_trigger) {.seq = 1, .type = TRIGGER_ADHOC, .id = id, .key = xstrdup(id)};
}

bool instance_active(const struct instance *inst)
{
    int64_t wanted = inst->trigger.seq > 0 ? inst->trigger.seq : 1;

    return wanted > inst->run.seq || !run_state_terminal(inst->run.state);
}

/* ---- encoding ---- */

static void set_instant(json_t *object, const char *key, instant t)
{
    char text[INSTANT_TEXT_MAX];

    json_set_take(object, key, t == INSTANT_NONE ? json_null() : json_string(instant_print(t, text)));
}

static void set_text_or_null(json_t *object, const char *key, const char *text)
{
    json_set_take(object, key, text ? json_text(text) : json_null());
}

static void set_env(json_t *object, const char *key, const struct env *env)
{
    if (env->n)
        json_set_take(object, key, env_encode(env));
}

static void set_texts(json_t *object, const char *key, const struct texts *texts)
{
    if (texts->n)
        json_set_take(object, key, texts_encode(texts));
}

static json_t *encode_trigger_names(const struct run_trigger *trigger)
{
    json_t *json = json_object();

    json_set_int(json, "seq", trigger->seq);
    json_set_text(json, "type", trigger_type_name(trigger->type));
    json_set_text(json, "id", trigger->id);
    json_set_text(json, "key", trigger->key);
    json_set_text(json, "workflowUID", trigger->workflow_uid);
    return json;
}

json_t *run_trigger_encode(const struct run_trigger *trigger)
{
    json_t *json = encode_trigger_names(trigger);

    set_env(json, "env", &trigger->env);
    return json;
}

json_t *instance_encode_new(const char *ns, const char *workflow, const char *parameter,
                            const struct run_trigger *trigger)
{
    CLEANUP(free) char *name = instance_name(workflow, parameter);
    json_t *metadata = json_object(), *spec = json_object(), *object = json_object();

    json_set_text(metadata, "name", name);
    json_set_text(metadata, "namespace", ns);
    /* Velero restores status only if asked: without it every restored run would run again. */
    json_set_take(metadata, "annotations", json_pack("{s:s}", "velero.io/restore-status", "true"));
    json_set_text(spec, "workflow", workflow);
    json_set_text(spec, "parameter", parameter);
    json_set_take(spec, "trigger", run_trigger_encode(trigger));
    json_set_text(object, "apiVersion", "kharon.dev/v1alpha1");
    json_set_text(object, "kind", "WorkflowInstance");
    json_set_take(object, "metadata", metadata);
    json_set_take(object, "spec", spec);
    return object;
}

json_t *description_encode(const struct description *d)
{
    json_t *json = json_object();

    json_set_text(json, "image", d->image);
    set_texts(json, "args", &d->args);
    if (d->termination_logging)
        json_set_bool(json, "terminationLogging", true);
    json_set_text(json, "gcpServiceAccount", d->gcp_service_account);
    json_set_text(json, "commitSha", d->commit_sha);
    set_env(json, "env", &d->env);
    json_set_text(json, "runningTimeout", d->running_timeout);
    json_set_text(json, "retryCondition", d->retry_condition);
    if (d->truncated)
        json_set_bool(json, "truncated", true);
    return json;
}

static json_t *event_encode(const struct event *e)
{
    json_t *json = json_object();

    json_set_int(json, "counter", e->counter);
    json_set_int(json, "at", e->at);
    json_set_text(json, "type", event_type_name(e->type));
    if (e->has_exit)
        json_set_int(json, "exitCode", e->exit_code);
    if (e->free)
        json_set_bool(json, "free", true);
    if (e->type == EVENT_INFO)
        json_set_text(json, "level", message_level_name(e->level));
    json_set_text(json, "message", e->message);
    json_set_text(json, "executionId", e->execution_id);
    json_set_text(json, "runnerId", e->runner_id);
    if (e->type == EVENT_RETRY_AFTER)
        json_set_int(json, "delayMillis", e->delay_ms);
    if (e->type == EVENT_TRIGGER_EXECUTION) {
        json_set_text(json, "triggerType", trigger_type_name(e->trigger.type));
        json_set_text(json, "triggerId", e->trigger.id);
        set_env(json, "env", &e->trigger.env);
    }
    set_texts(json, "limits", &e->limits);
    return json;
}

static void drop_events(struct run *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        event_done(&run->events[i]);
    run->n_events -= n;
    run->events_dropped += (int64_t) n;
    memmove(run->events, run->events + n, run->n_events * sizeof(*run->events));
}

static size_t last_trigger(const struct run *run)
{
    for (size_t i = run->n_events; i-- > 0;)
        if (run->events[i].type == EVENT_TRIGGER_EXECUTION)
            return i;
    return SIZE_MAX;
}

static size_t printed_size(const json_t *json)
{
    return json_dumpb(json, NULL, 0, JSON_COMPACT);
}

static struct description *latest_description(const struct run *run)
{
    for (size_t i = run->n_events; i-- > 0;)
        if (run->events[i].type == EVENT_SUBMIT)
            return run->events[i].description;
    return run->description;
}

static json_t *encode_events(struct run *run, const struct description *latest)
{
    json_t *list = json_array();
    const struct description *later = latest;
    size_t bytes = 0, trigger = last_trigger(run), i = run->n_events;

    while (i-- > 0) {
        const struct event *e = &run->events[i];
        json_t *json = event_encode(e);

        if (e->type == EVENT_SUBMIT && e->description && !description_equal(e->description, later)) {
            json_set_take(json, "description", description_encode(e->description));
            later = e->description;
        }
        bytes += printed_size(json) + 1;
        if (bytes > EVENTS_MAX && i != trigger) {
            json_decref(json);
            if (trigger == SIZE_MAX || i < trigger)
                break;
            continue;
        }
        json_array_insert_new(list, 0, json);
    }
    return list;
}

/* Drops from the run what encode_events left out, so that memory and object agree. */
static void forget_unwritten(struct run *run, const json_t *list)
{
    size_t kept = json_array_size(list), n = run->n_events, trigger = last_trigger(run);

    if (kept == n)
        return;
    size_t first = n - kept;
    if (trigger != SIZE_MAX && trigger < first + 1) {
        /* The trigger was kept out of its turn: it moves to where the kept ones begin. */
        struct event moved = run->events[trigger];

        run->events[trigger] = run->events[first];
        run->events[first] = moved;
    }
    drop_events(run, first);
}

static json_t *condition(const char *type, bool is_true, const struct run *run, int64_t generation)
{
    char text[INSTANT_TEXT_MAX];
    json_t *json = json_object();

    json_set_text(json, "type", type);
    json_set_text(json, "status", is_true ? "True" : "False");
    json_set_text(json, "reason", run_state_name(run->state));
    json_set_text(json, "message", is_true && run->message ? run->message : "");
    json_set_text(json, "lastTransitionTime",
                  instant_print(run->completed_at / SECOND_MS * SECOND_MS, text));
    json_set_int(json, "observedGeneration", generation);
    return json;
}

/* Only a run that has ended has conditions: then both, so that one can wait for either. */
static json_t *encode_conditions(const struct run *run, int64_t generation)
{
    json_t *list = json_array();

    if (!run_state_terminal(run->state) || run->completed_at == INSTANT_NONE)
        return list;
    json_array_append_new(list, condition("Complete", run->state == RUN_DONE, run, generation));
    json_array_append_new(list, condition("Failed", run->state == RUN_ERROR, run, generation));
    return list;
}

static json_t *encode_message(const struct run *run)
{
    if (!run->message)
        return json_null();
    json_t *json = json_object();
    json_set_text(json, "level", message_level_name(run->message_level));
    json_set_text(json, "line", run->message);
    return json;
}

/* A merge patch goes into objects: what is not there has to be said. */
static json_t *with_nulls(json_t *json, const char *const *keys)
{
    for (; *keys; keys++)
        if (!json_object_get(json, *keys))
            json_object_set_new(json, *keys, json_null());
    return json;
}

static json_t *encode_latest_description(const struct description *latest)
{
    static const char *const keys[] = {
        "image",   "args",           "terminationLogging", "gcpServiceAccount", "commitSha", "env",
        "runningTimeout", "retryCondition", "truncated", NULL};

    return latest ? with_nulls(description_encode(latest), keys) : json_null();
}

/* Without env: spec.trigger has it for as long as the run goes on, and the event for ever. */
static json_t *encode_status_trigger(const struct run_trigger *trigger)
{
    static const char *const keys[] = {"id", "key", "workflowUID", NULL};
    json_t *json = encode_trigger_names(trigger);

    return with_nulls(json, keys);
}

static void set_counters(json_t *status, const struct run *run)
{
    json_set_int(status, "seq", run->seq);
    json_set_int(status, "counter", run->counter);
    json_set_int(status, "attempt", run->attempt);
    json_set_int(status, "tries", run->tries);
    json_set_int(status, "consecutiveFailures", run->consecutive_failures);
    json_set_int(status, "retryCostTenths", run->retry_cost_tenths);
    json_set_take(status, "lastExit", run->has_exit ? json_integer(run->last_exit) : json_null());
    json_set_take(status, "freeTries", run->free_tries ? json_integer(run->free_tries) : json_null());
    json_set_take(status, "retryDelayMillis",
                  run->retry_delay_ms >= 0 ? json_integer(run->retry_delay_ms) : json_null());
    json_set_take(status, "haltedThrough",
                  run->halted_through ? json_integer(run->halted_through) : json_null());
    json_set_take(status, "retryCounter",
                  run->retry_counter >= 0 ? json_integer(run->retry_counter) : json_null());
}

json_t *run_encode_status(struct run *run, int64_t generation)
{
    json_t *status = json_object();
    struct description *latest = description_ref(latest_description(run));
    json_t *events = encode_events(run, latest);

    forget_unwritten(run, events);
    json_set_int(status, "observedGeneration", generation);
    json_set_text(status, "state", run_state_name(run->state));
    json_set_bool(status, "active", !run_state_terminal(run->state));
    set_counters(status, run);
    set_instant(status, "since", run->since);
    set_instant(status, "startedAt", run->started_at);
    set_instant(status, "completedAt", run->completed_at);
    json_set_take(status, "trigger", encode_status_trigger(&run->trigger));
    set_text_or_null(status, "executionId", run->execution_id);
    set_text_or_null(status, "runnerId", run->runner_id);
    json_set_take(status, "message", encode_message(run));
    json_set_take(status, "description", encode_latest_description(latest));
    json_set_take(status, "limits", run->limits.n ? texts_encode(&run->limits) : json_null());
    json_set_take(status, "events", events);
    json_set_take(status, "eventsDropped",
                  run->events_dropped ? json_integer(run->events_dropped) : json_null());
    json_set_take(status, "conditions", encode_conditions(run, generation));
    description_unref(latest);
    return status;
}
