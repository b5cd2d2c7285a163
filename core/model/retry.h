/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retries: what an exit code means, whether and when to try again (Styx behaviour, 8.2 and 9.1).
 *
 * Retries are paid for: every try costs what its exit code says, in tenths, and a trigger that has
 * spent 50.0 ends.  A try that costs nothing (a timeout, a disruption) is counted apart, since
 * otherwise it could be repeated for ever (design, section 8).
 */
#ifndef KHARON_MODEL_RETRY_H
#define KHARON_MODEL_RETRY_H

#include "base/rng.h"
#include "model/time.h"

/* X(name): spelled like this in the HTTP API and in objects (Styx behaviour, 4.7) */
#define MESSAGE_LEVELS(X)                                                                          \
    X(INFO)                                                                                        \
    X(WARNING)                                                                                     \
    X(ERROR)                                                                                       \
    X(UNKNOWN)

enum message_level {
#define X(name) MESSAGE_##name,
    MESSAGE_LEVELS(X)
#undef X
};

const char *message_level_name(enum message_level level);
bool message_level_parse(const char *name, enum message_level *ret_level);

#define EXIT_MISSING_DEPENDENCIES 20 /* come back later, hardly anybody's fault */
#define EXIT_UNRECOVERABLE        50 /* do not try again */

/* What the end of a container means; exit codes without a row of their own are failures. */
struct exit_traits {
    int cost_tenths;
    bool is_failure;            /* counts as consecutive failure; else it resets the count */
    enum message_level level;   /* of the message `Exit code: …` */
    const char *history_status; /* in answers about executions (4.8) */
};

/* Never NULL.  has_exit false: the code is unknown. */
const struct exit_traits *exit_traits(bool has_exit, int exit_code);

#define RETRY_COST_FAILURE_TENTHS     10 /* of a failure without an exit code, too (runError) */
#define RETRY_COST_MAX_TENTHS         500
#define RETRY_FREE_TRIES_MAX          100
#define RETRY_BASE_MS                 (3 * MINUTE_MS) /* PT3M, the default of base_ms */
#define RETRY_MISSING_DEPENDENCIES_MS (10 * MINUTE_MS)

enum retry_condition {
    RETRY_CONDITION_NONE, /* the workflow has none, or is not there */
    RETRY_CONDITION_TRUE,
    RETRY_CONDITION_FALSE, /* or could not be evaluated */
};

/* Of a run that is TERMINATED with another code than 0, or FAILED. */
struct retry_input {
    bool has_exit;
    int last_exit;         /* meaningless without has_exit */
    int retry_cost_tenths; /* since the trigger, the last try included */
    int consecutive_failures;
    int free_tries; /* since the trigger: those that cost nothing */
    enum retry_condition condition;
    int64_t base_ms; /* unit of the random back-off; 0: RETRY_BASE_MS */
};

enum retry_action { RETRY_STOP, RETRY_AFTER };

struct retry_decision {
    enum retry_action action;
    int64_t delay_ms; /* of RETRY_AFTER; else 0 */
    /* For people: a word for conditions of objects and a sentence.  Static. */
    const char *reason, *text;
};

/* Draws from rng only where the delay is random: base × max(1, r), r below 2^min(failures, 4). */
struct retry_decision retry_decide(const struct retry_input *in, struct rng *rng);

#endif
