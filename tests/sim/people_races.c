/* SPDX-License-Identifier: Apache-2.0 */
/* What people do at the worst moment, and what makes it that: nodes and leaders that are lost. */
#include "sim/people_internal.h"

#include "model/validate.h"

#include <string.h>

static void delete_first(void *arg)
{
    struct storm *s = arg;
    CLEANUP(free) char *name = TAKE(s->deleted_first);
    const json_t *json = world_get(&s->w, &instance_resource, name);

    if (!json || people_instance_comes_back(s, name))
        return;
    CLEANUP(instance_free) struct instance *inst = instance_decode(json);
    storm_note(s, "deleted before it is triggered", name);
    if (storm_one_of(s, 2))
        fake_delete_cascading(s->w.fake, &instance_resource, WORLD_NS, name, "Foreground");
    else
        storm_delete_and_run(s, inst);
}

/* What the trigger was decided from was read before; the request arrives later. */
void storm_people_see(struct storm *s, const struct k8s_request *r)
{
    if (!s->delete_triggered || s->deleted_first || r->verb != K8S_PATCH || r->subresource ||
        strcmp(r->resource->plural, instance_resource.plural) != 0)
        return;
    s->delete_triggered = false;
    s->deleted_first = xstrdup(r->name);
    s->deletion = (struct loop_task) {.on_turn = delete_first, .arg = s};
    loop_task_queue(s->w.loop, &s->deletion);
}

void storm_people_end(struct storm *s)
{
    s->delete_triggered = false;
    loop_task_cancel(&s->deletion);
    free(TAKE(s->deleted_first));
}

/* A cursor is set back to what has run, and somebody deletes that in the middle of it. */
void people_delete_triggered(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (inst && storm_set_back(s, inst))
        s->delete_triggered = true;
}

/* Who leads next knows what is stored, and no more. */
static void kill_operators(struct storm *s)
{
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        storm_kill(s, i);
}

/* Nothing of a run could be stored, its workflow is replaced while its next trigger waits, and
 * whoever ran it is dead: somebody has to decide, and it must not run until then. */
void people_hold(struct storm *s)
{
    int n = ++s->n_new;
    CLEANUP(free) char *parameter = xasprintf("21%02d", n % 100);
    CLEANUP(free) char *name = instance_name("hand", parameter);

    if (world_get(&s->w, &instance_resource, name) || !world_get(&s->w, &workflow_resource, "hand"))
        return;
    s->no_status_until = storm_now(s) + MINUTE_MS;
    world_run_by_hand(&s->w, "hand", parameter);
    world_run(&s->w, storm_between(s, SECOND_MS, 5 * SECOND_MS));
    const json_t *object = world_get(&s->w, &instance_resource, name);
    if (!object || !world_get(&s->w, &workflow_resource, "hand"))
        return;
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);
    people_trigger_named(s, inst);
    world_delete(&s->w, &workflow_resource, "hand");
    storm_deploy_all(s);
    kill_operators(s);
}

static bool runs_by_schedule(const struct instance *inst)
{
    return inst->run.state == RUN_RUNNING && inst->run.trigger.type == TRIGGER_NATURAL &&
           inst->trigger.seq == inst->run.seq && inst->run.execution_id;
}

/* A try fails while its workflow is disabled, with the next trigger waiting, and that can neither
 * be stored nor found out by whoever leads next: the workflow is enabled again. */
void people_end_unsaid(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    for (int i = 0; i < 10 && inst && !runs_by_schedule(inst); i++) {
        instance_free(inst);
        inst = storm_pick_instance(s);
    }
    if (!inst || !runs_by_schedule(inst) || !world_get(&s->w, &workflow_resource, inst->workflow))
        return;
    storm_note(s, "ends unsaid", inst->id.name);
    s->no_status_until = storm_now(s) + 10 * SECOND_MS;
    world_patch(&s->w, &workflow_resource, inst->workflow, "{'spec': {'suspend': true}}");
    storm_trigger_again(s, inst);
    fake_kubelet_evict(s->w.kubelet, WORLD_NS, inst->run.execution_id);
    world_run(&s->w, storm_between(s, SECOND_MS, 10 * SECOND_MS));
    if (world_get(&s->w, &workflow_resource, inst->workflow))
        world_patch(&s->w, &workflow_resource, inst->workflow, "{'spec': {'suspend': false}}");
    kill_operators(s);
}

static void note_running(const json_t *object, void *arg)
{
    const char *phase = json_text_at(object, "status.phase");

    if (phase && strcmp(phase, "Running") == 0 && !json_at(object, "metadata.deletionTimestamp"))
        texts_add(arg, json_text_at(object, "metadata.name"));
}

static char *pick_running(struct storm *s)
{
    struct texts running = {0};

    fake_foreach(s->w.fake, &pod_resource, note_running, &running);
    char *name = running.n ? xstrdup(running.items[rng_below(&s->rng, running.n)]) : NULL;
    texts_done(&running);
    return name;
}

/* A pod hangs on a node that does not answer any more. Somebody deletes it by force, and runs it
 * again, or anew.  The node stays away for longer than an ended pod is kept. */
void people_abandon(struct storm *s)
{
    CLEANUP(free) char *name = pick_running(s);

    if (!name)
        return;
    CLEANUP(pod_free) struct pod *pod = pod_decode(world_get(&s->w, &pod_resource, name));
    CLEANUP(instance_free) struct instance *inst =
        pod->instance ? storm_instance(s, pod->instance) : NULL;
    if (!inst || !storm_lose_node(s, pod->node, storm_between(s, 2 * MINUTE_MS, 5 * MINUTE_MS)))
        return;
    storm_note(s, "abandoned", name);
    fake_kubelet_hang(s->w.kubelet, WORLD_NS, name);
    storm_force_delete(s, name);
    if (storm_one_of(s, 2))
        storm_halt_and_trigger(s, inst);
    else
        storm_delete_and_run(s, inst);
}
