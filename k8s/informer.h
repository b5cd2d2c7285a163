/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An informer: a local copy of all objects of a kind in some namespaces, kept up to date.
 *
 *     each namespace:  LISTING ──last page──► WATCHING ──ended──► WATCHING from where it was
 *                         ▲                      │
 *                         └──────── 410 ─────────┘
 *
 * It lists in pages, watches from there with bookmarks, resumes where a stream ended, and lists
 * again when its version has expired.  Objects are decoded once into the caller's struct; JSON is
 * not kept.  A list goes on with the page that failed, since all its pages show one version.  A
 * single 410 is answered by a list at once (an API server that has started knows nothing of
 * before, so every one of its watches gets it); only one after the other they back off.  Changes
 * are told to one handler, as "this object changed": an event never says what to do.  An object
 * that came back under its name with another UID is told as a removal and an addition.
 *
 * A namespace that may not be listed, or watched, for a minute, while others are, is left out, and
 * counts as listed: it was deleted, as a rule, and the others need not wait for it, nor when all
 * are listed again.  What was known of it stays, and when it may be listed again its objects turn
 * up without on_synced, and on_joined tells that all did.
 *
 * The copy lags.  What is absent here is not proven absent (design, section 4); what the program
 * itself wrote is put in at once with k8s_informer_observe, and older news about it is ignored.
 * A reply that arrives after the watch has told of the object's deletion does not revive it.
 *
 * When a list, or a live answer, is older than what was known before it was asked for (etcd was
 * restored from a backup), everything is listed once more and believed.  So it is when the answer
 * is about something that the watch should have told of: what has left lately is remembered, so
 * that an answer which is overtaken by a deletion is no reason.  A watch from a version that does
 * not exist yet is silent for ever, so one that ends without having said anything, not even a
 * bookmark, is followed by a list.  And if the versions of before are soon reached again, a watch
 * has missed what they stand for now: k8s_informer_refused finds out.
 *
 * Objects are owned by the informer and borrowed until control returns to the loop, except that an
 * object given to on_change as `old` is freed when on_change returns.  An object keeps its address
 * from its addition to its removal.  on_change must not call observe or free of its own informer.
 */
#ifndef KHARON_K8S_INFORMER_H
#define KHARON_K8S_INFORMER_H

#include "base/loop.h"
#include "base/map.h"
#include "base/rng.h"
#include "k8s/client.h"

#define K8S_MAX_INDEXES 4

struct k8s_object {
    struct k8s_meta meta;
    void *value; /* the caller's decoded struct */
    char *key;   /* "namespace/name" */
    struct map_node by_key;
    struct {
        struct map_node node;
        char *key; /* NULL: not in this index */
    } indexes[K8S_MAX_INDEXES];
    int64_t known_since; /* LOOP_MONOTONIC; that it has this version */
    uint64_t list;       /* internal: the last list that had it */
};

struct k8s_kind {
    const struct k8s_resource *resource;
    const char *label_selector; /* NULL: all */
    /* The struct for an object.  Never fails: what cannot be understood is said in the struct. */
    void *(*decode)(const json_t *object);
    void (*free)(void *value);
    /* Keys under which k8s_informer_first finds objects; they are free()d; NULL: not indexed. */
    char *(*index_key[K8S_MAX_INDEXES])(const struct k8s_object *object);
};

struct k8s_informer_handler {
    /* One of old and new may be NULL.  During the first list too. */
    void (*on_change)(const struct k8s_object *old, const struct k8s_object *new, void *arg);
    /* All namespaces have been listed: once, and once after each k8s_informer_resync. */
    void (*on_synced)(void *arg);
    /* A list shows that etcd was restored: other kinds are of another time, too.  May be NULL. */
    void (*on_back)(void *arg);
    /* A namespace that was left out has been listed after all.  May be NULL. */
    void (*on_joined)(void *arg);
};

struct k8s_informer;

/* namespaces: NULL-terminated; empty means all.  Starts with k8s_informer_start. */
struct k8s_informer *k8s_informer_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                                      const struct k8s_kind *kind, const char *const *namespaces,
                                      const struct k8s_informer_handler *handler, void *arg);
void k8s_informer_free(struct k8s_informer *informer);
void k8s_informer_start(struct k8s_informer *informer);
/* Everything has been listed since the start or the last resync. */
bool k8s_informer_synced(const struct k8s_informer *informer);
/* The namespace was not left out: what is absent here was so when it was listed. */
bool k8s_informer_knows(const struct k8s_informer *informer, const char *ns);
/* Lists everything again, consistently, with lists begun after this call; on_synced runs when that
 * is done. */
void k8s_informer_resync(struct k8s_informer *informer);

struct k8s_object *k8s_informer_get(const struct k8s_informer *informer, const char *ns,
                                    const char *name);
struct k8s_object *k8s_informer_get_key(const struct k8s_informer *informer, const char *key);
struct k8s_object *k8s_informer_first(const struct k8s_informer *informer, int index,
                                      const char *key);
struct k8s_object *k8s_informer_next(const struct k8s_object *object, int index);
size_t k8s_informer_count(const struct k8s_informer *informer);
size_t k8s_informer_count_indexed(const struct k8s_informer *informer, int index);
/* All objects, in the order in which they were first seen. */
#define k8s_informer_foreach(object, informer)                                                     \
    map_foreach (object, k8s_informer_map(informer), by_key)
const struct map *k8s_informer_map(const struct k8s_informer *informer);

/* Everything of this namespace up to here has been told; 0: it has not been listed yet.
 * UINT64_MAX: it is not watched. */
uint64_t k8s_informer_reached(const struct k8s_informer *informer, const char *ns);
/* The version of the newest event of this namespace, a deletion's as well, or of the last list if
 * that is newer; 0: there was none.  Another copy reaches it without waiting for a bookmark, unless
 * it has not listed since. */
uint64_t k8s_informer_told(const struct k8s_informer *informer, const char *ns);

/* Puts in what a write of ours returned, or a live GET; ignored if something newer is known.  If it
 * shows that the copy is wrong, that is listed again, at most every 30 s. */
void k8s_informer_observe(struct k8s_informer *informer, const json_t *object);
/* A write of the version that the copy has was refused as a conflict.  As a rule the watch tells
 * why in a moment; what the copy has had for long is read again. */
void k8s_informer_refused(struct k8s_informer *informer, const char *key);
/* A live GET proved that this UID is gone. */
void k8s_informer_observe_gone(struct k8s_informer *informer, const char *ns, const char *name,
                               const char *uid);

/* How the copy does: for metrics and readiness. */
struct k8s_informer_stats {
    int64_t last_contact_ms; /* LOOP_MONOTONIC; any answer, event or bookmark */
    uint64_t events, lists, watch_ends, decode_errors;
    uint64_t newest_version; /* seen anywhere */
    /* Everything up to here has been seen in every namespace; lags by up to a bookmark (60 s) where
     * nothing happens. */
    uint64_t reached_version;
    /* Why a list or watch failed last; ERROR_NONE when all go on again. */
    const struct error *error;
};
struct k8s_informer_stats k8s_informer_stats(const struct k8s_informer *informer);

#endif
