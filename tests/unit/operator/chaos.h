/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong in a world, and what people do in it: one thing at a time, at random.
 *
 *     act(&chaos);
 *
 * Whatever is done is something that a cluster, a network or a user may do to Kharon at any time.
 * People do not do what makes the truth unknowable: force pods away that nothing keeps, or touch a
 * run whose natural trigger is just being given.
 */
#ifndef KHARON_TEST_CHAOS_H
#define KHARON_TEST_CHAOS_H

#include "sim/observer.h"

#include "base/log.h"
#include "model/partition.h"
#include "model/validate.h"

#include <inttypes.h>
#include <string.h>

#define MAX_PICKED 4096

struct chaos {
    struct world w;
    struct observer o;
    struct rng rng;
    uint64_t seed;
    bool calm;     /* pods succeed, soon */
    int64_t clock; /* sum of the steps */
    int64_t healed_at[WORLD_MAX_OPERATORS], started_at[WORLD_MAX_OPERATORS]; /* 0: is */
    int n_wishes;
};

static const struct {
    const char *name, *spec;
} workflows[] = {
    {"often", "{'schedule': '*/2 * * * *',"
              " 'template': {'image': 'b:1', 'runningTimeout': 'PT5M', 'args': ['{}']}}"},
    {"latest", "{'schedule': '*/5 * * * *', 'catchUp': 'Latest', 'maxActive': 3,"
               " 'template': {'image': 'b:1', 'runningTimeout': 'PT2M'}}"},
    {"hourly", "{'schedule': 'hourly', 'template': {'image': 'b:1', 'runningTimeout': 'PT5M'}}"},
    {"hand", "{'schedule': 'yearly', 'template': {'image': 'b:1', 'runningTimeout': 'PT3M'}}"},
};

static int64_t monotonic(const struct chaos *c)
{
    return loop_now(c->w.loop, LOOP_MONOTONIC);
}

static bool chance(struct chaos *c, int percent)
{
    return (int) rng_below(&c->rng, 100) < percent;
}

static bool one_of(struct chaos *c, int n)
{
    return rng_below(&c->rng, (uint64_t) n) == 0;
}

/* ---- picking ---- */

struct picked {
    char *names[MAX_PICKED];
    size_t n;
};

static void note_name(const json_t *object, void *arg)
{
    struct picked *p = arg;

    if (p->n < MAX_PICKED)
        p->names[p->n++] = xstrdup(json_text_at(object, "metadata.name"));
}

/* The name of any object of a kind, NULL if there is none; the caller frees.  Young ones are more
 * likely: that is where something happens. */
static char *pick(struct chaos *c, const struct k8s_resource *kind)
{
    struct picked p = {.n = 0};
    char *name = NULL;

    fake_foreach(c->w.fake, kind, note_name, &p);
    if (p.n) {
        size_t from = p.n > 8 && chance(c, 80) ? p.n - 8 : 0;

        name = xstrdup(p.names[from + rng_below(&c->rng, p.n - from)]);
    }
    for (size_t i = 0; i < p.n; i++)
        free(p.names[i]);
    return name;
}

/* A run whose partition the cursor has behind it: what is done to it by hand is done after its
 * natural trigger, and known to be. */
static struct instance *pick_instance(struct chaos *c)
{
    CLEANUP(free) char *name = pick(c, &instance_resource);
    char text[PARTITION_TEXT_MAX] = "";
    struct schedule schedule;
    struct error ignored;

    if (!name)
        return NULL;
    struct instance *inst = instance_decode(world_get(&c->w, &instance_resource, name));
    const json_t *json = world_get(&c->w, &workflow_resource, inst->workflow);
    CLEANUP(workflow_free) struct workflow *wf = json ? workflow_decode(json) : NULL;
    if (wf && wf->status.observed_schedule &&
        schedule_parse(wf->status.observed_schedule, &schedule, &ignored))
        partition_print(&schedule, wf->status.cursor.next, text);
    if (strcmp(text, inst->parameter) != 0)
        return inst;
    instance_free(inst);
    return NULL;
}

/* ---- what goes wrong ---- */

static void change_rates(struct chaos *c)
{
    static const int rates[] = {0, 0, 0, 10, 50, 200};

    for (int i = 0; i < FAKE_N_FAULTS; i++)
        fake_set_rate(c->w.fake, (enum fake_fault) i, rates[rng_below(&c->rng, ARRAY_SIZE(rates))]);
}

static void end_faults(struct chaos *c)
{
    for (int i = 0; i < FAKE_N_FAULTS; i++)
        fake_set_rate(c->w.fake, (enum fake_fault) i, 0);
    fake_fail_no_more(c->w.fake);
}

static void inject(struct chaos *c)
{
    static const struct {
        enum fake_fault fault;
        int verb;
        const char *plural;
    } bursts[] = {
        {FAKE_LOSE_REPLY, K8S_CREATE, "pods"},
        {FAKE_LATE, K8S_CREATE, "pods"},
        {FAKE_LATE, K8S_CREATE, "pods"},
        {FAKE_FORBID, K8S_CREATE, "pods"},
        {FAKE_LOSE_REPLY, K8S_CREATE, "workflowinstances"},
        {FAKE_LATE, K8S_CREATE, "workflowinstances"},
        {FAKE_LATE, K8S_PATCH, "workflowinstances"},
        {FAKE_LOSE_REPLY, K8S_PATCH, "workflowinstances"},
        {FAKE_CONFLICT, K8S_PATCH, "workflowinstances"},
        {FAKE_LATE, K8S_PATCH, "workflows"},
        {FAKE_LOSE_REPLY, K8S_PATCH, "workflows"},
        {FAKE_THROTTLE, -1, NULL},
        {FAKE_REFUSE, -1, NULL},
        {FAKE_LOSE_REQUEST, -1, NULL},
        {FAKE_LATE, K8S_PATCH, "leases"},
    };
    size_t i = rng_below(&c->rng, ARRAY_SIZE(bursts));

    fake_fail_next(c->w.fake, bursts[i].fault, (int) rng_between(&c->rng, 1, 5), bursts[i].verb,
                   bursts[i].plural);
}

static void end_watches(struct chaos *c)
{
    fake_end_watches(c->w.fake, one_of(c, 2));
}

static void expire_history(struct chaos *c)
{
    fake_expire_history(c->w.fake);
    if (one_of(c, 2))
        fake_end_watches(c->w.fake, true);
}

static void change_latency(struct chaos *c)
{
    int64_t max = one_of(c, 4) ? 2500 : one_of(c, 2) ? 300 : 5;

    fake_set_latency(c->w.fake, 1, max);
}

static void partition_one(struct chaos *c)
{
    int i = (int) rng_below(&c->rng, WORLD_MAX_OPERATORS);

    if (!c->w.operators[i] || c->healed_at[i])
        return;
    fake_partition(c->w.clients[i], true);
    c->healed_at[i] = monotonic(c) + rng_between(&c->rng, SECOND_MS, MINUTE_MS);
}

static void end_one(struct chaos *c, void (*end)(struct world *w, int i))
{
    int i = (int) rng_below(&c->rng, WORLD_MAX_OPERATORS);

    if (!c->w.operators[i])
        return;
    end(&c->w, i);
    c->healed_at[i] = 0;
    c->started_at[i] = monotonic(c) + rng_between(&c->rng, 1, 20 * SECOND_MS);
}

static void kill_one(struct chaos *c)
{
    end_one(c, world_kill);
}

static void stop_one(struct chaos *c)
{
    end_one(c, world_stop);
}

static void step_clock(struct chaos *c)
{
    int64_t most = one_of(c, 8) ? HOUR_MS : MINUTE_MS, by = rng_between(&c->rng, -most, most);

    loop_virtual_step_clock(c->w.loop, by);
    c->clock += by;
}

static void freeze(struct chaos *c)
{
    loop_virtual_advance(c->w.loop, rng_between(&c->rng, 100, 15 * SECOND_MS));
}

static void change_skew(struct chaos *c)
{
    fake_set_skew(c->w.fake, rng_between(&c->rng, -10, 10) * SECOND_MS);
}

/* ---- what people do ---- */

static void deploy(struct chaos *c)
{
    size_t i = rng_below(&c->rng, ARRAY_SIZE(workflows));

    if (!world_get(&c->w, &workflow_resource, workflows[i].name))
        world_deploy(&c->w, workflows[i].name, workflows[i].spec);
}

static void delete_workflow(struct chaos *c)
{
    CLEANUP(free) char *name = pick(c, &workflow_resource);

    if (name && one_of(c, 3))
        world_delete(&c->w, &workflow_resource, name);
    if (one_of(c, 2))
        deploy(c);
}

static void edit_workflow(struct chaos *c)
{
    static const char *const edits[] = {
        "{'spec': {'suspend': true}}",
        "{'spec': {'suspend': false}}",
        "{'spec': {'suspend': null}}",
        "{'spec': {'template': {'image': 'b:2'}}}",
        "{'spec': {'template': {'image': null}}}",
        "{'spec': {'template': {'image': 'b:3'}}}",
        "{'spec': {'schedule': '*/3 * * * *'}}",
        "{'spec': {'offset': 'PT1M'}}",
        "{'spec': {'offset': 'not one'}}",
        "{'spec': {'offset': null}}",
    };
    CLEANUP(free) char *name = pick(c, &workflow_resource);

    if (name)
        world_patch(&c->w, &workflow_resource, name, edits[rng_below(&c->rng, ARRAY_SIZE(edits))]);
}

/* PATCH of the API: some partitions again, or some less. */
static void set_next(struct chaos *c)
{
    CLEANUP(free) char *name = pick(c, &workflow_resource);
    int64_t now = loop_now(c->w.loop, LOOP_OF_DAY) / MINUTE_MS * MINUTE_MS;
    instant next = now + rng_between(&c->rng, -10, 10) * MINUTE_MS;
    char text[INSTANT_TEXT_MAX];

    if (!name)
        return;
    instant_print(next, text);
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'setNext': {'next': '%s', 'nextOffset': '%s', 'id': 'wish-%d'}}}",
                  text, text, ++c->n_wishes);
    world_patch(&c->w, &workflow_resource, name, patch);
}

static void run_by_hand(struct chaos *c)
{
    CLEANUP(free) char *parameter = xasprintf("20%02d", (int) rng_below(&c->rng, 20));
    CLEANUP(free) char *name = instance_name("hand", parameter);

    if (!world_get(&c->w, &instance_resource, name))
        world_run_by_hand(&c->w, "hand", parameter);
}

static void patch_instance(struct chaos *c, const struct instance *inst, const char *patch)
{
    world_patch(&c->w, &instance_resource, inst->id.name, patch);
}

static void trigger_again(struct chaos *c)
{
    CLEANUP(instance_free) struct instance *inst = pick_instance(c);

    if (!inst)
        return;
    int64_t seq = inst->trigger.seq > inst->run.seq ? inst->trigger.seq : inst->run.seq;
    CLEANUP(free) char *patch = xasprintf("{'spec': {'trigger': {'seq': %" PRId64
                                          ", 'type': 'adhoc', 'id': 'again-%d', 'key': 'again-%d',"
                                          " 'workflowUID': null, 'env': null}}}",
                                          seq + 1, c->n_wishes + 1, c->n_wishes + 1);
    c->n_wishes++;
    patch_instance(c, inst, patch);
}

static void halt(struct chaos *c)
{
    CLEANUP(instance_free) struct instance *inst = pick_instance(c);

    if (!inst)
        return;
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'haltThrough': %" PRId64 "}}", inst->run.seq ? inst->run.seq : 1);
    if (inst->halt_through < inst->run.seq)
        patch_instance(c, inst, patch);
}

static void halt_and_trigger(struct chaos *c)
{
    CLEANUP(instance_free) struct instance *inst = pick_instance(c);

    if (!inst)
        return;
    int64_t seq = inst->trigger.seq > inst->run.seq ? inst->trigger.seq : inst->run.seq;
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'haltThrough': %" PRId64 ", 'trigger': {'seq': %" PRId64
                  ", 'type': 'adhoc', 'id': 'anew-%d', 'key': 'anew-%d', 'workflowUID': null}}}",
                  seq ? seq : 1, (seq ? seq : 1) + 1, c->n_wishes + 1, c->n_wishes + 1);
    c->n_wishes++;
    patch_instance(c, inst, patch);
}

static void retry_now(struct chaos *c)
{
    CLEANUP(instance_free) struct instance *inst = pick_instance(c);

    if (!inst || inst->run.counter < 0)
        return;
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'retry': {'counter': %" PRId64 ", 'delayMillis': %d}}}",
                  inst->run.counter, (int) rng_below(&c->rng, 5000));
    patch_instance(c, inst, patch);
}

static void delete_instance(struct chaos *c)
{
    CLEANUP(instance_free) struct instance *inst = pick_instance(c);

    if (!inst)
        return;
    world_delete(&c->w, &instance_resource, inst->id.name);
    if (one_of(c, 2))
        world_run_by_hand(&c->w, inst->workflow, inst->parameter);
}

static void evict_pod(struct chaos *c)
{
    CLEANUP(free) char *name = pick(c, &pod_resource);

    if (name)
        fake_kubelet_evict(c->w.kubelet, WORLD_NS, name);
}

static void delete_pod(struct chaos *c)
{
    CLEANUP(free) char *name = pick(c, &pod_resource);

    if (name)
        world_delete(&c->w, &pod_resource, name);
}

/* Not one that nothing keeps, nor one whose run is gone: its container may run on unseen, as
 * Kubernetes warns. */
static void force_delete_pod(struct chaos *c)
{
    CLEANUP(free) char *name = pick(c, &pod_resource);

    if (!name)
        return;
    CLEANUP(pod_free) struct pod *pod = pod_decode(world_get(&c->w, &pod_resource, name));
    if (pod->has_finalizer && pod->instance &&
        strcmp(world_text(&c->w, &instance_resource, pod->instance, "metadata.uid"),
               pod->owner_uid) == 0)
        fake_delete_now(c->w.fake, &pod_resource, WORLD_NS, name);
}

/* ---- any of it ---- */

static const struct {
    const char *name;
    int weight;
    void (*act)(struct chaos *c);
} actions[] = {
    {"change rates", 8, change_rates},
    {"end faults", 6, end_faults},
    {"inject", 20, inject},
    {"end watches", 3, end_watches},
    {"expire history", 3, expire_history},
    {"change latency", 3, change_latency},
    {"partition one", 3, partition_one},
    {"kill one", 4, kill_one},
    {"stop one", 2, stop_one},
    {"step clock", 2, step_clock},
    {"freeze", 2, freeze},
    {"change skew", 2, change_skew},
    {"deploy", 3, deploy},
    {"delete workflow", 2, delete_workflow},
    {"edit workflow", 5, edit_workflow},
    {"set next", 2, set_next},
    {"run by hand", 12, run_by_hand},
    {"trigger again", 10, trigger_again},
    {"halt", 8, halt},
    {"halt and trigger", 8, halt_and_trigger},
    {"retry now", 5, retry_now},
    {"delete instance", 8, delete_instance},
    {"evict pod", 5, evict_pod},
    {"delete pod", 4, delete_pod},
    {"force-delete pod", 4, force_delete_pod},
};

static void act(struct chaos *c)
{
    int total = 0;

    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        total += actions[i].weight;
    int n = (int) rng_below(&c->rng, (uint64_t) total);
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        n -= actions[i].weight;
        if (n >= 0)
            continue;
        log_info("chaos", KV("action", actions[i].name));
        actions[i].act(c);
        return;
    }
}

#endif
