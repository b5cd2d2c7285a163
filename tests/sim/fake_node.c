/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: they get lost, come back, and are given up by people. */
#include "sim/fake_kubelet_internal.h"

#include <string.h>

#define NOT_READY_MS  50000
#define TOLERATION_MS 300000
#define FENCED_MS     4000
#define NODE_GONE_MS  45000

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};
static const struct k8s_resource nodes = {"", "v1", "nodes", "Node"};

struct fake_node *fake_node_choose(struct fake_kubelet *k)
{
    struct fake_node *n;

    list_foreach (n, &k->nodes, link)
        if (!n->lost) {
            list_remove(&n->link);
            list_push_back(&k->nodes, &n->link);
            return n;
        }
    return NULL;
}

struct fake_node *fake_node_find(const struct fake_kubelet *k, const char *name)
{
    struct fake_node *n;

    list_foreach (n, &k->nodes, link)
        if (strcmp(n->name, name) == 0 && !n->verdict)
            return n;
    return NULL;
}

static void on_node(void *arg)
{
    struct fake_node *n = arg;

    n->then(n);
}

static void node_later(struct fake_node *n, int64_t ms, void (*then)(struct fake_node *n))
{
    struct loop *loop = n->kubelet->loop;

    n->then = then;
    loop_timer_set(loop, &n->next, LOOP_MONOTONIC, loop_now(loop, LOOP_MONOTONIC) + ms);
}

/* Pods may be deleted meanwhile. */
static void each_pod(struct fake_node *n, void (*deed)(struct fake_pod *p))
{
    struct fake_kubelet *k = n->kubelet;
    size_t count = 0;
    struct fake_pod *p, **all = xcalloc(k->pods.n + 1, sizeof(struct fake_pod *));

    map_foreach (p, &k->pods, by_uid)
        if (p->node == n)
            all[count++] = p;
    for (size_t i = 0; i < count; i++)
        deed(all[i]);
    free(all);
}

static void write_node(const struct fake_node *n, const char *ready, const char *taint)
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

static struct fake_node *node_new(struct fake_kubelet *k, const char *name)
{
    struct fake_node *n = NEW(struct fake_node);

    n->kubelet = k;
    n->name = xstrdup(name);
    n->next = (struct loop_timer) {.on_time = on_node, .arg = n};
    list_push_back(&k->nodes, &n->link);
    return n;
}

void fake_node_free(struct fake_node *n)
{
    loop_timer_cancel(n->kubelet->loop, &n->next);
    list_remove(&n->link);
    free(n->name);
    free(n);
}

void fake_kubelet_add_node(struct fake_kubelet *k, const char *name)
{
    struct fake_node *n = node_new(k, name);
    CLEANUP(free) char *text = xasprintf("{\"metadata\":{\"name\":\"%s\"}}", name);

    fake_create(k->fake, &nodes, text);
    write_node(n, "True", NULL);
}

static void delete_pod_of_lost(struct fake_pod *p)
{
    const json_t *json = fake_get(p->kubelet->fake, &pods, p->ns, p->name);

    if (!fake_pod_is_there(p) || json_at(json, "metadata.deletionTimestamp"))
        return;
    fake_pod_mark_disrupted(p, "DeletionByTaintManager", NULL);
    fake_delete(p->kubelet->fake, &pods, p->ns, p->name);
}

static void evict_all(struct fake_node *n)
{
    each_pod(n, delete_pod_of_lost);
}

static void on_not_ready(struct fake_node *n)
{
    write_node(n, "Unknown", "unreachable");
    node_later(n, TOLERATION_MS, evict_all);
}

void fake_kubelet_lose_node(struct fake_kubelet *k, const char *name)
{
    struct fake_node *n = fake_node_find(k, name);

    if (!n || n->lost)
        return;
    n->lost = true;
    node_later(n, NOT_READY_MS, on_not_ready);
}

void fake_kubelet_regain_node(struct fake_kubelet *k, const char *name)
{
    struct fake_node *n = fake_node_find(k, name);

    if (!n || !n->lost)
        return;
    n->lost = false;
    loop_timer_cancel(k->loop, &n->next);
    write_node(n, "True", NULL);
    each_pod(n, fake_pod_tell);
}

static void give_up_pod(struct fake_pod *p)
{
    const char *phase =
        json_text_at(fake_get(p->kubelet->fake, &pods, p->ns, p->name), "status.phase");

    if (!fake_pod_is_there(p))
        return;
    if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
        fake_pod_mark_disrupted(p, p->node->verdict, "Failed");
    fake_delete_now(p->kubelet->fake, &pods, p->ns, p->name);
}

static void give_up_all(struct fake_node *n)
{
    each_pod(n, give_up_pod);
}

static void give_up(struct fake_kubelet *k, struct fake_node *n, const char *verdict, int64_t ms)
{
    n->lost = true;
    n->verdict = verdict;
    loop_timer_cancel(k->loop, &n->next);
    each_pod(n, fake_pod_stop);
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

/* A node that somebody else makes is one that nobody runs. */
void fake_node_changed(struct fake_kubelet *k, const json_t *old, const json_t *new)
{
    const char *name = fake_meta_text(new ? new : old, "name");
    struct fake_node *n = fake_node_find(k, name);

    if (!n && new && !old)
        node_new(k, name)->lost = true;
    else if (n && !new)
        give_up(k, n, "DeletionByPodGC", NODE_GONE_MS);
    else if (n && is_fenced(new) && !is_fenced(old))
        give_up(k, n, "DeletionByTaintManager", FENCED_MS);
}

void fake_kubelet_fence_node(struct fake_kubelet *k, const char *name)
{
    const struct fake_node *n = fake_node_find(k, name);

    if (n)
        write_node(n, "Unknown", "out-of-service");
}

void fake_kubelet_remove_node(struct fake_kubelet *k, const char *name)
{
    fake_delete(k->fake, &nodes, NULL, name);
}
