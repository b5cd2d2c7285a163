/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Halting a run (Styx behaviour, 3.20).
 *
 * The wish names the trigger that it means, so that a later one is not hit by it (design, section
 * 4). The instance is read live: a copy that lags would call a run that has just begun inactive.
 * Then the operator's answer is waited for.
 */
#include "apiserver/handlers.h"

#include "apiserver/job.h"
#include "apiserver/lookup.h"
#include "apiserver/scheduler.h"
#include "model/validate.h"

#include <string.h>

struct halt {
    struct job job;
    struct named_instance named;
    int64_t seq; /* of the trigger that is to be halted: the last one when the first look was */
    char *ns, *name, *uid;
};

static void halt_end(struct job *job)
{
    struct halt *h = (struct halt *) job;

    named_instance_done(&h->named);
    free(h->ns);
    free(h->name);
    free(h->uid);
}

static void reply_halted(struct halt *h)
{
    reply_json_take(h->job.req, 200, named_instance_encode(&h->named));
}

static bool is_over(const struct halt *h, const struct instance *inst)
{
    return inst->run.seq > h->seq ||
           (inst->run.seq == h->seq && run_state_terminal(inst->run.state));
}

/* What does not show the wish is older than that. */
static bool is_halted(const struct halt *h, const struct instance *inst)
{
    if (inst->halt_through < h->seq)
        return false;
    return inst->run.halted_through >= h->seq || is_over(h, inst);
}

static void confirm(struct job *job);

static void wait_or_give_up(struct halt *h)
{
    if (job_timed_out(&h->job))
        reply_json_reason_take(h->job.req, 202, API_NOT_CONFIRMED,
                               named_instance_encode(&h->named));
    else
        job_wait_instance(&h->job, h->ns, h->name, API_CONFIRM_MS, confirm);
}

/* The copy does not have it, or another of its name: that may be its own fault. */
static void on_missed(struct job *job, const struct k8s_reply *reply)
{
    struct halt *h = (struct halt *) job;
    CLEANUP(instance_free) struct instance *inst =
        reply->error.code == ERROR_NONE ? instance_decode(reply->object) : NULL;
    bool gone = inst && strcmp(inst->id.uid, h->uid) != 0;

    if (reply->error.code == ERROR_NOT_FOUND || gone || (inst && is_halted(h, inst)))
        reply_halted(h);
    else
        wait_or_give_up(h);
}

static void confirm(struct job *job)
{
    struct halt *h = (struct halt *) job;
    const struct instance *inst = store_instance(job->api->store, h->ns, h->name);

    if (!inst || strcmp(inst->id.uid, h->uid) != 0)
        job_get(job, &instance_resource, h->ns, h->name, on_missed);
    else if (is_halted(h, inst))
        reply_halted(h);
    else
        wait_or_give_up(h);
}

static void look(struct halt *h);

static void on_wished(struct job *job, const struct k8s_reply *reply)
{
    struct halt *h = (struct halt *) job;

    switch (reply->error.code) {
    case ERROR_NONE:
        store_observe_instance(job->api->store, reply->object);
        confirm(job);
        return;
    case ERROR_CONFLICT:
    case ERROR_NOT_FOUND:
    case ERROR_UNKNOWN:
        if (job_again(job)) {
            look(h);
            return;
        }
        __attribute__((fallthrough));
    default:
        job_fail(job, reply, "Could not halt");
    }
}

static void wish(struct halt *h, const json_t *object)
{
    CLEANUP(json_decref) json_t *patch = json_pack(
        "{s:{s:O}, s:{s:I}}", "metadata", "resourceVersion",
        json_at(object, "metadata.resourceVersion"), "spec", "haltThrough", (json_int_t) h->seq);
    CLEANUP(free) char *text = json_print(patch);

    job_call(&h->job,
             &(struct k8s_request) {.verb = K8S_PATCH,
                                    .lane = K8S_LANE_TRIGGER,
                                    .resource = &instance_resource,
                                    .ns = h->ns,
                                    .name = h->name,
                                    .body = text},
             on_wished);
}

/* A look that is repeated means the same trigger, whatever came after it.  False if that has gone,
 * and another instance has its name. */
static bool note_meant(struct halt *h, const struct instance *inst)
{
    if (h->uid)
        return strcmp(h->uid, inst->id.uid) == 0;
    h->uid = xstrdup(inst->id.uid);
    h->seq = instance_last_seq(inst);
    return true;
}

static void on_looked(struct job *job, const struct k8s_reply *reply)
{
    struct halt *h = (struct halt *) job;

    if (reply->error.code == ERROR_NOT_FOUND) {
        reply_halted(h);
        return;
    }
    if (reply->error.code != ERROR_NONE) {
        job_fail(job, reply, "Could not read the instance");
        return;
    }
    CLEANUP(instance_free) struct instance *inst = instance_decode(reply->object);
    store_observe_instance(job->api->store, reply->object);
    if (!note_meant(h, inst) || is_over(h, inst) || !inst->parameter ||
        strcmp(inst->parameter, h->named.parameter) != 0)
        reply_halted(h);
    else if (inst->halt_through >= h->seq)
        confirm(job);
    else
        wish(h, reply->object);
}

static void look(struct halt *h)
{
    job_get(&h->job, &instance_resource, h->ns, h->name, on_looked);
}

static void on_workflow_known(struct request *req)
{
    struct halt *h = req->context;
    const struct workflow *wf =
        store_workflow(req->api->store, h->named.component, h->named.workflow);

    if (!wf) {
        reply_error(req, 404, "workflow not found");
        return;
    }
    h->ns = xstrdup(wf->id.ns);
    h->name = instance_name(wf->id.name, h->named.parameter);
    if (could_be_a_name(h->name))
        look(h);
    else
        reply_halted(h); /* nothing runs under such a parameter */
}

void scheduler_halt(struct request *req)
{
    CLEANUP(json_decref) json_t *body = NULL;
    struct halt *h = job_new(req, sizeof(*h), halt_end);
    struct error err;

    if (!request_json(req, "Missing payload", "Payload parsing failed: ", &body, &err)) {
        reply_failure(req, &err);
        return;
    }
    if (!named_instance_read(body, &h->named, &err)) {
        reply_error(req, 400, "Payload parsing failed: %s", err.text);
        return;
    }
    req->context = h;
    look_up_workflow(req, h->named.component, h->named.workflow, on_workflow_known);
}
