/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a simulation: a cluster with workflows, two operators and an API server, through good
 * and bad weather, to its end.
 *
 *     struct storm storm;
 *     storm_begin(&storm, &plan);
 *     storm_run(&storm);
 *     storm_end(&storm);             stops all faults; everything has to come to its end
 *     if (*storm_broken(&storm)) …
 *     storm_done(&storm);
 *
 * The same plan gives the same run, byte for byte.
 */
#ifndef KHARON_SIM_STORM_H
#define KHARON_SIM_STORM_H

#include "sim/observer.h"
#include "sim/plan.h"
#include "sim/trace.h"

struct callers;

/* A pod whose create takes effect late, and what is done meanwhile (doubt.c). */
struct doubt {
    int operator_index, n_deeds;
    unsigned done;        /* which deeds, as bits */
    char *instance, *pod; /* NULL: none */
    struct loop_timer next;
};

/* A pod that is refused, and the death of its operator (refusal.c). */
struct refusal {
    int operator_index;
    int n_tries; /* until it is refused: throttled, or late */
    bool refused;
    enum refusal_death { REFUSAL_DIES_SILENT, REFUSAL_DIES_SPEAKING, REFUSAL_DIES_LATE } dies;
    char *instance; /* NULL: not known yet */
    struct loop_timer death;
};

struct storm {
    struct plan plan;
    struct world w;
    struct observer o;
    struct trace *trace; /* NULL: none */
    struct callers *callers;
    struct rng rng, ids;
    bool calm;        /* pods succeed, soon */
    bool bad_weather; /* until... */
    int64_t weather_until, next_act, next_tidy;
    double total_rate;                   /* of what is done, not of what happens to requests */
    const char *lost_node, *mended_node; /* NULL: none */
    int64_t regained_at, mended_at;
    int node_fate; /* 0: it was the network only; 1: it is fenced; 2: removed */
    int64_t healed_at[WORLD_MAX_OPERATORS];  /* its network; 0: is */
    int64_t started_at[WORLD_MAX_OPERATORS]; /* it runs again */
    int64_t thawed_at[WORLD_MAX_OPERATORS];
    int64_t freeze_writer_ms; /* who writes next stands still for so long; 0: nobody */
    bool kill_writer;         /* who writes next dies */
    int dying;
    int64_t no_status_until; /* of instances is written */
    char *no_account;        /* the workflow whose pods are refused; NULL: none */
    bool account_halted;     /* and its runs are halted */
    int n_refused;           /* of these */
    struct loop_task death;
    struct map due; /* at the end: workflows, and their partitions that nobody triggered yet */
    bool delete_triggered; /* what a schedule triggers again next is deleted first */
    char *deleted_first;   /* ... this one */
    struct loop_task deletion;
    /* Sees what operators write, the request and who sends it, and says which fault hits it, or -1;
     * NULL: nothing is aimed at. */
    int (*aim)(struct storm *s, const struct k8s_request *r, int operator_index);
    struct doubt doubt;
    struct refusal refusal;
    int64_t crowd_until;
    const struct k8s_resource *unsaid; /* what is stored of these meets this fault */
    enum fake_fault unsaid_fault;
    char *unsaid_of; /* whose trigger is late; NULL: none is */
    int n_wishes, n_acts, n_new;
    size_t memory_early, memory_late; /* in use after a quarter of the time, and at its end */
};

void storm_begin(struct storm *s, const struct plan *plan, struct trace *trace);
void storm_run(struct storm *s);
void storm_end(struct storm *s);
void storm_done(struct storm *s);
const char *storm_broken(const struct storm *s); /* "": nothing */

/* What can happen. */
extern const struct mishap_table storm_faults, storm_people, storm_callers;

/* ---- for those who do it ---- */

static inline int64_t storm_now(const struct storm *s)
{
    return loop_now(s->w.loop, LOOP_MONOTONIC);
}

static inline int64_t storm_between(struct storm *s, int64_t low, int64_t high)
{
    return rng_between(&s->rng, low, high);
}

static inline bool storm_chance(struct storm *s, int percent)
{
    return (int) rng_below(&s->rng, 100) < percent;
}

static inline bool storm_one_of(struct storm *s, int n)
{
    return rng_below(&s->rng, (uint64_t) n) == 0;
}

/* The name of any object of a kind, NULL if there is none; the caller frees.  Young ones are more
 * likely: that is where something happens. */
char *storm_pick(struct storm *s, const struct k8s_resource *kind);
/* One whose partition the cursor has behind it; NULL: it is not, or there is none. */
struct instance *storm_pick_instance(struct storm *s);
struct instance *storm_instance(struct storm *s, const char *name);
void storm_note(struct storm *s, const char *what, const char *name);
/* The instance that this creates a pod for; the caller frees; NULL: it does something else. */
char *storm_pod_created_for(const struct k8s_request *r);

/* The trigger waits, with a reason, for somebody to decide. */
bool storm_is_held(struct storm *s, const struct instance *inst);

/* faults.c: the end of all of it, and of what has lasted long enough. */
void storm_faults_end(struct storm *s);
void storm_faults_repair(struct storm *s, int64_t now);
void storm_faults_begin(struct storm *s);   /* bad weather begins */
void storm_faults_prepare(struct storm *s); /* before anything */
void storm_kill(struct storm *s, int i);
/* For so long; false: it cannot be lost now. */
bool storm_lose_node(struct storm *s, const char *node, int64_t ms);

/* doubt.c, refusal.c, crowd.c, unsaid.c: what aims begins, if nothing else does. */
void storm_doubt(struct storm *s);
void storm_untold(struct storm *s);
void storm_doubt_end(struct storm *s);
void storm_refusal(struct storm *s);
void storm_refusal_end(struct storm *s);
void storm_crowd(struct storm *s);
void storm_unsaid_cursor(struct storm *s);
void storm_unsaid_run(struct storm *s);
void storm_unsaid_trigger(struct storm *s);

/* account.c */
void storm_lose_account(struct storm *s);
int storm_account_judge(struct storm *s, const struct k8s_request *r); /* the fault, or -1 */
void storm_end_without_account(struct storm *s); /* when all other faults are over */
void storm_account_found(struct storm *s);

/* people_workflows.c: what is deployed in the beginning, and again. */
void storm_deploy_all(struct storm *s);
void storm_mend_all(struct storm *s); /* after edits: all are as they were */
void storm_suspend_all(struct storm *s);
/* The cursor is set to what has run; false: it cannot be. */
bool storm_set_back(struct storm *s, const struct instance *inst);

/* people.c: what is done to runs; housekeeping. */
void storm_tidy(struct storm *s);
void storm_halt(struct storm *s, const struct instance *inst);
void storm_trigger_again(struct storm *s, const struct instance *inst);
void storm_halt_and_trigger(struct storm *s, const struct instance *inst);
void storm_delete_and_run(struct storm *s, const struct instance *inst); /* by hand */
void storm_force_delete(struct storm *s, const char *pod); /* unless that is nobody's business */

/* people_races.c */
/* An operator sends this now. */
void storm_people_see(struct storm *s, const struct k8s_request *r);
/* What was begun is left at that. */
void storm_people_end(struct storm *s);

/* callers.c */
void storm_callers_begin(struct storm *s);
void storm_callers_done(struct storm *s);
/* Whatever was accepted has to be there. */
void storm_callers_judge(struct storm *s);

#endif
