/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service account of a workflow is deleted for good: from then on each pod of it is refused,
 * whatever became of requests before, or nobody hears what became of the request.  In the end, with
 * all other faults over, its runs are halted, and that has to be answered.
 */
#include "sim/storm.h"

#include <string.h>

#define MOST_AGAIN 3

struct halts {
    struct storm *s;
    struct texts names;
};

static bool is_of(const char *instance, const char *workflow)
{
    size_t len = strlen(workflow);

    return strncmp(instance, workflow, len) == 0 && instance[len] == '.';
}

void storm_lose_account(struct storm *s)
{
    if (!s->no_account)
        s->no_account = storm_pick(s, &workflow_resource);
    if (s->no_account)
        storm_note(s, "has no account", s->no_account);
}

int storm_account_judge(struct storm *s, const struct k8s_request *r)
{
    CLEANUP(free) char *instance = s->no_account ? storm_pod_created_for(r) : NULL;

    if (!instance || !is_of(instance, s->no_account))
        return -1;
    s->n_refused++;
    return !s->account_halted && storm_one_of(s, 4) ? FAKE_LOSE_REQUEST : FAKE_NO_ACCOUNT;
}

static void note_rested(const json_t *object, void *arg)
{
    struct halts *h = arg;
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);

    if (is_of(inst->id.name, h->s->no_account) && !instance_active(inst))
        texts_add(&h->names, inst->id.name);
}

/* So that there is something to be halted. */
static void run_some(struct storm *s)
{
    struct halts h = {.s = s};

    fake_foreach(s->w.fake, &instance_resource, note_rested, &h);
    for (size_t i = 0; i < h.names.n && i < MOST_AGAIN; i++) {
        CLEANUP(instance_free) struct instance *inst = storm_instance(s, h.names.items[i]);

        if (inst)
            storm_trigger_again(s, inst);
    }
    texts_done(&h.names);
    world_run(&s->w, storm_between(s, SECOND_MS, 20 * SECOND_MS));
}

static void note_active(const json_t *object, void *arg)
{
    struct halts *h = arg;
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);

    if (is_of(inst->id.name, h->s->no_account) && inst->run.seq > 0 && instance_active(inst) &&
        inst->halt_through < inst->run.seq)
        texts_add(&h->names, inst->id.name);
}

static void halt_all(struct storm *s)
{
    struct halts h = {.s = s};

    fake_foreach(s->w.fake, &instance_resource, note_active, &h);
    for (size_t i = 0; i < h.names.n; i++) {
        const json_t *object = world_get(&s->w, &instance_resource, h.names.items[i]);
        CLEANUP(instance_free) struct instance *inst = instance_decode(object);

        storm_halt(s, inst);
    }
    texts_done(&h.names);
}

static void check_answered(const json_t *object, void *arg)
{
    struct storm *s = arg;
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);

    if (is_of(inst->id.name, s->no_account) && !instance_held(inst) && /* that says why it waits */
        inst->run.halted_through < inst->halt_through)
        observer_blame(&s->o, "%s, whose pods are refused: nobody answered the halt",
                       inst->id.name);
}

void storm_end_without_account(struct storm *s)
{
    if (!s->no_account)
        return;
    run_some(s);
    s->account_halted = true;
    halt_all(s);
    world_run(&s->w, 10 * MINUTE_MS);
    fake_foreach(s->w.fake, &instance_resource, check_answered, s);
    storm_account_found(s);
}

void storm_account_found(struct storm *s)
{
    free(TAKE(s->no_account));
}
