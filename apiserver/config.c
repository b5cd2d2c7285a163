/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/config.h"

#include "base/listen.h"
#include "base/log.h"
#include "model/time.h"

#include <string.h>

static const char *const log_formats[] = {"auto", "text", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

#define AT(member) offsetof(struct api_config, member)

static const struct option_row rows[] = {
    {.help = "What it shows"},
    {.name = "namespaces",
     .type = OPTION_LIST,
     .offset = AT(namespaces),
     .placeholder = "NAMES",
     .high = 1000,
     .help = "Namespaces that are watched besides the installation's."},
    {.name = "installation-namespace",
     .type = OPTION_TEXT,
     .offset = AT(installation_ns),
     .placeholder = "NAME",
     .standard = "kharon",
     .low = 1,
     .high = 63,
     .help = "The namespace of components that have none of their own."},
    {.name = "component-namespaces",
     .type = OPTION_LIST,
     .offset = AT(component_namespaces),
     .placeholder = "COMPONENT=NAMESPACE",
     .high = 1000,
     .help = "Components whose namespace is not the one of the same name."},
    {.name = "max-running-timeout",
     .type = OPTION_DURATION,
     .offset = AT(max_running_timeout_ms),
     .placeholder = "TIME",
     .standard = "PT48H",
     .low = MINUTE_MS,
     .high = 366 * DAY_MS,
     .help = "Upper limit of a workflow's running timeout."},

    {.help = "Who may use it"},
    {.name = "authentication",
     .type = OPTION_TEXT,
     .offset = AT(authentication),
     .placeholder = "HOW",
     .high = 63,
     .help = "none: everybody who reaches the port may do everything. There is no other way yet, "
             "and it has to be said."},

    {.help = "HTTP"},
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = AT(listen),
     .placeholder = "ADDRESS",
     .standard = ":8080",
     .check = listen_check,
     .help = "Where the API is."},
    {.name = "max-connections",
     .type = OPTION_INT,
     .offset = AT(max_connections),
     .placeholder = "N",
     .standard = "1000",
     .low = 1,
     .high = 100000,
     .help = "Connections at once; further ones take the places of those that are only held."},
    {.name = "request-timeout",
     .type = OPTION_DURATION,
     .offset = AT(request_timeout_ms),
     .placeholder = "TIME",
     .standard = "10s",
     .low = 100,
     .high = 300 * SECOND_MS,
     .help = "How long a request may take to arrive, from its beginning, and an idle connection to "
             "stay."},
    {.name = "drain",
     .type = OPTION_DURATION,
     .offset = AT(drain_ms),
     .placeholder = "TIME",
     .standard = "15s",
     .low = 0,
     .high = 600 * SECOND_MS,
     .help = "How long requests may take to finish after SIGTERM."},

    {.help = "Kubernetes"},
    {.name = "kubeconfig",
     .type = OPTION_TEXT,
     .offset = AT(kubeconfig),
     .placeholder = "FILE",
     .help = "How to reach Kubernetes. Default: $KUBECONFIG, else the pod's service account."},
    {.name = "max-in-flight",
     .type = OPTION_INT,
     .offset = AT(max_in_flight),
     .placeholder = "N",
     .standard = "64",
     .low = 1,
     .high = 200,
     .help = "Requests to Kubernetes at once, apart from watches."},

    {.help = "The program"},
    {.name = "probe-listen",
     .type = OPTION_TEXT,
     .offset = AT(probe_listen),
     .placeholder = "ADDRESS",
     .standard = ":8081",
     .check = listen_check,
     .help = "Where /livez, /readyz and /metrics are."},
    {.name = "log-format",
     .type = OPTION_ENUM,
     .offset = AT(log_format),
     .placeholder = "FORMAT",
     .standard = "auto",
     .choices = log_formats,
     .help = "auto is text on a terminal and json elsewhere."},
    {.name = "log-level",
     .type = OPTION_ENUM,
     .offset = AT(log_level),
     .placeholder = "LEVEL",
     .standard = "info",
     .choices = log_levels,
     .help = "What is logged; debug has every request."},
    {.name = "ping",
     .type = OPTION_TEXT,
     .offset = AT(ping),
     .placeholder = "URL",
     .help =
         "Get this URL instead of serving, print the answer, and fail unless its status is 2xx."},
};

const struct options api_options = {
    .program = "kharon-apiserver",
    .summary = "Serves Kharon's HTTP API.",
    .rows = rows,
    .n_rows = ARRAY_SIZE(rows),
};

bool api_config_apply(const struct api_config *c, struct places *ret_places, struct error *err)
{
    if (!c->authentication)
        return error_set(err, ERROR_INVALID,
                         "--authentication is missing: say --authentication=none if everybody who "
                         "reaches the port "
                         "may do everything");
    if (strcmp(c->authentication, "none") != 0)
        return error_set(err, ERROR_INVALID, "--authentication: %s is not supported yet, only none",
                         c->authentication);
    return places_init(ret_places, c->namespaces.items, c->namespaces.n,
                       c->component_namespaces.items, c->component_namespaces.n, c->installation_ns,
                       err);
}
