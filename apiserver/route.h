/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes of the HTTP API: one table, from which the documentation is made too.
 *
 * Rules (Styx behaviour, 2.1 and 2.5): every route of version 3 is served under /api/v3 and /v3; a
 * slash at the end changes nothing; an unknown path is 404; a known path with another method is
 * 405, and OPTIONS is 204, both with Allow; HEAD does not follow from GET.  Every answer but that
 * of /ping carries X-Styx-Request-Id: the client's, or one of our own.
 *
 * Until all objects have been read once, routes that need them answer 503.
 */
#ifndef KHARON_APISERVER_ROUTE_H
#define KHARON_APISERVER_ROUTE_H

#include "apiserver/api.h"
#include "apiserver/request.h"

enum route_base {
    ROUTE_ROOT, /* the path as it is */
    ROUTE_V3,   /* under /api/v3 and /v3 */
    ROUTE_V0,   /* under /api/v0 */
};

enum route_need {
    ROUTE_NEEDS_NOTHING, /* no request id, no objects */
    ROUTE_NEEDS_OBJECTS,
    /* The first two parameters are component and workflow, the third a parameter of it: what is not
     * known is asked of Kubernetes before the handler runs, so that its look-up is the truth. */
    ROUTE_NEEDS_WORKFLOW,
    ROUTE_NEEDS_INSTANCE,
};

struct route {
    const char *method;
    enum route_base base;
    const char *pattern; /* ":name" is any one segment that is not empty */
    void (*handle)(struct request *req);
    enum route_need need;
    const char *text; /* what it does, for the documentation */
};

extern const struct route routes[];
extern const size_t n_routes;

/* Parses the request, finds its handler, and calls it; or answers. */
void route_dispatch(struct request *req);

/* For a server: /ping, which tells others that it is alive, does not wait for other requests. */
bool route_is_urgent(const struct request *req);

/* The table as Markdown; the caller frees. */
char *routes_markdown(void);

#endif
