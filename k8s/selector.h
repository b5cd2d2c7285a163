/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors as the API server reads them, as far as Kharon uses them: requirements joined by
 * commas, each `key=value`, `key==value`, `key!=value`, `key` (present) or `!key` (absent).
 * As in Kubernetes, `!=` also matches where the label is absent.
 */
#ifndef KHARON_K8S_SELECTOR_H
#define KHARON_K8S_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>

/* `labels` may be NULL; an empty or NULL selector matches everything. */
bool k8s_selector_matches(const char *selector, const json_t *labels);

#endif
