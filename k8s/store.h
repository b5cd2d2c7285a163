/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of an informer and the rules by which news of different age are put together.
 *
 * News come from a list, from a watch, and from replies to what the program itself did.  They
 * arrive out of order between these sources, so every one is judged by its resourceVersion: only
 * what is newer than what is known counts.  An object is changed in place; under a new UID it is
 * another object.
 *
 * Internal to the informer; see informer.h for what its users need to know.
 */
#ifndef KHARON_K8S_STORE_H
#define KHARON_K8S_STORE_H

#include "k8s/informer.h"

#define K8S_STORE_LEFT 256 /* that are remembered when they have left */

struct k8s_store {
    const struct k8s_kind *kind;
    struct loop *loop;
    struct map objects;
    struct map indexes[K8S_MAX_INDEXES];
    struct map gone; /* proven gone, but the watch has not come to it; by UID */
    struct {
        uint64_t uid; /* its hash */
        int64_t at;   /* LOOP_MONOTONIC */
    } left[K8S_STORE_LEFT];
    size_t n_left; /* ever; the oldest ones are written over */
    void (*on_change)(const struct k8s_object *old, const struct k8s_object *new, void *arg);
    void *arg;
};

void k8s_store_init(struct k8s_store *store, struct loop *loop, const struct k8s_kind *kind,
                    void (*on_change)(const struct k8s_object *, const struct k8s_object *, void *),
                    void *arg);
void k8s_store_done(struct k8s_store *store); /* tells nobody */

struct k8s_object *k8s_store_get(const struct k8s_store *store, const char *key);

/* Takes in an object of the version in `meta`, which it takes over.  Returns the object that now
 * has this name and UID, or NULL if the news are ignored as old.  `even_older` takes them anyway:
 * the server itself has gone back in time. */
struct k8s_object *k8s_store_put(struct k8s_store *store, struct k8s_meta *meta, const json_t *json,
                                 bool even_older);

/* The object left, as a watch says; ignored if something newer is known. */
void k8s_store_delete(struct k8s_store *store, const struct k8s_meta *meta);

/* The object with that UID is gone for good: older news that still arrive do not revive it. */
void k8s_store_bury(struct k8s_store *store, const char *key, const char *uid);
/* In one namespace, or NULL: in all. */
void k8s_store_forget_buried(struct k8s_store *store, const char *ns);

void k8s_store_remove(struct k8s_store *store, struct k8s_object *object);

/* Whether it was here and has left within the last `ms`.  Of very many that left, the last ones are
 * known only. */
bool k8s_store_has_left(const struct k8s_store *store, const char *uid, int64_t ms);

#endif
