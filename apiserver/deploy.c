/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, updating and deleting workflows (Styx behaviour, 3.4, 3.6). */
#include "apiserver/handlers.h"

#include "apiserver/live.h"
#include "apiserver/owner.h"
#include "model/styxjson.h"
#include "model/validate.h"

#include <string.h>

struct deploy {
    struct live live;
    struct workflow *wf; /* as it was sent */
};

static void deploy_end(struct job *job)
{
    struct deploy *d = (struct deploy *) job;

    workflow_free(d->wf);
    live_end(job);
}

static void reply_stored(struct live *live, const json_t *object)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow_decode(object);
    json_t *json = styx_workflow(wf);

    json_object_set_new(json, "__from_api", json_string("V3"));
    reply_json_take(live->job.req, 200, json);
}

/* Only now is the workflow safe from later applies. */
static void on_created_known(struct live *live, const json_t *object)
{
    if (object)
        reply_stored(live, object);
    else
        reply_error(live->job.req, 409, "The workflow was deleted while it was being created");
}

static void on_created(struct live *live, const json_t *object)
{
    live_settle(live, object, on_created_known);
}

static bool next_trigger_exists(const struct workflow *wf, instant now, struct error *err)
{
    struct cursor cursor = {0};
    struct timing t;

    return workflow_timing(wf, &t, err) && cursor_start(&cursor, &t.schedule, &t.offset, now, err);
}

static bool same_schedule(const struct workflow *a, const struct workflow *b)
{
    struct timing x, y;
    struct error err;

    return workflow_timing(a, &x, &err) && workflow_timing(b, &y, &err) &&
           strcmp(x.schedule.text, y.schedule.text) == 0 &&
           strcmp(x.offset_text, y.offset_text) == 0;
}

static void create(struct deploy *d)
{
    json_t *spec = workflow_encode_spec(d->wf);

    json_object_set_new(spec, "suspend", json_true());
    live_apply_take(&d->live, OWNER_CONFIGURATION, spec, on_created);
}

/* The ids cannot be added to an object that was made without them. */
static void update(struct deploy *d, const struct workflow *old)
{
    json_t *spec = workflow_encode_spec(d->wf);

    json_object_del(spec, "suspend");
    if (!old->component_id)
        json_object_del(spec, "componentId");
    if (!old->workflow_id)
        json_object_del(spec, "workflowId");
    live_apply_take(&d->live, OWNER_CONFIGURATION, spec, reply_stored);
}

static bool is_same_pair(const struct workflow *a, const struct workflow *b)
{
    return strcmp(workflow_component(a), workflow_component(b)) == 0 &&
           strcmp(workflow_id(a), workflow_id(b)) == 0;
}

static void on_known(struct live *live, const json_t *object)
{
    struct deploy *d = (struct deploy *) live;
    CLEANUP(workflow_free) struct workflow *old = object ? workflow_decode(object) : NULL;
    instant now = loop_now(live->job.api->loop, LOOP_OF_DAY);
    struct error err;

    if (old && old->id.deleting)
        reply_error(live->job.req, 409, "The workflow is being deleted");
    else if (old && !is_same_pair(old, d->wf))
        reply_error(live->job.req, 409, "The object %s/%s is another workflow: %s#%s", live->ns,
                    live->name, workflow_component(old), workflow_id(old));
    else if (!(old && same_schedule(d->wf, old)) && !next_trigger_exists(d->wf, now, &err))
        reply_error(live->job.req, 400, "Invalid workflow configuration: [%s]", err.text);
    else if (old)
        update(d, old);
    else
        create(d);
}

static bool validate(const struct api *api, const struct workflow *wf, struct error *err)
{
    struct validate_limits limits = {.max_running_timeout_ms = api->max_running_timeout_ms};
    struct texts errors = {0};

    workflow_validate(wf, &limits, &errors);
    workflow_not_supported_by_api(wf, &errors);
    if (errors.n == 0)
        return true;
    CLEANUP(free) char *list = validate_join(&errors);
    texts_done(&errors);
    return error_set(err, ERROR_INVALID, "Invalid workflow configuration: %s", list);
}

static bool read_workflow(struct request *req, struct workflow **ret, struct error *err)
{
    CLEANUP(json_decref) json_t *body = NULL;
    CLEANUP(workflow_free) struct workflow *wf = NULL;

    if (!request_json(req, "Missing payload.", "Invalid payload. ", &body, err))
        return false;
    if (!styx_workflow_decode(body, req->params[0], &wf, err))
        return false;
    wf->deployment_time = loop_now(req->api->loop, LOOP_OF_DAY);
    if (!validate(req->api, wf, err))
        return false;
    *ret = TAKE(wf);
    return true;
}

void workflow_post(struct request *req)
{
    CLEANUP(workflow_free) struct workflow *wf = NULL;
    struct error err;

    if (!read_workflow(req, &wf, &err)) {
        reply_failure(req, &err);
        return;
    }
    const char *component = req->params[0], *id = workflow_id(wf);
    const struct workflow *known = store_workflow(req->api->store, component, id);
    CLEANUP(free) char *name =
        known ? xstrdup(known->id.name) : workflow_object_name(component, id);
    struct deploy *d = job_new(req, sizeof(*d), deploy_end);
    d->wf = TAKE(wf);
    live_begin(&d->live, store_place(req->api->store, component), name, on_known);
}

/* DELETE ------------------------------------------------------------------------------------- */

/* The workflow is read live: the copy may lag behind one that was made anew, and would name an
 * object that has gone. */
struct removal {
    struct job job;
    char *ns, *name, *uid;
};

static void removal_end(struct job *job)
{
    struct removal *r = (struct removal *) job;

    free(r->ns);
    free(r->name);
    free(r->uid);
}

static void reply_gone(struct removal *r)
{
    store_workflow_gone(r->job.api->store, r->ns, r->name, r->uid);
    if (r->job.in_doubt)
        reply_empty(r->job.req, 204);
    else
        reply_error(r->job.req, 404, "Workflow does not exist");
}

static void reply_deleted(struct removal *r, const json_t *object)
{
    /* Somebody's finalizer keeps the object: it is there, and it counts as gone. */
    if (json_text_at(object, "metadata.deletionTimestamp"))
        store_observe_workflow(r->job.api->store, object);
    else
        store_workflow_gone(r->job.api->store, r->ns, r->name, r->uid);
    reply_empty(r->job.req, 204);
}

static void look(struct removal *r);

static void on_deleted(struct job *job, const struct k8s_reply *reply)
{
    struct removal *r = (struct removal *) job;

    job->in_doubt |= reply->error.code == ERROR_UNKNOWN;
    switch (reply->error.code) {
    case ERROR_NONE:
        reply_deleted(r, reply->object);
        return;
    case ERROR_NOT_FOUND:
        reply_gone(r);
        return;
    case ERROR_CONFLICT:
    case ERROR_UNKNOWN:
        if (job_again(job)) {
            look(r);
            return;
        }
        __attribute__((fallthrough));
    default:
        job_fail(job, reply, "Could not delete the workflow");
    }
}

static void send_delete(struct removal *r)
{
    CLEANUP(free) char *options = k8s_delete_options(r->uid, NULL, -1);

    job_call(&r->job,
             &(struct k8s_request) {.verb = K8S_DELETE,
                                    .lane = K8S_LANE_STATUS,
                                    .resource = &workflow_resource,
                                    .ns = r->ns,
                                    .name = r->name,
                                    .body = options},
             on_deleted);
}

/* Not another one's that has its name; nor the next one's, if ours may have been deleted. */
static bool is_meant(const struct removal *r, const struct workflow *wf)
{
    return strcmp(workflow_component(wf), r->job.req->params[0]) == 0 &&
           strcmp(workflow_id(wf), r->job.req->params[1]) == 0 &&
           !(r->job.in_doubt && strcmp(wf->id.uid, r->uid) != 0);
}

static void on_looked(struct job *job, const struct k8s_reply *reply)
{
    struct removal *r = (struct removal *) job;

    if (reply->error.code == ERROR_NOT_FOUND) {
        reply_gone(r);
        return;
    }
    if (reply->error.code != ERROR_NONE) {
        job_fail(job, reply, "Could not read the workflow");
        return;
    }
    CLEANUP(workflow_free) struct workflow *wf = workflow_decode(reply->object);
    store_observe_workflow(job->api->store, reply->object);
    if (!is_meant(r, wf)) {
        reply_gone(r);
        return;
    }
    free(r->uid);
    r->uid = xstrdup(wf->id.uid);
    send_delete(r);
}

static void look(struct removal *r)
{
    job_get(&r->job, &workflow_resource, r->ns, r->name, on_looked);
}

void workflow_delete(struct request *req)
{
    const struct workflow *wf = store_workflow(req->api->store, req->params[0], req->params[1]);

    if (!wf) {
        reply_error(req, 404, "Workflow does not exist");
        return;
    }
    struct removal *r = job_new(req, sizeof(*r), removal_end);
    r->ns = xstrdup(wf->id.ns);
    r->name = xstrdup(wf->id.name);
    r->uid = xstrdup(wf->id.uid);
    look(r);
}
