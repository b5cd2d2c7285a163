/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of the benchmark share: a connection to the cluster under test, and times as
 * Kubernetes writes them.
 */
#ifndef KHARON_BENCH_BENCH_H
#define KHARON_BENCH_BENCH_H

#include "base/error.h"
#include "base/loop.h"
#include "k8s/client.h"
#include "k8s/config.h"

struct connection {
    struct loop *loop;
    struct k8s_config *config;
    struct k8s *k8s;
};

/* kubeconfig: NULL is where clients look by themselves (k8s/config.h). */
bool connection_open(struct connection *c, const char *kubeconfig, int max_in_flight,
                     struct error *err);
void connection_close(struct connection *c);

/* "2026-01-01T00:00:00Z", and with six digits of the second, as MicroTime wants it. */
#define STAMP_MAX 40
const char *stamp(int64_t ms, char text[STAMP_MAX]);
const char *stamp_micro(int64_t ms, char text[STAMP_MAX]);

#endif
