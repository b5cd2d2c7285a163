/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "k8s/lease.h"
#include "sim/fake.h"

#define DURATION 5000
#define DELTA    2000

static const struct k8s_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease"};

struct candidate {
    struct k8s *k8s;
    struct lease *lease;
    int acquired, lost, released;
    int64_t acquired_at, lost_at;
};

static struct loop *loop;
static struct rng rng;
static struct fake *fake;
static struct candidate a, b;

static void on_acquired(void *arg)
{
    struct candidate *c = arg;

    c->acquired++;
    c->acquired_at = loop_now(loop, LOOP_BOOT);
    CHECK_INT(c->acquired, c->lost + 1);
}

static void on_lost(void *arg)
{
    struct candidate *c = arg;

    c->lost++;
    c->lost_at = loop_now(loop, LOOP_BOOT);
    CHECK(!lease_held(c->lease));
    CHECK(lease_remaining_ms(c->lease) <= 0);
}

static void on_released(void *arg)
{
    ((struct candidate *) arg)->released++;
}

static const struct lease_handler handler = {on_acquired, on_lost, on_released};

static void begin(struct candidate *c, const char *identity)
{
    struct lease_config config = {
        .ns = "k", .name = "op", .identity = identity, .duration_ms = DURATION, .delta_ms = DELTA};

    *c = (struct candidate) {.k8s = fake_client(fake, identity)};
    c->lease = lease_new(loop, c->k8s, &rng, &config, &handler, c);
    lease_start(c->lease);
}

static void end(struct candidate *c)
{
    lease_free(c->lease);
    k8s_free(c->k8s);
    *c = (struct candidate) {0};
}

static void set_up(void)
{
    loop = loop_new_virtual(1767225600123);
    rng_init(&rng, test_seed());
    fake = fake_new(loop, test_seed());
}

static void tear_down(void)
{
    if (a.lease)
        end(&a);
    if (b.lease)
        end(&b);
    fake_free(fake);
    loop_free(loop);
}

static const json_t *object(void)
{
    return fake_get(fake, &leases, "k", "op");
}

static bool both_lead(void)
{
    return lease_held(a.lease) && lease_held(b.lease);
}

/* a holds the lease, b stands by. */
static void begin_both(void)
{
    begin(&a, "a");
    fake_run(fake, 100);
    begin(&b, "b");
}

static struct candidate *leader(void)
{
    return lease_held(a.lease) ? &a : &b;
}

static void release_with(struct lease *lease, const char *record)
{
    lease_set_record(lease, record);
    lease_release(lease);
    fake_run(fake, 2000);
}

TEST(the_first_one_creates_it)
{
    set_up();
    begin(&a, "a");
    CHECK(!lease_held(a.lease));
    CHECK_INT(lease_remaining_ms(a.lease), 0);
    fake_run(fake, 100);
    CHECK_INT(a.acquired, 1);
    CHECK(lease_held(a.lease));
    CHECK_STR(json_text_at(object(), "spec.holderIdentity"), "a");
    CHECK_INT(json_int_at(object(), "spec.leaseDurationSeconds", 0), 5);
    CHECK_INT(json_int_at(object(), "spec.leaseTransitions", -1), 0);
    const char *renewed = json_text_at(object(), "spec.renewTime");
    CHECK_INT(strlen(renewed), strlen("2026-01-01T00:00:00.123000Z"));
    CHECK_HAS(renewed, "2026-01-01T00:00:00.1");
    tear_down();
}

TEST(it_is_renewed_and_kept)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    for (int i = 0; i < 600; i++) {
        fake_run(fake, 100);
        int64_t remaining = lease_remaining_ms(a.lease);

        CHECK(remaining > DURATION - DELTA - DURATION / 3 - 50 && remaining <= DURATION - DELTA);
    }
    CHECK_INT(a.acquired, 1);
    CHECK_INT(a.lost, 0);
    CHECK(fake_count_requests(fake, K8S_PATCH, "leases") <= 37);
    tear_down();
}

TEST(of_two_one_leads)
{
    set_up();
    begin(&a, "a");
    begin(&b, "b");
    for (int i = 0; i < 1000; i++) {
        fake_run(fake, 20);
        CHECK(!both_lead());
    }
    CHECK_INT(a.acquired + b.acquired, 1);
    const struct candidate *standby = a.acquired ? &b : &a;
    CHECK_STR(lease_holder(standby->lease), a.acquired ? "a" : "b");
    tear_down();
}

TEST(a_crashed_holder_is_replaced_after_its_time)
{
    set_up();
    begin_both();
    fake_run(fake, 10000);
    int64_t crash = loop_now(loop, LOOP_BOOT);
    end(&a);
    fake_run(fake, 3000);
    CHECK_INT(b.acquired, 0);
    fake_run(fake, 4000);
    CHECK_INT(b.acquired, 1);
    CHECK(b.acquired_at - crash <= 8000); /* the budget for fail-over */
    CHECK_INT(json_int_at(object(), "spec.leaseTransitions", -1), 1);
    tear_down();
}

TEST(a_holder_that_is_cut_off_stops_before_the_next_begins)
{
    set_up();
    begin_both();
    fake_run(fake, 10000);
    fake_partition(a.k8s, true);
    for (int i = 0; i < 1000 && !b.acquired; i++) {
        fake_run(fake, 20);
        CHECK(!both_lead());
        if (lease_held(b.lease))
            CHECK(lease_remaining_ms(a.lease) <= 0);
    }
    CHECK_INT(a.lost, 1);
    CHECK_INT(b.acquired, 1);
    CHECK(a.lost_at < b.acquired_at);
    fake_partition(a.k8s, false);
    fake_run(fake, 20000);
    CHECK_INT(a.acquired, 1);
    tear_down();
}

TEST(the_fence_closes_delta_before_the_end)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    fake_partition(a.k8s, true);
    const struct k8s_fence *fence = lease_fence(a.lease);
    int64_t closed_at = 0;
    for (int i = 0; i < 600 && !a.lost; i++) {
        fake_run(fake, 10);
        if (!closed_at && fence->remaining_ms(fence->arg) <= 0)
            closed_at = loop_now(loop, LOOP_BOOT);
    }
    CHECK_INT(a.lost, 1);
    CHECK(closed_at && a.lost_at - closed_at >= DELTA - 20 && a.lost_at - closed_at <= DELTA);
    tear_down();
}

TEST(a_process_that_slept_does_not_believe_that_it_leads)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    loop_virtual_advance(loop, 60000);
    CHECK(!lease_held(a.lease)); /* before anything else happens */
    CHECK(lease_remaining_ms(a.lease) <= 0);
    fake_run(fake, 2000);
    CHECK_INT(a.lost, 1);
    CHECK_INT(a.acquired, 2); /* nobody else wanted it */
    tear_down();
}

TEST(stepping_the_clock_of_day_changes_nothing)
{
    set_up();
    begin(&a, "a");
    begin(&b, "b");
    fake_run(fake, 5000);
    loop_virtual_step_clock(loop, 3600000);
    fake_run(fake, 20000);
    loop_virtual_step_clock(loop, -7200000);
    fake_run(fake, 20000);
    CHECK_INT(a.acquired + b.acquired, 1);
    CHECK_INT(a.lost + b.lost, 0);
    tear_down();
}

TEST(a_released_lease_is_taken_at_once)
{
    set_up();
    begin_both();
    fake_run(fake, 10000);
    lease_set_record(a.lease, "{\"pods\":\"17\"}");
    int64_t start = loop_now(loop, LOOP_BOOT);
    lease_release(a.lease);
    CHECK(!lease_held(a.lease));
    CHECK_INT(a.released, 0); /* not inside */
    fake_run(fake, 2000);
    CHECK_INT(a.released, 1);
    CHECK_INT(a.lost, 0);
    CHECK_INT(b.acquired, 1);
    CHECK(b.acquired_at - start <= 50); /* of the 300 ms for a hand-over */
    CHECK_STR(lease_found_record(b.lease), "{\"pods\":\"17\"}");
    fake_run(fake, 20000);
    CHECK_INT(a.acquired, 1); /* it has left the race */
    tear_down();
}

/* An API server that has started lets all watches expire. */
TEST(a_watch_that_was_lost_is_soon_there_again)
{
    set_up();
    begin_both();
    fake_run(fake, 10000);
    fake_fail_next(fake, FAKE_EXPIRE, 1, K8S_WATCH, "leases");
    fake_end_watches(fake, false);
    fake_run(fake, 10000);
    struct candidate *first = leader(), *next = first == &a ? &b : &a;
    int64_t start = loop_now(loop, LOOP_BOOT);
    lease_release(first->lease);
    fake_run(fake, 2000);
    CHECK(lease_held(next->lease));
    CHECK(next->acquired_at - start <= 50);
    tear_down();
}

/* Who may not watch it looks at it now and then. */
TEST(a_released_lease_is_found_without_a_watch)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    fake_fail_next(fake, FAKE_FORBID, 1000, K8S_WATCH, "leases");
    begin(&b, "b");
    fake_run(fake, 10000);
    CHECK(fake_count_requests(fake, K8S_WATCH, "leases") <= 2);
    int64_t start = loop_now(loop, LOOP_BOOT);
    lease_release(a.lease);
    fake_run(fake, 2000);
    CHECK_INT(b.acquired, 1);
    CHECK(b.acquired_at - start <= 1000);
    tear_down();
}

/* A watch that is behind says nothing new. */
TEST(a_watch_that_is_behind_takes_nothing_back)
{
    set_up();
    begin_both();
    fake_run(fake, 5000);
    fake_partition(b.k8s, true);
    fake_run(fake, 500);
    fake_partition(b.k8s, false); /* events that were kept come now, older than what it reads */
    for (int i = 0; i < 300; i++) {
        fake_run(fake, 20);
        CHECK(!both_lead());
    }
    CHECK_INT(a.lost, 0);
    CHECK_INT(b.acquired, 0);
    tear_down();
}

/* Its holder does not know yet. */
TEST(a_deleted_lease_is_not_taken_from_its_holder)
{
    for (int i = 0; i < 20; i++) {
        set_up();
        begin_both();
        fake_run(fake, 5000 + i * 150);
        fake_partition(a.k8s, i % 2); /* and may not come to know */
        fake_delete(fake, &leases, "k", "op");
        for (int j = 0; j < 400; j++) {
            fake_run(fake, 20);
            CHECK(!both_lead());
        }
        CHECK_INT(a.lost, 1);
        CHECK(lease_held(a.lease) || lease_held(b.lease));
        tear_down();
    }
}

TEST(a_release_ends_in_any_case)
{
    set_up();
    begin(&a, "a"); /* before it has anything */
    lease_release(a.lease);
    fake_run(fake, 100);
    CHECK_INT(a.released, 1);
    end(&a);
    begin(&a, "a");
    fake_run(fake, 100);
    fake_partition(a.k8s, true); /* and without a network */
    lease_release(a.lease);
    fake_run(fake, 4000);
    CHECK_INT(a.released, 1);
    CHECK_INT(a.lost, 0);
    tear_down();
}

TEST(a_release_waits_for_a_renewal_under_way)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    fake_set_latency(fake, 300, 300);
    while (fake_count_requests(fake, K8S_PATCH, "leases") == 0)
        fake_run(fake, 10);
    lease_release(a.lease); /* the renewal's answer is still travelling */
    fake_run(fake, 2000);
    CHECK_INT(a.released, 1);
    CHECK_STR(json_text_at(object(), "spec.holderIdentity"), "");
    tear_down();
}

TEST(a_deleted_lease_is_lost)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    fake_delete(fake, &leases, "k", "op");
    fake_run(fake, 2000);
    CHECK_INT(a.lost, 1);
    fake_run(fake, 2000);
    CHECK_INT(a.acquired, 2);
    tear_down();
}

TEST(a_lease_that_another_took_is_lost)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    fake_patch(fake, &leases, "k", "op", "{\"spec\":{\"holderIdentity\":\"somebody\"}}");
    fake_run(fake, 2000);
    CHECK_INT(a.lost, 1);
    CHECK_STR(lease_holder(a.lease), "somebody");
    tear_down();
}

TEST(a_lease_that_was_only_annotated_is_kept)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    for (int i = 0; i < 20; i++) {
        fake_patch(fake, &leases, "k", "op",
                   i % 2 ? "{\"metadata\":{\"annotations\":{\"x\":\"1\"}}}"
                         : "{\"metadata\":{\"annotations\":{\"x\":\"2\"}}}");
        fake_run(fake, 1000);
    }
    CHECK_INT(a.lost, 0);
    tear_down();
}

TEST(lost_replies_do_not_lose_the_lease)
{
    static const enum fake_fault faults[] = {FAKE_LOSE_REPLY, FAKE_LOSE_REQUEST, FAKE_REFUSE,
                                             FAKE_THROTTLE, FAKE_CONFLICT};

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        set_up();
        fake_fail_next(fake, faults[i], 1, K8S_CREATE, "leases");
        begin(&a, "a");
        fake_run(fake, 10000);
        CHECK_INT(a.acquired, 1);
        fake_fail_next(fake, faults[i], 1, K8S_PATCH, "leases");
        fake_run(fake, 10000);
        CHECK_INT(a.lost, 0);
        tear_down();
    }
}

static void cut_off(struct candidate *c, int64_t ms)
{
    fake_partition(c->k8s, true);
    fake_run(fake, ms);
    fake_partition(c->k8s, false);
}

/* Runs out while nobody else is there. */
TEST(a_lease_that_nobody_took_goes_on)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    CHECK(!lease_continued(a.lease));
    for (int i = 0; i < 10; i++) {
        CLEANUP(free) char *acquired = xstrdup(json_text_at(object(), "spec.acquireTime"));

        cut_off(&a, 6000 + 370 * i);
        fake_fail_next(fake, i % 2 ? FAKE_LOSE_REPLY : FAKE_HANG_UP, 1 + i % 3, K8S_PATCH,
                       "leases");
        fake_run(fake, 10000);
        fake_fail_no_more(fake);
        CHECK_INT(a.lost, i + 1);
        CHECK(lease_held(a.lease) && lease_continued(a.lease));
        CHECK_INT(json_int_at(object(), "spec.leaseTransitions", -1), 0);
        CHECK_STR(json_text_at(object(), "spec.acquireTime"), acquired);
    }
    tear_down();
}

TEST(a_lease_that_another_held_does_not_go_on)
{
    set_up();
    begin_both();
    cut_off(&a, 10000);
    CHECK_INT(b.acquired, 1);
    end(&b);
    fake_run(fake, 10000);
    CHECK(lease_held(a.lease) && !lease_continued(a.lease));
    begin(&b, "b");
    cut_off(&a, 10000);
    CHECK(lease_held(b.lease) && !lease_continued(b.lease));
    lease_release(b.lease); /* and the one that takes it does not come to know at once */
    fake_fail_next(fake, FAKE_LOSE_REPLY, 2, K8S_PATCH, "leases");
    fake_run(fake, 10000);
    CHECK(lease_held(a.lease) && !lease_continued(a.lease));
    tear_down();
}

/* Whoever could not see the lease either has not seen that it was not renewed: what kept him from
 * looking kept the holder from renewing it. */
TEST(after_an_outage_the_holder_goes_on)
{
    for (int i = 0; i < 20; i++) {
        set_up();
        begin_both();
        fake_run(fake, 10000 + 177 * i);
        (i % 2 ? fake_stall : fake_stop_server)(fake, 8000 + 333 * i);
        fake_run(fake, 20000 + 333 * i);
        CHECK_INT(b.acquired, 0);
        CHECK(lease_held(a.lease) && lease_continued(a.lease));
        tear_down();
    }
}

TEST(a_holder_that_an_outage_ended_is_replaced_soon)
{
    set_up();
    begin_both();
    fake_run(fake, 10000);
    fake_stall(fake, 8000);
    end(&a);
    fake_run(fake, 8000);
    CHECK_INT(b.acquired, 0);
    fake_run(fake, 3000);
    CHECK_INT(b.acquired, 1);
    tear_down();
}

/* A candidate that stood by has seen it all the time, and nobody has through an outage. */
TEST(since_when_it_was_in_sight)
{
    set_up();
    begin_both();
    int64_t began = loop_now(loop, LOOP_BOOT);
    fake_run(fake, 60000);
    lease_release(a.lease);
    fake_run(fake, 1000);
    CHECK_INT(b.acquired, 1);
    CHECK(lease_sighted_at(b.lease) <= began + 1000);
    end(&a);
    fake_stop_server(fake, 60000);
    fake_run(fake, 70000);
    CHECK_INT(b.acquired, 2);
    CHECK(lease_sighted_at(b.lease) >= began + 120000);
    CHECK(lease_sighted_at(b.lease) <= b.acquired_at);
    tear_down();
}

/* A look that fails now and then is no outage. */
TEST(a_crashed_holder_is_replaced_in_bad_weather_too)
{
    set_up();
    fake_set_rate(fake, FAKE_REFUSE, 300);
    for (int i = 0; i < 20; i++) {
        begin(&a, "a");
        fake_run(fake, 20000);
        CHECK(lease_held(a.lease));
        begin(&b, "b");
        fake_run(fake, 10000);
        end(&a);
        fake_run(fake, 13000);
        CHECK_INT(b.acquired, 1);
        end(&b);
    }
    tear_down();
}

/* Its number of transitions tells nothing then. */
TEST(a_lease_that_was_deleted_does_not_go_on)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 100);
    fake_partition(a.k8s, true);
    fake_delete(fake, &leases, "k", "op");
    fake_run(fake, 6000);
    fake_create(fake, &leases,
                "{\"metadata\":{\"name\":\"op\",\"namespace\":\"k\"},"
                "\"spec\":{\"holderIdentity\":\"a\",\"leaseTransitions\":0}}");
    fake_partition(a.k8s, false);
    fake_run(fake, 10000);
    CHECK(lease_held(a.lease) && !lease_continued(a.lease));
    tear_down();
}

/* What was written since the backup did not happen, whoever wrote it. */
TEST(a_lease_of_a_backup_does_not_go_on)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 10000);
    fake_backup(fake);
    fake_run(fake, 10000);
    fake_partition(a.k8s, true);
    fake_run(fake, 6000);
    fake_restore(fake);
    fake_partition(a.k8s, false);
    fake_run(fake, 10000);
    CHECK_INT(a.acquired, 2);
    CHECK(!lease_continued(a.lease));
    tear_down();
}

/* What it stands for did not happen, and neither did what its holder knows. */
TEST(a_lease_that_goes_back_is_lost)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 10000);
    fake_restore(fake);
    fake_run(fake, 3000);
    CHECK_INT(a.lost, 1);
    CHECK_INT(a.acquired, 2);
    CHECK(!lease_continued(a.lease));
    fake_run(fake, 60000);
    CHECK_INT(a.lost, 1);
    tear_down();
}

/* And at once by who has a reason to look. */
TEST(a_look_finds_a_lease_that_went_back)
{
    set_up();
    begin(&a, "a");
    fake_run(fake, 10000);
    lease_look(a.lease);
    fake_run(fake, 100);
    CHECK_INT(a.lost, 0);
    fake_restore(fake);
    lease_look(a.lease);
    fake_run(fake, 100);
    CHECK_INT(a.lost, 1);
    tear_down();
}

/* Its versions are reached by what the next one knows of another time. */
TEST(a_record_from_after_a_restore_tells_those_of_before_nothing)
{
    set_up();
    begin_both();
    fake_run(fake, 10000);
    fake_restore(fake);
    fake_run(fake, 10000);
    release_with(a.lease, "{\"pods\":\"17\"}");
    CHECK_INT(b.acquired, 1);
    CHECK_STR(lease_found_record(b.lease), "");
    end(&a);
    begin(&a, "c");
    fake_run(fake, 1000);
    release_with(b.lease, "{\"pods\":\"18\"}");
    CHECK_STR(lease_found_record(a.lease), "{\"pods\":\"18\"}");
    tear_down();
}

/* That is no restore. */
TEST(an_answer_that_comes_after_newer_news_takes_no_record_away)
{
    set_up();
    begin_both();
    fake_set_latency(fake, 0, 400);
    fake_run(fake, 600000);
    fake_set_latency(fake, 0, 0);
    fake_run(fake, 1000);
    struct candidate *first = leader(), *next = first == &a ? &b : &a;
    release_with(first->lease, "{\"pods\":\"17\"}");
    CHECK_STR(lease_found_record(next->lease), "{\"pods\":\"17\"}");
    tear_down();
}

/* It may have gone back further than to where the lease was made. */
TEST(a_lease_that_was_made_anew_after_a_restore_is_of_another_time)
{
    set_up();
    fake_backup(fake);
    begin_both();
    fake_run(fake, 10000);
    fake_restore(fake);
    fake_run(fake, 10000);
    CHECK_INT(a.lost, 1);
    struct candidate *first = leader(), *next = first == &a ? &b : &a;
    release_with(first->lease, "{\"pods\":\"17\"}");
    CHECK(lease_held(next->lease));
    CHECK_STR(lease_found_record(next->lease), "");
    tear_down();
}

/* Two that fight for an hour while everything goes wrong never lead at once, and somebody mostly
 * does. */
TEST(chaos)
{
    int led = 0;

    set_up();
    begin(&a, "a");
    begin(&b, "b");
    for (int i = 0; i < FAKE_N_FAULTS; i++)
        if (i != FAKE_FORBID)
            fake_set_rate(fake, (enum fake_fault) i, 40);
    for (int i = 0; i < 36000; i++) {
        fake_run(fake, 100);
        CHECK(!both_lead());
        led += lease_held(a.lease) || lease_held(b.lease);
        if (rng_below(&rng, 300) == 0)
            fake_partition(rng_below(&rng, 2) ? a.k8s : b.k8s, rng_below(&rng, 2));
        if (rng_below(&rng, 600) == 0)
            fake_patch(fake, &leases, "k", "op", "{\"metadata\":{\"annotations\":{\"x\":null}}}");
    }
    CHECK(led > 9000);
    CHECK(a.lost + b.lost > 3);
    tear_down();
}
