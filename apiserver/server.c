/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/server.h"

#include "apiserver/server_private.h"
#include "base/listen.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 16
#define ACCEPT_RETRY_MS  100
/* Connections beyond the limit while others are on their way out. */
#define LEAVING_MAX 64
/* How often deadlines are looked at: in parts of the patience, and in milliseconds. */
#define SWEEPS       8
#define SWEEP_MIN_MS 10
#define SWEEP_MAX_MS 100
/* An answer is not being read if it is still here after this part of the patience. */
#define UNREAD_PART 10
/* The most that one connection sends beyond what was asked for; the kernel doubles it. */
#define RECEIVE_BUFFER (256 * 1024)

/* Connections -------------------------------------------------------------------------------- */

struct connection *connection_of(const h2o_req_t *h2o)
{
    return h2o->conn->callbacks->get_socket(h2o->conn)->on_close.data;
}

int connection_fd(const struct connection *c)
{
    return h2o_socket_get_fd(c->sock);
}

void connection_enter(struct connection *c, enum crowd_state state)
{
    crowd_enter(&c->member, state, server_now(c->server));
}

void connection_leave(struct connection *c)
{
    if (c->member.leaving)
        return;
    c->member.leaving = true;
    c->server->leaving++;
    shutdown(connection_fd(c), SHUT_RDWR);
}

struct search {
    enum crowd_lack lack;
    struct connection *first;
};

static int look_for_first(h2o_req_t *h2o, void *arg)
{
    struct connection *c = connection_of(h2o);
    struct search *s = arg;

    c->member.input = c->sock->input->size;
    if (crowd_may_go(&c->member, s->lack) &&
        (!s->first || crowd_goes_before(&c->member, &s->first->member)))
        s->first = c;
    return 0;
}

static void each_connection(struct server *server, int (*each)(h2o_req_t *h2o, void *arg),
                            void *arg)
{
    server->global.http1.callbacks.foreach_request(&server->context, each, arg);
}

/* Who has to go first for want of it; NULL: nobody. */
static struct connection *find_first(struct server *server, enum crowd_lack lack)
{
    struct search search = {.lack = lack};

    each_connection(server, look_for_first, &search);
    return search.first;
}

static void evict(struct connection *c)
{
    c->server->stats.evicted++;
    connection_leave(c);
}

/* Deadlines and memory ----------------------------------------------------------------------- */

struct round {
    struct server *server;
    int64_t now;
    size_t input;
};

static void end_late(struct connection *c, h2o_req_t *h2o, bool told)
{
    c->server->stats.timed_out++;
    if (told && !h2o_socket_is_writing(c->sock))
        exchange_time_out(h2o);
    else
        connection_leave(c);
}

static int look_at(h2o_req_t *h2o, void *arg)
{
    struct connection *c = connection_of(h2o);
    struct round *round = arg;

    crowd_see_input(&c->member, c->sock->input->size, round->now);
    switch (crowd_judge(&c->member, round->server->config.request_ms, round->now)) {
    case CROWD_WAS_IDLE:
        end_late(c, h2o, false);
        break;
    case CROWD_WAS_SLOW:
        end_late(c, h2o, true);
        break;
    case CROWD_STAYS:
        round->input += c->member.input;
        break;
    }
    return 0;
}

static void free_input(struct server *server, size_t input)
{
    struct connection *c;

    while (input > server->config.max_input && (c = find_first(server, CROWD_LACKS_INPUT))) {
        input -= c->member.input;
        evict(c);
    }
}

/* Others wait for the memory of answers that nobody seems to read. */
static void free_output(struct server *server, int64_t now)
{
    if (list_empty(&server->ready) || server->output < server->config.max_output)
        return;
    struct connection *c = find_first(server, CROWD_LACKS_OUTPUT);
    if (c && now - c->member.since_ms >= server->config.request_ms / UNREAD_PART)
        evict(c);
}

/* The listener ------------------------------------------------------------------------------- */

static void on_accept(h2o_socket_t *listener, const char *err);

static void start_accepting(struct server *server)
{
    if (server->accepting || server->stats.stopping || loop_timer_armed(&server->retry))
        return;
    server->accepting = true;
    h2o_socket_read_start(server->listener, on_accept);
}

static void stop_accepting(struct server *server)
{
    if (server->accepting)
        h2o_socket_read_stop(server->listener);
    server->accepting = false;
}

void server_has_room(struct server *server)
{
    start_accepting(server);
    if (!list_empty(&server->ready))
        loop_task_queue(server->api->loop, &server->serve);
}

static void on_connection_close(void *arg)
{
    struct connection *c = arg;
    struct server *server = c->server;

    server->stats.connections--;
    server->leaving -= c->member.leaving;
    linger_end(c->linger);
    free(c);
    if (server->stats.stopping)
        server->stopped |= server->stats.connections == 0;
    else
        start_accepting(server);
}

static void on_retry(void *arg)
{
    start_accepting(arg);
}

static void retry_later(struct server *server)
{
    struct loop *loop = server->api->loop;

    server->stats.refused_accepts++;
    stop_accepting(server);
    loop_timer_set(loop, &server->retry, LOOP_MONOTONIC,
                   loop_now(loop, LOOP_MONOTONIC) + ACCEPT_RETRY_MS);
}

static void arm_sweep(struct server *server)
{
    int64_t ms = server->config.request_ms / SWEEPS;

    ms = ms < SWEEP_MIN_MS ? SWEEP_MIN_MS : ms > SWEEP_MAX_MS ? SWEEP_MAX_MS : ms;
    loop_timer_set(server->api->loop, &server->sweep, LOOP_MONOTONIC, server_now(server) + ms);
}

static void on_sweep(void *arg)
{
    struct server *server = arg;
    struct round round = {.server = server, .now = server_now(server)};

    each_connection(server, look_at, &round);
    free_input(server, round.input);
    free_output(server, round.now);
    start_accepting(server);
    if (server->stats.connections > 0)
        arm_sweep(server);
}

static bool has_place(struct server *server)
{
    size_t n = server->stats.connections, max = server->config.max_connections;

    return n < max + LEAVING_MAX &&
           (n - server->leaving < max || find_first(server, CROWD_LACKS_PLACES));
}

static void add_connection(struct server *server, h2o_socket_t *sock)
{
    struct connection *c = NEW(struct connection);

    c->server = server;
    c->sock = sock;
    connection_enter(c, CROWD_READING);
    sock->on_close.cb = on_connection_close;
    sock->on_close.data = c;
    setsockopt(connection_fd(c), IPPROTO_TCP, TCP_USER_TIMEOUT, &(int) {SERVER_WRITE_MS},
               sizeof(int));
    server->stats.connections++;
    h2o_accept(&server->accept, sock);
    if (!loop_timer_armed(&server->sweep))
        arm_sweep(server);
}

/* False: there is nobody, or nobody more may come. */
static bool accept_one(struct server *server)
{
    if (!has_place(server)) {
        stop_accepting(server);
        return false;
    }
    h2o_socket_t *sock = h2o_evloop_socket_accept(server->listener);
    if (!sock) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            retry_later(server);
        return false;
    }
    if (server->stats.connections - server->leaving >= server->config.max_connections)
        evict(find_first(server, CROWD_LACKS_PLACES));
    add_connection(server, sock);
    return true;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    struct server *server = listener->data;

    if (err)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(server); i++)
        ;
}

static void on_nested(h2o_socket_t *sock, const char *err)
{
    const struct server *server = sock->data;

    (void) err;
    loop_turn(server->api->loop, 0);
}

static void configure(struct server *server)
{
    h2o_globalconf_t *g = &server->global;

    h2o_config_init(g);
    g->server_name = h2o_iovec_init(H2O_STRLIT("kharon"));
    g->max_request_entity_size = SERVER_MAX_BODY;
    /* Ours come first: one patience for being idle, one for the request. */
    g->http1.req_timeout = (uint64_t) server->config.request_ms * 3;
    g->http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host =
        h2o_config_register_host(g, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    exchanges_init(server, host);
}

static h2o_socket_t *adopt(struct server *server, int fd, h2o_socket_cb on_ready)
{
    h2o_socket_t *sock = h2o_evloop_socket_create(server->evloop, fd, H2O_SOCKET_FLAG_DONT_READ);

    sock->data = server;
    if (on_ready)
        h2o_socket_read_start(sock, on_ready);
    return sock;
}

bool server_new(struct api *api, const struct server_config *config, struct server **ret_server,
                struct error *err)
{
    int fd;

    if (!listen_open(config->listen, &fd, err))
        return error_prefix(err, "listen");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int) {RECEIVE_BUFFER}, sizeof(int));
    signal(SIGPIPE, SIG_IGN); /* h2o writes to connections that the other side has closed */
    struct server *server = NEW(struct server);
    server->api = api;
    server->config = *config;
    server->port = listen_port(fd);
    server->turn = 1;
    lingers_init(&server->lingers, api->loop);
    server->retry = (struct loop_timer) {.on_time = on_retry, .arg = server};
    server->sweep = (struct loop_timer) {.on_time = on_sweep, .arg = server};
    configure(server);
    server->evloop = h2o_evloop_create();
    h2o_context_init(&server->context, server->evloop, &server->global);
    server->accept = (h2o_accept_ctx_t) {.ctx = &server->context, .hosts = server->global.hosts};
    server->nested = adopt(server, dup(loop_fd(api->loop)), on_nested);
    server->listener = adopt(server, fd, NULL);
    start_accepting(server);
    *ret_server = server;
    return true;
}

int server_port(const struct server *server)
{
    return server->port;
}

struct server_stats server_stats(const struct server *server)
{
    return server->stats;
}

int64_t server_now(struct server *server)
{
    struct loop *loop = server->api->loop;

    if (server->refreshed != server->turn) {
        server->refreshed = server->turn;
        loop_refresh(loop);
    }
    return loop_now(loop, LOOP_MONOTONIC);
}

bool server_turn(struct server *server, int max_wait_ms)
{
    loop_prepare(server->api->loop);
    server->turn++;
    if (h2o_evloop_run(server->evloop, max_wait_ms) != 0 && errno != EINTR) {
        log_error("event loop failed", KV("errno", errno));
        abort();
    }
    return !server->stopped;
}

void server_run(struct server *server)
{
    while (!server->stopped)
        server_turn(server, INT32_MAX);
}

static int leave_if_idle(h2o_req_t *h2o, void *arg)
{
    struct connection *c = connection_of(h2o);

    (void) arg;
    if (c->member.state == CROWD_READING && c->sock->input->size == 0)
        connection_leave(c);
    return 0;
}

static void on_deadline(void *arg)
{
    struct server *server = arg;

    log_warning("connections are cut off", KV("connections", server->stats.connections));
    server->stopped = true;
}

void server_stop(struct server *server, int64_t drain_ms)
{
    struct loop *loop = server->api->loop;

    if (server->stats.stopping) {
        server->stopped = true;
        return;
    }
    server->stats.stopping = true;
    loop_timer_cancel(loop, &server->retry);
    stop_accepting(server);
    h2o_socket_close(TAKE(server->listener));
    each_connection(server, leave_if_idle, NULL);
    server->stopped = server->stats.connections == 0;
    server->deadline = (struct loop_timer) {.on_time = on_deadline, .arg = server};
    loop_timer_set(loop, &server->deadline, LOOP_MONOTONIC,
                   loop_now(loop, LOOP_MONOTONIC) + drain_ms);
}

/* Still reachable, so that a leak checker does not count it: a server with connections, and what
 * the library keeps of a context that was disposed of.  Volatile, or they would be optimised
 * away. */
static struct server *volatile left_behind;
static h2o_multithread_queue_t *volatile left_queue;

/* h2o's context and loop must not have connections left when they are disposed of; what requests
 * wait for ends in any case. */
void server_free(struct server *server)
{
    if (!server)
        return;
    server->stats.stopping = true;
    exchanges_done(server);
    loop_timer_cancel(server->api->loop, &server->retry);
    loop_timer_cancel(server->api->loop, &server->sweep);
    loop_timer_cancel(server->api->loop, &server->deadline);
    if (server->listener)
        h2o_socket_close(TAKE(server->listener));
    h2o_socket_close(TAKE(server->nested));
    for (int i = 0; i < 3; i++)
        h2o_evloop_run(server->evloop, 0); /* frees what was closed */
    lingers_done(&server->lingers);
    if (server->stats.connections > 0) {
        left_behind = server;
        return;
    }
    left_queue = server->context.queue;
    h2o_context_dispose(&server->context);
    h2o_config_dispose(&server->global);
    h2o_evloop_destroy(server->evloop);
    free(server);
}
