/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the kubelet share: fake_kubelet.c (the lives of pods), fake_pod_status.c, and
 * fake_node.c. */
#ifndef KHARON_SIM_FAKE_KUBELET_INTERNAL_H
#define KHARON_SIM_FAKE_KUBELET_INTERNAL_H

#include "base/map.h"
#include "sim/fake_kubelet.h"
#include "sim/fake_store.h"

enum fake_pod_state {
    FAKE_POD_UNBOUND,
    FAKE_POD_BOUND,
    FAKE_POD_RUNNING,
    FAKE_POD_EXITED,
    FAKE_POD_OVER,
};

struct fake_pod {
    struct map_node by_uid;
    struct fake_kubelet *kubelet;
    struct fake_node *node;      /* NULL: not bound */
    json_t *first;               /* as it was created */
    const char *uid, *ns, *name; /* in `first` */
    struct fake_plan plan;
    enum fake_pod_state state;
    bool deleting, forced, gone, too_long;
    bool flipped;      /* ImagePullBackOff now */
    const char *ended; /* why the node ended it: status.reason; NULL: it did not */
    int64_t flip_ms;
    int64_t grace_ms;
    int exit_code;
    const char *reason, *message;
    char started[32], finished[32];
    struct loop_timer step;     /* what comes next in its life */
    struct loop_timer kill;     /* what comes next in its deletion */
    struct loop_timer deadline; /* activeDeadlineSeconds */
    struct loop_timer flip;
    struct loop_timer resync; /* tell once more */
};

struct fake_node {
    struct list link;
    char *name;
    struct fake_kubelet *kubelet;
    bool lost;
    const char *verdict; /* the reason by which its pods are given up */
    struct loop_timer next;
    void (*then)(struct fake_node *node);
};

struct fake_kubelet {
    struct fake *fake;
    struct loop *loop;
    struct fake_kubelet_handler handler;
    void *arg;
    struct fake_watcher watcher;
    struct map pods;
    struct list nodes; /* the next pod goes to the first that is well */
    size_t running;
};

/* The API has it, and not another one of its name. */
bool fake_pod_is_there(const struct fake_pod *p);
/* Its node is lost: nobody hears of it. */
bool fake_pod_is_lost(const struct fake_pod *p);
/* They write to the API, unless it is lost or not there any more. */
void fake_pod_show(struct fake_pod *p);
void fake_pod_show_unscheduled(struct fake_pod *p, const char *reason);
/* A part of its status, which is taken. */
void fake_pod_write_status(struct fake_pod *p, json_t *status);
/* Adds the condition DisruptionTarget, whether it is lost or not; phase NULL: as it is. */
void fake_pod_mark_disrupted(struct fake_pod *p, const char *reason, const char *phase);

/* Its node is back, and it tells. */
void fake_pod_tell(struct fake_pod *p);
/* The machine is off. */
void fake_pod_stop(struct fake_pod *p);

/* One that is well, and now the last in line; NULL: there is none. */
struct fake_node *fake_node_choose(struct fake_kubelet *k);
/* One that was not given up. */
struct fake_node *fake_node_find(const struct fake_kubelet *k, const char *name);
/* Inside the write: nothing is written.  Either object may be NULL. */
void fake_node_changed(struct fake_kubelet *k, const json_t *old, const json_t *new);
void fake_node_free(struct fake_node *n);

#endif
