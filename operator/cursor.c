/* SPDX-License-Identifier: Apache-2.0 */
/* Time → triggers.  Create the instance, then advance the cursor (design, section 4). */
#include "operator/operator.h"
#include "operator/trigger.h"
#include "operator/unsettled.h"

#include "base/log.h"

#include <inttypes.h>
#include <string.h>

/* Neither of two leaders knows that his clock is wrong (clock.h), to within a second. */
#define CLOCKS_APART_MS (2 * (CLOCK_WRONG_MS + SECOND_MS))
#define LOOKS_AT_ONCE   64 /* at cursors that wait for room, for one run that ends */

enum call_kind {
    CALL_NONE,
    CALL_STORE,
    CALL_CREATE,
    CALL_READ,
    CALL_RETRIGGER,
    CALL_SETTLE,
    CALL_PROVE,
};

/* A partition as it was when its trigger was asked for.  The cursor may be another one when the
 * answer comes: a write of an earlier leader's, or of ours, may have been late. */
struct asked {
    int64_t epoch;
    instant partition, due;
    bool refused; /* once, as a server that has just started refuses everything */
    bool absent;  /* nobody has triggered it, and nobody else will while we lead */
    char parameter[PARTITION_TEXT_MAX];
};

struct cursor_ctl {
    struct work work;
    struct map_node by_key;
    struct list waits; /* in op->cursors_wait */
    bool triggering;   /* counted in n_triggering: being asked for, or in doubt */
    struct operator *op;
    char *key;
    char *uid;
    struct asked asked;       /* while a trigger is asked for */
    struct trigger_done done; /* what became of the partition that was asked for */
    bool was_there;           /* its instance, before it was asked for */
    int64_t doubt_until; /* LOOP_MONOTONIC; what was asked for takes effect by then, or never */
    struct k8s_call *call;
    enum call_kind calling;
    struct trigger_news news; /* of the status that is being stored */
    struct burst_waiter store_waits;
};

/* ---- room in all ---- */

/* Those that are being asked for count, or a moment would ask for too many; and those that may take
 * effect yet, or a control plane that answers late would get more and more. */
static size_t count_unfinished(const struct operator *op)
{
    return k8s_informer_count_indexed(op->instances, ACTIVE_BY_WORKFLOW) + op->n_triggering;
}

/* How many of those that wait are worth looking at.  At the ceiling each run that ends makes room
 * for one; far below it nobody must be left waiting. */
static size_t worth_looking(const struct operator *op)
{
    size_t n = count_unfinished(op), room = settings_room_to_catch_up(op->settings);

    if (n >= op->settings->max_unfinished)
        return 0;
    if (n < room / 2)
        return SIZE_MAX;
    return n >= room ? 1 : room - n < LOOKS_AT_ONCE ? room - n : LOOKS_AT_ONCE;
}

static void look_at_waiting(struct operator *op)
{
    struct list *link;

    if (list_empty(&op->cursors_wait))
        return;
    for (size_t n = worth_looking(op); n > 0 && (link = list_pop_front(&op->cursors_wait)); n--)
        work_add(&list_entry(link, struct cursor_ctl, waits)->work);
}

static void set_triggering(struct cursor_ctl *ctl, bool triggering)
{
    struct operator *op = ctl->op;

    if (triggering == ctl->triggering)
        return;
    ctl->triggering = triggering;
    op->n_triggering += triggering ? 1 : (size_t) -1;
    if (!triggering)
        look_at_waiting(op);
}

/* Whether it took effect is not known, nor shown by our copy yet. */
static bool in_doubt(const struct cursor_ctl *ctl)
{
    return loop_now(ctl->op->loop, LOOP_MONOTONIC) < ctl->doubt_until;
}

/* What is in doubt keeps its place until it is settled; if that fails, the back-off tries again. */
static void leave_place(struct cursor_ctl *ctl)
{
    if (in_doubt(ctl))
        work_add_at(&ctl->work, LOOP_MONOTONIC, ctl->doubt_until);
    else if (ctl->doubt_until == 0)
        set_triggering(ctl, false);
}

static void end_doubt(struct cursor_ctl *ctl)
{
    ctl->doubt_until = 0;
    set_triggering(ctl, false);
}

/* ---- life ---- */

static void done_forget(struct trigger_done *done)
{
    free(done->reason);
    *done = (struct trigger_done) {0};
}

static void ctl_free(struct cursor_ctl *ctl)
{
    burst_leave(&ctl->store_waits);
    k8s_cancel(ctl->call);
    work_done(&ctl->work);
    map_remove(&ctl->op->cursors, &ctl->by_key);
    list_remove(&ctl->waits);
    set_triggering(ctl, false);
    done_forget(&ctl->done);
    free(ctl->key);
    free(ctl->uid);
    free(ctl);
}

static struct cursor_ctl *ctl_find(struct operator *op, const char *key)
{
    struct map_node *node = map_get(&op->cursors, key);

    return node ? container_of(node, struct cursor_ctl, by_key) : NULL;
}

static struct cursor_ctl *ctl_new(struct operator *op, const struct k8s_object *object)
{
    struct cursor_ctl *ctl = NEW(struct cursor_ctl);

    ctl->op = op;
    ctl->key = xstrdup(object->key);
    ctl->uid = xstrdup(object->meta.uid);
    work_init(&ctl->work, &op->cursor_queue);
    map_add(&op->cursors, &ctl->by_key, ctl->key);
    return ctl;
}

/* ---- what is known ---- */

static bool older(const struct workflow *a, const struct workflow *b)
{
    if (a->id.created != b->id.created)
        return a->id.created < b->id.created;
    return strcmp(a->id.uid, b->id.uid) < 0;
}

const struct workflow *workflow_elder(struct operator *op, const struct workflow *wf)
{
    CLEANUP(free) char *pair = pair_key(workflow_component(wf), workflow_id(wf));
    struct k8s_object *object = k8s_informer_first(op->workflows, WORKFLOWS_BY_PAIR, pair);

    for (; object; object = k8s_informer_next(object, WORKFLOWS_BY_PAIR)) {
        const struct workflow *other = object->value;
        const char *ns = settings_component_ns(op->settings, workflow_component(other));

        if (other != wf && strcmp(other->id.ns, ns) == 0 && older(other, wf))
            return other;
    }
    return NULL;
}

static int count_active(struct operator *op, const struct k8s_object *workflow)
{
    struct k8s_object *object =
        k8s_informer_first(op->instances, ACTIVE_BY_WORKFLOW, workflow->key);
    int n = 0;

    for (; object; object = k8s_informer_next(object, ACTIVE_BY_WORKFLOW))
        n++;
    return n;
}

/* The cursor is where it was when this was asked for. */
static bool still_there(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    return wf->status.cursor.epoch == ctl->asked.epoch &&
           wf->status.cursor.next == ctl->asked.partition;
}

static struct trigger_view gather(struct cursor_ctl *ctl, const struct k8s_object *object)
{
    struct operator *op = ctl->op;
    const struct workflow *wf = object->value;

    bool own_place = ctl->triggering && still_there(ctl, wf); /* it is for this partition */
    return (struct trigger_view) {
        .wf = wf,
        .elder = workflow_elder(op, wf),
        .component_ns = settings_component_ns(op->settings, workflow_component(wf)),
        .n_active = count_active(op, object) + (ctl->triggering && !own_place),
        .n_unfinished = count_unfinished(op) - own_place,
        .done = &ctl->done,
        .now = loop_now(op->loop, LOOP_OF_DAY),
    };
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

/* ---- calls ---- */

static void on_reply(const struct k8s_reply *reply, void *arg);

static enum work_result start_call(struct cursor_ctl *ctl, enum call_kind kind,
                                   struct k8s_request request)
{
    static const struct k8s_handler handler = {.on_reply = on_reply};

    ctl->calling = kind;
    if (kind != CALL_STORE && kind != CALL_PROVE)
        set_triggering(ctl, true);
    ctl->call = k8s_call(ctl->op->k8s, &request, &handler, ctl);
    return WORK_BUSY;
}

static enum work_result store(struct cursor_ctl *ctl, const struct k8s_object *object,
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

static void ask(struct cursor_ctl *ctl, const struct workflow *wf, const char *parameter)
{
    const struct cursor *cursor = &wf->status.cursor;

    ctl->asked = (struct asked) {.epoch = cursor->epoch,
                                 .partition = cursor->next,
                                 .due = cursor->next_offset,
                                 .refused = still_there(ctl, wf) && ctl->asked.refused};
    snprintf(ctl->asked.parameter, sizeof(ctl->asked.parameter), "%s", parameter);
}

static enum work_result create(struct cursor_ctl *ctl, const struct workflow *wf,
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

/* The instance is there; that the cursor has passed it may be said when the pods are on their way.
 * But not of what an earlier leader made: if leaders live for less than a burst, none would ever
 * say it. */
static bool store_waits(struct cursor_ctl *ctl)
{
    return ctl->done.triggered && !ctl->was_there &&
           burst_wait(ctl->op, &ctl->store_waits, &ctl->work);
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
static bool is_trigger_of(const struct instance *inst, const struct workflow *wf,
                          const char *parameter, int64_t epoch)
{
    return inst->parameter && strcmp(inst->parameter, parameter) == 0 &&
           triggered_in(inst, wf, epoch);
}

/* Our copy has what was asked for. */
static bool is_shown(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    CLEANUP(free) char *name = instance_name(wf->id.name, ctl->asked.parameter);
    const struct k8s_object *object = k8s_informer_get(ctl->op->instances, wf->id.ns, name);

    return object && is_trigger_of(object->value, wf, ctl->asked.parameter, ctl->asked.epoch);
}

/* The partition at which the cursor stands, as it was named when that was set. */
static bool print_next(const struct workflow *wf, char ret_text[PARTITION_TEXT_MAX])
{
    struct timing timing;

    return workflow_observed_timing(wf, &timing) &&
           partition_print(&timing.schedule, wf->status.cursor.next, ret_text);
}

/* An earlier leader triggered it and could not say so: that is all that is left to do, at once.  It
 * takes a place by itself, and waits for none; and if somebody triggers it again meanwhile, nothing
 * tells any more that it was made. */
static bool is_there(const struct cursor_ctl *ctl, const struct workflow *wf, const char *parameter)
{
    CLEANUP(free) char *name = instance_name(wf->id.name, parameter);
    struct k8s_object *object = k8s_informer_get(ctl->op->instances, wf->id.ns, name);
    const struct instance *inst = object ? object->value : NULL;

    return inst && !inst->id.deleting &&
           is_trigger_of(inst, wf, parameter, wf->status.cursor.epoch);
}

/* It is passed by, or the cursor is set away from it.  What of it is triggered, or will be yet, has
 * to be known: it takes a place, and what a wish leaves as it is depends on it.  What is not due by
 * any clock that may have been a leader's is not. */
static bool passes_by(const struct trigger_step *step, const struct trigger_view *v)
{
    const struct cursor *from = &v->wf->status.cursor, *to = &step->status.cursor;

    if (step->kind != TRIGGER_STORE)
        return false;
    return step->status.n_passed > 0 ||
           (to->epoch > from->epoch && cursor_due(from, v->now + CLOCKS_APART_MS));
}

/* What was asked for before the cursor was set may be made yet.  With another create its place
 * would be forgotten. */
static bool other_may_come(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    return ctl->doubt_until > 0 && !still_there(ctl, wf);
}

static bool is_seen_to(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    return trigger_done_is_about(&ctl->done, &wf->status.cursor) && !ctl->done.waits;
}

/* What was triggered is neither asked for nor passed by. */
static struct trigger_step decide(struct cursor_ctl *ctl, const struct trigger_view *view)
{
    struct trigger_step step = trigger_decide(view, ctl->op->settings);
    bool asks = step.blocked || step.kind == TRIGGER_CREATE || passes_by(&step, view);
    char next[PARTITION_TEXT_MAX];

    if (!asks || is_seen_to(ctl, view->wf) || other_may_come(ctl, view->wf) ||
        !print_next(view->wf, next) || !is_there(ctl, view->wf, next))
        return step;
    ask(ctl, view->wf, next);
    ctl->was_there = true;
    partition_done(ctl, true, NULL);
    trigger_step_done(&step);
    return trigger_decide(view, ctl->op->settings);
}

/* An earlier leader may have triggered what is to be passed by, and our copy not show it yet; and
 * what is in doubt may be made yet.  True if that has to be known before.  What has no name, since
 * the cursor was never set, was not triggered under it. */
static bool must_prove(const struct cursor_ctl *ctl, const struct trigger_view *v,
                       const struct trigger_step *step)
{
    char ignored[PARTITION_TEXT_MAX];
    bool known = is_seen_to(ctl, v->wf) || (ctl->asked.absent && still_there(ctl, v->wf));

    return passes_by(step, v) && (ctl->doubt_until > 0 || (!known && print_next(v->wf, ignored)));
}

/* What is read proves nothing before all that was sent has had its effect. */
static enum work_result prove_absent(struct cursor_ctl *ctl, const struct workflow *wf)
{
    char next[PARTITION_TEXT_MAX];
    int64_t settled_at = ctl->op->settled_at;

    if (ctl->doubt_until > 0)
        return WORK_DONE; /* looked at again when it is over */
    if (loop_now(ctl->op->loop, LOOP_MONOTONIC) < settled_at) {
        work_add_at(&ctl->work, LOOP_MONOTONIC, settled_at);
        return WORK_DONE;
    }
    print_next(wf, next);
    ask(ctl, wf, next);
    return read_instance(ctl, wf, CALL_PROVE);
}

static enum work_result look(struct work *work)
{
    struct cursor_ctl *ctl = container_of(work, struct cursor_ctl, work);
    struct k8s_object *object = k8s_informer_get_key(ctl->op->workflows, ctl->key);

    if (!object || strcmp(object->meta.uid, ctl->uid) != 0 || clock_wrong(ctl->op) ||
        !lead_knows(ctl->op, object->meta.ns))
        return WORK_DONE; /* when the clock is right again, everything is looked at */
    if (ctl->triggering && (ctl->doubt_until == 0 || is_shown(ctl, object->value)))
        end_doubt(ctl);
    if (ctl->doubt_until > 0 && !in_doubt(ctl)) /* the copy may lag for longer than that */
        return read_instance(ctl, object->value, CALL_SETTLE);
    struct trigger_view view = gather(ctl, object);
    struct trigger_step step = decide(ctl, &view);
    enum work_result result = WORK_DONE;
    list_remove(&ctl->waits);
    if (step.wants_room)
        list_push_back(&ctl->op->cursors_wait, &ctl->waits);
    if (step.kind == TRIGGER_STORE && store_waits(ctl)) {
        burst_check(ctl->op);
    } else if (must_prove(ctl, &view, &step)) {
        result = prove_absent(ctl, view.wf);
    } else if (step.kind == TRIGGER_STORE) {
        ctl->news = trigger_news(&view.wf->status, &step.status);
        result = store(ctl, object, &step.status);
    } else if (step.kind == TRIGGER_CREATE && !other_may_come(ctl, view.wf)) {
        result = create(ctl, view.wf, step.partition);
    } else if (step.look_again_at != INSTANT_NONE) {
        work_add_at(&ctl->work, LOOP_OF_DAY, step.look_again_at);
    }
    if (result == WORK_DONE)
        leave_place(ctl);
    trigger_step_done(&step);
    return result;
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
    end_doubt(ctl);
    return look(&ctl->work) == WORK_BUSY;
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
    else if (still_there(ctl, wf)) {
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
    bool ours = there && is_trigger_of(inst, wf, ctl->asked.parameter, ctl->asked.epoch);
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
    end_doubt(ctl);
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
    if (!is_seen_to(ctl, stored))
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
        end_doubt(ctl);
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
        end_doubt(ctl);
    else if (kind == CALL_READ || (asks && reply->error.code == ERROR_UNKNOWN))
        ctl->doubt_until = loop_now(ctl->op->loop, LOOP_MONOTONIC) + SETTLED_MS;
    leave_place(ctl);
    finish_by_reply(ctl->op, &ctl->work, reply, doing[kind], ctl->key);
}

/* ---- events ---- */

void cursor_setup(struct operator *op)
{
    map_init(&op->cursors);
    list_init(&op->cursors_wait);
    queue_init(&op->cursor_queue, op->loop, op->rng, look, op->settings->max_steps);
}

/* A workflow that changes its pair, or goes, may free the pair for another. */
static void look_at_namesakes(struct operator *op, const struct workflow *wf)
{
    CLEANUP(free) char *pair = pair_key(workflow_component(wf), workflow_id(wf));
    struct k8s_object *object = k8s_informer_first(op->workflows, WORKFLOWS_BY_PAIR, pair);

    for (; object; object = k8s_informer_next(object, WORKFLOWS_BY_PAIR)) {
        struct cursor_ctl *ctl = ctl_find(op, object->key);

        if (ctl)
            work_add(&ctl->work);
    }
}

void cursor_on_workflow(struct operator *op, const struct k8s_object *old,
                        const struct k8s_object *new)
{
    struct cursor_ctl *ctl = ctl_find(op, (new ? new : old)->key);

    if (ctl && (!new || strcmp(ctl->uid, new->meta.uid) != 0)) {
        ctl_free(ctl);
        ctl = NULL;
    }
    if (!new) {
        look_at_namesakes(op, old->value);
        return;
    }
    if (!ctl)
        ctl = ctl_new(op, new);
    work_add(&ctl->work);
}

/* Room below maxActive, and in all, is made by runs that end; a partition may wait for the end of
 * its object. */
void cursor_on_instance(struct operator *op, const struct k8s_object *old,
                        const struct k8s_object *new)
{
    bool was = old && instance_active(old->value), is = new &&instance_active(new->value);
    bool went = old && !new && old->meta.deleting;

    if (!went && (!was || is))
        return;
    look_at_waiting(op);
    const struct instance *inst = old->value;
    CLEANUP(free) char *key = object_key(inst->id.ns, inst->workflow);
    struct cursor_ctl *ctl = ctl_find(op, key);
    if (ctl)
        work_add(&ctl->work);
}

void cursor_forget(struct operator *op)
{
    struct cursor_ctl *ctl;

    map_foreach (ctl, &op->cursors, by_key)
        ctl_free(ctl);
}
