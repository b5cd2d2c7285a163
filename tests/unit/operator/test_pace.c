/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/pace.h"

#include "base/buf.h"

#include "sim/world.h"

#include "test.h"

#define BY_HAND "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}"

static const struct k8s_resource events = {"events.k8s.io", "v1", "events", "Event"};

static void note_reason(const json_t *event, void *arg)
{
    struct buf *told = arg;

    if (strncmp(json_text_at(event, "reason"), "ControlPlane", strlen("ControlPlane")) == 0)
        buf_addf(told, "%s ", json_text_at(event, "reason"));
}

static void begin(struct world *w, int n_runs)
{
    world_init(w, test_seed());
    world_start(w, 0);
    world_deploy(w, "job", BY_HAND);
    world_run(w, MINUTE_MS);
    for (int i = 0; i < n_runs; i++) {
        CLEANUP(free) char *year = xasprintf("%d", 2000 + i);

        world_run_by_hand(w, "job", year);
    }
}

static void check_told(struct world *w, const char *want)
{
    struct buf told = BUF_INIT;

    fake_foreach(w->fake, &events, note_reason, &told);
    CHECK_STR(buf_text(&told), want);
    buf_done(&told);
}

/* Told once, and that it is over. */
TEST(a_control_plane_that_does_not_answer_is_told_of)
{
    struct world w;

    begin(&w, 10);
    fake_fail_next(w.fake, FAKE_LOSE_REPLY, 40, K8S_CREATE, "pods");
    world_run(&w, 4 * SECOND_MS);
    CHECK(w.operators[0]->pace.slow);
    world_run(&w, 5 * MINUTE_MS);
    CHECK(!w.operators[0]->pace.slow);
    CHECK_INT(world_count(&w, "DONE"), 10);
    check_told(&w, "ControlPlaneSlow ControlPlaneAnswers ");
    world_done(&w);
}

TEST(some_lost_answers_are_nothing_to_tell)
{
    struct world w;

    begin(&w, 10);
    fake_fail_next(w.fake, FAKE_LOSE_REPLY, 4, K8S_CREATE, "pods");
    world_run(&w, MINUTE_MS);
    CHECK_INT(world_count(&w, "DONE"), 10);
    check_told(&w, "");
    world_done(&w);
}

/* Refused is not slow: whoever says no, answers. */
TEST(a_refusal_is_an_answer)
{
    struct world w;

    begin(&w, 10);
    fake_fail_next(w.fake, FAKE_REFUSE, 40, K8S_CREATE, "pods");
    world_run(&w, MINUTE_MS);
    check_told(&w, "");
    world_done(&w);
}
