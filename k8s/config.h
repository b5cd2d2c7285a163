/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to reach the API server and who we are there.
 *
 * Looked for in this order:
 *
 *  1. a kubeconfig file that was named (k8s_config_options.path);
 *  2. the file of the environment variable KUBECONFIG (of a list, the first one only);
 *  3. within a pod: KUBERNETES_SERVICE_HOST and _PORT, and the service account's mounted files;
 *  4. ~/.kube/config.
 *
 * Of a kubeconfig the current context counts: its cluster's address and CA, its user's certificate
 * and key or token (each inline or in a file, relative to the kubeconfig), and its namespace.
 * Exec plugins, auth providers, passwords, impersonation and proxies are refused by name: ignoring
 * one would mean to act as somebody else than was said.  So is a server that is not authenticated
 * (insecure-skip-tls-verify, http://), unless the options allow it.
 *
 * Everything is read when the configuration is loaded, except that a token that lives in a file
 * (Kubernetes renews those) is read again by k8s_config_token.
 */
#ifndef KHARON_K8S_CONFIG_H
#define KHARON_K8S_CONFIG_H

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct k8s_config_options {
    const char *path;    /* NULL: see above */
    const char *context; /* NULL: the current one */
    bool allow_insecure;
};

/* Texts are owned; PEM texts are whole files' contents. */
struct k8s_config {
    char *source;             /* for people: the file, or "in-cluster" */
    char *server;             /* "https://host:port", no slash at the end */
    char *server_name;        /* for TLS, instead of the host; NULL: the host */
    char *ns;                 /* "default" when nothing says */
    char *ca;                 /* PEM; NULL: the system's authorities */
    char *certificate, *key;  /* PEM; NULL: none */
    char *token, *token_file; /* NULL: none; the file wins */
    bool insecure;            /* the server is not authenticated */
};

bool k8s_config_load(const struct k8s_config_options *options, struct k8s_config **ret_config,
                     struct error *err);
void k8s_config_free(struct k8s_config *config);
DEFINE_CLEANUP(struct k8s_config *, k8s_config_free);

/* The bearer token as it is now; NULL if there is none.  The caller frees. */
bool k8s_config_token(const struct k8s_config *config, char **ret_token, struct error *err);

/* The parts, for tests.  `dir` is where relative paths in a kubeconfig start; `root` is where the
 * service account's files are mounted. */
bool k8s_config_parse(const char *text, size_t len, const char *dir,
                      const struct k8s_config_options *options, struct k8s_config **ret_config,
                      struct error *err);
bool k8s_config_in_cluster(const char *host, const char *port, const char *root,
                           struct k8s_config **ret_config, struct error *err);

#endif
