/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "k8s/lanes.h"

static struct lanes lanes;
static struct list links[64];

static void add(int i, enum k8s_lane lane)
{
    lanes_add(&lanes, lane, &links[i]);
}

static int next(int64_t now)
{
    struct list *link = lanes_next(&lanes, now);

    return link ? (int) (link - links) : -1;
}

TEST(the_most_important_goes_first)
{
    lanes_init(&lanes, 10);
    add(0, K8S_LANE_EVENT);
    add(1, K8S_LANE_STATUS);
    add(2, K8S_LANE_POD);
    add(3, K8S_LANE_STATUS);
    CHECK_INT(lanes_waiting(&lanes), 4);
    CHECK_INT(next(0), 2);
    CHECK_INT(next(0), 1);
    CHECK_INT(next(0), 3);
    CHECK_INT(next(0), 0);
    CHECK_INT(next(0), -1);
    CHECK_INT(lanes_waiting(&lanes), 0);
}

TEST(so_many_at_once_but_the_lease_always)
{
    lanes_init(&lanes, 2);
    for (int i = 0; i < 3; i++)
        add(i, K8S_LANE_POD);
    CHECK_INT(next(0), 0);
    CHECK_INT(next(0), 1);
    CHECK_INT(next(0), -1);
    add(3, K8S_LANE_LEASE);
    CHECK_INT(next(0), 3);
    lanes_done(&lanes, K8S_LANE_LEASE, true, false, 0, 0);
    CHECK_INT(next(0), -1);
    lanes_done(&lanes, K8S_LANE_POD, true, false, 0, 0);
    CHECK_INT(next(0), 2);
}

TEST(one_that_waits_may_leave)
{
    lanes_init(&lanes, 2);
    add(0, K8S_LANE_POD);
    add(1, K8S_LANE_POD);
    lanes_remove(&lanes, K8S_LANE_POD, &links[0]);
    CHECK_INT(next(0), 1);
    CHECK_INT(lanes_waiting(&lanes), 0);
}

TEST(retry_after_closes_the_lane_only)
{
    lanes_init(&lanes, 8);
    add(0, K8S_LANE_POD);
    CHECK_INT(next(100), 0);
    lanes_done(&lanes, K8S_LANE_POD, true, true, 1000, 100);
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
        lanes_done(&lanes, K8S_LANE_STATUS, true, false, 0, 0);
    }
}

TEST(the_window_halves_on_429_and_grows_back)
{
    lanes_init(&lanes, 32);
    for (int i = 0; i < 10; i++) {
        lanes.in_flight = 1;
        lanes_done(&lanes, K8S_LANE_STATUS, true, true, 0, 0);
    }
    CHECK_INT(lanes.window, 1); /* never none */
    rounds(12);
    CHECK(lanes.window >= 4 && lanes.window < 8);
    rounds(2000);
    CHECK_INT(lanes.window, 32); /* never more */
}

TEST(a_window_that_is_not_used_does_not_grow)
{
    lanes_init(&lanes, 32);
    lanes.window = 8;
    for (int i = 0; i < 100; i++) {
        lanes.in_flight = 3;
        lanes_done(&lanes, K8S_LANE_STATUS, true, false, 0, 0);
    }
    CHECK_INT(lanes.window, 8);
    lanes.in_flight = 8; /* no answer is no sign of health */
    lanes_done(&lanes, K8S_LANE_STATUS, false, false, 0, 0);
    CHECK_INT(lanes.window, 8);
}
