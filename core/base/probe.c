/* SPDX-License-Identifier: Apache-2.0 */
#include "base/probe.h"

#include "base/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 16
#define PAUSE_MS       100   /* without free descriptors */
#define MAX_DRAIN      65536 /* bytes that we throw away after the answer */

/*
 * READ   until the head is complete or hopeless
 * WRITE  the answer
 * DRAIN  our side is closed; what still comes is thrown away until the client has closed too, since
 *        closing with unread bytes would reset the connection and the client lose its answer
 */
enum connection_state { CONNECTION_READ, CONNECTION_WRITE, CONNECTION_DRAIN };

struct connection {
    struct loop_io io;
    struct loop_timer timer;
    struct list link;
    struct probe *probe;
    enum connection_state state;
    struct buf in, out;
    size_t written, drained;
};

struct probe {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer pause;
    const struct probe_page *pages;
    size_t n_pages;
    struct list connections; /* the oldest first */
    size_t n_connections;
    int64_t timeout_ms;
};

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}

static void connection_close(struct connection *c)
{
    struct probe *p = c->probe;

    loop_io_remove(p->loop, &c->io);
    close(c->io.fd);
    loop_timer_cancel(p->loop, &c->timer);
    list_remove(&c->link);
    p->n_connections--;
    buf_done(&c->in);
    buf_done(&c->out);
    loop_free_later(p->loop, c);
}

static void on_timeout(void *arg)
{
    connection_close(arg);
}

static void add_date(struct connection *c)
{
    time_t now = (time_t) (loop_now(c->probe->loop, LOOP_OF_DAY) / 1000);
    struct tm tm;
    char text[40];

    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    buf_addf(&c->out, "Date: %s\r\n", text);
}

static void answer(struct connection *c, int status, const char *content_type,
                   const struct buf *body, bool head_only)
{
    buf_addf(&c->out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    add_date(c);
    buf_addf(&c->out, "Content-Type: %s\r\nContent-Length: %zu\r\n", content_type, body->len);
    if (status == 405)
        buf_adds(&c->out, "Allow: GET, HEAD\r\n");
    buf_adds(&c->out, "Connection: close\r\n\r\n");
    if (!head_only)
        buf_add(&c->out, buf_text(body), body->len);
    c->state = CONNECTION_WRITE;
    loop_io_change(c->probe->loop, &c->io, EPOLLOUT);
}

static void refuse(struct connection *c, int status, const char *text)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf body = BUF_INIT;

    buf_addf(&body, "%s\n", text);
    answer(c, status, "text/plain", &body, false);
}

static const struct probe_page *find_page(const struct probe *p, const char *path, size_t len)
{
    for (size_t i = 0; i < p->n_pages; i++)
        if (strlen(p->pages[i].path) == len && memcmp(p->pages[i].path, path, len) == 0)
            return &p->pages[i];
    return NULL;
}

static void serve(struct connection *c, const char *target, bool head_only)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf body = BUF_INIT;
    const struct probe_page *page = find_page(c->probe, target, strcspn(target, "?"));

    if (!page) {
        refuse(c, 404, "no such page");
        return;
    }
    int status = page->render(&body, page->arg);
    answer(c, status, page->content_type, &body, head_only);
}

/* "GET /livez HTTP/1.1"; the line is ours to cut. */
static void take_request(struct connection *c, char *line)
{
    char *rest = line, *method = strsep(&rest, " "), *target = strsep(&rest, " "),
         *version = strsep(&rest, " ");

    if (!version || rest || !*method || target[0] != '/')
        refuse(c, 400, "not a request");
    else if (strncmp(version, "HTTP/1.", 7) != 0)
        refuse(c, 505, "HTTP/1.1 only");
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        refuse(c, 405, "GET and HEAD only");
    else
        serve(c, target, method[0] == 'H');
}

/* A head is lines of printable bytes; other bytes (TLS, say) need not be waited for. */
static bool is_head_like(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char) data[i];

        if ((byte < ' ' && byte != '\r' && byte != '\n' && byte != '\t') || byte == 0x7F)
            return false;
    }
    return true;
}

static bool head_is_complete(const char *head)
{
    return strstr(head, "\n\r\n") || strstr(head, "\n\n");
}

static void take_head(struct connection *c)
{
    /* A client may begin with an empty line (RFC 9112, 2.2). */
    buf_remove_front(&c->in, strspn(c->in.data, "\r\n"));
    if (!is_head_like(c->in.data, c->in.len)) {
        refuse(c, 400, "not a request");
    } else if (head_is_complete(c->in.data)) {
        c->in.data[strcspn(c->in.data, "\r\n")] = '\0';
        take_request(c, c->in.data);
    } else if (c->in.len >= PROBE_MAX_HEAD) {
        refuse(c, 431, "the request's head is too long");
    }
}

/* Up to `most` bytes into buf; false: the connection is over. */
static bool receive(struct connection *c, char *data, size_t most, size_t *ret_len)
{
    ssize_t n = recv(c->io.fd, data, most, 0);

    *ret_len = n > 0 ? (size_t) n : 0;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void read_head(struct connection *c)
{
    char data[2048];
    size_t room = PROBE_MAX_HEAD - c->in.len, len;

    if (!receive(c, data, room < sizeof(data) ? room : sizeof(data), &len)) {
        connection_close(c);
        return;
    }
    buf_add(&c->in, data, len);
    take_head(c);
}

static void write_answer(struct connection *c)
{
    ssize_t n = send(c->io.fd, c->out.data + c->written, c->out.len - c->written, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        connection_close(c);
        return;
    }
    c->written += n > 0 ? (size_t) n : 0;
    if (c->written < c->out.len)
        return;
    shutdown(c->io.fd, SHUT_WR);
    c->state = CONNECTION_DRAIN;
    loop_io_change(c->probe->loop, &c->io, EPOLLIN);
}

static void drain(struct connection *c)
{
    char data[4096];
    size_t len;
    bool open = receive(c, data, sizeof(data), &len);

    c->drained += len;
    if (!open || c->drained > MAX_DRAIN)
        connection_close(c);
}

static void on_connection(uint32_t events, void *arg)
{
    struct connection *c = arg;

    (void) events; /* errors and hang-ups show in what the calls return */
    switch (c->state) {
    case CONNECTION_READ:
        read_head(c);
        break;
    case CONNECTION_WRITE:
        write_answer(c);
        break;
    case CONNECTION_DRAIN:
        drain(c);
        break;
    }
}

static void connection_new(struct probe *p, int fd)
{
    struct connection *c = NEW(struct connection);

    c->probe = p;
    c->io = (struct loop_io) {.fd = fd, .on_ready = on_connection, .arg = c};
    c->timer = (struct loop_timer) {.on_time = on_timeout, .arg = c};
    loop_io_add(p->loop, &c->io, EPOLLIN);
    loop_timer_set(p->loop, &c->timer, LOOP_MONOTONIC,
                   loop_now(p->loop, LOOP_MONOTONIC) + p->timeout_ms);
    list_push_back(&p->connections, &c->link);
    p->n_connections++;
}

static void make_room(struct probe *p)
{
    if (p->n_connections >= PROBE_MAX_CONNECTIONS)
        connection_close(list_entry(p->connections.next, struct connection, link));
}

static void on_pause_over(void *arg)
{
    struct probe *p = arg;

    loop_io_change(p->loop, &p->io, EPOLLIN);
}

static bool is_out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void pause_accepting(struct probe *p)
{
    loop_io_change(p->loop, &p->io, 0);
    loop_timer_set(p->loop, &p->pause, LOOP_MONOTONIC,
                   loop_now(p->loop, LOOP_MONOTONIC) + PAUSE_MS);
}

static void on_listener(uint32_t events, void *arg)
{
    struct probe *p = arg;

    (void) events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(p->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (is_out_of_resources(errno))
                pause_accepting(p);
            return;
        }
        make_room(p);
        connection_new(p, fd);
    }
}

bool probe_new(struct loop *loop, const char *address, const struct probe_page *pages,
               size_t n_pages, struct probe **ret_probe, struct error *err)
{
    int fd;

    if (!listen_open(address, &fd, err))
        return false;
    struct probe *p = NEW(struct probe);
    p->loop = loop;
    p->pages = pages;
    p->n_pages = n_pages;
    p->timeout_ms = PROBE_TIMEOUT_MS;
    p->io = (struct loop_io) {.fd = fd, .on_ready = on_listener, .arg = p};
    p->pause = (struct loop_timer) {.on_time = on_pause_over, .arg = p};
    list_init(&p->connections);
    loop_io_add(loop, &p->io, EPOLLIN);
    *ret_probe = p;
    return true;
}

void probe_free(struct probe *p)
{
    struct connection *c;

    if (!p)
        return;
    list_foreach (c, &p->connections, link)
        connection_close(c);
    loop_timer_cancel(p->loop, &p->pause);
    loop_io_remove(p->loop, &p->io);
    close(p->io.fd);
    loop_free_later(p->loop, p);
}

void probe_set_timeout(struct probe *p, int64_t ms)
{
    p->timeout_ms = ms;
}

int probe_port(const struct probe *p)
{
    return listen_port(p->io.fd);
}

size_t probe_connections(const struct probe *p)
{
    return p->n_connections;
}
