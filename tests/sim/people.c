/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people do with kubectl.  They do not do what makes the truth unknowable: force pods away
 * that nothing keeps, or touch a run whose natural trigger is just being given.
 */
#include "sim/storm.h"

#include "model/partition.h"
#include "model/validate.h"

#include <inttypes.h>
#include <string.h>

#define NEW_SPEC "{'schedule': 'yearly', 'template': {'image': 'b:1', 'runningTimeout': 'PT3M'}}"
/* More than a status keeps. */
#define LONG_ARG          "'0123456789 0123456789 0123456789 0123456789 0123456789'"
#define LONG_8(x)         x "," x "," x "," x "," x "," x "," x "," x
#define LONG_ARGS         LONG_8(LONG_8(LONG_8(LONG_ARG)))
#define KEPT_NEW          5 /* workflows that are there for one run */
#define KEPT_PER_WORKFLOW 3 /* finished instances that somebody who tidies up leaves */

/* ---- workflows ---- */

/*
 * Twenty of a small company: one every half hour, three hourly, ten daily, four weekly, one
 * monthly, and one that is only run by hand.  About 5.5 runs an hour.
 */
static const struct {
    const char *name, *spec;
} usual[] =
    {
        {"half", "{'schedule': '*/30 * * * *',"
                 " 'template': {'image': 'b:1', 'runningTimeout': 'PT10M', 'args': ['{}']}}"},
        {"hourly-a",
         "{'schedule': 'hourly', 'template': {'image': 'b:1', 'runningTimeout': 'PT20M'}}"},
        {"daily-a",
         "{'schedule': 'daily', 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"hand", "{'schedule': 'yearly', 'template': {'image': 'b:1', 'runningTimeout': 'PT20M'}}"},
        {"hourly-b", "{'schedule': 'hourly', 'offset': 'PT1H30M', 'catchUp': 'Latest',"
                     " 'maxActive': 3, 'template': {'image': 'b:1', 'runningTimeout': 'PT20M'}}"},
        {"weekly-a",
         "{'schedule': 'weekly', 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"hourly-c", "{'schedule': '15 * * * *', 'catchUp': 'None',"
                     " 'template': {'image': 'b:1', 'runningTimeout': 'PT20M',"
                     " 'env': [{'name': 'A', 'value': 'b'}]}}"},
        {"daily-b", "{'schedule': '30 4 * * *',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M', 'args': ['{}']}}"},
        {"daily-c", "{'schedule': 'daily', 'offset': 'P1DT2H', 'maxActive': 2,"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"monthly",
         "{'schedule': 'monthly', 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"daily-d", "{'schedule': '0 6 * * MON-FRI',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"weekly-b", "{'schedule': '0 3 * * SUN',"
                     " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"daily-e", "{'schedule': '0 22 * * *',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"daily-f", "{'schedule': 'daily', 'offset': 'PT3H',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"weekly-c", "{'schedule': 'weekly', 'offset': 'P1D',"
                     " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"daily-g", "{'schedule': '45 12 * * *',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"daily-h", "{'schedule': '59 23 * * *',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"weekly-d", "{'schedule': '0 12 * * WED',"
                     " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"daily-i", "{'schedule': '10 1 * * *',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
        {"daily-j", "{'schedule': '0 0 1-28 * *',"
                    " 'template': {'image': 'b:1', 'runningTimeout': 'PT30M'}}"},
},
  busy[] = {
      {"often", "{'schedule': '*/2 * * * *',"
                " 'template': {'image': 'b:1', 'runningTimeout': 'PT5M', 'args': ['{}']}}"},
      {"latest", "{'schedule': '*/5 * * * *', 'catchUp': 'Latest', 'maxActive': 3,"
                 " 'template': {'image': 'b:1', 'runningTimeout': 'PT2M'}}"},
      {"hourly", "{'schedule': 'hourly', 'template': {'image': 'b:1', 'runningTimeout': 'PT5M'}}"},
      {"hand", "{'schedule': 'yearly', 'template': {'image': 'b:1', 'runningTimeout': 'PT3M'}}"},
};

/* The i-th workflow; beyond the list they begin again, with a number. */
static const char *spec_of(const struct storm *s, int i, char **ret_name)
{
    int n = s->plan.busy ? (int) ARRAY_SIZE(busy) : (int) ARRAY_SIZE(usual);
    const char *base = s->plan.busy ? busy[i % n].name : usual[i % n].name;

    *ret_name = i < n ? xstrdup(base) : xasprintf("%s-%d", base, i / n);
    return s->plan.busy ? busy[i % n].spec : usual[i % n].spec;
}

static void deploy_one(struct storm *s, int i)
{
    CLEANUP(free) char *name = NULL;
    const char *spec = spec_of(s, i, &name);

    if (!world_get(&s->w, &workflow_resource, name))
        world_deploy(&s->w, name, spec);
}

/* What was edited is as it was. */
static void mend_one(struct storm *s, int i)
{
    CLEANUP(free) char *name = NULL;
    const char *spec = spec_of(s, i, &name);
    CLEANUP(free) char *patch = xasprintf(
        "{'spec': {'suspend': null,%s%s %s}", strstr(spec, "'offset'") ? "" : " 'offset': null,",
        strstr(spec, "'maxActive'") ? "" : " 'maxActive': null,", spec + 1);

    if (world_get(&s->w, &workflow_resource, name))
        world_patch(&s->w, &workflow_resource, name, patch);
    else
        world_deploy(&s->w, name, spec);
}

void storm_mend_all(struct storm *s)
{
    for (int i = 0; i < s->plan.n_workflows; i++)
        mend_one(s, i);
    for (int i = s->n_new; i > 0 && i > s->n_new - KEPT_NEW; i--) {
        CLEANUP(free) char *name = xasprintf("new-%d", i);
        if (world_get(&s->w, &workflow_resource, name))
            world_patch(&s->w, &workflow_resource, name,
                        "{'spec': {'schedule': 'yearly', 'offset': null, 'maxActive': null}}");
    }
}

void storm_deploy_all(struct storm *s)
{
    for (int i = 0; i < s->plan.n_workflows; i++)
        deploy_one(s, i);
}

static void deploy(struct storm *s)
{
    deploy_one(s, (int) rng_below(&s->rng, (uint64_t) s->plan.n_workflows));
}

static void delete_workflow(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &workflow_resource);

    if (name)
        world_delete(&s->w, &workflow_resource, name);
    if (storm_one_of(s, 2))
        storm_deploy_all(s);
}

static void run_one(struct storm *s, const char *workflow)
{
    CLEANUP(free) char *parameter = xasprintf("20%02d", (int) rng_below(&s->rng, 20));
    CLEANUP(free) char *name = instance_name(workflow, parameter);

    if (!world_get(&s->w, &instance_resource, name))
        world_run_by_hand(&s->w, workflow, parameter);
}

/* Another object says that it is the same workflow: whoever came first is. */
static void deploy_twin(struct storm *s)
{
    CLEANUP(free) char *name = NULL;
    const char *spec = spec_of(s, (int) rng_below(&s->rng, (uint64_t) s->plan.n_workflows), &name);
    CLEANUP(free) char *twin = xasprintf("{'workflowId': '%s', %s", name, spec + 1);

    world_delete(&s->w, &workflow_resource, "twin");
    if (world_get(&s->w, &workflow_resource, "twin"))
        return;
    world_deploy(&s->w, "twin", twin);
    run_one(s, "twin");
    if (storm_one_of(s, 3))
        return;
    world_run(&s->w, storm_between(s, 0, 10 * SECOND_MS));
    world_delete(&s->w, &workflow_resource, name);
    world_run(&s->w, storm_between(s, 0, 10 * SECOND_MS));
    storm_deploy_all(s);
}

static void edit_workflow(struct storm *s)
{
    static const char *const edits[] = {
        "{'spec': {'suspend': true}}",
        "{'spec': {'suspend': false}}",
        "{'spec': {'suspend': false}}",
        "{'spec': {'suspend': null}}",
        "{'spec': {'template': {'image': 'b:2'}}}",
        "{'spec': {'template': {'image': null}}}",
        "{'spec': {'template': {'image': 'b:3'}}}",
        "{'spec': {'template': {'image': 'b:3'}}}",
        "{'spec': {'schedule': '*/3 * * * *'}}",
        "{'spec': {'offset': 'PT1M'}}",
        "{'spec': {'template': {'args': [" LONG_ARGS "]}}}",
        "{'spec': {'template': {'args': null}}}",
        "{'spec': {'maxActive': 1}}",
        "{'spec': {'maxActive': 1}}",
        "{'spec': {'maxActive': null}}",
        "{'spec': {'offset': 'not one'}}",
        "{'spec': {'offset': null}}",
        "{'spec': {'offset': null}}",
    };
    CLEANUP(free) char *name = storm_pick(s, &workflow_resource);

    if (name)
        world_patch(&s->w, &workflow_resource, name, edits[rng_below(&s->rng, ARRAY_SIZE(edits))]);
}

/* PATCH of the API: some partitions again, or some less, or the same at another time. */
static void set_next(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &workflow_resource);
    int64_t now = loop_now(s->w.loop, LOOP_OF_DAY) / MINUTE_MS * MINUTE_MS;
    instant next = now + storm_between(s, -10, 10) * MINUTE_MS;
    bool when_only = storm_one_of(s, 3);
    char text[INSTANT_TEXT_MAX];

    if (!name)
        return;
    instant_print(next, text);
    CLEANUP(free) char *quoted = xasprintf("'%s'", text);
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'setNext': {'next': %s, 'nextOffset': '%s', 'id': 'wish-%d'}}}",
                  when_only ? "null" : quoted, text, ++s->n_wishes);
    world_patch(&s->w, &workflow_resource, name, patch);
}

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

static void run_by_hand(struct storm *s)
{
    run_one(s, "hand");
}

/* A workflow that nobody has heard of yet, and at once a run of it. */
static void run_new(struct storm *s)
{
    int n = ++s->n_new;
    CLEANUP(free) char *name = xasprintf("new-%d", n), *old = xasprintf("new-%d", n - KEPT_NEW);

    world_delete(&s->w, &workflow_resource, old);
    world_deploy(&s->w, name, NEW_SPEC);
    world_run_by_hand(&s->w, name, "2020");
}

/* The same, before our watch can have told of it. */
static void run_unseen(struct storm *s)
{
    fake_set_lag(s->w.fake, &workflow_resource, 0, storm_between(s, SECOND_MS, MINUTE_MS));
    run_new(s);
}

/* By somebody who has read the workflow, as the API does. */
static void run_named(struct storm *s, const char *workflow)
{
    int id = ++s->n_wishes;
    CLEANUP(free) char *parameter = xasprintf("22%02d", id % 100);
    CLEANUP(free) char *name = instance_name(workflow, parameter);
    CLEANUP(free) char *text = xasprintf(
        "{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance',"
        " 'metadata': {'name': '%s', 'namespace': '" WORLD_NS "'},"
        " 'spec': {'workflow': '%s', 'parameter': '%s', 'trigger': {'seq': 1, 'type': 'adhoc',"
        " 'id': 'named-%d', 'key': 'named-%d', 'workflowUID': '%s'}}}",
        name, workflow, parameter, id, id,
        world_text(&s->w, &workflow_resource, workflow, "metadata.uid"));

    if (!world_get(&s->w, &instance_resource, name))
        world_create(&s->w, &instance_resource, text);
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

/* As the API does: for the workflow that is there. */
static void trigger_named(struct storm *s, const struct instance *inst)
{
    CLEANUP(free) char *uid =
        xasprintf("'%s'", world_text(&s->w, &workflow_resource, inst->workflow, "metadata.uid"));

    trigger_for(s, inst, uid);
}

/* Another object of the name, perhaps another workflow by its id, before our watch can have told of
 * that: and at once a run of it, or an older run of the name again. */
static void remake(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);
    const char *id = storm_one_of(s, 2) ? "hand" : "other-hand";
    CLEANUP(free) char *spec = xasprintf("{'workflowId': '%s', %s", id, &NEW_SPEC[1]);

    fake_set_lag(s->w.fake, &workflow_resource, 0, storm_between(s, 0, MINUTE_MS));
    world_delete(&s->w, &workflow_resource, "hand");
    if (world_get(&s->w, &workflow_resource, "hand"))
        return;
    world_deploy(&s->w, "hand", spec);
    if (storm_one_of(s, 2))
        run_one(s, "hand");
    else
        run_named(s, "hand");
    if (!inst || strcmp(inst->workflow, "hand") != 0)
        return;
    if (storm_one_of(s, 2))
        trigger_named(s, inst);
    else
        storm_halt_and_trigger(s, inst);
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

/* One that is deleted while a second create of it is on its way comes back by that, and runs again:
 * nobody can know better. */
static bool comes_back(struct storm *s, const char *name)
{
    return fake_is_coming(s->w.fake, &instance_resource, name);
}

static void delete_instance(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (!inst || comes_back(s, inst->id.name))
        return;
    world_delete(&s->w, &instance_resource, inst->id.name);
    if (storm_one_of(s, 2) && !world_get(&s->w, &instance_resource, inst->id.name))
        world_run_by_hand(&s->w, inst->workflow, inst->parameter);
}

bool storm_set_back(struct storm *s, const struct instance *inst)
{
    const json_t *json = world_get(&s->w, &workflow_resource, inst->workflow);
    CLEANUP(workflow_free) struct workflow *wf = json ? workflow_decode(json) : NULL;
    struct schedule schedule;
    struct error ignored;
    instant t;
    char text[INSTANT_TEXT_MAX];

    if (!wf || instance_active(inst) || !wf->status.observed_schedule ||
        !schedule_parse(wf->status.observed_schedule, &schedule, &ignored) ||
        !partition_parse(&schedule, inst->parameter, &t, &ignored))
        return false;
    instant_print(t, text);
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'setNext': {'next': '%s', 'nextOffset': '%s', 'id': 'race-%d'}}}",
                  text, text, ++s->n_wishes);
    world_patch(&s->w, &workflow_resource, inst->workflow, patch);
    return true;
}

void storm_delete_and_run(struct storm *s, const struct instance *inst)
{
    if (comes_back(s, inst->id.name))
        return;
    world_delete(&s->w, &instance_resource, inst->id.name);
    if (!world_get(&s->w, &instance_resource, inst->id.name))
        world_run_by_hand(&s->w, inst->workflow, inst->parameter);
}

static void delete_first(void *arg)
{
    struct storm *s = arg;
    CLEANUP(free) char *name = TAKE(s->deleted_first);
    const json_t *json = world_get(&s->w, &instance_resource, name);

    if (!json || comes_back(s, name))
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
static void delete_triggered(struct storm *s)
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
static void hold(struct storm *s)
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
    const char *uid = world_text(&s->w, &workflow_resource, "hand", "metadata.uid");
    if (!object || !*uid)
        return;
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'trigger': {'seq': %" PRId64 ", 'type': 'adhoc', 'id': 'held-%d',"
                  " 'key': 'held-%d', 'workflowUID': '%s'}}}",
                  instance_last_seq(inst) + 1, n, n, uid);
    patch_instance(s, inst, patch);
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
static void end_unsaid(struct storm *s)
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
static void abandon(struct storm *s)
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

static void delete_cascading(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_pick_instance(s);

    if (inst && !comes_back(s, inst->id.name))
        fake_delete_cascading(s->w.fake, &instance_resource, WORLD_NS, inst->id.name, "Foreground");
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

static void note_name(const json_t *object, void *arg)
{
    texts_add(arg, json_text_at(object, "metadata.name"));
}

void storm_suspend_all(struct storm *s)
{
    struct texts names = {0};

    fake_foreach(s->w.fake, &workflow_resource, note_name, &names);
    for (size_t i = 0; i < names.n; i++)
        world_patch(&s->w, &workflow_resource, names.items[i], "{'spec': {'suspend': true}}");
    texts_done(&names);
}

static const struct mishap rows[] = {
    {"deploy", 20, deploy, 0, "kubectl apply of a workflow"},
    {"delete-workflow", 5, delete_workflow, 0, "a workflow is deleted, perhaps made again"},
    {"twin", 0, deploy_twin, 0, "a second workflow of a name, and perhaps the first one goes"},
    {"edit-workflow", 30, edit_workflow, 0, "a workflow is changed, not always well"},
    {"set-next", 10, set_next, 0, "a cursor is set"},
    {"run-by-hand", 70, run_by_hand, 0, "an instance is created"},
    {"run-new", 15, run_new, 0, "a new workflow, and a run of it at once"},
    {"run-unseen", 0, run_unseen, 0, "the same, and watches lag"},
    {"remake", 0, remake, 0, "a workflow is made again, perhaps as another one, and run at once"},
    {"trigger-again", 50, trigger_again, 0, "an instance gets another trigger"},
    {"halt", 40, halt, 0, "a run is halted"},
    {"halt-and-trigger", 40, halt_and_trigger, 0, "both at once"},
    {"retry-now", 25, retry_now, 0, "a retry is brought forward"},
    {"delete-instance", 30, delete_instance, 0, "an instance is deleted, perhaps made again"},
    {"delete-foreground", 8, delete_cascading, 0, "an instance is deleted in the foreground"},
    {"restore-instance", 2, restore_instance, 0, "an instance is restored without its status"},
    {"end-unsaid", 0, end_unsaid, 0, "a run ends for a reason that goes away, and nobody says so"},
    {"hold", 0, hold, 0, "its workflow is replaced while nothing of a run can be stored"},
    {"delete-triggered", 0, delete_triggered, 0, "an instance is deleted as it is triggered again"},
    {"delete-pod", 20, delete_pod, 0, "a pod is deleted"},
    {"force-delete-pod", 20, force_delete_pod, 0, "a pod is deleted by force"},
    {"abandon", 0, abandon, 0, "the same as its node is lost, and it is run again"},
    {"unlabel-pod", 0, unlabel_pod, 0, "a pod loses its label"},
};
const struct mishap_table storm_people = {"people", rows, ARRAY_SIZE(rows)};
