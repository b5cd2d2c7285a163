/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a workflow's cursor does next: the decision, apart from the deed (cursor.c).
 *
 * A function of its arguments.  A partition that falls due is created first and recorded in the
 * status afterwards; when it is asked again in between, after a crash, it says "create" once more,
 * and the key of the trigger makes that harmless (design, section 4).
 */
#ifndef KHARON_OPERATOR_TRIGGER_H
#define KHARON_OPERATOR_TRIGGER_H

#include "model/partition.h"
#include "model/validate.h"
#include "operator/settings.h"

struct operator;

/* What became of the partition at which the cursor stands; epoch 0: nothing yet. */
struct trigger_done {
    int64_t epoch;
    instant partition;
    bool triggered;
    bool waits;   /* it cannot be triggered yet */
    char *reason; /* of a skip, or of waiting */
};

/* It is about where the cursor stands now. */
bool trigger_done_is_about(const struct trigger_done *done, const struct cursor *c);

struct trigger_view {
    const struct workflow *wf;
    const struct workflow *elder; /* an older workflow with the same pair; NULL: none */
    const char *component_ns;     /* where the component's workflows must be */
    int n_active;                 /* unfinished instances */
    size_t n_unfinished;          /* of all workflows */
    const struct trigger_done *done;
    instant now;
};

enum trigger_step_kind { TRIGGER_WAIT, TRIGGER_STORE, TRIGGER_CREATE };

struct trigger_step {
    enum trigger_step_kind kind;
    struct workflow_status status;      /* STORE */
    char partition[PARTITION_TEXT_MAX]; /* CREATE */
    instant look_again_at;              /* WAIT; INSTANT_NONE: no need */
    bool wants_room;                    /* waits until fewer runs are unfinished in all */
    bool blocked;                       /* by a limit; `partition` is what waits */
};

struct trigger_step trigger_decide(const struct trigger_view *view,
                                   const struct settings *settings);
void trigger_step_done(struct trigger_step *step);

/* A workflow in another namespace than that of its component, or with an elder, runs nothing: NULL,
 * or the reason, and a message that the caller frees. */
const char *trigger_misplaced(const struct workflow *wf, const char *component_ns,
                              const struct workflow *elder, char **ret_message);

/* "<uid>/<epoch>": what makes a natural trigger happen once; the caller frees. */
char *trigger_key(const struct workflow *wf, int64_t epoch);

/* What a status says that the one before it did not, as far as people should know it. */
struct trigger_news {
    bool judged, not_triggered;
    int64_t n_passed; /* partitions that were passed by */
};
struct trigger_news trigger_news(const struct workflow_status *before,
                                 const struct workflow_status *after);
/* Logs it, and tells it as Kubernetes Events; when it is stored, and once. */
void trigger_announce(struct operator *op, const struct workflow *wf,
                      const struct workflow_status *status, struct trigger_news news);

#endif
