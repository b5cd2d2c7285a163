/* SPDX-License-Identifier: Apache-2.0 */
/* What fake.c (the network) and fake_people.c (everybody else) share. */
#ifndef KHARON_SIM_FAKE_INTERNAL_H
#define KHARON_SIM_FAKE_INTERNAL_H

#include "sim/fake_server.h"

struct fake {
    struct loop *loop;
    struct rng rng;
    struct fake_server server;
    struct list clients;
    struct list ghosts;
    struct list injections;
    int per_mille[FAKE_N_FAULTS];
    int64_t latency_min, latency_max;
    fake_judge *judge;
    void *judge_arg;
};

#endif
