/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include "test.h"

/* Simulations are repeated by their seed, on any machine and in later versions. */
TEST(a_seed_always_gives_the_same)
{
    struct rng a, b;

    rng_init(&a, 42);
    rng_init(&b, 42);
    for (int i = 0; i < 100; i++)
        CHECK(rng_next(&a) == rng_next(&b));
    rng_init(&a, 42);
    CHECK(rng_next(&a) == 1546998764402558742u);
    CHECK(rng_next(&a) == 6990951692964543102u);
    rng_init(&b, 43);
    CHECK(rng_next(&a) != rng_next(&b));
}

TEST(the_kernel_seeds_differently_each_time)
{
    struct rng a, b;

    rng_init_from_kernel(&a);
    rng_init_from_kernel(&b);
    CHECK(rng_next(&a) != rng_next(&b));
}

TEST(numbers_below_a_bound_are_even)
{
    struct rng rng;
    int counts[7] = {0};

    rng_init(&rng, test_seed());
    for (int i = 0; i < 70000; i++)
        counts[rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        CHECK(counts[i] > 9500 && counts[i] < 10500);
    for (int i = 0; i < 100; i++)
        CHECK_INT(rng_below(&rng, 1), 0);
}

/* At three quarters of the range the lowest third would be as likely as the others together, if
 * numbers were not thrown away. */
TEST(large_bounds_are_even_too)
{
    struct rng rng;
    const uint64_t n = UINT64_C(3) << 62;
    int low = 0;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 3000; i++) {
        uint64_t x = rng_below(&rng, n);

        CHECK(x < n);
        low += x < n / 3;
    }
    CHECK(low > 900 && low < 1100);
}

TEST(numbers_between_two)
{
    struct rng rng;
    bool low = false, high = false;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 1000; i++) {
        int64_t x = rng_between(&rng, -3, 3);

        CHECK(x >= -3 && x <= 3);
        low = low || x == -3;
        high = high || x == 3;
    }
    CHECK(low && high);
    CHECK_INT(rng_between(&rng, INT64_MIN, INT64_MIN), INT64_MIN);
    CHECK_INT(rng_between(&rng, INT64_MAX, INT64_MAX), INT64_MAX);
    low = high = false;
    for (int i = 0; i < 100; i++) {
        int64_t x = rng_between(&rng, INT64_MIN, INT64_MAX);

        low = low || x < 0;
        high = high || x > 0;
    }
    CHECK(low && high);
}
