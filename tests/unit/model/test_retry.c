/* SPDX-License-Identifier: Apache-2.0 */
#include "model/retry.h"

#include "test.h"

#define TRAITS(has_exit, code, cost, failure, level, status)                                       \
    check_traits(__LINE__, has_exit, code, cost, failure, level, status)

static void check_traits(int line, bool has_exit, int code, int cost, bool failure,
                         enum message_level level, const char *status)
{
    const struct exit_traits *t = exit_traits(has_exit, code);

    CHECK_INT_AT(line, t->cost_tenths, cost);
    CHECK_INT_AT(line, t->is_failure, failure);
    CHECK_INT_AT(line, t->level, level);
    CHECK_STR_AT(line, t->history_status, status);
}

/* STYX-SM-03 */
TEST(what_an_exit_code_means)
{
    TRAITS(true, 0, 0, false, MESSAGE_INFO, "SUCCESS");
    TRAITS(true, 20, 1, false, MESSAGE_WARNING, "MISSING_DEPS");
    TRAITS(true, 50, 10, true, MESSAGE_ERROR, "FAILED");
    TRAITS(true, 1, 10, true, MESSAGE_ERROR, "FAILED");
    TRAITS(true, 137, 10, true, MESSAGE_ERROR, "FAILED");
    TRAITS(true, -1, 10, true, MESSAGE_ERROR, "FAILED");
    TRAITS(false, 0, 10, true, MESSAGE_ERROR, "FAILED");
    TRAITS(false, 20, 10, true, MESSAGE_ERROR, "FAILED");
}

TEST(message_levels)
{
    static const char *const names[] = {"INFO", "WARNING", "ERROR", "UNKNOWN"};
    enum message_level level = MESSAGE_WARNING;

    for (int i = 0; i < 4; i++) {
        CHECK_STR(message_level_name((enum message_level) i), names[i]);
        CHECK(message_level_parse(names[i], &level));
        CHECK_INT(level, i);
    }
    CHECK(!message_level_parse("info", &level));
    CHECK(!message_level_parse("", &level));
    CHECK_INT(level, MESSAGE_UNKNOWN);
}

#define STOP(reason, ...)     check_stop(__LINE__, reason, (struct retry_input) {__VA_ARGS__})
#define AFTER(low, high, ...) check_after(__LINE__, low, high, (struct retry_input) {__VA_ARGS__})
#define EXIT(code)            .has_exit = true, .last_exit = (code)

static void check_stop(int line, const char *reason, struct retry_input in)
{
    struct rng rng = {{1, 2, 3, 4}}, untouched = rng;
    struct retry_decision d = retry_decide(&in, &rng);

    CHECK_INT_AT(line, d.action, RETRY_STOP);
    CHECK_INT_AT(line, d.delay_ms, 0);
    CHECK_STR_AT(line, d.reason, reason);
    CHECK_AT(line, d.text && *d.text);
    CHECK_AT(line, memcmp(&rng, &untouched, sizeof(rng)) == 0);
}

/* Every multiple of the base between the bounds comes, and nothing else; minutes. */
static void check_after(int line, int64_t low, int64_t high, struct retry_input in)
{
    int64_t base = in.base_ms ? in.base_ms : 3 * MINUTE_MS;
    bool seen[16] = {0};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 1000; i++) {
        struct retry_decision d = retry_decide(&in, &rng);
        CHECK_INT_AT(line, d.action, RETRY_AFTER);
        CHECK_AT(line, d.delay_ms >= low && d.delay_ms <= high);
        CHECK_AT(line, d.reason && d.text);
        if (low != high) {
            CHECK_INT_AT(line, d.delay_ms % base, 0);
            seen[d.delay_ms / base] = true;
        }
    }
    for (int64_t t = low; low != high && t <= high; t += base)
        CHECK_AT(line, seen[t / base]);
}

/* STYX-RET-01 */
TEST(the_cost_is_limited)
{
    STOP("RetryLimitReached", EXIT(1), .retry_cost_tenths = 500);
    STOP("RetryLimitReached", EXIT(20), .retry_cost_tenths = 501);
    STOP("RetryLimitReached", .retry_cost_tenths = 500, .condition = RETRY_CONDITION_TRUE);
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, EXIT(1), .retry_cost_tenths = 499);
}

/* STYX-RET-01, STYX-SM-03: what the limit amounts to. */
TEST(fifty_failures_or_five_hundred_missing_dependencies)
{
    static const struct {
        int exit_code, tries;
    } rows[] = {{1, 50}, {20, 500}};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (size_t i = 0; i < 2; i++) {
        struct retry_input in = {EXIT(rows[i].exit_code)};
        int tries = 0;

        do {
            const struct exit_traits *traits = exit_traits(true, in.last_exit);
            tries++;
            in.retry_cost_tenths += traits->cost_tenths;
            in.consecutive_failures = traits->is_failure ? in.consecutive_failures + 1 : 0;
        } while (retry_decide(&in, &rng).action == RETRY_AFTER);
        CHECK_INT(tries, rows[i].tries);
    }
}

TEST(free_tries_are_limited)
{
    STOP("RetryLimitReached", .free_tries = 100);
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, .free_tries = 99);
}

/* STYX-RET-02 */
TEST(exit_codes_that_decide)
{
    STOP("Unrecoverable", EXIT(50));
    STOP("Unrecoverable", EXIT(50), .condition = RETRY_CONDITION_TRUE);
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, .has_exit = false, .last_exit = 50);
    AFTER(10 * MINUTE_MS, 10 * MINUTE_MS, EXIT(20));
    AFTER(10 * MINUTE_MS, 10 * MINUTE_MS, EXIT(20), .consecutive_failures = 4);
    AFTER(10 * MINUTE_MS, 10 * MINUTE_MS, EXIT(20), .base_ms = SECOND_MS);
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, .has_exit = false, .last_exit = 20);
}

TEST(a_condition_only_stops)
{
    STOP("RetryConditionFalse", EXIT(1), .condition = RETRY_CONDITION_FALSE);
    STOP("RetryConditionFalse", EXIT(20), .condition = RETRY_CONDITION_FALSE);
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, EXIT(1), .condition = RETRY_CONDITION_TRUE);
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, EXIT(1), .condition = RETRY_CONDITION_NONE);
}

/* STYX-RET-03 */
TEST(the_back_off_is_random_within_bounds)
{
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, .consecutive_failures = 0);
    AFTER(3 * MINUTE_MS, 3 * MINUTE_MS, EXIT(1), .consecutive_failures = 1);
    AFTER(3 * MINUTE_MS, 9 * MINUTE_MS, EXIT(1), .consecutive_failures = 2);
    AFTER(3 * MINUTE_MS, 21 * MINUTE_MS, EXIT(1), .consecutive_failures = 3);
    AFTER(3 * MINUTE_MS, 45 * MINUTE_MS, EXIT(1), .consecutive_failures = 4);
    AFTER(3 * MINUTE_MS, 45 * MINUTE_MS, EXIT(1), .consecutive_failures = 5);
    AFTER(3 * MINUTE_MS, 45 * MINUTE_MS, .consecutive_failures = 1000000);
    AFTER(SECOND_MS, SECOND_MS, EXIT(1), .consecutive_failures = 1, .base_ms = SECOND_MS);
    AFTER(SECOND_MS, 15 * SECOND_MS, EXIT(1), .consecutive_failures = 9, .base_ms = SECOND_MS);
}
