/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that tells somebody how every request ends, before whoever asked is told.
 *
 *     struct k8s *tap = k8s_tap_new(loop, k8s, on_end, arg);       k8s_free(tap) leaves k8s alone
 *
 * It is the one place through which everything that a program sends passes, so that what has to be
 * known of all of it (what was written, what is in doubt, what time the server has) cannot be
 * forgotten on some path.
 *
 * A request that its owner cancelled ends too, without a reply: it may take effect or not.
 */
#ifndef KHARON_K8S_TAP_H
#define KHARON_K8S_TAP_H

#include "base/loop.h"
#include "k8s/client.h"

struct k8s_ended {
    enum k8s_verb verb;
    enum k8s_lane lane; /* never K8S_LANE_DEFAULT */
    const struct k8s_resource *resource;
    const char *ns;                /* NULL: none */
    const struct k8s_reply *reply; /* NULL: cancelled */
    int64_t took_ms;               /* from k8s_call on, waiting included; LOOP_BOOT */
};

/* `k8s` must outlive the tap; calls through it must be over, or cancelled, before k8s_free. */
struct k8s *k8s_tap_new(struct loop *loop, struct k8s *k8s,
                        void (*on_end)(const struct k8s_ended *ended, void *arg), void *arg);

#endif
