/* SPDX-License-Identifier: Apache-2.0 */
/* What the fake is measured against, asked of the API server of KUBECONFIG: see facts/facts.h. */
#include "facts/facts.h"

#include "integration/guard.h"
#include "k8s/transport.h"

static struct k8s_config *config;

static void facts_connect(struct loop **ret_loop, struct k8s **ret_k8s)
{
    struct error err = {0};

    *ret_loop = loop_new();
    CHECK_OK(k8s_config_load(&(struct k8s_config_options) {0}, &config, &err), &err);
    CHECK_OK(k8s_transport_new(*ret_loop, config, NULL, NULL, ret_k8s, &err), &err);
}

static void facts_disconnect(void)
{
    k8s_free(k8s);
    k8s_config_free(config);
    loop_free(loop);
}
