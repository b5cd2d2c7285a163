/* SPDX-License-Identifier: Apache-2.0 */
/* What people do to runs and pods; their housekeeping; and the table of all that they do. */
#include "sim/people_internal.h"

#include "model/partition.h"

#include <inttypes.h>
#include <string.h>

#define KEPT_PER_WORKFLOW 3 /* finished instances that somebody who tidies up leaves */

/* ---- runs ---- */

/* A run whose partition the cursor has behind it: what is done to it by hand is done after its
 * natural trigger, and known to be. */
struct instance *storm_instance(struct storm *s, const char *name)
{
    const json_t *object = world_get(&s->w, &instance_resource, name);
    char text[PARTITION_TEXT_MAX] = "";
    struct schedule schedule;
    struct error ignored;

    if (!object)
        return NULL;
    struct instance *inst = instance_decode(object);
    const json_t *json = world_get(&s->w, &workflow_resource, inst->workflow);
    CLEANUP(workflow_free) struct workflow *wf = json ? workflow_decode(json) : NULL;
    if (wf && wf->status.observed_schedule &&
        schedule_parse(wf->status.observed_schedule, &schedule, &ignored))
        partition_print(&schedule, wf->status.cursor.next, text);
    if (strcmp(text, inst->parameter) != 0)
        return inst;
    instance_free(inst);
    return NULL;
}

struct instance *storm_pick_instance(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &instance_resource);

    return name ? storm_instance(s, name) : NULL;
}

static void patch_instance(struct storm *s, const struct instance *inst, const char *patch)
{
    world_patch(&s->w, &instance_resource, inst->id.name, patch);
}

/* One that was made by hand has had its first trigger with that. */
static void trigger_for(struct storm *s, const struct instance *inst, const char *uid)
{
    int id = ++s->n_wishes;
    CLEANUP(free) char *patch = xasprintf("{'spec': {'trigger': {'seq': %" PRId64
                                          ", 'type': 'adhoc', 'id': 'again-%d', 'key': 'again-%d',"
                                          " 'workflowUID': %s, 'env': null}}}",
                                          instance_last_seq(inst) + 1, id, id, uid);
    patch_instance(s, inst, patch);
}

void storm_trigger_again(struct storm *s, const struct instance *inst)
{
    trigger_for(s, inst, "null");
}

void people_trigger_named(struct storm *s, const struct instance *inst)
{
    CLEANUP(free) char *uid =
        xasprintf("'%s'", world_text(&s->w, &workflow_resource, inst->workflow, "metadata.uid"));

    trigger_for(s, inst, uid);
}

static void trigger_again(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (inst)
        storm_trigger_again(s, inst);
}

void storm_halt(struct storm *s, const struct instance *inst)
{
    CLEANUP(free) char *patch = xasprintf("{'spec': {'haltThrough': %" PRId64 "}}", inst->run.seq);

    patch_instance(s, inst, patch);
}

static void halt(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (inst && inst->halt_through < inst->run.seq)
        storm_halt(s, inst);
}

void storm_halt_and_trigger(struct storm *s, const struct instance *inst)
{
    int64_t seq = instance_last_seq(inst);
    int id = ++s->n_wishes;
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'haltThrough': %" PRId64 ", 'trigger': {'seq': %" PRId64
                  ", 'type': 'adhoc', 'id': 'anew-%d', 'key': 'anew-%d', 'workflowUID': null}}}",
                  seq, seq + 1, id, id);
    patch_instance(s, inst, patch);
}

static void halt_and_trigger(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (inst)
        storm_halt_and_trigger(s, inst);
}

static void retry_now(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (!inst || inst->run.counter < 0 ||
        (inst->has_retry && inst->retry_counter >= inst->run.counter))
        return; /* wishes only grow */
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'retry': {'counter': %" PRId64 ", 'delayMillis': %d}}}",
                  inst->run.counter, (int) rng_below(&s->rng, 5000));
    patch_instance(s, inst, patch);
}

bool people_instance_comes_back(struct storm *s, const char *name)
{
    return fake_is_coming(s->w.fake, &instance_resource, name);
}

void storm_delete_and_run(struct storm *s, const struct instance *inst)
{
    if (people_instance_comes_back(s, inst->id.name))
        return;
    world_delete(&s->w, &instance_resource, inst->id.name);
    if (!world_get(&s->w, &instance_resource, inst->id.name))
        world_run_by_hand(&s->w, inst->workflow, inst->parameter);
}

static void delete_instance(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (!inst || people_instance_comes_back(s, inst->id.name))
        return;
    if (storm_one_of(s, 2))
        storm_delete_and_run(s, inst);
    else
        world_delete(&s->w, &instance_resource, inst->id.name);
}

static void delete_cascading(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (inst && !people_instance_comes_back(s, inst->id.name))
        fake_delete_cascading(s->w.fake, &instance_resource, WORLD_NS, inst->id.name, "Foreground");
}

/* A backup without status is put back, into a cluster whose workflow is another object: the run
 * must not begin anew by itself. */
static void restore_instance(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (!inst || instance_active(inst) || !inst->trigger.workflow_uid ||
        !world_get(&s->w, &workflow_resource, inst->workflow))
        return;
    CLEANUP(free) char *name = xstrdup(inst->id.name);
    json_t *spec = json_deep_copy(json_at(world_get(&s->w, &instance_resource, name), "spec"));
    CLEANUP(json_decref) json_t *object = json_pack(
        "{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", "kharon.dev/v1alpha1", "kind",
        "WorkflowInstance", "metadata", "name", name, "namespace", WORLD_NS, "spec", spec);
    world_delete(&s->w, &workflow_resource, inst->workflow);
    world_delete(&s->w, &instance_resource, name);
    storm_deploy_all(s);
    CLEANUP(free) char *text = json_print(object);
    s->o.restoring = true;
    if (!world_get(&s->w, &instance_resource, name))
        fake_create(s->w.fake, &instance_resource, text);
    s->o.restoring = false;
}

/* ---- pods ---- */

static void delete_pod(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &pod_resource);

    if (name)
        world_delete(&s->w, &pod_resource, name);
}

/* Only one that something should keep, since its run is going on: another's container may run on
 * unseen, as Kubernetes warns. */
void storm_force_delete(struct storm *s, const char *name)
{
    CLEANUP(pod_free) struct pod *pod = pod_decode(world_get(&s->w, &pod_resource, name));
    if (!pod->instance)
        return;
    const char *uid = world_text(&s->w, &instance_resource, pod->instance, "metadata.uid");
    if (strcmp(uid, pod->owner_uid) != 0)
        return;
    const char *current =
        world_text(&s->w, &instance_resource, pod->instance, "status.executionId");
    if (pod->has_finalizer || strcmp(current, name) == 0)
        fake_delete_now(s->w.fake, &pod_resource, WORLD_NS, name);
}

static void force_delete_pod(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &pod_resource);

    if (name)
        storm_force_delete(s, name);
}

/* Our watch no longer shows it.  Whoever halts its run at the same time leaves a pod behind that
 * nobody of us knows of: so this is not done where people are (it has to be asked for). */
static void unlabel_pod(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &pod_resource);

    if (!name)
        return;
    CLEANUP(pod_free) struct pod *pod = pod_decode(world_get(&s->w, &pod_resource, name));
    if (pod->instance && pod->main_ready &&
        strcmp(world_text(&s->w, &instance_resource, pod->instance, "status.executionId"), name) ==
            0 &&
        strcmp(world_text(&s->w, &instance_resource, pod->instance, "status.state"), "RUNNING") ==
            0)
        world_patch(&s->w, &pod_resource, name,
                    "{'metadata': {'labels': {'" POD_LABEL "': null}}}");
}

/* ---- housekeeping ---- */

struct leftover {
    char *name, *workflow;
    instant since;
};

struct leftovers {
    struct leftover *all;
    size_t n, cap;
};

static void note_leftover(const json_t *object, void *arg)
{
    struct leftovers *l = arg;
    const char *state = json_text_at(object, "status.state");
    struct error ignored;

    if (!state || (strcmp(state, "DONE") != 0 && strcmp(state, "ERROR") != 0) ||
        json_int_at(object, "spec.trigger.seq", 1) > json_int_at(object, "status.seq", 0))
        return;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->all = xrealloc(l->all, l->cap, sizeof(*l->all));
    }
    struct leftover *left = &l->all[l->n++];
    *left = (struct leftover) {.name = xstrdup(json_text_at(object, "metadata.name")),
                               .workflow = xstrdup(json_text_at(object, "spec.workflow"))};
    if (!instant_parse(json_text_at(object, "status.since"), &left->since, &ignored))
        abort();
}

static int by_workflow_and_age(const void *a, const void *b)
{
    const struct leftover *left = a, *right = b;
    int order = strcmp(left->workflow, right->workflow);

    return order ? order : left->since < right->since ? 1 : left->since > right->since ? -1 : 0;
}

/* A leader's clock may have been wrong when it wrote when the run ended. */
static bool has_passed(struct storm *s, const char *name)
{
    CLEANUP(instance_free) struct instance *inst = storm_instance(s, name);

    return inst != NULL;
}

/* Of each workflow the youngest finished instances stay; none is deleted within an hour of its end,
 * since its pod and its cursor may not be done with it. */
void storm_tidy(struct storm *s)
{
    struct leftovers l = {0};
    instant old = loop_now(s->w.loop, LOOP_OF_DAY) - HOUR_MS;
    int n = 0;

    fake_foreach(s->w.fake, &instance_resource, note_leftover, &l);
    if (l.n)
        qsort(l.all, l.n, sizeof(*l.all), by_workflow_and_age);
    for (size_t i = 0; i < l.n; i++) {
        n = i > 0 && strcmp(l.all[i].workflow, l.all[i - 1].workflow) == 0 ? n + 1 : 0;
        if (n >= KEPT_PER_WORKFLOW && l.all[i].since < old && has_passed(s, l.all[i].name))
            world_delete(&s->w, &instance_resource, l.all[i].name);
    }
    for (size_t i = 0; i < l.n; i++) {
        free(l.all[i].name);
        free(l.all[i].workflow);
    }
    free(l.all);
}

static const struct mishap rows[] = {
    {"deploy", 20, people_deploy, 0, "kubectl apply of a workflow"},
    {"delete-workflow", 5, people_delete_workflow, 0, "a workflow is deleted, perhaps made again"},
    {"twin", 0, people_deploy_twin, 0,
     "a second workflow of a name, and perhaps the first one goes"},
    {"edit-workflow", 30, people_edit_workflow, 0, "a workflow is changed, not always well"},
    {"set-next", 10, people_set_next, 0, "a cursor is set"},
    {"run-by-hand", 70, people_run_by_hand, 0, "an instance is created"},
    {"run-new", 15, people_run_new, 0, "a new workflow, and a run of it at once"},
    {"run-unseen", 0, people_run_unseen, 0, "the same, and watches lag"},
    {"remake", 0, people_remake, 0,
     "a workflow is made again, perhaps as another one, and run at once"},
    {"trigger-again", 50, trigger_again, 0, "an instance gets another trigger"},
    {"halt", 40, halt, 0, "a run is halted"},
    {"halt-and-trigger", 40, halt_and_trigger, 0, "both at once"},
    {"retry-now", 25, retry_now, 0, "a retry is brought forward"},
    {"delete-instance", 30, delete_instance, 0, "an instance is deleted, perhaps made again"},
    {"delete-foreground", 8, delete_cascading, 0, "an instance is deleted in the foreground"},
    {"restore-instance", 2, restore_instance, 0, "an instance is restored without its status"},
    {"end-unsaid", 0, people_end_unsaid, 0,
     "a run ends for a reason that goes away, and nobody says so"},
    {"hold", 0, people_hold, 0, "its workflow is replaced while nothing of a run can be stored"},
    {"delete-triggered", 0, people_delete_triggered, 0,
     "an instance is deleted as it is triggered again"},
    {"delete-pod", 20, delete_pod, 0, "a pod is deleted"},
    {"force-delete-pod", 20, force_delete_pod, 0, "a pod is deleted by force"},
    {"abandon", 0, people_abandon, 0, "the same as its node is lost, and it is run again"},
    {"unlabel-pod", 0, unlabel_pod, 0, "a pod loses its label"},
};
const struct mishap_table storm_people = {"people", rows, ARRAY_SIZE(rows)};
