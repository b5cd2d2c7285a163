/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copies in memory that reads are answered from: workflows and their instances.
 *
 * Which object is meant by (component, workflow): of those in the namespace where the component
 * lives (place.h) that claim the pair and are not being deleted, the oldest (design, section 3).
 * An object that is passed over exists for kubectl only.
 *
 * What was written or read live is put in with store_observe_…, so that the next read of this
 * replica sees it (Styx behaviour, 13.2).  What is absent here may be there all the same: lookup.h
 * asks before anybody is told 404.
 *
 * Everything that is returned is borrowed until control returns to the loop.
 */
#ifndef KHARON_APISERVER_STORE_H
#define KHARON_APISERVER_STORE_H

#include "model/place.h"
#include "k8s/informer.h"
#include "model/instance.h"

/* Names of their own: a simulation has both programs in one process. */
#define workflow_resource api_workflow_resource
#define instance_resource api_instance_resource
extern const struct k8s_resource workflow_resource, instance_resource;

struct store;

/* `places` outlives the store. */
struct store *store_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                        const struct places *places);
void store_free(struct store *store);
void store_start(struct store *store);
bool store_synced(const struct store *store);
struct k8s_informer_stats store_workflow_stats(const struct store *store);
struct k8s_informer_stats store_instance_stats(const struct store *store);

/* The namespace in which this component's workflows are. */
const char *store_place(const struct store *store, const char *component);

/* NULL: not known. */
const struct workflow *store_workflow(const struct store *store, const char *component,
                                      const char *id);
const struct workflow *store_workflow_by_name(const struct store *store, const char *ns,
                                              const char *name);
/* The name of the pair's object, or the one it would have had; the caller frees. */
char *store_workflow_name(const struct store *store, const char *component, const char *id);
/* All that are meant by their pair, in the order of that, which is the same in every replica;
 * component NULL: all.  The array is the caller's to free. */
size_t store_workflows(const struct store *store, const char *component,
                       const struct workflow ***ret);

/* How a workflow of the store is shown (Styx behaviour, 4.1 and 4.4), as JSON. */
enum store_form { STORE_PLAIN, STORE_WITH_STATE, STORE_N_FORMS };
const char *store_workflow_text(const struct store *store, const struct workflow *wf,
                                enum store_form form, size_t *ret_len);

const struct instance *store_instance(const struct store *store, const char *ns, const char *name);
/*
 * History: the instances of a pair to which something has happened, whether or not its workflow
 * still exists.  They are found by the pair that the operator records with a run; before it has, by
 * the name of the workflow's object.
 */
const struct instance *store_instance_of_pair(struct store *store, const char *component,
                                              const char *id, const char *parameter);
/* In the order of their parameters as text, a page of them.  The array is the caller's. */
struct store_range {
    const char *from, *to; /* parameters, `to` exclusive; NULL: no bound */
    size_t limit;          /* 0: none */
};
size_t store_instances_of(struct store *store, const char *component, const char *id,
                          const struct store_range *range, const struct instance ***ret);
/* The unfinished ones.  The array is the caller's. */
size_t store_instances_active(const struct store *store, const struct instance ***ret);
size_t store_count_active(const struct store *store);
size_t store_count_instances(const struct store *store);
size_t store_count_workflows(const struct store *store);

/* The pair of an instance's workflow; of one that is gone before the operator saw it, the namespace
 * and its object's name. */
void store_pair_of(const struct store *store, const struct instance *inst,
                   const char **ret_component, const char **ret_id);

/* How the run of an instance of this pair is shown (Styx behaviour, 4.7), as JSON. */
const char *store_state_text(const struct store *store, const struct instance *inst,
                             const char *component, const char *id, size_t *ret_len);

void store_observe_workflow(struct store *store, const json_t *object);
void store_observe_instance(struct store *store, const json_t *object);
void store_workflow_gone(struct store *store, const char *ns, const char *name, const char *uid);
void store_instance_gone(struct store *store, const char *ns, const char *name, const char *uid);

/*
 * Waiting for a change of one object, once: on_change runs in a later turn of the loop, also when
 * the object went away.  Zeroed is not waiting; store_wait_end may be called at any time.
 */
struct store_wait {
    struct list link;
    char *key; /* "w/namespace/name" or "i/namespace/name" */
    void (*on_change)(void *arg);
    void *arg;
};
void store_wait_workflow(struct store *store, struct store_wait *wait, const char *ns,
                         const char *name, void (*on_change)(void *arg), void *arg);
void store_wait_instance(struct store *store, struct store_wait *wait, const char *ns,
                         const char *name, void (*on_change)(void *arg), void *arg);
void store_wait_end(struct store_wait *wait);

#endif
