/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/live.h"

#include "apiserver/owner.h"
#include "base/log.h"

void live_end(struct job *job)
{
    struct live *live = (struct live *) job;

    free(live->ns);
    free(live->name);
    free(live->uid);
    free(live->version);
}

static void set_text(char **to, const char *text)
{
    free(*to);
    *to = xstrdup(text);
}

/* Remembers and shows what an answer said; an object that is being deleted is known but not
 * meant. */
static void learn(struct live *live, const json_t *object)
{
    set_text(&live->uid, json_text_at(object, "metadata.uid"));
    set_text(&live->version, json_text_at(object, "metadata.resourceVersion"));
    store_observe_workflow(live->job.api->store, object);
}

static void read_object(struct live *live);

static bool worth_again(const struct k8s_reply *reply)
{
    return reply->error.code == ERROR_CONFLICT || reply->error.code == ERROR_UNKNOWN ||
           reply->error.code == ERROR_NOT_FOUND || reply->error.code == ERROR_EXISTS;
}

void live_refuse_owners(struct live *live, const char *owners)
{
    reply_error(live->job.req, 409, "%s; change it there, or give the field up there", owners);
}

/* `suspend` may be left with the wrong one of our own two owners: that is repaired by reading. */
static void refused(struct live *live, const struct k8s_reply *reply, const char *what)
{
    struct job *job = &live->job;
    CLEANUP(free) char *owners = owner_conflict_text(reply->object);
    bool ours = owner_conflict_only_with(reply->object, OWNER_CONFIGURATION) ||
                owner_conflict_only_with(reply->object, OWNER_STATE);

    if (owners && !(ours && job_again(job)))
        live_refuse_owners(live, owners);
    else if (owners || (worth_again(reply) && job_again(job)))
        read_object(live);
    else
        job_fail(job, reply, what);
}

static void on_handed_over(struct job *job, const struct k8s_reply *reply)
{
    struct live *live = (struct live *) job;

    if (reply->error.code != ERROR_NONE) {
        refused(live, reply, "Could not prepare the workflow");
        return;
    }
    learn(live, reply->object);
    live->on_known(live, reply->object);
}

static void patch_object(struct live *live, const char *text,
                         void (*then)(struct job *, const struct k8s_reply *))
{
    job_call(&live->job,
             &(struct k8s_request) {.verb = K8S_PATCH,
                                    .lane = K8S_LANE_STATUS,
                                    .resource = &workflow_resource,
                                    .ns = live->ns,
                                    .name = live->name,
                                    .body = text,
                                    .field_manager = OWNER_STATE},
             then);
}

static void settle(struct live *live, const json_t *object)
{
    CLEANUP(free) char *patch = owner_hand_over(object);

    learn(live, object);
    if (patch)
        patch_object(live, patch, on_handed_over);
    else
        live->on_known(live, object);
}

static void on_read(struct job *job, const struct k8s_reply *reply)
{
    struct live *live = (struct live *) job;

    if (reply->error.code == ERROR_NOT_FOUND) {
        if (live->uid)
            store_workflow_gone(job->api->store, live->ns, live->name, live->uid);
        free(TAKE(live->uid));
        free(TAKE(live->version));
        live->on_known(live, NULL);
        return;
    }
    if (reply->error.code != ERROR_NONE) {
        job_fail(job, reply, "Could not read the workflow");
        return;
    }
    settle(live, reply->object);
}

static void read_object(struct live *live)
{
    job_get(&live->job, &workflow_resource, live->ns, live->name, on_read);
}

void live_begin(struct live *live, const char *ns, const char *name,
                void (*on_known)(struct live *live, const json_t *object))
{
    const struct workflow *wf = store_workflow_by_name(live->job.api->store, ns, name);

    live->on_known = on_known;
    live->ns = xstrdup(ns);
    live->name = xstrdup(name);
    live->uid = wf ? xstrdup(wf->id.uid) : NULL;
    read_object(live);
}

void live_settle(struct live *live, const json_t *object,
                 void (*on_known)(struct live *, const json_t *))
{
    live->on_known = on_known;
    settle(live, object);
}

static void on_written(struct job *job, const struct k8s_reply *reply)
{
    struct live *live = (struct live *) job;

    if (reply->error.code == ERROR_INVALID || reply->error.code == ERROR_TOO_LARGE) {
        reply_error(job->req, 400, "Invalid workflow configuration: [%s]", reply->error.text);
        return;
    }
    job->in_doubt |= reply->error.code == ERROR_UNKNOWN;
    if (reply->error.code != ERROR_NONE) {
        refused(live, reply, "Could not write the workflow");
        return;
    }
    learn(live, reply->object);
    live->on_done(live, reply->object);
}

/* With uid and resourceVersion an apply changes this object or nothing; without the uid it would
 * make a new one where this one has been deleted. */
static json_t *metadata_of(const struct live *live)
{
    json_t *metadata = json_pack("{s:s, s:s}", "name", live->name, "namespace", live->ns);

    json_set_text(metadata, "uid", live->uid);
    json_set_text(metadata, "resourceVersion", live->version);
    /* Velero restores status only if asked: without it the cursor would begin anew. */
    json_set_take(metadata, "annotations", json_pack("{s:s}", "velero.io/restore-status", "true"));
    return metadata;
}

void live_apply_take(struct live *live, const char *manager, json_t *spec,
                     void (*on_done)(struct live *live, const json_t *object))
{
    CLEANUP(json_decref) json_t *object =
        json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "kharon.dev/v1alpha1", "kind",
                  workflow_resource.kind, "metadata", metadata_of(live), "spec", spec);
    CLEANUP(free) char *text = json_print(object);

    live->on_done = on_done;
    job_call(&live->job,
             &(struct k8s_request) {.verb = K8S_APPLY,
                                    .lane = K8S_LANE_STATUS,
                                    .resource = &workflow_resource,
                                    .ns = live->ns,
                                    .name = live->name,
                                    .body = text,
                                    .field_manager = manager},
             on_written);
}

void live_patch_take(struct live *live, json_t *patch,
                     void (*on_done)(struct live *live, const json_t *object))
{
    json_t *metadata = json_object();

    json_set_text(metadata, "resourceVersion", live->version);
    json_object_set_new(patch, "metadata", metadata);
    CLEANUP(free) char *text = json_print(patch);
    json_decref(patch);
    live->on_done = on_done;
    patch_object(live, text, on_written);
}
