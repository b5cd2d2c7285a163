/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/lookup.h"

#include "apiserver/job.h"
#include "model/validate.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LENGTH 253

struct lookup {
    struct job job;
    const struct k8s_resource *resource;
    void (*then)(struct request *req);
};

bool could_be_a_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++)
        if (!islower((unsigned char) name[i]) && !isdigit((unsigned char) name[i]) &&
            !strchr("-.", name[i]))
            return false;
    return len > 0 && len <= NAME_MAX_LENGTH && isalnum((unsigned char) name[0]) &&
           isalnum((unsigned char) name[len - 1]) && !strstr(name, "..");
}

static void on_got(struct job *job, const struct k8s_reply *reply)
{
    struct lookup *l = (struct lookup *) job;

    if (reply->error.code != ERROR_NONE && reply->error.code != ERROR_NOT_FOUND) {
        job_fail(job, reply, "Could not ask Kubernetes");
        return;
    }
    if (reply->error.code == ERROR_NONE && l->resource == &workflow_resource)
        store_observe_workflow(job->api->store, reply->object);
    else if (reply->error.code == ERROR_NONE)
        store_observe_instance(job->api->store, reply->object);
    l->then(job->req);
}

static void ask(struct request *req, const struct k8s_resource *resource, const char *ns,
                const char *name, void (*then)(struct request *req))
{
    if (!could_be_a_name(name)) {
        then(req);
        return;
    }
    struct lookup *l = job_new(req, sizeof(*l), NULL);
    l->resource = resource;
    l->then = then;
    job_get(&l->job, resource, ns, name, on_got);
}

void look_up_workflow(struct request *req, const char *component, const char *id,
                      void (*then)(struct request *req))
{
    const struct store *store = req->api->store;

    if (store_workflow(store, component, id)) {
        then(req);
        return;
    }
    CLEANUP(free) char *name = workflow_object_name(component, id);
    ask(req, &workflow_resource, store_place(store, component), name, then);
}

void look_up_instance(struct request *req, const char *component, const char *id,
                      const char *parameter, void (*then)(struct request *req))
{
    struct store *store = req->api->store;

    if (store_instance_of_pair(store, component, id, parameter)) {
        then(req);
        return;
    }
    CLEANUP(free) char *workflow = store_workflow_name(store, component, id);
    CLEANUP(free) char *name = instance_name(workflow, parameter);
    ask(req, &instance_resource, store_place(store, component), name, then);
}
