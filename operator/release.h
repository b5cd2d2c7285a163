/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release-pods: takes our finalizer off all our pods, so that nothing is left that only an operator
 * could remove.  Run by the chart's hook before an uninstall.
 *
 * First the operator is scaled to 0, if its Deployment is named, and that is awaited: a running one
 * would put the finalizer on new pods.  Pods go on running; who wants them gone deletes their
 * instances.
 */
#ifndef KHARON_OPERATOR_RELEASE_H
#define KHARON_OPERATOR_RELEASE_H

#include "base/loop.h"
#include "k8s/client.h"
#include "model/workflow.h"

struct release;

struct release_result {
    struct error error; /* ERROR_NONE: done */
    int n_pods;         /* let go of */
};

/* deployment: "namespace/name" or NULL.  on_end runs once, from the loop.  Texts are kept by
 * reference. */
struct release *release_new(struct loop *loop, struct k8s *k8s, const struct texts *namespaces,
                            const char *deployment,
                            void (*on_end)(const struct release_result *result, void *arg),
                            void *arg);
void release_free(struct release *release);

#endif
