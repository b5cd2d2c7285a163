/* SPDX-License-Identifier: Apache-2.0 */
/* Design, section 4: a pod is gone when its node is, or is tainted out-of-service. */
#include "sim/world.h"

#include "test.h"

#define BY_HAND "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}"

static const struct k8s_resource nodes = {"", "v1", "nodes", "Node"};

/* A run whose pod has been told to end, on a node whose kubelet is dead. */
static void begin(struct world *w)
{
    world_init(w, test_seed());
    w->plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = FAKE_NEVER};
    world_start(w, 0);
    world_deploy(w, "job", BY_HAND);
    world_run_by_hand(w, "job", "2025");
    CHECK(world_run_until(w, MINUTE_MS, "job.2025", "RUNNING"));
    CLEANUP(free) char *pod =
        xstrdup(world_text(w, &instance_resource, "job.2025", "status.executionId"));
    fake_kubelet_add_node(w->kubelet, "other");
    fake_kubelet_lose_node(w->kubelet, "node");
    world_delete(w, &pod_resource, pod);
    w->plan = (struct fake_plan) {0}; /* the next one is on the other node */
}

static uint64_t asked(struct world *w)
{
    return fake_count_requests(w->fake, K8S_GET, "nodes");
}

TEST(a_pod_of_a_living_node_is_waited_for)
{
    struct world w;

    begin(&w);
    world_run(&w, 10 * MINUTE_MS);
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.state"), "RUNNING");
    CHECK(asked(&w) >= 5 && asked(&w) <= 11);
    world_done(&w);
}

static void check_goes_on(struct world *w)
{
    CHECK(world_run_until(w, 10 * MINUTE_MS, "job.2025", "DONE"));
    CHECK_STR(world_text(w, &instance_resource, "job.2025", "status.retryCostTenths"), "0");
    world_run(w, 40 * MINUTE_MS); /* by force in the end: nobody else does it here */
    CHECK_INT(world_pods(w), 0);
}

TEST(a_node_that_is_gone)
{
    struct world w;

    begin(&w);
    fake_delete(w.fake, &nodes, NULL, "node");
    check_goes_on(&w);
    world_done(&w);
}

static void put_out_of_service(struct world *w)
{
    fake_patch(w->fake, &nodes, NULL, "node",
               "{\"spec\":{\"taints\":[{\"key\":\"other\"},"
               "{\"key\":\"node.kubernetes.io/out-of-service\",\"effect\":\"NoExecute\"}]}}");
}

TEST(a_node_that_is_out_of_service)
{
    struct world w;

    begin(&w);
    put_out_of_service(&w);
    check_goes_on(&w);
    world_done(&w);
}

/* Asked for again now and then: an API server that has just started forbids it, too, since it does
 * not know any role yet. */
TEST(nodes_that_may_not_be_read)
{
    struct world w;

    begin(&w);
    fake_fail_next(w.fake, FAKE_FORBID, 1, K8S_GET, "nodes");
    world_run(&w, 10 * MINUTE_MS);
    CHECK_INT(asked(&w), 0); /* carried out */
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.state"), "RUNNING");
    world_run(&w, 5 * MINUTE_MS);
    CHECK(asked(&w) >= 1);
    put_out_of_service(&w);
    check_goes_on(&w);
    world_done(&w);
}
