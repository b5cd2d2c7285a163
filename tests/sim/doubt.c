/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod whose create takes effect late, and what could lead to a second one beside it: its run is
 * halted and triggered again, its instance is deleted and made anew, the create is refused when it
 * is sent once more, who sent it dies, watches lag, the pod before it is deleted by force.
 *
 * Each of these happens by itself, too, but seldom in these few seconds.
 */
#include "sim/storm.h"

#include <string.h>

#define MOST_BETWEEN_MS (4 * SECOND_MS)

static void halt(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_instance(s, s->doubt.instance);

    if (inst)
        storm_halt_and_trigger(s, inst);
}

static void delete (struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = storm_instance(s, s->doubt.instance);

    if (inst)
        storm_delete_and_run(s, inst);
}

static void refuse(struct storm *s)
{
    fake_fail_next(s->w.fake, FAKE_NO_ACCOUNT, (int) storm_between(s, 1, 3), K8S_CREATE, "pods");
}

static void kill(struct storm *s)
{
    storm_kill(s, s->doubt.operator_index);
}

static void lag(struct storm *s)
{
    fake_set_lag(s->w.fake, &pod_resource, 0, storm_between(s, 0, 2 * MINUTE_MS));
}

struct others {
    const struct doubt *doubt;
    struct texts names;
};

static void note_other(const json_t *object, void *arg)
{
    struct others *others = arg;
    CLEANUP(pod_free) struct pod *pod = pod_decode(object);

    if (pod->instance && strcmp(pod->instance, others->doubt->instance) == 0 &&
        strcmp(pod->id.name, others->doubt->pod) != 0)
        texts_add(&others->names, pod->id.name);
}

static void force_delete_others(struct storm *s)
{
    struct others others = {.doubt = &s->doubt};

    fake_foreach(s->w.fake, &pod_resource, note_other, &others);
    for (size_t i = 0; i < others.names.n; i++)
        storm_force_delete(s, others.names.items[i]);
    texts_done(&others.names);
}

static const struct deed {
    const char *name;
    void (*act)(struct storm *s);
} deeds[] = {
    {"halted and triggered", halt},
    {"deleted and made again", delete},
    {"refused from now on", refuse},
    {"its operator dies", kill},
    {"what happens to pods is told late", lag},
    {"pods before it are deleted by force", force_delete_others},
};

static void go_on(struct storm *s, int64_t after_ms)
{
    loop_timer_set(s->w.loop, &s->doubt.next, LOOP_MONOTONIC,
                   storm_now(s) + after_ms + storm_between(s, 0, MOST_BETWEEN_MS));
}

/* What follows a death is done at once, or when the next one leads. */
static int64_t pause_after(struct storm *s, const struct deed *deed)
{
    return deed->act == kill && storm_one_of(s, 2) ? s->w.settings[0].lease_duration_ms : 0;
}

/* One that was not done yet. */
static const struct deed *next_deed(struct storm *s)
{
    size_t i = rng_below(&s->rng, ARRAY_SIZE(deeds));

    while (s->doubt.done >> i & 1)
        i = (i + 1) % ARRAY_SIZE(deeds);
    s->doubt.done |= 1U << i;
    return &deeds[i];
}

static void on_time(void *arg)
{
    struct storm *s = arg;
    const struct deed *deed = next_deed(s);

    storm_note(s, deed->name, s->doubt.pod);
    deed->act(s);
    if (--s->doubt.n_deeds > 0)
        go_on(s, pause_after(s, deed));
    else
        storm_doubt_end(s);
}

static int see(struct storm *s, const struct k8s_request *r, int i)
{
    struct doubt *d = &s->doubt;
    char *instance = storm_pod_created_for(r);

    if (!instance)
        return -1;
    s->aim = NULL;
    *d = (struct doubt) {.operator_index = i,
                         .n_deeds = (int) storm_between(s, 1, ARRAY_SIZE(deeds)),
                         .instance = instance,
                         .pod = xstrdup(r->name),
                         .next = {.on_time = on_time, .arg = s}};
    storm_note(s, "comes late", d->pod);
    go_on(s, 0);
    return FAKE_LATE;
}

/* Nothing else is done than what asks for another pod. */
static int see_untold(struct storm *s, const struct k8s_request *r, int i)
{
    int fault = see(s, r, i);

    if (fault < 0)
        return fault;
    fake_set_lag(s->w.fake, &pod_resource, MINUTE_MS, 2 * MINUTE_MS);
    s->doubt.n_deeds = 1;
    for (unsigned k = 0; k < ARRAY_SIZE(deeds); k++)
        if (deeds[k].act != halt && deeds[k].act != delete)
            s->doubt.done |= 1U << k;
    return fault;
}

static void begin(struct storm *s, int (*aim)(struct storm *s, const struct k8s_request *r, int i))
{
    if (!s->doubt.pod && !s->aim)
        s->aim = aim;
}

void storm_doubt(struct storm *s)
{
    begin(s, see);
}

void storm_untold(struct storm *s)
{
    begin(s, see_untold);
}

void storm_doubt_end(struct storm *s)
{
    loop_timer_cancel(s->w.loop, &s->doubt.next);
    free(TAKE(s->doubt.instance));
    free(TAKE(s->doubt.pod));
}
