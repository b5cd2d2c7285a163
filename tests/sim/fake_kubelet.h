/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scheduler and a kubelet for the fake: pods that bind, start, run and end on the virtual clock.
 *
 * What becomes of a pod is planned by a callback when the pod appears.  The steps and what they
 * look like follow a real kubelet's: bound; ContainerCreating; Running; terminated with the phase
 * still Running; the terminal phase 1.1 s later.  A deletion sends SIGTERM, waits for the grace
 * period, and only then lets the object go; a forced one lets the container run on for 2 s beside
 * whatever comes after it, which is what finalizers are for.
 *
 * There is one node, "node", and those that are added; pods are spread over those that are well.
 * What a lost node's containers do nobody hears of until it is back, or given up by people.
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
    const char *waiting; /* the reason while it has not started; NULL: ContainerCreating.
                          * ErrImagePull and ImagePullBackOff take turns */
    bool start_error;    /* then: its command is not found; it never runs */
    bool unseen;         /* that it runs is not shown: the phase goes from Pending to its end */
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
/* The scheduler needs its place for a more important pod. */
void fake_kubelet_preempt(struct fake_kubelet *kubelet, const char *ns, const char *name);
/* Its node is short of something: the kubelet ends it; the object stays, Failed. */
void fake_kubelet_press(struct fake_kubelet *kubelet, const char *ns, const char *name);
/* Its container ends when it is killed, and not before. */
void fake_kubelet_hang(struct fake_kubelet *kubelet, const char *ns, const char *name);

/* Nodes; the name is copied. */
void fake_kubelet_add_node(struct fake_kubelet *kubelet, const char *node);
/* Its network is gone.  After 50 s the node is not ready, after 300 s more its pods are deleted:
 * they have a deletionTimestamp and stay.  Containers run on. */
void fake_kubelet_lose_node(struct fake_kubelet *kubelet, const char *node);
/* It is back, and tells. */
void fake_kubelet_regain_node(struct fake_kubelet *kubelet, const char *node);
/* Somebody who knows that the machine is off, and so that its containers have ended, says so: by
 * the taint node.kubernetes.io/out-of-service, or by deleting the Node.  Its pods are Failed, and
 * deleted by force, after 4 s, or 45 s. */
void fake_kubelet_fence_node(struct fake_kubelet *kubelet, const char *node);
void fake_kubelet_remove_node(struct fake_kubelet *kubelet, const char *node);

#endif
