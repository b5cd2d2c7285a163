/* SPDX-License-Identifier: Apache-2.0 */
/* What a run asks of Kubernetes; a reply carries no logic. */
#include "operator/attempt_private.h"

#include "base/log.h"

#include <inttypes.h>
#include <string.h>

/* ---- calls ---- */

static void on_reply(const struct k8s_reply *reply, void *arg);

static enum work_result start_call(struct attempt_ctl *ctl, enum call_kind kind,
                                   struct k8s_request request)
{
    static const struct k8s_handler handler = {.on_reply = on_reply};

    ctl->calling = kind;
    ctl->call = k8s_call(ctl->op->k8s, &request, &handler, ctl);
    return WORK_BUSY;
}

enum work_result attempt_store(struct attempt_ctl *ctl, const struct k8s_object *object)
{
    const struct instance *inst = object->value;
    CLEANUP(json_decref) json_t *patch = json_object();
    char version[24];

    snprintf(version, sizeof(version), "%llu", (unsigned long long) object->meta.resource_version);
    json_set_take(patch, "metadata", json_pack("{s:s}", "resourceVersion", version));
    json_set_take(patch, "status", run_encode_status(&ctl->run, inst->id.generation));
    CLEANUP(free) char *body = json_print(patch);
    return start_call(ctl, CALL_STORE,
                      (struct k8s_request) {.verb = K8S_PATCH,
                                            .lane = K8S_LANE_STATUS,
                                            .resource = &instance_resource,
                                            .ns = inst->id.ns,
                                            .name = inst->id.name,
                                            .subresource = "status",
                                            .body = body,
                                            .fence = ctl->op->fence});
}

static instant event_time(const struct run *run, enum event_type type)
{
    for (size_t i = run->n_events; i-- > 0;)
        if (run->events[i].type == type)
            return run->events[i].at;
    return run->since;
}

enum work_result attempt_create_pod(struct attempt_ctl *ctl, const struct advance_view *view)
{
    const struct run *run = &ctl->run;

    struct attempt attempt = {
        .wf = view->wf,
        .inst = view->inst,
        .trigger = &run->trigger,
        .description = run->description,
        .attempt = run->attempt,
        .tries = run->tries,
        .triggered_at = event_time(run, EVENT_TRIGGER_EXECUTION),
        .dequeued_at = event_time(run, EVENT_DEQUEUE),
        .submitted_at = event_time(run, EVENT_SUBMIT),
    };
    CLEANUP(json_decref) json_t *manifest = attempt_manifest(&attempt, &ctl->op->settings->attempt);
    CLEANUP(free) char *body = json_print(manifest);
    return start_call(ctl, CALL_CREATE,
                      (struct k8s_request) {.verb = K8S_CREATE,
                                            .lane = K8S_LANE_POD,
                                            .resource = &pod_resource,
                                            .ns = view->inst->id.ns,
                                            .name = run->execution_id,
                                            .body = body,
                                            .fence = ctl->op->fence});
}

/* An answer speaks of what was there then, and of that only. */
static void note_asked(struct attempt_ctl *ctl, const struct instance *inst)
{
    struct k8s_object *known = k8s_informer_get(ctl->op->workflows, inst->id.ns, inst->workflow);

    ctl->wf_asked_at = inst->id.generation;
    ctl->wf_absent = false;
    free(TAKE(ctl->wf_read));
    free(ctl->wf_asked_uid);
    ctl->wf_asked_uid = xstrdup(known ? known->meta.uid : "");
}

enum work_result attempt_find(struct attempt_ctl *ctl, enum call_kind kind,
                              const struct k8s_resource *resource, const struct instance *inst,
                              const char *name)
{
    if (kind == CALL_FIND_WORKFLOW)
        note_asked(ctl, inst);
    return start_call(ctl, kind,
                      (struct k8s_request) {.verb = K8S_GET,
                                            .lane = K8S_LANE_READ,
                                            .resource = resource,
                                            .ns = inst->id.ns,
                                            .name = name});
}

/* ---- replies: what became known; what follows is decided at the next look ---- */

static void on_stored(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    ctl->op->counters.status_writes++;
    ctl->ahead = false;
    ctl->base_counter = ctl->run.counter;
    ctl->base_seq = ctl->run.seq;
    k8s_informer_observe(ctl->op->instances, reply->object);
}

/* A run error for a pod that will never be, with the API server's own words: unless an earlier
 * request for it was seen to have made it, while this one was on its way. */
static void refuse_pod(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    struct k8s_object *object = k8s_informer_get_key(ctl->op->instances, ctl->key);

    if (!object)
        return;
    struct advance_view view = attempt_gather(ctl, object->value);
    if (view.pod)
        return;
    struct step step = {
        .kind = STEP_APPLY,
        .at = view.now,
        .event = {.type = EVENT_RUN_ERROR,
                  .message = xasprintf("Failed to create Kubernetes pod: %s", reply->error.text)},
    };
    attempt_apply(ctl, &view, &step);
    step_done(&step);
}

/* A refusal that has nothing to do with this run, and may be over the next time: a quota is
 * exhausted, or we have no right to make pods.  An API server that has just started refuses
 * everybody until it has read the roles. */
static bool is_back_pressure(const struct k8s_reply *reply)
{
    return reply->error.code == ERROR_FORBIDDEN &&
           (strstr(reply->error.text, "exceeded quota") ||
            strstr(reply->error.text, "status unknown for quota") ||
            strstr(reply->error.text, "cannot create resource \"pods\""));
}

/* What is used of a quota is other pods' business: it changes all the time, and each text that is
 * new would be stored, told, and followed by another create at once. */
static void note_refusal(struct attempt_ctl *ctl, const char *text)
{
    const char *used = strstr(text, ", used: "), *limited = used ? strstr(used, ", limited: ") : "";

    free(ctl->create_refused);
    ctl->create_refused =
        used ? xasprintf("%.*s%s", (int) (used - text), text, limited ? limited : "")
             : xstrdup(text);
}

/* It says nothing about an earlier create that may still take effect: until that is settled, the
 * run stays at this attempt, or the next leader would not know which pod to wait for. */
static void refused(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (unsettled_is_of(&ctl->unsettled, ctl->run.execution_id, ctl->op->settling.shown))
        note_refusal(ctl, reply->error.text);
    else
        refuse_pod(ctl, reply);
}

/* Our pod is there, but its label is gone: no watch shows it, nobody would see how it ends. */
static bool is_hidden(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code != ERROR_NONE)
        return false;
    CLEANUP(pod_free) struct pod *pod = pod_decode(reply->object);
    return attempt_owns(ctl, pod) && !k8s_informer_get(ctl->op->pods, pod->id.ns, pod->id.name);
}

/* Its pod is there, and will be seen, unless the copy does not take it: just after etcd was
 * restored, or without its label. */
static void note_made(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (is_hidden(ctl, reply))
        unsettled_begin(&ctl->unsettled, ctl->run.execution_id,
                        loop_now(ctl->op->loop, LOOP_MONOTONIC));
    else
        unsettled_end(&ctl->unsettled);
}

/* In words that stay the same: what is answered each time may not. */
static void note_unanswered(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code != ERROR_UNKNOWN && reply->http_status == 0)
        return; /* it was not sent */
    if (ctl->n_unanswered++ == 0)
        ctl->unanswered_since = loop_now(ctl->op->loop, LOOP_MONOTONIC);
    if (attempt_is_hopeless(ctl))
        note_refusal(ctl, "the request for its pod fails; the operator's log says how");
}

static void on_created(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    switch (reply->error.code) {
    case ERROR_NONE:
        ctl->made_pod = true;
        ctl->n_unanswered = 0;
        ctl->op->counters.pods_created++;
        k8s_informer_observe(ctl->op->pods, reply->object);
        note_made(ctl, reply);
        return;
    case ERROR_UNKNOWN:
        unsettled_begin(&ctl->unsettled, ctl->run.execution_id,
                        loop_now(ctl->op->loop, LOOP_MONOTONIC));
        note_unanswered(ctl, reply);
        return;
    case ERROR_FORBIDDEN:
        if (is_back_pressure(reply)) { /* the queue's back-off asks again */
            note_refusal(ctl, reply->error.text);
            return;
        }
        __attribute__((fallthrough));
    case ERROR_INVALID:
    case ERROR_TOO_LARGE:
        refused(ctl, reply);
        return;
    case ERROR_CONFLICT:
    case ERROR_FENCED:
    case ERROR_THROTTLED:
        return;
    default:
        note_unanswered(ctl, reply);
        return;
    }
}

/* False if somebody has changed its record: it is not touched, and looked for again later. */
static bool on_pod_found(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    bool there = reply->error.code == ERROR_NONE;

    if (there)
        k8s_informer_observe(ctl->op->pods, reply->object);
    ctl->pod_absent = reply->error.code == ERROR_NOT_FOUND;
    if (there || ctl->pod_absent)
        ctl->pod_read_at = clock_now(ctl->op);
    CLEANUP(pod_free) struct pod *pod = there ? pod_decode(reply->object) : NULL;
    return !there || attempt_owns(ctl, pod);
}

static void relabel(struct attempt_ctl *ctl, const json_t *object)
{
    CLEANUP(json_decref) json_t *patch = json_pack(
        "{s:{s:s, s:s, s:{s:s}}}", "metadata", "uid", json_text_at(object, "metadata.uid"),
        "resourceVersion", json_text_at(object, "metadata.resourceVersion"), "labels", POD_LABEL,
        POD_LABEL_VALUE);
    CLEANUP(free) char *body = json_print(patch);

    start_call(ctl, CALL_RELABEL,
               (struct k8s_request) {.verb = K8S_PATCH,
                                     .lane = K8S_LANE_STATUS,
                                     .resource = &pod_resource,
                                     .ns = json_text_at(object, "metadata.namespace"),
                                     .name = json_text_at(object, "metadata.name"),
                                     .body = body,
                                     .fence = ctl->op->fence});
}

static void on_relabelled(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    if (reply->error.code != ERROR_NONE) {
        finish_by_reply(ctl->op, &ctl->work, reply, "label pod", ctl->key);
        return;
    }
    k8s_informer_observe(ctl->op->pods, reply->object);
    work_finish(&ctl->work, is_hidden(ctl, reply) ? WORK_RETRY : WORK_AGAIN);
}

static const struct k8s_object *known_workflow(struct operator *op, const struct k8s_object *inst)
{
    return k8s_informer_get(op->workflows, inst->meta.ns,
                            ((const struct instance *) inst->value)->workflow);
}

/* False if the copy does not take what was read, as it may be just after etcd was restored. */
static bool on_workflow_found(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    const struct k8s_object *inst = k8s_informer_get_key(ctl->op->instances, ctl->key);
    const struct k8s_object *known = inst ? known_workflow(ctl->op, inst) : NULL;
    bool gone = reply->error.code == ERROR_NOT_FOUND;

    if (gone && known && strcmp(known->meta.uid, ctl->wf_asked_uid) != 0)
        return true; /* it was made meanwhile */
    if (gone)
        ctl->wf_absent = true;
    if (gone && known)
        k8s_informer_observe_gone(ctl->op->workflows, known->meta.ns, known->meta.name,
                                  known->meta.uid);
    if (reply->error.code != ERROR_NONE)
        return true;
    free(ctl->wf_read);
    ctl->wf_read = xstrdup(json_text_at(reply->object, "metadata.uid"));
    k8s_informer_observe(ctl->op->workflows, reply->object);
    known = inst ? known_workflow(ctl->op, inst) : NULL;
    return !inst || (known && strcmp(known->meta.uid, ctl->wf_read) == 0);
}

/* What was stored late by an earlier reign is there by now: the run goes on from that.  False if it
 * was not read; if the instance is another one, or gone, the watch tells. */
static bool on_instance_read(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    const char *uid =
        reply->error.code == ERROR_NONE ? json_text_at(reply->object, "metadata.uid") : NULL;

    if (!uid || strcmp(uid, ctl->uid) != 0)
        return false;
    ctl->must_read = false;
    k8s_informer_observe(ctl->op->instances, reply->object);
    return true;
}

/* The name is taken: by our own create whose answer was lost, or by somebody else. */
static void adopt(struct attempt_ctl *ctl)
{
    struct k8s_object *object = k8s_informer_get_key(ctl->op->instances, ctl->key);

    if (!object) {
        work_finish(&ctl->work, WORK_DONE);
        return;
    }
    attempt_find(ctl, CALL_ADOPT, &pod_resource, object->value, ctl->run.execution_id);
}

/* False if the pod is somebody else's: it is not touched, and the create is tried again later. */
static bool on_adopted(struct attempt_ctl *ctl, const struct k8s_reply *reply)
{
    CLEANUP(pod_free) struct pod *pod = NULL;

    if (reply->error.code != ERROR_NONE)
        return true; /* still unsettled: the same create is sent again */
    pod = pod_decode(reply->object);
    k8s_informer_observe(ctl->op->pods, reply->object);
    if (attempt_owns(ctl, pod)) {
        note_made(ctl, reply);
        return true;
    }
    CLEANUP(free) char *text = xasprintf("a pod that is not ours has its name: %s", pod->id.name);
    note_refusal(ctl, text);
    return false;
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    static const char *const doing[] = {
        "",         "store status", "create pod",    "read pod",
        "read pod", "label pod",    "read workflow", "read instance"};
    struct attempt_ctl *ctl = arg;
    enum call_kind kind = ctl->calling;

    ctl->call = NULL;
    ctl->calling = CALL_NONE;
    if (kind == CALL_CREATE || kind == CALL_STORE || reply->error.code != ERROR_NONE)
        attempt_set_starting(ctl, false);
    if (kind == CALL_CREATE && reply->error.code == ERROR_EXISTS) {
        adopt(ctl);
        return;
    }
    if (kind == CALL_RELABEL) {
        on_relabelled(ctl, reply);
        return;
    }
    if (kind == CALL_STORE && reply->error.code == ERROR_NONE)
        on_stored(ctl, reply);
    else if (kind == CALL_STORE && reply->error.code == ERROR_CONFLICT)
        k8s_informer_refused(ctl->op->instances, ctl->key);
    else if (kind == CALL_CREATE)
        on_created(ctl, reply);
    if ((kind == CALL_FIND_POD && !on_pod_found(ctl, reply)) ||
        (kind == CALL_FIND_WORKFLOW && !on_workflow_found(ctl, reply)) ||
        (kind == CALL_ADOPT && !on_adopted(ctl, reply)) ||
        (kind == CALL_READ_INSTANCE && !on_instance_read(ctl, reply))) {
        work_finish(&ctl->work, WORK_RETRY);
        return;
    }
    if ((kind == CALL_FIND_POD || kind == CALL_ADOPT) && is_hidden(ctl, reply)) {
        relabel(ctl, reply->object);
        return;
    }
    bool expected = reply->error.code == ERROR_NOT_FOUND &&
                    (kind == CALL_FIND_POD || kind == CALL_FIND_WORKFLOW);
    bool over = kind == CALL_CREATE && ctl->run.state == RUN_FAILED;
    if (expected || over)
        work_finish(&ctl->work, WORK_AGAIN);
    else
        finish_by_reply(ctl->op, &ctl->work, reply, doing[kind], ctl->key);
}
