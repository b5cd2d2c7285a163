/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/scheduler.h"

#include "model/styxjson.h"

#include <string.h>

static bool split_key(const char *text, struct named_instance *n, struct error *err)
{
    char separator = strchr(text, '#') ? '#' : '/';
    const char *first = strchr(text, separator), *last = strrchr(text, separator);

    if (!first || last == first)
        return error_set(err, ERROR_INVALID,
                         "workflow_instance: %s is not component#workflow#parameter", text);
    n->component = xstrndup(text, (size_t) (first - text));
    n->workflow = xstrndup(first + 1, (size_t) (last - first) - 1);
    n->parameter = xstrdup(last + 1);
    return true;
}

static bool read_members(const json_t *body, struct named_instance *n, struct error *err)
{
    return styx_read_text(body, "workflow_instance", &n->text, err) &&
           styx_read_text(body, "workflow_id.component_id", &n->component, err) &&
           styx_read_text(body, "workflow_id.id", &n->workflow, err) &&
           styx_read_text(body, "parameter", &n->parameter, err);
}

static bool is_complete(struct named_instance *n, struct error *err)
{
    if (!n->component)
        return error_set(err, ERROR_INVALID, "workflow_id.component_id is missing");
    if (!n->workflow)
        return error_set(err, ERROR_INVALID, "workflow_id.id is missing");
    return n->parameter || error_set(err, ERROR_INVALID, "parameter is missing");
}

bool named_instance_read(const json_t *body, struct named_instance *ret, struct error *err)
{
    struct named_instance n = {0};
    bool ok = read_members(body, &n, err);

    if (ok && !n.component && !n.workflow && !n.parameter && n.text)
        ok = split_key(n.text, &n, err);
    else if (ok)
        ok = is_complete(&n, err);
    if (ok)
        *ret = n;
    else
        named_instance_done(&n);
    return ok;
}

void named_instance_done(struct named_instance *n)
{
    free(n->component);
    free(n->workflow);
    free(n->parameter);
    free(n->text);
    *n = (struct named_instance) {0};
}

json_t *named_instance_encode(const struct named_instance *n)
{
    struct styx_instance id = {n->component, n->workflow, n->parameter};
    CLEANUP(free) char *key = n->text ? xstrdup(n->text) : styx_instance_key(&id);
    json_t *json = styx_workflow_instance(&id);

    json_set_text(json, "workflow_instance", key);
    return json;
}
