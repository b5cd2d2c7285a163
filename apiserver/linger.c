/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/linger.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN 16

struct lingering {
    struct lingers *lingers;
    struct list link;
    struct loop_io io;
    struct loop_timer timer;
};

static void release(struct lingering *l)
{
    struct loop *loop = l->lingers->loop;

    loop_io_remove(loop, &l->io);
    loop_timer_cancel(loop, &l->timer);
    close(l->io.fd);
    list_remove(&l->link);
    l->lingers->n--;
    loop_free_later(loop, l);
}

static void on_time(void *arg)
{
    release(arg);
}

/* Before linger_end its owner still knows it, so it must not go yet. */
static void on_end_of_input(struct lingering *l)
{
    if (loop_timer_armed(&l->timer))
        release(l);
    else
        loop_io_remove(l->lingers->loop, &l->io);
}

static void on_ready(uint32_t events, void *arg)
{
    static char rest[16384];
    struct lingering *l = arg;

    if (events & (EPOLLERR | EPOLLHUP)) {
        on_end_of_input(l);
        return;
    }
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t n = recv(l->io.fd, rest, sizeof(rest), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            on_end_of_input(l);
            return;
        }
    }
}

void lingers_init(struct lingers *lingers, struct loop *loop)
{
    *lingers = (struct lingers) {.loop = loop};
    list_init(&lingers->all);
}

void lingers_done(struct lingers *lingers)
{
    struct lingering *l;

    list_foreach (l, &lingers->all, link)
        release(l);
}

struct lingering *linger_begin(struct lingers *lingers, int fd)
{
    int own = lingers->n < LINGER_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (own < 0)
        return NULL;
    struct lingering *l = NEW(struct lingering);
    l->lingers = lingers;
    l->io = (struct loop_io) {.fd = own, .on_ready = on_ready, .arg = l};
    l->timer = (struct loop_timer) {.on_time = on_time, .arg = l};
    list_push_back(&lingers->all, &l->link);
    lingers->n++;
    loop_io_add(lingers->loop, &l->io, EPOLLIN);
    return l;
}

void linger_end(struct lingering *l)
{
    if (!l)
        return;
    struct loop *loop = l->lingers->loop;
    shutdown(l->io.fd, SHUT_WR);
    if (l->io.dead)
        release(l);
    else
        loop_timer_set(loop, &l->timer, LOOP_MONOTONIC, loop_now(loop, LOOP_MONOTONIC) + LINGER_MS);
}
