/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_kubelet.h"

#include "base/map.h"
#include "sim/fake_store.h"

#include <string.h>

#define PHASE_DELAY_MS 1100 /* from the end of a container to the pod's terminal phase */
#define FORCED_MS      2000 /* how long a container outlives its force-deleted pod */
#define POD_GC_MS      5000 /* until a deleted pod that was never bound is Failed */
#define RESCHEDULE_MS  5000 /* until the scheduler looks again for a node */
#define QUICK_MS       10
#define FLIP_MS        14000  /* between ErrImagePull and ImagePullBackOff, at first */
#define FLIP_MAX_MS    300000 /* and in the end */

enum pod_state { POD_UNBOUND, POD_BOUND, POD_RUNNING, POD_EXITED, POD_OVER };

struct pod {
    struct map_node by_uid;
    struct fake_kubelet *kubelet;
    struct node *node;           /* NULL: not bound */
    json_t *first;               /* as it was created */
    const char *uid, *ns, *name; /* in `first` */
    struct fake_plan plan;
    enum pod_state state;
    bool deleting, forced, gone, too_long;
    bool flipped;      /* ImagePullBackOff now */
    const char *ended; /* why the node ended it: status.reason; NULL: it did not */
    int64_t flip_ms;
    int64_t grace_ms;
    int exit_code;
    const char *reason, *message;
    char started[32], finished[32];
    struct loop_timer step;     /* what comes next in its life */
    struct loop_timer kill;     /* what comes next in its deletion */
    struct loop_timer deadline; /* activeDeadlineSeconds */
    struct loop_timer flip;
    struct loop_timer resync; /* tell once more */
};

struct node {
    struct list link;
    char *name;
    struct fake_kubelet *kubelet;
    bool lost;
    const char *verdict; /* the reason by which its pods are given up */
    struct loop_timer next;
    void (*then)(struct node *node);
};

struct fake_kubelet {
    struct fake *fake;
    struct loop *loop;
    struct fake_kubelet_handler handler;
    void *arg;
    struct fake_watcher watcher;
    struct map pods;
    struct list nodes; /* the next pod goes to the first that is well */
    size_t running;
};

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};
static const struct k8s_resource nodes = {"", "v1", "nodes", "Node"};

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
    const char *waiting = p->flipped        ? "ImagePullBackOff"
                          : p->plan.waiting ? p->plan.waiting
                                            : "ContainerCreating";

    if (p->state == POD_RUNNING && !p->plan.unseen)
        return json_pack("{s:{s:s}}", "running", "startedAt", p->started);
    if (p->state <= POD_RUNNING)
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
    json_set_bool(status, "ready", p->state == POD_RUNNING && !p->plan.unseen);
    json_set_int(status, "restartCount", 0);
    json_set_take(status, "state", container_state(p));
    json_array_append_new(all, status);
    return all;
}

static const char *phase(const struct pod *p)
{
    if (p->state < POD_RUNNING || (p->state < POD_OVER && p->plan.unseen))
        return "Pending";
    if (p->state < POD_OVER)
        return "Running";
    return p->exit_code == 0 && !p->ended ? "Succeeded" : "Failed";
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

/* Nobody hears of it. */
static bool is_lost(const struct pod *p)
{
    return p->node && p->node->lost;
}

static void write_status(struct pod *p, json_t *status)
{
    CLEANUP(json_decref) json_t *patch = json_object();

    json_set_take(patch, "status", status);
    CLEANUP(free) char *text = json_print(patch);
    if (is_there(p) && !is_lost(p))
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
    if (p->ended && p->state == POD_OVER) {
        json_set_text(status, "reason", p->ended);
        json_set_text(status, "message",
                      p->too_long ? "Pod was active on the node longer than the specified deadline"
                                  : "The node was low on resource: memory.");
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
    disarm(p, &p->flip);
    disarm(p, &p->resync);
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

/* One that is well, and now the last in line; NULL: there is none. */
static struct node *choose_node(struct fake_kubelet *k)
{
    struct node *n;

    list_foreach (n, &k->nodes, link)
        if (!n->lost) {
            list_remove(&n->link);
            list_push_back(&k->nodes, &n->link);
            return n;
        }
    return NULL;
}

/* Pulling an image fails, and is waited with, in turn. */
static void on_flip(void *arg)
{
    struct pod *p = arg;

    if (p->state != POD_BOUND || p->gone)
        return;
    p->flipped = !p->flipped;
    show(p);
    p->flip_ms = p->flip_ms * 2 < FLIP_MAX_MS ? p->flip_ms * 2 : FLIP_MAX_MS;
    arm(p, &p->flip, p->flip_ms);
}

static void begin_flipping(struct pod *p)
{
    if (!p->plan.waiting || strcmp(p->plan.waiting, "ErrImagePull") != 0)
        return;
    p->flip_ms = FLIP_MS;
    arm(p, &p->flip, p->flip_ms);
}

static void bind_pod(struct pod *p)
{
    if (is_gated(p)) {
        show_unscheduled(p, "SchedulingGated");
        return; /* a change of the pod comes back here */
    }
    if (!p->node)
        p->node = p->plan.schedule_ms == FAKE_NEVER ? NULL : choose_node(p->kubelet);
    if (!p->node) {
        show_unscheduled(p, "Unschedulable");
        arm(p, &p->step, p->plan.schedule_ms == FAKE_NEVER ? -1 : RESCHEDULE_MS);
        return;
    }
    if (!is_there(p))
        return;
    CLEANUP(free) char *patch = xasprintf("{\"spec\":{\"nodeName\":\"%s\"}}", p->node->name);
    fake_patch(p->kubelet->fake, &pods, p->ns, p->name, patch);
    p->state = POD_BOUND;
    char start[32];
    now_text(p, start);
    write_status(p, json_pack("{s:s}", "startTime", start));
    show(p);
    int64_t limit = json_int_at(p->first, "spec.activeDeadlineSeconds", -1);
    arm(p, &p->deadline, limit < 0 ? -1 : limit * 1000);
    arm(p, &p->step, p->plan.start_ms);
    begin_flipping(p);
}

static void start_container(struct pod *p)
{
    if (p->plan.start_error) {
        snprintf(p->started, sizeof(p->started), "1970-01-01T00:00:00Z");
        end_container(p, 128, "StartError", "exec: \"nope\": executable file not found in $PATH");
        return;
    }
    p->state = POD_RUNNING;
    now_text(p, p->started);
    runs(p, true);
    show(p);
    arm(p, &p->step, p->plan.run_ms);
}

/* The object goes, unless a finalizer keeps it. */
static void let_go(struct pod *p)
{
    if (is_there(p) && !is_lost(p))
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
    p->ended = "DeadlineExceeded";
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

    if (is_lost(p)) /* it will be told when it is back */
        return;
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
    disarm(p, &p->flip);
    if (!is_lost(p) || p->state != POD_RUNNING) /* else its container runs on, unseen */
        arm(p, &p->step, p->state == POD_RUNNING ? FORCED_MS : 0);
}

/* Tells the API how the pod is, and hears what it wants. */
static void on_resync(void *arg)
{
    struct pod *p = arg;
    const json_t *json = fake_get(p->kubelet->fake, &pods, p->ns, p->name);

    if (p->gone || !is_there(p))
        return;
    if (p->state != POD_UNBOUND)
        show(p);
    if (p->deleting && p->state == POD_OVER)
        let_go(p);
    else if (json_at(json, "metadata.deletionTimestamp"))
        begin_deletion(p, json);
}

/* One that was not given up. */
static struct node *find_node(const struct fake_kubelet *k, const char *name)
{
    struct node *n;

    list_foreach (n, &k->nodes, link)
        if (strcmp(n->name, name) == 0 && !n->verdict)
            return n;
    return NULL;
}

/* A pod out of a backup, of which no container is known: what is said to run does not. */
static void take_over(struct pod *p, const json_t *json)
{
    const char *phase = json_text_at(json, "status.phase");

    now_text(p, p->finished);
    p->exit_code = 137;
    p->reason = "ContainerStatusUnknown";
    p->state = POD_OVER;
    if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
        arm(p, &p->resync, QUICK_MS);
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
    p->flip = (struct loop_timer) {.on_time = on_flip, .arg = p};
    p->resync = (struct loop_timer) {.on_time = on_resync, .arg = p};
    if (k->handler.plan)
        k->handler.plan(json, &p->plan, k->arg);
    map_add(&k->pods, &p->by_uid, p->uid);
    const char *node = json_text_at(json, "spec.nodeName");
    p->node = node ? find_node(k, node) : NULL;
    if (json_at(json, "status.containerStatuses"))
        take_over(p, json);
    else if (node && (!p->node || p->node->lost))
        p->state = POD_BOUND; /* to a node that nobody runs */
    else
        arm(p, &p->step, p->plan.schedule_ms > 0 ? p->plan.schedule_ms : 0);
}

/* ---- disruptions ---- */

static struct pod *find_pod(const struct fake_kubelet *k, const char *ns, const char *name)
{
    const char *uid = fake_meta_text(fake_get(k->fake, &pods, ns, name), "uid");
    struct map_node *node = uid ? map_get(&k->pods, uid) : NULL;

    return node ? container_of(node, struct pod, by_uid) : NULL;
}

static void mark_disrupted(struct pod *p, const char *reason, const char *phase)
{
    json_t *status = json_object();

    json_set_text(status, "phase", phase);
    json_set_take(status, "conditions", conditions(p, condition("DisruptionTarget", true, reason)));
    CLEANUP(json_decref) json_t *patch = json_pack("{s:o}", "status", status);
    CLEANUP(free) char *text = fake_print(patch);
    fake_patch_status(p->kubelet->fake, &pods, p->ns, p->name, text);
}

/* The control plane wants it away: nothing of this is the kubelet's. */
static void disrupt(struct fake_kubelet *k, const char *ns, const char *name, const char *reason)
{
    struct pod *p = find_pod(k, ns, name);

    if (!p)
        return;
    mark_disrupted(p, reason, NULL);
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
    struct pod *p = find_pod(k, ns, name);

    if (!p || p->state == POD_UNBOUND || p->state >= POD_EXITED || is_lost(p))
        return;
    mark_disrupted(p, "TerminationByKubelet", NULL);
    p->ended = "Evicted";
    end_container(p, 137, "Error", NULL);
}

void fake_kubelet_hang(struct fake_kubelet *k, const char *ns, const char *name)
{
    struct pod *p = find_pod(k, ns, name);

    if (!p)
        return;
    p->plan.run_ms = FAKE_NEVER;
    disarm(p, &p->deadline);
    if (p->state == POD_RUNNING && !p->gone)
        disarm(p, &p->step);
}

/* ---- nodes ---- */

#define NOT_READY_MS  50000
#define TOLERATION_MS 300000
#define FENCED_MS     4000
#define NODE_GONE_MS  45000

static void on_node(void *arg)
{
    struct node *n = arg;

    n->then(n);
}

static void node_later(struct node *n, int64_t ms, void (*then)(struct node *n))
{
    struct loop *loop = n->kubelet->loop;

    n->then = then;
    loop_timer_set(loop, &n->next, LOOP_MONOTONIC, loop_now(loop, LOOP_MONOTONIC) + ms);
}

/* Pods may be deleted meanwhile. */
static void each_pod(struct node *n, void (*deed)(struct pod *p))
{
    struct fake_kubelet *k = n->kubelet;
    size_t count = 0;
    struct pod *p, **all = xcalloc(k->pods.n + 1, sizeof(struct pod *));

    map_foreach (p, &k->pods, by_uid)
        if (p->node == n)
            all[count++] = p;
    for (size_t i = 0; i < count; i++)
        deed(all[i]);
    free(all);
}

static void write_node(const struct node *n, const char *ready, const char *taint)
{
    CLEANUP(free) char *status =
        xasprintf("{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}", ready);
    CLEANUP(free) char *spec =
        taint ? xasprintf("{\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/%s\","
                          "\"effect\":\"NoExecute\"}]}}",
                          taint)
              : xstrdup("{\"spec\":{\"taints\":null}}");

    if (!fake_get(n->kubelet->fake, &nodes, NULL, n->name))
        return;
    fake_patch_status(n->kubelet->fake, &nodes, NULL, n->name, status);
    fake_patch(n->kubelet->fake, &nodes, NULL, n->name, spec);
}

static struct node *node_new(struct fake_kubelet *k, const char *name)
{
    struct node *n = NEW(struct node);

    n->kubelet = k;
    n->name = xstrdup(name);
    n->next = (struct loop_timer) {.on_time = on_node, .arg = n};
    list_push_back(&k->nodes, &n->link);
    return n;
}

void fake_kubelet_add_node(struct fake_kubelet *k, const char *name)
{
    struct node *n = node_new(k, name);
    CLEANUP(free) char *text = xasprintf("{\"metadata\":{\"name\":\"%s\"}}", name);

    fake_create(k->fake, &nodes, text);
    write_node(n, "True", NULL);
}

static void delete_pod_of_lost(struct pod *p)
{
    const json_t *json = fake_get(p->kubelet->fake, &pods, p->ns, p->name);

    if (!is_there(p) || json_at(json, "metadata.deletionTimestamp"))
        return;
    mark_disrupted(p, "DeletionByTaintManager", NULL);
    fake_delete(p->kubelet->fake, &pods, p->ns, p->name);
}

static void evict_all(struct node *n)
{
    each_pod(n, delete_pod_of_lost);
}

static void on_not_ready(struct node *n)
{
    write_node(n, "Unknown", "unreachable");
    node_later(n, TOLERATION_MS, evict_all);
}

void fake_kubelet_lose_node(struct fake_kubelet *k, const char *name)
{
    struct node *n = find_node(k, name);

    if (!n || n->lost)
        return;
    n->lost = true;
    node_later(n, NOT_READY_MS, on_not_ready);
}

static void tell_all(struct pod *p)
{
    if (p->gone && p->state == POD_RUNNING)
        arm(p, &p->step, FORCED_MS);
    else if (!p->gone)
        arm(p, &p->resync, QUICK_MS);
}

void fake_kubelet_regain_node(struct fake_kubelet *k, const char *name)
{
    struct node *n = find_node(k, name);

    if (!n || !n->lost)
        return;
    n->lost = false;
    loop_timer_cancel(k->loop, &n->next);
    write_node(n, "True", NULL);
    each_pod(n, tell_all);
}

/* The machine is off. */
static void stop_pod(struct pod *p)
{
    if (p->state == POD_RUNNING)
        runs(p, false);
    p->state = POD_OVER;
    disarm(p, &p->step);
    disarm(p, &p->kill);
    disarm(p, &p->deadline);
    if (p->gone)
        arm(p, &p->step, 0);
}

static void give_up_pod(struct pod *p)
{
    const char *phase =
        json_text_at(fake_get(p->kubelet->fake, &pods, p->ns, p->name), "status.phase");

    if (!is_there(p))
        return;
    if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
        mark_disrupted(p, p->node->verdict, "Failed");
    fake_delete_now(p->kubelet->fake, &pods, p->ns, p->name);
}

static void give_up_all(struct node *n)
{
    each_pod(n, give_up_pod);
}

static void give_up(struct fake_kubelet *k, struct node *n, const char *verdict, int64_t ms)
{
    n->lost = true;
    n->verdict = verdict;
    loop_timer_cancel(k->loop, &n->next);
    each_pod(n, stop_pod);
    node_later(n, ms, give_up_all);
}

static bool is_fenced(const json_t *json)
{
    size_t i;
    json_t *taint;

    json_array_foreach (json_at(json, "spec.taints"), i, taint)
        if (strcmp(json_text_at(taint, "key"), "node.kubernetes.io/out-of-service") == 0)
            return true;
    return false;
}

/* Inside the write.  A node that somebody else makes is one that nobody runs. */
static void on_node_change(struct fake_kubelet *k, const json_t *old, const json_t *new)
{
    const char *name = fake_meta_text(new ? new : old, "name");
    struct node *n = find_node(k, name);

    if (!n && new && !old)
        node_new(k, name)->lost = true;
    else if (n && !new)
        give_up(k, n, "DeletionByPodGC", NODE_GONE_MS);
    else if (n && is_fenced(new) && !is_fenced(old))
        give_up(k, n, "DeletionByTaintManager", FENCED_MS);
}

void fake_kubelet_fence_node(struct fake_kubelet *k, const char *name)
{
    const struct node *n = find_node(k, name);

    if (n)
        write_node(n, "Unknown", "out-of-service");
}

void fake_kubelet_remove_node(struct fake_kubelet *k, const char *name)
{
    fake_delete(k->fake, &nodes, NULL, name);
}

/* ---- the kubelet ---- */

/* Runs inside the write: nothing is written from here, timers are set. */
static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    struct fake_kubelet *k = arg;

    if (strcmp(resource->plural, "nodes") == 0)
        on_node_change(k, old, new);
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

/* What was changed behind its back is told anew. */
static void on_restore(void *arg)
{
    struct fake_kubelet *k = arg;
    struct pod *p;

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

static void node_free(struct node *n)
{
    loop_timer_cancel(n->kubelet->loop, &n->next);
    list_remove(&n->link);
    free(n->name);
    free(n);
}

void fake_kubelet_free(struct fake_kubelet *k)
{
    struct list *link;
    struct pod *p;

    if (!k)
        return;
    fake_watcher_remove(&k->watcher);
    map_foreach (p, &k->pods, by_uid)
        pod_free(p);
    map_done(&k->pods);
    while ((link = list_pop_front(&k->nodes)))
        node_free(list_entry(link, struct node, link));
    free(k);
}

size_t fake_kubelet_running(const struct fake_kubelet *k)
{
    return k->running;
}
