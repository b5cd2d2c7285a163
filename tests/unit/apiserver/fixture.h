/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API on a Kubernetes in memory, without sockets: requests go to route_dispatch, answers come
 * back as texts.  Time is virtual and begins at START.
 *
 *     set_up();
 *     ASK("GET", "/api/v3/workflows", NULL, 200, "[]");
 *     tear_down();
 *
 * An operator of a few lines answers wishes while `operator_works`.
 */
#ifndef KHARON_TEST_APISERVER_FIXTURE_H
#define KHARON_TEST_APISERVER_FIXTURE_H

#include "test.h"

#include "apiserver/api.h"
#include "apiserver/route.h"
#include "apiserver/store.h"
#include "base/log.h"
#include "model/time.h"
#include "sim/fake.h"

#define START            INT64_C(1768046400000) /* 2026-01-10T12:00:00Z, a Saturday */
#define ANSWER_WITHIN_MS 30000

struct answer {
    struct request req;
    bool answered;
    int status;
    char reason[REPLY_REASON_MAX + 1];
    char *body, *type, *allow, *retry_after;
};

TEST_UNUSED static struct {
    struct loop *loop;
    struct fake *fake;
    struct k8s *client;
    struct places places;
    struct rng rng;
    struct api api;
    struct answer *last; /* freed with the next */
    struct fake_watcher watcher;
    struct loop_task obey;
    bool operator_works;
    const char *user_agent, *request_id;
} w;

/* The operator in a few lines ------------------------------------------------------------------ */

static void obey_workflow(const json_t *object, void *arg)
{
    const char *wish = json_text_at(object, "spec.setNext.id"),
               *done = json_text_at(object, "status.setNextId");
    const char *next = json_text_at(object, "spec.setNext.next");
    const char *next_offset = json_text_at(object, "spec.setNext.nextOffset");

    (void) arg;
    if (!wish || (done && strcmp(wish, done) == 0))
        return;
    CLEANUP(json_decref) json_t *status = json_pack("{s:{s:s}}", "status", "setNextId", wish);
    json_set_text(json_at(status, "status"), "next", next);
    json_set_text(json_at(status, "status"), "nextOffset", next_offset);
    CLEANUP(free) char *text = json_print(status);
    fake_patch_status(w.fake, &workflow_resource, json_text_at(object, "metadata.namespace"),
                      json_text_at(object, "metadata.name"), text);
}

static void obey_instance(const json_t *object, void *arg)
{
    int64_t wish = json_int_at(object, "spec.haltThrough", 0);

    (void) arg;
    if (wish <= json_int_at(object, "status.haltedThrough", 0))
        return;
    CLEANUP(free) char *text =
        xasprintf("{\"status\":{\"haltedThrough\":%" PRId64 ",\"seq\":%" PRId64
                  ",\"state\":\"ERROR\",\"active\":false}}",
                  wish, json_int_at(object, "spec.trigger.seq", 1));
    fake_patch_status(w.fake, &instance_resource, json_text_at(object, "metadata.namespace"),
                      json_text_at(object, "metadata.name"), text);
}

static void obey(void *arg)
{
    (void) arg;
    if (!w.operator_works)
        return;
    fake_foreach(w.fake, &workflow_resource, obey_workflow, NULL);
    fake_foreach(w.fake, &instance_resource, obey_instance, NULL);
}

static void on_fake_change(const struct k8s_resource *resource, const json_t *old,
                           const json_t *new, void *arg)
{
    (void) resource, (void) old, (void) new, (void) arg;
    loop_task_queue(w.loop, &w.obey);
}

/* Requests ------------------------------------------------------------------------------------- */

static void answer_free(struct answer *a)
{
    if (!a)
        return;
    request_done(&a->req);
    free(a->body);
    free(a->type);
    free(a->allow);
    free(a->retry_after);
    free(a);
}

static const char *fixture_header(const struct request *req, const char *name)
{
    (void) req;
    if (strcmp(name, "x-styx-request-id") == 0)
        return w.request_id;
    return strcmp(name, "user-agent") == 0 ? w.user_agent : NULL;
}

static void fixture_send(struct request *req, const struct reply *reply)
{
    struct answer *a = container_of(req, struct answer, req);

    CHECK(!a->answered);
    a->answered = true;
    a->status = reply->status;
    reply_reason(reply, a->reason);
    a->body = xstrndup(reply->body ? reply->body : "", reply->body_len);
    a->type = xstrdup(reply->content_type);
    for (size_t i = 0; i < reply->n_headers; i++) {
        char **to = strcmp(reply->headers[i].name, "allow") == 0 ? &a->allow : &a->retry_after;

        *to = xstrdup(reply->headers[i].value);
    }
}

/* Begins a request; the caller frees the answer. */
TEST_UNUSED static struct answer *begin_at(struct api *api, const char *method, const char *target,
                                           const char *body)
{
    struct answer *a = NEW(struct answer);

    a->req = (struct request) {.api = api,
                               .method = method,
                               .target = target,
                               .body = body,
                               .body_len = body ? strlen(body) : 0,
                               .header = fixture_header,
                               .send = fixture_send};
    route_dispatch(&a->req);
    return a;
}

TEST_UNUSED static struct answer *begin(const char *method, const char *target, const char *body)
{
    return begin_at(&w.api, method, target, body);
}

static bool is_answered(void *arg)
{
    const struct answer *a = arg;

    return a->answered;
}

TEST_UNUSED static struct answer *ask(const char *method, const char *target, const char *body)
{
    answer_free(w.last);
    w.last = begin(method, target, body);
    if (!w.last->answered && !fake_run_until(w.fake, ANSWER_WITHIN_MS, is_answered, w.last))
        TEST_FAIL("%s %s: no answer", method, target);
    return w.last;
}

/* The answer to a write (`lost`) does not come, and then Kubernetes cannot be asked (`next`):
 * nobody who obeys the answer sends it again. */
TEST_UNUSED static void check_not_known(const char *method, const char *target, const char *body,
                                        const char *plural, enum k8s_verb lost, enum k8s_verb next)
{
    fake_fail_next(w.fake, FAKE_LOSE_REPLY, 1, lost, plural);
    struct answer *a = begin(method, target, body);
    fake_run(w.fake, 100);
    CHECK(!a->answered);
    fake_fail_next(w.fake, FAKE_REFUSE, 1, next, plural);
    fake_run(w.fake, ANSWER_WITHIN_MS);
    CHECK_INT(a->status, 504);
    CHECK(!a->retry_after);
    CHECK_HAS(a->body, "whether it was done before is not known");
    answer_free(a);
}

/* What nobody can know beforehand in the id of a trigger becomes "T". */
TEST_UNUSED static const char *mask(char *text)
{
    for (char *p = text; (p = strstr(p, "ad-hoc-cli-"));) {
        p += strlen("ad-hoc-cli-");
        size_t len = strspn(p, "0123456789-");

        CHECK_INT(len, 19);
        *p = 'T';
        memmove(p + 1, p + len, strlen(p + len) + 1);
    }
    return text;
}

TEST_UNUSED static void check_answer(const char *file, int line, const char *method,
                                     const char *target, const char *body, int status,
                                     const char *want)
{
    struct answer *a = ask(method, target, body);

    if (a->status != status)
        test_fail_at(file, line, "%s %s is %d %s, want %d\n%s", method, target, a->status,
                     a->reason, status, a->body);
    if (want)
        test_str(file, line, target, mask(a->body), want);
}

#define ASK(method, target, body, status, want)                                                    \
    check_answer(__FILE__, __LINE__, method, target, body, status, want)

/* An error: its text is the reason phrase and in the body. */
TEST_UNUSED static void check_error(const char *file, int line, const char *method,
                                    const char *target, const char *body, int status,
                                    const char *want)
{
    struct error err;
    CLEANUP(json_decref) json_t *json = NULL;

    check_answer(file, line, method, target, body, status, NULL);
    test_str(file, line, "reason phrase", w.last->reason, want);
    CHECK_OK_AT(line, json_parse(w.last->body, strlen(w.last->body), &json, &err), &err);
    test_int(file, line, "status", json_int_at(json, "status", 0), status);
    test_str(file, line, "message", json_text_at(json, "message"), want);
    test_str(file, line, "request_id", json_text_at(json, "request_id"), w.last->req.id);
}

#define REFUSED(method, target, body, status, want)                                                \
    check_error(__FILE__, __LINE__, method, target, body, status, want)

/* The world ------------------------------------------------------------------------------------ */

/* Lets the copies in memory catch up. */
TEST_UNUSED static void settle(void)
{
    fake_run(w.fake, 2000);
}

TEST_UNUSED static void set_up(void)
{
    struct error err;
    char *watched[] = {(char[]) {"kharon"}, (char[]) {"billing"}},
         *mapped[] = {(char[]) {"money=billing"}};

    log_setup(LOG_TEXT, LOG_ERROR);
    w.loop = loop_new_virtual(START);
    w.fake = fake_new(w.loop, test_seed());
    fake_add_kind(w.fake, &workflow_resource, true);
    fake_add_kind(w.fake, &instance_resource, true);
    w.client = fake_client(w.fake, "apiserver");
    rng_init(&w.rng, test_seed());
    CHECK_OK(places_init(&w.places, watched, 2, mapped, 1, "kharon", &err), &err);
    w.api = (struct api) {.loop = w.loop,
                          .k8s = w.client,
                          .rng = &w.rng,
                          .max_running_timeout_ms = 48 * HOUR_MS,
                          .max_active = API_MAX_ACTIVE};
    w.api.store = store_new(w.loop, w.client, &w.rng, &w.places);
    store_start(w.api.store);
    w.operator_works = true;
    w.request_id = "r1";
    w.watcher.on_change = on_fake_change;
    w.obey = (struct loop_task) {.on_turn = obey};
    fake_watcher_add(w.fake, &w.watcher);
    settle();
}

TEST_UNUSED static void tear_down(void)
{
    answer_free(TAKE(w.last));
    store_free(w.api.store);
    k8s_free(w.client);
    fake_watcher_remove(&w.watcher);
    loop_task_cancel(&w.obey);
    fake_free(w.fake);
    places_done(&w.places);
    loop_free(w.loop);
}

/* As kubectl apply --server-side: what the spec does not say is nobody's.  status NULL: none. */
TEST_UNUSED static void make(const struct k8s_resource *resource, const char *ns, const char *name,
                             const char *spec, const char *status)
{
    CLEANUP(free) char *object =
        xasprintf("{\"apiVersion\":\"kharon.dev/"
                  "v1alpha1\",\"kind\":\"%s\",\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\"},"
                  "\"spec\":%s}",
                  resource->kind, ns, name, spec);

    fake_apply(w.fake, resource, "kubectl", object);
    if (status) {
        CLEANUP(free) char *patch = xasprintf("{\"status\":%s}", status);

        fake_patch_status(w.fake, resource, ns, name, patch);
    }
}

/* What is there already is suspended, by whoever manages that field from now on. */
TEST_UNUSED static void suspend_by(const char *manager, const char *ns, const char *name)
{
    CLEANUP(free) char *object =
        xasprintf("{\"apiVersion\":\"kharon.dev/v1alpha1\",\"kind\":\"Workflow\",\"metadata\":"
                  "{\"namespace\":\"%s\",\"name\":\"%s\"},\"spec\":{\"suspend\":true}}",
                  ns, name);

    fake_apply(w.fake, &workflow_resource, manager, object);
}

TEST_UNUSED static const char *object_text(const struct k8s_resource *resource, const char *ns,
                                           const char *name, const char *path)
{
    const json_t *object = fake_get(w.fake, resource, ns, name);

    return object ? json_text_at(object, path) : NULL;
}

#endif
