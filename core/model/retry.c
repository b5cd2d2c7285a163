/* SPDX-License-Identifier: Apache-2.0 */
#include "model/retry.h"

#include "base/alloc.h"

#include <string.h>

static const char *const level_names[] = {
#define X(name) [MESSAGE_##name] = #name,
    MESSAGE_LEVELS(X)
#undef X
};

const char *message_level_name(enum message_level level)
{
    return level_names[level];
}

bool message_level_parse(const char *name, enum message_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
        if (strcmp(level_names[i], name) == 0) {
            *ret_level = (enum message_level) i;
            return true;
        }
    return false;
}

static const struct {
    int exit_code;
    struct exit_traits traits;
} known_exits[] = {
    {0, {0, false, MESSAGE_INFO, "SUCCESS"}},
    {EXIT_MISSING_DEPENDENCIES, {1, false, MESSAGE_WARNING, "MISSING_DEPS"}},
};

static const struct exit_traits other_exit = {RETRY_COST_FAILURE_TENTHS, true, MESSAGE_ERROR,
                                              "FAILED"};

const struct exit_traits *exit_traits(bool has_exit, int exit_code)
{
    for (size_t i = 0; has_exit && i < ARRAY_SIZE(known_exits); i++)
        if (known_exits[i].exit_code == exit_code)
            return &known_exits[i].traits;
    return &other_exit;
}

static bool cost_is_spent(const struct retry_input *in)
{
    return in->retry_cost_tenths >= RETRY_COST_MAX_TENTHS;
}

static bool free_tries_are_spent(const struct retry_input *in)
{
    return in->free_tries >= RETRY_FREE_TRIES_MAX;
}

static bool is_unrecoverable(const struct retry_input *in)
{
    return in->has_exit && in->last_exit == EXIT_UNRECOVERABLE;
}

static bool condition_is_false(const struct retry_input *in)
{
    return in->condition == RETRY_CONDITION_FALSE;
}

/* Why a run stops, in the order in which the reasons count. */
static const struct {
    bool (*applies)(const struct retry_input *in);
    const char *reason, *text;
} stops[] = {
    {cost_is_spent, "RetryLimitReached", "the retries are used up"},
    {free_tries_are_spent, "RetryLimitReached", "too many tries that ended without an exit code"},
    {is_unrecoverable, "Unrecoverable", "exit code 50 says not to try again"},
    {condition_is_false, "RetryConditionFalse", "the retry condition is not true"},
};

static int64_t back_off(const struct retry_input *in, struct rng *rng)
{
    int64_t base = in->base_ms ? in->base_ms : RETRY_BASE_MS;
    int doublings = in->consecutive_failures > 4 ? 4 : in->consecutive_failures;

    if (doublings <= 1) /* r is 0 or 1: no choice */
        return base;
    int64_t r = (int64_t) rng_below(rng, UINT64_C(1) << doublings);
    return base * (r > 1 ? r : 1);
}

struct retry_decision retry_decide(const struct retry_input *in, struct rng *rng)
{
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
        if (stops[i].applies(in))
            return (struct retry_decision) {RETRY_STOP, 0, stops[i].reason, stops[i].text};
    if (in->has_exit && in->last_exit == EXIT_MISSING_DEPENDENCIES)
        return (struct retry_decision) {RETRY_AFTER, RETRY_MISSING_DEPENDENCIES_MS,
                                        "MissingDependencies", "dependencies are missing"};
    return (struct retry_decision) {RETRY_AFTER, back_off(in, rng), "BackOff",
                                    "the last try failed"};
}
