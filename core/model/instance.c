/* SPDX-License-Identifier: Apache-2.0 */
#include "model/instance.h"

#include "base/map.h"
#include "model/trigger.h"

#include <string.h>

/* ---- reading ---- */

/* Far above every number that is counted here, and far below where arithmetic would overflow. */
#define COUNT_MAX  1000000000
#define NUMBER_MAX (INT64_C(1) << 53)

static int64_t read_number(const json_t *json, const char *path, int64_t low, int64_t high,
                           int64_t otherwise)
{
    int64_t n = json_int_at(json, path, otherwise);

    return n < low ? low : n > high ? high : n;
}

static int read_count(const json_t *json, const char *path)
{
    return (int) read_number(json, path, 0, COUNT_MAX, 0);
}

static int read_exit(const json_t *json, const char *path)
{
    return (int) read_number(json, path, INT32_MIN, INT32_MAX, 0);
}

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

    *t = (struct run_trigger) {.seq = read_number(json, "seq", 0, NUMBER_MAX, 0),
                               .type = TRIGGER_UNKNOWN};
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
    e->counter = read_number(json, "counter", 0, NUMBER_MAX, 0);
    e->at = instant_clamp(json_int_at(json, "at", 0));
    e->has_exit = json_is_integer(json_at(json, "exitCode"));
    e->exit_code = read_exit(json, "exitCode");
    e->free = json_bool_at(json, "free", false);
    e->level = read_level(json_text_at(json, "level"));
    e->message = read_copy(json, "message");
    e->execution_id = read_copy(json, "executionId");
    e->runner_id = read_copy(json, "runnerId");
    e->delay_ms = read_number(json, "delayMillis", 0, INSTANT_MAX, 0);
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

static void decode_executions(const json_t *description, struct run *run)
{
    struct description *latest = decode_description(description);

    share_descriptions(run, latest);
    run->description = run->execution_id ? description_ref(latest) : NULL;
    description_unref(latest);
}

static instant decode_held(const json_t *conditions)
{
    size_t i;
    const json_t *item;

    json_array_foreach (conditions, i, item) {
        const char *type = json_text_at(item, "type"), *status = json_text_at(item, "status");

        if (type && status && strcmp(type, "Held") == 0 && strcmp(status, "True") == 0)
            return read_instant(item, "lastTransitionTime");
    }
    return INSTANT_NONE;
}

static void decode_counters(const json_t *status, struct run *run)
{
    run->seq = read_number(status, "seq", 0, NUMBER_MAX, 0);
    run->counter = read_number(status, "counter", -1, NUMBER_MAX, -1);
    run->attempt = read_count(status, "attempt");
    run->tries = read_count(status, "tries");
    run->consecutive_failures = read_count(status, "consecutiveFailures");
    run->retry_cost_tenths = read_count(status, "retryCostTenths");
    run->has_exit = json_is_integer(json_at(status, "lastExit"));
    run->last_exit = read_exit(status, "lastExit");
    run->free_tries = read_count(status, "freeTries");
    run->retry_delay_ms = read_number(status, "retryDelayMillis", -1, INSTANT_MAX, -1);
    run->events_dropped = read_number(status, "eventsDropped", 0, NUMBER_MAX, 0);
    run->halted_through = read_number(status, "haltedThrough", 0, NUMBER_MAX, 0);
    run->retry_counter = read_number(status, "retryCounter", -1, NUMBER_MAX, -1);
}

static bool decode_run(const json_t *status, struct run *run, struct error *err)
{
    const char *state = json_text_at(status, "state");

    if (state && !run_state_parse(state, &run->state))
        return error_set(err, ERROR_INVALID, "status.state: %s is no state", state);
    decode_counters(status, run);
    run->since = read_instant(status, "since");
    run->ungated_at = read_instant(status, "ungatedAt");
    run->started_at = read_instant(status, "startedAt");
    run->completed_at = read_instant(status, "completedAt");
    run->execution_id = read_copy(status, "executionId");
    run->runner_id = read_copy(status, "runnerId");
    run->message = read_copy(status, "message.line");
    run->message_level = read_level(json_text_at(status, "message.level"));
    run->held_since = decode_held(json_at(status, "conditions"));
    run->component_id = read_copy(status, "componentId");
    run->workflow_id = read_copy(status, "workflowId");
    run->natural_key = read_copy(status, "naturalKey");
    decode_events(json_at(status, "events"), run);
    decode_executions(json_at(status, "description"), run);
    if (!texts_decode(json_at(status, "limits"), &run->limits, err))
        return error_prefix(err, "status.limits");
    if (!decode_trigger(json_at(status, "trigger"), &run->trigger, err))
        return error_prefix(err, "status.trigger");
    if (!decode_trigger(json_at(status, "specTrigger"), &run->spec_trigger, err))
        return error_prefix(err, "status.specTrigger");
    return true;
}

static bool decode_spec(const json_t *object, struct instance *inst, struct error *err)
{
    const json_t *trigger = json_at(object, "spec.trigger"), *retry = json_at(object, "spec.retry");

    inst->workflow = read_copy(object, "spec.workflow");
    inst->parameter = read_copy(object, "spec.parameter");
    if (!inst->workflow || !inst->parameter)
        return error_set(err, ERROR_INVALID, "spec.%s: missing",
                         inst->workflow ? "parameter" : "workflow");
    inst->halt_through = read_number(object, "spec.haltThrough", 0, NUMBER_MAX, 0);
    inst->has_retry = retry != NULL;
    inst->retry_counter = read_number(retry, "counter", 0, NUMBER_MAX, 0);
    inst->retry_delay_ms = read_number(retry, "delayMillis", 0, INSTANT_MAX, 0);
    if (trigger && !decode_trigger(trigger, &inst->trigger, err))
        return error_prefix(err, "spec.trigger");
    return true;
}

/* The status has no environment: spec has that of its trigger, and the event has it when spec names
 * the next trigger already. */
static void find_env(struct instance *inst)
{
    struct run *run = &inst->run;

    if (run->seq == inst->trigger.seq) {
        env_copy(&run->trigger.env, &inst->trigger.env);
        return;
    }
    for (size_t i = run->n_events; i-- > 0;) {
        if (run->events[i].type == EVENT_TRIGGER_EXECUTION) {
            env_copy(&run->trigger.env, &run->events[i].trigger.env);
            return;
        }
    }
}

/* The status comes first: a run is what it is, whatever was written into spec. */
static bool decode(const json_t *object, struct instance *inst, struct error *err)
{
    inst->observed_generation = json_int_at(object, "status.observedGeneration", 0);
    if (!decode_run(json_at(object, "status"), &inst->run, err) || !decode_spec(object, inst, err))
        return false;
    find_env(inst);
    return true;
}

static bool orphans(const json_t *object)
{
    const json_t *finalizers = json_at(object, "metadata.finalizers");
    size_t i;
    json_t *finalizer;

    json_array_foreach (finalizers, i, finalizer)
        if (json_is_string(finalizer) && strcmp(json_string_value(finalizer), "orphan") == 0)
            return true;
    return false;
}

struct instance *instance_decode(const json_t *object)
{
    struct instance *inst = NEW(struct instance);
    struct error err;

    identity_decode(object, &inst->id);
    inst->orphans = orphans(object);
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

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Who raises seq by a patch leaves the rest of the last trigger where it was. */
static bool was_only_raised(const struct run_trigger *t, const struct run_trigger *last)
{
    return last->seq > 0 && t->seq > last->seq &&
           same_text(t->key ? t->key : t->id, last->key ? last->key : last->id);
}

static void forget_last(struct run_trigger *t, const struct run_trigger *last)
{
    if (t->type == last->type)
        t->type = TRIGGER_UNKNOWN;
    if (same_text(t->id, last->id))
        free(TAKE(t->id));
    free(TAKE(t->key));
    free(TAKE(t->workflow_uid));
}

/* From what does not change, so that it comes out the same whoever looks and however often. */
static void complete_by_hand(struct run_trigger *t, const struct instance *inst)
{
    char id[TRIGGER_ID_MAX];

    if (!t->key && t->type == TRIGGER_UNKNOWN)
        t->type = TRIGGER_ADHOC;
    if (!t->id)
        t->id = xstrdup(trigger_id_adhoc_of(inst->id.created,
                                            hash_text(inst->id.uid) + (uint64_t) t->seq - 1, id));
    if (!t->key)
        t->key = xstrdup(t->id);
}

/* A patch that names another trigger leaves the workflow of the last one where it was. */
static void forget_workflow(struct run_trigger *t, const struct run_trigger *last)
{
    if (last->seq > 0 && t->seq > last->seq && t->type != TRIGGER_NATURAL &&
        same_text(t->workflow_uid, last->workflow_uid))
        free(TAKE(t->workflow_uid));
}

void instance_wanted_trigger(const struct instance *inst, struct run_trigger *ret_trigger)
{
    const struct run *run = &inst->run;
    const struct run_trigger *last = run->spec_trigger.seq > 0 ? &run->spec_trigger : &run->trigger;

    if (inst->trigger.seq > 0)
        run_trigger_copy(ret_trigger, &inst->trigger);
    else
        *ret_trigger = (struct run_trigger) {.seq = 1};
    if (was_only_raised(ret_trigger, last))
        forget_last(ret_trigger, last);
    forget_workflow(ret_trigger, last);
    complete_by_hand(ret_trigger, inst);
}

/* What is not said is completed, and says nothing the next time. */
static bool says_else(const char *text, const char *taken)
{
    return text && !same_text(text, taken);
}

void instance_note_taken(const struct instance *inst, struct run *run)
{
    const struct run_trigger *spec = &inst->trigger, *taken = &run->trigger;

    if (spec->seq != taken->seq ||
        !(says_else(spec->id, taken->id) || says_else(spec->key, taken->key) ||
          says_else(spec->workflow_uid, taken->workflow_uid)))
        return;
    run_trigger_copy(&run->spec_trigger, spec);
    env_done(&run->spec_trigger.env);
}

int64_t instance_wanted_seq(const struct instance *inst)
{
    return inst->trigger.seq > 0 ? inst->trigger.seq : 1;
}

int64_t instance_last_seq(const struct instance *inst)
{
    int64_t wanted = instance_wanted_seq(inst);

    return wanted > inst->run.seq ? wanted : inst->run.seq;
}

bool instance_active(const struct instance *inst)
{
    return instance_wanted_seq(inst) > inst->run.seq || !run_state_terminal(inst->run.state);
}

bool instance_held(const struct instance *inst)
{
    return inst->run.held_since != INSTANT_NONE && inst->trigger.seq <= inst->run.trigger.seq;
}
