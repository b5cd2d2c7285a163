/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes that are not there, and the kubelet of all of them at once.
 *
 * A scale test needs thousands of pods that come and go as fast as the control plane lets them;
 * real containers would measure the container runtime.  So this program says what kubelets would
 * say:
 *
 *     nodes.c   Node objects, their Ready condition, and the Leases that keep them Ready
 *     pods.c    for every pod that the scheduler bound to one of them: Running, then its end
 *
 * It runs on our own client, many requests at once, and so tries the client too.
 *
 * A pod says by annotations how long it runs and how it ends:
 *
 *     bench.kharon.dev/run-ms         milliseconds from Running to its end; not given: at once
 *     bench.kharon.dev/exit-code      of every container; not given: 0
 *     bench.kharon.dev/failing-tries  so many tries of a run end with it, and later ones with 0;
 *                                     not given: all of them
 */
#ifndef KHARON_BENCH_FAKELET_H
#define KHARON_BENCH_FAKELET_H

#include "k8s/informer.h"
#include "k8s/queue.h"

struct nodes;
struct pods;

/* n Nodes "<prefix>0", "<prefix>1", ...  The prefix must outlive them. */
struct nodes *nodes_new(struct loop *loop, struct k8s *k8s, struct rng *rng, const char *prefix,
                        int n);
void nodes_free(struct nodes *nodes);        /* the objects stay */
bool nodes_ready(const struct nodes *nodes); /* all have been Ready, and still renew */

struct pods_counts {
    uint64_t seen, started, ended, removed; /* pods of ours */
    uint64_t errors;                        /* requests that failed */
};

/* max_in_flight: requests at once. */
struct pods *pods_new(struct loop *loop, struct k8s *k8s, struct rng *rng, const char *prefix,
                      int max_in_flight);
void pods_free(struct pods *pods);
bool pods_synced(const struct pods *pods);
struct pods_counts pods_counts(const struct pods *pods);

/* What is known of a pod, and what its kubelet does next: a function of its arguments. */
struct pod_view {
    bool is_running, is_over; /* by its phase */
    bool deleting;
    int64_t grace_s;  /* of a pod that is being deleted */
    int64_t since_ms; /* when it was started; 0: not by this process */
    int64_t run_ms;
    int64_t now_ms;
};

enum pod_step { POD_WAIT, POD_START, POD_END, POD_KILL, POD_REMOVE };

/* For POD_WAIT: *ret_at is when to look again, 0: when something changes. */
enum pod_step pod_decide(const struct pod_view *view, int64_t *ret_at);

#endif
