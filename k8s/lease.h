/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election by a coordination.k8s.io Lease, and the fence for what the leader writes.
 *
 *     STOPPED ─start─► CANDIDATE ─on_acquired─► HOLDER ─release─► RELEASING ─on_released─► STOPPED
 *                         ▲                       │
 *                         └────────on_lost────────┘
 *
 * A candidate watches the lease, looks at it every tenth of its duration besides, and takes it when
 * it is absent, released, or not renewed for its duration *as observed by this process* on
 * CLOCK_BOOTTIME (never by comparing clocks of machines).  A holder renews every third of the
 * duration; its time is counted from when the renewal was *sent*, the candidates' from when they
 * *saw* it, so that the holder always stops first.  All writes to the lease carry its
 * resourceVersion: of two that try, one gets a conflict.  After an outage in which a candidate
 * could not see it either, he waits a moment longer: the holder may go on at once, others have
 * to catch up.  A lease that was deleted is lost, since anybody may create it; whoever has seen
 * its holder waits until its time is over.  A lease whose version goes back is of an etcd that was
 * restored: its holder loses it, and whoever takes it next has to read everything.
 *
 * lease_remaining_ms is the fence: how long from now a write may still take effect.  It is the
 * lease's remainder less Δ (design, section 4) and is asked where the write is sent, on a clock
 * that is read afresh.  The fence closes Δ before the lease ends; a renewal in between opens it
 * again.
 *
 * Callbacks run from the loop, never inside lease_release; on_acquired and on_lost alternate.  The
 * lease may be freed in on_released only.
 */
#ifndef KHARON_K8S_LEASE_H
#define KHARON_K8S_LEASE_H

#include "base/loop.h"
#include "base/rng.h"
#include "k8s/client.h"

struct lease_config {
    const char *ns, *name;
    const char *identity; /* unique to the process: pod name and a random part */
    int64_t duration_ms;  /* 5000: whole seconds, more than 2 × delta */
    int64_t delta_ms;     /* 2000 … see the options */
};

struct lease_handler {
    void (*on_acquired)(void *arg);
    void (*on_lost)(
        void *arg); /* not renewed in time, or taken: stop at once.  Not after lease_release */
    void (*on_released)(void *arg); /* lease_release is done, as well as could be */
};

struct lease;

struct lease *lease_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                        const struct lease_config *config, const struct lease_handler *handler,
                        void *arg);
void lease_free(struct lease *lease);
void lease_start(struct lease *lease);
/* Gives the lease up, so that a standby takes it at once, and stops.  Only with no write in flight:
 * what is sent from here on is refused by the fence.  Gives up trying after Δ. */
void lease_release(struct lease *lease);
/* Something makes its holder doubt that etcd is what it was: looks at the lease now. */
void lease_look(struct lease *lease);
bool lease_held(const struct lease *lease);
int64_t lease_remaining_ms(struct lease *lease); /* <= 0: do not write */
const struct k8s_fence *lease_fence(struct lease *lease);
/* Who holds it as far as is known; "" for nobody. */
const char *lease_holder(const struct lease *lease);

/* From on_acquired on: since when (LOOP_BOOT) the API server has answered him without a long break,
 * as far as looks at the lease tell. */
int64_t lease_sighted_at(const struct lease *lease);

/* A text of the holder's that the next one finds: the newest versions of what it wrote (design,
 * section 4).  Written with the next renewal and with the release. */
void lease_set_record(struct lease *lease, const char *record);
/* What the holder before us left when it released the lease, from on_acquired on; "" when there was
 * none, when it did not release it, or when etcd was restored since. */
const char *lease_found_record(const struct lease *lease);
/* From on_acquired on: it was ours before, and nobody else has held it since. */
bool lease_continued(const struct lease *lease);

#endif
