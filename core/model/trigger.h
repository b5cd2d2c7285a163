/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of triggers (Styx behaviour, 7).
 *
 *     natural-trigger                    what a schedule triggers, always the same
 *     ad-hoc-cli-1767225600000-01234     what somebody asked for: time and five digits
 *     backfill-1767225600000-01234       a backfill and what it triggers
 *
 * The time is in milliseconds, with at least 13 digits.  Ids tell runs apart for people; that a
 * trigger counts once is the business of its key (design, section 4).
 */
#ifndef KHARON_MODEL_TRIGGER_H
#define KHARON_MODEL_TRIGGER_H

#include "base/rng.h"
#include "model/time.h"

#define TRIGGER_ID_NATURAL "natural-trigger"
#define TRIGGER_ID_MAX     48
#define TRIGGER_ID_NUMBERS 100000 /* below which the number is */

/* Both return `text`.  `t` is not before 1970. */
const char *trigger_id_adhoc(instant t, struct rng *rng, char text[TRIGGER_ID_MAX]);
const char *trigger_id_backfill(instant t, struct rng *rng, char text[TRIGGER_ID_MAX]);

/* With a number that the caller derived from something instead, modulo TRIGGER_ID_NUMBERS: an id
 * that has to come out the same when it is made again. */
const char *trigger_id_adhoc_of(instant t, uint64_t number, char text[TRIGGER_ID_MAX]);

#endif
