/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election by a coordination.k8s.io Lease, and the fence for what the leader writes.
 *
 * A candidate takes a lease that is free, released, or not renewed for its duration *as observed by
 * this process* on CLOCK_BOOTTIME (never by comparing clocks of machines).  A holder renews every
 * third of the duration; its time is counted from when the renewal was *sent*.  All writes to the
 * lease carry its resourceVersion.
 *
 * lease_remaining_ms is the fence: how long from now a write may still take effect.  It is the lease's
 * remainder less Δ (design, section 4) and is asked where the write is sent.
 */
#ifndef KHARON_K8S_LEASE_H
#define KHARON_K8S_LEASE_H

#include "base/loop.h"
#include "base/rng.h"
#include "k8s/client.h"

struct lease_config {
    const char *ns, *name;
    const char *identity;           /* unique to the process: pod name and a random part */
    int64_t duration_ms;            /* 5000: whole seconds, at least 3 × delta */
    int64_t delta_ms;               /* 2000 … see the options */
};

struct lease_handler {
    void (*on_acquired)(void *arg);
    void (*on_lost)(void *arg);     /* not renewed in time, or taken: stop at once.  Not after lease_release */
    void (*on_released)(void *arg); /* lease_release is done, as well as could be */
};

struct lease;

struct lease *lease_new(struct loop *loop, struct k8s *k8s, struct rng *rng, const struct lease_config *config,
                        const struct lease_handler *handler, void *arg);
void lease_free(struct lease *lease);
void lease_start(struct lease *lease);
/* Gives the lease up, so that a standby takes it at once.  Only with no write in flight. */
void lease_release(struct lease *lease);
bool lease_held(const struct lease *lease);
int64_t lease_remaining_ms(struct lease *lease);     /* <= 0: do not write */
const struct k8s_fence *lease_fence(struct lease *lease);
/* Who holds it as far as is known; "" for nobody. */
const char *lease_holder(const struct lease *lease);

#endif
