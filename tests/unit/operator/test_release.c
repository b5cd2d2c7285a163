/* SPDX-License-Identifier: Apache-2.0 */
/* release-pods: afterwards no pod of ours holds anything up. */
#include "operator/release.h"

#include "sim/world.h"
#include "test.h"

#include <string.h>

#define NOT_OURS "someone-elses"

static char *uid_of(int i)
{
    return xasprintf("11111111-1111-4111-8111-%012d", i);
}

/* The pod of an instance's first attempt, as the operator makes it. */
static void add_pod(struct world *w, int i)
{
    CLEANUP(free) char *uid = uid_of(i);
    char name[EXECUTION_ID_MAX];

    attempt_execution_id(uid, 1, 1, name);
    CLEANUP(json_decref) json_t *pod =
        json_pack("{s:{s:s, s:s, s:{s:s}, s:[s, s], s:{s:s, s:s, s:s, s:s}}, s:{s:[{s:s}]}}",
                  "metadata", "namespace", WORLD_NS, "name", name, "labels", POD_LABEL,
                  POD_LABEL_VALUE, "finalizers", POD_FINALIZER, "x.io/other", "annotations",
                  "kharon.dev/seq", "1", "kharon.dev/attempt", "1", "kharon.dev/instance", "x",
                  "kharon.dev/instance-uid", uid, "spec", "containers", "name", "styx-run");
    CLEANUP(free) char *text = json_print(pod);
    fake_create(w->fake, &pod_resource, text);
}

/* With our label and finalizer, and a name that is not ours. */
static void add_foreign_pod(struct world *w)
{
    fake_create(w->fake, &pod_resource,
                "{\"metadata\": {\"namespace\": \"" WORLD_NS "\", \"name\": \"" NOT_OURS
                "\", \"labels\": {\"" POD_LABEL "\": \"" POD_LABEL_VALUE
                "\"}, \"finalizers\": [\"" POD_FINALIZER
                "\"]}, \"spec\": {\"containers\": [{\"name\": \"styx-run\"}]}}");
}

static void count_finalizers(const json_t *pod, void *arg)
{
    *(int *) arg += (int) json_array_size(json_at(pod, "metadata.finalizers"));
}

static int finalizers(struct world *w)
{
    int n = 0;

    fake_foreach(w->fake, &pod_resource, count_finalizers, &n);
    return n;
}

/* ---- releasing ---- */

struct released {
    bool ended;
    struct release_result result;
};

static void on_end(const struct release_result *result, void *arg)
{
    *(struct released *) arg = (struct released) {.ended = true, .result = *result};
}

static bool has_ended(void *arg)
{
    return ((struct released *) arg)->ended;
}

static struct release *begin_release(struct world *w, struct k8s *k8s, const char *deployment,
                                     struct released *released)
{
    *released = (struct released) {0};
    return release_new(w->loop, k8s, &w->settings[0].namespaces, deployment, on_end, released);
}

static struct released release(struct world *w, int64_t within_ms)
{
    struct released released;
    struct k8s *k8s = fake_client(w->fake, "release");
    struct release *r = begin_release(w, k8s, NULL, &released);

    CHECK(fake_run_until(w->fake, within_ms, has_ended, &released));
    release_free(r);
    k8s_free(k8s);
    return released;
}

static void begin(struct world *w, int n_pods)
{
    world_init(w, test_seed());
    fake_set_latency(w->fake, 0, 0);
    for (int i = 0; i < n_pods; i++)
        add_pod(w, i);
}

/* A list has pages of 500. */
TEST(pods_of_more_than_two_pages_are_released)
{
    struct world w;

    begin(&w, 1200);
    add_foreign_pod(&w);
    struct released got = release(&w, 10 * MINUTE_MS);
    CHECK_OK(got.result.error.code == ERROR_NONE, &got.result.error);
    CHECK_INT(got.result.n_pods, 1200);
    CHECK_INT(finalizers(&w), 1200 + 1); /* other people's stay */
    world_done(&w);
}

/* What is held is as old as it likes: an expired page only begins the pass again. */
TEST(a_list_that_expires_is_begun_again)
{
    struct world w;

    begin(&w, 700);
    fake_fail_next(w.fake, FAKE_EXPIRE, 1, K8S_LIST, "pods");
    struct released got = release(&w, 10 * MINUTE_MS);
    CHECK_OK(got.result.error.code == ERROR_NONE, &got.result.error);
    CHECK_INT(finalizers(&w), 700);
    world_done(&w);
}

/* For longer than a request takes, and for some of the writes. */
TEST(an_api_server_that_is_away_for_a_while_is_waited_for)
{
    struct world w;

    begin(&w, 30);
    fake_fail_next(w.fake, FAKE_REFUSE, 6, K8S_LIST, "pods");
    fake_fail_next(w.fake, FAKE_CONFLICT, 3, K8S_PATCH, "pods");
    fake_fail_next(w.fake, FAKE_LOSE_REPLY, 2, K8S_PATCH, "pods");
    int64_t before = loop_now(w.loop, LOOP_MONOTONIC);
    struct released got = release(&w, MINUTE_MS);
    CHECK_OK(got.result.error.code == ERROR_NONE, &got.result.error);
    CHECK_INT(finalizers(&w), 30);
    CHECK(loop_now(w.loop, LOOP_MONOTONIC) - before >= 5 * SECOND_MS);
    world_done(&w);
}

/* It ends, since the hook that waits for it does, and says that it did not do it. */
TEST(an_api_server_that_stays_away_is_given_up)
{
    struct world w;

    begin(&w, 1);
    fake_fail_next(w.fake, FAKE_REFUSE, 1000, K8S_LIST, "pods");
    struct released got = release(&w, 5 * MINUTE_MS);
    CHECK_INT(got.result.error.code, ERROR_UNAVAILABLE);
    CHECK(fake_count_requests(w.fake, K8S_LIST, "pods") == 0);
    world_done(&w);
}

TEST(pods_that_cannot_be_released_are_named_by_their_namespace)
{
    struct world w;

    begin(&w, 2);
    fake_fail_next(w.fake, FAKE_FORBID, 1000, K8S_PATCH, "pods");
    struct released got = release(&w, 5 * MINUTE_MS);
    CHECK_HAS(got.result.error.text, "namespace " WORLD_NS ": pods are still held");
    CHECK_INT(got.result.n_pods, 0);
    world_done(&w);
}

/* ---- until the operator is gone ---- */

static const struct k8s_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease"};

/* The fake has no Deployments: a Lease of the name stands for it. */
struct front {
    struct k8s base;
    struct k8s *k8s;
};

static struct k8s_call *front_call(struct k8s *k8s, const struct k8s_request *request,
                                   const struct k8s_handler *handler, void *arg)
{
    struct front *front = container_of(k8s, struct front, base);
    struct k8s_request r = *request;

    if (strcmp(r.resource->plural, "deployments") == 0) {
        r.resource = &leases;
        r.subresource = NULL;
    }
    return k8s_call(front->k8s, &r, handler, arg);
}

static const struct k8s_ops front_ops = {.call = front_call};

static void begin_with_operator(struct world *w, int replicas)
{
    CLEANUP(free) char *deployment =
        xasprintf("{\"metadata\": {\"namespace\": \"" WORLD_NS "\", \"name\": \"op\"},"
                  " \"spec\": {\"selector\": {\"matchLabels\": {\"a\": \"op\", \"b\": \"c\"}}},"
                  " \"status\": {\"replicas\": %d}}",
                  replicas);

    begin(w, 1);
    w->plan = (struct fake_plan) {.run_ms = FAKE_NEVER, .stop_ms = SECOND_MS};
    fake_create(w->fake, &leases, deployment);
    fake_create(w->fake, &pod_resource,
                "{\"metadata\": {\"namespace\": \"" WORLD_NS "\", \"name\": \"op-1\","
                " \"labels\": {\"a\": \"op\", \"b\": \"c\"}},"
                " \"spec\": {\"containers\": [{\"name\": \"op\"}]}}");
}

/* Its replicas are gone when its pod has been told to end, and that may make a pod yet. */
TEST(pods_are_held_until_the_last_operator_is_gone)
{
    struct world w;
    struct released released;

    begin_with_operator(&w, 0);
    struct front front = {.base.ops = &front_ops, .k8s = fake_client(w.fake, "release")};
    struct release *r = begin_release(&w, &front.base, WORLD_NS "/op", &released);
    world_run(&w, 20 * SECOND_MS);
    CHECK(!released.ended);
    CHECK_INT(finalizers(&w), 2);
    CHECK_INT(json_int_at(fake_get(w.fake, &leases, WORLD_NS, "op"), "spec.replicas", -1), 0);
    fake_delete(w.fake, &pod_resource, WORLD_NS, "op-1");
    CHECK(fake_run_until(w.fake, 5 * SECOND_MS, has_ended, &released));
    CHECK_OK(released.result.error.code == ERROR_NONE, &released.result.error);
    CHECK_INT(finalizers(&w), 1);
    release_free(r);
    k8s_free(front.k8s);
    world_done(&w);
}

/* That of a lost node stays: nothing is gained by waiting for ever.  What is not even told to end
 * does. */
TEST(an_operator_that_stays_is_not_waited_for)
{
    for (int replicas = 0; replicas <= 1; replicas++) {
        struct world w;
        struct released released;

        begin_with_operator(&w, replicas);
        struct front front = {.base.ops = &front_ops, .k8s = fake_client(w.fake, "release")};
        struct release *r = begin_release(&w, &front.base, WORLD_NS "/op", &released);
        CHECK(fake_run_until(w.fake, 70 * SECOND_MS, has_ended, &released));
        CHECK_INT(finalizers(&w), 1 + replicas);
        if (replicas)
            CHECK_HAS(released.result.error.text, WORLD_NS "/op still runs");
        else
            CHECK_OK(released.result.error.code == ERROR_NONE, &released.result.error);
        release_free(r);
        k8s_free(front.k8s);
        world_done(&w);
    }
}
