/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a watch: {"type":"ADDED","object":{…}}, as the API server writes it. */
#ifndef KHARON_K8S_WATCH_H
#define KHARON_K8S_WATCH_H

#include "k8s/client.h"

/*
 * The object's text lies within the line and is not parsed here; the object of an ERROR, a Status,
 * is told by ret_is_error.  ERROR_INVALID: not such a line.
 */
bool k8s_watch_line(const char *line, size_t len, enum k8s_event *ret_event, bool *ret_is_error,
                    const char **ret_object, size_t *ret_len, struct error *err);

#endif
