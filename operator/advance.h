/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run does next: the decision, apart from the deed (attempt.c).
 *
 * advance_decide looks at everything that is known of a run and answers with one step.  It is a
 * function of its arguments: asked again about the same world, it says the same.  Applying an event
 * changes only memory; steps that reach Kubernetes are such that repeating them after a crash does
 * no harm, because the pod's name follows from the run (design, section 4).
 */
#ifndef KHARON_OPERATOR_ADVANCE_H
#define KHARON_OPERATOR_ADVANCE_H

#include "operator/settings.h"

struct advance_view {
    const struct instance *inst; /* as it is stored */
    const struct run *run;       /* inst->run, or what is ahead of it in memory */
    bool ahead;                  /* a write is owed */
    const struct workflow *wf;   /* NULL: not in the cache */
    bool wf_absent;              /* proven */
    bool wf_read;                /* it is the one that was read last, and not only the copy's */
    /* Asked at PREPARE: where the component's workflows are, and one that is there before. */
    const char *component_ns;
    const struct workflow *elder;
    /* The pod of the attempt that is under way, or would be next (advance_pod_attempt); NULL: not
     * in the cache. */
    const struct pod *pod;
    bool pod_absent;            /* proven */
    bool pod_lost;              /* its node is gone */
    instant pod_read_at;        /* and not only seen in the cache; INSTANT_NONE: it was not */
    instant patient_until;      /* nothing times out; INSTANT_NONE: it may */
    bool create_unsettled;      /* a create was sent and its fate is not known */
    bool create_hopeless;       /* so it is each time that it is sent, for long */
    const char *create_refused; /* NULL, or why the pod cannot be created for now */
    bool old_pod_lives;         /* another pod of the same run key may still run */
    instant now;
    bool clock_wrong; /* `now` decides nothing; when it does again, everything is looked at */
    struct rng *rng;
};

enum step_kind {
    STEP_NONE,   /* wait for an event, or until look_again_at */
    STEP_APPLY,  /* `event` happened at `at` */
    STEP_ANSWER, /* say that the wishes of spec were seen */
    STEP_HOLD,   /* say that the trigger is not taken */
    STEP_NOTE,   /* say what it waits for: event.message; NULL: for nothing any more */
    STEP_STORE,  /* write the status */
    STEP_CREATE_POD,
    STEP_FIND_POD,      /* prove that the pod is absent */
    STEP_FIND_WORKFLOW, /* prove that the workflow is absent */
};

struct step {
    enum step_kind kind;
    struct event event; /* step_done frees */
    instant at;
    instant look_again_at; /* INSTANT_NONE: no need */
    const char *reason; /* NOTE: one word for it that people should be told; NULL: they need not */
    bool gates_opened;  /* NOTE: those of its pod, and the time to start counts from now */
};

struct step advance_decide(const struct advance_view *view, const struct settings *settings);
void step_done(struct step *step);

/* Wishes that are fulfilled, or mean a run that is over, and nobody said so yet. */
bool advance_answer_owed(const struct instance *inst, const struct run *run);

/* What rests has not yet said that it saw the latest spec. */
bool advance_generation_unseen(const struct instance *inst);

/* The number of the attempt whose pod matters to the run. */
int advance_pod_attempt(const struct run *run);
int64_t advance_pod_seq(const struct instance *inst, const struct run *run);

#endif
