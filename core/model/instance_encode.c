/* SPDX-License-Identifier: Apache-2.0 */
/* Workflow instances as objects of Kubernetes (instance.h). */
#include "model/instance.h"

#include "model/validate.h"

#include <string.h>

#define OBJECT_REST 3072 /* names, managed fields and wishes, roughly */
#define EVENTS_MIN  4096 /* even when spec alone takes all the room */
#define END_ROOM    2048 /* of it for what comes after the trigger */

static const char held_message[] =
    "the workflow that was triggered is not the one that has its name now: raise spec.trigger.seq "
    "to run it all the same";

static void set_instant(json_t *object, const char *key, instant t)
{
    char text[INSTANT_TEXT_MAX];

    json_set_take(object, key,
                  t == INSTANT_NONE ? json_null() : json_string(instant_print(t, text)));
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

/* A trigger's environment is in spec for as long as it runs: what does not fit is left out here. */
static json_t *encode_trigger_event(const struct event *e, size_t max)
{
    json_t *json = event_encode(e), *env = json_object_get(json, "env");
    size_t size = json_printed_size(json);

    while (size > max && json_array_size(env) > 0) {
        size_t last = json_array_size(env) - 1;

        size -= json_printed_size(json_array_get(env, last)) + 1;
        json_array_remove(env, last);
    }
    return json;
}

static size_t last_trigger(const struct run *run)
{
    for (size_t i = run->n_events; i-- > 0;)
        if (run->events[i].type == EVENT_TRIGGER_EXECUTION)
            return i;
    return SIZE_MAX;
}

static struct description *latest_description(const struct run *run)
{
    for (size_t i = run->n_events; i-- > 0;)
        if (run->events[i].type == EVENT_SUBMIT)
            return run->events[i].description;
    return run->description;
}

/* With its description, if that is another one than the next later submit has. */
static json_t *encode_among(const struct event *e, const struct description **later)
{
    json_t *json = event_encode(e);

    if (e->type == EVENT_SUBMIT && e->description && !description_equal(e->description, *later)) {
        json_set_take(json, "description", description_encode(e->description));
        *later = e->description;
    }
    return json;
}

/* The newest events that fit into `max` bytes, and in any case the trigger of the run. */
static json_t *encode_events(const struct run *run, const struct description *latest, size_t max)
{
    json_t *list = json_array(), *trigger = NULL;
    const struct description *later = latest;
    size_t at = last_trigger(run), size = strlen("[]");
    bool full = false;

    if (at != SIZE_MAX) {
        trigger = encode_trigger_event(&run->events[at], max - END_ROOM);
        size += json_printed_size(trigger) + 1;
    }
    for (size_t i = run->n_events; i-- > 0 && (!full || trigger);) {
        json_t *json = i == at ? TAKE(trigger) : encode_among(&run->events[i], &later);

        if (i != at)
            size += json_printed_size(json) + 1;
        full |= size > max;
        if (full && i != at)
            json_decref(json);
        else
            json_array_insert_new(list, 0, json);
    }
    return list;
}

static void drop_events(struct run *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        event_done(&run->events[i]);
    run->n_events -= n;
    run->events_dropped += (int64_t) n;
    memmove(run->events, run->events + n, run->n_events * sizeof(*run->events));
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

/* ---- conditions and messages ---- */

static json_t *condition(const char *type, bool is_true, const char *reason, const char *message,
                         instant since, int64_t generation)
{
    char text[INSTANT_TEXT_MAX];
    json_t *json = json_object();

    json_set_text(json, "type", type);
    json_set_text(json, "status", is_true ? "True" : "False");
    json_set_text(json, "reason", reason);
    json_set_text(json, "message", is_true && message ? message : "");
    json_set_text(json, "lastTransitionTime", instant_print(since / SECOND_MS * SECOND_MS, text));
    json_set_int(json, "observedGeneration", generation);
    return json;
}

/* A run that has ended has both, so that one can wait for either; one that goes on has none. */
static json_t *encode_conditions(const struct run *run, int64_t generation)
{
    json_t *list = json_array();
    const char *state = run_state_name(run->state);
    instant end = run->completed_at;

    if (run->held_since != INSTANT_NONE)
        json_array_append_new(list, condition("Held", true, "WorkflowReplaced", held_message,
                                              run->held_since, generation));
    if (!run_state_terminal(run->state) || end == INSTANT_NONE)
        return list;
    json_array_append_new(
        list, condition("Complete", run->state == RUN_DONE, state, run->message, end, generation));
    json_array_append_new(
        list, condition("Failed", run->state == RUN_ERROR, state, run->message, end, generation));
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
        "image", "args",           "terminationLogging", "gcpServiceAccount", "commitSha",
        "env",   "runningTimeout", "retryCondition",     "truncated",         NULL};

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
    json_set_take(status, "counter", run->counter >= 0 ? json_integer(run->counter) : json_null());
    json_set_int(status, "attempt", run->attempt);
    json_set_int(status, "tries", run->tries);
    json_set_int(status, "consecutiveFailures", run->consecutive_failures);
    json_set_int(status, "retryCostTenths", run->retry_cost_tenths);
    json_set_take(status, "lastExit", run->has_exit ? json_integer(run->last_exit) : json_null());
    json_set_take(status, "freeTries",
                  run->free_tries ? json_integer(run->free_tries) : json_null());
    json_set_take(status, "retryDelayMillis",
                  run->retry_delay_ms >= 0 ? json_integer(run->retry_delay_ms) : json_null());
    json_set_take(status, "haltedThrough",
                  run->halted_through ? json_integer(run->halted_through) : json_null());
    json_set_take(status, "retryCounter",
                  run->retry_counter >= 0 ? json_integer(run->retry_counter) : json_null());
}

/* What the rest of the object leaves to the events. */
static size_t events_budget(const struct run *run, const json_t *status)
{
    json_t *trigger = run_trigger_encode(&run->trigger); /* as spec has it */
    size_t rest = OBJECT_REST + json_printed_size(trigger) + json_printed_size(status);

    json_decref(trigger);
    if (rest + EVENTS_MIN > INSTANCE_MAX)
        return EVENTS_MIN;
    return INSTANCE_MAX - rest < EVENTS_MAX ? INSTANCE_MAX - rest : EVENTS_MAX;
}

json_t *run_encode_status(struct run *run, int64_t generation)
{
    json_t *status = json_object();
    struct description *latest = description_ref(latest_description(run));

    json_set_int(status, "observedGeneration", generation);
    json_set_text(status, "componentId", run->component_id); /* never taken back */
    json_set_text(status, "workflowId", run->workflow_id);
    json_set_text(status, "naturalKey", run->natural_key);
    json_set_text(status, "state", run_state_name(run->state));
    json_set_bool(status, "active", !run_state_terminal(run->state));
    set_counters(status, run);
    set_instant(status, "since", run->since);
    set_instant(status, "ungatedAt", run->ungated_at);
    set_instant(status, "startedAt", run->started_at);
    set_instant(status, "completedAt", run->completed_at);
    json_set_take(status, "trigger", encode_status_trigger(&run->trigger));
    json_set_take(status, "specTrigger",
                  run->spec_trigger.seq > 0 ? encode_status_trigger(&run->spec_trigger)
                                            : json_null());
    set_text_or_null(status, "executionId", run->execution_id);
    set_text_or_null(status, "runnerId", run->runner_id);
    json_set_take(status, "message", encode_message(run));
    json_set_take(status, "description", encode_latest_description(latest));
    json_set_take(status, "limits", run->limits.n ? texts_encode(&run->limits) : json_null());
    json_set_take(status, "conditions", encode_conditions(run, generation));
    json_t *events = encode_events(run, latest, events_budget(run, status));
    forget_unwritten(run, events);
    json_set_take(status, "events", events);
    json_set_take(status, "eventsDropped",
                  run->events_dropped ? json_integer(run->events_dropped) : json_null());
    description_unref(latest);
    return status;
}
