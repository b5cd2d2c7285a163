/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong on purpose: which request is hit, and what the answer is then. */
#include "sim/fake_internal.h"

#include <inttypes.h>
#include <string.h>

struct injection {
    struct list link;
    enum fake_fault fault;
    int n, verb;
    const char *plural;
};

/* What a fault may hit. */
enum { HITS_READS = 1, HITS_WATCHES = 2, HITS_CREATES = 4, HITS_UPDATES = 8, HITS_DELETES = 16 };
#define HITS_WRITES (HITS_CREATES | HITS_UPDATES | HITS_DELETES)
#define HITS_ALL    (HITS_READS | HITS_WATCHES | HITS_WRITES)

static const struct fault {
    int hits;
    bool pods_only;
    /* The answer; 0: none, the fault is one of the network. */
    int status;
    const char *reason;  /* NULL: not JSON */
    const char *message; /* %s: the resource and name; the rest of the text */
    int64_t retry_after_ms;
} faults[FAKE_N_FAULTS] = {
    [FAKE_LOSE_REQUEST] = {HITS_ALL},
    [FAKE_LOSE_REPLY] = {HITS_ALL},
    [FAKE_HANG_UP] = {HITS_ALL},
    [FAKE_LATE] = {HITS_CREATES | HITS_UPDATES}, /* a delete reads first */
    [FAKE_TIMEOUT] = {HITS_READS | HITS_WRITES},
    [FAKE_REFUSE] = {HITS_ALL, false, 503, "ServiceUnavailable",
                     "the server is currently unable to handle the request"},
    [FAKE_THROTTLE] = {HITS_ALL, false, 429, NULL, "Too many requests, please try again later.\n",
                       1000},
    [FAKE_CONFLICT] = {HITS_UPDATES | HITS_DELETES, false, 409, "Conflict",
                       "Operation cannot be fulfilled on %s: the object has been modified; please "
                       "apply your changes to the latest version and try again"},
    [FAKE_EXPIRE] = {HITS_WATCHES, false, 410, "Expired"},
    [FAKE_FORBID] = {HITS_CREATES, false, 403, "Forbidden",
                     "%s is forbidden: exceeded quota: q, requested: pods=1"},
    [FAKE_NEW_QUOTA] = {HITS_CREATES, true, 403, "Forbidden",
                        "%s is forbidden: status unknown for quota: q, resources: pods"},
    [FAKE_NO_RIGHT] = {HITS_CREATES, false, 403, "Forbidden",
                       "%s is forbidden: User \"operator\" cannot create resource \"pods\" in API "
                       "group \"\" in the namespace \"kharon\""},
    [FAKE_NO_ACCOUNT] = {HITS_CREATES, true, 403, "Forbidden",
                         "%s is forbidden: error looking up service account team/nope: "
                         "serviceaccount \"nope\" not found"},
    [FAKE_NO_PRIORITY] = {HITS_CREATES, true, 403, "Forbidden",
                          "%s is forbidden: no PriorityClass with name nope was found"},
    [FAKE_NO_ROUTE] = {HITS_ALL, false, 404, NULL, "404 page not found\n"},
    [FAKE_NO_LEADER] = {HITS_WRITES, false, 500, "", "etcdserver: leader changed"},
};

bool fake_fault_is_refusal(enum fake_fault fault)
{
    return faults[fault].status != 0;
}

static bool makes_sense(enum fake_fault fault, const struct k8s_request *r)
{
    static const int hit[] = {
        [K8S_GET] = HITS_READS,      [K8S_LIST] = HITS_READS,    [K8S_WATCH] = HITS_WATCHES,
        [K8S_CREATE] = HITS_CREATES, [K8S_APPLY] = HITS_UPDATES, [K8S_PATCH] = HITS_UPDATES,
        [K8S_DELETE] = HITS_DELETES,
    };

    return (faults[fault].hits & hit[r->verb]) &&
           (!faults[fault].pods_only || strcmp(r->resource->plural, "pods") == 0);
}

int fake_fault_pick(struct fake *f, const struct k8s_request *r)
{
    struct injection *in;

    list_foreach (in, &f->injections, link) {
        if ((in->verb >= 0 && in->verb != (int) r->verb) ||
            (in->plural && strcmp(in->plural, r->resource->plural) != 0))
            continue;
        int fault = (int) in->fault;
        if (--in->n == 0) {
            list_remove(&in->link);
            free(in);
        }
        return fault;
    }
    for (int i = 0; i < FAKE_N_FAULTS; i++)
        if (f->per_mille[i] && makes_sense((enum fake_fault) i, r) &&
            (int) rng_below(&f->rng, 1000) < f->per_mille[i])
            return i;
    return -1;
}

static struct fake_answer expired(const struct fake *f, const struct k8s_request *r)
{
    return fake_failure(410, "Expired", r, NULL, NULL, "too old resource version: %s (%" PRIu64 ")",
                        r->resource_version ? r->resource_version : "0", f->server.version);
}

/* A create's is in its body. */
static char *name_of(const struct k8s_request *r)
{
    CLEANUP(json_decref) json_t *body = NULL;
    struct error err;

    if (r->name || !r->body || !json_parse(r->body, strlen(r->body), &body, &err))
        return xstrdup(r->name ? r->name : "");
    const char *name = json_text_at(body, "metadata.name");
    return xstrdup(name ? name : "");
}

struct fake_answer fake_fault_refusal(const struct fake *f, const struct k8s_request *r,
                                      enum fake_fault fault)
{
    const struct fault *row = &faults[fault];
    const char *plural = r->resource->plural, *group = r->resource->group;

    if (fault == FAKE_EXPIRE)
        return expired(f, r);
    if (!row->reason)
        return (struct fake_answer) {
            .status = row->status, .text = row->message, .retry_after_ms = row->retry_after_ms};
    CLEANUP(free) char *name = name_of(r);
    CLEANUP(free) char *what = xasprintf("%s%s%s \"%s\"", plural, *group ? "." : "", group, name);
    const char *mark = strstr(row->message, "%s");
    if (!mark)
        return fake_failure(row->status, *row->reason ? row->reason : NULL, r, NULL, NULL, "%s",
                            row->message);
    CLEANUP(free) char *used = /* by others, too: never the same */
        fault == FAKE_FORBID
            ? xasprintf(", used: pods=%" PRIu64 ", limited: pods=1", f->server.version)
            : xstrdup("");
    return fake_failure(row->status, row->reason, r, plural, name, "%.*s%s%s%s",
                        (int) (mark - row->message), row->message, what, mark + 2, used);
}

struct fake_answer fake_fault_starting(const struct k8s_request *r)
{
    struct fake_answer answer = fake_failure(
        503, "ServiceUnavailable", r, NULL, NULL,
        "the request has been made before all known HTTP paths have been installed, please try "
        "again");

    answer.retry_after_ms = 5000;
    return answer;
}

/* JSON that says nothing of its kind, as text/plain. */
struct fake_answer fake_fault_timeout(const struct k8s_request *r)
{
    struct fake_answer answer =
        fake_failure(504, "Timeout", r, NULL, NULL,
                     "Timeout: request did not complete within the allotted timeout");

    json_object_del(answer.body, "kind");
    json_object_del(answer.body, "apiVersion");
    json_object_clear(json_object_get(answer.body, "details"));
    return answer;
}

void fake_set_judge(struct fake *f, fake_judge *judge, void *arg)
{
    f->judge = judge;
    f->judge_arg = arg;
}

void fake_fail_next(struct fake *f, enum fake_fault fault, int n, int verb, const char *plural)
{
    struct injection *in = NEW(struct injection);

    *in = (struct injection) {.fault = fault, .n = n, .verb = verb, .plural = plural};
    list_push_back(&f->injections, &in->link);
}

void fake_fail_no_more(struct fake *f)
{
    struct injection *in;

    list_foreach (in, &f->injections, link) {
        list_remove(&in->link);
        free(in);
    }
}

void fake_set_rate(struct fake *f, enum fake_fault fault, int per_mille)
{
    f->per_mille[fault] = per_mille;
}
