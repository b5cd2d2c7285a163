/* SPDX-License-Identifier: Apache-2.0 */
/* Who may write: the lease, the fence, and the order of starting and stopping. */
#include "operator/operator.h"

#include "base/log.h"
#include "base/text.h"
#include "operator/unsettled.h"

#include <string.h>

#define DRAIN_MS      1000 /* beyond delta, by which every write has ended */
#define DRAIN_POLL_MS 10

const struct k8s_resource workflow_resource = {"kharon.dev", "v1alpha1", "workflows", "Workflow"};
const struct k8s_resource instance_resource = {"kharon.dev", "v1alpha1", "workflowinstances",
                                               "WorkflowInstance"};
const struct k8s_resource pod_resource = {"", "v1", "pods", "Pod"};

char *pair_key(const char *component, const char *workflow)
{
    return text_join(component, '#', workflow);
}

char *object_key(const char *ns, const char *name)
{
    return text_join(ns, '/', name);
}

/* ---- kinds ---- */

static void *decode_workflow(const json_t *object)
{
    return workflow_decode(object);
}

static void free_workflow(void *value)
{
    workflow_free(value);
}

static char *workflow_pair(const struct k8s_object *object)
{
    const struct workflow *wf = object->value;

    return pair_key(workflow_component(wf), workflow_id(wf));
}

static void *decode_instance(const json_t *object)
{
    return instance_decode(object);
}

static void free_instance(void *value)
{
    instance_free(value);
}

/* Those that have ended are many, and no workflow asks for them. */
static char *active_workflow(const struct k8s_object *object)
{
    const struct instance *inst = object->value;

    return inst->workflow && instance_active(inst) ? object_key(inst->id.ns, inst->workflow) : NULL;
}

static void *decode_pod(const json_t *object)
{
    return pod_decode(object);
}

static void free_pod(void *value)
{
    pod_free(value);
}

static char *pod_owner(const struct k8s_object *object)
{
    return xstrdup(((const struct pod *) object->value)->owner_uid);
}

static char *pod_run(const struct k8s_object *object)
{
    return xstrdup(((const struct pod *) object->value)->run_key);
}

static const struct k8s_kind workflow_kind = {
    .resource = &workflow_resource,
    .decode = decode_workflow,
    .free = free_workflow,
    .index_key = {[WORKFLOWS_BY_PAIR] = workflow_pair},
};

static const struct k8s_kind instance_kind = {
    .resource = &instance_resource,
    .decode = decode_instance,
    .free = free_instance,
    .index_key = {[ACTIVE_BY_WORKFLOW] = active_workflow},
};

static const struct k8s_kind pod_kind = {
    .resource = &pod_resource,
    .label_selector = POD_SELECTOR,
    .decode = decode_pod,
    .free = free_pod,
    .index_key = {[PODS_BY_OWNER] = pod_owner, [PODS_BY_RUN] = pod_run},
};

/* ---- leading ---- */

static void pause_queues(struct operator *op, bool paused)
{
    queue_pause(&op->cursor_queue, paused);
    queue_pause(&op->attempt_queue, paused);
    queue_pause(&op->reap_queue, paused);
}

/* Everything that is known is looked at once by whoever begins to lead. */
static void look_at_everything(struct operator *op)
{
    struct k8s_object *object;

    k8s_informer_foreach (object, op->workflows)
        cursor_on_workflow(op, NULL, object);
    k8s_informer_foreach (object, op->instances)
        attempt_on_instance(op, NULL, object);
    k8s_informer_foreach (object, op->pods)
        reap_on_pod(op, NULL, object);
}

static void on_look_task(void *arg)
{
    struct operator *op = arg;

    if (op->leading)
        look_at_everything(op);
}

static void forget_everything(struct operator *op)
{
    cursor_forget(op);
    attempt_forget(op);
    reap_forget(op);
    events_forget(op);
}

static bool all_synced(const struct operator *op)
{
    return k8s_informer_synced(op->workflows) && k8s_informer_synced(op->instances) &&
           k8s_informer_synced(op->pods);
}

bool lead_knows(const struct operator *op, const char *ns)
{
    return k8s_informer_knows(op->workflows, ns) && k8s_informer_knows(op->instances, ns) &&
           k8s_informer_knows(op->pods, ns);
}

void lead_when_ready(struct operator *op)
{
    if (op->leading || op->stopping || !lease_held(op->lease) || !all_synced(op) ||
        !handover_complete(op))
        return;
    op->leading = true;
    clock_begin(op);
    pace_begin(op);
    settling_begin(op);
    log_info("leading", KV("identity", op->settings->identity));
    look_at_everything(op);
    pause_queues(op, false);
}

static void on_acquired(void *arg)
{
    struct operator *op = arg;

    handover_begin(op, lease_found_record(op->lease), lease_continued(op->lease));
}

static void on_lost(void *arg)
{
    struct operator *op = arg;

    log_warning("lost the lease", KV("identity", op->settings->identity),
                KV("holder", lease_holder(op->lease)));
    op->leading = false;
    pause_queues(op, true);
    settling_end(op);
    handover_forget(op);
    forget_everything(op);
}

static void on_synced(void *arg)
{
    settling_progress(arg);
    lead_when_ready(arg);
}

/* All copies are listed again if the lease went back with them. */
static void on_back(void *arg)
{
    struct operator *op = arg;

    lease_look(op->lease);
}

/* What is decided about a namespace may have waited for this. */
static void on_joined(void *arg)
{
    struct operator *op = arg;

    loop_task_queue(op->loop, &op->look_task);
}

/* ---- changes: only the leader has work ---- */

static void count_workflow(struct operator *op, const struct k8s_object *object, int by)
{
    if (!object)
        return;
    const struct workflow *wf = object->value;
    bool configured = wf->template.image != NULL;
    op->n_workflows[WORKFLOWS] += by;
    op->n_workflows[WORKFLOWS_CONFIGURED] += configured ? by : 0;
    op->n_workflows[WORKFLOWS_ENABLED] += configured && !wf->suspend ? by : 0;
    op->n_workflows[WORKFLOWS_LOGGING] += wf->template.termination_logging ? by : 0;
}

static void on_workflow(const struct k8s_object *old, const struct k8s_object *new, void *arg)
{
    struct operator *op = arg;

    count_workflow(op, old, -1);
    count_workflow(op, new, 1);
    handover_progress(op);
    if (!op->leading)
        return;
    cursor_on_workflow(op, old, new);
    attempt_on_workflow(op, old, new);
}

/* Counted as they change: there may be very many that have ended. */
static void count_run(struct operator *op, const struct k8s_object *object, int by)
{
    if (!object)
        return;
    const struct run *run = &((const struct instance *) object->value)->run;
    op->n_runs[run->state][run->seq > 0 ? (int) run->trigger.type : TRIGGER_N_TYPES] += by;
}

static void on_instance(const struct k8s_object *old, const struct k8s_object *new, void *arg)
{
    struct operator *op = arg;

    count_run(op, old, -1);
    count_run(op, new, 1);
    handover_progress(op);
    if (!op->leading)
        return;
    attempt_on_instance(op, old, new);
    cursor_on_instance(op, old, new);
    reap_on_instance(op, old, new);
}

static void on_pod(const struct k8s_object *old, const struct k8s_object *new, void *arg)
{
    struct operator *op = arg;

    handover_progress(op);
    if (!op->leading)
        return;
    attempt_on_pod(op, old, new);
    reap_on_pod(op, old, new);
}

/* ---- replies ---- */

/* As far as is known: it may have failed for its own sake. */
static bool was_sent(const struct k8s_reply *reply)
{
    enum error_code code = reply->error.code;

    return reply->http_status != 0 || (code != ERROR_UNAVAILABLE && code != ERROR_FENCED);
}

void finish_by_reply(struct operator *op, struct work *work, const struct k8s_reply *reply,
                     const char *doing, const char *key)
{
    enum error_code code = reply->error.code;

    if (code == ERROR_NONE) {
        work_finish(work, WORK_AGAIN);
        return;
    }
    op->counters.errors++;
    if (code == ERROR_CONFLICT || code == ERROR_FENCED)
        log_debug("will look again", KV("doing", doing), KV("key", key),
                  KV("error", reply->error.text));
    else
        log_warning("a request failed", KV("doing", doing), KV("key", key),
                    KV("status", reply->http_status), KV("code", error_code_name(code)),
                    KV("error", reply->error.text));
    if (reply->retry_after_ms > 0)
        work_finish_after(work, reply->retry_after_ms);
    else
        work_finish(work, was_sent(reply) ? WORK_RETRY : WORK_AWAY);
}

/* ---- life ---- */

static struct k8s_informer *new_informer(struct operator *op, const struct k8s_kind *kind,
                                         void (*on_change)(const struct k8s_object *,
                                                           const struct k8s_object *, void *))
{
    const struct texts *ns = &op->settings->namespaces;
    const char **list = xcalloc(ns->n + 1, sizeof(*list));
    struct k8s_informer_handler handler = {
        .on_change = on_change, .on_synced = on_synced, .on_back = on_back, .on_joined = on_joined};

    for (size_t i = 0; i < ns->n; i++)
        list[i] = ns->items[i];
    struct k8s_informer *informer =
        k8s_informer_new(op->loop, op->k8s, op->rng, kind, list, &handler, op);
    free(list);
    return informer;
}

static bool calls_in_flight(struct operator *op)
{
    if (op->cursor_queue.n_busy + op->attempt_queue.n_busy + op->reap_queue.n_busy > 0)
        return true;
    return op->n_event_calls > 0;
}

static void on_released(void *arg)
{
    struct operator *op = arg;

    op->leading = false;
    if (op->on_stopped)
        op->on_stopped(op->on_stopped_arg);
}

static void release(struct operator *op)
{
    CLEANUP(free) char *record = handover_record(op);

    lease_set_record(op->lease, record);
    lease_release(op->lease);
}

static void on_drain(void *arg)
{
    struct operator *op = arg;
    int64_t now = loop_now(op->loop, LOOP_MONOTONIC);

    if (!calls_in_flight(op)) {
        release(op);
    } else if (now < op->drain_until) {
        loop_timer_set(op->loop, &op->drain, LOOP_MONOTONIC, now + DRAIN_POLL_MS);
    } else {
        log_warning("a call has not ended: the lease is left to run out");
        on_released(op);
    }
}

static void on_request_ended(const struct k8s_ended *ended, void *arg)
{
    handover_note(arg, ended);
    clock_note(arg, ended);
    pace_note(arg, ended);
}

struct operator *operator_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                              const struct settings *settings)
{
    struct operator *op = NEW(struct operator);
    struct lease_config lease = {settings->lease_ns, settings->lease_name, settings->identity,
                                 settings->lease_duration_ms, settings->delta_ms};
    struct lease_handler handler = {
        .on_acquired = on_acquired, .on_lost = on_lost, .on_released = on_released};

    op->loop = loop;
    op->k8s = k8s_tap_new(loop, k8s, on_request_ended, op);
    op->rng = rng;
    op->settings = settings;
    op->drain = (struct loop_timer) {.on_time = on_drain, .arg = op};
    op->look_task = (struct loop_task) {.on_turn = on_look_task, .arg = op};
    list_init(&op->event_calls);
    burst_init(&op->burst);
    handover_setup(op);
    cursor_setup(op);
    attempt_setup(op);
    reap_setup(op);
    pause_queues(op, true);
    op->workflows = new_informer(op, &workflow_kind, on_workflow);
    op->instances = new_informer(op, &instance_kind, on_instance);
    op->pods = new_informer(op, &pod_kind, on_pod);
    op->lease = lease_new(loop, op->k8s, rng, &lease, &handler, op);
    op->fence = lease_fence(op->lease);
    return op;
}

void operator_free(struct operator *op)
{
    if (!op)
        return;
    op->leading = false;
    forget_everything(op);
    ghosts_clear(&op->ghosts);
    loop_timer_cancel(op->loop, &op->drain);
    loop_task_cancel(&op->look_task);
    k8s_informer_free(op->workflows);
    k8s_informer_free(op->instances);
    k8s_informer_free(op->pods);
    lease_free(op->lease);
    queue_done(&op->cursor_queue);
    queue_done(&op->attempt_queue);
    queue_done(&op->reap_queue);
    map_done(&op->cursors);
    map_done(&op->attempts);
    map_done(&op->reaps);
    map_done(&op->ghosts);
    handover_done(op);
    k8s_free(op->k8s);
    free(op);
}

void operator_start(struct operator *op)
{
    k8s_informer_start(op->workflows);
    k8s_informer_start(op->instances);
    k8s_informer_start(op->pods);
    lease_start(op->lease);
}

void operator_stop(struct operator *op, void (*on_stopped)(void *arg), void *arg)
{
    op->stopping = true;
    op->on_stopped = on_stopped;
    op->on_stopped_arg = arg;
    op->drain_until = loop_now(op->loop, LOOP_MONOTONIC) + op->settings->delta_ms + DRAIN_MS;
    pause_queues(op, true);
    on_drain(op);
}

bool operator_ready(const struct operator *op)
{
    return all_synced(op);
}

bool operator_leading(const struct operator *op)
{
    return op->leading;
}
