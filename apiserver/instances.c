/* SPDX-License-Identifier: Apache-2.0 */
/* What ran (Styx behaviour, 3.10, 3.11, 13.3). */
#include "apiserver/handlers.h"

#include "apiserver/api.h"
#include "apiserver/store.h"
#include "model/partition.h"
#include "model/styxjson.h"
#include "model/validate.h"

#include <errno.h>
#include <string.h>

#define LIMIT_DEFAULT 168
/* Steps that a tail goes back at most: no workflow has more instances as objects. */
#define TAIL_MAX 20000

static bool read_limit(const struct request *req, size_t *ret, struct error *err)
{
    const char *text = request_query(req, "limit");
    char *end;

    *ret = LIMIT_DEFAULT;
    if (!text || !*text)
        return true;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno)
        return error_set(err, ERROR_INVALID, "limit: %s is not a number", text);
    *ret = value > 0 ? (size_t) value : 0;
    return true;
}

static json_t *encode(const struct instance *inst, const char *component, const char *id)
{
    struct history history;

    history_derive(inst->run.events, inst->run.n_events, &history);
    json_t *json =
        styx_instance_execution(&(struct styx_instance) {component, id, inst->parameter}, &history);
    history_done(&history);
    return json;
}

static void reply_range(struct request *req, const struct store_range *range)
{
    const char *component = req->params[0], *id = req->params[1];
    const struct instance **list;
    size_t n = store_instances_of(req->api->store, component, id, range, &list);
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, encode(list[i], component, id));
    free(list);
    reply_json_take(req, 200, array);
}

/* `steps` partitions before t, which need not be aligned. */
static instant go_back(const struct schedule *s, instant t, size_t steps)
{
    for (size_t i = 0; i < steps && i < TAIL_MAX; i++)
        if (!schedule_previous(s, t, &t))
            break;
    return t;
}

static void reply_tail(struct request *req, size_t limit)
{
    const struct workflow *wf = store_workflow(req->api->store, req->params[0], req->params[1]);
    char from[PARTITION_TEXT_MAX], to[PARTITION_TEXT_MAX];
    struct schedule s;
    struct error err;

    if (!wf) {
        reply_error(req, 404, "Could not find workflow.");
        return;
    }
    struct cursor cursor = workflow_cursor(wf, loop_now(req->api->loop, LOOP_OF_DAY));
    instant next = cursor.next;
    if (cursor.epoch == 0 || !schedule_parse(wf->schedule, &s, &err)) {
        reply_error(req, 404, "No next natural trigger for workflow.");
        return;
    }
    if (!schedule_aligned(&s, next))
        next = go_back(&s, next, 1);
    partition_print(&s, go_back(&s, next, limit), from);
    partition_print(&s, next, to);
    reply_range(req, &(struct store_range) {from, to, 0});
}

void instances_list(struct request *req)
{
    const char *start = request_query(req, "start"), *stop = request_query(req, "stop");
    struct store_range range = {.from = request_query(req, "offset")};
    struct error err;

    if (!read_limit(req, &range.limit, &err)) {
        reply_failure(req, &err);
        return;
    }
    if (request_query_true(req, "tail")) {
        reply_tail(req, range.limit);
        return;
    }
    if (start && *start)
        range = (struct store_range) {start, stop && *stop ? stop : NULL, 0};
    reply_range(req, &range);
}

void instance_get(struct request *req)
{
    const struct instance *inst =
        store_instance_of_pair(req->api->store, req->params[0], req->params[1], req->params[2]);

    if (inst)
        reply_json_take(req, 200, encode(inst, req->params[0], req->params[1]));
    else
        reply_error(req, 404, "Workflow instance not found");
}
