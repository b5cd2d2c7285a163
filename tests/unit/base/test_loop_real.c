/* SPDX-License-Identifier: Apache-2.0 */
/* What only real loops have: descriptors, signals, nesting, the system's clocks. */
#include "base/loop.h"

#include "base/buf.h"
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

static struct loop *loop;
static struct buf story; /* what happened, a letter each */

static void begin(void)
{
    loop = loop_new();
    buf_clear(&story);
}

static void end(void)
{
    loop_free(loop);
    buf_done(&story);
}

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

struct pipe_io {
    int fds[2];
    struct loop_io io;
    const char *name;
    struct pipe_io *victim; /* removed when this is called */
    uint32_t events;
};

static void on_pipe(uint32_t events, void *arg)
{
    struct pipe_io *p = arg;
    char c;

    p->events = events;
    buf_adds(&story, p->name);
    if (read(p->fds[0], &c, 1) < 0)
        buf_addc(&story, '!');
    if (p->victim)
        loop_io_remove(loop, &p->victim->io);
}

static void pipe_open(struct pipe_io *p, const char *name)
{
    *p = (struct pipe_io) {.name = name};
    CHECK_INT(pipe2(p->fds, O_CLOEXEC | O_NONBLOCK), 0);
    p->io = (struct loop_io) {.fd = p->fds[0], .on_ready = on_pipe, .arg = p};
    loop_io_add(loop, &p->io, EPOLLIN);
}

static void pipe_put(struct pipe_io *p)
{
    CHECK_INT(write(p->fds[1], "x", 1), 1);
}

static void pipe_close(struct pipe_io *p)
{
    loop_io_remove(loop, &p->io);
    loop_io_remove(loop, &p->io);
    close(p->fds[0]);
    close(p->fds[1]);
}

TEST(descriptors_become_ready)
{
    struct pipe_io a;

    begin();
    pipe_open(&a, "a");
    loop_turn(loop, 0);
    CHECK_STR(buf_text(&story), "");
    pipe_put(&a);
    pipe_put(&a);
    loop_turn(loop, -1);
    CHECK_STR(story.data, "a");
    CHECK_INT(a.events, EPOLLIN);
    loop_turn(loop, -1); /* level-triggered */
    CHECK_STR(story.data, "aa");
    loop_turn(loop, 0);
    CHECK_STR(story.data, "aa");
    pipe_close(&a);
    end();
}

TEST(interest_changes_and_ends)
{
    struct pipe_io a;

    begin();
    pipe_open(&a, "a");
    pipe_put(&a);
    loop_io_change(loop, &a.io, 0);
    loop_turn(loop, 0);
    CHECK_STR(buf_text(&story), "");
    loop_io_change(loop, &a.io, EPOLLIN);
    loop_turn(loop, -1);
    CHECK_STR(story.data, "a");
    pipe_put(&a);
    loop_io_remove(loop, &a.io);
    loop_turn(loop, 0);
    CHECK_STR(story.data, "a");
    loop_io_add(loop, &a.io, EPOLLIN);
    loop_turn(loop, -1);
    CHECK_STR(story.data, "aa");
    pipe_close(&a);
    end();
}

TEST(a_descriptor_removed_in_the_same_turn_is_not_called)
{
    struct pipe_io a, b;

    begin();
    pipe_open(&a, "a");
    pipe_open(&b, "b");
    a.victim = &b;
    b.victim = &a;
    pipe_put(&a);
    pipe_put(&b);
    loop_turn(loop, -1);
    CHECK_INT(story.len, 1);
    loop_turn(loop, 0);
    CHECK_INT(story.len, 1);
    pipe_close(&a);
    pipe_close(&b);
    end();
}

struct owner {
    struct pipe_io *pipe; /* lives on the heap and is given up by a task */
};

static void give_up(void *arg)
{
    struct owner *o = arg;

    pipe_close(o->pipe);
    loop_free_later(loop, o->pipe);
    o->pipe = NULL;
}

/* Tasks run before descriptors: the event of this turn still names the struct. */
TEST(memory_outlives_the_events_that_name_it)
{
    struct owner o;
    struct loop_task t = {.on_turn = give_up, .arg = &o};

    begin();
    o.pipe = NEW(struct pipe_io);
    pipe_open(o.pipe, "x");
    pipe_put(o.pipe);
    loop_task_queue(loop, &t);
    loop_turn(loop, -1);
    CHECK(!o.pipe);
    CHECK_STR(buf_text(&story), "");
    loop_free_later(loop, NEW(struct owner)); /* and what is left when the loop ends */
    end();
}

TEST(more_descriptors_than_a_turn_takes)
{
    static struct pipe_io pipes[150];

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
        pipe_open(&pipes[i], "x");
        pipe_put(&pipes[i]);
    }
    turns_until(ARRAY_SIZE(pipes));
    loop_turn(loop, 0);
    CHECK_INT(story.len, ARRAY_SIZE(pipes));
    for (size_t i = 0; i < ARRAY_SIZE(pipes); i++)
        pipe_close(&pipes[i]);
    end();
}

static bool fd_is_ready(int wait_ms)
{
    struct pollfd p = {.fd = loop_fd(loop), .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

TEST(the_loop_nests_in_another_one)
{
    struct loop_task task = TASK("t");
    struct loop_timer timer = TIMER("m");
    struct pipe_io a;

    begin();
    pipe_open(&a, "a");
    loop_prepare(loop);
    CHECK(!fd_is_ready(0));

    loop_task_queue(loop, &task);
    loop_prepare(loop);
    CHECK(fd_is_ready(5000));
    loop_turn(loop, 0);
    CHECK_STR(buf_text(&story), "t");
    loop_turn(loop, 0);
    loop_prepare(loop);
    CHECK(!fd_is_ready(0));

    loop_timer_set(loop, &timer, LOOP_MONOTONIC, now(LOOP_MONOTONIC) + 5);
    loop_prepare(loop);
    CHECK(fd_is_ready(5000));
    loop_turn(loop, 0);
    CHECK_STR(story.data, "tm");
    loop_prepare(loop);
    CHECK(!fd_is_ready(0));

    pipe_put(&a);
    CHECK(fd_is_ready(5000));
    loop_turn(loop, 0);
    CHECK_STR(story.data, "tma");
    CHECK(!fd_is_ready(0));
    pipe_close(&a);
    end();
}

TEST(a_timer_moved_to_later_does_not_wake)
{
    struct loop_timer t = TIMER("x");

    begin();
    loop_timer_set(loop, &t, LOOP_OF_DAY, now(LOOP_OF_DAY) + 1);
    loop_prepare(loop);
    loop_timer_set(loop, &t, LOOP_OF_DAY, now(LOOP_OF_DAY) + 3600000);
    loop_prepare(loop);
    CHECK(!fd_is_ready(10));
    loop_timer_cancel(loop, &t);
    loop_prepare(loop);
    CHECK(!fd_is_ready(0));
    end();
}

static void on_signal(int signo, void *arg)
{
    buf_addf(&story, "%s%d", (const char *) arg, signo == SIGUSR1 ? 1 : 2);
}

TEST(signals_become_callbacks)
{
    sigset_t before;

    begin();
    sigprocmask(SIG_BLOCK, NULL, &before);
    loop_on_signal(loop, SIGUSR1, on_signal, (char[]) {"a"});
    loop_on_signal(loop, SIGUSR2, on_signal, (char[]) {"b"});
    kill(getpid(), SIGUSR1);
    CHECK_STR(buf_text(&story), "");
    loop_turn(loop, -1);
    CHECK_STR(story.data, "a1");
    kill(getpid(), SIGUSR2);
    loop_on_signal(loop, SIGUSR2, on_signal, (char[]) {"c"});
    loop_turn(loop, -1);
    CHECK_STR(story.data, "a1c2");
    end();
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void nothing(int signo)
{
    (void) signo;
}

/* Somebody attaches a debugger, a timer of a library rings: the wait is cut short, no more. */
TEST(an_interrupted_wait_is_a_turn)
{
    struct sigaction action = {.sa_handler = nothing}, before;
    timer_t ring;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec soon = {.it_value.tv_nsec = 5000000, .it_interval.tv_nsec = 5000000};
    struct loop_timer never = TIMER("x");

    begin();
    sigaction(SIGALRM, &action, &before);
    CHECK_INT(timer_create(CLOCK_MONOTONIC, &event, &ring), 0);
    timer_settime(ring, 0, &soon, NULL);
    loop_timer_set(loop, &never, LOOP_MONOTONIC, now(LOOP_MONOTONIC) + 60000);
    CHECK(loop_turn(loop, -1));
    CHECK_STR(buf_text(&story), "");
    timer_delete(ring);
    sigaction(SIGALRM, &before, NULL);
    end();
}

TEST(real_clocks_are_those_of_the_system)
{
    struct timespec ts;

    begin();
    loop_turn(loop, 0);
    clock_gettime(CLOCK_REALTIME, &ts);
    CHECK(llabs(ts.tv_sec * 1000 - now(LOOP_OF_DAY)) < 60000);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    CHECK(llabs(ts.tv_sec * 1000 - now(LOOP_MONOTONIC)) < 60000);
    clock_gettime(CLOCK_BOOTTIME, &ts);
    CHECK(llabs(ts.tv_sec * 1000 - now(LOOP_BOOT)) < 60000);
    end();
}
