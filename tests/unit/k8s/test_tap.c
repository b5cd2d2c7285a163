/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/tap.h"
#include "sim/fake.h"

#include "test.h"

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};

struct tapped {
    int ended, answered, cancelled, items;
    enum k8s_verb verb;
    enum k8s_lane lane;
    char ns[16], version[24];
    int64_t took_ms;
};

static struct loop *loop;
static struct fake *fake;
static struct k8s *client, *tap;
static struct tapped t;
static int replies; /* at the owner */

static void on_end(const struct k8s_ended *ended, void *arg)
{
    CHECK(arg == &t);
    CHECK_INT(t.ended, replies + t.cancelled); /* before the owner is told */
    t.ended++;
    t.answered += ended->reply != NULL;
    t.cancelled += ended->reply == NULL;
    t.verb = ended->verb;
    t.lane = ended->lane;
    t.took_ms = ended->took_ms;
    snprintf(t.ns, sizeof(t.ns), "%s", ended->ns ? ended->ns : "-");
    if (ended->reply)
        snprintf(t.version, sizeof(t.version), "%s", ended->reply->resource_version);
}

static void on_item(enum k8s_event event, const char *json, size_t len, void *arg)
{
    (void) event;
    (void) json;
    (void) len;
    CHECK(arg == &replies);
    t.items++;
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    (void) reply;
    CHECK(arg == &replies);
    replies++;
}

static struct k8s_call *call(enum k8s_verb verb)
{
    static const struct k8s_handler handler = {on_item, on_reply};

    return k8s_call(tap,
                    &(struct k8s_request) {.verb = verb,
                                           .resource = &pods,
                                           .ns = "a",
                                           .name = verb == K8S_LIST ? NULL : "x",
                                           .body = "{\"metadata\":{\"name\":\"x\"}}"},
                    &handler, &replies);
}

static void set_up(void)
{
    loop = loop_new_virtual(1767225600000);
    fake = fake_new(loop, test_seed());
    client = fake_client(fake, "a");
    tap = k8s_tap_new(loop, client, on_end, &t);
    t = (struct tapped) {0};
    replies = 0;
}

static void tear_down(void)
{
    k8s_free(tap);
    k8s_free(client);
    fake_free(fake);
    loop_free(loop);
}

TEST(every_answer_is_told_first)
{
    set_up();
    fake_set_latency(fake, 10, 10);
    call(K8S_CREATE);
    CHECK_INT(t.ended, 0);
    fake_run(fake, 100);
    CHECK_INT(t.answered, 1);
    CHECK_INT(replies, 1);
    CHECK_INT(t.verb, K8S_CREATE);
    CHECK_INT(t.lane, K8S_LANE_STATUS);
    CHECK_STR(t.ns, "a");
    CHECK(*t.version != '\0');
    CHECK_INT(t.took_ms, 20);
    call(K8S_LIST);
    fake_run(fake, 100);
    CHECK_INT(t.items, 1);
    CHECK_INT(t.answered, 2);
    tear_down();
}

TEST(what_is_cancelled_is_told)
{
    set_up();
    k8s_cancel(call(K8S_CREATE));
    CHECK_INT(t.cancelled, 1);
    fake_run(fake, 100);
    CHECK_INT(t.ended, 1);
    CHECK_INT(replies, 0);
    tear_down();
}
