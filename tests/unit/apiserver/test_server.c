/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server on real sockets: what clients may do to it.  It answers a few routes of this
 * test, and takes its turns while a client waits for something.
 */
#include "test.h"

#include "apiserver/server.h"
#include "base/buf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MS  400
#define DRAIN_MS    5000
#define PATIENCE_MS 20000

/* The library keeps 88 bytes of each context that it disposed of. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_multithread_create_queue\n";
}

struct waiting {
    struct list link;
    struct request *req;
};

static struct {
    struct loop *loop;
    struct api api;
    struct server *server;
    struct list waiting;
    struct loop_timer release;
    int port, n_waiting, n_abandoned;
    int64_t drain_ms;
} w;

static void release_all(void *arg)
{
    struct waiting *wait;

    (void) arg;
    while (!list_empty(&w.waiting)) {
        wait = list_entry(w.waiting.next, struct waiting, link);
        reply_text(wait->req, 200, "released");
    }
}

static void end_waiting(void *work)
{
    struct waiting *wait = work;

    list_remove(&wait->link);
    w.n_waiting--;
    if (wait->req->status == 0)
        w.n_abandoned++;
}

static void wait_for_release(struct request *req)
{
    struct waiting *wait = request_work(req, sizeof(*wait), end_waiting);

    wait->req = req;
    list_push_back(&w.waiting, &wait->link);
    w.n_waiting++;
}

static void stop(struct request *req)
{
    server_stop(w.server, w.drain_ms);
    if (strcmp(req->target, "/stop-and-release") == 0)
        loop_timer_set(w.loop, &w.release, LOOP_MONOTONIC, loop_now(w.loop, LOOP_MONOTONIC) + 50);
    reply_text(req, 200, "stopping");
}

static void on_request(struct request *req)
{
    if (strcmp(req->target, "/ping") == 0) {
        reply_text(req, 200, "pong");
    } else if (strcmp(req->target, "/wait") == 0) {
        wait_for_release(req);
    } else if (strcmp(req->target, "/release") == 0) {
        release_all(NULL);
        reply_empty(req, 204);
    } else if (strncmp(req->target, "/stop", 5) == 0) {
        stop(req);
    } else if (strcmp(req->target, "/split") == 0) {
        reply_error(req, 409, "one\r\nX-Injected: yes");
    } else if (strcmp(req->target, "/long") == 0) {
        reply_error(req, 400, "%0600d", 1);
    } else {
        struct buf b = BUF_INIT;

        buf_addf(&b, "%s %s body=%zu agent=%s", req->method, req->target, req->body_len,
                 request_header(req, "user-agent") ? request_header(req, "user-agent") : "none");
        reply_text(req, 200, b.data);
        buf_done(&b);
    }
}

static void set_up_with(size_t max_connections, int64_t drain_ms)
{
    struct error err;
    struct server_config config = {.listen = "127.0.0.1:0",
                                   .max_connections = max_connections,
                                   .request_ms = REQUEST_MS,
                                   .on_request = on_request};

    w.loop = loop_new();
    w.api = (struct api) {.loop = w.loop};
    list_init(&w.waiting);
    w.release = (struct loop_timer) {.on_time = release_all};
    w.drain_ms = drain_ms;
    w.n_waiting = w.n_abandoned = 0;
    CHECK_OK(server_new(&w.api, &config, &w.server, &err), &err);
    w.port = server_port(w.server);
}

static void set_up(void)
{
    set_up_with(100, DRAIN_MS);
}

static int open_connection(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) w.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK_INT(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    return fd;
}

static int64_t patience;

static void be_patient(void)
{
    patience = loop_now_fresh(w.loop, LOOP_MONOTONIC) + PATIENCE_MS;
}

static void turn(const char *what)
{
    server_turn(w.server, 10);
    if (loop_now_fresh(w.loop, LOOP_MONOTONIC) > patience)
        TEST_FAIL("waited in vain for %s", what);
}

/* What a server that refuses the rest leaves unread is no failure of the sender. */
static void send_text(int fd, const char *text)
{
    size_t len = strlen(text);

    be_patient();
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            return;
        if (n < 0)
            turn("room to send");
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t) n : 0;
    }
}

static ssize_t receive(int fd, char *to, size_t room)
{
    ssize_t n;

    while ((n = recv(fd, to, room, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
        turn("an answer");
    return n;
}

/* Until the end of the stream. */
static const char *read_all(int fd)
{
    static char text[65536];
    size_t len = 0;
    ssize_t n;

    be_patient();
    while ((n = receive(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t) n;
    text[len] = '\0';
    return text;
}

/* Until `part` has arrived. */
static const char *read_until(int fd, const char *part)
{
    static char text[65536];
    size_t len = 0;
    ssize_t n;

    be_patient();
    text[0] = '\0';
    while (!strstr(text, part) && (n = receive(fd, text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t) n;
        text[len] = '\0';
    }
    CHECK_HAS(text, part);
    return text;
}

static const char *ask(const char *text)
{
    int fd = open_connection();

    send_text(fd, text);
    const char *answer = read_all(fd);
    close(fd);
    return answer;
}

#define CLOSE "Connection: close\r\n\r\n"

static const char *get(const char *target)
{
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n" CLOSE, target);
    return ask(text);
}

static void until(const int *what, int value)
{
    be_patient();
    while (*what != value)
        turn("a number");
}

static void finish(void)
{
    server_run(w.server);
    server_free(w.server);
    loop_free(w.loop);
}

static void tear_down(void)
{
    get("/stop");
    finish();
    CHECK_INT(w.n_waiting, 0);
}

TEST(a_request_is_answered)
{
    set_up();
    const char *answer = get("/ping");
    CHECK_HAS(answer, "HTTP/1.1 200 OK\r\n");
    CHECK_HAS(answer, "Content-Length: 4\r\n");
    CHECK_HAS(answer, "Server: kharon\r\n");
    CHECK_HAS(answer, "\r\n\r\npong");
    CHECK_HAS(
        ask("POST /e?a=%20b HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\nContent-Length: 3\r\n" CLOSE
            "abc"),
        "POST /e?a=%20b body=3 agent=t");
    CHECK_HAS(ask("POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" CLOSE
                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
              "body=5");
    CHECK_HAS(ask("GET /ping HTTP/1.0\r\n\r\n"), "pong");
    CHECK_HAS(get("/%zz"), "GET /%zz");
    tear_down();
}

TEST(an_answer_without_body_has_none)
{
    set_up();
    const char *answer = get("/release");
    CHECK_HAS(answer, "HTTP/1.1 204 No Content\r\n");
    CHECK(!strstr(answer, "Content-Length"));
    CHECK(!strstr(answer, "chunked"));
    CHECK_STR(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    tear_down();
}

/* STYX-HTTP-07 */
TEST(a_reason_phrase_is_one_short_line)
{
    set_up();
    const char *answer = get("/split");
    CHECK_HAS(answer, "HTTP/1.1 409 one  X-Injected: yes\r\n");
    CHECK_HAS(answer,
              "{\"message\":\"one\\r\\nX-Injected: yes\",\"status\":409,\"request_id\":null}");
    answer = get("/long");
    CHECK_INT(strchr(answer, '\r') - answer, (int) strlen("HTTP/1.1 400 ") + REPLY_REASON_MAX);
    tear_down();
}

TEST(pipelined_requests_are_answered_in_order)
{
    set_up();
    CHECK_INT(w.n_waiting, 0);
    int fd = open_connection();
    send_text(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n" CLOSE);
    until(&w.n_waiting, 1);
    get("/release");
    const char *answer = read_all(fd);
    const char *first = strstr(answer, "released");
    CHECK(first);
    CHECK_HAS(first, "GET /second");
    close(fd);
    tear_down();
}

TEST(a_slow_client_is_cut_off)
{
    static const char *const beginnings[] = {
        "",
        "GET /ping HT",
        "GET /ping HTTP/1.1\r\nHost: x\r\n",
        "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
    };
    int fds[ARRAY_SIZE(beginnings)];

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = open_connection();
        if (*beginnings[i])
            send_text(fds[i], beginnings[i]);
    }
    CHECK_HAS(get("/ping"), "pong");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        CHECK(!strstr(read_all(fds[i]), " 200 "));
        close(fds[i]);
    }
    tear_down();
}

TEST(a_half_closed_connection_gets_its_answer)
{
    set_up();
    int fd = open_connection();
    send_text(fd, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    CHECK_HAS(read_all(fd), "pong");
    close(fd);
    tear_down();
}

TEST(what_is_malformed_or_too_large_is_refused)
{
    struct buf b = BUF_INIT;

    set_up();
    CHECK_HAS(ask("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), "400");
    CHECK_HAS(ask("GET /ping HTTP/1.1\r\nbad header\r\n\r\n"), "400");
    CHECK_HAS(ask("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"), "413");
    buf_adds(&b, "POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 300; i++)
        buf_addf(&b, "2000\r\n%08192d\r\n", i);
    CHECK_HAS(ask(b.data), "413");
    buf_clear(&b);
    CHECK_HAS(ask("POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n" CLOSE), "400");
    buf_addf(&b, "GET /ping HTTP/1.1\r\nHost: x\r\nX: %016384d\r\n" CLOSE, 1);
    CHECK_HAS(ask(b.data), "HTTP/1.1 431 Request Header Fields Too Large");
    buf_done(&b);
    CHECK_HAS(get("/ping"), "pong");
    tear_down();
}

/* Prior knowledge and upgrade: both stay HTTP/1.1. */
TEST(there_is_no_http_2)
{
    set_up();
    CHECK(!strstr(ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "SETTINGS"));
    CHECK_HAS(ask("GET /ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, "
                  "close\r\nUpgrade: h2c\r\n"
                  "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"),
              "HTTP/1.1 200 OK");
    tear_down();
}

TEST(idle_connections_keep_nobody_out)
{
    int fds[50];

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = open_connection();
    CHECK_HAS(get("/ping"), "pong");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    tear_down();
}

TEST(connections_beyond_the_limit_wait_for_their_turn)
{
    int fds[4];

    set_up_with(ARRAY_SIZE(fds), DRAIN_MS);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = open_connection();
    CHECK_HAS(get("/ping"), "pong"); /* when the first idle one has been closed */
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    tear_down();
}

TEST(a_client_that_leaves_ends_its_request)
{
    set_up();
    for (int i = 0; i < 3; i++) {
        int fd = open_connection();

        send_text(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
        until(&w.n_waiting, 1);
        if (i == 1)
            shutdown(fd, SHUT_WR);
        if (i == 2) /* a reset instead of an orderly end */
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger) {1, 0}, sizeof(struct linger));
        if (i != 1)
            close(fd);
        until(&w.n_abandoned, i + 1);
        CHECK_INT(w.n_waiting, 0);
        if (i == 1) {
            CHECK_STR(read_all(fd), "");
            close(fd);
        }
    }
    tear_down();
}

TEST(stopping_lets_requests_finish)
{
    set_up();
    int idle = open_connection(), pending = open_connection();
    send_text(idle, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(idle, "pong");
    send_text(pending, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    until(&w.n_waiting, 1);
    CHECK_HAS(get("/stop-and-release"), "stopping");
    CHECK_STR(read_all(idle), "");
    const char *answer = read_all(pending);
    CHECK_HAS(answer, "released");
    CHECK_HAS(answer, "Connection: close\r\n");
    finish();
    close(idle);
    close(pending);
}

TEST(stopping_does_not_wait_for_ever)
{
    set_up_with(100, 100);
    int pending = open_connection();
    send_text(pending, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    until(&w.n_waiting, 1);
    get("/stop");
    server_run(w.server);
    CHECK_INT(w.n_waiting, 1);
    finish();
    CHECK_INT(w.n_waiting, 0);
    CHECK_INT(w.n_abandoned, 1);
    close(pending);
}
