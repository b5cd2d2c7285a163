/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor: turns time into triggers, each exactly once (design, sections 2 and 4).
 *
 * `next` is the partition to run next, `next_offset` the instant at which it falls due (Styx
 * behaviour, 6.6).  Whoever sets a cursor (creation, change of schedule or offset, a wish of the
 * API) increments the epoch; whoever advances it does not.  With the workflow's UID the epoch is
 * the key of the triggers, so that a cursor that was set back runs its partitions again while one
 * that was merely repeated does not.
 *
 *     cursor_start or cursor_set  →  cursor_due?  →  trigger next  →  cursor_advance  →  …
 *                                            or      cursor_skip_due, without triggers
 *
 * Partitions fall due one after the other, even where offsets with months turn the order of their
 * instants around (offset.h).  A clock that goes back makes nothing due and takes nothing back.
 *
 * All functions are pure: they change the struct and nothing else, and only if they return true.
 */
#ifndef KHARON_MODEL_CURSOR_H
#define KHARON_MODEL_CURSOR_H

#include "model/schedule.h"

struct cursor {
    int64_t epoch; /* 0: never set */
    instant next, next_offset;
};

/* Sets the cursor to the first partition after now - offset, and increments the epoch; false with
 * ERROR_INVALID if the schedule never comes. */
bool cursor_start(struct cursor *c, const struct schedule *s, const struct offset *o, instant now,
                  struct error *err);
/* Sets it to what somebody wished for, unchecked as in Styx (3.9), and increments the epoch.
 * INSTANT_NONE leaves that instant as it is. */
void cursor_set(struct cursor *c, instant next, instant next_offset);

/* Moves on by one partition; false if there is none. */
bool cursor_advance(struct cursor *c, const struct schedule *s, const struct offset *o);

/* At the instant itself, while Styx says strictly after it (6.7): by a clock that ticks in
 * milliseconds that is one tick, which nobody can see.  A cursor never set is never due. */
bool cursor_due(const struct cursor *c, instant now);

/* Moves past everything that is due, without triggering: what a suspended workflow's cursor does.
 * Counts and names what was passed.  False if no partition is left, as in cursor_advance.  Quick,
 * however much there is to pass: nothing has to be stored while a workflow is suspended. */
struct cursor_skip {
    int64_t count;       /* at most CURSOR_SKIP_COUNT_MAX, which is "or more" */
    instant first, last; /* partitions; meaningless if count is 0 */
};
#define CURSOR_SKIP_COUNT_MAX 100000
bool cursor_skip_due(struct cursor *c, const struct schedule *s, const struct offset *o,
                     instant now, struct cursor_skip *ret_skip);
/* What lies between the cursor and `next`, which it does not reach, due or not. */
struct cursor_skip cursor_skip_to(const struct cursor *c, const struct schedule *s, instant next);
/* As cursor_skip_due, also past the last partition: a cursor that runs out is never due again. */
struct cursor_skip cursor_pass_due(struct cursor *c, const struct schedule *s,
                                   const struct offset *o, instant now);

#endif
