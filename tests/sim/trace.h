/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens in a world, as a text for people and as a number.
 *
 *     2026-01-01T00:15:00.003Z  operator-0-1  create pods styx-run-… → 201
 *     2026-01-01T00:15:00.003Z  change        pods styx-run-…: made
 *     2026-01-01T00:15:01.250Z  change        workflowinstances often.…: status.state "QUEUED" →
 *                                             "SUBMITTED", …
 *     2026-01-01T00:15:02.000Z  fault         kill operator-0
 *
 * The number is a hash of all of it, whole objects and bodies included: two runs are the same if
 * their numbers are.
 */
#ifndef KHARON_SIM_TRACE_H
#define KHARON_SIM_TRACE_H

#include "sim/world.h"

struct trace;

/* `out` NULL: only the number.  Logs of the programs are written too. */
struct trace *trace_new(FILE *out);
void trace_free(struct trace *trace);
void trace_attach(struct trace *trace, struct world *world); /* until the world's end */
void trace_detach(struct trace *trace);
/* What somebody does who is not a client. */
void trace_note(struct trace *trace, const char *actor, const char *what, const char *name);
uint64_t trace_hash(const struct trace *trace);

#endif
