/* SPDX-License-Identifier: Apache-2.0 */
#include "base/probe.h"

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#define BIG 3000000

static int livez(struct buf *body, void *arg)
{
    ++*(int *) arg;
    buf_adds(body, "ok\n");
    return 200;
}

static int readyz(struct buf *body, void *arg)
{
    (void) arg;
    buf_adds(body, "not yet\n");
    return 503;
}

static int big(struct buf *body, void *arg)
{
    (void) arg;
    buf_reserve(body, BIG);
    memset(body->data, 'x', BIG);
    body->len = BIG;
    body->data[BIG] = '\0';
    return 200;
}

struct fixture {
    struct loop *loop;
    struct probe *probe;
    int n_livez;
    struct probe_page pages[3];
};

static void fixture_init(struct fixture *f)
{
    struct error err;

    *f = (struct fixture) {.pages = {{"/livez", "text/plain", livez, &f->n_livez},
                                     {"/readyz", "text/plain", readyz, NULL},
                                     {"/big", "text/x", big, NULL}}};
    f->loop = loop_new();
    CHECK_OK(probe_new(f->loop, "127.0.0.1:0", f->pages, 3, &f->probe, &err), &err);
}

static void fixture_done(struct fixture *f)
{
    probe_free(f->probe);
    loop_free(f->loop);
}

static int client_new(const struct fixture *f)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t) probe_port(f->probe))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_INT(connect(fd, (const struct sockaddr *) &to, sizeof(to)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void say(int fd, const char *data, size_t len)
{
    CHECK_INT(send(fd, data, len, MSG_NOSIGNAL), len);
}

/* Reads what has come; false at the end, which out then tells if it was not a clean one. */
static bool listen_to(int fd, struct buf *out)
{
    char data[65536];
    ssize_t n;

    while ((n = recv(fd, data, sizeof(data), 0)) > 0)
        buf_add(out, data, (size_t) n);
    if (n < 0 && errno != EAGAIN)
        buf_addf(out, "<%s>", strerror(errno));
    return n < 0 && errno == EAGAIN;
}

static void turn_until_over(struct fixture *f, int fd, struct buf *out)
{
    while (listen_to(fd, out))
        loop_turn(f->loop, 5000);
}

/* The whole answer, with the date blanked out; the caller frees. */
static char *ask(struct fixture *f, const char *request, size_t len)
{
    struct buf out = BUF_INIT;
    int fd = client_new(f);

    say(fd, request, len);
    turn_until_over(f, fd, &out);
    close(fd);
    char *date = strstr(buf_text(&out), "Date: ");
    if (date)
        memset(date + 6, '.', strcspn(date + 6, "\r"));
    return buf_take(&out);
}

#define ANSWER(status, type, body_len, more, body)                                                 \
    "HTTP/1.1 " status "\r\nDate: .............................\r\nContent-Type: " type            \
    "\r\nContent-Length: " body_len "\r\n" more "Connection: close\r\n\r\n" body

#define ASK(f, request, want) check_ask(__LINE__, f, request, sizeof(request) - 1, want)

static void check_ask(int line, struct fixture *f, const char *request, size_t len,
                      const char *want)
{
    CLEANUP(free) char *got = ask(f, request, len);

    CHECK_STR_AT(line, got, want);
}

TEST(pages_are_answered)
{
    struct fixture f;

    fixture_init(&f);
    ASK(&f, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        ANSWER("200 OK", "text/plain", "3", "", "ok\n"));
    ASK(&f, "GET /livez?verbose=1 HTTP/1.0\n\n", ANSWER("200 OK", "text/plain", "3", "", "ok\n"));
    ASK(&f, "\r\nGET /livez HTTP/1.0\n\r\n", ANSWER("200 OK", "text/plain", "3", "", "ok\n"));
    ASK(&f, "HEAD /livez HTTP/1.1\r\n\r\n", ANSWER("200 OK", "text/plain", "3", "", ""));
    ASK(&f, "GET /readyz HTTP/1.1\r\n\r\n",
        ANSWER("503 Service Unavailable", "text/plain", "8", "", "not yet\n"));
    CHECK_INT(f.n_livez, 4);
    while (probe_connections(f.probe))
        loop_turn(f.loop, 5000);
    fixture_done(&f);
}

TEST(other_requests_are_refused)
{
    struct fixture f;

    fixture_init(&f);
    ASK(&f, "GET /livezz HTTP/1.1\r\n\r\n",
        ANSWER("404 Not Found", "text/plain", "13", "", "no such page\n"));
    ASK(&f, "GET /live HTTP/1.1\r\n\r\n",
        ANSWER("404 Not Found", "text/plain", "13", "", "no such page\n"));
    ASK(&f, "POST /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        ANSWER("405 Method Not Allowed", "text/plain", "18", "Allow: GET, HEAD\r\n",
               "GET and HEAD only\n"));
    ASK(&f, "GET /livez HTTP/2.0\r\n\r\n",
        ANSWER("505 HTTP Version Not Supported", "text/plain", "14", "", "HTTP/1.1 only\n"));
    CHECK_INT(f.n_livez, 0);
    fixture_done(&f);
}

#define NO_REQUEST ANSWER("400 Bad Request", "text/plain", "14", "", "not a request\n")

TEST(garbage_is_refused_at_once)
{
    struct fixture f;

    fixture_init(&f);
    ASK(&f, "\x16\x03\x01\x02\x00\x01", NO_REQUEST);
    ASK(&f, "GET /livez HTTP/1.1\r\nX: \0\r\n\r\n", NO_REQUEST);
    ASK(&f, "GET /livez\r\n\r\n", NO_REQUEST);
    ASK(&f, "GET  /livez HTTP/1.1\r\n\r\n", NO_REQUEST);
    ASK(&f, "GET livez HTTP/1.1\r\n\r\n", NO_REQUEST);
    ASK(&f, "GET /livez HTTP/1.1 x\r\n\r\n", NO_REQUEST);
    ASK(&f, " /livez HTTP/1.1\r\n\r\n", NO_REQUEST);
    ASK(&f, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NO_REQUEST);
    ASK(&f, "hello\n\n", NO_REQUEST);
    fixture_done(&f);
}

TEST(a_head_that_is_too_long_is_refused)
{
    struct fixture f;
    char head[PROBE_MAX_HEAD + 1000];

    fixture_init(&f);
    memset(head, 'a', sizeof(head));
    memcpy(head, "GET /livez HTTP/1.1\r\nX: ", 24);
    CLEANUP(free) char *got = ask(&f, head, sizeof(head));
    CHECK_HAS(got, "HTTP/1.1 431 ");
    memcpy(head + PROBE_MAX_HEAD - 4, "\r\n\r\n", 4);
    CLEANUP(free) char *fits = ask(&f, head, PROBE_MAX_HEAD);
    CHECK_HAS(fits, "HTTP/1.1 200 OK");
    fixture_done(&f);
}

TEST(a_request_in_single_bytes)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture f;
    struct buf out = BUF_INIT;

    fixture_init(&f);
    int fd = client_new(&f);
    for (size_t i = 0; i + 1 < sizeof(request); i++) {
        say(fd, request + i, 1);
        loop_turn(f.loop, 0);
        loop_turn(f.loop, 0);
    }
    turn_until_over(&f, fd, &out);
    CHECK_HAS(buf_text(&out), "200 OK");
    CHECK_HAS(buf_text(&out), "\r\n\r\nok\n");
    buf_done(&out);
    close(fd);
    fixture_done(&f);
}

TEST(clients_that_close_their_side)
{
    struct fixture f;
    struct buf out = BUF_INIT;

    fixture_init(&f);
    int whole = client_new(&f), part = client_new(&f), silent = client_new(&f);
    say(whole, "GET /livez HTTP/1.1\r\n\r\n", 23);
    say(part, "GET /li", 7);
    shutdown(whole, SHUT_WR);
    shutdown(part, SHUT_WR);
    close(silent);
    turn_until_over(&f, whole, &out);
    CHECK_HAS(buf_text(&out), "200 OK");
    buf_clear(&out);
    turn_until_over(&f, part, &out);
    CHECK_STR(buf_text(&out), "");
    while (probe_connections(f.probe))
        loop_turn(f.loop, 5000);
    buf_done(&out);
    close(whole);
    close(part);
    fixture_done(&f);
}

TEST(a_large_answer_arrives_whole)
{
    struct fixture f;

    fixture_init(&f);
    CLEANUP(free) char *got = ask(&f, "GET /big HTTP/1.1\r\n\r\n", 21);
    CHECK_HAS(got, "Content-Length: 3000000\r\n");
    CHECK_INT(strlen(strstr(got, "\r\n\r\n") + 4), BIG);
    fixture_done(&f);
}

TEST(a_client_that_leaves_during_a_large_answer)
{
    struct fixture f;

    fixture_init(&f);
    int fd = client_new(&f);
    say(fd, "GET /big HTTP/1.1\r\n\r\n", 21);
    for (int i = 0; i < 5; i++)
        loop_turn(f.loop, 0);
    CHECK_INT(probe_connections(f.probe), 1);
    close(fd);
    while (probe_connections(f.probe))
        loop_turn(f.loop, 5000);
    fixture_done(&f);
}

TEST(silence_is_not_waited_for_forever)
{
    struct fixture f;
    struct buf out = BUF_INIT;

    fixture_init(&f);
    probe_set_timeout(f.probe, 20);
    int silent = client_new(&f), slow = client_new(&f), deaf = client_new(&f);
    say(slow, "GET /", 5);
    say(deaf, "GET /big HTTP/1.1\r\n\r\n", 21);
    turn_until_over(&f, silent, &out);
    turn_until_over(&f, slow, &out);
    CHECK_STR(buf_text(&out), "");
    while (probe_connections(f.probe))
        loop_turn(f.loop, 5000);
    close(silent);
    close(slow);
    close(deaf);
    fixture_done(&f);
}

TEST(a_client_that_never_stops_sending_is_cut_off)
{
    static const char junk[16384] = {'x'};
    struct fixture f;
    int64_t sent = 0;

    fixture_init(&f);
    int fd = client_new(&f);
    say(fd, "POST /livez HTTP/1.1\r\n\r\n", 24);
    loop_turn(f.loop, 5000);
    loop_turn(f.loop, 5000);
    CHECK_INT(probe_connections(f.probe), 1);
    while (probe_connections(f.probe)) {
        ssize_t n = send(fd, junk, sizeof(junk), MSG_NOSIGNAL);

        CHECK(n > 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        sent += n > 0 ? n : 0;
        CHECK(sent < 64 << 20); /* what the kernel may buffer is less */
        loop_turn(f.loop, 5000);
    }
    close(fd);
    fixture_done(&f);
}

TEST(idle_connections_do_not_keep_others_out)
{
    struct fixture f;
    int idle[3 * PROBE_MAX_CONNECTIONS];

    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
        idle[i] = client_new(&f);
        loop_turn(f.loop, 0);
        CHECK(probe_connections(f.probe) <= PROBE_MAX_CONNECTIONS);
    }
    CHECK_INT(probe_connections(f.probe), PROBE_MAX_CONNECTIONS);
    ASK(&f, "GET /livez HTTP/1.1\r\n\r\n", ANSWER("200 OK", "text/plain", "3", "", "ok\n"));
    for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
        close(idle[i]);
    fixture_done(&f);
}

TEST(without_descriptors_it_waits)
{
    struct fixture f;
    struct rlimit limit, low;
    int turns = 0;

    fixture_init(&f);
    int fd = client_new(&f);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = (rlim_t) fd + 1;
    setrlimit(RLIMIT_NOFILE, &low);
    int64_t start = loop_now_fresh(f.loop, LOOP_MONOTONIC);
    while (loop_now_fresh(f.loop, LOOP_MONOTONIC) < start + 150) {
        loop_turn(f.loop, 50);
        turns++;
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK_INT(probe_connections(f.probe), 0);
    CHECK(turns < 50); /* it did not spin */
    while (!probe_connections(f.probe))
        loop_turn(f.loop, 5000);
    close(fd);
    fixture_done(&f);
}

TEST(an_address_that_is_taken)
{
    struct fixture f;
    struct error err;
    struct probe *other = NULL;
    char address[40];

    fixture_init(&f);
    snprintf(address, sizeof(address), "127.0.0.1:%d", probe_port(f.probe));
    CHECK_ERROR(probe_new(f.loop, address, f.pages, 3, &other, &err), &err, ERROR_UNAVAILABLE);
    CHECK_ERROR(probe_new(f.loop, "nowhere", f.pages, 3, &other, &err), &err, ERROR_INVALID);
    CHECK(!other);
    probe_free(NULL);
    fixture_done(&f);
}

TEST(closing_with_open_connections)
{
    struct fixture f;
    struct buf out = BUF_INIT;

    fixture_init(&f);
    int fd = client_new(&f);
    say(fd, "GET /", 5);
    loop_turn(f.loop, 5000);
    loop_turn(f.loop, 0);
    CHECK_INT(probe_connections(f.probe), 1);
    fixture_done(&f);
    CHECK(!listen_to(fd, &out));
    CHECK_STR(buf_text(&out), "");
    close(fd);
}
