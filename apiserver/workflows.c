/* SPDX-License-Identifier: Apache-2.0 */
/* Reading workflows (Styx behaviour, 3.2, 3.3, 3.5, 3.7). */
#include "apiserver/handlers.h"

#include "apiserver/api.h"
#include "apiserver/store.h"
#include "model/styxjson.h"

#include <string.h>
#include <strings.h>

struct filter {
    const char *source;             /* NULL: any */
    instant before, after;          /* INSTANT_NONE: no bound */
};

static bool read_bound(const struct request *req, const char *name, instant *ret, struct error *err)
{
    const char *text = request_query(req, name);

    if (!text)
        return true;
    return instant_parse(text, ret, err) || error_prefix(err, "%s", name);
}

static bool read_filter(const struct request *req, struct filter *f, struct error *err)
{
    const char *source = request_query(req, "deployment_type");

    *f = (struct filter) {source && *source ? source : NULL, INSTANT_NONE, INSTANT_NONE};
    return read_bound(req, "deployment_time_before", &f->before, err) &&
           read_bound(req, "deployment_time_after", &f->after, err);
}

/* What lacks the field never matches. */
static bool passes(const struct filter *f, const struct workflow *wf)
{
    instant at = wf->deployment_time;

    if (f->source && (!wf->deployment_source || strcmp(wf->deployment_source, f->source) != 0))
        return false;
    if (f->before != INSTANT_NONE && (at == INSTANT_NONE || at >= f->before))
        return false;
    return f->after == INSTANT_NONE || (at != INSTANT_NONE && at > f->after);
}

/* Styx looks at the presence only; "false" means what it says here. */
static bool wants_state(const struct request *req)
{
    const char *full = request_query(req, "full");

    return full && strcasecmp(full, "false") != 0;
}

void workflows_list(struct request *req)
{
    const struct workflow **list;
    json_t *(*encode)(const struct workflow *wf) = wants_state(req) ? styx_workflow_with_state : styx_workflow;
    struct filter filter;
    struct error err;

    if (!read_filter(req, &filter, &err)) {
        reply_failure(req, &err);
        return;
    }
    size_t n = store_workflows(req->api->store, NULL, &list);
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        if (passes(&filter, list[i]))
            json_array_append_new(array, encode(list[i]));
    free(list);
    reply_json_take(req, 200, array);
}

void workflows_of_component(struct request *req)
{
    const struct workflow **list;
    size_t n = store_workflows(req->api->store, req->params[0], &list);
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, styx_workflow(list[i]));
    free(list);
    reply_json_take(req, 200, array);
}

static void reply_workflow(struct request *req, json_t *(*encode)(const struct workflow *wf))
{
    const struct workflow *wf = store_workflow(req->api->store, req->params[0], req->params[1]);

    if (wf)
        reply_json_take(req, 200, encode(wf));
    else
        reply_error(req, 404, "workflow not found");
}

void workflow_get(struct request *req)
{
    reply_workflow(req, styx_workflow);
}

void workflow_get_full(struct request *req)
{
    reply_workflow(req, styx_workflow_with_state);
}
