/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server on real sockets: what clients may do to it.  It answers a few routes of this
 * test, and takes its turns while a client waits for something.
 */
#include "test.h"

#include "apiserver/server.h"
#include "base/buf.h"
#include "base/json.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MS  400
#define DRAIN_MS    5000
#define PATIENCE_MS 20000
/* Longer than any test: nothing ends by time. */
#define FOR_EVER_MS (3600 * 1000)
/* More than the kernel takes for somebody who does not read. */
#define BIG (16 * 1024 * 1024)

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
    int port, n_waiting, n_abandoned, n_counted;
    int64_t drain_ms, now_before;
    char *big;
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
    } else if (strcmp(req->target, "/count") == 0) {
        w.n_counted++;
        reply_text(req, 200, "counted");
    } else if (strcmp(req->target, "/big") == 0) {
        w.n_counted++;
        reply_json_text(req, 200, w.big, BIG);
    } else if (strcmp(req->target, "/time") == 0) {
        CHECK(loop_now(w.loop, LOOP_MONOTONIC) >= w.now_before);
        reply_text(req, 200, "time");
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

static bool is_urgent(const struct request *req)
{
    return strcmp(req->target, "/ping") == 0;
}

static const struct server_config standard = {.listen = "127.0.0.1:0",
                                              .max_connections = 100,
                                              .request_ms = REQUEST_MS,
                                              .max_input = SERVER_MAX_INPUT,
                                              .max_output = SERVER_MAX_OUTPUT,
                                              .on_request = on_request,
                                              .is_urgent = is_urgent};

static void set_up_with(const struct server_config *config, int64_t drain_ms)
{
    struct error err;

    w.loop = loop_new();
    w.api = (struct api) {.loop = w.loop};
    list_init(&w.waiting);
    w.release = (struct loop_timer) {.on_time = release_all};
    w.drain_ms = drain_ms;
    w.n_waiting = w.n_abandoned = w.n_counted = 0;
    CHECK_OK(server_new(&w.api, config, &w.server, &err), &err);
    w.port = server_port(w.server);
}

static void set_up(void)
{
    set_up_with(&standard, DRAIN_MS);
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

/* What a refusal of ours looks like, whoever found the reason for it. */
static void check_refusal(int line, const char *answer, int status, const char *reason)
{
    CLEANUP(free) char *first = xasprintf("HTTP/1.1 %d %s\r\n", status, reason);
    const char *body = strstr(answer, "\r\n\r\n");
    struct error err;

    CHECK_INT_AT(line, strncmp(answer, first, strlen(first)), 0);
    CHECK_HAS(answer, "Connection: close\r\n");
    CHECK_HAS(answer, "content-type: application/json\r\n");
    const char *id = strstr(answer, "x-styx-request-id: ");
    CHECK(id && body);
    CLEANUP(free) char *text = xstrndup(id + 19, strcspn(id + 19, "\r"));
    CLEANUP(json_decref) json_t *json = NULL;
    CHECK_OK(json_parse(body + 4, strlen(body + 4), &json, &err), &err);
    CHECK_STR(json_text_at(json, "message"), reason);
    CHECK_INT(json_int_at(json, "status", 0), status);
    CHECK_STR(json_text_at(json, "request_id"), text);
}

#define REFUSAL(answer, status, reason) check_refusal(__LINE__, answer, status, reason)

/* STYX-HTTP-07, STYX-HTTP-08 */
TEST(who_begins_a_request_and_does_not_end_it_is_told)
{
    static const char *const beginnings[] = {
        "GET /ping HT",
        "GET /ping HTTP/1.1\r\nHost: x\r\n",
        "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
    };
    int fds[ARRAY_SIZE(beginnings)];

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = open_connection();
        send_text(fds[i], beginnings[i]);
    }
    CHECK_HAS(get("/ping"), "pong");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        REFUSAL(read_all(fds[i]), 408, "Request Timeout: the request did not arrive in time");
        close(fds[i]);
    }
    tear_down();
}

/* One that sends a byte now and then has no more time than one that sends none. */
TEST(the_deadline_is_for_the_whole_request)
{
    static const char request[] = "GET /ping HTTP/1.1\r\nX: ";
    size_t n = 0;

    set_up();
    int fd = open_connection();
    be_patient();
    while (server_stats(w.server).timed_out == 0) {
        send(fd, n < strlen(request) ? &request[n] : "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        n++;
        turn("the deadline");
    }
    CHECK_HAS(read_all(fd), "HTTP/1.1 408 ");
    close(fd);
    tear_down();
}

TEST(an_idle_connection_is_closed_in_silence)
{
    set_up();
    int fresh = open_connection(), used = open_connection();
    send_text(used, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(used, "pong");
    CHECK_STR(read_all(fresh), "");
    CHECK_STR(read_all(used), "");
    close(fresh);
    close(used);
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
    fd = open_connection();
    send_text(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    until(&w.n_waiting, 1);
    get("/release");
    CHECK_HAS(read_all(fd), "released");
    close(fd);
    tear_down();
}

#define HEAD "POST /e HTTP/1.1\r\nHost: x\r\n"

/* STYX-HTTP-07, STYX-HTTP-08 */
TEST(what_is_malformed_is_refused)
{
    set_up();
    CHECK_HAS(ask("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n");
    CHECK_HAS(ask("GET /ping HTTP/1.1\r\nbad header\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n");
    REFUSAL(ask(HEAD "Transfer-Encoding: gzip\r\n" CLOSE), 400,
            "Bad Request: unknown transfer-encoding");
    REFUSAL(ask(HEAD "Content-Length: +3\r\n" CLOSE "abc"), 400,
            "Bad Request: broken content-length header");
    REFUSAL(ask(HEAD "Transfer-Encoding: chunked\r\n" CLOSE "xyz\r\n"), 400,
            "Bad Request: broken chunked-encoding");
    REFUSAL(ask(HEAD "Expect: coffee\r\nContent-Length: 3\r\n" CLOSE "abc"), 417,
            "Expectation Failed: unknown expectation");
    REFUSAL(ask(HEAD "X-Styx-Request-Id: mine\r\nContent-Length: x\r\n\r\n"), 400,
            "Bad Request: broken content-length header");
    CHECK_HAS(ask(HEAD "X-Styx-Request-Id: mine\r\nContent-Length: x\r\n\r\n"),
              "\"request_id\":\"mine\"}");
    CHECK_HAS(get("/ping"), "pong");
    tear_down();
}

/* STYX-HTTP-07, STYX-HTTP-08 */
TEST(what_is_too_large_is_refused)
{
    struct buf b = BUF_INIT;

    set_up();
    REFUSAL(ask(HEAD "Content-Length: 3000000\r\n\r\n"), 413,
            "Payload Too Large: limit = 2097152 bytes");
    buf_adds(&b, HEAD "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 300; i++)
        buf_addf(&b, "2000\r\n%08192d\r\n", i);
    REFUSAL(ask(b.data), 413, "Payload Too Large: limit = 2097152 bytes");
    buf_clear(&b);
    buf_addf(&b, "GET /ping HTTP/1.1\r\nHost: x\r\nX: %016384d\r\n" CLOSE, 1);
    REFUSAL(ask(b.data), 431, "Request Header Fields Too Large: limit = 16384 bytes");
    buf_done(&b);
    CHECK_HAS(get("/ping"), "pong");
    tear_down();
}

/* Two servers could take them for different requests: no second one is seen after such a head. */
TEST(what_others_might_read_differently_is_refused)
{
    static const char *const requests[] = {
        HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "GET /e HTTP/1.1\r\n\r\n",
    };

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        CLEANUP(free) char *text =
            xasprintf("%sGET /count HTTP/1.1\r\nHost: x\r\n\r\n", requests[i]);

        CHECK_HAS(ask(text), "HTTP/1.1 400 Bad Request: ");
    }
    CHECK_INT(w.n_counted, 0);
    tear_down();
}

/* The answer is not lost because the client is still sending. */
TEST(a_client_that_sends_too_much_reads_why)
{
    enum { SIZE = 8 * 1024 * 1024 };
    char *body = xcalloc(1, SIZE + 1);
    size_t sent = 0;

    memset(body, 'x', SIZE);
    set_up();
    int fd = open_connection();
    send_text(fd, HEAD "Content-Length: 8388608\r\n\r\n");
    be_patient();
    while (sent < SIZE) {
        ssize_t n = send(fd, body + sent, SIZE - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        CHECK(n >= 0 || errno == EAGAIN);
        if (n < 0)
            turn("room to send");
        sent += n > 0 ? (size_t) n : 0;
    }
    REFUSAL(read_all(fd), 413, "Payload Too Large: limit = 2097152 bytes");
    close(fd);
    free(body);
    tear_down();
}

TEST(a_body_may_wait_to_be_asked_for)
{
    set_up();
    int fd = open_connection();
    send_text(fd, HEAD "Expect: 100-continue\r\nContent-Length: 3\r\n" CLOSE);
    read_until(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(fd, "abc");
    CHECK_HAS(read_all(fd), "body=3");
    close(fd);
    REFUSAL(ask(HEAD "Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n"), 413,
            "Payload Too Large: limit = 2097152 bytes");
    tear_down();
}

/* The library's loop waits outside of ours, whose clocks must not be those of before. */
TEST(a_request_is_handled_at_the_time_at_which_it_comes)
{
    set_up();
    while (loop_now_fresh(w.loop, LOOP_MONOTONIC) == loop_now(w.loop, LOOP_MONOTONIC))
        ;
    w.now_before = loop_now_fresh(w.loop, LOOP_MONOTONIC);
    CHECK_HAS(get("/time"), "time");
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

/* What was sent has been read when it returns: the kernel hands it over at once, and a turn takes
 * what is there. */
static int hold_one(const char *beginning)
{
    size_t before = server_stats(w.server).connections;
    int fd = open_connection();

    send_text(fd, beginning);
    be_patient();
    while (server_stats(w.server).connections == before)
        turn("a connection");
    turn("its bytes");
    return fd;
}

static void hold(int *fds, size_t n, const char *beginning)
{
    for (size_t i = 0; i < n; i++)
        fds[i] = hold_one(beginning);
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

/* Nothing ends by time here. */
TEST(who_only_holds_a_connection_makes_room)
{
    static const char *const beginnings[] = {"", "GET /ping HT", HEAD "Content-Length: 9\r\n\r\n"};
    struct server_config config = standard;
    int fds[4];

    config.max_connections = ARRAY_SIZE(fds);
    config.request_ms = FOR_EVER_MS;
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        set_up_with(&config, DRAIN_MS);
        hold(fds, ARRAY_SIZE(fds), beginnings[i]);
        CHECK_HAS(get("/ping"), "pong");
        CHECK_INT(server_stats(w.server).evicted, 1);
        CHECK_STR(read_all(fds[0]), ""); /* the first to come */
        close_all(fds, ARRAY_SIZE(fds));
        tear_down();
    }
}

TEST(idle_connections_make_room_first)
{
    struct server_config config = standard;

    config.max_connections = 3;
    config.request_ms = FOR_EVER_MS;
    set_up_with(&config, DRAIN_MS);
    int busy = hold_one("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    int half = hold_one(HEAD "Content-Length: 3\r\n\r\na");
    int idle = hold_one("");
    CHECK_HAS(get("/ping"), "pong");
    CHECK_STR(read_all(idle), "");
    send_text(half, "bc");
    read_until(half, "body=3");
    get("/release");
    read_until(busy, "released");
    close(busy);
    close(half);
    close(idle);
    tear_down();
}

TEST(nobody_whom_we_owe_an_answer_is_sent_away)
{
    struct server_config config = standard;
    int fds[3];

    config.max_connections = ARRAY_SIZE(fds);
    config.request_ms = FOR_EVER_MS;
    set_up_with(&config, DRAIN_MS);
    hold(fds, ARRAY_SIZE(fds), "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    until(&w.n_waiting, ARRAY_SIZE(fds));
    int fd = open_connection();
    send_text(fd, "GET /ping HTTP/1.1\r\nHost: x\r\n" CLOSE);
    be_patient();
    for (int i = 0; i < 5; i++)
        turn("nobody");
    CHECK_INT(server_stats(w.server).connections, ARRAY_SIZE(fds));
    CHECK_INT(server_stats(w.server).evicted, 0);
    loop_timer_set(w.loop, &w.release, LOOP_MONOTONIC, loop_now(w.loop, LOOP_MONOTONIC));
    CHECK_HAS(read_all(fd), "pong");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        read_until(fds[i], "released");
    close(fd);
    close_all(fds, ARRAY_SIZE(fds));
    tear_down();
}

static char *repeat(const char *text, int n)
{
    struct buf b = BUF_INIT;

    for (int i = 0; i < n; i++)
        buf_adds(&b, text);
    return buf_take(&b);
}

/* By counts: in how many turns a ping is answered does not depend on what others have sent. */
TEST(requests_sent_at_once_are_handled_in_between_those_of_others)
{
    CLEANUP(free) char *many = repeat("GET /count HTTP/1.1\r\nHost: x\r\n\r\n", 1000);
    int fds[8];

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = open_connection();
        CHECK(send(fds[i], many, strlen(many), MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
    }
    CHECK_HAS(get("/ping"), "pong");
    CHECK(w.n_counted < 100 * (int) ARRAY_SIZE(fds));
    close_all(fds, ARRAY_SIZE(fds));
    tear_down();
}

TEST(requests_of_a_client_that_has_left_are_not_handled)
{
    CLEANUP(free) char *many = repeat("GET /count HTTP/1.1\r\nHost: x\r\n\r\n", 1000);

    set_up();
    int fd = open_connection();
    CHECK(send(fd, many, strlen(many), MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
    be_patient();
    while (w.n_counted == 0)
        turn("a request");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger) {1, 0}, sizeof(struct linger));
    close(fd);
    while (server_stats(w.server).connections > 0)
        turn("the end");
    CHECK(w.n_counted < 100);
    tear_down();
}

/* As many as there is memory for; and who does not read goes when others wait for that. */
TEST(answers_that_are_not_read_hold_nobody_up)
{
    struct server_config config = standard;
    int fds[3];

    config.max_output = BIG;
    w.big = repeat("0123456789abcdef", BIG / 16);
    set_up_with(&config, DRAIN_MS);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = open_connection();
        send_text(fds[i], "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    until(&w.n_counted, 1);
    CHECK_HAS(get("/ping"), "pong");
    CHECK_HAS(get("/count"), "counted");
    until(&w.n_counted, ARRAY_SIZE(fds) + 1);
    CHECK(server_stats(w.server).evicted >= ARRAY_SIZE(fds) - 1);
    close_all(fds, ARRAY_SIZE(fds));
    free(w.big);
    tear_down();
}

TEST(parts_of_requests_take_no_more_memory_than_there_is)
{
    CLEANUP(free) char *part = repeat("0123456789abcdef", 4096);
    struct server_config config = standard;
    int fds[8];

    config.max_input = 200 * 1024;
    config.request_ms = FOR_EVER_MS;
    set_up_with(&config, DRAIN_MS);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = open_connection();
        send_text(fds[i], HEAD "Content-Length: 1000000\r\n\r\n");
        send_text(fds[i], part);
    }
    be_patient();
    while (server_stats(w.server).evicted < 5)
        turn("those that have to go");
    CHECK_HAS(get("/ping"), "pong");
    CHECK_INT(server_stats(w.server).evicted, 5);
    close_all(fds, ARRAY_SIZE(fds));
    tear_down();
}

TEST(a_client_that_resets_its_connection_ends_its_request)
{
    set_up();
    for (int i = 0; i < 3; i++) {
        int fd = open_connection();

        send_text(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
        until(&w.n_waiting, 1);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger) {1, 0}, sizeof(struct linger));
        close(fd);
        until(&w.n_abandoned, i + 1);
        CHECK_INT(w.n_waiting, 0);
    }
    tear_down();
}

/* It looks like one that only ends its sending half: its request is carried out. */
TEST(a_client_that_closes_its_connection_harms_nobody)
{
    set_up();
    int fd = open_connection();
    send_text(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    until(&w.n_waiting, 1);
    close(fd);
    get("/release");
    be_patient();
    while (server_stats(w.server).connections > 0)
        turn("the end");
    CHECK_INT(w.n_abandoned, 0);
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
    set_up_with(&standard, 100);
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
