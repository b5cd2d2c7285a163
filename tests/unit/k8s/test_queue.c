/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "k8s/queue.h"

struct thing {
    struct work work;
    enum work_result next; /* what its step returns */
    int steps, again;      /* again: so many times WORK_AGAIN first */
    bool adds_itself, ends_itself;
};

static struct loop *loop;
static struct rng rng;
static struct queue queue;
static int order[1000], n_order;

static enum work_result on_step(struct work *w)
{
    struct thing *t = container_of(w, struct thing, work);

    order[n_order++ % 1000] = t->steps++;
    if (t->adds_itself) {
        t->adds_itself = false;
        work_add(w);
    }
    if (t->ends_itself) {
        work_done(w);
        memset(t, 0xAA, sizeof(*t));
        return WORK_AGAIN;
    }
    if (t->again > 0) {
        t->again--;
        return WORK_AGAIN;
    }
    return t->next;
}

static void set_up(int max_busy)
{
    loop = loop_new_virtual(0);
    rng_init(&rng, 1);
    n_order = 0;
    queue_init(&queue, loop, &rng, on_step, max_busy);
}

static void tear_down(struct thing *things, int n)
{
    for (int i = 0; i < n; i++)
        work_done(&things[i].work);
    queue_done(&queue);
    CHECK(!loop_turn(loop, -1)); /* no timer and no task is left */
    loop_free(loop);
}

static struct thing *new_things(struct thing *things, int n, enum work_result next)
{
    memset(things, 0, (size_t) n * sizeof(*things));
    for (int i = 0; i < n; i++) {
        work_init(&things[i].work, &queue);
        things[i].next = next;
    }
    return things;
}

static int64_t now(void)
{
    return loop_now(loop, LOOP_MONOTONIC);
}

TEST(no_step_runs_inside_work_add)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_DONE);
    work_add(&t->work);
    work_add(&t->work);
    CHECK_INT(t->steps, 0);
    CHECK_INT(queue_length(&queue), 1);
    loop_turn(loop, 0);
    CHECK_INT(t->steps, 1);
    CHECK_INT(queue_length(&queue), 0);
    CHECK(!loop_turn(loop, -1));
    tear_down(t, 1);
}

TEST(work_that_was_added_while_busy_is_looked_at_again)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_BUSY);
    work_add(&t->work);
    loop_turn(loop, 0);
    work_add(&t->work);
    CHECK(!loop_turn(loop, -1)); /* never twice at once */
    CHECK_INT(t->steps, 1);
    work_finish(&t->work, WORK_DONE);
    CHECK_INT(t->steps, 1);
    loop_turn(loop, 0);
    CHECK_INT(t->steps, 2);
    work_finish(&t->work, WORK_DONE);
    CHECK(!loop_turn(loop, -1));
    tear_down(t, 1);
}

TEST(work_that_adds_itself_in_its_step_runs_once_more)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_DONE)->adds_itself = true;
    work_add(&t->work);
    while (loop_turn(loop, -1))
        ;
    CHECK_INT(t->steps, 2);
    tear_down(t, 1);
}

TEST(again_goes_to_the_end_of_the_queue)
{
    struct thing t[2];

    set_up(0);
    new_things(t, 2, WORK_DONE)->again = 2;
    work_add(&t[0].work);
    work_add(&t[1].work);
    loop_turn(loop, 0);
    CHECK_INT(t[0].steps, 3);
    CHECK_INT(order[1], 0); /* the other one came between */
    tear_down(t, 2);
}

TEST(what_is_urgent_comes_first)
{
    struct thing things[4];

    set_up(0);
    new_things(things, 4, WORK_DONE);
    for (int i = 0; i < 4; i++) {
        things[i].steps = 10 * i;
        things[i].work.urgent = i % 2;
        work_add(&things[i].work);
    }
    loop_turn(loop, 0);
    CHECK_INT(n_order, 4);
    CHECK_INT(order[0], 10);
    CHECK_INT(order[1], 30);
    CHECK_INT(order[2], 0);
    CHECK_INT(order[3], 20);
    tear_down(things, 4);
}

TEST(a_turn_is_bounded)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_AGAIN);
    work_add(&t->work);
    for (int turns = 1; turns <= 3; turns++) {
        loop_turn(loop, 0);
        CHECK_INT(t->steps, turns * QUEUE_STEPS_PER_TURN);
    }
    tear_down(t, 1);
}

TEST(failures_back_off_and_success_resets)
{
    struct thing t[1];
    int64_t delay = QUEUE_BACKOFF_MIN_MS;

    set_up(0);
    new_things(t, 1, WORK_RETRY);
    work_add(&t->work);
    loop_turn(loop, 0);
    for (int i = 1; i < 14; i++) {
        int64_t before = now();

        CHECK(loop_turn(loop, -1)); /* the timer */
        CHECK(loop_turn(loop, 0));  /* the step */
        CHECK_INT(t->steps, i + 1);
        CHECK(now() - before >= delay / 2 && now() - before <= delay);
        delay = 2 * delay < QUEUE_BACKOFF_MAX_MS ? 2 * delay : QUEUE_BACKOFF_MAX_MS;
    }
    t->next = WORK_DONE;
    work_add(&t->work);
    loop_turn(loop, 0);
    CHECK_INT(t->work.failures, 0);
    CHECK(!loop_turn(loop, -1));
    tear_down(t, 1);
}

/* Attempts that never left say nothing about the work: however many there were, it is soon looked
 * at, and what fails then begins where it was. */
TEST(what_could_not_be_tried_is_tried_again_soon)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_AWAY);
    work_add(&t->work);
    loop_turn(loop, 0);
    for (int i = 0; i < 30; i++) {
        int64_t at = now();

        loop_turn(loop, -1);
        loop_turn(loop, 0);
        CHECK_INT(t->steps, i + 2);
        CHECK(now() - at >= QUEUE_BACKOFF_MIN_MS / 2 && now() - at <= QUEUE_AWAY_MAX_MS);
    }
    t->next = WORK_RETRY;
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    int64_t failed = now();
    loop_turn(loop, -1);
    CHECK(now() - failed <= 2 * QUEUE_AWAY_MAX_MS);
    tear_down(t, 1);
}

TEST(an_event_cuts_a_backoff_short_but_not_retry_after)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_RETRY);
    work_add(&t->work);
    loop_turn(loop, 0);
    int64_t before = now();
    work_add(&t->work);
    loop_turn(loop, 0);
    CHECK_INT(now(), before);
    CHECK_INT(t->steps, 2);

    t->next = WORK_BUSY;
    work_add(&t->work);
    loop_turn(loop, 0);
    work_finish_after(&t->work, 5000);
    work_add(&t->work);
    CHECK_INT(queue_length(&queue), 0);
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    CHECK_INT(t->steps, 4);
    CHECK(now() - before >= 5000);
    work_finish(&t->work, WORK_DONE);
    tear_down(t, 1);
}

TEST(a_failed_step_that_is_dirty_is_looked_at_at_once)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_BUSY);
    work_add(&t->work);
    loop_turn(loop, 0);
    work_add(&t->work);
    work_finish(&t->work, WORK_RETRY);
    CHECK_INT(queue_length(&queue), 1);
    CHECK_INT(t->work.failures, 1);
    tear_down(t, 1);
}

TEST(so_many_steps_are_in_flight_and_no_more)
{
    struct thing t[5];

    set_up(2);
    new_things(t, 5, WORK_BUSY);
    for (int i = 0; i < 5; i++)
        work_add(&t[i].work);
    loop_turn(loop, 0);
    CHECK_INT(queue.n_busy, 2);
    CHECK_INT(queue_length(&queue), 3);
    CHECK(!loop_turn(loop, -1));
    work_finish(&t[0].work, WORK_DONE);
    loop_turn(loop, 0);
    CHECK_INT(t[2].steps, 1);
    work_done(&t[1].work); /* its owner gave up */
    loop_turn(loop, 0);
    CHECK_INT(t[3].steps, 1);
    CHECK_INT(queue.n_busy, 2);
    tear_down(t, 5);
}

TEST(a_paused_queue_takes_work_and_starts_none)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_DONE);
    queue_pause(&queue, true);
    work_add(&t->work);
    CHECK(!loop_turn(loop, -1));
    queue_pause(&queue, false);
    loop_turn(loop, 0);
    CHECK_INT(t->steps, 1);
    tear_down(t, 1);
}

TEST(a_step_may_end_its_own_work)
{
    struct thing t[2];

    set_up(1);
    new_things(t, 2, WORK_DONE)->ends_itself = true;
    work_add(&t[0].work);
    work_add(&t[1].work);
    loop_turn(loop, 0);
    CHECK_INT(queue.n_busy, 0);
    CHECK_INT(t[1].steps, 1);
    tear_down(&t[1], 1);
}

TEST(the_earliest_alarm_stays)
{
    struct thing t[1];

    set_up(0);
    new_things(t, 1, WORK_DONE);
    int64_t start = now();
    work_add_at(&t->work, LOOP_OF_DAY, 5000);
    work_add_at(&t->work, LOOP_MONOTONIC, start + 3000);
    work_add_at(&t->work, LOOP_OF_DAY, 4000);
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    CHECK_INT(t->steps, 1);
    CHECK_INT(now() - start, 3000);
    CHECK(!loop_turn(loop, -1));
    tear_down(t, 1);
}
