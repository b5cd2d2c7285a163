/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/wire.h"

#include <assert.h>
#include <sys/epoll.h>

#define MAX_STREAMS 250L /* a connection; the API server's own limit is 100, proxies allow more */

struct wire {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer timer;
    struct wire_handler handler;
    void *arg;
    size_t n;
};

struct sock {
    struct loop_io io;
    struct wire *wire;
};

static void collect(struct wire *w)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(w->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;

        wire_remove(w, easy); /* the message is invalid from here on */
        w->handler.on_done(easy, result, w->arg);
    }
}

static void act(struct wire *w, curl_socket_t fd, int events)
{
    int running;

    w->handler.before(w->arg);
    curl_multi_socket_action(w->multi, fd, events, &running);
    collect(w);
}

static void on_ready(uint32_t events, void *arg)
{
    struct sock *s = arg;
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

    act(s->wire, s->io.fd, what); /* s may be gone now */
}

static uint32_t epoll_events(int what)
{
    return (what & CURL_POLL_IN ? (uint32_t) EPOLLIN : 0) |
           (what & CURL_POLL_OUT ? (uint32_t) EPOLLOUT : 0);
}

static void forget(struct wire *w, struct sock *s)
{
    loop_io_remove(w->loop, &s->io);
    loop_free_later(w->loop, s);
}

/* libcurl: what it waits for on a socket. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct wire *w = arg;
    struct sock *s = socket_arg;

    (void) easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            forget(w, s);
        return 0;
    }
    if (s) {
        loop_io_change(w->loop, &s->io, epoll_events(what));
        return 0;
    }
    s = NEW(struct sock);
    s->wire = w;
    s->io = (struct loop_io) {.fd = fd, .on_ready = on_ready, .arg = s};
    loop_io_add(w->loop, &s->io, epoll_events(what));
    curl_multi_assign(w->multi, fd, s);
    return 0;
}

/* libcurl: when to call it.  Never early: it would think that the timer is still to come, and not
 * ask again. */
static int on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
    struct wire *w = arg;

    (void) multi;
    if (timeout_ms < 0)
        loop_timer_cancel(w->loop, &w->timer);
    else
        loop_timer_set(w->loop, &w->timer, LOOP_MONOTONIC,
                       loop_now_fresh(w->loop, LOOP_MONOTONIC) + timeout_ms + (timeout_ms > 0));
    return 0;
}

static void on_time(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

struct wire *wire_new(struct loop *loop, long max_connections, const struct wire_handler *handler,
                      void *arg)
{
    struct wire *w = NEW(struct wire);

    assert(max_connections > 1);
    w->loop = loop;
    w->handler = *handler;
    w->arg = arg;
    w->timer = (struct loop_timer) {.on_time = on_time, .arg = w};
    w->multi = curl_multi_init();
    if (!w->multi)
        abort();
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(w->multi, CURLMOPT_MAX_HOST_CONNECTIONS, max_connections);
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, max_connections);
    curl_multi_setopt(w->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, MAX_STREAMS);
    return w;
}

void wire_free(struct wire *w)
{
    if (!w)
        return;
    assert(w->n == 0);
    curl_multi_cleanup(w->multi); /* closes its connections: their sockets are removed */
    loop_timer_cancel(w->loop, &w->timer);
    free(w);
}

void wire_add(struct wire *w, CURL *easy)
{
    if (curl_multi_add_handle(w->multi, easy) != CURLM_OK)
        abort();
    w->n++;
}

void wire_remove(struct wire *w, CURL *easy)
{
    curl_multi_remove_handle(w->multi, easy);
    w->n--;
}

size_t wire_count(const struct wire *w)
{
    return w->n;
}
