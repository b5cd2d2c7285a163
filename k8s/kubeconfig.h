/* SPDX-License-Identifier: Apache-2.0 */
/* What config.c and kubeconfig.c share. */
#ifndef KHARON_K8S_KUBECONFIG_H
#define KHARON_K8S_KUBECONFIG_H

#include "k8s/config.h"

/* A whole text file of at most 1 MiB, without NUL bytes.  ERROR_NOT_FOUND if there is none. */
bool k8s_read_file(const char *path, char **ret_text, struct error *err);

#endif
