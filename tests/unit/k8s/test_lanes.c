/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "k8s/lanes.h"

static struct lanes lanes;
static struct lanes_place places[64];

static void add_at(int64_t now, int i, enum k8s_lane lane)
{
    lanes_add(&lanes, lane, &places[i], now);
}

static void add(int i, enum k8s_lane lane)
{
    add_at(0, i, lane);
}

static int next(int64_t now)
{
    struct lanes_place *place = lanes_next(&lanes, now);

    return place ? (int) (place - places) : -1;
}

static void done_at(int64_t now, enum k8s_lane lane, struct lanes_end end)
{
    lanes_done(&lanes, lane, &end, now);
}

TEST(the_most_important_goes_first)
{
    lanes_init(&lanes, 10, 500);
    add(0, K8S_LANE_EVENT);
    add(1, K8S_LANE_STATUS);
    add(4, K8S_LANE_TRIGGER);
    add(2, K8S_LANE_POD);
    add(3, K8S_LANE_STATUS);
    CHECK_INT(lanes_waiting(&lanes), 5);
    CHECK_INT(next(0), 2);
    CHECK_INT(next(0), 4);
    CHECK_INT(next(0), 1);
    CHECK_INT(next(0), 3);
    CHECK_INT(next(0), 0);
    CHECK_INT(next(0), -1);
    CHECK_INT(lanes_waiting(&lanes), 0);
}

TEST(so_many_at_once_but_the_lease_always)
{
    lanes_init(&lanes, 2, 500);
    for (int i = 0; i < 3; i++)
        add(i, K8S_LANE_POD);
    CHECK_INT(next(0), 0);
    CHECK_INT(next(0), 1);
    CHECK_INT(next(0), -1);
    add(3, K8S_LANE_LEASE);
    CHECK_INT(next(0), 3);
    done_at(0, K8S_LANE_LEASE,
            (struct lanes_end) {.answered = true, .throttled = false, .retry_after_ms = 0});
    CHECK_INT(next(0), -1);
    done_at(0, K8S_LANE_POD,
            (struct lanes_end) {.answered = true, .throttled = false, .retry_after_ms = 0});
    CHECK_INT(next(0), 2);
}

TEST(one_that_waits_may_leave)
{
    lanes_init(&lanes, 2, 500);
    add(0, K8S_LANE_POD);
    add(1, K8S_LANE_POD);
    lanes_remove(&lanes, K8S_LANE_POD, &places[0]);
    CHECK_INT(next(0), 1);
    CHECK_INT(lanes_waiting(&lanes), 0);
}

TEST(retry_after_closes_the_lane_only)
{
    lanes_init(&lanes, 8, 500);
    add(0, K8S_LANE_POD);
    CHECK_INT(next(100), 0);
    done_at(100, K8S_LANE_POD,
            (struct lanes_end) {.answered = true, .throttled = true, .retry_after_ms = 1000});
    add(1, K8S_LANE_POD);
    add(2, K8S_LANE_STATUS);
    CHECK_INT(next(200), 2);
    CHECK_INT(next(200), -1);
    CHECK_INT(lanes_opens_at(&lanes, 200), 1100);
    CHECK_INT(next(1099), -1);
    CHECK_INT(next(1100), 1);
    CHECK_INT(lanes_opens_at(&lanes, 1100), -1);
}

/* Keeps the window full with requests that are answered. */
static void rounds(int n)
{
    for (int i = 0; i < n; i++) {
        while (lanes.in_flight < (int) lanes.window)
            lanes.in_flight++;
        done_at(0, K8S_LANE_STATUS,
                (struct lanes_end) {.answered = true, .throttled = false, .retry_after_ms = 0});
    }
}

TEST(the_window_halves_on_429_and_grows_back)
{
    lanes_init(&lanes, 32, 500);
    for (int i = 0; i < 10; i++) {
        lanes.in_flight = 1;
        done_at(0, K8S_LANE_STATUS,
                (struct lanes_end) {.answered = true, .throttled = true, .retry_after_ms = 0});
    }
    CHECK_INT(lanes.window, LANES_MIN_WINDOW); /* never none */
    rounds(12);
    CHECK(lanes.window >= 4 && lanes.window < 8);
    rounds(2000);
    CHECK_INT(lanes.window, 32); /* never more */
}

TEST(a_window_that_is_not_used_does_not_grow)
{
    lanes_init(&lanes, 32, 500);
    lanes.window = 8;
    for (int i = 0; i < 100; i++) {
        lanes.in_flight = 3;
        done_at(0, K8S_LANE_STATUS,
                (struct lanes_end) {.answered = true, .throttled = false, .retry_after_ms = 0});
    }
    CHECK_INT(lanes.window, 8);
    lanes.in_flight = 8; /* no answer is no sign of health */
    done_at(0, K8S_LANE_STATUS,
            (struct lanes_end) {.answered = false, .throttled = false, .retry_after_ms = 0});
    CHECK_INT(lanes.window, 8);
}

/* Those that were under way together are one sign, not many. */
TEST(time_outs_halve_the_window_once_a_round)
{
    struct lanes_end overdue = {.overdue = true, .took_ms = 2000};

    lanes_init(&lanes, 32, 500);
    lanes.in_flight = 32;
    for (int i = 0; i < 32; i++)
        done_at(10000, K8S_LANE_POD, overdue);
    CHECK_INT(lanes.window, 16);
    lanes.in_flight = 16;
    done_at(11999, K8S_LANE_POD, overdue); /* sent before that was known */
    CHECK_INT(lanes.window, 16);
    done_at(12000, K8S_LANE_POD, overdue);
    CHECK_INT(lanes.window, 8);
    for (int64_t t = 14000; t < 30000; t += 2000)
        done_at(t, K8S_LANE_POD, overdue);
    CHECK_INT(lanes.window, LANES_MIN_WINDOW);
}

TEST(slow_answers_narrow_it_and_quick_ones_widen_it)
{
    lanes_init(&lanes, 32, 500);
    lanes.in_flight = 32;
    done_at(1000, K8S_LANE_POD, (struct lanes_end) {.answered = true, .took_ms = 500});
    CHECK_INT(lanes.window, 16);
    lanes.in_flight = 16;
    done_at(2000, K8S_LANE_POD, (struct lanes_end) {.answered = true, .took_ms = 300});
    CHECK_INT(lanes.window, 16); /* neither */
    lanes.in_flight = 16;
    done_at(2000, K8S_LANE_POD, (struct lanes_end) {.answered = true, .took_ms = 200});
    CHECK(lanes.window > 16);
}

/* Lists may take half a minute; what runs must not wait for them. */
TEST(reads_have_half_of_it)
{
    lanes_init(&lanes, 4, 500);
    for (int i = 0; i < 4; i++)
        add(i, K8S_LANE_READ);
    CHECK_INT(next(0), 0);
    CHECK_INT(next(0), 1);
    CHECK_INT(next(0), -1);
    add(4, K8S_LANE_EVENT);
    CHECK_INT(next(0), 4);
    done_at(0, K8S_LANE_READ, (struct lanes_end) {.answered = true});
    CHECK_INT(next(0), 2);
    lanes_init(&lanes, 1, 500); /* and one of one */
    add(0, K8S_LANE_READ);
    CHECK_INT(next(0), 0);
}

/* Who has waited for long gets every other turn, lane after lane; the others go by importance. */
TEST(what_has_waited_for_long_goes_now_and_then)
{
    static const int first[] = {9, 0, 6, 1, 7, 2, 8, 3, 4, -1};

    lanes_init(&lanes, 20, 500);
    for (int i = 0; i < 5; i++)
        add(i, K8S_LANE_POD);
    add(9, K8S_LANE_TRIGGER);
    add(6, K8S_LANE_STATUS);
    add(7, K8S_LANE_READ);
    add(8, K8S_LANE_EVENT);
    for (size_t i = 0; i < ARRAY_SIZE(first); i++)
        CHECK_INT(next(LANES_PATIENCE_MS), first[i]);
}

TEST(what_has_not_waited_for_long_goes_by_importance)
{
    lanes_init(&lanes, 20, 500);
    add_at(1, 0, K8S_LANE_READ);
    for (int i = 1; i < 4; i++)
        add_at(0, i, K8S_LANE_POD);
    for (int i = 1; i < 4; i++)
        CHECK_INT(next(LANES_PATIENCE_MS), i);
    CHECK_INT(next(LANES_PATIENCE_MS), 0);
}

/* A lane that is closed, or has its half, gives its turn to others; the lease takes nobody's. */
TEST(a_turn_is_for_who_may_go)
{
    lanes_init(&lanes, 2, 500);
    lanes.closed_until[K8S_LANE_STATUS] = 1000;
    lanes.reads = 1;
    add(0, K8S_LANE_POD);
    add(1, K8S_LANE_STATUS);
    add(2, K8S_LANE_READ);
    add(3, K8S_LANE_DELETE);
    add(4, K8S_LANE_LEASE);
    CHECK_INT(next(500), 4);
    CHECK_INT(next(500), 3);
    CHECK_INT(next(500), 0);
}

/* Slow answers, and pods without end: the rest goes before it is too late. */
TEST(no_lane_starves)
{
    static const enum k8s_lane lower[] = {K8S_LANE_STATUS, K8S_LANE_READ};
    int went = 0;

    lanes_init(&lanes, 64, 500);
    lanes.window = LANES_MIN_WINDOW;
    for (int i = 0; i < 40; i++)
        add(i, i % 2 ? K8S_LANE_POD : K8S_LANE_TRIGGER);
    for (int i = 0; i < 2; i++)
        add(40 + i, lower[i]);
    for (int64_t now = 0; now < 2000; now += 500) {
        enum k8s_lane lane[LANES_MIN_WINDOW];

        for (int i = 0; i < LANES_MIN_WINDOW; i++) {
            int who = next(now);

            went += who >= 40;
            lane[i] = who >= 40 ? lower[who - 40] : K8S_LANE_POD;
        }
        for (int i = 0; i < LANES_MIN_WINDOW; i++)
            done_at(now + 500, lane[i], (struct lanes_end) {.answered = true, .took_ms = 500});
    }
    CHECK_INT(went, 2);
    CHECK_INT(lanes.window, LANES_MIN_WINDOW);
}
