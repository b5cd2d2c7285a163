/* SPDX-License-Identifier: Apache-2.0 */
/* What people do to workflows: they deploy, edit, replace and delete them, and run new ones. */
#include "sim/people_internal.h"

#include "model/partition.h"
#include "model/validate.h"

#include <string.h>

#define NEW_SPEC "{'schedule': 'yearly', 'template': {'image': 'b:1', 'runningTimeout': 'PT3M'}}"
/* More than a status keeps. */
#define LONG_ARG  "'0123456789 0123456789 0123456789 0123456789 0123456789'"
#define LONG_8(x) x "," x "," x "," x "," x "," x "," x "," x
#define LONG_ARGS LONG_8(LONG_8(LONG_8(LONG_ARG)))
#define KEPT_NEW  5 /* workflows that are there for one run */

/* ---- what is deployed ---- */

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

void people_deploy(struct storm *s)
{
    deploy_one(s, (int) rng_below(&s->rng, (uint64_t) s->plan.n_workflows));
}

void people_delete_workflow(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &workflow_resource);

    if (name)
        world_delete(&s->w, &workflow_resource, name);
    if (storm_one_of(s, 2))
        storm_deploy_all(s);
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

/* ---- edits ---- */

void people_edit_workflow(struct storm *s)
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
void people_set_next(struct storm *s)
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

/* ---- first runs ---- */

static void run_one(struct storm *s, const char *workflow)
{
    CLEANUP(free) char *parameter = xasprintf("20%02d", (int) rng_below(&s->rng, 20));
    CLEANUP(free) char *name = instance_name(workflow, parameter);

    if (!world_get(&s->w, &instance_resource, name))
        world_run_by_hand(&s->w, workflow, parameter);
}

void people_run_by_hand(struct storm *s)
{
    run_one(s, "hand");
}

/* Another object says that it is the same workflow: whoever came first is. */
void people_deploy_twin(struct storm *s)
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

/* A workflow that nobody has heard of yet, and at once a run of it. */
void people_run_new(struct storm *s)
{
    int n = ++s->n_new;
    CLEANUP(free) char *name = xasprintf("new-%d", n), *old = xasprintf("new-%d", n - KEPT_NEW);

    world_delete(&s->w, &workflow_resource, old);
    world_deploy(&s->w, name, NEW_SPEC);
    world_run_by_hand(&s->w, name, "2020");
}

/* The same, before our watch can have told of it. */
void people_run_unseen(struct storm *s)
{
    fake_set_lag(s->w.fake, &workflow_resource, 0, storm_between(s, SECOND_MS, MINUTE_MS));
    people_run_new(s);
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

/* Another object of the name, perhaps another workflow by its id, before our watch can have told of
 * that: and at once a run of it, or an older run of the name again. */
void people_remake(struct storm *s)
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
        people_trigger_named(s, inst);
    else
        storm_halt_and_trigger(s, inst);
}
