/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kubernetes in memory, behind the same seam as the real one, on a virtual loop.
 *
 *     struct loop *loop = loop_new_virtual(start);
 *     struct fake *fake = fake_new(loop, seed);
 *     struct k8s *k8s = fake_client(fake, "operator");         any number; k8s_free each
 *
 *     fake_create(fake, &pods, "{\"metadata\":{...}}");         what a person does with kubectl
 *     fake_fail_next(fake, FAKE_LOSE_REPLY, 1, K8S_CREATE, "pods");
 *     fake_run(fake, 5000);
 *     CHECK_STR(json_text_at(fake_get(fake, &pods, "a", "x"), "status.phase"), "Running");
 *
 * What it does as the real API server does (its answers' texts included): resourceVersion, uid,
 * creationTimestamp, generation, the status subresource, merge patch and its preconditions, delete
 * with preconditions, grace and finalizers, garbage collection by owner references, label and field
 * selectors, lists in pages of one version, watches from a version with bookmarks and 410; schemas
 * of Kharon's kinds, with defaults and rules; field ownership and server-side apply of these;
 * quotas of pods, service accounts, priority classes, namespaces once there is one.
 * What it does not: who may do what (RBAC, admission policies), the schemas of built-in kinds,
 * ownership of status.  tests/facts asks it and a real API server the same questions.
 *
 * Every request travels for some random milliseconds, is carried out, and its answer travels back.
 * Faults are injected on the way.  Everything random comes from the seed, so a run repeats.
 *
 * Objects are immutable trees: one that was borrowed stays as it was while a reference is held.
 */
#ifndef KHARON_SIM_FAKE_H
#define KHARON_SIM_FAKE_H

#include "base/loop.h"
#include "base/rng.h"
#include "k8s/client.h"

struct fake;

struct fake *fake_new(struct loop *loop, uint64_t seed);
void fake_free(struct fake *fake); /* after all clients */

/* A connection.  `user` is only for people who read logs; it is copied. */
struct k8s *fake_client(struct fake *fake, const char *user);

/* Pods, Leases, ConfigMaps, Events, Nodes, Namespaces and some more are known; other kinds are made
 * known here, or by a CustomResourceDefinition.  `resource` is not copied.  Kharon's own kinds get
 * their schemas from manifests/crds.yaml. */
void fake_add_kind(struct fake *fake, const struct k8s_resource *resource, bool has_status);

/* Lets virtual time pass: all that happens within ms. */
void fake_run(struct fake *fake, int64_t ms);
/* Until the condition holds or ms are over; returns whether it holds. */
bool fake_run_until(struct fake *fake, int64_t ms, bool (*condition)(void *arg), void *arg);

/* What somebody else does, at once.  Texts are JSON; objects are borrowed.  A refused create, patch
 * or apply ends the test. */
const json_t *fake_create(struct fake *fake, const struct k8s_resource *resource, const char *text);
/* One that was stored when its definition was not as strict as it is now: nothing is judged. */
const json_t *fake_create_unjudged(struct fake *fake, const struct k8s_resource *resource,
                                   const char *text);
/* As kubectl apply --server-side --field-manager=manager; refused ones end the test. */
const json_t *fake_apply(struct fake *fake, const struct k8s_resource *resource,
                         const char *manager, const char *text);
const json_t *fake_get(struct fake *fake, const struct k8s_resource *resource, const char *ns,
                       const char *name);
const json_t *fake_patch(struct fake *fake, const struct k8s_resource *resource, const char *ns,
                         const char *name, const char *text);
const json_t *fake_patch_status(struct fake *fake, const struct k8s_resource *resource,
                                const char *ns, const char *name, const char *text);
/* As kubectl delete; false if there was none. */
bool fake_delete(struct fake *fake, const struct k8s_resource *resource, const char *ns,
                 const char *name);
/* kubectl delete --force --grace-period=0 */
bool fake_delete_now(struct fake *fake, const struct k8s_resource *resource, const char *ns,
                     const char *name);
/* kubectl delete --cascade=foreground or orphan: policy "Foreground" or "Orphan". */
bool fake_delete_cascading(struct fake *fake, const struct k8s_resource *resource, const char *ns,
                           const char *name, const char *policy);
size_t fake_count_objects(struct fake *fake, const struct k8s_resource *resource);
void fake_foreach(struct fake *fake, const struct k8s_resource *resource,
                  void (*each)(const json_t *object, void *arg), void *arg);

/* Told at once about every change, before anybody else; either object may be NULL.  For kubelets
 * and for invariants.  `old` and `new` are borrowed. */
struct fake_watcher {
    struct list link;
    void (*on_change)(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg);
    /* A client's request was answered so (a watch: not told), or was a late one that nobody waits
     * for: status 0 then.  May be NULL. */
    void (*on_request)(const char *user, const struct k8s_request *request, int status, void *arg);
    /* It leaves the client now: its fence was open.  May be NULL. */
    void (*on_departure)(const char *user, const struct k8s_request *request, void *arg);
    /* etcd was restored; what that changed was told before.  May be NULL. */
    void (*on_restore)(void *arg);
    void *arg;
};
void fake_watcher_add(struct fake *fake, struct fake_watcher *watcher);
void fake_watcher_remove(struct fake_watcher *watcher);

/* Requests of clients that were carried out, by verb and plural ("pods", "leases",
 * "workflows/status"). */
uint64_t fake_count_requests(const struct fake *fake, enum k8s_verb verb, const char *plural);

/* How long a request travels, each way. */
void fake_set_latency(struct fake *fake, int64_t min_ms, int64_t max_ms);
/* How long what happens to objects of a kind takes to reach watches, besides: up to minutes.  So
 * kinds are not ordered against each other.  Reads do not lag. */
void fake_set_lag(struct fake *fake, const struct k8s_resource *resource, int64_t min_ms,
                  int64_t max_ms);
/* How far the API server's clock is off. */
void fake_set_skew(struct fake *fake, int64_t ms);

enum fake_fault {
    FAKE_LOSE_REQUEST, /* never arrives; the client's time-out ends the call */
    FAKE_LOSE_REPLY,   /* carried out; the client's time-out ends the call */
    FAKE_HANG_UP,      /* carried out; the connection is closed instead of an answer */
    FAKE_LATE,        /* 504 to the client, or silence; carried out up to 30 s later (etcd stalled).
                        * Some of the creates wait for a read that says 404, and come then */
    FAKE_TIMEOUT,     /* 504, not carried out */
    FAKE_REFUSE,      /* 503 */
    FAKE_THROTTLE,    /* 429 with Retry-After: 1 */
    FAKE_CONFLICT,    /* 409 Conflict */
    FAKE_EXPIRE,      /* 410 */
    FAKE_FORBID,      /* 403 exceeded quota */
    FAKE_NEW_QUOTA,   /* 403 of a quota that was just made: nobody has counted yet */
    FAKE_NO_RIGHT,    /* 403 of the authorizer: as just after the start, before it knows any role */
    FAKE_NO_ACCOUNT,  /* 403 error looking up service account */
    FAKE_NO_PRIORITY, /* 403 no PriorityClass */
    FAKE_NO_ROUTE,    /* 404 page not found: the kind is not served; no proof of absence */
    FAKE_NO_LEADER,   /* 500 etcdserver: leader changed; carried out or not */
    FAKE_DUPLICATE,   /* of a watch's event: it comes twice.  By rate only */
    FAKE_N_FAULTS,
};
/* The next n calls of this verb (-1: any) on this plural (NULL: any) fail so.  `plural` is not
 * copied. */
void fake_fail_next(struct fake *fake, enum fake_fault fault, int n, int verb, const char *plural);
/* None of them fails any more. */
void fake_fail_no_more(struct fake *fake);
/* A create of it was sent and has not taken effect. */
bool fake_is_coming(const struct fake *fake, const struct k8s_resource *resource, const char *name);
/* Calls fail so at random, where the fault makes sense: conflicts hit updates, 410 hits watches. */
void fake_set_rate(struct fake *fake, enum fake_fault fault, int per_mille);
/* Asked about every request before it departs: which fault (enum fake_fault) it meets, or -1.  It
 * may freeze the client: then the request departs when that goes on, and it is asked again. */
typedef int fake_judge(const char *user, const struct k8s_request *request, void *arg);
void fake_set_judge(struct fake *fake, fake_judge *judge, void *arg);
/* All open watches end: cleanly, or as a lost connection. */
void fake_end_watches(struct fake *fake, bool cleanly);
/* All open watches fall silent: no event, no bookmark, no end, until the client gives them up. */
void fake_silence_watches(struct fake *fake);
/* etcd is compacted: no watch and no continued list can go on from an older version. */
void fake_expire_history(struct fake *fake);
/* etcd stands still: reads and writes of clients time out; of the writes, some are carried out when
 * it goes on.  What others do is not held up. */
void fake_stall(struct fake *fake, int64_t ms);
/* The API server is not there: connections are refused.  Watches that are open deliver for a minute
 * more.  When it is back it first says that it is starting, and knows nothing older than its start:
 * watches from before get 410.  Lists that are read in pages go on. */
void fake_stop_server(struct fake *fake, int64_t ms);
/* etcd is restored: objects and versions are again as they were at the last backup; without one,
 * objects stay as they are and versions start again, lower.  Writes that are late are gone with the
 * old one.  Watches break; those that go on from a version of before the restore hear nothing. */
void fake_backup(struct fake *fake);
void fake_restore(struct fake *fake);
/* Versions are not consecutive, and after some dozen restores none was used before: on a real etcd,
 * where a version counts everything there is, hardly one is given to the same object twice. */
void fake_part_versions(struct fake *fake);
/* This client's process stands still: nothing that it asked for is sent, and no answer or event
 * reaches it, until it goes on. */
void fake_freeze(struct k8s *client, bool frozen);
/* This client's network is gone, or back.  Watches notice after 30 s. */
void fake_partition(struct k8s *client, bool gone);

#endif
