/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work of a request that needs Kubernetes: one call after the other, perhaps a wait for the
 * operator's answer.  It is the first member of a handler's own struct:
 *
 *     struct trigger {
 *         struct job job;
 *         ...
 *     };
 *     struct trigger *t = job_new(req, sizeof(*t), trigger_end);      trigger_end may be NULL
 *     job_call(&t->job, &(struct k8s_request) {...}, on_created);
 *     ...
 *     static void on_created(struct job *job, const struct k8s_reply *reply)
 *
 * The job belongs to the request and ends with it; what is pending then is cancelled.  Callbacks
 * get the job and never run inside the function that started what they answer.
 */
#ifndef KHARON_APISERVER_JOB_H
#define KHARON_APISERVER_JOB_H

#include "apiserver/api.h"
#include "apiserver/request.h"
#include "apiserver/store.h"

struct job {
    struct request *req;
    struct api *api;
    int attempts;  /* for job_again */
    bool in_doubt; /* for job_fail: an answer was lost, and what was asked for may be done */

    /* private */
    struct k8s_call *call;
    void (*on_reply)(struct job *job, const struct k8s_reply *reply);
    struct loop_timer timer;
    struct store_wait wait;
    void (*on_wake)(struct job *job);
    void (*on_end)(struct job *job);
};

/* Zeroed but for the job.  `on_end` frees what the other members own; may be NULL. */
void *job_new(struct request *req, size_t size, void (*on_end)(struct job *job));

void job_call(struct job *job, const struct k8s_request *request,
              void (*on_reply)(struct job *job, const struct k8s_reply *reply));
/* GETs an object, consistently. */
void job_get(struct job *job, const struct k8s_resource *resource, const char *ns, const char *name,
             void (*on_reply)(struct job *job, const struct k8s_reply *reply));

/* One more attempt, unless that would be too many: false. */
bool job_again(struct job *job);

/* Calls on_wake when the object changes, once, and when `ms` after the first call are over:
 * job_timed_out is true then.  Not while a call is under way: whoever made it looks again at its
 * reply. */
void job_wait_workflow(struct job *job, const char *ns, const char *name, int64_t ms,
                       void (*on_wake)(struct job *));
void job_wait_instance(struct job *job, const char *ns, const char *name, int64_t ms,
                       void (*on_wake)(struct job *));
bool job_timed_out(const struct job *job);

/* Answers with a failed call; `what` says what was to be done.  In doubt that is 504, and nothing
 * that asks the client to send it again. */
void job_fail(struct job *job, const struct k8s_reply *reply, const char *what);
/* Answers that a write whose answer was lost may have been done before somebody did this. */
void job_lose_sight(struct job *job, const char *what_was_done);

#endif
