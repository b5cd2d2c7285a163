/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/head.h"
#include "apiserver/server_private.h"
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <sys/epoll.h>

/* The status of a request whose client left: nobody reads it. */
#define STATUS_GONE 499

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
    struct connection *connection;
    struct hangup *hangup; /* while it waits */
    struct list link;      /* in the server's */
    struct list turn;      /* in the server's, while it is ready */
    bool last;             /* the connection ends with the answer */
    h2o_iovec_t refusal;   /* a body for h2o to send */
};

static struct server *server_of(const struct exchange *x)
{
    return x->connection->server;
}

static void end_hangup(struct exchange *x)
{
    struct hangup *hangup = TAKE(x->hangup);

    if (!hangup)
        return;
    loop_io_remove(x->req.api->loop, &hangup->io);
    loop_free_later(x->req.api->loop, hangup);
    server_of(x)->stats.pending--;
}

/* Ends the calls that the request waits for, shuts the connection, and lets h2o fail to write. */
static void abandon(struct exchange *x)
{
    server_of(x)->stats.abandoned++;
    log_debug("client left", KV("target", x->req.target),
              KV("request_id", x->req.id ? x->req.id : ""));
    connection_leave(x->connection);
    x->last = true;
    request_done(&x->req);
    request_reply(&x->req, &(struct reply) {.status = STATUS_GONE});
}

static void on_hangup(uint32_t events, void *arg)
{
    struct hangup *hangup = arg;

    (void) events;
    abandon(hangup->exchange);
}

/* Errors and the end of both directions are always reported.  A client that only ended its sending
 * half may still want the answer. */
static void watch_for_hangup(struct exchange *x)
{
    struct hangup *hangup = NEW(struct hangup);

    hangup->exchange = x;
    hangup->io =
        (struct loop_io) {.fd = connection_fd(x->connection), .on_ready = on_hangup, .arg = hangup};
    x->hangup = hangup;
    server_of(x)->stats.pending++;
    loop_io_add(x->req.api->loop, &hangup->io, 0);
}

static void count_output(struct exchange *x, size_t n)
{
    struct connection *c = x->connection;

    c->server->output += n - c->member.output;
    c->member.output = n;
}

/* May be called twice. */
static void end_exchange(struct exchange *x)
{
    if (!list_linked(&x->link))
        return;
    list_remove(&x->link);
    list_remove(&x->turn);
    end_hangup(x);
    request_done(&x->req);
    count_output(x, 0);
    connection_enter(x->connection, CROWD_READING);
    server_has_room(server_of(x));
}

static void on_dispose(void *p)
{
    end_exchange(p);
}

/* Requests ----------------------------------------------------------------------------------- */

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

static struct exchange *new_exchange(h2o_req_t *h2o,
                                     void (*send)(struct request *, const struct reply *))
{
    struct exchange *x = h2o_mem_alloc_shared(&h2o->pool, sizeof(*x), on_dispose);
    struct connection *c = connection_of(h2o);

    *x = (struct exchange) {.h2o = h2o, .connection = c};
    x->req.api = c->server->api;
    x->req.began_ms = server_now(c->server);
    x->req.method = copy_text(h2o, h2o->input.method);
    x->req.target = copy_text(h2o, h2o->input.path);
    x->req.body = h2o->entity.base;
    x->req.body_len = h2o->entity.base ? h2o->entity.len : 0;
    x->req.header = find_header;
    x->req.send = send;
    list_push_back(&c->server->exchanges, &x->link);
    connection_enter(c, CROWD_WORKING);
    c->server->stats.requests++;
    return x;
}

/* Answers ------------------------------------------------------------------------------------ */

static void add_header(h2o_req_t *h2o, const char *name, const char *value)
{
    h2o_iovec_t own_name = h2o_strdup(&h2o->pool, name, SIZE_MAX);
    h2o_iovec_t own_value = h2o_strdup(&h2o->pool, value, SIZE_MAX);

    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, own_name.base, own_name.len, 0, NULL,
                          own_value.base, own_value.len);
}

static void fill_in(struct exchange *x, const struct reply *reply)
{
    h2o_req_t *h2o = x->h2o;
    char reason[REPLY_REASON_MAX + 1];

    h2o->res.status = reply->status;
    h2o->res.reason = h2o_strdup(&h2o->pool, reply_reason(reply, reason), SIZE_MAX).base;
    if (reply->status != 204)
        h2o->res.content_length = reply->body_len;
    if (reply->content_type)
        h2o_add_header(&h2o->pool, &h2o->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                       reply->content_type, strlen(reply->content_type));
    for (size_t i = 0; i < reply->n_headers; i++)
        add_header(h2o, reply->headers[i].name, reply->headers[i].value);
    if (x->req.id)
        add_header(h2o, "x-styx-request-id", x->req.id);
    if (x->last || server_of(x)->stats.stopping)
        h2o->http1_is_persistent = 0;
    connection_enter(x->connection, CROWD_WRITING);
    count_output(x, reply->body_len);
}

static void send_reply(struct request *req, const struct reply *reply)
{
    struct exchange *x = container_of(req, struct exchange, req);

    end_hangup(x);
    fill_in(x, reply);
    h2o_send_inline(x->h2o, reply->body ? reply->body : "", reply->body_len);
}

/* The client may be about to send more, and should see the answer all the same. */
static void linger(struct connection *c)
{
    if (!c->linger)
        c->linger = linger_begin(&c->server->lingers, connection_fd(c));
}

__attribute__((format(printf, 3, 4))) static void refuse(struct exchange *x, int status,
                                                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    CLEANUP(free) char *text = xvasprintf(format, args);
    va_end(args);
    x->last = true;
    linger(x->connection);
    request_set_id(&x->req);
    reply_error(&x->req, status, "%s", text);
}

/* What h2o refuses itself, a filter turns into an answer like ours. ---------------------------- */

static void send_refusal(struct request *req, const struct reply *reply)
{
    struct exchange *x = container_of(req, struct exchange, req);

    x->h2o->res.headers = (h2o_headers_t) {NULL};
    fill_in(x, reply);
    x->refusal = h2o_strdup(&x->h2o->pool, reply->body, reply->body_len);
}

static char *refusal_text(const h2o_req_t *h2o, const h2o_iovec_t *text)
{
    int status = h2o->res.status;

    if (status == 413)
        return xasprintf("%s: limit = %d bytes", http_reason(status), SERVER_MAX_BODY);
    return text ? xasprintf("%s: %.*s", http_reason(status), (int) text->len, text->base)
                : xstrdup(http_reason(status));
}

static void on_refusal(h2o_ostream_t *self, h2o_req_t *h2o, h2o_iovec_t *bufs, size_t n,
                       h2o_send_state_t state)
{
    struct exchange *x = new_exchange(h2o, send_refusal);
    CLEANUP(free) char *text = refusal_text(h2o, n ? bufs : NULL);

    refuse(x, h2o->res.status, "%s", text);
    h2o_ostream_send_next(self, h2o, &x->refusal, n ? 1 : 0, state);
}

static void on_setup_refusal(h2o_filter_t *self, h2o_req_t *h2o, h2o_ostream_t **slot)
{
    (void) self;
    h2o_add_ostream(h2o, sizeof(h2o_ostream_t), slot)->do_send = on_refusal;
}

/* h2o has a timer of its own that only closes; it is later, and ends with the connection. */
void exchange_time_out(h2o_req_t *h2o)
{
    if (h2o->version == 0) { /* no head yet: what it has of one may have moved */
        h2o->input.method = h2o_iovec_init(H2O_STRLIT("-"));
        h2o->input.path = h2o_iovec_init(H2O_STRLIT("/"));
    }
    h2o_socket_read_stop(connection_of(h2o)->sock);
    h2o_send_error_generic(h2o, 408, "Request Timeout", "the request did not arrive in time",
                           H2O_SEND_ERROR_HTTP1_CLOSE_CONNECTION);
}

/* Turns ---------------------------------------------------------------------------------------
 *
 * A request is given to its handler at once, as long as no others wait, its connection has had none
 * in this turn, and the handlers' slice of time is not used up.  Else it waits in line.  So who
 * sends thousands of requests at once, or expensive ones, gets one after the other, and in between
 * everybody else.
 *
 * A new slice begins only after some turns: accepting a client, reading its request and answering
 * it take one each.  So who asks something urgent waits for what has begun, and not for more.
 */
#define SLICE_US    5000
#define SLICE_TURNS 3

static int64_t microseconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool has_time(struct server *server)
{
    if (server->turn >= server->slice_turn + SLICE_TURNS) {
        server->slice_turn = server->turn;
        server->slice_used_us = 0;
    }
    return server->slice_used_us < SLICE_US;
}

static bool has_memory(const struct server *server)
{
    return server->output < server->config.max_output;
}

static void handle(struct exchange *x)
{
    struct server *server = server_of(x);
    int64_t began = microseconds();

    x->connection->turn = server->turn;
    /* The request may end with its answer; this reference keeps the struct for the question
     * below. */
    h2o_mem_addref_shared(x);
    server->config.on_request(&x->req);
    if (x->req.status == 0)
        watch_for_hangup(x);
    h2o_mem_release_shared(x);
    server->slice_used_us += microseconds() - began;
}

/* h2o goes on with requests that it has got, even if it cannot write the answers any more. */
static bool has_left(const struct exchange *x)
{
    struct pollfd fd = {.fd = connection_fd(x->connection)};

    return x->connection->member.leaving || poll(&fd, 1, 0) > 0;
}

static void serve_ready(void *arg)
{
    struct server *server = arg;
    struct list *link;

    while (has_memory(server) && has_time(server) && (link = list_pop_front(&server->ready))) {
        struct exchange *x = list_entry(link, struct exchange, turn);

        if (has_left(x))
            abandon(x);
        else
            handle(x);
    }
    if (!list_empty(&server->ready) && has_memory(server))
        loop_task_queue(server->api->loop, &server->serve);
}

static bool may_go_first(const struct exchange *x)
{
    struct server *server = server_of(x);

    if (x->connection->turn == server->turn)
        return false;
    if (server->config.is_urgent && server->config.is_urgent(&x->req))
        return true;
    return list_empty(&server->ready) && has_memory(server) && has_time(server);
}

static void take_turn(struct exchange *x)
{
    struct server *server = server_of(x);

    if (may_go_first(x)) {
        handle(x);
        return;
    }
    list_push_back(&server->ready, &x->turn);
    if (has_memory(server))
        loop_task_queue(server->api->loop, &server->serve);
}

static int on_req(h2o_handler_t *handler, h2o_req_t *h2o)
{
    struct exchange *x = new_exchange(h2o, send_reply);
    const h2o_buffer_t *input = x->connection->sock->input;
    struct error err;
    size_t head_len;

    (void) handler;
    if (x->connection->member.leaving)
        abandon(x);
    else if (!head_check(input->bytes, input->size, &head_len, &err))
        refuse(x, 400, "%s", err.text);
    else if (head_len > SERVER_MAX_HEAD)
        refuse(x, 431, "Request Header Fields Too Large: limit = %d bytes", SERVER_MAX_HEAD);
    else
        take_turn(x);
    return 0;
}

void exchanges_init(struct server *server, h2o_hostconf_t *host)
{
    list_init(&server->exchanges);
    list_init(&server->ready);
    server->serve = (struct loop_task) {.on_turn = serve_ready, .arg = server};
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_req;
    h2o_create_filter(&host->fallback_path, sizeof(h2o_filter_t))->on_setup_ostream =
        on_setup_refusal;
}

void exchanges_done(struct server *server)
{
    struct exchange *x;

    list_foreach (x, &server->exchanges, link)
        end_exchange(x);
    loop_task_cancel(&server->serve);
}
