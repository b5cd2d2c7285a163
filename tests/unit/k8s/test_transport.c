/* SPDX-License-Identifier: Apache-2.0 */
/* What a real API server does rarely; tests/integration/test_k8s.c has the rest. */
#include "test.h"

#include "base/buf.h"
#include "k8s/transport.h"
#include "sim/script.h"

#include <unistd.h>

static const struct k8s_resource pods = {"", "v1", "pods", "Pod"};

struct seen {
    int replies, items;
    struct error error;
    int status;
    int64_t retry_after_ms, server_time_ms, at;
    char version[32], token[32];
    struct buf text;
};

static struct loop *loop;
static struct script *script;
static struct k8s_config config;
static struct metrics *metrics;
static struct k8s *k8s;
static struct seen seen;

/* What the server has seen, and what it does. */
static int n_requests, n_held;
static struct script_request *held[64];
static char last_method[16], last_path[512], last_head[2048], last_body[4096];
static void (*behave)(struct script_request *request);

static void on_request(struct script_request *request, void *arg)
{
    (void) arg;
    n_requests++;
    snprintf(last_method, sizeof(last_method), "%s", request->method);
    snprintf(last_path, sizeof(last_path), "%s", request->path);
    snprintf(last_head, sizeof(last_head), "%s", request->head);
    snprintf(last_body, sizeof(last_body), "%s", request->body);
    behave(request);
}

static void hold(struct script_request *request)
{
    held[n_held++ % 64] = request;
}

static void answer_ok(struct script_request *request)
{
    script_answer(request, 200, "Date: Thu, 01 Jan 2026 00:00:07 GMT\r\n",
                  "{\"metadata\":{\"resourceVersion\":\"7\"}}");
}

static void hang_up(struct script_request *request)
{
    script_hang_up(request, false);
}

static void reset(struct script_request *request)
{
    script_hang_up(request, true);
}

static void start(struct k8s_limits limits)
{
    struct error err = {0};

    CHECK_OK(k8s_transport_new(loop, &config, &limits, metrics, &k8s, &err), &err);
}

static void set_up(struct k8s_limits limits)
{
    loop = loop_new();
    script = script_new(loop, on_request, NULL);
    metrics = metrics_new();
    config = (struct k8s_config) {.source = (char *) (uintptr_t) "test",
                                  .server = (char *) (uintptr_t) script_url(script),
                                  .token = (char *) (uintptr_t) "secret"};
    n_requests = n_held = 0;
    behave = answer_ok;
    seen = (struct seen) {0};
    start(limits);
}

static void tear_down(void)
{
    k8s_free(k8s);
    metrics_free(metrics);
    script_free(script);
    loop_turn(loop, 0);
    loop_free(loop);
    buf_done(&seen.text);
}

static int64_t now(void)
{
    return loop_now_fresh(loop, LOOP_BOOT);
}

static void on_item(enum k8s_event event, const char *text, size_t len, void *arg)
{
    struct seen *s = arg;

    buf_addf(&s->text, "%d:", (int) event);
    buf_add(&s->text, text, len);
    buf_addc(&s->text, ' ');
    s->items++;
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct seen *s = arg;

    s->replies++;
    s->error = reply->error;
    s->status = reply->http_status;
    s->retry_after_ms = reply->retry_after_ms;
    s->server_time_ms = reply->server_time_ms;
    s->at = now();
    snprintf(s->version, sizeof(s->version), "%s", reply->resource_version);
    snprintf(s->token, sizeof(s->token), "%s", reply->continue_token);
}

static const struct k8s_handler handler = {on_item, on_reply};

static struct k8s_call *call(struct k8s_request request)
{
    request.resource = &pods;
    request.ns = "a";
    if (!request.name && request.verb != K8S_LIST && request.verb != K8S_WATCH)
        request.name = "x";
    return k8s_call(k8s, &request, &handler, &seen);
}

/* Turns of the loop until there are so many replies, requests or items. */
static void wait_until(const int *what, int n)
{
    int64_t end = now() + 10000;

    while (*what < n && now() < end)
        loop_turn(loop, 20);
    CHECK(*what >= n);
}

static void pass(int64_t ms)
{
    int64_t end = now() + ms;

    while (now() < end)
        loop_turn(loop, end - now());
}

static enum error_code ask(struct k8s_request request)
{
    int n = seen.replies;

    buf_clear(&seen.text);
    call(request);
    CHECK_INT(seen.replies, n);
    wait_until(&seen.replies, n + 1);
    CHECK_INT(seen.replies, n + 1);
    return seen.error.code;
}

#define ASK(...) ask((struct k8s_request) {__VA_ARGS__})

TEST(a_request_as_the_server_sees_it)
{
    set_up((struct k8s_limits) {0});
    CHECK_INT(ASK(.verb = K8S_PATCH, .subresource = "status", .body = "{\"status\":{}}",
                  .timeout_ms = 1500),
              ERROR_NONE);
    CHECK_STR(last_method, "PATCH");
    CHECK_STR(last_body, "{\"status\":{}}");
    CHECK_HAS(last_path, "/api/v1/namespaces/a/pods/x/status?timeout=1");
    CHECK_HAS(last_path, "ms");
    CHECK_HAS(last_head, "Authorization: Bearer secret\r\n");
    CHECK_HAS(last_head, "Content-Type: application/merge-patch+json\r\n");
    CHECK_HAS(last_head, "Accept: application/json\r\n");
    CHECK(!strcasestr(last_head, "accept-encoding"));
    CHECK(!strcasestr(last_head, "expect"));
    CHECK_STR(seen.version, "7");
    CHECK_INT(seen.server_time_ms, 1767225607000);
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}"), ERROR_NONE);
    CHECK_STR(last_method, "POST");
    CHECK_INT(ASK(.verb = K8S_APPLY, .body = "{}", .field_manager = "m"), ERROR_NONE);
    CHECK_HAS(last_head, "Content-Type: application/apply-patch+yaml\r\n");
    CHECK_HAS(last_path, "fieldManager=m&timeout=2000ms");
    CHECK_INT(ASK(.verb = K8S_DELETE), ERROR_NONE);
    CHECK_STR(last_method, "DELETE");
    CHECK_STR(last_body, "{}");
    CHECK_INT(ASK(.verb = K8S_GET), ERROR_NONE);
    CHECK_STR(last_method, "GET");
    tear_down();
}

static void send_chunk(struct script_request *request, const char *text)
{
    CLEANUP(free) char *chunk = xasprintf("%zx\r\n%s\r\n", strlen(text), text);

    script_send(request, chunk);
}

static void answer_in_pieces(struct script_request *request)
{
    script_send(request, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    send_chunk(request, "{\"items\":[{\"a\":1},{\"b\":\"]\\");
    send_chunk(request, "\"\"}],\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"c\"}}");
    send_chunk(request, "");
}

TEST(a_list_comes_item_by_item)
{
    set_up((struct k8s_limits) {0});
    behave = answer_in_pieces;
    CHECK_INT(ASK(.verb = K8S_LIST), ERROR_NONE);
    CHECK_STR(buf_text(&seen.text), "0:{\"a\":1} 0:{\"b\":\"]\\\"\"} ");
    CHECK_STR(seen.version, "9");
    CHECK_STR(seen.token, "c");
    tear_down();
}

static void answer_half(struct script_request *request)
{
    script_send(request,
                "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"items\":[{\"a\":1},{\"b\":");
    script_hang_up(request, false);
}

TEST(half_an_answer_is_no_answer)
{
    set_up((struct k8s_limits) {0});
    behave = answer_half;
    CHECK_INT(ASK(.verb = K8S_LIST), ERROR_UNKNOWN);
    CHECK_STR(buf_text(&seen.text), "0:{\"a\":1} ");
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}"), ERROR_UNKNOWN);
    tear_down();
}

/* libcurl repeats by itself what got no answer on a connection that was used before. */
TEST(a_write_is_never_sent_twice)
{
    static void (*const ends[])(struct script_request *) = {hang_up, reset};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        set_up((struct k8s_limits) {0});
        CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}"), ERROR_NONE);
        behave = ends[i];
        CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{\"n\":1}"), ERROR_UNKNOWN);
        CHECK_INT(n_requests, 2);
        behave = answer_ok;
        CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{\"n\":2}"), ERROR_NONE);
        CHECK_INT(n_requests, 3);
        tear_down();
    }
}

TEST(no_answer_in_time)
{
    set_up((struct k8s_limits) {0});
    behave = hold;
    int64_t begin = now();
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}", .timeout_ms = 200), ERROR_UNKNOWN);
    CHECK(seen.at - begin >= 200 && seen.at - begin < 1000);
    CHECK_HAS(seen.error.text, "no answer within");
    CHECK_INT(k8s_transport_stats(k8s).window, 32); /* half */
    tear_down();
}

TEST(what_waited_too_long_was_not_sent)
{
    set_up((struct k8s_limits) {.max_in_flight = 1});
    behave = hold;
    call((struct k8s_request) {.verb = K8S_CREATE, .body = "{}", .timeout_ms = 5000});
    wait_until(&n_requests, 1);
    CHECK_INT(k8s_transport_stats(k8s).in_flight, 1);
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}", .timeout_ms = 100), ERROR_UNAVAILABLE);
    CHECK_INT(n_requests, 1);
    answer_ok(held[0]);
    wait_until(&seen.replies, 2);
    CHECK_INT(seen.error.code, ERROR_NONE);
    tear_down();
}

TEST(a_frozen_server_gets_new_connections_when_it_is_back)
{
    set_up((struct k8s_limits) {0});
    CHECK_INT(ASK(.verb = K8S_GET), ERROR_NONE);
    CHECK_INT(script_connections(script), 1);
    script_freeze(script, true);
    CHECK_INT(ASK(.verb = K8S_GET, .timeout_ms = 150), ERROR_UNKNOWN);
    script_freeze(script, false);
    CHECK_INT(ASK(.verb = K8S_GET), ERROR_NONE);
    CHECK_INT(script_connections(script), 2); /* not the one that was silent */
    tear_down();
}

TEST(the_lease_does_not_wait_for_others)
{
    set_up((struct k8s_limits) {.max_in_flight = 2});
    behave = hold;
    for (int i = 0; i < 4; i++)
        call((struct k8s_request) {.verb = K8S_GET, .lane = K8S_LANE_STATUS, .timeout_ms = 400});
    wait_until(&n_requests, 2);
    behave = answer_ok;
    CHECK_INT(ASK(.verb = K8S_GET, .lane = K8S_LANE_LEASE), ERROR_NONE);
    wait_until(&seen.replies, 5);
    tear_down();
}

TEST(the_important_ones_go_first)
{
    set_up((struct k8s_limits) {.max_in_flight = 1});
    behave = hold;
    call((struct k8s_request) {.verb = K8S_GET, .lane = K8S_LANE_READ});
    wait_until(&n_requests, 1);
    call(
        (struct k8s_request) {.verb = K8S_CREATE, .lane = K8S_LANE_EVENT, .body = "{\"event\":1}"});
    call((struct k8s_request) {.verb = K8S_CREATE, .lane = K8S_LANE_POD, .body = "{\"pod\":1}"});
    answer_ok(held[0]);
    wait_until(&n_requests, 2);
    CHECK_STR(last_body, "{\"pod\":1}");
    answer_ok(held[1]);
    wait_until(&n_requests, 3);
    CHECK_STR(last_body, "{\"event\":1}");
    answer_ok(held[2]);
    wait_until(&seen.replies, 3);
    tear_down();
}

static void answer_429(struct script_request *request)
{
    script_answer(request, 429, "Retry-After: 1\r\n",
                  "Too many requests, please try again later.\n");
}

TEST(a_429_closes_the_lane_for_a_while)
{
    set_up((struct k8s_limits) {0});
    behave = answer_429;
    CHECK_INT(ASK(.verb = K8S_CREATE, .lane = K8S_LANE_POD, .body = "{}"), ERROR_THROTTLED);
    CHECK_INT(seen.retry_after_ms, 1000);
    CHECK_INT(k8s_transport_stats(k8s).window, 32);
    behave = answer_ok;
    int64_t begin = now();
    CHECK_INT(ASK(.verb = K8S_GET, .lane = K8S_LANE_READ), ERROR_NONE);
    CHECK(seen.at - begin < 500);
    CHECK_INT(ASK(.verb = K8S_CREATE, .lane = K8S_LANE_POD, .body = "{}"), ERROR_NONE);
    CHECK(seen.at - begin >= 900);
    tear_down();
}

static int64_t left;
static int asked, closes_at; /* the fence is closed from the how-manieth question on; 0: never */

static int64_t remaining(void *arg)
{
    (void) arg;
    asked++;
    return closes_at && asked >= closes_at ? 0 : left;
}

static const struct k8s_fence fence = {remaining, NULL};

TEST(a_fence_that_closes_on_the_way_stops_the_request)
{
    set_up((struct k8s_limits) {0});
    left = 5000;
    closes_at = 1; /* at its turn */
    asked = 0;
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}", .fence = &fence), ERROR_FENCED);
    CHECK_INT(script_connections(script), 0);
    closes_at = 2; /* where the body would leave */
    asked = 0;
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}", .fence = &fence), ERROR_FENCED);
    CHECK_INT(asked, 2);
    CHECK_INT(n_requests, 0); /* never whole */
    closes_at = 0;
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}", .fence = &fence), ERROR_NONE);
    behave = hold;
    left = 150; /* and it cuts the time-out, and what the server is told */
    int64_t begin = now();
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}", .fence = &fence), ERROR_UNKNOWN);
    CHECK(seen.at - begin < 1000);
    CHECK_HAS(last_path, "timeout=150ms");
    n_requests = 0;
    left = 99; /* which would only leave a doubt */
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}", .fence = &fence), ERROR_FENCED);
    CHECK_INT(n_requests, 0);
    tear_down();
}

/* A process that sleeps between the decision and the socket. */
TEST(what_is_overdue_is_taken_out_before_a_socket_is_touched)
{
    set_up((struct k8s_limits) {0});
    call((struct k8s_request) {.verb = K8S_CREATE, .body = "{}", .timeout_ms = 100});
    loop_turn(loop, 0); /* handed to libcurl, which has not connected */
    usleep(200000);
    wait_until(&seen.replies, 1);
    CHECK_INT(seen.error.code, ERROR_UNAVAILABLE);
    pass(100);
    CHECK_INT(n_requests, 0);
    tear_down();
}

TEST(nobody_listens)
{
    set_up((struct k8s_limits) {0});
    k8s_free(k8s);
    config.server = (char *) (uintptr_t) "http://127.0.0.1:1";
    start((struct k8s_limits) {0});
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}"), ERROR_UNAVAILABLE);
    CHECK_INT(seen.status, 0);
    tear_down();
}

TEST(an_answer_has_a_largest_size)
{
    set_up((struct k8s_limits) {.max_reply = 20});
    CHECK_INT(ASK(.verb = K8S_GET), ERROR_TOO_LARGE);
    CHECK_INT(ASK(.verb = K8S_CREATE, .body = "{}"), ERROR_UNKNOWN);
    tear_down();
}

static void begin_watch(struct script_request *request)
{
    script_send(request, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    hold(request);
}

static struct k8s_call *watch(void)
{
    behave = begin_watch;
    n_held = 0;
    buf_clear(&seen.text);
    seen.items = 0;
    struct k8s_call *c = call(
        (struct k8s_request) {.verb = K8S_WATCH, .resource_version = "7", .timeout_ms = 240000});
    wait_until(&n_held, 1);
    return c;
}

TEST(a_watch_comes_line_by_line)
{
    set_up((struct k8s_limits) {0});
    watch();
    CHECK_STR(last_path,
              "/api/v1/namespaces/a/"
              "pods?watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=240");
    script_send(held[0], "{\"type\":\"ADDED\",\"obj");
    pass(20);
    script_send(held[0], "ect\":{\"a\":1}}\n{\"type\":\"DELETED\",\"object\":{}}\n{\"type\":"
                         "\"BOOKMARK\",\"object\":{\"b\":1}}\n{\"typ");
    wait_until(&seen.items, 3);
    CHECK_STR(buf_text(&seen.text), "1:{\"a\":1} 3:{} 4:{\"b\":1} ");
    CHECK_INT(k8s_transport_stats(k8s).watches, 1);
    script_hang_up(held[0], false);
    wait_until(&seen.replies, 1);
    CHECK_INT(seen.error.code, ERROR_NONE);
    CHECK_INT(k8s_transport_stats(k8s).watches, 0);
    watch();
    script_hang_up(held[0], true);
    wait_until(&seen.replies, 2);
    CHECK_INT(seen.error.code, ERROR_UNKNOWN);
    tear_down();
}

/* One connection bears a hundred of them: what is beyond would wait for ever. */
TEST(many_watches_get_more_connections)
{
    struct k8s_call *calls[101];

    set_up((struct k8s_limits) {0});
    behave = begin_watch;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        calls[i] = call((struct k8s_request) {.verb = K8S_WATCH});
    wait_until(&n_held, 5); /* a wire has four, and HTTP/1.1 one watch on each */
    CHECK_INT(k8s_transport_stats(k8s).watches, 101);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        k8s_cancel(calls[i]);
    tear_down();
}

TEST(an_error_event_ends_a_watch)
{
    set_up((struct k8s_limits) {0});
    watch();
    script_send(held[0], "{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"ERROR\",\"object\":{"
                         "\"reason\":\"Expired\",\"message\":\"too old\","
                         "\"code\":410}}\n{\"type\":\"ADDED\",\"object\":{}}\n");
    wait_until(&seen.replies, 1);
    CHECK_INT(seen.error.code, ERROR_EXPIRED);
    CHECK_INT(seen.status, 410);
    CHECK_STR(seen.error.text, "too old");
    CHECK_INT(seen.items, 1);
    watch();
    script_send(held[0], "nonsense\n");
    wait_until(&seen.replies, 2);
    CHECK_INT(seen.error.code, ERROR_UNKNOWN);
    tear_down();
}

TEST(a_silent_watch_is_ended)
{
    set_up((struct k8s_limits) {.watch_idle_ms = 200});
    int64_t begin = now();
    watch();
    for (int i = 0; i < 4; i++) {
        pass(100);
        script_send(held[0], "{\"type\":\"BOOKMARK\",\"object\":{}}\n");
    }
    CHECK_INT(seen.replies, 0);
    wait_until(&seen.replies, 1);
    CHECK(seen.at - begin >= 500);
    CHECK_INT(seen.error.code, ERROR_UNKNOWN);
    CHECK_HAS(seen.error.text, "silent");
    tear_down();
}

static struct k8s_call *to_cancel;

static void cancel_on_item(enum k8s_event event, const char *text, size_t len, void *arg)
{
    on_item(event, text, len, arg);
    k8s_cancel(to_cancel);
}

TEST(a_call_may_be_cancelled_at_any_time)
{
    static const struct k8s_handler cancelling = {cancel_on_item, on_reply};

    set_up((struct k8s_limits) {0});
    k8s_cancel(call((struct k8s_request) {.verb = K8S_GET})); /* before its turn */
    behave = hold;
    struct k8s_call *c = call((struct k8s_request) {.verb = K8S_GET});
    wait_until(&n_requests, 1);
    k8s_cancel(c); /* under way */
    c = call((struct k8s_request) {.verb = K8S_GET});
    wait_until(&n_requests, 2);
    behave = answer_in_pieces;
    to_cancel = k8s_call(k8s, &(struct k8s_request) {.verb = K8S_LIST, .resource = &pods},
                         &cancelling, &seen);
    wait_until(&seen.items, 1); /* within its own callback */
    behave = begin_watch;
    n_held = 0;
    to_cancel = k8s_call(k8s, &(struct k8s_request) {.verb = K8S_WATCH, .resource = &pods},
                         &cancelling, &seen);
    wait_until(&n_held, 1);
    script_send(held[0],
                "{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"ADDED\",\"object\":{}}\n");
    wait_until(&seen.items, 2);
    pass(50);
    k8s_cancel(c);
    k8s_cancel(NULL);
    CHECK_INT(seen.replies, 0);
    CHECK_INT(seen.items, 2);
    CHECK_INT(k8s_transport_stats(k8s).in_flight, 0);
    tear_down();
}

static void flood(struct script_request *request)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[");
    for (int i = 0; i < 5000; i++)
        buf_addf(&b, "%s{\"i\":%d}", i ? "," : "", i);
    buf_adds(&b, "]}");
    script_answer(request, 200, "", buf_text(&b));
    buf_done(&b);
}

/* However much has come, others get their turn. */
TEST(a_flood_is_handed_on_a_little_a_turn)
{
    int most = 0;

    set_up((struct k8s_limits) {0});
    behave = flood;
    call((struct k8s_request) {.verb = K8S_LIST});
    while (seen.replies == 0) {
        int before = seen.items;

        loop_turn(loop, 1000);
        most = seen.items - before > most ? seen.items - before : most;
    }
    CHECK_INT(seen.items, 5000);
    CHECK(most <= 256);
    tear_down();
}

static void answer_401(struct script_request *request)
{
    script_answer(request, 401, "",
                  "{\"kind\":\"Status\",\"reason\":\"Unauthorized\",\"message\":\"Unauthorized\"}");
}

static void write_token(const char *path, const char *token)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    fputs(token, file);
    fclose(file);
}

/* Makes the file `path` of a template, and begins with the token "one" in it. */
static void set_up_token(char *path, struct k8s_limits limits)
{
    set_up(limits);
    close(mkstemp(path));
    write_token(path, "one\n");
    k8s_free(k8s);
    config.token_file = path;
    start(limits);
}

/* Kubernetes renews tokens long before they end: no request has to fail for that. */
TEST(a_token_is_read_again_in_time)
{
    static const char *const tokens[] = {"one", "two", "three"};
    char path[] = "/tmp/kharon-test-token-XXXXXX";

    set_up_token(path, (struct k8s_limits) {.token_ms = 10});
    int64_t patience = now() + 20000;
    for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
        CLEANUP(free) char *header = xasprintf("Bearer %s\r\n", tokens[i]);

        write_token(path, tokens[i]);
        do
            CHECK_INT(ASK(.verb = K8S_GET), ERROR_NONE);
        while (!strstr(last_head, header) && now() < patience);
        CHECK_HAS(last_head, header);
    }
    unlink(path);
    tear_down();
}

TEST(a_token_is_read_again_after_a_401)
{
    char path[] = "/tmp/kharon-test-token-XXXXXX";

    set_up_token(path, (struct k8s_limits) {0});
    write_token(path, "two\n");
    behave = answer_401;
    CHECK_INT(ASK(.verb = K8S_GET), ERROR_UNAUTHORIZED);
    CHECK_HAS(last_head, "Bearer one\r\n");
    behave = answer_ok;
    CHECK_INT(ASK(.verb = K8S_GET), ERROR_NONE);
    CHECK_HAS(last_head, "Bearer two\r\n");
    unlink(path); /* the old one stays in use */
    behave = answer_401;
    ASK(.verb = K8S_GET);
    ASK(.verb = K8S_GET);
    CHECK_HAS(last_head, "Bearer two\r\n");
    tear_down();
}

TEST(what_it_does_is_counted)
{
    struct buf b = BUF_INIT;

    set_up((struct k8s_limits) {0});
    ASK(.verb = K8S_GET);
    ASK(.verb = K8S_CREATE, .body = "{}");
    behave = answer_429;
    ASK(.verb = K8S_CREATE, .body = "{}");
    behave = hang_up;
    ASK(.verb = K8S_PATCH, .body = "{}");
    metrics_print(metrics, &b);
    const char *host = script_url(script) + strlen("http://");
    CLEANUP(free) char *ok =
        xasprintf("rest_client_requests_total{code=\"200\",method=\"POST\",host=\"%s\"} 1\n", host);
    CHECK_HAS(buf_text(&b), ok);
    CHECK_HAS(buf_text(&b), "code=\"429\",method=\"POST\"");
    CHECK_HAS(buf_text(&b), "code=\"<error>\",method=\"PATCH\"");
    CHECK_HAS(buf_text(&b), "rest_client_request_duration_seconds_count{verb=\"create\"} 2\n");
    CHECK_HAS(buf_text(&b), "kharon_k8s_requests_in_flight 0\n");
    CHECK_INT(k8s_transport_stats(k8s).requests, 3);
    CHECK_INT(k8s_transport_stats(k8s).unanswered, 1);
    buf_done(&b);
    tear_down();
}
