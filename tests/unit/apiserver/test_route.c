/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/buf.h"

/* STYX-API-01 */
TEST(ping_answers)
{
    set_up();
    ASK("GET", "/ping", NULL, 200, "pong");
    CHECK_STR(w.last->type, "text/plain; charset=utf-8");
    CHECK_STR(w.last->req.id, NULL);
    ASK("GET", "/ping/", NULL, 200, "pong");
    tear_down();
}

/* STYX-HTTP-01, STYX-API-28 */
TEST(prefixes_and_trailing_slashes)
{
    static const struct {
        int line;
        const char *method, *target;
        int status;
    } rows[] = {
        {__LINE__, "GET", "/api/v3/workflows", 200},
        {__LINE__, "GET", "/api/v3/workflows/", 200},
        {__LINE__, "GET", "/v3/workflows", 200},
        {__LINE__, "GET", "/v3/workflows/?full=true", 200},
        {__LINE__, "GET", "/workflows", 404},
        {__LINE__, "GET", "/api/v2/workflows", 404},
        {__LINE__, "GET", "/api/v0/workflows", 404},
        {__LINE__, "GET", "/api/v3/workflows//", 404},
        {__LINE__, "GET", "/api/v3//workflows", 404},
        {__LINE__, "GET", "/api/v3", 404},
        {__LINE__, "GET", "/", 404},
        {__LINE__, "GET", "/api/v3/ping", 404},
        {__LINE__, "POST", "/api/v3/scheduler/trigger", 400},
        {__LINE__, "POST", "/v3/scheduler/trigger", 400},
        {__LINE__, "POST", "/api/v0/trigger", 400},
        {__LINE__, "POST", "/api/v3/scheduler/halt", 400},
        {__LINE__, "POST", "/api/v0/halt", 400},
        {__LINE__, "POST", "/api/v0/scheduler/halt", 404},
        {__LINE__, "GET", "/api/v3/resources", 404},
        {__LINE__, "GET", "http://kharon/api/v3/workflows", 200},
        {__LINE__, "GET", "HTTPS://kharon:8080/api/v3/workflows?full=true", 200},
        {__LINE__, "GET", "http://kharon", 404},
        {__LINE__, "GET", "http://kharon?full=true", 404},
        {__LINE__, "GET", "http://", 404},
        {__LINE__, "GET", "ftp://kharon/api/v3/workflows", 400},
    };

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        CHECK_INT_AT(rows[i].line, ask(rows[i].method, rows[i].target, NULL)->status,
                     rows[i].status);
    tear_down();
}

/* STYX-HTTP-03 */
TEST(other_methods_are_told_what_is_allowed)
{
    set_up();
    REFUSED("PUT", "/api/v3/workflows/c", NULL, 405, "Method Not Allowed");
    CHECK_STR(w.last->allow, "GET, POST, OPTIONS");
    REFUSED("HEAD", "/api/v3/workflows", NULL, 405, "Method Not Allowed");
    CHECK_STR(w.last->allow, "GET, OPTIONS");
    ASK("HEAD", "/ping", NULL, 405, NULL);
    ASK("OPTIONS", "/api/v3/workflows/c/w/state", NULL, 204, "");
    CHECK_STR(w.last->allow, "GET, PATCH, OPTIONS");
    REFUSED("OPTIONS", "/nowhere", NULL, 404, "Not Found");
    REFUSED("get", "/ping", NULL, 405, "Method Not Allowed");
    tear_down();
}

/* STYX-HTTP-08 */
TEST(request_ids_come_from_the_client_or_are_made)
{
    static const struct {
        int line;
        const char *given;
        bool kept;
    } rows[] = {
        {__LINE__, "abc", true},        {__LINE__, "0123456789abcdef0123456789abcdef", true},
        {__LINE__, NULL, false},        {__LINE__, "", false},
        {__LINE__, "two words", false}, {__LINE__, "line\nbreak", false},
        {__LINE__, "\xc3\xa4", false},
    };
    CLEANUP(free) char *too_long = xasprintf("%0129d", 1);

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        w.request_id = rows[i].given;
        const char *id = ask("GET", "/api/v3/workflows", NULL)->req.id;

        CHECK_AT(rows[i].line, id);
        if (rows[i].kept)
            CHECK_STR_AT(rows[i].line, id, rows[i].given);
        else
            CHECK_INT_AT(rows[i].line, strspn(id, "0123456789abcdef"), 32);
    }
    w.request_id = too_long;
    CHECK_INT(strlen(ask("GET", "/api/v3/nowhere", NULL)->req.id), 32);
    tear_down();
}

/* STYX-HTTP-07 */
TEST(an_error_is_told_twice)
{
    set_up();
    ASK("GET", "/nowhere", NULL, 404,
        "{\"message\":\"Not Found\",\"status\":404,\"request_id\":\"r1\"}");
    CHECK_STR(w.last->reason, "Not Found");
    CHECK_STR(w.last->type, "application/json");
    tear_down();
}

TEST(what_is_not_a_path_is_refused)
{
    set_up();
    REFUSED("GET", "/api/v3/workflows/%", NULL, 400, "Bad percent-encoding in the URL");
    REFUSED("GET", "/api/v3/workflows/%4", NULL, 400, "Bad percent-encoding in the URL");
    REFUSED("GET", "/api/v3/workflows/%gg", NULL, 400, "Bad percent-encoding in the URL");
    REFUSED("GET", "/api/v3/workflows?full=%", NULL, 400, "Bad percent-encoding in the URL");
    REFUSED("GET", "/api/v3/workflows/a%00b", NULL, 400, "The URL contains %00");
    REFUSED("GET", "/api/v3/workflows/%e4", NULL, 400, "The URL is not UTF-8");
    REFUSED("GET", "/api/v3/workflows/%ed%a0%80", NULL, 400, "The URL is not UTF-8");
    REFUSED("OPTIONS", "*", NULL, 400, "The URL does not begin with /");
    REFUSED("GET", "", NULL, 400, "The URL does not begin with /");
    tear_down();
}

TEST(nothing_is_answered_before_everything_was_read)
{
    set_up();
    store_free(w.api.store);
    w.api.store = store_new(w.loop, w.client, &w.rng, &w.places);
    REFUSED("GET", "/api/v3/workflows", NULL, 503, "Still reading the objects from Kubernetes");
    CHECK_STR(w.last->retry_after, "1");
    ASK("GET", "/ping", NULL, 200, "pong");
    store_start(w.api.store);
    settle();
    ASK("GET", "/api/v3/workflows", NULL, 200, "[]");
    tear_down();
}

/* ---- requests without a route ---- */

static void parse(struct request *req, const char *target)
{
    struct error err;

    *req = (struct request) {.target = target};
    CHECK_OK(request_init(req, &err), &err);
}

/* STYX-HTTP-02 */
TEST(segments_are_decoded_once)
{
    static const struct {
        int line;
        const char *target, *segments; /* joined by | */
    } rows[] = {
        {__LINE__, "/", ""},
        {__LINE__, "/a", "a"},
        {__LINE__, "/a/", "a"},
        {__LINE__, "/a/b%2Fc/d", "a|b/c|d"},
        {__LINE__, "/a%20b+c", "a b+c"},
        {__LINE__, "/%2561", "%61"},
        {__LINE__, "/a//b", "a||b"},
        {__LINE__, "//", ""},
        {__LINE__, "/a/../b", "a|..|b"},
        {__LINE__, "/%5Bx%5D%23?q=/z", "[x]#"},
        {__LINE__, "/a#b/c", "a"},
        {__LINE__, "/\xc3\xa4", "\xc3\xa4"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct request req;
        struct buf joined = BUF_INIT;

        parse(&req, rows[i].target);
        for (size_t j = 0; j < req.n_segments; j++)
            buf_addf(&joined, "%s%s", j ? "|" : "", req.segments[j]);
        CHECK_STR_AT(rows[i].line, buf_text(&joined), rows[i].segments);
        buf_done(&joined);
        request_done(&req);
    }
}

TEST(the_first_of_repeated_parameters_counts)
{
    struct request req;

    parse(&req, "/x?a=1&a=2&b=x+y%2B%3D&c&=d&e=f=g&TRUE=tRuE&%61%62=3");
    CHECK_STR(request_query(&req, "a"), "1");
    CHECK_STR(request_query(&req, "b"), "x y+=");
    CHECK_STR(request_query(&req, "c"), "");
    CHECK_STR(request_query(&req, "e"), "f=g");
    CHECK_STR(request_query(&req, "ab"), "3");
    CHECK_STR(request_query(&req, "nope"), NULL);
    CHECK(request_query_true(&req, "TRUE"));
    CHECK(!request_query_true(&req, "a"));
    CHECK(!request_query_true(&req, "nope"));
    request_done(&req);
}

/* Any bytes: parsed or refused, never read beyond their end. */
TEST(random_targets_do_no_harm)
{
    static const char alphabet[] = "/?&=%%%0125afAFgG+#.~\xff";
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        char text[24] = "/";
        size_t len = (size_t) rng_below(&rng, sizeof(text) - 2);
        struct error err;

        for (size_t j = 0; j < len; j++)
            text[1 + j] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        struct request req = {.target = text};
        if (request_init(&req, &err))
            for (size_t j = 0; j < req.n_segments; j++)
                CHECK(strlen(req.segments[j]) <= len);
        request_done(&req);
    }
}

TEST(the_routes_are_printed_for_the_reference)
{
    CLEANUP(free) char *text = routes_markdown();

    CHECK_HAS(text, "| GET | `/api/v3/workflows/:component/:workflow` | One workflow. |\n");
    CHECK_HAS(text, "| POST | `/api/v0/halt` |");
}
