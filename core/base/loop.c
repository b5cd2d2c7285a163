/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64

struct clock_state {
    struct heap timers;
    struct loop_io io; /* a timerfd that is readable at the earliest timer */
    int64_t armed_at;  /* what the timerfd is set to; INT64_MAX: nothing */
    int64_t now;
};

struct garbage {
    struct list link;
    void *p;
};

struct signal_handler {
    void (*on_signal)(int signo, void *arg);
    void *arg;
};

struct loop {
    int epoll_fd;
    bool is_virtual, stopped;
    struct clock_state clocks[LOOP_N_CLOCKS];
    struct list tasks;
    struct list garbage;
    struct loop_io signal_io, wake_io;
    sigset_t signals;
    struct signal_handler handlers[NSIG];
    int64_t longest_turn_us;
};

static const clockid_t clock_ids[LOOP_N_CLOCKS] = {
    [LOOP_OF_DAY] = CLOCK_REALTIME,
    [LOOP_MONOTONIC] = CLOCK_MONOTONIC,
    [LOOP_BOOT] = CLOCK_BOOTTIME,
};

static void must(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        abort();
    }
}

static int64_t read_clock(const struct loop *loop, enum loop_clock clock)
{
    struct timespec ts;

    if (loop->is_virtual)
        return loop->clocks[clock].now;
    clock_gettime(clock_ids[clock], &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void read_clocks(struct loop *loop)
{
    for (int i = 0; i < LOOP_N_CLOCKS; i++)
        loop->clocks[i].now = read_clock(loop, (enum loop_clock) i);
}

/* The timerfd also becomes readable, with ECANCELED, when somebody sets the clock of day. */
static void on_timerfd(uint32_t events, void *arg)
{
    struct clock_state *c = arg;
    uint64_t expirations;

    (void) events;
    if (read(c->io.fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
        return;
    c->armed_at = INT64_MAX;
}

static void arm_clock(struct loop *loop, enum loop_clock clock)
{
    struct clock_state *c = &loop->clocks[clock];
    const struct heap_node *top = heap_top(&c->timers);
    int64_t at = top ? top->key : INT64_MAX;

    if (at == c->armed_at)
        return;
    c->armed_at = at;
    struct itimerspec spec = {0};
    if (top) {
        int64_t when = at > 1 ? at : 1; /* zero would disarm */
        spec.it_value.tv_sec = when / 1000;
        spec.it_value.tv_nsec = when % 1000 * 1000000;
    }
    int flags = TFD_TIMER_ABSTIME | (clock == LOOP_OF_DAY ? TFD_TIMER_CANCEL_ON_SET : 0);
    /* ECANCELED: the clock of day was set since the last look; the timer is armed all the same. */
    if (timerfd_settime(c->io.fd, flags, &spec, NULL) < 0 && errno != ECANCELED)
        must(-1, "timerfd_settime");
}

static void open_clock(struct loop *loop, enum loop_clock clock)
{
    struct clock_state *c = &loop->clocks[clock];

    c->io.fd = timerfd_create(clock_ids[clock], TFD_NONBLOCK | TFD_CLOEXEC);
    must(c->io.fd, "timerfd_create");
    c->io.on_ready = on_timerfd;
    c->io.arg = c;
    loop_io_add(loop, &c->io, EPOLLIN);
}

static struct loop *new_loop(bool is_virtual)
{
    struct loop *loop = NEW(struct loop);

    loop->is_virtual = is_virtual;
    loop->epoll_fd = -1;
    loop->signal_io.fd = loop->wake_io.fd = -1;
    list_init(&loop->tasks);
    list_init(&loop->garbage);
    sigemptyset(&loop->signals);
    for (int i = 0; i < LOOP_N_CLOCKS; i++) {
        loop->clocks[i].armed_at = INT64_MAX;
        loop->clocks[i].io.fd = -1;
    }
    return loop;
}

static void on_wake(uint32_t events, void *arg)
{
    const struct loop_io *io = arg;
    uint64_t n;

    (void) events;
    if (read(io->fd, &n, sizeof(n)) < 0)
        return; /* read in an earlier turn */
}

static void open_wake(struct loop *loop)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    must(fd, "eventfd");
    loop->wake_io = (struct loop_io) {.fd = fd, .on_ready = on_wake, .arg = &loop->wake_io};
    loop_io_add(loop, &loop->wake_io, EPOLLIN);
}

struct loop *loop_new(void)
{
    struct loop *loop = new_loop(false);

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    must(loop->epoll_fd, "epoll_create1");
    for (int i = 0; i < LOOP_N_CLOCKS; i++)
        open_clock(loop, (enum loop_clock) i);
    open_wake(loop);
    read_clocks(loop);
    return loop;
}

struct loop *loop_new_virtual(int64_t of_day_ms)
{
    struct loop *loop = new_loop(true);

    loop->clocks[LOOP_OF_DAY].now = of_day_ms;
    loop->clocks[LOOP_MONOTONIC].now = 1000;
    loop->clocks[LOOP_BOOT].now = 2000;
    return loop;
}

static void bury(struct loop *loop)
{
    struct list *link;

    while ((link = list_pop_front(&loop->garbage))) {
        struct garbage *g = list_entry(link, struct garbage, link);

        free(g->p);
        free(g);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    bury(loop);
    for (int i = 0; i < LOOP_N_CLOCKS; i++) {
        heap_done(&loop->clocks[i].timers);
        if (loop->clocks[i].io.fd >= 0)
            close(loop->clocks[i].io.fd);
    }
    if (loop->signal_io.fd >= 0)
        close(loop->signal_io.fd);
    if (loop->wake_io.fd >= 0)
        close(loop->wake_io.fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop);
}

int64_t loop_now(const struct loop *loop, enum loop_clock clock)
{
    return loop->clocks[clock].now;
}

int64_t loop_now_fresh(struct loop *loop, enum loop_clock clock)
{
    return read_clock(loop, clock);
}

void loop_refresh(struct loop *loop)
{
    if (!loop->is_virtual)
        read_clocks(loop);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *t)
{
    list_remove(&t->fired);
    if (heap_linked(&t->node))
        heap_remove(&loop->clocks[t->clock].timers, &t->node);
}

void loop_timer_set(struct loop *loop, struct loop_timer *t, enum loop_clock clock, int64_t at_ms)
{
    loop_timer_cancel(loop, t);
    t->clock = clock;
    heap_add(&loop->clocks[clock].timers, &t->node, at_ms);
}

bool loop_timer_armed(const struct loop_timer *t)
{
    return heap_linked(&t->node) || list_linked(&t->fired);
}

void loop_task_queue(struct loop *loop, struct loop_task *t)
{
    if (!list_linked(&t->queued))
        list_push_back(&loop->tasks, &t->queued);
}

void loop_task_cancel(struct loop_task *t)
{
    list_remove(&t->queued);
}

static void control(struct loop *loop, int op, struct loop_io *io, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = io};

    must(epoll_ctl(loop->epoll_fd, op, io->fd, &event), "epoll_ctl");
}

void loop_io_add(struct loop *loop, struct loop_io *io, uint32_t epoll_events)
{
    io->dead = false;
    control(loop, EPOLL_CTL_ADD, io, epoll_events);
}

void loop_io_change(struct loop *loop, struct loop_io *io, uint32_t epoll_events)
{
    control(loop, EPOLL_CTL_MOD, io, epoll_events);
}

void loop_io_remove(struct loop *loop, struct loop_io *io)
{
    if (io->dead)
        return;
    io->dead = true;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL); /* its owner may have closed it */
}

void loop_free_later(struct loop *loop, void *p)
{
    struct garbage *g = NEW(struct garbage);

    g->p = p;
    list_push_back(&loop->garbage, &g->link);
}

static void on_signalfd(uint32_t events, void *arg)
{
    struct loop *loop = arg;
    struct signalfd_siginfo info;

    (void) events;
    while (read(loop->signal_io.fd, &info, sizeof(info)) == sizeof(info)) {
        const struct signal_handler *h = &loop->handlers[info.ssi_signo];

        if (h->on_signal)
            h->on_signal((int) info.ssi_signo, h->arg);
    }
}

void loop_on_signal(struct loop *loop, int signo, void (*on_signal)(int signo, void *arg),
                    void *arg)
{
    loop->handlers[signo] = (struct signal_handler) {on_signal, arg};
    sigaddset(&loop->signals, signo);
    must(sigprocmask(SIG_BLOCK, &loop->signals, NULL), "sigprocmask");
    int fd = signalfd(loop->signal_io.fd, &loop->signals, SFD_NONBLOCK | SFD_CLOEXEC);
    must(fd, "signalfd");
    if (loop->signal_io.fd < 0) {
        loop->signal_io = (struct loop_io) {.fd = fd, .on_ready = on_signalfd, .arg = loop};
        loop_io_add(loop, &loop->signal_io, EPOLLIN);
    }
}

/* Only tasks that were queued before this turn: one that queues itself must not starve the rest. */
static void run_tasks(struct loop *loop)
{
    struct list batch = LIST_INIT(batch), *link;

    list_splice_back(&batch, &loop->tasks);
    while ((link = list_pop_front(&batch))) {
        struct loop_task *t = list_entry(link, struct loop_task, queued);

        t->on_turn(t->arg);
    }
}

static void collect_due(struct clock_state *c, struct list *due)
{
    struct heap_node *top;

    while ((top = heap_top(&c->timers)) && top->key <= c->now) {
        struct loop_timer *t = container_of(top, struct loop_timer, node);

        heap_remove(&c->timers, top);
        list_push_back(due, &t->fired);
    }
}

static void fire_timers(struct loop *loop)
{
    struct list due = LIST_INIT(due), *link;

    for (int i = 0; i < LOOP_N_CLOCKS; i++)
        collect_due(&loop->clocks[i], &due);
    while ((link = list_pop_front(&due))) {
        struct loop_timer *t = list_entry(link, struct loop_timer, fired);

        t->on_time(t->arg);
    }
}

static void arm_clocks(struct loop *loop)
{
    for (int i = 0; i < LOOP_N_CLOCKS; i++)
        arm_clock(loop, (enum loop_clock) i);
}

void loop_prepare(struct loop *loop)
{
    arm_clocks(loop);
    if (!list_empty(&loop->tasks))
        must((int) write(loop->wake_io.fd, &(uint64_t) {1}, sizeof(uint64_t)), "eventfd");
}

static int wait_events(struct loop *loop, struct epoll_event *events, int64_t max_wait_ms)
{
    int timeout = max_wait_ms < 0 ? -1 : max_wait_ms > 60000 ? 60000 : (int) max_wait_ms;

    arm_clocks(loop);
    int n = epoll_wait(loop->epoll_fd, events, BATCH, list_empty(&loop->tasks) ? timeout : 0);
    if (n < 0 && errno != EINTR)
        must(n, "epoll_wait");
    return n > 0 ? n : 0;
}

static int64_t microseconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool real_turn(struct loop *loop, int64_t max_wait_ms)
{
    struct epoll_event events[BATCH];
    int n = wait_events(loop, events, max_wait_ms);
    int64_t start = microseconds();

    read_clocks(loop);
    run_tasks(loop);
    for (int i = 0; i < n; i++) {
        struct loop_io *io = events[i].data.ptr;

        if (!io->dead)
            io->on_ready(events[i].events, io->arg);
    }
    fire_timers(loop);
    bury(loop);
    int64_t took = microseconds() - start;
    if (took > loop->longest_turn_us)
        loop->longest_turn_us = took;
    return true;
}

void loop_virtual_advance(struct loop *loop, int64_t ms)
{
    assert(loop->is_virtual && ms >= 0);
    for (int i = 0; i < LOOP_N_CLOCKS; i++)
        loop->clocks[i].now += ms;
}

void loop_virtual_step_clock(struct loop *loop, int64_t delta_ms)
{
    assert(loop->is_virtual);
    loop->clocks[LOOP_OF_DAY].now += delta_ms;
}

void loop_virtual_sleep(struct loop *loop, int64_t ms)
{
    loop_virtual_advance(loop, ms);
    loop->clocks[LOOP_MONOTONIC].now -= ms;
}

/* How long until the next timer on any clock; -1: there is none. */
static int64_t until_next_timer(const struct loop *loop)
{
    int64_t least = -1;

    for (int i = 0; i < LOOP_N_CLOCKS; i++) {
        const struct heap_node *top = heap_top(&loop->clocks[i].timers);
        int64_t now = loop->clocks[i].now;

        if (!top)
            continue;
        int64_t wait = top->key > now ? top->key - now : 0;
        if (least < 0 || wait < least)
            least = wait;
    }
    return least;
}

int64_t loop_virtual_wait(const struct loop *loop)
{
    return list_empty(&loop->tasks) ? until_next_timer(loop) : 0;
}

static bool virtual_turn(struct loop *loop, int64_t max_wait_ms)
{
    int64_t wait = loop_virtual_wait(loop);

    if (wait < 0)
        return false;
    if (max_wait_ms >= 0 && wait > max_wait_ms) {
        loop_virtual_advance(loop, max_wait_ms);
        return true;
    }
    loop_virtual_advance(loop, wait);
    run_tasks(loop);
    fire_timers(loop);
    bury(loop);
    return true;
}

bool loop_turn(struct loop *loop, int64_t max_wait_ms)
{
    return loop->is_virtual ? virtual_turn(loop, max_wait_ms) : real_turn(loop, max_wait_ms);
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped && loop_turn(loop, -1))
        ;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

int64_t loop_longest_turn_us(struct loop *loop)
{
    int64_t longest = loop->longest_turn_us;

    loop->longest_turn_us = 0;
    return longest;
}

int loop_fd(struct loop *loop)
{
    return loop->epoll_fd;
}
