/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/script.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    struct list link;
    struct script *script;
    struct loop_io io;
    struct buf in;
    struct script_request request;
    char *method, *path, *head, *body;
};

struct script {
    struct loop *loop;
    struct loop_io io;
    char url[64];
    struct list connections;
    int n_connections;
    void (*on_request)(struct script_request *request, void *arg);
    void *arg;
};

static void clear_request(struct connection *c)
{
    free(c->method);
    free(c->path);
    free(c->head);
    free(c->body);
    c->method = c->path = c->head = c->body = NULL;
}

static void hang_up(struct connection *c)
{
    loop_io_remove(c->script->loop, &c->io);
    close(c->io.fd);
    list_remove(&c->link);
    clear_request(c);
    buf_done(&c->in);
    loop_free_later(c->script->loop, c);
}

/* The length of a whole request at the start of the buffer, 0 if there is none yet. */
static size_t whole(const struct connection *c, size_t *ret_head)
{
    const char *text = buf_text(&c->in), *end = strstr(text, "\r\n\r\n");
    const char *length = end ? strcasestr(text, "\ncontent-length:") : NULL;

    if (!end)
        return 0;
    *ret_head = (size_t) (end - text) + 4;
    size_t body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return c->in.len >= *ret_head + body ? *ret_head + body : 0;
}

static void take_request(struct connection *c, size_t head, size_t len)
{
    const char *text = buf_text(&c->in);
    size_t method = strcspn(text, " "), path = strcspn(text + method + 1, " ");

    clear_request(c);
    c->method = xstrndup(text, method);
    c->path = xstrndup(text + method + 1, path);
    c->head = xstrndup(text, head);
    c->body = xstrndup(text + head, len - head);
    buf_remove_front(&c->in, len);
    c->request = (struct script_request) {c->script, c->method, c->path, c->head, c->body, c};
    c->script->on_request(&c->request, c->script->arg);
}

static void on_data(uint32_t events, void *arg)
{
    struct connection *c = arg;
    char chunk[65536];
    size_t head, len;
    ssize_t n = read(c->io.fd, chunk, sizeof(chunk));

    (void) events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(c);
        return;
    }
    buf_add(&c->in, chunk, (size_t) n);
    while (!c->io.dead && (len = whole(c, &head)))
        take_request(c, head, len);
}

static void on_connection(uint32_t events, void *arg)
{
    struct script *s = arg;
    int fd = accept4(s->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void) events;
    if (fd < 0)
        return;
    struct connection *c = NEW(struct connection);
    c->script = s;
    c->io = (struct loop_io) {.fd = fd, .on_ready = on_data, .arg = c};
    s->n_connections++;
    list_push_back(&s->connections, &c->link);
    loop_io_add(s->loop, &c->io, EPOLLIN);
}

struct script *script_new(struct loop *loop,
                          void (*on_request)(struct script_request *request, void *arg), void *arg)
{
    struct script *s = NEW(struct script);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *) &address, size) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *) &address, &size) < 0)
        abort();
    s->loop = loop;
    s->on_request = on_request;
    s->arg = arg;
    list_init(&s->connections);
    s->io = (struct loop_io) {.fd = fd, .on_ready = on_connection, .arg = s};
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    loop_io_add(loop, &s->io, EPOLLIN);
    return s;
}

void script_free(struct script *s)
{
    struct connection *c;

    list_foreach (c, &s->connections, link)
        hang_up(c);
    loop_io_remove(s->loop, &s->io);
    close(s->io.fd);
    free(s);
}

const char *script_url(const struct script *s)
{
    return s->url;
}

int script_connections(const struct script *s)
{
    return s->n_connections;
}

void script_send(struct script_request *request, const char *bytes)
{
    const struct connection *c = request->connection;
    size_t len = strlen(bytes);

    while (len > 0) {
        ssize_t n = send(c->io.fd, bytes, len, MSG_NOSIGNAL);

        if (n < 0)
            return; /* it has left, or is slow: no test here sends that much */
        bytes += n;
        len -= (size_t) n;
    }
}

void script_answer(struct script_request *request, int status, const char *extra, const char *body)
{
    CLEANUP(free) char *text = xasprintf(
        "HTTP/1.1 %d Reason\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
        status, extra, strlen(body), body);

    script_send(request, text);
}

void script_hang_up(struct script_request *request, bool reset)
{
    struct connection *c = request->connection;
    struct linger at_once = {.l_onoff = 1};

    if (reset)
        setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    hang_up(c);
}

void script_freeze(struct script *s, bool frozen)
{
    struct connection *c;

    loop_io_change(s->loop, &s->io, frozen ? 0 : EPOLLIN);
    list_foreach (c, &s->connections, link)
        loop_io_change(s->loop, &c->io, frozen ? 0 : EPOLLIN);
}
