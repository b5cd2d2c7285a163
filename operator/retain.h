/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a pod is kept: the decision, apart from the deed (reap.c).
 *
 * Source of the rules: Styx behaviour, 11.7, and design, section 4 ("The pod is the record of the
 * attempt").
 */
#ifndef KHARON_OPERATOR_RETAIN_H
#define KHARON_OPERATOR_RETAIN_H

#include "model/attempt.h"

struct retain_view {
    const struct pod *pod;
    const struct instance *inst; /* of the owner's name, as it is stored; NULL: not in the cache */
    bool inst_absent;            /* the owner's UID is proven gone */
    instant now;
    bool clock_wrong; /* `now` decides nothing */
    int64_t retention_ms;
    /* For so long yet its name has to stay taken, by a clock that nobody sets: a create of it may
     * still be under way.  0: no longer. */
    int64_t tombstone_ms;
    bool lost;            /* its node is proven gone, and nothing of it runs any more */
    int64_t node_wait_ms; /* for so long yet its node need not be asked for again */
};

enum retain_kind {
    RETAIN_KEEP,
    RETAIN_DELETE,
    RETAIN_DELETE_AT_ONCE, /* grace 0: its containers have ended long ago and it is still there */
    RETAIN_RELEASE,        /* take our finalizer off */
    RETAIN_FIND_INSTANCE,  /* prove that the owner is absent */
    RETAIN_FIND_NODE,      /* prove that the node is, or out of service */
};

struct retain_step {
    enum retain_kind kind;
    instant look_again_at; /* KEEP; INSTANT_NONE: no need */
};

struct retain_step retain_decide(const struct retain_view *view);

#endif
