/* SPDX-License-Identifier: Apache-2.0 */
/* From one leader to the next: what the second one must have seen before it decides anything. */
#include "operator/unsettled.h"
#include "sim/observer.h"
#include "sim/world.h"

#include "test.h"

#define BY_HAND "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}"

static const struct k8s_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease"};

static const char *record_of(const json_t *lease)
{
    const json_t *annotations = json_at(lease, "metadata.annotations");
    const char *text = json_string_value(json_object_get(annotations, "kharon.dev/written"));

    return text ? text : "";
}

/* What the Lease says now. */
static const char *record(struct world *w)
{
    return record_of(fake_get(w->fake, &leases, WORLD_NS, "kharon-operator"));
}

/* What it said when it was released last. */
static char left[1024];

static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    const char *holder = json_text_at(new, "spec.holderIdentity");

    (void) old;
    (void) arg;
    if (strcmp(resource->plural, "leases") == 0 && holder && !*holder)
        snprintf(left, sizeof(left), "%s", record_of(new));
}

static struct fake_watcher release_watcher = {.on_change = on_change};

/* Operator 0 leads, operator 1 stands by with a warm copy, and a run of job.2025 goes on. */
static void begin_in(struct world *w, void (*init)(struct world *w, uint64_t seed))
{
    init(w, test_seed());
    fake_watcher_add(w->fake, &release_watcher);
    w->plan.run_ms = FAKE_NEVER;
    world_start(w, 0);
    world_run(w, SETTLED_MS + SECOND_MS); /* whoever had the lease before did not leave in order */
    world_start(w, 1);
    world_deploy(w, "job", BY_HAND);
    world_run_by_hand(w, "job", "2025");
    CHECK(world_run_until(w, MINUTE_MS, "job.2025", "RUNNING"));
    world_run(w, SECOND_MS);
}

static void begin(struct world *w)
{
    begin_in(w, world_init);
}

static uint64_t lists(struct world *w)
{
    return fake_count_requests(w->fake, K8S_LIST, "workflows") +
           fake_count_requests(w->fake, K8S_LIST, "workflowinstances") +
           fake_count_requests(w->fake, K8S_LIST, "pods");
}

/* Of those that may be many. */
static uint64_t long_lists(struct world *w)
{
    return lists(w) - fake_count_requests(w->fake, K8S_LIST, "workflows");
}

static bool one_leads(void *arg)
{
    const struct world *w = arg;

    return operator_leading(w->operators[1]);
}

/* How long operator 1 takes to lead; -1: it does not. */
static int64_t until_it_leads(struct world *w, int64_t ms)
{
    int64_t began = loop_now(w->loop, LOOP_BOOT);

    return world_run_till(w, ms, one_leads, w) ? loop_now(w->loop, LOOP_BOOT) - began : -1;
}

/* What somebody left who went in order, by hand. */
static void leave(struct world *w, const char *written)
{
    CLEANUP(json_decref) json_t *patch =
        json_pack("{s:{s:{s:s}}, s:{s:s, s:i}}", "metadata", "annotations", "kharon.dev/written",
                  written, "spec", "holderIdentity", "", "leaseDurationSeconds", 1);
    CLEANUP(free) char *text = json_print(patch);

    fake_patch(w->fake, &leases, WORLD_NS, "kharon-operator", text);
}

/* Design, sections 4 and 10: no list, and 300 ms at most. */
TEST(a_planned_handover_needs_no_list)
{
    struct world w;

    begin(&w);
    uint64_t before = lists(&w);
    int64_t began = loop_now(w.loop, LOOP_BOOT);
    world_stop(&w, 0);
    CHECK_HAS(left, "workflowinstances/" WORLD_NS);
    CHECK_HAS(left, "pods/" WORLD_NS);
    CHECK(until_it_leads(&w, MINUTE_MS) >= 0);
    CHECK(loop_now(w.loop, LOOP_BOOT) - began <= 300);
    CHECK_INT(lists(&w), before);
    world_done(&w);
}

/* Nothing of the old leader is under way, so that nothing has to be waited for. */
TEST(a_planned_handover_leaves_no_doubt)
{
    struct world w;

    begin(&w);
    world_patch(&w, &instance_resource, "job.2025",
                "{'spec': {'haltThrough': 1, 'trigger': {'seq': 2, 'type': 'adhoc', 'id': 'b',"
                " 'key': 'b'}}}");
    world_stop(&w, 0);
    CHECK(until_it_leads(&w, MINUTE_MS) >= 0);
    world_run(&w, 40 * SECOND_MS); /* the old pod has been told to end, and has */
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.seq"), "2");
    CHECK_STR(world_text(&w, &instance_resource, "job.2025", "status.state"), "RUNNING");
    world_done(&w);
}

TEST(a_crash_is_followed_by_a_list)
{
    struct world w;

    begin(&w);
    uint64_t before = lists(&w);
    world_kill(&w, 0);
    CHECK(until_it_leads(&w, 8 * SECOND_MS) >= 0);
    CHECK(lists(&w) >= before + 3);
    world_done(&w);
}

/* A record that an earlier leader left means nothing once another one has led. */
TEST(a_crash_after_a_handover_is_a_crash)
{
    struct world w;

    begin(&w);
    world_stop(&w, 0);
    CHECK(until_it_leads(&w, MINUTE_MS) >= 0);
    CHECK_STR(record(&w), "");
    world_start(&w, 0);
    world_run(&w, SECOND_MS);
    uint64_t before = lists(&w);
    world_kill(&w, 1);
    world_run(&w, 8 * SECOND_MS);
    CHECK(operator_leading(w.operators[0]));
    CHECK(lists(&w) >= before + 3);
    world_done(&w);
}

static int64_t doubt_left(void)
{
    struct error ignored;
    CLEANUP(json_decref) json_t *json = NULL;
    const char *text = left;

    if (!json_parse(text, strlen(text), &json, &ignored))
        return -1;
    text = json_string_value(json_object_get(json, "doubt"));
    return text ? strtol(text, NULL, 10) : 0;
}

/* A write whose fate is not known may take effect after the hand-over.  No list would show it; but
 * a cursor may be ahead of what the copy shows. */
TEST(late_writes_are_counted)
{
    struct world w;

    begin(&w);
    fake_fail_next(w.fake, FAKE_LATE, 1, K8S_PATCH, "workflowinstances");
    world_patch(&w, &instance_resource, "job.2025", "{'spec': {'haltThrough': 1}}");
    world_run(&w, 3 * SECOND_MS);
    uint64_t before = lists(&w), before_long = long_lists(&w);
    world_stop(&w, 0);
    CHECK(doubt_left() > 55 * SECOND_MS && doubt_left() < SETTLED_MS);
    CHECK(until_it_leads(&w, MINUTE_MS) >= 0);
    CHECK_INT(lists(&w), before + 1);
    CHECK_INT(long_lists(&w), before_long);
    CHECK(w.operators[1]->settled_at >= loop_now(w.loop, LOOP_MONOTONIC) + 55 * SECOND_MS);
    world_run(&w, 2 * MINUTE_MS); /* by then there is none left */
    world_start(&w, 0);
    world_run(&w, SECOND_MS);
    world_stop(&w, 1);
    CHECK_INT(doubt_left(), 0);
    world_done(&w);
}

/* Whoever takes over in doubt hands on what is left of it. */
TEST(doubt_is_handed_on)
{
    struct world w;

    begin(&w);
    world_kill(&w, 0);
    CHECK(until_it_leads(&w, 8 * SECOND_MS) >= 0);
    world_run(&w, 20 * SECOND_MS);
    world_start(&w, 0);
    world_run(&w, 10 * SECOND_MS);
    world_stop(&w, 1);
    CHECK(doubt_left() > 25 * SECOND_MS && doubt_left() < 31 * SECOND_MS);
    world_done(&w);
}

/* That the time is over does not mean that the copy shows it: whoever takes over lists the pods. */
TEST(what_the_copy_may_not_show_is_handed_on)
{
    struct world w;

    begin(&w);
    fake_fail_next(w.fake, FAKE_LATE, 1, K8S_CREATE, "pods");
    world_run_by_hand(&w, "job", "2024");
    CHECK(world_run_until(&w, MINUTE_MS, "job.2024", "RUNNING"));
    world_run(&w, 2 * SETTLED_MS);
    world_stop(&w, 0);
    CHECK_INT(doubt_left(), 1);
    uint64_t before = long_lists(&w);
    CHECK(until_it_leads(&w, MINUTE_MS) >= 0);
    world_run(&w, SECOND_MS);
    CHECK_INT(long_lists(&w), before + 1);
    world_start(&w, 0);
    world_run(&w, SECOND_MS);
    world_stop(&w, 1);
    CHECK_INT(doubt_left(), 0);
    world_done(&w);
}

/* The lease is not given up while something is under way: it has to run out. */
TEST(no_release_with_a_call_in_flight)
{
    struct world w;

    world_init(&w, test_seed());
    w.settings[0].delta_ms = 500;
    world_start(&w, 0);
    world_deploy(&w, "job", BY_HAND);
    world_run(&w, SECOND_MS);
    fake_fail_next(w.fake, FAKE_LOSE_REQUEST, 1, K8S_PATCH, "workflowinstances");
    w.plan.run_ms = FAKE_NEVER;
    world_run_by_hand(&w, "job", "2025");
    CHECK(!world_run_until(&w, 1100, "job.2025", "RUNNING"));
    world_stop(&w, 0); /* ends, although the call has not */
    CHECK(*json_text_at(fake_get(w.fake, &leases, WORLD_NS, "kharon-operator"),
                        "spec.holderIdentity") != '\0');
    world_done(&w);
}

static void leave_with_instance_version(struct world *w, uint64_t version)
{
    CLEANUP(free) char *text =
        xasprintf("{\"workflowinstances/" WORLD_NS "\":\"%llu\"}", (unsigned long long) version);

    world_kill(w, 0);
    leave(w, text);
}

/* Operator 0 leads alone, over an outage in which its lease runs out. */
static void outlast(struct world *w, void (*outage)(struct fake *fake, int64_t ms))
{
    uint64_t before = long_lists(w), before_all = lists(w);

    outage(w->fake, 10 * SECOND_MS);
    world_run(w, 9 * SECOND_MS);
    CHECK(!operator_leading(w->operators[0]));
    world_run(w, 3 * SECOND_MS);
    CHECK(operator_leading(w->operators[0]));
    CHECK_INT(long_lists(w), before);
    CHECK_INT(lists(w), before_all + 1);
}

/* Nobody has led meanwhile, so that there is nothing that it has not seen.  But what was under way
 * may come late, and what it wrote of the cursors without an answer is not in its copy. */
TEST(a_lease_that_nobody_else_took_needs_no_list_of_runs)
{
    struct world w;

    begin(&w);
    world_kill(&w, 1);
    outlast(&w, fake_stall);
    CHECK(w.operators[0]->settled_at >= loop_now(w.loop, LOOP_MONOTONIC) + 55 * SECOND_MS);
    outlast(&w, fake_stall);
    world_stop(&w, 0);
    CHECK(doubt_left() > 50 * SECOND_MS && doubt_left() < SETTLED_MS);
    world_done(&w);
}

/* Its own version of the past is no copy of what another one wrote. */
TEST(a_lease_that_another_held_meanwhile_needs_a_list)
{
    struct world w;

    begin_in(&w, world_init_apart);
    world_freeze(&w, 0, false);
    CHECK(until_it_leads(&w, 10 * SECOND_MS) >= 0);
    world_kill(&w, 1);
    uint64_t before = lists(&w);
    world_thaw(&w, 0, true);
    world_run(&w, 10 * SECOND_MS);
    CHECK(operator_leading(w.operators[0]));
    CHECK(lists(&w) >= before + 3);
    world_done(&w);
}

/* Lists that began after the last leader's end are good, however often the lease was lost while
 * they came. */
TEST(lists_of_a_leader_to_be_outlast_its_lease)
{
    struct world w;

    begin(&w);
    world_kill(&w, 0);
    fake_fail_next(w.fake, FAKE_REFUSE, 1000, K8S_LIST, "pods");
    CHECK_INT(until_it_leads(&w, 10 * SECOND_MS), -1);
    CHECK(lease_held(w.operators[1]->lease));
    uint64_t before = fake_count_requests(w.fake, K8S_LIST, "workflowinstances");
    fake_fail_next(w.fake, FAKE_REFUSE, 1000, -1, "leases");
    world_run(&w, 8 * SECOND_MS);
    CHECK(!lease_held(w.operators[1]->lease));
    fake_fail_no_more(w.fake);
    CHECK(until_it_leads(&w, 10 * SECOND_MS) >= 0);
    CHECK_INT(fake_count_requests(w.fake, K8S_LIST, "workflowinstances"), before);
    world_done(&w);
}

/* It had not seen yet what its predecessor wrote. */
TEST(what_was_not_reached_is_not_forgotten_with_the_lease)
{
    struct world w;

    begin_in(&w, world_init_apart);
    uint64_t before = lists(&w);
    leave_with_instance_version(&w, 999999999);
    world_run(&w, SECOND_MS);
    CHECK(lease_held(w.operators[1]->lease) && !operator_leading(w.operators[1]));
    world_freeze(&w, 1, true); /* its lease runs out, its patience does not */
    world_run(&w, 10 * SECOND_MS);
    world_thaw(&w, 1, true);
    CHECK(until_it_leads(&w, 10 * SECOND_MS) >= 0);
    CHECK(lists(&w) >= before + 3);
    world_done(&w);
}

/* Versions that never come: etcd was restored, or the record is of another cluster. */
TEST(versions_that_are_not_reached_are_followed_by_a_list)
{
    struct world w;

    begin(&w);
    uint64_t before = lists(&w);
    leave_with_instance_version(&w, 999999999);
    int64_t took = until_it_leads(&w, MINUTE_MS);
    CHECK(took >= 3000 && took <= 5000);
    CHECK(lists(&w) >= before + 3);
    world_done(&w);
}

/* The next change of any instance has that version. */
TEST(versions_are_waited_for)
{
    struct world w;

    begin(&w);
    uint64_t before = lists(&w), version;
    CHECK(k8s_version_parse(
        json_text_at(world_get(&w, &instance_resource, "job.2025"), "metadata.resourceVersion"),
        &version));
    leave_with_instance_version(&w, version + 100);
    world_run(&w, 1500);
    CHECK(!operator_leading(w.operators[1]));
    for (int i = 0; i < 101; i++)
        world_patch(&w, &instance_resource, "job.2025",
                    i % 2 ? "{'metadata': {'labels': {'a': '1'}}}"
                          : "{'metadata': {'labels': {'a': '2'}}}");
    world_run(&w, 100);
    CHECK(operator_leading(w.operators[1]));
    CHECK_INT(lists(&w), before);
    world_done(&w);
}

TEST(a_record_that_is_none_is_followed_by_a_list)
{
    static const char *const records[] = {
        "", "x", "[]", "{\"pods/team\":5}", "{\"pods/team\":\"x\"}", "{\"pods\":\"5\"}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        struct world w;

        begin(&w);
        uint64_t before = lists(&w);
        world_kill(&w, 0);
        leave(&w, records[i]);
        CHECK(until_it_leads(&w, MINUTE_MS) >= 0);
        CHECK(lists(&w) >= before + 3);
        world_done(&w);
    }
}

static bool leads(void *arg)
{
    return operator_leading(((struct world *) arg)->operators[0]);
}

/* Hour after hour, now and then at a bad moment; nearly all of them without a list. */
TEST(many_handovers_lose_and_double_nothing)
{
    struct observer o;
    struct rng rng;
    struct world w;
    int leads = 0, n = 200;

    world_init(&w, test_seed());
    rng_init(&rng, test_seed());
    observer_init(&o, &w);
    w.plan = (struct fake_plan) {.schedule_ms = 20, .start_ms = 300, .run_ms = 20 * SECOND_MS};
    world_deploy(&w, "often", "{'schedule': '* * * * *', 'template': {'image': 'busybox:1'}}");
    world_start(&w, 0);
    world_run(&w, SETTLED_MS + SECOND_MS);
    uint64_t before = lists(&w);
    for (int i = 0; i < n; i++, leads = !leads) {
        world_start(&w, !leads);
        world_run(&w, rng_between(&rng, SECOND_MS, 40 * SECOND_MS));
        fake_set_latency(w.fake, 1, rng_between(&rng, 1, 60));
        world_stop(&w, leads);
        if (*o.broken)
            TEST_FAIL("%s", o.broken);
    }
    world_run(&w, 2 * MINUTE_MS);
    CHECK(lists(&w) <= before + 3 * (uint64_t) n); /* those of whoever starts */
    CHECK_STR(o.broken, "");
    CHECK(world_count(&w, "DONE") >= world_count(&w, NULL) - 1);
    CHECK(world_count(&w, NULL) > 50);
    observer_done(&o);
    world_done(&w);
}

/* Whoever takes over finds many pods that have ended, which nobody could say: what is due now does
 * not wait until all of that is said. */
TEST(pods_come_before_what_is_only_to_be_said)
{
    enum { N = 100 };
    struct world w;

    world_init(&w, test_seed());
    w.plan.run_ms = 30 * SECOND_MS;
    world_deploy(&w, "job", "{'schedule': 'yearly', 'template': {'image': 'busybox:1'}}");
    world_start(&w, 0);
    world_run(&w, 2 * MINUTE_MS);
    for (int i = 0; i < N; i++) {
        CLEANUP(free) char *parameter = xasprintf("%d", 1900 + i);

        world_run_by_hand(&w, "job", parameter);
    }
    world_run(&w, 5 * SECOND_MS);
    CHECK_INT(world_pods(&w), N);
    world_kill(&w, 0);
    world_run(&w, MINUTE_MS);
    for (int i = 0; i < 5; i++) {
        CLEANUP(free) char *parameter = xasprintf("%d", 2000 + i);

        world_run_by_hand(&w, "job", parameter);
    }
    fake_set_latency(w.fake, 200, 200);
    w.settings[0].max_steps = 2;
    world_start(&w, 0);
    CHECK(world_run_till(&w, MINUTE_MS, leads, &w));
    world_run(&w, 4 * SECOND_MS);
    CHECK_INT(world_pods(&w), N + 5);
    CHECK(world_count(&w, "DONE") < N);
    world_run(&w, 5 * MINUTE_MS);
    CHECK_INT(world_count(&w, "DONE"), N + 5);
    world_done(&w);
}

/* Many cursors are due, the API server is slow, and no leader lives for as long as a burst: each
 * one finds what the last one made, and has to get further than that. */
TEST(short_reigns_in_a_burst_get_on)
{
    enum { N = 60, N_REIGNS = 16 };
    struct world w;

    world_init(&w, test_seed());
    w.settings[0].max_steps = 2;
    fake_set_latency(w.fake, 200, 200);
    for (int i = 0; i < N; i++) {
        CLEANUP(free) char *name = xasprintf("job-%d", i);

        world_deploy(&w, name, "{'schedule': '* * * * *', 'template': {'image': 'busybox:1'}}");
    }
    for (int i = 0; i < N_REIGNS; i++) {
        world_start(&w, 0);
        CHECK(world_run_till(&w, MINUTE_MS, leads, &w));
        world_run(&w, 5 * SECOND_MS);
        world_kill(&w, 0);
    }
    CHECK(world_count(&w, NULL) > N);
    CHECK(world_count(&w, "DONE") > N / 2);
    world_done(&w);
}
