/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/observer.h"

#include "base/log.h"
#include "model/partition.h"

#include <inttypes.h>
#include <string.h>

struct tally {
    struct map_node node;
    char *key;
    int n;
};

/* ---- tallies ---- */

static struct tally *tally(struct map *map, const char *key)
{
    struct map_node *node = map_get(map, key);

    if (node)
        return container_of(node, struct tally, node);
    struct tally *t = NEW(struct tally);
    t->key = xstrdup(key);
    map_add(map, &t->node, t->key);
    return t;
}

static void free_tallies(struct map *map)
{
    struct tally *t;

    map_foreach (t, map, node) {
        map_remove(map, &t->node);
        free(t->key);
        free(t);
    }
    map_done(map);
}

__attribute__((format(printf, 2, 3))) static void broken(struct observer *o, const char *format,
                                                         ...)
{
    char when[INSTANT_TEXT_MAX];
    va_list args;

    if (*o->broken)
        return;
    instant_print(loop_now(o->world->loop, LOOP_OF_DAY), when);
    int n = snprintf(o->broken, sizeof(o->broken), "%s: ", when);
    va_start(args, format);
    vsnprintf(o->broken + n, sizeof(o->broken) - (size_t) n, format, args);
    va_end(args);
}

/* ---- containers ---- */

static const char *run_key(const json_t *pod)
{
    const char *key = json_string_value(
        json_object_get(json_at(pod, "metadata.annotations"), "styx-workflow-instance"));

    return key ? key : "";
}

static void on_container(const json_t *pod, bool runs, void *arg)
{
    struct observer *o = arg;
    struct tally *t = tally(&o->running, run_key(pod));

    t->n += runs ? 1 : -1;
    if (t->n > 1)
        broken(o, "%d containers of %s run at once; the last one is of %s", t->n, t->key,
               json_text_at(pod, "metadata.name"));
}

static bool owner_lives(struct observer *o, const json_t *json)
{
    CLEANUP(pod_free) struct pod *pod = pod_decode(json);

    return pod->instance &&
           strcmp(world_text(o->world, &instance_resource, pod->instance, "metadata.uid"),
                  pod->owner_uid) == 0;
}

/* A create that arrives when its instance is gone makes a pod that is gone at once, too. */
static void on_pod(struct observer *o, const json_t *old, const json_t *new)
{
    if (old || !new || !owner_lives(o, new))
        return;
    struct tally *t = tally(&o->pod_names, json_text_at(new, "metadata.name"));
    o->n_pods++;
    if (++t->n > 1)
        broken(o, "pod %s was created again", t->key);
}

/* ---- cursors ---- */

static char *partition_key(const char *trigger_key, const char *parameter)
{
    return xasprintf("%s %s", trigger_key, parameter);
}

static bool was_triggered(const struct observer *o, const struct workflow *wf,
                          const char *parameter)
{
    CLEANUP(free) char *key = xasprintf("%s/%" PRId64, wf->id.uid, wf->status.cursor.epoch);
    CLEANUP(free) char *full = partition_key(key, parameter);

    return map_get(&o->triggered, full) != NULL;
}

static bool was_skipped(const struct workflow *wf, instant partition)
{
    for (size_t i = 0; i < wf->status.n_skipped; i++)
        if (wf->status.skipped[i].from <= partition && partition <= wf->status.skipped[i].to)
            return true;
    return false;
}

static void check_passed(struct observer *o, const struct workflow *wf, instant from, instant to)
{
    struct schedule schedule;
    struct error ignored;
    char text[PARTITION_TEXT_MAX];

    if (!schedule_parse(wf->status.observed_schedule, &schedule, &ignored))
        return;
    for (instant t = from; t < to;) {
        bool skipped = was_skipped(wf, t);

        o->n_skips += skipped;
        if (!skipped && !was_triggered(o, wf, partition_print(&schedule, t, text)))
            broken(o, "%s: partition %s of epoch %" PRId64 " was passed by without a trace",
                   wf->id.name, text, wf->status.cursor.epoch);
        if (!schedule_next(&schedule, t, &t))
            return;
    }
}

static void on_workflow(struct observer *o, const json_t *old, const json_t *new)
{
    if (!old || !new)
        return;
    CLEANUP(workflow_free) struct workflow *before = workflow_decode(old);
    CLEANUP(workflow_free) struct workflow *after = workflow_decode(new);
    const struct cursor *from = &before->status.cursor, *to = &after->status.cursor;

    if (from->epoch == to->epoch && to->next < from->next)
        broken(o, "%s: the cursor went back", after->id.name);
    if (to->epoch < from->epoch)
        broken(o, "%s: the epoch went back", after->id.name);
    if (from->epoch == to->epoch && from->epoch > 0)
        check_passed(o, after, from->next, to->next);
}

/* ---- runs ---- */

static void check_trigger(struct observer *o, const struct instance *old,
                          const struct instance *new)
{
    if (old && old->trigger.seq == new->trigger.seq)
        return;
    if (new->trigger.type != TRIGGER_NATURAL || !new->trigger.key)
        return;
    CLEANUP(free) char *key = partition_key(new->trigger.key, new->parameter);
    o->n_triggers++;
    if (++tally(&o->triggered, key)->n > 1)
        broken(o, "%s was triggered twice by %s", new->id.name, new->trigger.key);
}

static const struct event *find_event(const struct run *run, int64_t counter)
{
    for (size_t i = 0; i < run->n_events; i++)
        if (run->events[i].counter == counter)
            return &run->events[i];
    return NULL;
}

static bool same_event(const struct event *a, const struct event *b)
{
    return a->type == b->type && a->at == b->at && a->has_exit == b->has_exit &&
           a->exit_code == b->exit_code;
}

static void check_events(struct observer *o, const struct instance *old, const struct instance *new)
{
    const struct run *run = &new->run;

    for (size_t i = 0; i < run->n_events; i++) {
        const struct event *e = &run->events[i], *was = find_event(&old->run, e->counter);

        if (was && !same_event(was, e))
            broken(o, "%s: event %" PRId64 " was another one", new->id.name, e->counter);
        /* Only the first event that is kept may stand before a gap. */
        if (i > 1 && e->counter != run->events[i - 1].counter + 1)
            broken(o, "%s: a gap before event %" PRId64, new->id.name, e->counter);
    }
    if (run->n_events && run->events[run->n_events - 1].counter != run->counter)
        broken(o, "%s: the counter is not that of the last event", new->id.name);
}

static void check_run(struct observer *o, const struct instance *old, const struct instance *new)
{
    const struct run *from = &old->run, *to = &new->run;

    check_events(o, old, new);
    if (to->counter < from->counter || to->seq < from->seq || to->attempt < from->attempt)
        broken(o, "%s: a number went back", new->id.name);
    if (run_state_terminal(from->state) && to->seq == from->seq &&
        (to->state != from->state || to->counter != from->counter))
        broken(o, "%s: %s was not final: now %s", new->id.name, run_state_name(from->state),
               run_state_name(to->state));
}

/* To delete an instance is to forget that it was triggered: a create that is late makes it anew. */
static void forget_trigger(struct observer *o, const struct instance *inst)
{
    if (inst->trigger.type != TRIGGER_NATURAL || !inst->trigger.key)
        return;
    CLEANUP(free) char *key = partition_key(inst->trigger.key, inst->parameter);
    tally(&o->triggered, key)->n = 0;
}

static void on_instance(struct observer *o, const json_t *before, const json_t *after)
{
    CLEANUP(instance_free) struct instance *old = before ? instance_decode(before) : NULL;
    if (!after) {
        if (old)
            forget_trigger(o, old);
        return;
    }
    CLEANUP(instance_free) struct instance *new = instance_decode(after);
    check_trigger(o, old, new);
    if (old)
        check_run(o, old, new);
}

static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    static const struct {
        const char *plural;
        void (*look)(struct observer *o, const json_t *old, const json_t *new);
    } kinds[] = {{"pods", on_pod}, {"workflows", on_workflow}, {"workflowinstances", on_instance}};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].plural, resource->plural) == 0)
            kinds[i].look(arg, old, new);
}

/* ---- requests ---- */

static void check_lease(struct observer *o, const char *user, const struct k8s_request *r)
{
    const json_t *lease = fake_get(
        o->world->fake, &(struct k8s_resource) {"coordination.k8s.io", "v1", "leases", "Lease"},
        WORLD_NS, o->world->settings[0].lease_name);
    const char *holder = json_text_at(lease, "spec.holderIdentity");

    if (!r->fence)
        broken(o, "%s: %s %s without a fence", user, k8s_verb_name(r->verb), r->resource->plural);
    if (!holder || strcmp(holder, user) != 0)
        broken(o, "%s: %s %s %s while the lease is %s's", user, k8s_verb_name(r->verb),
               r->resource->plural, r->name ? r->name : "", holder ? holder : "nobody");
}

static void count_request(struct observer *o)
{
    int64_t second = loop_now(o->world->loop, LOOP_MONOTONIC) / SECOND_MS;

    o->n_requests++;
    if (second != o->second)
        o->n_in_second = 0;
    o->second = second;
    if (++o->n_in_second > OBSERVER_MAX_RATE)
        broken(o, "more than %d requests within a second", OBSERVER_MAX_RATE);
}

static void on_request(const char *user, const struct k8s_request *r, int status, void *arg)
{
    struct observer *o = arg;

    if (strcmp(r->resource->plural, "leases") == 0 || r->verb == K8S_LIST)
        return;
    if (getenv("TEST_LOG"))
        log_info("request", KV("user", user), KV("verb", k8s_verb_name(r->verb)),
                 KV("kind", r->resource->plural), KV("name", r->name), KV("status", status),
                 KV("body", r->body));
    count_request(o);
    if (k8s_verb_writes(r->verb) && status >= 200 && status < 300)
        check_lease(o, user, r);
}

void observer_init(struct observer *o, struct world *world)
{
    *o = (struct observer) {.world = world};
    o->watcher = (struct fake_watcher) {.on_change = on_change, .on_request = on_request, .arg = o};
    map_init(&o->running);
    map_init(&o->pod_names);
    map_init(&o->triggered);
    world->on_container = on_container;
    world->container_arg = o;
    fake_watcher_add(world->fake, &o->watcher);
}

void observer_done(struct observer *o)
{
    fake_watcher_remove(&o->watcher);
    o->world->on_container = NULL;
    free_tallies(&o->running);
    free_tallies(&o->pod_names);
    free_tallies(&o->triggered);
}
