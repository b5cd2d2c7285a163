/* SPDX-License-Identifier: Apache-2.0 */
/* Reading workflows (Styx behaviour, 3.2, 3.3, 3.5, 3.7). */
#include "apiserver/handlers.h"

#include "apiserver/api.h"
#include "apiserver/store.h"
#include "base/buf.h"

#include <string.h>
#include <strings.h>

struct filter {
    const char *source;    /* NULL: any */
    instant before, after; /* INSTANT_NONE: no bound */
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

static void reply_list(struct request *req, const char *component, const struct filter *filter,
                       enum store_form form)
{
    const struct store *store = req->api->store;
    const struct workflow **list;
    size_t len, n = store_workflows(store, component, &list);
    struct buf body = BUF_INIT;

    buf_addc(&body, '[');
    for (size_t i = 0; i < n; i++) {
        if (!passes(filter, list[i]))
            continue;
        const char *text = store_workflow_text(store, list[i], form, &len);
        if (body.len > 1)
            buf_addc(&body, ',');
        buf_add(&body, text, len);
    }
    buf_addc(&body, ']');
    free(list);
    reply_json_text(req, 200, body.data, body.len);
    buf_done(&body);
}

void workflows_list(struct request *req)
{
    struct filter filter;
    struct error err;

    if (read_filter(req, &filter, &err))
        reply_list(req, NULL, &filter, wants_state(req) ? STORE_WITH_STATE : STORE_PLAIN);
    else
        reply_failure(req, &err);
}

void workflows_of_component(struct request *req)
{
    reply_list(req, req->params[0], &(struct filter) {NULL, INSTANT_NONE, INSTANT_NONE},
               STORE_PLAIN);
}

static void reply_workflow(struct request *req, enum store_form form)
{
    const struct store *store = req->api->store;
    const struct workflow *wf = store_workflow(store, req->params[0], req->params[1]);
    size_t len;

    if (!wf) {
        reply_error(req, 404, "workflow not found");
        return;
    }
    const char *text = store_workflow_text(store, wf, form, &len);
    reply_json_text(req, 200, text, len);
}

void workflow_get(struct request *req)
{
    reply_workflow(req, STORE_PLAIN);
}

void workflow_get_full(struct request *req)
{
    reply_workflow(req, STORE_WITH_STATE);
}
