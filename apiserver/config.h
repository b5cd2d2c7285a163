/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of kharon-apiserver.
 */
#ifndef KHARON_APISERVER_CONFIG_H
#define KHARON_APISERVER_CONFIG_H

#include "model/place.h"
#include "base/options.h"

struct api_config {
    struct option_list namespaces, component_namespaces;
    const char *installation_ns, *kubeconfig, *listen, *probe_listen, *authentication;
    const char *ping; /* be a client instead: GET this URL */
    int64_t max_running_timeout_ms, request_timeout_ms, drain_ms;
    int64_t max_connections, max_in_flight;
    int log_format, log_level;
};

extern const struct options api_options;

/* Checks what the table cannot.  False with ERROR_INVALID; then *ret_places owns nothing. */
bool api_config_apply(const struct api_config *config, struct places *ret_places,
                      struct error *err);

#endif
