/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_kubelet.h"

#include "sim/fake_kubelet_internal.h"

#include <string.h>

#define PHASE_DELAY_MS 1100 /* from the end of a container to the pod's terminal phase */
#define FORCED_MS      2000 /* how long a container outlives its force-deleted pod */
#define POD_GC_MS      5000 /* until a deleted pod that was never bound is Failed */
#define RESCHEDULE_MS  5000 /* until the scheduler looks again for a node */
#define QUICK_MS       10
#define FLIP_MS        14000  /* between ErrImagePull and ImagePullBackOff, at first */
#define FLIP_MAX_MS    300000 /* and in the end */

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};

static void arm(struct fake_pod *p, struct loop_timer *t, int64_t ms)
{
    if (ms >= 0)
        loop_timer_set(p->kubelet->loop, t, LOOP_MONOTONIC,
                       loop_now(p->kubelet->loop, LOOP_MONOTONIC) + ms);
}

static void disarm(struct fake_pod *p, struct loop_timer *t)
{
    loop_timer_cancel(p->kubelet->loop, t);
}

static void now_text(const struct fake_pod *p, char text[32])
{
    fake_time_text(loop_now(p->kubelet->loop, LOOP_OF_DAY), text);
}

/* ---- the life of a pod ---- */

static void pod_free(struct fake_pod *p)
{
    disarm(p, &p->step);
    disarm(p, &p->kill);
    disarm(p, &p->deadline);
    disarm(p, &p->flip);
    disarm(p, &p->resync);
    map_remove(&p->kubelet->pods, &p->by_uid);
    json_decref(p->first);
    free(p);
}

static void runs(struct fake_pod *p, bool yes)
{
    struct fake_kubelet *k = p->kubelet;

    k->running += yes ? 1 : (size_t) -1;
    if (k->handler.on_container)
        k->handler.on_container(p->first, yes, k->arg);
}

static void end_container(struct fake_pod *p, int exit_code, const char *reason,
                          const char *message)
{
    if (p->state == FAKE_POD_RUNNING)
        runs(p, false);
    p->exit_code = exit_code;
    p->reason = reason;
    p->message = message;
    now_text(p, p->finished);
    p->state = FAKE_POD_EXITED;
    fake_pod_show(p);
    arm(p, &p->step, PHASE_DELAY_MS);
}

static bool is_gated(const struct fake_pod *p)
{
    return json_array_size(json_at(fake_get(p->kubelet->fake, &pods, p->ns, p->name),
                                   "spec.schedulingGates")) > 0;
}

/* Pulling an image fails, and is waited with, in turn. */
static void on_flip(void *arg)
{
    struct fake_pod *p = arg;

    if (p->state != FAKE_POD_BOUND || p->gone)
        return;
    p->flipped = !p->flipped;
    fake_pod_show(p);
    p->flip_ms = p->flip_ms * 2 < FLIP_MAX_MS ? p->flip_ms * 2 : FLIP_MAX_MS;
    arm(p, &p->flip, p->flip_ms);
}

static void begin_flipping(struct fake_pod *p)
{
    if (!p->plan.waiting || strcmp(p->plan.waiting, "ErrImagePull") != 0)
        return;
    p->flip_ms = FLIP_MS;
    arm(p, &p->flip, p->flip_ms);
}

static void bind_pod(struct fake_pod *p)
{
    if (is_gated(p)) {
        fake_pod_show_unscheduled(p, "SchedulingGated");
        return; /* a change of the pod comes back here */
    }
    if (!p->node)
        p->node = p->plan.schedule_ms == FAKE_NEVER ? NULL : fake_node_choose(p->kubelet);
    if (!p->node) {
        fake_pod_show_unscheduled(p, "Unschedulable");
        arm(p, &p->step, p->plan.schedule_ms == FAKE_NEVER ? -1 : RESCHEDULE_MS);
        return;
    }
    if (!fake_pod_is_there(p))
        return;
    CLEANUP(free) char *patch = xasprintf("{\"spec\":{\"nodeName\":\"%s\"}}", p->node->name);
    fake_patch(p->kubelet->fake, &pods, p->ns, p->name, patch);
    p->state = FAKE_POD_BOUND;
    char start[32];
    now_text(p, start);
    fake_pod_write_status(p, json_pack("{s:s}", "startTime", start));
    fake_pod_show(p);
    int64_t limit = json_int_at(p->first, "spec.activeDeadlineSeconds", -1);
    arm(p, &p->deadline, limit < 0 ? -1 : limit * 1000);
    arm(p, &p->step, p->plan.start_ms);
    begin_flipping(p);
}

static void start_container(struct fake_pod *p)
{
    if (p->plan.start_error) {
        snprintf(p->started, sizeof(p->started), "1970-01-01T00:00:00Z");
        end_container(p, 128, "StartError", "exec: \"nope\": executable file not found in $PATH");
        return;
    }
    p->state = FAKE_POD_RUNNING;
    now_text(p, p->started);
    runs(p, true);
    fake_pod_show(p);
    arm(p, &p->step, p->plan.run_ms);
}

/* The object goes, unless a finalizer keeps it. */
static void let_go(struct fake_pod *p)
{
    if (fake_pod_is_there(p) && !fake_pod_is_lost(p))
        fake_delete_now(p->kubelet->fake, &pods, p->ns, p->name);
}

static void on_step(void *arg)
{
    struct fake_pod *p = arg;

    if (p->gone) { /* force-deleted; the container is done only now */
        if (p->state == FAKE_POD_RUNNING)
            runs(p, false);
        pod_free(p);
        return;
    }
    switch (p->state) {
    case FAKE_POD_UNBOUND:
        bind_pod(p);
        break;
    case FAKE_POD_BOUND:
        start_container(p);
        break;
    case FAKE_POD_RUNNING:
        end_container(p, p->plan.exit_code, p->plan.reason, p->plan.message);
        break;
    case FAKE_POD_EXITED:
        p->state = FAKE_POD_OVER;
        fake_pod_show(p);
        if (p->deleting)
            let_go(p);
        break;
    case FAKE_POD_OVER:
        break;
    }
}

static void on_deadline(void *arg)
{
    struct fake_pod *p = arg;

    if (p->state >= FAKE_POD_EXITED || p->gone)
        return;
    p->too_long = true;
    p->ended = "DeadlineExceeded";
    end_container(p, 137, "Error", NULL);
}

/* The first time: SIGTERM, or nothing to stop.  The second time: the grace period is over. */
static void on_kill(void *arg)
{
    struct fake_pod *p = arg;

    if (p->gone)
        return;
    switch (p->state) {
    case FAKE_POD_UNBOUND:
        p->state = FAKE_POD_OVER;
        p->exit_code = 1;
        fake_pod_show(p);
        break;
    case FAKE_POD_BOUND:
        end_container(p, 137, "ContainerStatusUnknown", NULL);
        break;
    case FAKE_POD_RUNNING:
        if (p->plan.stop_ms <= p->grace_ms && !p->forced)
            end_container(p, p->plan.stop_code ? p->plan.stop_code : 143, NULL, p->plan.message);
        else
            end_container(p, 137, NULL, NULL);
        break;
    case FAKE_POD_EXITED:
        break;
    case FAKE_POD_OVER:
        let_go(p);
        break;
    }
}

static void begin_deletion(struct fake_pod *p, const json_t *json)
{
    int64_t grace = json_int_at(json, "metadata.deletionGracePeriodSeconds", 0) * 1000;
    bool forced = p->state == FAKE_POD_RUNNING && grace == 0;

    if (fake_pod_is_lost(p)) /* it will be told when it is back */
        return;
    if (p->deleting && (p->forced || !forced))
        return;
    p->deleting = true;
    p->forced = forced;
    p->grace_ms = grace;
    if (p->state == FAKE_POD_UNBOUND) {
        disarm(p, &p->step);
        arm(p, &p->kill, POD_GC_MS);
    } else if (p->state == FAKE_POD_RUNNING) {
        arm(p, &p->kill, forced ? FORCED_MS : p->plan.stop_ms < grace ? p->plan.stop_ms : grace);
    } else {
        arm(p, &p->kill, QUICK_MS);
    }
}

static void on_removed(struct fake_pod *p)
{
    p->gone = true;
    disarm(p, &p->kill);
    disarm(p, &p->deadline);
    disarm(p, &p->flip);
    if (!fake_pod_is_lost(p) ||
        p->state != FAKE_POD_RUNNING) /* else its container runs on, unseen */
        arm(p, &p->step, p->state == FAKE_POD_RUNNING ? FORCED_MS : 0);
}

/* Tells the API how the pod is, and hears what it wants. */
static void on_resync(void *arg)
{
    struct fake_pod *p = arg;
    const json_t *json = fake_get(p->kubelet->fake, &pods, p->ns, p->name);

    if (p->gone || !fake_pod_is_there(p))
        return;
    if (p->state != FAKE_POD_UNBOUND)
        fake_pod_show(p);
    if (p->deleting && p->state == FAKE_POD_OVER)
        let_go(p);
    else if (json_at(json, "metadata.deletionTimestamp"))
        begin_deletion(p, json);
}

/* A pod out of a backup, of which no container is known: what is said to run does not. */
static void take_over(struct fake_pod *p, const json_t *json)
{
    const char *phase = json_text_at(json, "status.phase");

    now_text(p, p->finished);
    p->exit_code = 137;
    p->reason = "ContainerStatusUnknown";
    p->state = FAKE_POD_OVER;
    if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
        arm(p, &p->resync, QUICK_MS);
}

static void add_pod(struct fake_kubelet *k, const json_t *json)
{
    struct fake_pod *p = NEW(struct fake_pod);

    p->kubelet = k;
    p->first = json_incref((json_t *) (uintptr_t) json);
    p->uid = json_text_at(json, "metadata.uid");
    p->ns = json_text_at(json, "metadata.namespace");
    p->name = json_text_at(json, "metadata.name");
    p->step = (struct loop_timer) {.on_time = on_step, .arg = p};
    p->kill = (struct loop_timer) {.on_time = on_kill, .arg = p};
    p->deadline = (struct loop_timer) {.on_time = on_deadline, .arg = p};
    p->flip = (struct loop_timer) {.on_time = on_flip, .arg = p};
    p->resync = (struct loop_timer) {.on_time = on_resync, .arg = p};
    if (k->handler.plan)
        k->handler.plan(json, &p->plan, k->arg);
    map_add(&k->pods, &p->by_uid, p->uid);
    const char *node = json_text_at(json, "spec.nodeName");
    p->node = node ? fake_node_find(k, node) : NULL;
    if (json_at(json, "status.containerStatuses"))
        take_over(p, json);
    else if (node && (!p->node || p->node->lost))
        p->state = FAKE_POD_BOUND; /* to a node that nobody runs */
    else
        arm(p, &p->step, p->plan.schedule_ms > 0 ? p->plan.schedule_ms : 0);
}

/* ---- disruptions ---- */

static struct fake_pod *find_pod(const struct fake_kubelet *k, const char *ns, const char *name)
{
    const char *uid = fake_meta_text(fake_get(k->fake, &pods, ns, name), "uid");
    struct map_node *node = uid ? map_get(&k->pods, uid) : NULL;

    return node ? container_of(node, struct fake_pod, by_uid) : NULL;
}

/* The control plane wants it away: nothing of this is the kubelet's. */
static void disrupt(struct fake_kubelet *k, const char *ns, const char *name, const char *reason)
{
    struct fake_pod *p = find_pod(k, ns, name);

    if (!p)
        return;
    fake_pod_mark_disrupted(p, reason, NULL);
    fake_delete(k->fake, &pods, ns, name);
}

void fake_kubelet_evict(struct fake_kubelet *k, const char *ns, const char *name)
{
    disrupt(k, ns, name, "EvictionByEvictionAPI");
}

void fake_kubelet_preempt(struct fake_kubelet *k, const char *ns, const char *name)
{
    disrupt(k, ns, name, "PreemptionByScheduler");
}

void fake_kubelet_press(struct fake_kubelet *k, const char *ns, const char *name)
{
    struct fake_pod *p = find_pod(k, ns, name);

    if (!p || p->state == FAKE_POD_UNBOUND || p->state >= FAKE_POD_EXITED || fake_pod_is_lost(p))
        return;
    fake_pod_mark_disrupted(p, "TerminationByKubelet", NULL);
    p->ended = "Evicted";
    end_container(p, 137, "Error", NULL);
}

void fake_kubelet_hang(struct fake_kubelet *k, const char *ns, const char *name)
{
    struct fake_pod *p = find_pod(k, ns, name);

    if (!p)
        return;
    p->plan.run_ms = FAKE_NEVER;
    disarm(p, &p->deadline);
    if (p->state == FAKE_POD_RUNNING && !p->gone)
        disarm(p, &p->step);
}

void fake_pod_tell(struct fake_pod *p)
{
    if (p->gone && p->state == FAKE_POD_RUNNING)
        arm(p, &p->step, FORCED_MS);
    else if (!p->gone)
        arm(p, &p->resync, QUICK_MS);
}

void fake_pod_stop(struct fake_pod *p)
{
    if (p->state == FAKE_POD_RUNNING)
        runs(p, false);
    p->state = FAKE_POD_OVER;
    disarm(p, &p->step);
    disarm(p, &p->kill);
    disarm(p, &p->deadline);
    if (p->gone)
        arm(p, &p->step, 0);
}

/* ---- the kubelet ---- */

/* Runs inside the write: nothing is written from here, timers are set. */
static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    struct fake_kubelet *k = arg;

    if (strcmp(resource->plural, "nodes") == 0)
        fake_node_changed(k, old, new);
    if (strcmp(resource->plural, "pods") != 0)
        return;
    const struct map_node *node = map_get(&k->pods, json_text_at(new ? new : old, "metadata.uid"));
    struct fake_pod *p =
        node ? container_of((struct map_node *) (uintptr_t) node, struct fake_pod, by_uid) : NULL;
    if (!old && !p)
        add_pod(k, new);
    else if (!new &&p)
        on_removed(p);
    else if (p && json_at(new, "metadata.deletionTimestamp"))
        begin_deletion(p, new);
    else if (p && p->state == FAKE_POD_UNBOUND && json_at(old, "spec.schedulingGates") &&
             !json_at(new, "spec.schedulingGates"))
        arm(p, &p->step, p->plan.schedule_ms > 0 ? p->plan.schedule_ms : 0);
}

/* What was changed behind its back is told anew. */
static void on_restore(void *arg)
{
    struct fake_kubelet *k = arg;
    struct fake_pod *p;

    map_foreach (p, &k->pods, by_uid)
        if (!p->gone)
            arm(p, &p->resync, QUICK_MS);
}

struct fake_kubelet *fake_kubelet_new(struct fake *fake, struct loop *loop,
                                      const struct fake_kubelet_handler *handler, void *arg)
{
    struct fake_kubelet *k = NEW(struct fake_kubelet);

    k->fake = fake;
    k->loop = loop;
    if (handler)
        k->handler = *handler;
    k->arg = arg;
    k->watcher = (struct fake_watcher) {.on_change = on_change, .on_restore = on_restore, .arg = k};
    map_init(&k->pods);
    list_init(&k->nodes);
    fake_kubelet_add_node(k, "node");
    fake_watcher_add(fake, &k->watcher);
    return k;
}

void fake_kubelet_free(struct fake_kubelet *k)
{
    struct list *link;
    struct fake_pod *p;

    if (!k)
        return;
    fake_watcher_remove(&k->watcher);
    map_foreach (p, &k->pods, by_uid)
        pod_free(p);
    map_done(&k->pods);
    while ((link = list_pop_front(&k->nodes)))
        fake_node_free(list_entry(link, struct fake_node, link));
    free(k);
}

size_t fake_kubelet_running(const struct fake_kubelet *k)
{
    return k->running;
}
