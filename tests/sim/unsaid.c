/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cursors move, or runs go on, and nobody hears of it for a while: what is stored does not arrive,
 * or late, or its answer does not, and events come late, too.  What was triggered meanwhile is
 * deleted, or triggered once more by somebody else; and then the leader dies, or loses its lease
 * and is the one who takes it back.  What happened has happened all the same.
 *
 * Or a schedule triggers, that takes effect late, its leader goes, and the next one would rather
 * pass by what fell due; or it stays, and is asked for what may not run beside that.
 */
#include "sim/storm.h"

#include <string.h>

#define N_PICKS 12

static int see(struct storm *s, const struct k8s_request *r, int i)
{
    (void) i;
    if (r->verb != K8S_PATCH || !r->subresource || r->resource != s->unsaid)
        return -1;
    return (int) s->unsaid_fault;
}

static bool is_behind(struct storm *s, const struct instance *inst)
{
    CLEANUP(instance_free) struct instance *behind = storm_instance(s, inst->id.name);

    return behind != NULL;
}

/* What the schedule triggered and has run.  While the cursor stands at it, it may be triggered
 * once more, since its status tells of the first time, but not deleted. */
static void meddle(struct storm *s)
{
    CLEANUP(free) char *name = storm_pick(s, &instance_resource);
    CLEANUP(instance_free) struct instance *inst =
        name ? instance_decode(world_get(&s->w, &instance_resource, name)) : NULL;

    if (!inst || instance_active(inst) || !inst->run.natural_key)
        return;
    if (storm_one_of(s, 2))
        storm_trigger_again(s, inst);
    else if (is_behind(s, inst))
        world_delete(&s->w, &instance_resource, name);
}

/* Nobody else is there to take it. */
static void lose_lease(struct storm *s, int leader)
{
    int64_t lease = s->w.settings[0].lease_duration_ms;

    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        if (i != leader) {
            storm_kill(s, i);
            s->started_at[i] = storm_now(s) + 2 * lease + MINUTE_MS;
        }
    fake_partition(s->w.clients[leader], true);
    s->healed_at[leader] = storm_now(s) + lease + storm_between(s, 100, 3 * SECOND_MS);
}

static int leader(const struct storm *s)
{
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        if (s->w.operators[i] && !s->w.processes[i].frozen && !s->healed_at[i] &&
            operator_leading(s->w.operators[i]))
            return i;
    return -1;
}

static void end_leader(struct storm *s)
{
    int i = leader(s);

    if (i >= 0 && storm_one_of(s, 2))
        lose_lease(s, i);
    else if (i >= 0)
        storm_kill(s, i);
}

static void begin(struct storm *s, const struct k8s_resource *resource)
{
    static const enum fake_fault faults[] = {FAKE_LOSE_REPLY, FAKE_REFUSE, FAKE_LATE};

    s->unsaid = resource;
    s->unsaid_fault = faults[rng_below(&s->rng, ARRAY_SIZE(faults))];
    s->aim = see;
    fake_set_lag(s->w.fake, resource, MINUTE_MS, 2 * MINUTE_MS);
    world_run(&s->w, storm_between(s, 10 * SECOND_MS, 2 * MINUTE_MS));
    for (int i = 0; i < N_PICKS; i++)
        meddle(s);
    if (storm_one_of(s, 2)) /* what was triggered again may end */
        world_run(&s->w, storm_between(s, 10 * SECOND_MS, MINUTE_MS));
    end_leader(s);
    s->aim = NULL;
}

void storm_unsaid_cursor(struct storm *s)
{
    if (!s->aim)
        begin(s, &workflow_resource);
}

void storm_unsaid_run(struct storm *s)
{
    if (!s->aim)
        begin(s, &instance_resource);
}

/* ---- triggers ---- */

static int see_trigger(struct storm *s, const struct k8s_request *r, int i)
{
    struct error ignored;
    CLEANUP(json_decref) json_t *object = NULL;

    (void) i;
    if (r->verb != K8S_CREATE || r->resource != &instance_resource || s->unsaid_of ||
        !json_parse(r->body, strlen(r->body), &object, &ignored))
        return -1;
    s->unsaid_of = xstrdup(json_text_at(object, "spec.workflow"));
    return FAKE_LATE;
}

static bool is_seen(void *arg)
{
    const struct storm *s = arg;

    return s->unsaid_of != NULL;
}

/* Each lets what is due be passed by. */
static void pass_by(struct storm *s, const char *workflow)
{
    static const char *const edits[] = {
        "{'spec': {'schedule': '*/3 * * * *'}}", "{'spec': {'schedule': '1-59/2 * * * *'}}",
        "{'spec': {'offset': 'PT1M'}}",          "{'spec': {'template': {'image': null}}}",
        "{'spec': {'suspend': true}}",
    };
    size_t i = rng_below(&s->rng, ARRAY_SIZE(edits));

    storm_note(s, "is edited", workflow);
    world_patch(&s->w, &workflow_resource, workflow, edits[i]);
    if (!strstr(edits[i], "suspend"))
        return;
    world_run(&s->w, storm_between(s, SECOND_MS, 10 * SECOND_MS));
    world_patch(&s->w, &workflow_resource, workflow, "{'spec': {'suspend': false}}");
}

static void note_name(const json_t *object, void *arg)
{
    texts_add(arg, json_text_at(object, "metadata.name"));
}

static void allow_one(struct storm *s)
{
    struct texts names = {0};

    fake_foreach(s->w.fake, &workflow_resource, note_name, &names);
    for (size_t i = 0; i < names.n; i++)
        world_patch(&s->w, &workflow_resource, names.items[i], "{'spec': {'maxActive': 1}}");
    texts_done(&names);
}

/* What is asked for now has to wait for what may be made yet. */
static void go_back(struct storm *s, const char *workflow)
{
    int64_t now = loop_now(s->w.loop, LOOP_OF_DAY) / MINUTE_MS * MINUTE_MS;
    char text[INSTANT_TEXT_MAX];

    instant_print(now - 20 * MINUTE_MS, text);
    CLEANUP(free) char *patch =
        xasprintf("{'spec': {'setNext': {'next': '%s', 'nextOffset': '%s', 'id': 'back-%d'}}}",
                  text, text, ++s->n_wishes);
    storm_note(s, "goes back", workflow);
    world_patch(&s->w, &workflow_resource, workflow, patch);
}

void storm_unsaid_trigger(struct storm *s)
{
    bool stays = storm_one_of(s, 2);

    if (s->aim)
        return;
    if (stays)
        allow_one(s);
    s->aim = see_trigger;
    world_run_till(&s->w, 2 * MINUTE_MS, is_seen, s);
    s->aim = NULL;
    if (!s->unsaid_of)
        return;
    fake_set_lag(s->w.fake, &instance_resource, MINUTE_MS, 2 * MINUTE_MS);
    if (!stays)
        end_leader(s);
    world_run(&s->w, storm_between(s, 0, 5 * SECOND_MS));
    if (world_get(&s->w, &workflow_resource, s->unsaid_of))
        (stays ? go_back : pass_by)(s, s->unsaid_of);
    free(TAKE(s->unsaid_of));
}
