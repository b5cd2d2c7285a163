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

/* An API server that has just started knows no roles: that is over in a moment, and no fault of the
 * client.  What a quota or an admission says is about its own request. */
TEST(only_a_right_that_we_lack_is_told_as_a_failure_of_ours)
{
    static const struct {
        int line, status;
        const char *text;
    } rows[] = {
        {__LINE__, 503,
         "workflowinstances.kharon.dev is forbidden: User \"system:serviceaccount:kharon:api\" "
         "cannot create resource \"workflowinstances\" in API group \"kharon.dev\" in the "
         "namespace "
         "\"billing\""},
        {__LINE__, 503,
         "workflows.kharon.dev \"x\" is forbidden: User \"api\" cannot get resource \"workflows\" "
         "in "
         "API group \"kharon.dev\" in the namespace \"billing\": RBAC: role.rbac.authorization."
         "k8s.io \"api\" not found"},
        {__LINE__, 403,
         "workflows.kharon.dev \"x\" is forbidden: exceeded quota: q, requested: "
         "count/workflows=1, "
         "used: count/workflows=1, limited: count/workflows=1"},
        {__LINE__, 403,
         "workflows.kharon.dev \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
         "denied request: a team cannot use resource \"gpu\""},
        {__LINE__, 403,
         "admission webhook \"a.b\" denied the request: User \"api\" cannot create resource \"x\""},
    };

    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct answer *a = failed(ERROR_FORBIDDEN, rows[i].text);

        CHECK_INT_AT(rows[i].line, a->status, rows[i].status);
        CHECK_HAS_AT(rows[i].line, a->reason, rows[i].text);
        CHECK_STR_AT(rows[i].line, a->retry_after, rows[i].status == 503 ? "1" : NULL);
    }
    tear_down();
}
