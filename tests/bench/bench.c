/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "k8s/transport.h"

#include <stdio.h>
#include <time.h>

#define REQUEST_TIMEOUT_MS 30000 /* the API server is meant to be overloaded */

bool connection_open(struct connection *c, const char *kubeconfig, int max_in_flight,
                     struct error *err)
{
    struct k8s_config_options options = {.path = kubeconfig};
    struct k8s_limits limits = {.max_in_flight = max_in_flight, .timeout_ms = REQUEST_TIMEOUT_MS};

    *c = (struct connection) {.loop = loop_new()};
    if (k8s_config_load(&options, &c->config, err) &&
        k8s_transport_new(c->loop, c->config, &limits, NULL, &c->k8s, err))
        return true;
    connection_close(c);
    return false;
}

void connection_close(struct connection *c)
{
    k8s_free(c->k8s);
    k8s_config_free(c->config);
    loop_free(c->loop);
    *c = (struct connection) {0};
}

static void print_seconds(int64_t ms, char *text, size_t size)
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
}

const char *stamp(int64_t ms, char text[STAMP_MAX])
{
    char date[24];

    print_seconds(ms, date, sizeof(date));
    snprintf(text, STAMP_MAX, "%sZ", date);
    return text;
}

const char *stamp_micro(int64_t ms, char text[STAMP_MAX])
{
    char date[24];

    print_seconds(ms, date, sizeof(date));
    snprintf(text, STAMP_MAX, "%s.%03d000Z", date, (int) (ms % 1000));
    return text;
}
