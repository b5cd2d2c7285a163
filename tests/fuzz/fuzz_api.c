/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the whole HTTP API behind the socket (route_dispatch on a Kubernetes in memory),
 * for any requests:
 *
 *  - each is answered, once; nothing that a client sends is a 5xx;
 *  - an answer's reason phrase is one line, in UTF-8 of limited length; its body is JSON if it says
 *    so, and of an error it has the reason, the status and the request's id;
 *  - a workflow that was taken is shown at once, under its names.
 *
 * The lines are method, target and body, of up to three requests one after the other.
 */
#include "apiserver/api.h"
#include "apiserver/route.h"
#include "apiserver/store.h"
#include "base/log.h"
#include "sim/fake.h"

#include "fuzz_json.h"

#define START     INT64_C(1768046400000) /* 2026-01-10T12:00:00Z */
#define WITHIN_MS 30000
#define REQUESTS  3

struct asked {
    struct request req;
    int answers, status;
    char reason[REPLY_REASON_MAX + 1];
    char *body, *type;
};

static const char *find_header(const struct request *req, const char *name)
{
    (void) req;
    return strcmp(name, "x-styx-request-id") == 0 ? "r1" : NULL;
}

static void on_answer(struct request *req, const struct reply *reply)
{
    struct asked *a = container_of(req, struct asked, req);

    a->answers++;
    a->status = reply->status;
    reply_reason(reply, a->reason);
    a->body = xstrndup(reply->body ? reply->body : "", reply->body_len);
    a->type = xstrdup(reply->content_type);
}

static bool is_answered(void *arg)
{
    const struct asked *a = arg;

    return a->answers > 0;
}

static void check_reason(const char *reason)
{
    FUZZ_CHECK(*reason && utf8_valid(reason));
    for (; *reason; reason++)
        FUZZ_CHECK((unsigned char) *reason >= ' ' && *reason != 0x7f);
}

static void check_error_body(const struct asked *a, const json_t *json)
{
    FUZZ_CHECK(json_int_at(json, "status", 0) == a->status);
    FUZZ_CHECK(json_text_at(json, "message") && *json_text_at(json, "message"));
    FUZZ_CHECK(strcmp(json_text_at(json, "request_id"), "r1") == 0);
}

static void check_answer(const struct asked *a)
{
    CLEANUP(json_decref) json_t *json = NULL;
    struct error err;

    FUZZ_CHECK(a->answers == 1 && a->status >= 200 && a->status < 500);
    check_reason(a->reason);
    FUZZ_CHECK(!*a->body || a->type);
    if (a->type && strcmp(a->type, "application/json") == 0)
        FUZZ_CHECK(json_parse(a->body, strlen(a->body), &json, &err));
    if (a->status >= 400)
        check_error_body(a, json);
}

/* The answer's status; its body to *ret_body unless that is NULL. */
static int ask(struct fake *fake, struct api *api, const char *method, const char *target,
               const char *body, char **ret_body)
{
    struct asked a = {.req = {.api = api,
                              .method = method,
                              .target = target,
                              .body = body,
                              .body_len = strlen(body),
                              .header = find_header,
                              .send = on_answer}};

    route_dispatch(&a.req);
    FUZZ_CHECK(a.answers || fake_run_until(fake, WITHIN_MS, is_answered, &a));
    check_answer(&a);
    if (ret_body)
        *ret_body = TAKE(a.body);
    request_done(&a.req);
    free(a.body);
    free(a.type);
    return a.status;
}

static void check_stored(struct fake *fake, struct api *api, const char *target, const char *body)
{
    CLEANUP(json_decref) json_t *sent = NULL;
    CLEANUP(json_decref) json_t *shown = NULL;
    CLEANUP(free) char *list = NULL;
    struct error err;
    const char *id;

    FUZZ_CHECK(json_parse(body, strlen(body), &sent, &err));
    FUZZ_CHECK(ask(fake, api, "GET", "/api/v3/workflows", "", &list) == 200);
    FUZZ_CHECK(json_parse(list, strlen(list), &shown, &err) && json_array_size(shown) > 0);
    id = json_text_at(sent, "id");
    for (size_t i = 0; id && i < json_array_size(shown); i++)
        if (strcmp(json_text_at(json_array_get(shown, i), "workflow_id"), id) == 0)
            return;
    FUZZ_CHECK(!id && target); /* else it was a number */
}

static void run(struct fake *fake, struct api *api, char *lines[])
{
    for (size_t i = 0; i < 3 * REQUESTS && *lines[i]; i += 3) {
        char *method = lines[i], *target = lines[i + 1], *body = lines[i + 2];
        int status = ask(fake, api, method, target, body, NULL);

        if (status == 200 && strcmp(method, "POST") == 0 && strstr(target, "/workflows/"))
            check_stored(fake, api, target, body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[3 * REQUESTS], *watched[] = {(char[]) {"kharon"}, (char[]) {"billing"}};
    struct error err;
    struct places places;
    struct rng rng;

    fuzz_lines(data, len, lines, 3 * REQUESTS);
    log_setup(LOG_TEXT, LOG_ERROR);
    rng_init(&rng, 1);
    struct loop *loop = loop_new_virtual(START);
    struct fake *fake = fake_new(loop, 1);
    fake_add_kind(fake, &workflow_resource, true);
    fake_add_kind(fake, &instance_resource, true);
    struct k8s *client = fake_client(fake, "apiserver");
    FUZZ_CHECK(places_init(&places, watched, 2, NULL, 0, "kharon", &err));
    struct api api = {.loop = loop,
                      .k8s = client,
                      .rng = &rng,
                      .max_running_timeout_ms = INT64_C(172800000),
                      .max_active = API_MAX_ACTIVE};
    api.store = store_new(loop, client, &rng, &places);
    store_start(api.store);
    fake_run(fake, 2000);
    run(fake, &api, lines);
    store_free(api.store);
    k8s_free(client);
    fake_free(fake);
    places_done(&places);
    loop_free(loop);
    fuzz_lines_done(lines, 3 * REQUESTS);
    return 0;
}
