/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container image references: [registry[:port]/]name[/name…][:tag][@digest], by Styx's rules (Styx
 * behaviour, 5.3), which are a little stricter than the container runtime's in some places and
 * laxer in others.  Nothing is resolved or normalised: an image is used as it was written.
 */
#ifndef KHARON_MODEL_IMAGE_H
#define KHARON_MODEL_IMAGE_H

#include "base/error.h"

/* The error, ERROR_INVALID, is what follows `invalid image: ` in an answer. */
bool image_check(const char *image, struct error *err);

/* What the pod runs: `:latest` is appended if the reference contains no ':' at all, not even that
 * of a registry's port or a digest (11.3).  The caller frees. */
char *image_with_tag(const char *image) __attribute__((returns_nonnull));

#endif
