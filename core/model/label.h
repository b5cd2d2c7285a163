/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label values made of any text, as Styx makes them (Styx behaviour, 11.2), so that selectors that
 * people have written go on finding their pods.
 *
 * A text of up to 63 characters of [a-z0-9_-] that begins and ends with [a-z0-9] is its own label,
 * and so is the empty one.  Any other is made into one and ends in seven digits of a hash, so that
 * different texts have different labels.
 */
#ifndef KHARON_MODEL_LABEL_H
#define KHARON_MODEL_LABEL_H

#include "base/error.h"

#include <stdbool.h>

/* Always a valid Kubernetes label value.  The caller frees. */
char *label_normalise(const char *text) __attribute__((returns_nonnull));

/* Whether Kubernetes takes it as it is. */
bool label_check(const char *text, struct error *err);

#endif
