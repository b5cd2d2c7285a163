/* SPDX-License-Identifier: Apache-2.0 */
/* Timers and tasks: what holds for real and virtual loops alike runs on both. */
#include "base/loop.h"

#include "base/buf.h"
#include "test.h"

#define NEW_YEAR INT64_C(1767225600000)

static struct loop *loop;
static struct buf story; /* what happened, a letter each */

static void begin(bool is_virtual)
{
    loop = is_virtual ? loop_new_virtual(NEW_YEAR) : loop_new();
    buf_clear(&story);
}

static void end(void)
{
    loop_free(loop);
    buf_done(&story);
}

#define ON_BOTH(name)                                                                              \
    static void name##_on(bool is_virtual);                                                        \
    TEST(name)                                                                                     \
    {                                                                                              \
        name##_on(false);                                                                          \
        name##_on(true);                                                                           \
    }                                                                                              \
    static void name##_on(bool is_virtual)

static void tell(void *arg)
{
    buf_adds(&story, arg);
}

/* clang-format off */
#define TIMER(text) {.on_time = tell, .arg = (char[]) {text}}
#define TASK(text)  {.on_turn = tell, .arg = (char[]) {text}}
/* clang-format on */

static int64_t now(enum loop_clock clock)
{
    return loop_now(loop, clock);
}

static void turns_until(size_t story_len)
{
    while (story.len < story_len)
        CHECK(loop_turn(loop, 5000));
}

ON_BOTH(timers_fire_in_their_order)
{
    begin(is_virtual);
    struct loop_timer a = TIMER("a"), b = TIMER("b"), c = TIMER("c"), d = TIMER("d");

    for (int i = 0; i < LOOP_N_CLOCKS; i++) {
        enum loop_clock clock = (enum loop_clock) i;
        int64_t start = now(clock);

        loop_timer_set(loop, &c, clock, start + 9);
        loop_timer_set(loop, &a, clock, start + 3);
        loop_timer_set(loop, &b, clock, start + 6);
        loop_timer_set(loop, &d, clock, start + 9);
        CHECK(loop_timer_armed(&a) && loop_timer_armed(&d));
        turns_until(4);
        CHECK_STR(story.data, "abcd");
        CHECK(now(clock) >= start + 9);
        CHECK(!loop_timer_armed(&a) && !loop_timer_armed(&d));
        buf_clear(&story);
    }
    end();
}

ON_BOTH(no_timer_fires_early)
{
    begin(is_virtual);
    for (int i = 0; i < 20; i++) {
        struct loop_timer t = TIMER("x");
        enum loop_clock clock = (enum loop_clock)(i % LOOP_N_CLOCKS);
        int64_t at = now(clock) + 1 + i % 3;

        loop_timer_set(loop, &t, clock, at);
        turns_until((size_t) i + 1);
        CHECK(now(clock) >= at);
    }
    end();
}

ON_BOTH(a_time_in_the_past_is_the_next_turn)
{
    begin(is_virtual);
    struct loop_timer a = TIMER("a"), b = TIMER("b"), c = TIMER("c");

    loop_timer_set(loop, &a, LOOP_MONOTONIC, now(LOOP_MONOTONIC) - 1000);
    loop_timer_set(loop, &b, LOOP_OF_DAY, 0);
    loop_timer_set(loop, &c, LOOP_BOOT, INT64_MIN);
    CHECK_STR(buf_text(&story), "");
    CHECK(loop_turn(loop, -1));
    CHECK_INT(story.len, 3);
    end();
}

ON_BOTH(moving_and_cancelling_timers)
{
    begin(is_virtual);
    struct loop_timer a = TIMER("a"), b = TIMER("b"), c = TIMER("c");
    int64_t start = now(LOOP_MONOTONIC);

    loop_timer_cancel(loop, &a);
    loop_timer_set(loop, &a, LOOP_MONOTONIC, start + 1);
    loop_timer_set(loop, &b, LOOP_MONOTONIC, start + 2);
    loop_timer_set(loop, &c, LOOP_MONOTONIC, start + 10);
    loop_timer_set(loop, &a, LOOP_OF_DAY, now(LOOP_OF_DAY) + 5); /* and to another clock */
    loop_timer_cancel(loop, &b);
    CHECK(!loop_timer_armed(&b));
    turns_until(2);
    CHECK_STR(story.data, "ac");
    end();
}

struct again {
    struct loop_timer timer;
    struct loop_task task;
    int n;
};

static void set_again(void *arg)
{
    struct again *a = arg;

    if (++a->n < 3)
        loop_timer_set(loop, &a->timer, LOOP_MONOTONIC, 0);
}

static void queue_again(void *arg)
{
    struct again *a = arg;

    a->n++;
    loop_task_queue(loop, &a->task);
}

ON_BOTH(a_timer_set_in_its_callback_fires_in_the_next_turn)
{
    begin(is_virtual);
    struct again a = {.timer = {.on_time = set_again, .arg = &a}};

    loop_timer_set(loop, &a.timer, LOOP_MONOTONIC, 0);
    for (int turn = 1; turn <= 3; turn++) {
        CHECK(loop_turn(loop, -1));
        CHECK_INT(a.n, turn);
    }
    CHECK(!loop_timer_armed(&a.timer));
    end();
}

ON_BOTH(a_task_that_queues_itself_runs_in_the_next_turn)
{
    begin(is_virtual);
    struct again a = {.task = {.on_turn = queue_again, .arg = &a}};
    struct loop_timer t = TIMER("t");

    loop_timer_set(loop, &t, LOOP_MONOTONIC, 0);
    queue_again(&a);
    for (int turn = 1; turn <= 3; turn++) {
        CHECK(loop_turn(loop, -1));
        CHECK_INT(a.n, turn + 1);
    }
    CHECK_STR(buf_text(&story), "t"); /* timers are not starved */
    loop_task_cancel(&a.task);
    loop_turn(loop, 0);
    CHECK_INT(a.n, 4);
    end();
}

ON_BOTH(tasks_run_once_and_in_order)
{
    begin(is_virtual);
    struct loop_task a = TASK("a"), b = TASK("b"), c = TASK("c");

    loop_task_queue(loop, &b);
    loop_task_queue(loop, &a);
    loop_task_queue(loop, &b);
    loop_task_queue(loop, &c);
    loop_task_cancel(&c);
    loop_task_cancel(&c);
    CHECK_STR(buf_text(&story), "");
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "ba");
    loop_turn(loop, 0);
    CHECK_STR(story.data, "ba");
    end();
}

/* The first of two to be called removes both. */
struct pair {
    struct loop_timer timers[2];
    struct loop_task tasks[2];
    int n_calls;
};

static void remove_both(void *arg)
{
    struct pair *p = arg;

    p->n_calls++;
    for (int i = 0; i < 2; i++) {
        loop_timer_cancel(loop, &p->timers[i]);
        loop_task_cancel(&p->tasks[i]);
    }
}

ON_BOTH(what_is_removed_is_not_called)
{
    begin(is_virtual);
    struct pair p = {0};

    for (int i = 0; i < 2; i++) {
        p.timers[i] = (struct loop_timer) {.on_time = remove_both, .arg = &p};
        loop_timer_set(loop, &p.timers[i], LOOP_MONOTONIC, 0);
    }
    CHECK(loop_turn(loop, -1));
    CHECK_INT(p.n_calls, 1);
    for (int i = 0; i < 2; i++) {
        p.tasks[i] = (struct loop_task) {.on_turn = remove_both, .arg = &p};
        loop_task_queue(loop, &p.tasks[i]);
        loop_timer_set(loop, &p.timers[i], LOOP_OF_DAY, 0);
    }
    CHECK(loop_turn(loop, -1));
    CHECK_INT(p.n_calls, 2);
    loop_turn(loop, 0);
    CHECK_INT(p.n_calls, 2);
    end();
}

/* A timer that moves another one which is due in the same turn. */
static void postpone(void *arg)
{
    loop_timer_set(loop, arg, LOOP_MONOTONIC, now(LOOP_MONOTONIC) + 3);
    tell((char[]) {"p"});
}

ON_BOTH(a_due_timer_may_still_be_postponed)
{
    begin(is_virtual);
    struct loop_timer late = TIMER("x"), first = {.on_time = postpone, .arg = &late};

    loop_timer_set(loop, &first, LOOP_MONOTONIC, 0);
    loop_timer_set(loop, &late, LOOP_MONOTONIC, 1);
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "p");
    CHECK(loop_timer_armed(&late));
    turns_until(2);
    CHECK_STR(story.data, "px");
    end();
}

static void check_time_stands_still(void *arg)
{
    int64_t *before = arg;

    *before = now(LOOP_OF_DAY);
    while (loop_now_fresh(loop, LOOP_OF_DAY) < *before + 3)
        ;
    CHECK_INT(now(LOOP_OF_DAY), *before);
}

TEST(time_stands_still_during_a_turn)
{
    int64_t before;
    struct loop_task t = {.on_turn = check_time_stands_still, .arg = &before};

    begin(false);
    loop_longest_turn_us(loop);
    loop_task_queue(loop, &t);
    loop_turn(loop, 0);
    CHECK(loop_longest_turn_us(loop) > 1900);
    CHECK_INT(loop_longest_turn_us(loop), 0);
    loop_turn(loop, 0);
    CHECK(now(LOOP_OF_DAY) >= before + 3);
    end();
}

static void stop(void *arg)
{
    (void) arg;
    buf_adds(&story, "s");
    loop_stop(loop);
}

ON_BOTH(running_until_stopped)
{
    begin(is_virtual);
    struct loop_timer s = {.on_time = stop}, never = TIMER("x");

    loop_timer_set(loop, &s, LOOP_MONOTONIC, now(LOOP_MONOTONIC) + 2);
    loop_timer_set(loop, &never, LOOP_MONOTONIC, now(LOOP_MONOTONIC) + 3600000);
    loop_run(loop);
    CHECK_STR(story.data, "s");
    CHECK(loop_timer_armed(&never));
    end();
}

ON_BOTH(waiting_ends_at_its_maximum)
{
    begin(is_virtual);
    struct loop_timer t = TIMER("x");
    int64_t start = now(LOOP_MONOTONIC);

    loop_timer_set(loop, &t, LOOP_MONOTONIC, start + 3600000);
    CHECK(loop_turn(loop, 5));
    CHECK(now(LOOP_MONOTONIC) >= start + 5 && now(LOOP_MONOTONIC) < start + 60000);
    CHECK_STR(buf_text(&story), "");
    end();
}

/* A loop that waits inside of another one is not asked while that one waits. */
TEST(clocks_are_read_between_turns_when_asked)
{
    begin(false);
    int64_t before = now(LOOP_MONOTONIC), later;

    while ((later = loop_now_fresh(loop, LOOP_MONOTONIC)) == before)
        ;
    CHECK_INT(now(LOOP_MONOTONIC), before);
    loop_refresh(loop);
    CHECK(now(LOOP_MONOTONIC) >= later);
    end();
}

TEST(virtual_time_goes_where_the_next_timer_is)
{
    struct loop_timer a = TIMER("a"), b = TIMER("b");

    begin(true);
    CHECK_INT(now(LOOP_OF_DAY), NEW_YEAR);
    CHECK(!loop_turn(loop, -1));
    CHECK(!loop_turn(loop, 0));
    loop_timer_set(loop, &a, LOOP_OF_DAY, NEW_YEAR + INT64_C(30) * 86400000);
    loop_timer_set(loop, &b, LOOP_MONOTONIC, now(LOOP_MONOTONIC) + 1);
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "b");
    CHECK_INT(now(LOOP_OF_DAY), NEW_YEAR + 1);
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "ba");
    CHECK_INT(now(LOOP_OF_DAY), NEW_YEAR + INT64_C(30) * 86400000);
    CHECK_INT(loop_now_fresh(loop, LOOP_OF_DAY), now(LOOP_OF_DAY));
    CHECK(!loop_turn(loop, -1));
    end();
}

TEST(tasks_do_not_move_virtual_time)
{
    struct loop_task task = TASK("t");
    struct loop_timer timer = TIMER("m");

    begin(true);
    loop_timer_set(loop, &timer, LOOP_OF_DAY, NEW_YEAR + 5);
    loop_task_queue(loop, &task);
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "t");
    CHECK_INT(now(LOOP_OF_DAY), NEW_YEAR);
    end();
}

TEST(setting_the_clock_of_day_moves_only_its_timers)
{
    struct loop_timer day = TIMER("d"), mono = TIMER("m");

    begin(true);
    int64_t start = now(LOOP_MONOTONIC);
    loop_timer_set(loop, &day, LOOP_OF_DAY, NEW_YEAR + 1000);
    loop_timer_set(loop, &mono, LOOP_MONOTONIC, start + 500);
    loop_virtual_step_clock(loop, 900); /* forwards: due in 100 */
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "d");
    CHECK_INT(now(LOOP_MONOTONIC), start + 100);
    loop_timer_set(loop, &day, LOOP_OF_DAY, now(LOOP_OF_DAY) + 100);
    loop_virtual_step_clock(loop, -10000); /* backwards: due in 10100 */
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "dm");
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "dmd");
    CHECK_INT(now(LOOP_MONOTONIC), start + 100 + 10100);
    end();
}

TEST(a_frozen_process_finds_all_timers_due)
{
    struct loop_timer a = TIMER("a"), b = TIMER("b"), c = TIMER("c");

    begin(true);
    loop_timer_set(loop, &b, LOOP_BOOT, now(LOOP_BOOT) + 20);
    loop_timer_set(loop, &a, LOOP_BOOT, now(LOOP_BOOT) + 10);
    loop_timer_set(loop, &c, LOOP_BOOT, now(LOOP_BOOT) + 60001);
    int64_t start = now(LOOP_BOOT);
    loop_virtual_advance(loop, 60000);
    CHECK(loop_turn(loop, -1));
    CHECK_STR(story.data, "ab");
    CHECK_INT(now(LOOP_BOOT), start + 60000);
    end();
}

TEST(a_machine_that_sleeps_counts_by_some_clocks_only)
{
    struct loop_timer boot = TIMER("b"), mono = TIMER("m");

    begin(true);
    CHECK_INT(loop_virtual_wait(loop), -1);
    loop_timer_set(loop, &mono, LOOP_MONOTONIC, now(LOOP_MONOTONIC) + 5000);
    loop_timer_set(loop, &boot, LOOP_BOOT, now(LOOP_BOOT) + 6000);
    CHECK_INT(loop_virtual_wait(loop), 5000);
    int64_t day = now(LOOP_OF_DAY);
    loop_virtual_sleep(loop, 60000);
    CHECK_INT(now(LOOP_OF_DAY), day + 60000);
    CHECK_INT(loop_virtual_wait(loop), 0);
    CHECK(loop_turn(loop, 0));
    CHECK_STR(story.data, "b");
    CHECK_INT(loop_virtual_wait(loop), 5000);
    end();
}
