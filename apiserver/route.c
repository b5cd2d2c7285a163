/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/route.h"

#include "apiserver/handlers.h"
#include "apiserver/lookup.h"
#include "apiserver/store.h"
#include "base/buf.h"

#include <assert.h>
#include <string.h>

static void ping(struct request *req)
{
    reply_text(req, 200, "pong");
}

/*
 * Not there yet, and therefore 404: resources, backfills, /scheduler/retry, /scheduler/events,
 * /status/testServiceAccountUsageAuthorization, /config.
 */
const struct route routes[] = {
    {"GET", ROUTE_ROOT, "/ping", ping, ROUTE_NEEDS_NOTHING, "Answers pong."},
    {"GET", ROUTE_V3, "/workflows", workflows_list, ROUTE_NEEDS_OBJECTS,
     "All workflows; `full`, `deployment_type`, `deployment_time_before`, "
     "`deployment_time_after`."},
    {"GET", ROUTE_V3, "/workflows/:component", workflows_of_component, ROUTE_NEEDS_OBJECTS,
     "The workflows of a component."},
    {"POST", ROUTE_V3, "/workflows/:component", workflow_post, ROUTE_NEEDS_OBJECTS,
     "Creates or updates the workflow that the body's `id` names."},
    {"GET", ROUTE_V3, "/workflows/:component/:workflow", workflow_get, ROUTE_NEEDS_WORKFLOW,
     "One workflow."},
    {"DELETE", ROUTE_V3, "/workflows/:component/:workflow", workflow_delete, ROUTE_NEEDS_WORKFLOW,
     "Deletes a workflow; its history stays."},
    {"GET", ROUTE_V3, "/workflows/:component/:workflow/full", workflow_get_full,
     ROUTE_NEEDS_WORKFLOW, "One workflow with its state."},
    {"GET", ROUTE_V3, "/workflows/:component/:workflow/state", workflow_state_get,
     ROUTE_NEEDS_WORKFLOW, "Whether a workflow is enabled, and what it triggers next."},
    {"PATCH", ROUTE_V3, "/workflows/:component/:workflow/state", workflow_state_patch,
     ROUTE_NEEDS_WORKFLOW, "Enables, disables, or moves the next trigger."},
    {"GET", ROUTE_V3, "/workflows/:component/:workflow/instances", instances_list,
     ROUTE_NEEDS_WORKFLOW, "What ran; `offset`, `limit`, `start`, `stop`, `tail`."},
    {"GET", ROUTE_V3, "/workflows/:component/:workflow/instances/:parameter", instance_get,
     ROUTE_NEEDS_INSTANCE, "What ran for one parameter."},
    {"GET", ROUTE_V3, "/status/activeStates", status_active_states, ROUTE_NEEDS_OBJECTS,
     "The runs that are not finished; `component`, `workflow`, `components`."},
    {"GET", ROUTE_V3, "/status/events/:component/:workflow/:parameter", status_events,
     ROUTE_NEEDS_INSTANCE, "Everything that happened to one instance."},
    {"POST", ROUTE_V3, "/scheduler/trigger", scheduler_trigger, ROUTE_NEEDS_OBJECTS,
     "Runs a workflow for a parameter now; `allowFuture`."},
    {"POST", ROUTE_V3, "/scheduler/halt", scheduler_halt, ROUTE_NEEDS_OBJECTS, "Halts a run."},
    {"POST", ROUTE_V0, "/trigger", scheduler_trigger, ROUTE_NEEDS_OBJECTS,
     "As /scheduler/trigger."},
    {"POST", ROUTE_V0, "/halt", scheduler_halt, ROUTE_NEEDS_OBJECTS, "As /scheduler/halt."},
};
const size_t n_routes = ARRAY_SIZE(routes);

static const struct {
    enum route_base base;
    const char *segments[2];
    size_t n;
} prefixes[] = {
    {ROUTE_ROOT, {NULL}, 0},
    {ROUTE_V3, {"api", "v3"}, 2},
    {ROUTE_V3, {"v3"}, 1},
    {ROUTE_V0, {"api", "v0"}, 2},
};

/* The number of segments that the pattern has, if it matches those of the request from `at` on. */
static bool pattern_matches(const char *pattern, struct request *req, size_t at)
{
    size_t n_params = 0;

    for (const char *p = pattern; *p; at++) {
        size_t len = strcspn(++p, "/");

        if (at == req->n_segments)
            return false;
        const char *segment = req->segments[at];
        if (*p == ':') {
            assert(n_params < REQUEST_MAX_PARAMS);
            if (!*segment)
                return false;
            req->params[n_params++] = segment;
        } else if (strlen(segment) != len || memcmp(p, segment, len) != 0) {
            return false;
        }
        p += len;
    }
    return at == req->n_segments;
}

static bool has_prefix(const struct request *req, size_t i)
{
    if (req->n_segments < prefixes[i].n)
        return false;
    for (size_t j = 0; j < prefixes[i].n; j++)
        if (strcmp(req->segments[j], prefixes[i].segments[j]) != 0)
            return false;
    return true;
}

static bool route_matches(const struct route *r, struct request *req)
{
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (prefixes[i].base == r->base && has_prefix(req, i) &&
            pattern_matches(r->pattern, req, prefixes[i].n))
            return true;
    return false;
}

/* NULL: none. */
static const struct route *find_route(struct request *req)
{
    for (size_t i = 0; i < n_routes; i++)
        if (strcmp(routes[i].method, req->method) == 0 && route_matches(&routes[i], req))
            return &routes[i];
    return NULL;
}

/* The methods of all routes with this path; "" if there are none. */
static void find_allowed(struct request *req, struct buf *allow)
{
    for (size_t i = 0; i < n_routes; i++)
        if (route_matches(&routes[i], req))
            buf_addf(allow, "%s, ", routes[i].method);
}

static void refuse(struct request *req)
{
    struct buf allow = BUF_INIT;

    find_allowed(req, &allow);
    if (allow.len == 0) {
        reply_error(req, 404, "Not Found");
        return;
    }
    buf_adds(&allow, "OPTIONS");
    struct reply reply = {.status = 405, .headers = {{"allow", allow.data}}, .n_headers = 1};
    if (strcmp(req->method, "OPTIONS") == 0) {
        reply.status = 204;
        request_reply(req, &reply);
    } else {
        reply_refusal(req, &reply, "Method Not Allowed");
    }
    buf_done(&allow);
}

static void handle(struct request *req, const struct route *route)
{
    if (route->need == ROUTE_NEEDS_NOTHING) {
        route->handle(req);
        return;
    }
    if (!store_synced(req->api->store)) {
        reply_failure(
            req, &(struct error) {ERROR_UNAVAILABLE, "Still reading the objects from Kubernetes"});
        return;
    }
    switch (route->need) {
    case ROUTE_NEEDS_WORKFLOW:
        look_up_workflow(req, req->params[0], req->params[1], route->handle);
        return;
    case ROUTE_NEEDS_INSTANCE:
        look_up_instance(req, req->params[0], req->params[1], req->params[2], route->handle);
        return;
    default:
        route->handle(req);
    }
}

void route_dispatch(struct request *req)
{
    struct error err;

    req->began_ms = loop_now(req->api->loop, LOOP_MONOTONIC);
    if (!request_init(req, &err)) {
        request_set_id(req);
        reply_failure(req, &err);
        return;
    }
    const struct route *route = find_route(req);
    if (!route || route->need != ROUTE_NEEDS_NOTHING)
        request_set_id(req);
    if (route)
        handle(req, route);
    else
        refuse(req);
}

bool route_is_urgent(const struct request *req)
{
    return strcmp(req->method, "GET") == 0 && strcmp(req->target, "/ping") == 0;
}

static const char *base_texts[] = {
    [ROUTE_ROOT] = "",
    [ROUTE_V3] = "/api/v3",
    [ROUTE_V0] = "/api/v0",
};

char *routes_markdown(void)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "| method | path | what |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < n_routes; i++)
        buf_addf(&b, "| %s | `%s%s` | %s |\n", routes[i].method, base_texts[routes[i].base],
                 routes[i].pattern, routes[i].text);
    return buf_take(&b);
}
