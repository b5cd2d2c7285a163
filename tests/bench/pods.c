/* SPDX-License-Identifier: Apache-2.0 */
#include "fakelet.h"

#include "base/log.h"
#include "base/map.h"
#include "bench.h"

#include <string.h>

#define RUN_ANNOTATION  "bench.kharon.dev/run-ms"
#define EXIT_ANNOTATION "bench.kharon.dev/exit-code"
#define FAIL_ANNOTATION "bench.kharon.dev/failing-tries"
#define TRY_ANNOTATION  "kharon.dev/attempt"
#define SIGTERM_CODE    143

static const struct k8s_resource pod_resource = {"", "v1", "pods", "Pod"};

/* As the API server has it. */
struct pod {
    char *node; /* NULL: not bound */
    bool is_running, is_over, deleting;
    int64_t grace_s, run_ms;
    int exit_code;
    json_t *containers; /* [{name, image}] */
};

/* What is remembered besides: a pod of ours, by its UID. */
struct life {
    struct pods *pods;
    struct map_node by_uid;
    char *uid;
    const struct k8s_object *object; /* the informer's */
    struct work work;
    struct k8s_call *call;
    enum pod_step doing;
    int64_t since_ms; /* MONOTONIC; started by us then; 0: not */
    char started[STAMP_MAX];
};

struct pods {
    struct loop *loop;
    struct k8s *k8s;
    const char *prefix;
    struct k8s_informer *informer;
    struct queue queue;
    struct map lives;
    struct pods_counts counts;
};

/* ---- the decision ---- */

enum pod_step pod_decide(const struct pod_view *v, int64_t *ret_at)
{
    *ret_at = 0;
    if (v->is_over)
        return v->deleting && v->grace_s > 0 ? POD_REMOVE : POD_WAIT;
    if (v->deleting)
        return POD_KILL;
    if (!v->is_running)
        return POD_START;
    if (v->since_ms == 0 || v->now_ms >= v->since_ms + v->run_ms)
        return POD_END;
    *ret_at = v->since_ms + v->run_ms;
    return POD_WAIT;
}

/* ---- decoding ---- */

static int64_t number_annotation(const json_t *object, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_at(object, "metadata.annotations"), name));

    return text ? strtoll(text, NULL, 10) : 0;
}

static int read_exit_code(const json_t *object)
{
    int64_t failing = number_annotation(object, FAIL_ANNOTATION);

    if (failing > 0 && number_annotation(object, TRY_ANNOTATION) > failing)
        return 0;
    return (int) number_annotation(object, EXIT_ANNOTATION);
}

static json_t *decode_containers(const json_t *object)
{
    json_t *all = json_array(), *container;
    size_t i;

    json_array_foreach (json_at(object, "spec.containers"), i, container)
        json_array_append_new(all, json_pack("{s:s, s:s*}", "name", json_text_at(container, "name"),
                                             "image", json_text_at(container, "image")));
    return all;
}

static void *decode(const json_t *object)
{
    const char *phase = json_text_at(object, "status.phase");
    struct pod *pod = NEW(struct pod);

    pod->node = xstrdup(json_text_at(object, "spec.nodeName"));
    pod->is_running = phase && strcmp(phase, "Running") == 0;
    pod->is_over = phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
    pod->deleting = json_at(object, "metadata.deletionTimestamp") != NULL;
    pod->grace_s = json_int_at(object, "metadata.deletionGracePeriodSeconds", 0);
    pod->run_ms = number_annotation(object, RUN_ANNOTATION);
    pod->exit_code = read_exit_code(object);
    pod->containers = decode_containers(object);
    return pod;
}

static void free_pod(void *value)
{
    struct pod *pod = value;

    free(pod->node);
    json_decref(pod->containers);
    free(pod);
}

/* ---- what a kubelet reports ---- */

static json_t *condition(const char *type, bool is, const char *reason, const char *now)
{
    return json_pack("{s:s, s:s, s:s*, s:s}", "type", type, "status", is ? "True" : "False",
                     "reason", reason, "lastTransitionTime", now);
}

static json_t *conditions(bool runs, bool ok, const char *now)
{
    const char *reason = runs ? NULL : ok ? "PodCompleted" : "PodFailed";

    return json_pack("[o, o, o, o]", condition("PodScheduled", true, NULL, now),
                     condition("Initialized", true, NULL, now),
                     condition("ContainersReady", runs, reason, now),
                     condition("Ready", runs, reason, now));
}

static json_t *container_status(const json_t *container, bool runs, json_t *state_take)
{
    json_t *status = json_pack("{s:b, s:b, s:i, s:s, s:o}", "ready", runs, "started", runs,
                               "restartCount", 0, "imageID", "", "state", state_take);

    json_object_update(status, (json_t *) (uintptr_t) container);
    return status;
}

/* A status of all containers alike; takes the state. */
static char *status_take(const struct life *l, const char *phase, bool runs, int exit_code,
                         json_t *state_take, const char *now)
{
    const struct pod *pod = l->object->value;
    json_t *all = json_array(), *container;
    size_t i;

    json_array_foreach (pod->containers, i, container)
        json_array_append_new(all, container_status(container, runs, json_incref(state_take)));
    CLEANUP(json_decref) json_t *patch =
        json_pack("{s:{s:s, s:s, s:o, s:o}}", "status", "phase", phase, "startTime", l->started,
                  "conditions", conditions(runs, exit_code == 0, now), "containerStatuses", all);
    json_decref(state_take);
    return json_print(patch);
}

static char *running(struct life *l)
{
    stamp(loop_now(l->pods->loop, LOOP_OF_DAY), l->started);
    return status_take(l, "Running", true, 0,
                       json_pack("{s:{s:s}}", "running", "startedAt", l->started), l->started);
}

static char *ended(struct life *l, int exit_code)
{
    char now[STAMP_MAX];

    stamp(loop_now(l->pods->loop, LOOP_OF_DAY), now);
    if (!*l->started)
        memcpy(l->started, now, sizeof(now));
    return status_take(l, exit_code == 0 ? "Succeeded" : "Failed", false, exit_code,
                       json_pack("{s:{s:i, s:s, s:s, s:s}}", "terminated", "exitCode", exit_code,
                                 "reason", exit_code == 0 ? "Completed" : "Error", "startedAt",
                                 l->started, "finishedAt", now),
                       now);
}

/* ---- one step ---- */

static void count(struct life *l)
{
    struct pods_counts *counts = &l->pods->counts;

    if (l->doing == POD_START)
        counts->started++;
    else if (l->doing == POD_END || l->doing == POD_KILL)
        counts->ended++;
    else
        counts->removed++;
}

/* What the reply brings is taken in last: the pod may turn out to be another one, and this life
 * over. */
static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct life *l = arg;
    struct pods *pods = l->pods;

    l->call = NULL;
    if (reply->error.code == ERROR_NOT_FOUND) {
        work_finish(&l->work, WORK_DONE); /* the watch will say so */
        return;
    }
    if (reply->error.code != ERROR_NONE) {
        pods->counts.errors++;
        log_warning("request failed", KV("pod", l->object->key), KV("error", reply->error.text));
        if (reply->retry_after_ms > 0)
            work_finish_after(&l->work, reply->retry_after_ms);
        else
            work_finish(&l->work, WORK_RETRY);
        return;
    }
    count(l);
    if (l->doing == POD_START)
        l->since_ms = loop_now(pods->loop, LOOP_MONOTONIC);
    work_finish(&l->work, WORK_DONE);
    if (l->doing != POD_REMOVE && reply->object)
        k8s_informer_observe(pods->informer, reply->object);
}

static enum work_result call(struct life *l, struct k8s_request request, char *body_take)
{
    request.resource = &pod_resource;
    request.ns = l->object->meta.ns;
    request.name = l->object->meta.name;
    request.body = body_take;
    l->call = k8s_call(l->pods->k8s, &request, &(struct k8s_handler) {.on_reply = on_reply}, l);
    free(body_take);
    return WORK_BUSY;
}

static enum work_result patch_status(struct life *l, char *body_take)
{
    return call(
        l,
        (struct k8s_request) {.verb = K8S_PATCH, .lane = K8S_LANE_STATUS, .subresource = "status"},
        body_take);
}

static enum work_result step(struct work *work)
{
    struct life *l = container_of(work, struct life, work);
    const struct pod *pod = l->object->value;
    const struct pod_view view = {
        .is_running = pod->is_running,
        .is_over = pod->is_over,
        .deleting = pod->deleting,
        .grace_s = pod->grace_s,
        .since_ms = l->since_ms,
        .run_ms = pod->run_ms,
        .now_ms = loop_now(l->pods->loop, LOOP_MONOTONIC),
    };
    int64_t at;

    l->doing = pod_decide(&view, &at);
    switch (l->doing) {
    case POD_START:
        return patch_status(l, running(l));
    case POD_END:
        return patch_status(l, ended(l, pod->exit_code));
    case POD_KILL:
        return patch_status(l, ended(l, SIGTERM_CODE));
    case POD_REMOVE:
        return call(l, (struct k8s_request) {.verb = K8S_DELETE, .lane = K8S_LANE_DELETE},
                    k8s_delete_options(l->object->meta.uid, NULL, 0));
    case POD_WAIT:
        break;
    }
    if (at)
        work_add_at(work, LOOP_MONOTONIC, at);
    return WORK_DONE;
}

/* ---- pods come and go ---- */

static struct life *find(const struct pods *pods, const char *uid)
{
    struct map_node *node = map_get(&pods->lives, uid);

    return node ? container_of(node, struct life, by_uid) : NULL;
}

static void life_free(struct life *l)
{
    k8s_cancel(l->call);
    work_done(&l->work);
    map_remove(&l->pods->lives, &l->by_uid);
    free(l->uid);
    free(l);
}

static void life_begin(struct pods *pods, const struct k8s_object *object)
{
    struct life *l = NEW(struct life);

    l->pods = pods;
    l->object = object;
    l->uid = xstrdup(object->meta.uid); /* the object's own is replaced at every change */
    work_init(&l->work, &pods->queue);
    map_add(&pods->lives, &l->by_uid, l->uid);
    pods->counts.seen++;
}

static bool is_ours(const struct pods *pods, const struct k8s_object *object)
{
    const struct pod *pod = object->value;

    return pod->node && strncmp(pod->node, pods->prefix, strlen(pods->prefix)) == 0;
}

static void on_change(const struct k8s_object *old, const struct k8s_object *new, void *arg)
{
    struct pods *pods = arg;
    struct life *l = find(pods, (new ? new : old)->meta.uid);

    if (!new) {
        if (l)
            life_free(l);
        return;
    }
    if (!l && !is_ours(pods, new))
        return;
    if (!l)
        life_begin(pods, new);
    work_add(&find(pods, new->meta.uid)->work);
}

struct pods *pods_new(struct loop *loop, struct k8s *k8s, struct rng *rng, const char *prefix,
                      int max_in_flight)
{
    static const struct k8s_kind kind = {
        .resource = &pod_resource, .decode = decode, .free = free_pod};
    static const char *const everywhere[] = {NULL};
    struct pods *pods = NEW(struct pods);

    pods->loop = loop;
    pods->k8s = k8s;
    pods->prefix = prefix;
    map_init(&pods->lives);
    queue_init(&pods->queue, loop, rng, step, max_in_flight);
    pods->informer =
        k8s_informer_new(loop, k8s, rng, &kind, everywhere,
                         &(struct k8s_informer_handler) {.on_change = on_change}, pods);
    k8s_informer_start(pods->informer);
    return pods;
}

void pods_free(struct pods *pods)
{
    struct life *l;

    if (!pods)
        return;
    map_foreach (l, &pods->lives, by_uid)
        life_free(l);
    map_done(&pods->lives);
    queue_done(&pods->queue);
    k8s_informer_free(pods->informer);
    free(pods);
}

bool pods_synced(const struct pods *pods)
{
    return k8s_informer_synced(pods->informer);
}

struct pods_counts pods_counts(const struct pods *pods)
{
    return pods->counts;
}
