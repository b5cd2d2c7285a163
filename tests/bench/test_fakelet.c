/* SPDX-License-Identifier: Apache-2.0 */
#include "fakelet.h"

#include "base/log.h"
#include "sim/fake.h"
#include "test.h"

static const struct k8s_resource node_resource = {"", "v1", "nodes", "Node"};
static const struct k8s_resource pod_resource = {"", "v1", "pods", "Pod"};
static const struct k8s_resource lease_resource = {"coordination.k8s.io", "v1", "leases", "Lease"};

/* ---- the decision ---- */

#define RUNS  .is_running = true
#define OVER  .is_over = true
#define DYING .deleting = true

TEST(what_a_kubelet_does_next)
{
    static const struct {
        int line;
        struct pod_view view;
        enum pod_step want;
        int64_t want_at;
    } rows[] = {
        {__LINE__, {0}, POD_START, 0},
        {__LINE__, {RUNS, .since_ms = 1000, .now_ms = 1000}, POD_END, 0},
        {__LINE__, {RUNS, .since_ms = 1000, .run_ms = 500, .now_ms = 1499}, POD_WAIT, 1500},
        {__LINE__, {RUNS, .since_ms = 1000, .run_ms = 500, .now_ms = 1500}, POD_END, 0},
        {__LINE__, {RUNS, .run_ms = 500, .now_ms = 10}, POD_END, 0}, /* started by another */
        {__LINE__, {OVER}, POD_WAIT, 0},
        {__LINE__, {DYING, .grace_s = 30}, POD_KILL, 0},
        {__LINE__, {RUNS, DYING, .grace_s = 30, .since_ms = 1, .run_ms = 500}, POD_KILL, 0},
        {__LINE__, {RUNS, DYING, .grace_s = 0}, POD_KILL, 0}, /* a finalizer keeps it */
        {__LINE__, {OVER, DYING, .grace_s = 30}, POD_REMOVE, 0},
        {__LINE__, {OVER, DYING, .grace_s = 0}, POD_WAIT, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t at;

        CHECK_INT_AT(rows[i].line, pod_decide(&rows[i].view, &at), rows[i].want);
        CHECK_INT_AT(rows[i].line, at, rows[i].want_at);
    }
}

/* ---- on the cluster in memory ---- */

struct setup {
    struct loop *loop;
    struct fake *fake;
    struct k8s *k8s;
    struct rng rng;
    struct nodes *nodes;
    struct pods *pods;
};

static void begin(struct setup *s)
{
    *s = (struct setup) {.loop = loop_new_virtual(1767225600000)};
    s->fake = fake_new(s->loop, 1);
    fake_add_kind(s->fake, &node_resource, true);
    s->k8s = fake_client(s->fake, "fakelet");
    rng_init(&s->rng, 1);
    s->nodes = nodes_new(s->loop, s->k8s, &s->rng, "fake-", 3);
    s->pods = pods_new(s->loop, s->k8s, &s->rng, "fake-", 8);
    fake_run(s->fake, 2000);
}

static void end(struct setup *s)
{
    pods_free(s->pods);
    nodes_free(s->nodes);
    k8s_free(s->k8s);
    fake_free(s->fake);
    loop_free(s->loop);
}

static void add_pod(struct setup *s, const char *name, const char *node, const char *more)
{
    CLEANUP(free) char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\"%s},"
                  "\"spec\":{\"nodeName\":\"%s\",\"containers\":[{\"name\":\"main\"}]}}",
                  name, more, node);

    fake_create(s->fake, &pod_resource, text);
}

static const json_t *pod(struct setup *s, const char *name)
{
    return fake_get(s->fake, &pod_resource, "a", name);
}

static const char *phase(struct setup *s, const char *name)
{
    return json_text_at(pod(s, name), "status.phase");
}

static int64_t exit_code(struct setup *s, const char *name)
{
    const json_t *status = json_array_get(json_at(pod(s, name), "status.containerStatuses"), 0);

    return json_int_at(status, "state.terminated.exitCode", -1);
}

TEST(nodes_become_ready_and_renew_their_leases)
{
    struct setup s;

    begin(&s);
    CHECK(nodes_ready(s.nodes));
    CHECK_INT(fake_count_objects(s.fake, &node_resource), 3);
    const json_t *ready = json_array_get(
        json_at(fake_get(s.fake, &node_resource, "", "fake-2"), "status.conditions"), 0);
    CHECK_STR(json_text_at(ready, "type"), "Ready");
    CHECK_STR(json_text_at(ready, "status"), "True");
    fake_run(s.fake, 60000);
    CHECK_INT(fake_count_requests(s.fake, K8S_PATCH, "leases"), 3 * 7);
    CHECK_STR(json_text_at(fake_get(s.fake, &lease_resource, "kube-node-lease", "fake-0"),
                           "spec.holderIdentity"),
              "fake-0");
    end(&s);
}

TEST(pods_end_as_their_annotations_say)
{
    struct setup s;

    begin(&s);
    add_pod(&s, "quick", "fake-0", "");
    add_pod(&s, "other", "real", "");
    add_pod(&s, "bad", "fake-1",
            ",\"annotations\":{\"bench.kharon.dev/run-ms\":\"5000\","
            "\"bench.kharon.dev/exit-code\":\"3\"}");
    fake_run(s.fake, 3000);
    CHECK_STR(phase(&s, "quick"), "Succeeded");
    CHECK_INT(exit_code(&s, "quick"), 0);
    CHECK_STR(phase(&s, "bad"), "Running");
    fake_run(s.fake, 3000);
    CHECK_STR(phase(&s, "bad"), "Failed");
    CHECK_INT(exit_code(&s, "bad"), 3);
    CHECK_INT(json_array_size(json_at(pod(&s, "other"), "status.containerStatuses")), 0);
    CHECK_INT(pods_counts(s.pods).seen, 2);
    end(&s);
}

TEST(only_first_tries_fail_if_annotations_say_so)
{
    struct setup s;
    char name[16], more[256];

    begin(&s);
    for (int attempt = 1; attempt <= 3; attempt++) {
        snprintf(name, sizeof(name), "try%d", attempt);
        snprintf(more, sizeof(more),
                 ",\"annotations\":{\"kharon.dev/attempt\":\"%d\","
                 "\"bench.kharon.dev/exit-code\":\"3\","
                 "\"bench.kharon.dev/failing-tries\":\"2\"}",
                 attempt);
        add_pod(&s, name, "fake-0", more);
    }
    fake_run(s.fake, 3000);
    CHECK_INT(exit_code(&s, "try1"), 3);
    CHECK_INT(exit_code(&s, "try2"), 3);
    CHECK_INT(exit_code(&s, "try3"), 0);
    end(&s);
}

TEST(deleted_pods_are_killed_and_let_go)
{
    static const char slow[] = ",\"annotations\":{\"bench.kharon.dev/run-ms\":\"500000\"}";
    static const char kept[] = ",\"annotations\":{\"bench.kharon.dev/run-ms\":\"500000\"},"
                               "\"finalizers\":[\"example.com/a\"]";
    struct setup s;

    begin(&s);
    add_pod(&s, "slow", "fake-0", slow);
    add_pod(&s, "kept", "fake-0", kept);
    fake_run(s.fake, 1000);
    CHECK_STR(phase(&s, "slow"), "Running");
    fake_delete(s.fake, &pod_resource, "a", "slow");
    fake_delete(s.fake, &pod_resource, "a", "kept");
    fake_run(s.fake, 1000);
    CHECK(!pod(&s, "slow"));
    CHECK_STR(phase(&s, "kept"), "Failed");
    CHECK_INT(exit_code(&s, "kept"), 143);
    fake_patch(s.fake, &pod_resource, "a", "kept", "{\"metadata\":{\"finalizers\":null}}");
    CHECK(!pod(&s, "kept"));
    end(&s);
}

TEST(all_pods_end_although_requests_fail)
{
    struct setup s;
    char name[16];

    log_setup(LOG_TEXT, LOG_ERROR); /* hundreds of warnings are to be expected */
    begin(&s);
    fake_set_rate(s.fake, FAKE_LOSE_REPLY, 50);
    fake_set_rate(s.fake, FAKE_REFUSE, 50);
    fake_set_rate(s.fake, FAKE_THROTTLE, 50);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        add_pod(&s, name, "fake-0", "");
    }
    fake_run(s.fake, 300000);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        CHECK_STR(phase(&s, name), "Succeeded");
    }
    CHECK(pods_counts(s.pods).errors > 0);
    end(&s);
}
