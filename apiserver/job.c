/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/job.h"

#include "base/log.h"

#include <assert.h>
#include <string.h>

static void end(void *work)
{
    struct job *job = work;

    k8s_cancel(TAKE(job->call));
    loop_timer_cancel(job->api->loop, &job->timer);
    store_wait_end(&job->wait);
    if (job->on_end)
        job->on_end(job);
}

void *job_new(struct request *req, size_t size, void (*on_end)(struct job *job))
{
    assert(size >= sizeof(struct job));
    struct job *job = request_work(req, size, end);

    job->req = req;
    job->api = req->api;
    job->on_end = on_end;
    return job;
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct job *job = arg;

    job->call = NULL;
    job->on_reply(job, reply);
}

void job_call(struct job *job, const struct k8s_request *request,
              void (*then)(struct job *job, const struct k8s_reply *reply))
{
    assert(!job->call);
    job->on_reply = then;
    job->call = k8s_call(job->api->k8s, request, &(struct k8s_handler) {.on_reply = on_reply}, job);
}

void job_get(struct job *job, const struct k8s_resource *resource, const char *ns, const char *name,
             void (*then)(struct job *job, const struct k8s_reply *reply))
{
    job_call(
        job,
        &(struct k8s_request) {
            .verb = K8S_GET, .lane = K8S_LANE_READ, .resource = resource, .ns = ns, .name = name},
        then);
}

bool job_again(struct job *job)
{
    return ++job->attempts < API_MAX_ATTEMPTS;
}

static void on_wake(void *arg)
{
    struct job *job = arg;

    if (!job->call) /* else its reply goes on, and finds what there is to see */
        job->on_wake(job);
}

static void arm(struct job *job, int64_t ms, void (*then)(struct job *))
{
    job->on_wake = then;
    if (job->timer.on_time)
        return; /* the time runs from the first wait on */
    job->timer.on_time = on_wake;
    job->timer.arg = job;
    loop_timer_set(job->api->loop, &job->timer, LOOP_MONOTONIC,
                   loop_now(job->api->loop, LOOP_MONOTONIC) + ms);
}

void job_wait_workflow(struct job *job, const char *ns, const char *name, int64_t ms,
                       void (*then)(struct job *))
{
    arm(job, ms, then);
    store_wait_workflow(job->api->store, &job->wait, ns, name, on_wake, job);
}

void job_wait_instance(struct job *job, const char *ns, const char *name, int64_t ms,
                       void (*then)(struct job *))
{
    arm(job, ms, then);
    store_wait_instance(job->api->store, &job->wait, ns, name, on_wake, job);
}

bool job_timed_out(const struct job *job)
{
    return job->timer.on_time && !loop_timer_armed(&job->timer);
}

/* What the authorizer says of us; an API server that has just started says it of everybody, until
 * it has read the roles.  Quotas and admissions speak of the object instead. */
static bool lacks_a_right(const struct error *err)
{
    const char *user =
        err->code == ERROR_FORBIDDEN ? strstr(err->text, "forbidden: User \"") : NULL;
    const char *verb = user ? strstr(user, "\" cannot ") : NULL;

    return verb && strstr(verb, " resource \"");
}

/* That our own token is refused, or has no right, is no fault of the client, whom a 401 would ask
 * for its own, and a 403 would send away. */
static int status_of(const struct error *err)
{
    bool ours = err->code == ERROR_UNAUTHORIZED || err->code == ERROR_FENCED || lacks_a_right(err);

    return ours ? 503 : error_http_status(err->code);
}

void job_fail(struct job *job, const struct k8s_reply *reply, const char *what)
{
    struct reply answer = {.status = job->in_doubt ? 504 : status_of(&reply->error)};
    CLEANUP(free) char *text =
        xasprintf("%s: %s%s", what, reply->error.text,
                  job->in_doubt ? "; whether it was done before is not known" : "");

    log_warning("request failed", KV("request_id", job->req->id), KV("what", what),
                KV("code", error_code_name(reply->error.code)), KV("error", reply->error.text));
    if (answer.status == 429 || answer.status == 503)
        answer.headers[answer.n_headers++] = (struct request_pair) {"retry-after", "1"};
    reply_refusal(job->req, &answer, text);
}

void job_lose_sight(struct job *job, const char *what_was_done)
{
    reply_error(job->req, 504,
                "The answer of Kubernetes was lost, and somebody else has %s since: whether this "
                "was done before is not known",
                what_was_done);
}
