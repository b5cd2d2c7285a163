/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scheduler and a kubelet for the fake: pods that bind, start, run and end on the virtual clock.
 *
 * What becomes of a pod is planned by a callback when the pod appears.  The steps and what they
 * look like follow a real kubelet's: bound; ContainerCreating; Running; terminated with the phase
 * still Running; the terminal phase 1.1 s later.  A deletion sends SIGTERM, waits for the grace
 * period, and only then lets the object go; a forced one lets the container run on for 2 s beside
 * whatever comes after it, which is what finalizers are for.
 */
#ifndef KHARON_SIM_FAKE_KUBELET_H
#define KHARON_SIM_FAKE_KUBELET_H

#include "sim/fake.h"

#define FAKE_NEVER (-1)

/* Zeroed: a pod that is bound, starts and succeeds as fast as can be.  Texts live as long as the
 * pod. */
struct fake_plan {
    int64_t schedule_ms; /* until it is bound; FAKE_NEVER: Unschedulable */
    int64_t start_ms;    /* from there until its container runs; FAKE_NEVER: does not start */
    const char *waiting; /* the reason while it has not started; NULL: ContainerCreating */
    int64_t run_ms;      /* FAKE_NEVER: until it is killed */
    int exit_code;
    const char *reason;  /* NULL: Completed or Error; "OOMKilled" */
    const char *message; /* the termination message; NULL: none */
    int64_t stop_ms;     /* from SIGTERM to its end; cut by the grace period (137 then) */
    int stop_code;       /* how it ends on SIGTERM; 0 counts as 143 */
};

struct fake_kubelet;

struct fake_kubelet_handler {
    void (*plan)(const json_t *pod, struct fake_plan *plan, void *arg); /* NULL: as zeroed */
    /* A container of this pod really runs, or has really ended, whatever the API says.  May be
     * NULL. */
    void (*on_container)(const json_t *pod, bool runs, void *arg);
};

struct fake_kubelet *fake_kubelet_new(struct fake *fake, struct loop *loop,
                                      const struct fake_kubelet_handler *handler, void *arg);
void fake_kubelet_free(struct fake_kubelet *kubelet); /* before the fake */
/* Containers that really run now. */
size_t fake_kubelet_running(const struct fake_kubelet *kubelet);
/* The eviction API. */
void fake_kubelet_evict(struct fake_kubelet *kubelet, const char *ns, const char *name);

#endif
