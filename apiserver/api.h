/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all handlers share: the way to Kubernetes, the copies in memory, the settings.
 *
 * Made once by main (or by a test), outlives every request.
 */
#ifndef KHARON_APISERVER_API_H
#define KHARON_APISERVER_API_H

#include "base/loop.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "k8s/client.h"

struct store;

/* How long a request waits for the operator to do what it wished (design, section 4). */
#define API_CONFIRM_MS 2000
/* Said when it has not done so by then. */
#define API_NOT_CONFIRMED "Accepted, not yet confirmed by the operator"
/* How often a write is tried again that met a newer version of the object, or whose fate is
 * unknown. */
#define API_MAX_ATTEMPTS 5
/* Unfinished instances in all; more are refused with 429 (design, section 8). */
#define API_MAX_ACTIVE 20000

struct api {
    struct loop *loop;
    struct k8s *k8s;
    struct rng *rng;
    struct store *store;
    int64_t max_running_timeout_ms;
    size_t max_active;                        /* API_MAX_ACTIVE */
    size_t n_triggering;                      /* requests that may add one to these */
    struct metric_family *requests, *seconds; /* by method and code, by method; NULL: not counted */
};

#endif
