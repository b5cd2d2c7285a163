/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/store.h"

#include "apiserver/shelf.h"
#include "base/text.h"
#include "model/styxjson.h"
#include "model/validate.h"

#include <string.h>

enum { BY_PAIR, BY_COMPONENT }; /* indexes of workflows */

/* The value of a workflow's object, and how it is shown: printed when first asked for, since
 * printing costs more than everything else that a read does. */
struct held_workflow {
    struct workflow *wf;
    char *texts[STORE_N_FORMS];
    size_t lens[STORE_N_FORMS];
    struct cursor shown; /* in STORE_WITH_STATE: that of a suspended workflow moves with time */
};

/* The value of an instance's object. */
struct held {
    struct instance *inst;
    struct list active; /* in the store's, if it is unfinished */
    char *state, *pair; /* how its run is shown, once asked for, and as an instance of what */
    size_t state_len;
};

struct store {
    struct loop *loop;
    const struct places *places;
    struct k8s_informer *workflows, *instances;
    struct shelves shelves; /* instances that have events; see shelf_key */
    struct list active;
    size_t n_active;
    struct list waiting, changed;
    struct loop_task tell;
};

const struct k8s_resource workflow_resource = {"kharon.dev", "v1alpha1", "workflows", "Workflow"};
const struct k8s_resource instance_resource = {"kharon.dev", "v1alpha1", "workflowinstances",
                                               "WorkflowInstance"};

static void *decode_workflow(const json_t *object)
{
    struct held_workflow *held = NEW(struct held_workflow);

    held->wf = workflow_decode(object);
    return held;
}

static void free_workflow(void *value)
{
    struct held_workflow *held = value;

    workflow_free(held->wf);
    for (int i = 0; i < STORE_N_FORMS; i++)
        free(held->texts[i]);
    free(held);
}

static const struct workflow *workflow_of(const struct k8s_object *object)
{
    const struct held_workflow *held = object->value;

    return held->wf;
}

/* A component has no '#', a workflow may. */
static char *pair_key(const char *component, const char *id)
{
    return text_join(component, '#', id);
}

static char *key_pair(const struct k8s_object *object)
{
    const struct workflow *wf = workflow_of(object);

    return pair_key(workflow_component(wf), workflow_id(wf));
}

static char *key_component(const struct k8s_object *object)
{
    return xstrdup(workflow_component(workflow_of(object)));
}

static const struct k8s_kind workflow_kind = {
    .resource = &workflow_resource,
    .decode = decode_workflow,
    .free = free_workflow,
    .index_key = {[BY_PAIR] = key_pair, [BY_COMPONENT] = key_component},
};

static void *decode_instance(const json_t *object)
{
    struct held *held = NEW(struct held);

    held->inst = instance_decode(object);
    return held;
}

static void free_instance(void *value)
{
    struct held *held = value;

    instance_free(held->inst);
    free(held->state);
    free(held->pair);
    free(held);
}

static const struct instance *instance_of(const struct k8s_object *object)
{
    const struct held *held = object->value;

    return held->inst;
}

static char *object_key(const char *ns, const char *name)
{
    return text_join(ns, '/', name);
}

static char *pair_shelf(const char *ns, const char *component, const char *id)
{
    return xasprintf("%s/%s#%s", ns, component, id);
}

/* The shelf on which an instance stands: that of its pair; as long as no pair is recorded, that of
 * the workflow's object, whose name has no '#'.  NULL: on none, nothing has happened to it. */
static char *shelf_key(const struct instance *inst)
{
    if (!inst->workflow || !inst->parameter || inst->run.counter < 0)
        return NULL;
    if (inst->run.component_id && inst->run.workflow_id)
        return pair_shelf(inst->id.ns, inst->run.component_id, inst->run.workflow_id);
    return object_key(inst->id.ns, inst->workflow);
}

static const struct k8s_kind instance_kind = {
    .resource = &instance_resource,
    .decode = decode_instance,
    .free = free_instance,
};

/* Not told inside the change: who is told may answer, and answers end requests. */
static void tell_changed(void *arg)
{
    struct store *store = arg;
    struct list *link;

    while ((link = list_pop_front(&store->changed))) {
        struct store_wait *wait = list_entry(link, struct store_wait, link);

        free(TAKE(wait->key));
        wait->on_change(wait->arg);
    }
}

static void changed(struct store *store, char kind, const char *key)
{
    struct store_wait *wait;

    list_foreach (wait, &store->waiting, link) {
        if (wait->key[0] != kind || strcmp(wait->key + 2, key) != 0)
            continue;
        list_remove(&wait->link);
        list_push_back(&store->changed, &wait->link);
        loop_task_queue(store->loop, &store->tell);
    }
}

static void on_workflow_change(const struct k8s_object *old, const struct k8s_object *new,
                               void *arg)
{
    changed(arg, 'w', new ? new->key : old->key);
}

static void set_active(struct store *store, struct held *held, bool active)
{
    if (list_linked(&held->active)) {
        list_remove(&held->active);
        store->n_active--;
    }
    if (active) {
        list_push_back(&store->active, &held->active);
        store->n_active++;
    }
}

static bool same_place(const struct instance *a, const char *a_key, const struct instance *b,
                       const char *b_key)
{
    return a_key && b_key && strcmp(a_key, b_key) == 0 && strcmp(a->parameter, b->parameter) == 0;
}

static void move_on_shelves(struct store *store, const struct instance *old,
                            const struct instance *new)
{
    CLEANUP(free) char *from = old ? shelf_key(old) : NULL;
    CLEANUP(free) char *to = new ? shelf_key(new) : NULL;

    if (from && !same_place(old, from, new, to))
        shelves_take(&store->shelves, from, old);
    if (to)
        shelves_put(&store->shelves, to, new);
}

static void on_instance_change(const struct k8s_object *old, const struct k8s_object *new,
                               void *arg)
{
    struct store *store = arg;

    if (old)
        set_active(store, old->value, false);
    if (new)
        set_active(store, new->value, instance_active(instance_of(new)));
    move_on_shelves(store, old ? instance_of(old) : NULL, new ? instance_of(new) : NULL);
    changed(store, 'i', new ? new->key : old->key);
}

struct store *store_new(struct loop *loop, struct k8s *k8s, struct rng *rng,
                        const struct places *places)
{
    struct store *store = NEW(struct store);
    const char **namespaces = xcalloc(places->watched.n + 1, sizeof(namespaces[0]));

    store->loop = loop;
    store->places = places;
    shelves_init(&store->shelves);
    list_init(&store->active);
    list_init(&store->waiting);
    list_init(&store->changed);
    store->tell = (struct loop_task) {.on_turn = tell_changed, .arg = store};
    for (size_t i = 0; i < places->watched.n; i++)
        namespaces[i] = places->watched.items[i];
    store->workflows =
        k8s_informer_new(loop, k8s, rng, &workflow_kind, namespaces,
                         &(struct k8s_informer_handler) {.on_change = on_workflow_change}, store);
    store->instances =
        k8s_informer_new(loop, k8s, rng, &instance_kind, namespaces,
                         &(struct k8s_informer_handler) {.on_change = on_instance_change}, store);
    free(namespaces);
    return store;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    k8s_informer_free(store->workflows);
    k8s_informer_free(store->instances);
    shelves_done(&store->shelves);
    loop_task_cancel(&store->tell);
    free(store);
}

void store_start(struct store *store)
{
    k8s_informer_start(store->workflows);
    k8s_informer_start(store->instances);
}

bool store_synced(const struct store *store)
{
    return k8s_informer_synced(store->workflows) && k8s_informer_synced(store->instances);
}

struct k8s_informer_stats store_workflow_stats(const struct store *store)
{
    return k8s_informer_stats(store->workflows);
}

struct k8s_informer_stats store_instance_stats(const struct store *store)
{
    return k8s_informer_stats(store->instances);
}

const char *store_place(const struct store *store, const char *component)
{
    return place_of(store->places, component);
}

static bool older(const struct workflow *a, const struct workflow *b)
{
    if (a->id.created != b->id.created)
        return a->id.created < b->id.created;
    return strcmp(a->id.uid, b->id.uid) < 0;
}

const struct workflow *store_workflow(const struct store *store, const char *component,
                                      const char *id)
{
    CLEANUP(free) char *key = pair_key(component, id);
    const char *place = store_place(store, component);
    const struct workflow *found = NULL;

    for (const struct k8s_object *o = k8s_informer_first(store->workflows, BY_PAIR, key); o;
         o = k8s_informer_next(o, BY_PAIR)) {
        const struct workflow *wf = workflow_of(o);

        if (!wf->id.deleting && strcmp(wf->id.ns, place) == 0 && (!found || older(wf, found)))
            found = wf;
    }
    return found;
}

const struct workflow *store_workflow_by_name(const struct store *store, const char *ns,
                                              const char *name)
{
    const struct k8s_object *o = k8s_informer_get(store->workflows, ns, name);

    return o ? workflow_of(o) : NULL;
}

static bool has_instances(const struct store *store, const char *ns, const char *workflow)
{
    CLEANUP(free) char *key = object_key(ns, workflow);

    return shelves_get(&store->shelves, key);
}

char *store_workflow_name(const struct store *store, const char *component, const char *id)
{
    const struct workflow *wf = store_workflow(store, component, id);
    const char *place = store_place(store, component);

    if (wf)
        return xstrdup(wf->id.name);
    /* By hand, with both ids left to their defaults. */
    if (strcmp(place, component) == 0 && has_instances(store, place, id))
        return xstrdup(id);
    return workflow_object_name(component, id);
}

static bool is_meant(const struct store *store, const struct workflow *wf)
{
    return store_workflow(store, workflow_component(wf), workflow_id(wf)) == wf;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct workflow *x = *(const struct workflow *const *) a,
                          *y = *(const struct workflow *const *) b;
    int order = strcmp(workflow_component(x), workflow_component(y));

    return order ? order : strcmp(workflow_id(x), workflow_id(y));
}

size_t store_workflows(const struct store *store, const char *component,
                       const struct workflow ***ret)
{
    const struct workflow **list =
        xcalloc(k8s_informer_count(store->workflows) + 1, sizeof(list[0]));
    struct k8s_object *o;
    size_t n = 0;

    if (component) {
        for (o = k8s_informer_first(store->workflows, BY_COMPONENT, component); o;
             o = k8s_informer_next(o, BY_COMPONENT))
            if (is_meant(store, workflow_of(o)))
                list[n++] = workflow_of(o);
    } else {
        k8s_informer_foreach (o, store->workflows)
            if (is_meant(store, workflow_of(o)))
                list[n++] = workflow_of(o);
    }
    qsort(list, n, sizeof(list[0]), compare_pairs);
    *ret = list;
    return n;
}

static bool same_cursor(const struct cursor *a, const struct cursor *b)
{
    return a->epoch == b->epoch && a->next == b->next && a->next_offset == b->next_offset;
}

static void print_workflow(struct held_workflow *held, enum store_form form, instant now)
{
    CLEANUP(json_decref) json_t *json = form == STORE_WITH_STATE
                                            ? styx_workflow_with_state(held->wf, now)
                                            : styx_workflow(held->wf);

    free(held->texts[form]);
    held->texts[form] = json_print(json);
    held->lens[form] = strlen(held->texts[form]);
}

const char *store_workflow_text(const struct store *store, const struct workflow *wf,
                                enum store_form form, size_t *ret_len)
{
    struct held_workflow *held = k8s_informer_get(store->workflows, wf->id.ns, wf->id.name)->value;
    instant now = loop_now(store->loop, LOOP_OF_DAY);
    struct cursor cursor =
        form == STORE_WITH_STATE ? workflow_cursor(held->wf, now) : (struct cursor) {0};

    if (!held->texts[form] || (form == STORE_WITH_STATE && !same_cursor(&cursor, &held->shown))) {
        print_workflow(held, form, now);
        if (form == STORE_WITH_STATE)
            held->shown = cursor;
    }
    *ret_len = held->lens[form];
    return held->texts[form];
}

const struct instance *store_instance(const struct store *store, const char *ns, const char *name)
{
    const struct k8s_object *o = k8s_informer_get(store->instances, ns, name);

    return o ? instance_of(o) : NULL;
}

/* Reading the shelves that have instances of a pair, in one order. */
struct reader {
    char *workflow; /* the name of its object */
    const struct shelf *shelves[2];
    size_t at[2];
};

/* An object of that name that is another pair's has other instances. */
static bool name_is_of(const struct store *store, const char *name, const char *component,
                       const char *id)
{
    const struct workflow *wf = store_workflow_by_name(store, store_place(store, component), name);

    return !wf ||
           (strcmp(workflow_component(wf), component) == 0 && strcmp(workflow_id(wf), id) == 0);
}

static void reader_open(struct reader *r, struct store *store, const char *component,
                        const char *id, const char *from)
{
    const char *place = store_place(store, component);
    CLEANUP(free) char *pair = pair_shelf(place, component, id);

    r->workflow = store_workflow_name(store, component, id);
    CLEANUP(free) char *object = object_key(place, r->workflow);
    r->shelves[0] = shelves_get(&store->shelves, pair);
    r->shelves[1] =
        name_is_of(store, r->workflow, component, id) ? shelves_get(&store->shelves, object) : NULL;
    for (int i = 0; i < 2; i++)
        r->at[i] = r->shelves[i] && from ? shelf_find(&store->shelves, r->shelves[i], from) : 0;
}

static const struct instance *peek(const struct reader *r, int i)
{
    const struct shelf *shelf = r->shelves[i];

    return shelf && r->at[i] < shelf->n ? shelf->items[r->at[i]] : NULL;
}

static const char *next_parameter(const struct reader *r)
{
    const struct instance *a = peek(r, 0), *b = peek(r, 1);

    if (a && b)
        return strcmp(a->parameter, b->parameter) <= 0 ? a->parameter : b->parameter;
    return a ? a->parameter : b ? b->parameter : NULL;
}

/* Of several objects with one parameter, which a workflow that was made again under another name
 * leaves: the one of the workflow as it is now, else the last one that ran. */
static const struct instance *preferred(const struct reader *r, const struct instance *a,
                                        const struct instance *b)
{
    if (!a || strcmp(b->workflow, r->workflow) == 0)
        return b;
    return strcmp(a->workflow, r->workflow) == 0 || a->run.since >= b->run.since ? a : b;
}

/* NULL: no more, or none before `to` (NULL: no bound). */
static const struct instance *reader_next(struct reader *r, const char *to)
{
    const char *parameter = next_parameter(r);
    const struct instance *found = NULL, *inst;

    if (!parameter || (to && strcmp(parameter, to) >= 0))
        return NULL;
    for (int i = 0; i < 2; i++)
        for (; (inst = peek(r, i)) && strcmp(inst->parameter, parameter) == 0; r->at[i]++)
            found = preferred(r, found, inst);
    return found;
}

static void reader_close(struct reader *r)
{
    free(r->workflow);
}

const struct instance *store_instance_of_pair(struct store *store, const char *component,
                                              const char *id, const char *parameter)
{
    struct reader reader;

    reader_open(&reader, store, component, id, parameter);
    const struct instance *inst = reader_next(&reader, NULL);
    reader_close(&reader);
    return inst && strcmp(inst->parameter, parameter) == 0 ? inst : NULL;
}

size_t store_instances_of(struct store *store, const char *component, const char *id,
                          const struct store_range *range, const struct instance ***ret)
{
    const struct instance **list = NULL, *inst;
    size_t n = 0, cap = 0;
    struct reader reader;

    reader_open(&reader, store, component, id, range->from);
    while ((range->limit == 0 || n < range->limit) && (inst = reader_next(&reader, range->to))) {
        if (n == cap) {
            cap = cap ? 2 * cap : 64;
            list = xrealloc(list, cap, sizeof(list[0]));
        }
        list[n++] = inst;
    }
    reader_close(&reader);
    *ret = list;
    return n;
}

size_t store_instances_active(const struct store *store, const struct instance ***ret)
{
    const struct instance **list = xcalloc(store->n_active + 1, sizeof(list[0]));
    struct held *held;
    size_t n = 0;

    list_foreach (held, &store->active, active)
        if (held->inst->workflow && held->inst->parameter)
            list[n++] = held->inst;
    *ret = list;
    return n;
}

size_t store_count_active(const struct store *store)
{
    return store->n_active;
}

size_t store_count_instances(const struct store *store)
{
    return k8s_informer_count(store->instances);
}

size_t store_count_workflows(const struct store *store)
{
    return k8s_informer_count(store->workflows);
}

void store_pair_of(const struct store *store, const struct instance *inst,
                   const char **ret_component, const char **ret_id)
{
    const struct workflow *wf = store_workflow_by_name(store, inst->id.ns, inst->workflow);

    if (inst->run.component_id && inst->run.workflow_id) {
        *ret_component = inst->run.component_id;
        *ret_id = inst->run.workflow_id;
        return;
    }
    *ret_component = wf ? workflow_component(wf) : inst->id.ns;
    *ret_id = wf ? workflow_id(wf) : inst->workflow;
}

static bool is_pair(const char *pair, const char *component, const char *id)
{
    size_t len = strlen(component);

    return strncmp(pair, component, len) == 0 && pair[len] == '#' &&
           strcmp(pair + len + 1, id) == 0;
}

/* Whose instance it is may change: its workflow comes and goes. */
const char *store_state_text(const struct store *store, const struct instance *inst,
                             const char *component, const char *id, size_t *ret_len)
{
    struct held *held = k8s_informer_get(store->instances, inst->id.ns, inst->id.name)->value;

    if (!held->pair || !is_pair(held->pair, component, id)) {
        CLEANUP(json_decref) json_t *json =
            styx_run_state(&(struct styx_instance) {component, id, inst->parameter}, inst);

        free(held->pair);
        free(held->state);
        held->pair = pair_key(component, id);
        held->state = json_print(json);
        held->state_len = strlen(held->state);
    }
    *ret_len = held->state_len;
    return held->state;
}

void store_observe_workflow(struct store *store, const json_t *object)
{
    k8s_informer_observe(store->workflows, object);
}

void store_observe_instance(struct store *store, const json_t *object)
{
    k8s_informer_observe(store->instances, object);
}

void store_workflow_gone(struct store *store, const char *ns, const char *name, const char *uid)
{
    k8s_informer_observe_gone(store->workflows, ns, name, uid);
}

void store_instance_gone(struct store *store, const char *ns, const char *name, const char *uid)
{
    k8s_informer_observe_gone(store->instances, ns, name, uid);
}

static void wait_for(struct store *store, struct store_wait *wait, char *key,
                     void (*on_change)(void *), void *arg)
{
    store_wait_end(wait);
    *wait = (struct store_wait) {.key = key, .on_change = on_change, .arg = arg};
    list_push_back(&store->waiting, &wait->link);
}

void store_wait_workflow(struct store *store, struct store_wait *wait, const char *ns,
                         const char *name, void (*on_change)(void *), void *arg)
{
    wait_for(store, wait, xasprintf("w/%s/%s", ns, name), on_change, arg);
}

void store_wait_instance(struct store *store, struct store_wait *wait, const char *ns,
                         const char *name, void (*on_change)(void *), void *arg)
{
    wait_for(store, wait, xasprintf("i/%s/%s", ns, name), on_change, arg);
}

void store_wait_end(struct store_wait *wait)
{
    list_remove(&wait->link);
    free(TAKE(wait->key));
}
