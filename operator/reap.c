/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods that have done their service: deleted when their outcome is stored and their logs have been
 * there for a while, and let go of (finalizer) when nothing of them runs (Styx behaviour, 11.7;
 * design, section 4).
 */
#include "operator/retain.h"

#include "operator/operator.h"
#include "operator/unsettled.h"

#include "base/log.h"

#include <inttypes.h>
#include <string.h>

enum call_kind { CALL_NONE, CALL_DELETE, CALL_RELEASE, CALL_FIND, CALL_FIND_NODE };

#define NODE_AGAIN_MS  MINUTE_MS
#define HIDDEN_MS      (10 * MINUTE_MS) /* until nodes that may not be read are asked for again */
#define OUT_OF_SERVICE "node.kubernetes.io/out-of-service"

static const struct k8s_resource node_resource = {"", "v1", "nodes", "Node"};

struct reap_ctl {
    struct work work;
    struct map_node by_key;
    struct operator *op;
    char *key;
    char *uid;
    int64_t seen_at;      /* LOOP_MONOTONIC */
    bool instance_absent; /* proven */
    bool lost;            /* its node is proven gone or out of service */
    int64_t node_again;   /* LOOP_MONOTONIC: when its node may be asked for again */
    struct k8s_call *call;
    enum call_kind calling;
};

static void ctl_free(struct reap_ctl *ctl)
{
    k8s_cancel(ctl->call);
    work_done(&ctl->work);
    map_remove(&ctl->op->reaps, &ctl->by_key);
    free(ctl->key);
    free(ctl->uid);
    free(ctl);
}

static struct reap_ctl *ctl_find(struct operator *op, const char *key)
{
    struct map_node *node = map_get(&op->reaps, key);

    return node ? container_of(node, struct reap_ctl, by_key) : NULL;
}

static struct reap_ctl *ctl_new(struct operator *op, const struct k8s_object *object)
{
    struct reap_ctl *ctl = NEW(struct reap_ctl);

    ctl->op = op;
    ctl->key = xstrdup(object->key);
    ctl->uid = xstrdup(object->meta.uid);
    ctl->seen_at = loop_now(op->loop, LOOP_MONOTONIC);
    work_init(&ctl->work, &op->reap_queue);
    map_add(&op->reaps, &ctl->by_key, ctl->key);
    return ctl;
}

/* ---- calls ---- */

static void on_reply(const struct k8s_reply *reply, void *arg);

static enum work_result start_call(struct reap_ctl *ctl, enum call_kind kind,
                                   struct k8s_request request)
{
    static const struct k8s_handler handler = {.on_reply = on_reply};

    ctl->calling = kind;
    ctl->call = k8s_call(ctl->op->k8s, &request, &handler, ctl);
    return WORK_BUSY;
}

static enum work_result delete_pod(struct reap_ctl *ctl, const struct k8s_object *object,
                                   bool at_once)
{
    char version[24];

    snprintf(version, sizeof(version), "%" PRIu64, object->meta.resource_version);
    CLEANUP(free) char *body = k8s_delete_options(object->meta.uid, version, at_once ? 0 : -1);

    return start_call(ctl, CALL_DELETE,
                      (struct k8s_request) {.verb = K8S_DELETE,
                                            .lane = K8S_LANE_DELETE,
                                            .resource = &pod_resource,
                                            .ns = object->meta.ns,
                                            .name = object->meta.name,
                                            .body = body,
                                            .fence = ctl->op->fence});
}

static void add_other_finalizers(json_t *list, const struct pod *pod)
{
    for (size_t i = 0; i < pod->other_finalizers.n; i++)
        json_array_append_new(list, json_text(pod->other_finalizers.items[i]));
}

static enum work_result release_pod(struct reap_ctl *ctl, const struct k8s_object *object)
{
    json_t *finalizers = json_array();
    char version[24];

    add_other_finalizers(finalizers, object->value);
    snprintf(version, sizeof(version), "%" PRIu64, object->meta.resource_version);
    CLEANUP(json_decref) json_t *patch =
        json_pack("{s:{s:s, s:s, s:o}}", "metadata", "uid", object->meta.uid, "resourceVersion",
                  version, "finalizers", finalizers);
    CLEANUP(free) char *body = json_print(patch);
    return start_call(ctl, CALL_RELEASE,
                      (struct k8s_request) {.verb = K8S_PATCH,
                                            .lane = K8S_LANE_DELETE,
                                            .resource = &pod_resource,
                                            .ns = object->meta.ns,
                                            .name = object->meta.name,
                                            .body = body,
                                            .fence = ctl->op->fence});
}

static enum work_result find_instance(struct reap_ctl *ctl, const struct pod *pod)
{
    return start_call(ctl, CALL_FIND,
                      (struct k8s_request) {.verb = K8S_GET,
                                            .lane = K8S_LANE_READ,
                                            .resource = &instance_resource,
                                            .ns = pod->id.ns,
                                            .name = pod->instance});
}

static enum work_result find_node(struct reap_ctl *ctl, const struct pod *pod)
{
    ctl->node_again = loop_now(ctl->op->loop, LOOP_MONOTONIC) + NODE_AGAIN_MS;
    return start_call(
        ctl, CALL_FIND_NODE,
        (struct k8s_request) {
            .verb = K8S_GET, .lane = K8S_LANE_READ, .resource = &node_resource, .name = pod->node});
}

/* How long it is until then, by a clock that nobody sets. */
static int64_t rest_until(const struct reap_ctl *ctl, int64_t monotonic)
{
    int64_t rest = monotonic - loop_now(ctl->op->loop, LOOP_MONOTONIC);

    return rest > 0 ? rest : 0;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum work_result look(struct work *work)
{
    struct reap_ctl *ctl = container_of(work, struct reap_ctl, work);
    struct k8s_object *object = k8s_informer_get_key(ctl->op->pods, ctl->key);

    if (!object || strcmp(object->meta.uid, ctl->uid) != 0)
        return WORK_DONE;
    const struct pod *pod = object->value;
    struct k8s_object *owner =
        pod->instance ? k8s_informer_get(ctl->op->instances, pod->id.ns, pod->instance) : NULL;
    struct retain_view view = {
        .pod = pod,
        .inst = owner ? owner->value : NULL,
        .inst_absent = ctl->instance_absent,
        .now = clock_now(ctl->op),
        .clock_wrong = clock_wrong(ctl->op),
        .retention_ms = ctl->op->settings->pod_retention_ms,
        .tombstone_ms = rest_until(ctl, ctl->seen_at + SETTLED_MS),
        .lost = ctl->lost,
        .node_wait_ms = rest_until(ctl, later(ctl->node_again, ctl->op->nodes_again)),
    };
    struct retain_step step = retain_decide(&view);
    switch (step.kind) {
    case RETAIN_DELETE:
    case RETAIN_DELETE_AT_ONCE:
        return delete_pod(ctl, object, step.kind == RETAIN_DELETE_AT_ONCE);
    case RETAIN_RELEASE:
        return release_pod(ctl, object);
    case RETAIN_FIND_INSTANCE:
        return find_instance(ctl, pod);
    case RETAIN_FIND_NODE:
        return find_node(ctl, pod);
    case RETAIN_KEEP:
        break;
    }
    if (step.look_again_at != INSTANT_NONE)
        work_add_at(&ctl->work, LOOP_OF_DAY, step.look_again_at);
    return WORK_DONE;
}

/* ---- replies ---- */

static bool is_out_of_service(const json_t *node)
{
    size_t i;
    json_t *taint;

    json_array_foreach (json_at(node, "spec.taints"), i, taint) {
        const char *key = json_text_at(taint, "key");

        if (key && strcmp(key, OUT_OF_SERVICE) == 0)
            return true;
    }
    return false;
}

/* A pod of a node that is no more has ended, whatever its status says. */
static void on_node(struct reap_ctl *ctl, const struct k8s_reply *reply)
{
    struct operator *op = ctl->op;
    struct k8s_object *object = k8s_informer_get_key(op->pods, ctl->key);
    enum error_code code = reply->error.code;

    if (code == ERROR_FORBIDDEN) {
        op->nodes_again = loop_now(op->loop, LOOP_MONOTONIC) + HIDDEN_MS;
        log_info("may not read nodes: pods of lost nodes are left to Kubernetes",
                 KV("error", reply->error.text));
    }
    ctl->lost = code == ERROR_NOT_FOUND || (code == ERROR_NONE && is_out_of_service(reply->object));
    if (ctl->lost && object) {
        log_warning("the node of a pod is lost", KV("pod", ctl->key),
                    KV("node", ((const struct pod *) object->value)->node));
        attempt_on_pod(op, object, object);
    }
    work_finish(&ctl->work, WORK_AGAIN);
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    static const char *const doing[] = {"", "delete pod", "release pod", "read instance",
                                        "read node"};
    struct reap_ctl *ctl = arg;
    struct operator *op = ctl->op;
    enum call_kind kind = ctl->calling;
    struct k8s_object *object = k8s_informer_get_key(op->pods, ctl->key);

    ctl->call = NULL;
    ctl->calling = CALL_NONE;
    if (kind == CALL_FIND_NODE) {
        on_node(ctl, reply);
        return;
    }
    if (reply->error.code == ERROR_NOT_FOUND && kind == CALL_FIND) {
        ctl->instance_absent = true;
        work_finish(&ctl->work, WORK_AGAIN);
        return;
    }
    if (reply->error.code == ERROR_NONE && kind == CALL_DELETE)
        op->counters.pods_deleted++;
    if (reply->error.code == ERROR_NOT_FOUND && object) {
        work_finish(&ctl->work, WORK_DONE); /* it is gone: the watch will say so */
        return;
    }
    if (reply->error.code == ERROR_NONE && kind == CALL_FIND) {
        const char *uid = json_text_at(reply->object, "metadata.uid");
        const struct pod *pod = object ? object->value : NULL;

        ctl->instance_absent = pod && pod->owner_uid && uid && strcmp(uid, pod->owner_uid) != 0;
        k8s_informer_observe(op->instances, reply->object);
    } else if (reply->error.code == ERROR_NONE) {
        k8s_informer_observe(op->pods, reply->object);
    } else if (reply->error.code == ERROR_CONFLICT) {
        k8s_informer_refused(op->pods, ctl->key);
    }
    finish_by_reply(op, &ctl->work, reply, doing[kind], ctl->key);
}

/* ---- events ---- */

void reap_setup(struct operator *op)
{
    map_init(&op->reaps);
    queue_init(&op->reap_queue, op->loop, op->rng, look, (op->settings->max_steps + 3) / 4);
}

void reap_on_pod(struct operator *op, const struct k8s_object *old, const struct k8s_object *new)
{
    struct reap_ctl *ctl = ctl_find(op, (new ? new : old)->key);

    if (ctl && (!new || strcmp(ctl->uid, new->meta.uid) != 0)) {
        ctl_free(ctl);
        ctl = NULL;
    }
    if (!new || !pod_is_ours(new->value))
        return;
    if (!ctl)
        ctl = ctl_new(op, new);
    work_add(&ctl->work);
}

bool reap_is_lost(struct operator *op, const struct pod *pod)
{
    if (pod->deleting_since == INSTANT_NONE)
        return false;
    CLEANUP(free) char *key = object_key(pod->id.ns, pod->id.name);
    const struct reap_ctl *ctl = ctl_find(op, key);
    return ctl && ctl->lost && strcmp(ctl->uid, pod->id.uid) == 0;
}

void reap_on_instance(struct operator *op, const struct k8s_object *old,
                      const struct k8s_object *new)
{
    const struct k8s_object *any = new ? new : old;
    struct k8s_object *pod = k8s_informer_first(op->pods, PODS_BY_OWNER, any->meta.uid);

    for (; pod; pod = k8s_informer_next(pod, PODS_BY_OWNER)) {
        struct reap_ctl *ctl = ctl_find(op, pod->key);

        if (ctl)
            work_add(&ctl->work);
    }
}

void reap_forget(struct operator *op)
{
    struct reap_ctl *ctl;

    map_foreach (ctl, &op->reaps, by_key)
        ctl_free(ctl);
}
