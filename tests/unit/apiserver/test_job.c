/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "apiserver/job.h"

/* The answer to a request whose call to Kubernetes failed so. */
static struct answer *failed(enum error_code code, const char *text)
{
    struct answer *a = NEW(struct answer);
    struct k8s_reply reply;

    answer_free(w.last);
    w.last = a;
    a->req = (struct request) {
        .api = &w.api, .method = "GET", .target = "/", .id = xstrdup("r1"), .send = fixture_send};
    error_set(&reply.error, code, "%s", text);
    job_fail(job_new(&a->req, sizeof(struct job), NULL), &reply, "Could not trigger");
    return a;
}

/* STYX-HTTP-07: the phrase of 2.4 */
TEST(what_failed_inside_is_told_as_styx_does)
{
    set_up();
    struct answer *a = failed(ERROR_INTERNAL, "etcd is full");
    CHECK_INT(a->status, 500);
    CHECK_STR(a->reason, "Internal Server Error (Request ID: r1): InternalError: Could not "
                         "trigger: etcd is full");
    CHECK_HAS(a->body, "{\"message\":\"Internal Server Error (Request ID: r1): InternalError: ");
    tear_down();
}

TEST(what_may_work_later_says_so)
{
    set_up();
    CHECK_INT(failed(ERROR_UNAVAILABLE, "no connection")->status, 503);
    CHECK_STR(w.last->reason, "Could not trigger: no connection");
    CHECK_STR(w.last->retry_after, "1");
    /* That our own token is refused is no fault of the client. */
    CHECK_INT(failed(ERROR_UNAUTHORIZED, "Unauthorized")->status, 503);
    CHECK_INT(failed(ERROR_UNKNOWN, "no answer")->status, 504);
    CHECK_STR(w.last->retry_after, NULL);
    tear_down();
}
