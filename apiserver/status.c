/* SPDX-License-Identifier: Apache-2.0 */
/* What is going on, and what happened (Styx behaviour, 3.15, 3.16). */
#include "apiserver/handlers.h"

#include "apiserver/api.h"
#include "apiserver/store.h"
#include "base/buf.h"
#include "model/styxjson.h"

#include <string.h>

struct wanted {
    const char *components; /* "a,b"; NULL: any */
    const char *component, *workflow;
};

static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
        if (strcspn(p, ",") == len && memcmp(p, word, len) == 0)
            return true;
    return false;
}

static bool is_wanted(const struct wanted *w, const char *component, const char *id)
{
    if (w->components)
        return list_has(w->components, component);
    return (!w->component || strcmp(w->component, component) == 0) &&
           (!w->workflow || strcmp(w->workflow, id) == 0);
}

void status_active_states(struct request *req)
{
    struct wanted wanted = {request_query(req, "components"), request_query(req, "component"),
                            request_query(req, "workflow")};
    const struct store *store = req->api->store;
    const struct instance **list;

    if (!wanted.components && wanted.workflow && !wanted.component) {
        reply_error(req, 400, "No component id specified!");
        return;
    }
    size_t n = store_instances_active(store, &list), len;
    struct buf body = BUF_INIT;
    const char *separator = "";
    buf_adds(&body, "{\"active_states\":[");
    for (size_t i = 0; i < n; i++) {
        const char *component, *id;

        store_pair_of(store, list[i], &component, &id);
        if (!is_wanted(&wanted, component, id))
            continue;
        const char *text = store_state_text(store, list[i], component, id, &len);
        buf_adds(&body, separator);
        buf_add(&body, text, len);
        separator = ",";
    }
    buf_adds(&body, "]}");
    free(list);
    reply_json_text(req, 200, body.data, body.len);
    buf_done(&body);
}

void status_events(struct request *req)
{
    struct styx_instance id = {req->params[0], req->params[1], req->params[2]};
    const struct instance *inst =
        store_instance_of_pair(req->api->store, id.component, id.workflow, id.parameter);
    json_t *events = inst ? styx_events(&id, inst->run.events, inst->run.n_events) : json_array();

    reply_json_take(req, 200, json_pack("{s:o}", "events", events));
}
