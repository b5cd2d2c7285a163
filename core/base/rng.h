/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness as a seam: the programs seed from the kernel, simulations from a number.
 * Not for secrets.
 */
#ifndef KHARON_BASE_RNG_H
#define KHARON_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
void rng_init_from_kernel(struct rng *rng);
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t n);                 /* uniform in [0, n); n > 0 */
int64_t rng_between(struct rng *rng, int64_t low, int64_t high); /* uniform in [low, high] */

#endif
