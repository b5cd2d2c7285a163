/* SPDX-License-Identifier: Apache-2.0 */
#include "fakelet.h"

#include "base/log.h"
#include "bench.h"

#include <string.h>

#define RENEW_MS  10000 /* a real kubelet's; the node is given up after 40 s and more */
#define LEASE_S   40
#define STATUS_MS 300000
#define NODE_PODS 5000

static const struct k8s_resource node_resource = {"", "v1", "nodes", "Node"};
static const struct k8s_resource lease_resource = {"coordination.k8s.io", "v1", "leases", "Lease"};

/* What a node's kubelet has to do, in this order when several are due. */
enum duty { DUTY_CREATE_NODE, DUTY_REPORT, DUTY_CREATE_LEASE, DUTY_RENEW, N_DUTIES };

#define ONCE INT64_MAX

static const int64_t periods_ms[N_DUTIES] = {
    [DUTY_CREATE_NODE] = ONCE,
    [DUTY_REPORT] = STATUS_MS,
    [DUTY_CREATE_LEASE] = ONCE,
    [DUTY_RENEW] = RENEW_MS,
};

struct node {
    struct nodes *nodes;
    char *name;
    struct work work;
    struct k8s_call *call;
    enum duty doing;
    int64_t due[N_DUTIES]; /* MONOTONIC; ONCE: done for good */
    bool renews;           /* the last renewal went well */
};

struct nodes {
    struct loop *loop;
    struct k8s *k8s;
    struct queue queue;
    struct node *all;
    int n;
};

static char *print_take(json_t *json)
{
    char *text = json_print(json);

    json_decref(json);
    return text;
}

static char *new_node(const struct node *node)
{
    return print_take(json_pack("{s:s, s:s, s:{s:s, s:{s:s, s:s, s:s}}}", "apiVersion", "v1",
                                "kind", "Node", "metadata", "name", node->name, "labels",
                                "kubernetes.io/hostname", node->name, "kubernetes.io/os", "linux",
                                "bench.kharon.dev/fake", "true"));
}

static json_t *condition(const char *type, const char *status, const char *reason, const char *now)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "reason", reason,
                     "lastHeartbeatTime", now, "lastTransitionTime", now);
}

static json_t *room(void)
{
    return json_pack("{s:s, s:s, s:s, s:i}", "cpu", "1000", "memory", "4000Gi", "ephemeral-storage",
                     "4000Gi", "pods", NODE_PODS);
}

static char *node_status(int64_t now_ms)
{
    char now[STAMP_MAX];

    stamp(now_ms, now);
    return print_take(
        json_pack("{s:{s:o, s:o, s:[o, o, o, o]}}", "status", "capacity", room(), "allocatable",
                  room(), "conditions", condition("Ready", "True", "KubeletReady", now),
                  condition("MemoryPressure", "False", "KubeletHasSufficientMemory", now),
                  condition("DiskPressure", "False", "KubeletHasNoDiskPressure", now),
                  condition("PIDPressure", "False", "KubeletHasSufficientPID", now)));
}

static json_t *lease_spec(const struct node *node, int64_t now_ms)
{
    char now[STAMP_MAX];

    return json_pack("{s:s, s:i, s:s}", "holderIdentity", node->name, "leaseDurationSeconds",
                     LEASE_S, "renewTime", stamp_micro(now_ms, now));
}

static char *new_lease(const struct node *node, int64_t now_ms)
{
    return print_take(json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion",
                                "coordination.k8s.io/v1", "kind", "Lease", "metadata", "name",
                                node->name, "namespace", "kube-node-lease", "spec",
                                lease_spec(node, now_ms)));
}

static char *renewal(const struct node *node, int64_t now_ms)
{
    return print_take(json_pack("{s:o}", "spec", lease_spec(node, now_ms)));
}

/* "Exists" is as good as created: an earlier run has left it. */
static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct node *node = arg;
    int64_t period = periods_ms[node->doing];
    bool ok = reply->error.code == ERROR_NONE || reply->error.code == ERROR_EXISTS;

    node->call = NULL;
    if (!ok)
        log_warning("node not kept up", KV("node", node->name), KV("error", reply->error.text));
    else
        node->due[node->doing] =
            period == ONCE ? ONCE : loop_now(node->nodes->loop, LOOP_MONOTONIC) + period;
    if (node->doing == DUTY_RENEW)
        node->renews = ok;
    work_finish(&node->work, ok ? WORK_AGAIN : WORK_RETRY);
}

static char *fill_in(const struct node *node, struct k8s_request *request)
{
    int64_t now = loop_now(node->nodes->loop, LOOP_OF_DAY);
    bool of_lease = node->doing == DUTY_CREATE_LEASE || node->doing == DUTY_RENEW;
    bool creates = periods_ms[node->doing] == ONCE;

    *request = (struct k8s_request) {
        .verb = creates ? K8S_CREATE : K8S_PATCH,
        .lane = K8S_LANE_LEASE,
        .resource = of_lease ? &lease_resource : &node_resource,
        .ns = of_lease ? "kube-node-lease" : NULL,
        .name = creates ? NULL : node->name,
        .subresource = node->doing == DUTY_REPORT ? "status" : NULL,
    };
    switch (node->doing) {
    case DUTY_CREATE_NODE:
        return new_node(node);
    case DUTY_REPORT:
        return node_status(now);
    case DUTY_CREATE_LEASE:
        return new_lease(node, now);
    default:
        return renewal(node, now);
    }
}

/* The first duty that is due; N_DUTIES if none is, and when the next one will be. */
static enum duty next_duty(const struct node *node, int64_t now, int64_t *ret_at)
{
    *ret_at = ONCE;
    for (int i = 0; i < N_DUTIES; i++) {
        if (node->due[i] <= now)
            return (enum duty) i;
        if (node->due[i] < *ret_at)
            *ret_at = node->due[i];
    }
    return N_DUTIES;
}

static enum work_result step(struct work *work)
{
    struct node *node = container_of(work, struct node, work);
    struct nodes *nodes = node->nodes;
    struct k8s_request request;
    int64_t at;
    enum duty duty = next_duty(node, loop_now(nodes->loop, LOOP_MONOTONIC), &at);

    if (duty == N_DUTIES) {
        work_add_at(work, LOOP_MONOTONIC, at);
        return WORK_DONE;
    }
    node->doing = duty;
    CLEANUP(free) char *body = fill_in(node, &request);
    request.body = body;
    node->call = k8s_call(nodes->k8s, &request, &(struct k8s_handler) {.on_reply = on_reply}, node);
    return WORK_BUSY;
}

struct nodes *nodes_new(struct loop *loop, struct k8s *k8s, struct rng *rng, const char *prefix,
                        int n)
{
    struct nodes *nodes = NEW(struct nodes);

    nodes->loop = loop;
    nodes->k8s = k8s;
    nodes->n = n;
    nodes->all = xcalloc((size_t) n, sizeof(*nodes->all));
    queue_init(&nodes->queue, loop, rng, step, 0);
    for (int i = 0; i < n; i++) {
        struct node *node = &nodes->all[i];

        node->nodes = nodes;
        node->name = xasprintf("%s%d", prefix, i);
        work_init(&node->work, &nodes->queue);
        work_add(&node->work);
    }
    return nodes;
}

void nodes_free(struct nodes *nodes)
{
    if (!nodes)
        return;
    for (int i = 0; i < nodes->n; i++) {
        k8s_cancel(nodes->all[i].call);
        work_done(&nodes->all[i].work);
        free(nodes->all[i].name);
    }
    queue_done(&nodes->queue);
    free(nodes->all);
    free(nodes);
}

bool nodes_ready(const struct nodes *nodes)
{
    for (int i = 0; i < nodes->n; i++)
        if (!nodes->all[i].renews)
            return false;
    return true;
}
