/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a simulation: how many workflows, for how long, and what goes wrong how often.
 *
 * What goes wrong, and what people and programs do, are mishaps: rows of tables in faults.c,
 * people.c and callers.c.  Each has a rate: times in an hour of bad weather, or, for what happens
 * to requests, the most per mille of them that it may hit.
 */
#ifndef KHARON_SIM_PLAN_H
#define KHARON_SIM_PLAN_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct storm;

struct mishap {
    const char *name;
    double rate; /* the usual one */
    /* Does it; NULL: it happens to requests, and `request_fault` says which (enum fake_fault). */
    void (*act)(struct storm *s);
    int request_fault;
    const char *help;
};

struct mishap_table {
    const char *group; /* names all of them */
    const struct mishap *rows;
    size_t n;
};

#define PLAN_MAX_MISHAPS 96

struct plan {
    uint64_t seed;
    int64_t ms; /* how long; then the weather turns fine and all comes to its end */
    int n_workflows;
    bool busy;            /* workflows of minutes, and not of hours and days */
    double storm_percent; /* of the time is bad weather */
    int64_t lease_ms;     /* 0: by seed */
    const char *faults;   /* as on the command line */
    double rates[PLAN_MAX_MISHAPS];
};

/* All mishaps in their order; NULL: there is no such. */
const struct mishap *plan_mishap(size_t i);

/* "none", "all", or names of groups and mishaps, each perhaps with "=rate": "network,kill=2".  A
 * "-" before a name takes it out again: "all,-restore". */
bool plan_set_faults(struct plan *plan, const char *text, struct error *err);
bool plan_is_calm(const struct plan *plan); /* nothing at all goes wrong */
void plan_print_mishaps(void);
/* The command that does the same again; the caller frees. */
char *plan_command(const struct plan *plan);

#endif
