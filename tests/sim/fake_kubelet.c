/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_kubelet.h"

#include "base/map.h"
#include "sim/fake_server.h"

#include <string.h>

#define PHASE_DELAY_MS 1100 /* from the end of a container to the pod's terminal phase */
#define FORCED_MS      2000 /* how long a container outlives its force-deleted pod */
#define POD_GC_MS      5000 /* until a deleted pod that was never bound is Failed */
#define QUICK_MS       10

enum pod_state { POD_UNBOUND, POD_BOUND, POD_RUNNING, POD_EXITED, POD_OVER };

struct pod {
    struct map_node by_uid;
    struct fake_kubelet *kubelet;
    json_t *first;               /* as it was created */
    const char *uid, *ns, *name; /* in `first` */
    struct fake_plan plan;
    enum pod_state state;
    bool deleting, forced, gone, too_long;
    int64_t grace_ms;
    int exit_code;
    const char *reason, *message;
    char started[32], finished[32];
    struct loop_timer step;     /* what comes next in its life */
    struct loop_timer kill;     /* what comes next in its deletion */
    struct loop_timer deadline; /* activeDeadlineSeconds */
};

struct fake_kubelet {
    struct fake *fake;
    struct loop *loop;
    struct fake_kubelet_handler handler;
    void *arg;
    struct fake_watcher watcher;
    struct map pods;
    size_t running;
};

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};

static void arm(struct pod *p, struct loop_timer *t, int64_t ms)
{
    if (ms >= 0)
        loop_timer_set(p->kubelet->loop, t, LOOP_MONOTONIC,
                       loop_now(p->kubelet->loop, LOOP_MONOTONIC) + ms);
}

static void disarm(struct pod *p, struct loop_timer *t)
{
    loop_timer_cancel(p->kubelet->loop, t);
}

static void now_text(const struct pod *p, char text[32])
{
    fake_time_text(loop_now(p->kubelet->loop, LOOP_OF_DAY), text);
}

/* ---- what the API shows ---- */

static bool is_there(const struct pod *p)
{
    const json_t *json = fake_get(p->kubelet->fake, &pods, p->ns, p->name);
    const char *uid = json_text_at(json, "metadata.uid");

    return uid && strcmp(uid, p->uid) == 0;
}

static json_t *condition(const char *type, bool is, const char *reason)
{
    json_t *c = json_object();

    json_set_text(c, "type", type);
    json_set_text(c, "status", is ? "True" : "False");
    json_set_text(c, "reason", reason);
    return c;
}

static json_t *container_state(const struct pod *p)
{
    const char *waiting = p->plan.waiting ? p->plan.waiting : "ContainerCreating";

    if (p->state == POD_RUNNING)
        return json_pack("{s:{s:s}}", "running", "startedAt", p->started);
    if (p->state < POD_RUNNING)
        return json_pack("{s:{s:s}}", "waiting", "reason", waiting);
    return json_pack("{s:{s:i, s:s, s:s*, s:s*, s:s}}", "terminated", "exitCode", p->exit_code,
                     "reason",
                     p->reason           ? p->reason
                     : p->exit_code == 0 ? "Completed"
                                         : "Error",
                     "message", p->message, "startedAt", *p->started ? p->started : NULL,
                     "finishedAt", p->finished);
}

static json_t *container_statuses(const struct pod *p)
{
    const json_t *container = json_array_get(json_at(p->first, "spec.containers"), 0);
    const char *name = json_text_at(container, "name"), *image = json_text_at(container, "image");
    json_t *status = json_object(), *all = json_array();

    json_set_text(status, "name", name ? name : "main");
    json_set_text(status, "image", image);
    json_set_bool(status, "ready", p->state == POD_RUNNING);
    json_set_int(status, "restartCount", 0);
    json_set_take(status, "state", container_state(p));
    json_array_append_new(all, status);
    return all;
}

static const char *phase(const struct pod *p)
{
    if (p->state < POD_RUNNING)
        return "Pending";
    if (p->state < POD_OVER)
        return "Running";
    return p->exit_code == 0 && !p->too_long ? "Succeeded" : "Failed";
}

/* Keeps the conditions that others have set (DisruptionTarget). */
static json_t *conditions(const struct pod *p, json_t *own)
{
    const json_t *before =
        json_at(fake_get(p->kubelet->fake, &pods, p->ns, p->name), "status.conditions");
    const char *own_type = json_text_at(own, "type");
    json_t *all = json_array(), *c;
    size_t i;

    json_array_foreach ((json_t *) (uintptr_t) before, i, c)
        if (strcmp(json_text_at(c, "type"), own_type) != 0)
            json_array_append(all, c);
    json_array_append_new(all, own);
    return all;
}

static void write_status(struct pod *p, json_t *status)
{
    CLEANUP(json_decref) json_t *patch = json_object();

    json_set_take(patch, "status", status);
    CLEANUP(free) char *text = json_print(patch);
    if (is_there(p))
        fake_patch_status(p->kubelet->fake, &pods, p->ns, p->name, text);
}

static void show_unscheduled(struct pod *p, const char *reason)
{
    write_status(p, json_pack("{s:o}", "conditions",
                              conditions(p, condition("PodScheduled", false, reason))));
}

static void show(struct pod *p)
{
    json_t *status = json_object();

    json_set_text(status, "phase", phase(p));
    if (p->too_long && p->state == POD_OVER) {
        json_set_text(status, "reason", "DeadlineExceeded");
        json_set_text(status, "message",
                      "Pod was active on the node longer than the specified deadline");
    }
    json_set_take(status, "conditions", conditions(p, condition("PodScheduled", true, NULL)));
    if (p->state != POD_OVER || *p->finished)
        json_set_take(status, "containerStatuses", container_statuses(p));
    write_status(p, status);
}

/* ---- the life of a pod ---- */

static void pod_free(struct pod *p)
{
    disarm(p, &p->step);
    disarm(p, &p->kill);
    disarm(p, &p->deadline);
    map_remove(&p->kubelet->pods, &p->by_uid);
    json_decref(p->first);
    free(p);
}

static void runs(struct pod *p, bool yes)
{
    struct fake_kubelet *k = p->kubelet;

    k->running += yes ? 1 : (size_t) -1;
    if (k->handler.on_container)
        k->handler.on_container(p->first, yes, k->arg);
}

static void end_container(struct pod *p, int exit_code, const char *reason, const char *message)
{
    if (p->state == POD_RUNNING)
        runs(p, false);
    p->exit_code = exit_code;
    p->reason = reason;
    p->message = message;
    now_text(p, p->finished);
    p->state = POD_EXITED;
    show(p);
    arm(p, &p->step, PHASE_DELAY_MS);
}

static bool is_gated(const struct pod *p)
{
    return json_array_size(json_at(fake_get(p->kubelet->fake, &pods, p->ns, p->name),
                                   "spec.schedulingGates")) > 0;
}

static void bind_pod(struct pod *p)
{
    if (is_gated(p)) {
        show_unscheduled(p, "SchedulingGated");
        return; /* a change of the pod comes back here */
    }
    if (p->plan.schedule_ms == FAKE_NEVER) {
        show_unscheduled(p, "Unschedulable");
        return;
    }
    if (!is_there(p))
        return;
    fake_patch(p->kubelet->fake, &pods, p->ns, p->name, "{\"spec\":{\"nodeName\":\"node\"}}");
    p->state = POD_BOUND;
    char start[32];
    now_text(p, start);
    write_status(p, json_pack("{s:s}", "startTime", start));
    show(p);
    int64_t limit = json_int_at(p->first, "spec.activeDeadlineSeconds", -1);
    arm(p, &p->deadline, limit < 0 ? -1 : limit * 1000);
    arm(p, &p->step, p->plan.start_ms);
}

static void start_container(struct pod *p)
{
    p->state = POD_RUNNING;
    now_text(p, p->started);
    runs(p, true);
    show(p);
    arm(p, &p->step, p->plan.run_ms);
}

/* The object goes, unless a finalizer keeps it. */
static void let_go(struct pod *p)
{
    if (is_there(p))
        fake_delete_now(p->kubelet->fake, &pods, p->ns, p->name);
}

static void on_step(void *arg)
{
    struct pod *p = arg;

    if (p->gone) { /* force-deleted; the container is done only now */
        if (p->state == POD_RUNNING)
            runs(p, false);
        pod_free(p);
        return;
    }
    switch (p->state) {
    case POD_UNBOUND:
        bind_pod(p);
        break;
    case POD_BOUND:
        start_container(p);
        break;
    case POD_RUNNING:
        end_container(p, p->plan.exit_code, p->plan.reason, p->plan.message);
        break;
    case POD_EXITED:
        p->state = POD_OVER;
        show(p);
        if (p->deleting)
            let_go(p);
        break;
    case POD_OVER:
        break;
    }
}

static void on_deadline(void *arg)
{
    struct pod *p = arg;

    if (p->state >= POD_EXITED || p->gone)
        return;
    p->too_long = true;
    end_container(p, 137, "Error", NULL);
}

/* The first time: SIGTERM, or nothing to stop.  The second time: the grace period is over. */
static void on_kill(void *arg)
{
    struct pod *p = arg;

    if (p->gone)
        return;
    switch (p->state) {
    case POD_UNBOUND:
        p->state = POD_OVER;
        p->exit_code = 1;
        show(p);
        break;
    case POD_BOUND:
        end_container(p, 137, "ContainerStatusUnknown", NULL);
        break;
    case POD_RUNNING:
        if (p->plan.stop_ms <= p->grace_ms && !p->forced)
            end_container(p, p->plan.stop_code ? p->plan.stop_code : 143, NULL, p->plan.message);
        else
            end_container(p, 137, NULL, NULL);
        break;
    case POD_EXITED:
        break;
    case POD_OVER:
        let_go(p);
        break;
    }
}

static void begin_deletion(struct pod *p, const json_t *json)
{
    int64_t grace = json_int_at(json, "metadata.deletionGracePeriodSeconds", 0) * 1000;
    bool forced = p->state == POD_RUNNING && grace == 0;

    if (p->deleting && (p->forced || !forced))
        return;
    p->deleting = true;
    p->forced = forced;
    p->grace_ms = grace;
    if (p->state == POD_UNBOUND) {
        disarm(p, &p->step);
        arm(p, &p->kill, POD_GC_MS);
    } else if (p->state == POD_RUNNING) {
        arm(p, &p->kill, forced ? FORCED_MS : p->plan.stop_ms < grace ? p->plan.stop_ms : grace);
    } else {
        arm(p, &p->kill, QUICK_MS);
    }
}

static void on_removed(struct pod *p)
{
    p->gone = true;
    disarm(p, &p->kill);
    disarm(p, &p->deadline);
    arm(p, &p->step, p->state == POD_RUNNING ? FORCED_MS : 0);
}

static void add_pod(struct fake_kubelet *k, const json_t *json)
{
    struct pod *p = NEW(struct pod);

    p->kubelet = k;
    p->first = json_incref((json_t *) (uintptr_t) json);
    p->uid = json_text_at(json, "metadata.uid");
    p->ns = json_text_at(json, "metadata.namespace");
    p->name = json_text_at(json, "metadata.name");
    p->step = (struct loop_timer) {.on_time = on_step, .arg = p};
    p->kill = (struct loop_timer) {.on_time = on_kill, .arg = p};
    p->deadline = (struct loop_timer) {.on_time = on_deadline, .arg = p};
    if (k->handler.plan)
        k->handler.plan(json, &p->plan, k->arg);
    map_add(&k->pods, &p->by_uid, p->uid);
    arm(p, &p->step, p->plan.schedule_ms > 0 ? p->plan.schedule_ms : 0);
}

/* Runs inside the write: nothing is written from here, timers are set. */
static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    struct fake_kubelet *k = arg;

    if (strcmp(resource->plural, "pods") != 0)
        return;
    const struct map_node *node = map_get(&k->pods, json_text_at(new ? new : old, "metadata.uid"));
    struct pod *p =
        node ? container_of((struct map_node *) (uintptr_t) node, struct pod, by_uid) : NULL;
    if (!old && !p)
        add_pod(k, new);
    else if (!new &&p)
        on_removed(p);
    else if (p && json_at(new, "metadata.deletionTimestamp"))
        begin_deletion(p, new);
    else if (p && p->state == POD_UNBOUND && json_at(old, "spec.schedulingGates") &&
             !json_at(new, "spec.schedulingGates"))
        arm(p, &p->step, p->plan.schedule_ms > 0 ? p->plan.schedule_ms : 0);
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
    k->watcher = (struct fake_watcher) {.on_change = on_change, .arg = k};
    map_init(&k->pods);
    fake_watcher_add(fake, &k->watcher);
    return k;
}

void fake_kubelet_free(struct fake_kubelet *k)
{
    struct pod *p;

    if (!k)
        return;
    fake_watcher_remove(&k->watcher);
    map_foreach (p, &k->pods, by_uid)
        pod_free(p);
    map_done(&k->pods);
    free(k);
}

size_t fake_kubelet_running(const struct fake_kubelet *k)
{
    return k->running;
}

void fake_kubelet_evict(struct fake_kubelet *k, const char *ns, const char *name)
{
    const json_t *json = fake_get(k->fake, &pods, ns, name);
    const struct map_node *node =
        json ? map_get(&k->pods, json_text_at(json, "metadata.uid")) : NULL;

    if (!node)
        return;
    struct pod *p = container_of((struct map_node *) (uintptr_t) node, struct pod, by_uid);
    write_status(
        p, json_pack("{s:o}", "conditions",
                     conditions(p, condition("DisruptionTarget", true, "EvictionByEvictionAPI"))));
    fake_delete(k->fake, &pods, ns, name);
}
