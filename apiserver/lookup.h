/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups that ask Kubernetes before anybody is told "not there".
 *
 * The copies in memory lag: what another replica created a moment ago may be missing (Styx
 * behaviour, 13.2: what was answered is visible to the next read).  look_up_… makes sure that what
 * Kubernetes has under the name that the ids stand for is in the store, then calls `then`, at once
 * when it was there already.  Objects that somebody made under other names come by watch alone.
 *
 * When Kubernetes cannot be asked, the request is answered with that failure instead.
 */
#ifndef KHARON_APISERVER_LOOKUP_H
#define KHARON_APISERVER_LOOKUP_H

#include "apiserver/request.h"

/* Whether Kubernetes could have an object of this name at all: ids and parameters are any text. */
bool could_be_a_name(const char *name);

void look_up_workflow(struct request *req, const char *component, const char *id,
                      void (*then)(struct request *req));
void look_up_instance(struct request *req, const char *component, const char *id,
                      const char *parameter, void (*then)(struct request *req));

#endif
