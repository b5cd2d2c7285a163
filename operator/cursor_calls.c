/* SPDX-License-Identifier: Apache-2.0 */
/* What a cursor asks of Kubernetes, and what became of the partition that it asked for. */
#include "operator/cursor_private.h"
#include "operator/unsettled.h"

#include <inttypes.h>
#include <string.h>

/* ---- what is asked for, and what became of it ---- */

static void ask(struct cursor_ctl *ctl, const struct workflow *wf, const char *parameter)
{
    const struct cursor *cursor = &wf->status.cursor;

    ctl->asked = (struct asked) {.epoch = cursor->epoch,
                                 .partition = cursor->next,
                                 .due = cursor->next_offset,
                                 .refused = cursor_still_there(ctl, wf) && ctl->asked.refused};
    snprintf(ctl->asked.parameter, sizeof(ctl->asked.parameter), "%s", parameter);
}

static void done_forget(struct trigger_done *done)
{
    free(done->reason);
    *done = (struct trigger_done) {0};
}

static void note_done(struct cursor_ctl *ctl, struct trigger_done done)
{
    done_forget(&ctl->done);
    ctl->done = done;
    ctl->done.epoch = ctl->asked.epoch;
    ctl->done.partition = ctl->asked.partition;
}

static void partition_done(struct cursor_ctl *ctl, bool triggered, const char *reason)
{
    struct operator_counters *c = &ctl->op->counters;

    note_done(ctl, (struct trigger_done) {.triggered = triggered, .reason = xstrdup(reason)});
    if (triggered) {
        c->triggers++;
        operator_measure(ctl->op->meters.trigger_lag,
                         loop_now(ctl->op->loop, LOOP_OF_DAY) - ctl->asked.due);
    }
}

void cursor_found_triggered(struct cursor_ctl *ctl, const struct workflow *wf,
                            const char *parameter)
{
    ask(ctl, wf, parameter);
    ctl->was_there = true;
    partition_done(ctl, true, NULL);
}

/* The schedule triggered it in this epoch.  The spec says so until somebody triggers it anew, the
 * status from when it was taken. */
static bool triggered_in(const struct instance *inst, const struct workflow *wf, int64_t epoch)
{
    CLEANUP(free) char *key = trigger_key(wf, epoch);

    return (inst->trigger.key && strcmp(inst->trigger.key, key) == 0) ||
           (inst->run.natural_key && strcmp(inst->run.natural_key, key) == 0);
}

/* Names of objects are cut and in lower case: another partition may have it. */
bool cursor_is_trigger_of(const struct instance *inst, const struct workflow *wf,
                          const char *parameter, int64_t epoch)
{
    return inst->parameter && strcmp(inst->parameter, parameter) == 0 &&
           triggered_in(inst, wf, epoch);
}

/* ---- calls ---- */

static void on_reply(const struct k8s_reply *reply, void *arg);

static enum work_result start_call(struct cursor_ctl *ctl, enum call_kind kind,
                                   struct k8s_request request)
{
    static const struct k8s_handler handler = {.on_reply = on_reply};

    ctl->calling = kind;
    if (kind != CALL_STORE && kind != CALL_PROVE)
        cursor_take_place(ctl);
    ctl->call = k8s_call(ctl->op->k8s, &request, &handler, ctl);
    return WORK_BUSY;
}

enum work_result cursor_store(struct cursor_ctl *ctl, const struct k8s_object *object,
                              const struct workflow_status *status)
{
    const struct workflow *wf = object->value;
    CLEANUP(json_decref) json_t *patch = json_object();
    char version[24];

    snprintf(version, sizeof(version), "%" PRIu64, object->meta.resource_version);
    json_set_take(patch, "metadata", json_pack("{s:s}", "resourceVersion", version));
    json_set_take(patch, "status", workflow_encode_status(status));
    CLEANUP(free) char *body = json_print(patch);
    return start_call(ctl, CALL_STORE,
                      (struct k8s_request) {.verb = K8S_PATCH,
                                            .lane = K8S_LANE_STATUS,
                                            .resource = &workflow_resource,
                                            .ns = wf->id.ns,
                                            .name = wf->id.name,
                                            .subresource = "status",
                                            .body = body,
                                            .fence = ctl->op->fence});
}

static struct run_trigger natural_trigger(const struct cursor_ctl *ctl, const struct workflow *wf,
                                          int64_t seq)
{
    return (struct run_trigger) {
        .seq = seq,
        .type = TRIGGER_NATURAL,
        .id = xstrdup("natural-trigger"),
        .key = trigger_key(wf, ctl->asked.epoch),
        .workflow_uid = xstrdup(wf->id.uid),
    };
}

enum work_result cursor_create(struct cursor_ctl *ctl, const struct workflow *wf,
                               const char *parameter)
{
    ask(ctl, wf, parameter);
    struct run_trigger trigger = natural_trigger(ctl, wf, 1);
    CLEANUP(json_decref) json_t *object =
        instance_encode_new(wf->id.ns, wf->id.name, parameter, &trigger);
    CLEANUP(free) char *body = json_print(object), *name = instance_name(wf->id.name, parameter);

    run_trigger_done(&trigger);
    return start_call(ctl, CALL_CREATE,
                      (struct k8s_request) {.verb = K8S_CREATE,
                                            .lane = K8S_LANE_TRIGGER,
                                            .resource = &instance_resource,
                                            .ns = wf->id.ns,
                                            .name = name,
                                            .body = body,
                                            .fence = ctl->op->fence});
}

/* The partition was run before, for another reason or in another epoch: it gets a new trigger. */
static void retrigger(struct cursor_ctl *ctl, const struct workflow *wf,
                      const struct instance *inst, const char *version)
{
    struct run_trigger trigger = natural_trigger(ctl, wf, instance_last_seq(inst) + 1);
    CLEANUP(json_decref) json_t *patch = json_object();
    json_t *encoded = run_trigger_encode(&trigger);
    json_object_set_new(encoded, "env", json_null());
    json_set_take(patch, "metadata", json_pack("{s:s}", "resourceVersion", version));
    json_set_take(patch, "spec", json_pack("{s:o}", "trigger", encoded));
    CLEANUP(free) char *body = json_print(patch);
    start_call(ctl, CALL_RETRIGGER,
               (struct k8s_request) {.verb = K8S_PATCH,
                                     .lane = K8S_LANE_TRIGGER,
                                     .resource = &instance_resource,
                                     .ns = inst->id.ns,
                                     .name = inst->id.name,
                                     .body = body,
                                     .fence = ctl->op->fence});
    run_trigger_done(&trigger);
}

static enum work_result read_instance(struct cursor_ctl *ctl, const struct workflow *wf,
                                      enum call_kind kind)
{
    CLEANUP(free) char *name = instance_name(wf->id.name, ctl->asked.parameter);

    return start_call(ctl, kind,
                      (struct k8s_request) {.verb = K8S_GET,
                                            .lane = K8S_LANE_READ,
                                            .resource = &instance_resource,
                                            .ns = wf->id.ns,
                                            .name = name});
}

enum work_result cursor_settle(struct cursor_ctl *ctl, const struct workflow *wf)
{
    return read_instance(ctl, wf, CALL_SETTLE);
}

enum work_result cursor_prove(struct cursor_ctl *ctl, const struct workflow *wf,
                              const char *parameter)
{
    ask(ctl, wf, parameter);
    return read_instance(ctl, wf, CALL_PROVE);
}

/* ---- replies ---- */

/* Its object will be gone, and with it what it is told now: it is asked again until then. */
static void partition_waits(struct cursor_ctl *ctl)
{
    note_done(ctl, (struct trigger_done) {.waits = true, .reason = xstrdup("BeingDeleted")});
    work_finish(&ctl->work, WORK_RETRY);
}

/* Stores the cursor at once, and not after all others that are due: so each one that a short reign
 * gets to is a step further.  False: not now. */
static bool go_on(struct cursor_ctl *ctl)
{
    cursor_end_doubt(ctl);
    return cursor_look(&ctl->work) == WORK_BUSY;
}

/* True if the step is seen to: another call was started, or it has ended. */
static bool on_read(struct cursor_ctl *ctl, const struct workflow *wf,
                    const struct k8s_reply *reply)
{
    if (reply->error.code != ERROR_NONE)
        return false; /* gone again: the create is sent again */
    CLEANUP(instance_free) struct instance *inst = instance_decode(reply->object);

    k8s_informer_observe(ctl->op->instances, reply->object);
    if (inst->id.deleting) {
        partition_waits(ctl);
        return true;
    }
    if (!inst->parameter || strcmp(inst->parameter, ctl->asked.parameter) != 0)
        partition_done(ctl, false, "NameTaken");
    else if (triggered_in(inst, wf, ctl->asked.epoch)) {
        partition_done(ctl, true, NULL); /* ours, whose answer was lost */
        return go_on(ctl);
    } else if (instance_active(inst) && !instance_held(inst))
        partition_done(ctl, false, "AlreadyActive");
    else if (cursor_still_there(ctl, wf)) {
        retrigger(ctl, wf, inst, reply->resource_version);
        return true;
    }
    return false;
}

static void on_created(struct cursor_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code != ERROR_NONE)
        return;
    k8s_informer_observe(ctl->op->instances, reply->object);
    partition_done(ctl, true, NULL);
}

/* False: it is not known yet. */
static bool on_proven(struct cursor_ctl *ctl, const struct workflow *wf,
                      const struct k8s_reply *reply)
{
    bool there = reply->error.code == ERROR_NONE;

    if (!there && reply->error.code != ERROR_NOT_FOUND)
        return false;
    CLEANUP(instance_free) struct instance *inst = there ? instance_decode(reply->object) : NULL;
    bool ours = there && cursor_is_trigger_of(inst, wf, ctl->asked.parameter, ctl->asked.epoch);
    if (there)
        k8s_informer_observe(ctl->op->instances, reply->object);
    ctl->was_there = ours;
    if (ours)
        partition_done(ctl, true, NULL);
    ctl->asked.absent = !ours;
    work_finish(&ctl->work, WORK_AGAIN);
    return true;
}

/* No write is on its way any more: what is there now was made, and nothing else.  False: it is not
 * known yet. */
static bool on_settled(struct cursor_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code == ERROR_NONE)
        k8s_informer_observe(ctl->op->instances, reply->object);
    else if (reply->error.code != ERROR_NOT_FOUND)
        return false;
    cursor_end_doubt(ctl);
    work_finish(&ctl->work, WORK_AGAIN);
    return true;
}

/* By a quota, a policy, or a right that is missing: it is asked for again. */
static void note_refusal(struct cursor_ctl *ctl, enum error_code code)
{
    if (code != ERROR_FORBIDDEN && code != ERROR_INVALID)
        return;
    if (ctl->asked.refused)
        note_done(ctl, (struct trigger_done) {.waits = true, .reason = xstrdup("Refused")});
    ctl->asked.refused = true;
}

static void on_stored(struct cursor_ctl *ctl, const struct k8s_reply *reply)
{
    CLEANUP(workflow_free) struct workflow *stored = workflow_decode(reply->object);

    ctl->op->counters.cursor_writes++;
    ctl->op->counters.skips += (uint64_t) ctl->news.n_passed;
    trigger_announce(ctl->op, stored, &stored->status, ctl->news);
    k8s_informer_observe(ctl->op->workflows, reply->object);
    if (!cursor_is_seen_to(ctl, stored))
        done_forget(&ctl->done); /* or it would count again after etcd was restored */
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    static const char *const doing[] = {"",
                                        "store cursor",
                                        "create instance",
                                        "read instance",
                                        "trigger instance",
                                        "read instance",
                                        "read instance"};
    struct cursor_ctl *ctl = arg;
    enum call_kind kind = ctl->calling;
    bool asks = kind == CALL_CREATE || kind == CALL_RETRIGGER;
    struct k8s_object *object = k8s_informer_get_key(ctl->op->workflows, ctl->key);

    ctl->call = NULL;
    ctl->calling = CALL_NONE;
    if (!object) {
        cursor_end_doubt(ctl);
        work_finish(&ctl->work, WORK_DONE);
        return;
    }
    if (kind == CALL_CREATE)
        ctl->was_there = reply->error.code == ERROR_EXISTS;
    if (kind == CALL_CREATE && ctl->was_there) {
        read_instance(ctl, object->value, CALL_READ);
        return;
    }
    if (kind == CALL_SETTLE && on_settled(ctl, reply))
        return;
    if (kind == CALL_PROVE && on_proven(ctl, object->value, reply))
        return;
    if (kind == CALL_READ && on_read(ctl, object->value, reply))
        return;
    if (asks) {
        on_created(ctl, reply);
        note_refusal(ctl, reply->error.code);
    }
    if (kind == CALL_STORE && reply->error.code == ERROR_NONE)
        on_stored(ctl, reply);
    if (kind == CALL_STORE && reply->error.code == ERROR_CONFLICT)
        k8s_informer_refused(ctl->op->workflows, ctl->key);
    if (kind != CALL_STORE && reply->error.code == ERROR_NONE)
        cursor_end_doubt(ctl);
    else if (kind == CALL_READ || (asks && reply->error.code == ERROR_UNKNOWN))
        ctl->doubt_until = loop_now(ctl->op->loop, LOOP_MONOTONIC) + SETTLED_MS;
    cursor_leave_place(ctl);
    finish_by_reply(ctl->op, &ctl->work, reply, doing[kind], ctl->key);
}
