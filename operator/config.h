/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's options, as they become settings.
 */
#ifndef KHARON_OPERATOR_CONFIG_H
#define KHARON_OPERATOR_CONFIG_H

#include "base/log.h"
#include "base/options.h"
#include "operator/settings.h"

struct config {
    struct option_list namespaces, component_namespaces, execution_env, timeouts;
    const char *installation_ns, *lease_ns, *lease_name, *kubeconfig, *listen, *environment,
        *runner_id;
    const char *scale_down; /* release-pods */
    int64_t lease_duration_ms, delta_ms, retry_base_ms, max_running_timeout_ms, pod_retention_ms;
    int64_t max_in_flight;
    int log_format, log_level;
};

extern const struct options operator_options;

/* `config` must outlive the settings.  False with ERROR_INVALID. */
bool config_apply(const struct config *config, struct settings *settings, struct error *err);

/* What release-pods goes over: what is given and nothing else, since it may be what is no longer
 * watched.  To be texts_done'd. */
void config_to_release(const struct config *config, struct texts *ret_namespaces);

#endif
