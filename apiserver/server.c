/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/server.h"

#include "base/listen.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <h2o.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 16
#define ACCEPT_RETRY_MS  100
/* The status of a request whose client left: nobody reads it. */
#define STATUS_GONE 499

struct server {
    struct api *api;
    struct server_config config;
    h2o_globalconf_t global;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_evloop_t *evloop;
    h2o_socket_t *nested, *listener;
    int port;
    bool accepting, stopped;
    struct loop_timer retry, deadline;
    struct list exchanges;
    struct server_stats stats;
};

struct handler {
    h2o_handler_t h2o;
    struct server *server;
};

/* Notices that a client leaves while its request waits: h2o does not look at its socket then. */
struct hangup {
    struct loop_io io;
    struct exchange *exchange;
};

/* One request: lives in h2o's pool of it, and ends with that. */
struct exchange {
    struct request req;
    h2o_req_t *h2o;
    struct server *server;
    struct hangup *hangup; /* while it waits */
    struct list link;      /* in the server's */
};

static int exchange_fd(const struct exchange *x)
{
    return h2o_socket_get_fd(x->h2o->conn->callbacks->get_socket(x->h2o->conn));
}

static void end_hangup(struct exchange *x)
{
    struct hangup *hangup = TAKE(x->hangup);

    if (!hangup)
        return;
    loop_io_remove(x->server->api->loop, &hangup->io);
    loop_free_later(x->server->api->loop, hangup);
    x->server->stats.pending--;
}

/* Ends the calls that the request waits for, shuts the connection, and lets h2o fail to write. */
static void on_hangup(uint32_t events, void *arg)
{
    struct hangup *hangup = arg;
    struct exchange *x = hangup->exchange;

    (void) events;
    x->server->stats.abandoned++;
    log_debug("client left", KV("target", x->req.target),
              KV("request_id", x->req.id ? x->req.id : ""));
    shutdown(exchange_fd(x), SHUT_RDWR);
    request_done(&x->req);
    request_reply(&x->req, &(struct reply) {.status = STATUS_GONE});
}

static void watch_for_hangup(struct exchange *x)
{
    struct hangup *hangup = NEW(struct hangup);

    hangup->exchange = x;
    hangup->io = (struct loop_io) {.fd = exchange_fd(x), .on_ready = on_hangup, .arg = hangup};
    x->hangup = hangup;
    x->server->stats.pending++;
    loop_io_add(x->server->api->loop, &hangup->io, EPOLLRDHUP);
}

/* May be called twice. */
static void end_exchange(struct exchange *x)
{
    list_remove(&x->link);
    end_hangup(x);
    request_done(&x->req);
}

static void on_dispose(void *p)
{
    end_exchange(p);
}

static const char *copy_text(h2o_req_t *h2o, h2o_iovec_t text)
{
    return h2o_strdup(&h2o->pool, text.base, text.len).base;
}

static const char *find_header(const struct request *req, const char *name)
{
    const struct exchange *x = container_of(req, const struct exchange, req);
    ssize_t i = h2o_find_header_by_str(&x->h2o->headers, name, strlen(name), -1);

    return i < 0 ? NULL : copy_text(x->h2o, x->h2o->headers.entries[i].value);
}

static void add_header(h2o_req_t *h2o, const char *name, const char *value)
{
    h2o_iovec_t own_name = h2o_strdup(&h2o->pool, name, SIZE_MAX);
    h2o_iovec_t own_value = h2o_strdup(&h2o->pool, value, SIZE_MAX);

    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, own_name.base, own_name.len, 0, NULL,
                          own_value.base, own_value.len);
}

static void send_reply(struct request *req, const struct reply *reply)
{
    struct exchange *x = container_of(req, struct exchange, req);
    h2o_req_t *h2o = x->h2o;
    char reason[REPLY_REASON_MAX + 1];

    end_hangup(x);
    h2o->res.status = reply->status;
    h2o->res.reason = h2o_strdup(&h2o->pool, reply_reason(reply, reason), SIZE_MAX).base;
    if (reply->status != 204)
        h2o->res.content_length = reply->body_len;
    if (reply->content_type)
        h2o_add_header(&h2o->pool, &h2o->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                       reply->content_type, strlen(reply->content_type));
    for (size_t i = 0; i < reply->n_headers; i++)
        add_header(h2o, reply->headers[i].name, reply->headers[i].value);
    if (req->id)
        add_header(h2o, "x-styx-request-id", req->id);
    if (x->server->stats.stopping || reply->status == STATUS_GONE)
        h2o->http1_is_persistent = 0;
    h2o_send_inline(h2o, reply->body ? reply->body : "", reply->body_len);
}

static size_t head_size(const h2o_req_t *h2o)
{
    size_t n = h2o->input.path.len;

    for (size_t i = 0; i < h2o->headers.size; i++)
        n += h2o->headers.entries[i].name->len + h2o->headers.entries[i].value.len + 4;
    return n;
}

static struct exchange *new_exchange(struct server *server, h2o_req_t *h2o)
{
    struct exchange *x = h2o_mem_alloc_shared(&h2o->pool, sizeof(*x), on_dispose);

    *x = (struct exchange) {.h2o = h2o, .server = server};
    x->req.api = server->api;
    x->req.method = copy_text(h2o, h2o->input.method);
    x->req.target = copy_text(h2o, h2o->input.path);
    x->req.body = h2o->entity.base;
    x->req.body_len = h2o->entity.base ? h2o->entity.len : 0;
    x->req.header = find_header;
    x->req.send = send_reply;
    list_push_back(&server->exchanges, &x->link);
    return x;
}

static int on_req(h2o_handler_t *handler, h2o_req_t *h2o)
{
    struct server *server = container_of(handler, struct handler, h2o)->server;
    struct exchange *x = new_exchange(server, h2o);

    server->stats.requests++;
    /* The request may end with its answer; this reference keeps the struct for the question
     * below. */
    h2o_mem_addref_shared(x);
    if (head_size(h2o) > SERVER_MAX_HEAD)
        reply_error(&x->req, 431, "Request Header Fields Too Large: limit = %d bytes",
                    SERVER_MAX_HEAD);
    else
        server->config.on_request(&x->req);
    if (x->req.status == 0)
        watch_for_hangup(x);
    h2o_mem_release_shared(x);
    return 0;
}

/* h2o's sockets and its loop ----------------------------------------------------------------- */

static void on_accept(h2o_socket_t *listener, const char *err);

static void start_accepting(struct server *server)
{
    if (server->accepting || server->stats.stopping ||
        server->stats.connections >= server->config.max_connections)
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

static void on_connection_close(void *arg)
{
    struct server *server = arg;

    server->stats.connections--;
    if (server->stats.stopping)
        server->stopped |= server->stats.connections == 0;
    else if (!loop_timer_armed(&server->retry))
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

/* False: there is nobody, or nobody more may come. */
static bool accept_one(struct server *server)
{
    h2o_socket_t *sock = h2o_evloop_socket_accept(server->listener);

    if (!sock) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            retry_later(server);
        return false;
    }
    setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_USER_TIMEOUT, &(int) {SERVER_WRITE_MS},
               sizeof(int));
    sock->on_close.cb = on_connection_close;
    sock->on_close.data = server;
    server->stats.connections++;
    h2o_accept(&server->accept, sock);
    if (server->stats.connections < server->config.max_connections)
        return true;
    stop_accepting(server);
    return false;
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
    g->http1.req_timeout = (uint64_t) server->config.request_ms;
    g->http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host =
        h2o_config_register_host(g, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct handler *handler = (struct handler *) h2o_create_handler(path, sizeof(*handler));
    handler->h2o.on_req = on_req;
    handler->server = server;
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
    signal(SIGPIPE, SIG_IGN); /* h2o writes to connections that the other side has closed */
    struct server *server = NEW(struct server);
    server->api = api;
    server->config = *config;
    server->port = listen_port(fd);
    list_init(&server->exchanges);
    server->retry = (struct loop_timer) {.on_time = on_retry, .arg = server};
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

bool server_turn(struct server *server, int max_wait_ms)
{
    loop_prepare(server->api->loop);
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

/* A connection between two requests has neither a head nor a byte of one. */
static int close_if_idle(h2o_req_t *h2o, void *arg)
{
    h2o_socket_t *sock = h2o->conn->callbacks->get_socket(h2o->conn);

    (void) arg;
    if (h2o->version == 0 && sock->input->size == 0)
        shutdown(h2o_socket_get_fd(sock), SHUT_RDWR);
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
    server->global.http1.callbacks.foreach_request(&server->context, close_if_idle, NULL);
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
    struct exchange *x;

    if (!server)
        return;
    list_foreach (x, &server->exchanges, link)
        end_exchange(x);
    loop_timer_cancel(server->api->loop, &server->retry);
    loop_timer_cancel(server->api->loop, &server->deadline);
    if (server->listener)
        h2o_socket_close(TAKE(server->listener));
    h2o_socket_close(TAKE(server->nested));
    for (int i = 0; i < 3; i++)
        h2o_evloop_run(server->evloop, 0); /* frees what was closed */
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
