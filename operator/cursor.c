/* SPDX-License-Identifier: Apache-2.0 */
/* Time → triggers.  Create the instance, then advance the cursor (design, section 4). */
#include "operator/cursor_private.h"

#include <string.h>

/* Neither of two leaders knows that his clock is wrong (clock.h), to within a second. */
#define CLOCKS_APART_MS (2 * (CLOCK_WRONG_MS + SECOND_MS))
#define LOOKS_AT_ONCE   64 /* at cursors that wait for room, for one run that ends */

/* ---- room in all ---- */

/* Those that are being asked for count, or a moment would ask for too many; and those that may take
 * effect yet, or a control plane that answers late would get more and more. */
static size_t count_unfinished(const struct operator *op)
{
    return k8s_informer_count_indexed(op->instances, ACTIVE_BY_WORKFLOW) + op->n_triggering;
}

/* How many of those that wait are worth looking at.  At the ceiling each run that ends makes room
 * for one; far below it nobody must be left waiting. */
static size_t worth_looking(const struct operator *op)
{
    size_t n = count_unfinished(op), room = settings_room_to_catch_up(op->settings);

    if (n >= op->settings->max_unfinished)
        return 0;
    if (n < room / 2)
        return SIZE_MAX;
    return n >= room ? 1 : room - n < LOOKS_AT_ONCE ? room - n : LOOKS_AT_ONCE;
}

static void look_at_waiting(struct operator *op)
{
    struct list *link;

    if (list_empty(&op->cursors_wait))
        return;
    for (size_t n = worth_looking(op); n > 0 && (link = list_pop_front(&op->cursors_wait)); n--)
        work_add(&list_entry(link, struct cursor_ctl, waits)->work);
}

static void set_triggering(struct cursor_ctl *ctl, bool triggering)
{
    struct operator *op = ctl->op;

    if (triggering == ctl->triggering)
        return;
    ctl->triggering = triggering;
    op->n_triggering += triggering ? 1 : (size_t) -1;
    if (!triggering)
        look_at_waiting(op);
}

void cursor_take_place(struct cursor_ctl *ctl)
{
    set_triggering(ctl, true);
}

/* Whether it took effect is not known, nor shown by our copy yet. */
static bool in_doubt(const struct cursor_ctl *ctl)
{
    return loop_now(ctl->op->loop, LOOP_MONOTONIC) < ctl->doubt_until;
}

/* What is in doubt keeps its place until it is settled; if that fails, the back-off tries again. */
void cursor_leave_place(struct cursor_ctl *ctl)
{
    if (in_doubt(ctl))
        work_add_at(&ctl->work, LOOP_MONOTONIC, ctl->doubt_until);
    else if (ctl->doubt_until == 0)
        set_triggering(ctl, false);
}

void cursor_end_doubt(struct cursor_ctl *ctl)
{
    ctl->doubt_until = 0;
    set_triggering(ctl, false);
}

/* ---- life ---- */

static void ctl_free(struct cursor_ctl *ctl)
{
    burst_leave(&ctl->store_waits);
    k8s_cancel(ctl->call);
    work_done(&ctl->work);
    map_remove(&ctl->op->cursors, &ctl->by_key);
    list_remove(&ctl->waits);
    set_triggering(ctl, false);
    free(ctl->done.reason);
    free(ctl->key);
    free(ctl->uid);
    free(ctl);
}

static struct cursor_ctl *ctl_find(struct operator *op, const char *key)
{
    struct map_node *node = map_get(&op->cursors, key);

    return node ? container_of(node, struct cursor_ctl, by_key) : NULL;
}

static struct cursor_ctl *ctl_new(struct operator *op, const struct k8s_object *object)
{
    struct cursor_ctl *ctl = NEW(struct cursor_ctl);

    ctl->op = op;
    ctl->key = xstrdup(object->key);
    ctl->uid = xstrdup(object->meta.uid);
    work_init(&ctl->work, &op->cursor_queue);
    map_add(&op->cursors, &ctl->by_key, ctl->key);
    return ctl;
}

/* ---- what is known ---- */

static bool older(const struct workflow *a, const struct workflow *b)
{
    if (a->id.created != b->id.created)
        return a->id.created < b->id.created;
    return strcmp(a->id.uid, b->id.uid) < 0;
}

const struct workflow *workflow_elder(struct operator *op, const struct workflow *wf)
{
    CLEANUP(free) char *pair = pair_key(workflow_component(wf), workflow_id(wf));
    struct k8s_object *object = k8s_informer_first(op->workflows, WORKFLOWS_BY_PAIR, pair);

    for (; object; object = k8s_informer_next(object, WORKFLOWS_BY_PAIR)) {
        const struct workflow *other = object->value;
        const char *ns = settings_component_ns(op->settings, workflow_component(other));

        if (other != wf && strcmp(other->id.ns, ns) == 0 && older(other, wf))
            return other;
    }
    return NULL;
}

static int count_active(struct operator *op, const struct k8s_object *workflow)
{
    struct k8s_object *object =
        k8s_informer_first(op->instances, ACTIVE_BY_WORKFLOW, workflow->key);
    int n = 0;

    for (; object; object = k8s_informer_next(object, ACTIVE_BY_WORKFLOW))
        n++;
    return n;
}

static struct trigger_view gather(struct cursor_ctl *ctl, const struct k8s_object *object)
{
    struct operator *op = ctl->op;
    const struct workflow *wf = object->value;

    bool own_place = ctl->triggering && cursor_still_there(ctl, wf); /* it is for this partition */
    return (struct trigger_view) {
        .wf = wf,
        .elder = workflow_elder(op, wf),
        .component_ns = settings_component_ns(op->settings, workflow_component(wf)),
        .n_active = count_active(op, object) + (ctl->triggering && !own_place),
        .n_unfinished = count_unfinished(op) - own_place,
        .done = &ctl->done,
        .now = loop_now(op->loop, LOOP_OF_DAY),
    };
}

/* ---- steps ---- */

/* The instance is there; that the cursor has passed it may be said when the pods are on their way.
 * But not of what an earlier leader made: if leaders live for less than a burst, none would ever
 * say it. */
static bool store_waits(struct cursor_ctl *ctl)
{
    return ctl->done.triggered && !ctl->was_there &&
           burst_wait(ctl->op, &ctl->store_waits, &ctl->work);
}

/* Our copy has what was asked for. */
static bool is_shown(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    CLEANUP(free) char *name = instance_name(wf->id.name, ctl->asked.parameter);
    const struct k8s_object *object = k8s_informer_get(ctl->op->instances, wf->id.ns, name);

    return object &&
           cursor_is_trigger_of(object->value, wf, ctl->asked.parameter, ctl->asked.epoch);
}

/* The partition at which the cursor stands, as it was named when that was set. */
static bool print_next(const struct workflow *wf, char ret_text[PARTITION_TEXT_MAX])
{
    struct timing timing;

    return workflow_observed_timing(wf, &timing) &&
           partition_print(&timing.schedule, wf->status.cursor.next, ret_text);
}

/* An earlier leader triggered it and could not say so: that is all that is left to do, at once.  It
 * takes a place by itself, and waits for none; and if somebody triggers it again meanwhile, nothing
 * tells any more that it was made. */
static bool is_there(const struct cursor_ctl *ctl, const struct workflow *wf, const char *parameter)
{
    CLEANUP(free) char *name = instance_name(wf->id.name, parameter);
    struct k8s_object *object = k8s_informer_get(ctl->op->instances, wf->id.ns, name);
    const struct instance *inst = object ? object->value : NULL;

    return inst && !inst->id.deleting &&
           cursor_is_trigger_of(inst, wf, parameter, wf->status.cursor.epoch);
}

/* It is passed by, or the cursor is set away from it.  What of it is triggered, or will be yet, has
 * to be known: it takes a place, and what a wish leaves as it is depends on it.  What is not due by
 * any clock that may have been a leader's is not. */
static bool passes_by(const struct trigger_step *step, const struct trigger_view *v)
{
    const struct cursor *from = &v->wf->status.cursor, *to = &step->status.cursor;

    if (step->kind != TRIGGER_STORE)
        return false;
    return step->status.n_passed > 0 ||
           (to->epoch > from->epoch && cursor_due(from, v->now + CLOCKS_APART_MS));
}

/* What was asked for before the cursor was set may be made yet.  With another create its place
 * would be forgotten. */
static bool other_may_come(const struct cursor_ctl *ctl, const struct workflow *wf)
{
    return ctl->doubt_until > 0 && !cursor_still_there(ctl, wf);
}

/* What was triggered is neither asked for nor passed by. */
static struct trigger_step decide(struct cursor_ctl *ctl, const struct trigger_view *view)
{
    struct trigger_step step = trigger_decide(view, ctl->op->settings);
    bool asks = step.blocked || step.kind == TRIGGER_CREATE || passes_by(&step, view);
    char next[PARTITION_TEXT_MAX];

    if (!asks || cursor_is_seen_to(ctl, view->wf) || other_may_come(ctl, view->wf) ||
        !print_next(view->wf, next) || !is_there(ctl, view->wf, next))
        return step;
    cursor_found_triggered(ctl, view->wf, next);
    trigger_step_done(&step);
    return trigger_decide(view, ctl->op->settings);
}

/* An earlier leader may have triggered what is to be passed by, and our copy not show it yet; and
 * what is in doubt may be made yet.  True if that has to be known before.  What has no name, since
 * the cursor was never set, was not triggered under it. */
static bool must_prove(const struct cursor_ctl *ctl, const struct trigger_view *v,
                       const struct trigger_step *step)
{
    char ignored[PARTITION_TEXT_MAX];
    bool known =
        cursor_is_seen_to(ctl, v->wf) || (ctl->asked.absent && cursor_still_there(ctl, v->wf));

    return passes_by(step, v) && (ctl->doubt_until > 0 || (!known && print_next(v->wf, ignored)));
}

/* What is read proves nothing before all that was sent has had its effect. */
static enum work_result prove_absent(struct cursor_ctl *ctl, const struct workflow *wf)
{
    char next[PARTITION_TEXT_MAX];
    int64_t settled_at = ctl->op->settled_at;

    if (ctl->doubt_until > 0)
        return WORK_DONE; /* looked at again when it is over */
    if (loop_now(ctl->op->loop, LOOP_MONOTONIC) < settled_at) {
        work_add_at(&ctl->work, LOOP_MONOTONIC, settled_at);
        return WORK_DONE;
    }
    print_next(wf, next);
    return cursor_prove(ctl, wf, next);
}

enum work_result cursor_look(struct work *work)
{
    struct cursor_ctl *ctl = container_of(work, struct cursor_ctl, work);
    struct k8s_object *object = k8s_informer_get_key(ctl->op->workflows, ctl->key);

    if (!object || strcmp(object->meta.uid, ctl->uid) != 0 || clock_wrong(ctl->op) ||
        !lead_knows(ctl->op, object->meta.ns))
        return WORK_DONE; /* when the clock is right again, everything is looked at */
    if (ctl->triggering && (ctl->doubt_until == 0 || is_shown(ctl, object->value)))
        cursor_end_doubt(ctl);
    if (ctl->doubt_until > 0 && !in_doubt(ctl)) /* the copy may lag for longer than that */
        return cursor_settle(ctl, object->value);
    struct trigger_view view = gather(ctl, object);
    struct trigger_step step = decide(ctl, &view);
    enum work_result result = WORK_DONE;
    list_remove(&ctl->waits);
    if (step.wants_room)
        list_push_back(&ctl->op->cursors_wait, &ctl->waits);
    if (step.kind == TRIGGER_STORE && store_waits(ctl)) {
        burst_check(ctl->op);
    } else if (must_prove(ctl, &view, &step)) {
        result = prove_absent(ctl, view.wf);
    } else if (step.kind == TRIGGER_STORE) {
        ctl->news = trigger_news(&view.wf->status, &step.status);
        result = cursor_store(ctl, object, &step.status);
    } else if (step.kind == TRIGGER_CREATE && !other_may_come(ctl, view.wf)) {
        result = cursor_create(ctl, view.wf, step.partition);
    } else if (step.look_again_at != INSTANT_NONE) {
        work_add_at(&ctl->work, LOOP_OF_DAY, step.look_again_at);
    }
    if (result == WORK_DONE)
        cursor_leave_place(ctl);
    trigger_step_done(&step);
    return result;
}

/* ---- events ---- */

void cursor_setup(struct operator *op)
{
    map_init(&op->cursors);
    list_init(&op->cursors_wait);
    queue_init(&op->cursor_queue, op->loop, op->rng, cursor_look, op->settings->max_steps);
}

/* A workflow that changes its pair, or goes, may free the pair for another. */
static void look_at_namesakes(struct operator *op, const struct workflow *wf)
{
    CLEANUP(free) char *pair = pair_key(workflow_component(wf), workflow_id(wf));
    struct k8s_object *object = k8s_informer_first(op->workflows, WORKFLOWS_BY_PAIR, pair);

    for (; object; object = k8s_informer_next(object, WORKFLOWS_BY_PAIR)) {
        struct cursor_ctl *ctl = ctl_find(op, object->key);

        if (ctl)
            work_add(&ctl->work);
    }
}

void cursor_on_workflow(struct operator *op, const struct k8s_object *old,
                        const struct k8s_object *new)
{
    struct cursor_ctl *ctl = ctl_find(op, (new ? new : old)->key);

    if (ctl && (!new || strcmp(ctl->uid, new->meta.uid) != 0)) {
        ctl_free(ctl);
        ctl = NULL;
    }
    if (!new) {
        look_at_namesakes(op, old->value);
        return;
    }
    if (!ctl)
        ctl = ctl_new(op, new);
    work_add(&ctl->work);
}

/* Room below maxActive, and in all, is made by runs that end; a partition may wait for the end of
 * its object. */
void cursor_on_instance(struct operator *op, const struct k8s_object *old,
                        const struct k8s_object *new)
{
    bool was = old && instance_active(old->value), is = new &&instance_active(new->value);
    bool went = old && !new && old->meta.deleting;

    if (!went && (!was || is))
        return;
    look_at_waiting(op);
    const struct instance *inst = old->value;
    CLEANUP(free) char *key = object_key(inst->id.ns, inst->workflow);
    struct cursor_ctl *ctl = ctl_find(op, key);
    if (ctl)
        work_add(&ctl->work);
}

void cursor_forget(struct operator *op)
{
    struct cursor_ctl *ctl;

    map_foreach (ctl, &op->cursors, by_key)
        ctl_free(ctl);
}
