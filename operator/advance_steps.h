/* SPDX-License-Identifier: Apache-2.0 */
/* What advance.c and advance_states.c share: how steps are made, and what both ask. */
#ifndef KHARON_OPERATOR_ADVANCE_STEPS_H
#define KHARON_OPERATOR_ADVANCE_STEPS_H

#include "operator/advance.h"

static inline struct step step_only(enum step_kind kind)
{
    return (struct step) {.kind = kind, .look_again_at = INSTANT_NONE};
}

static inline struct step step_none(void)
{
    return step_only(STEP_NONE);
}

static inline struct step step_wait_until(instant t)
{
    return (struct step) {.kind = STEP_NONE, .look_again_at = t};
}

/* Whether that instant is over, as far as the clock can be believed. */
static inline bool has_passed(const struct advance_view *v, instant t)
{
    return !v->clock_wrong && v->now >= t;
}

static inline struct step step_wait_for(const struct advance_view *v, instant t)
{
    return step_wait_until(v->clock_wrong ? INSTANT_NONE : t);
}

static inline struct step step_apply(instant at, struct event event)
{
    return (struct step) {
        .kind = STEP_APPLY, .at = at, .event = event, .look_again_at = INSTANT_NONE};
}

/* When something of the attempt happened, if its pod has it on record. */
static inline instant step_recorded(const struct advance_view *v, instant on_record)
{
    return v->pod && on_record != INSTANT_NONE ? on_record : v->now;
}

/* advance.c */
struct step advance_halt(const struct advance_view *v, char *message_take);
bool advance_write_is_due(const struct advance_view *v, const struct settings *settings);

/* advance_states.c: what follows from the state and its pod. */
struct step advance_in_state(const struct advance_view *v, const struct settings *settings);
/* When a QUEUED run may go on, and whether it may now. */
instant advance_eligible_at(const struct run *run);
bool advance_is_eligible(const struct advance_view *v);

#endif
