/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/handover.h"

#include "base/log.h"
#include "operator/operator.h"
#include "operator/unsettled.h"

#include <string.h>

static int64_t monotonic(const struct operator *op)
{
    return loop_now(op->loop, LOOP_MONOTONIC);
}

/* ---- the old leader ---- */

/* Kubernetes Events decide nothing, and the lease speaks for itself. */
static bool matters(const struct k8s_ended *ended)
{
    return k8s_verb_writes(ended->verb) && ended->lane != K8S_LANE_EVENT &&
           ended->lane != K8S_LANE_LEASE;
}

/* What is cancelled in good order is so because its object is gone, so that a change of it has no
 * effect any more.  A create may have. */
static bool in_doubt(const struct k8s_ended *ended)
{
    if (!ended->reply)
        return ended->verb == K8S_CREATE;
    return ended->reply->error.code == ERROR_UNKNOWN;
}

/* A pod that is made is newer than all pods that were written before it was asked for, unless etcd
 * was restored since.  The lease shows that, too, but is not looked at for a third of its time. */
static void check_age(struct operator *op, const struct k8s_ended *ended)
{
    struct handover *h = &op->handover;
    int64_t now = loop_now_fresh(op->loop, LOOP_BOOT);
    uint64_t version;

    if (ended->resource != &pod_resource || !ended->reply ||
        ended->reply->error.code != ERROR_NONE || !k8s_verb_writes(ended->verb) ||
        !k8s_version_parse(ended->reply->resource_version, &version))
        return;
    bool back =
        ended->verb == K8S_CREATE && version < h->newest && h->newest_at < now - ended->took_ms;
    if (!back && version <= h->newest)
        return;
    h->newest = version;
    h->newest_at = now;
    if (back)
        lease_look(op->lease);
}

void handover_note(struct operator *op, const struct k8s_ended *ended)
{
    struct handover *h = &op->handover;
    uint64_t version;

    check_age(op, ended);
    if (!matters(ended))
        return;
    if (in_doubt(ended)) {
        h->n_in_doubt++;
        h->doubt_until = monotonic(op) + SETTLED_MS;
        if (ended->verb == K8S_CREATE && ended->resource == &pod_resource)
            settling_note_create(op);
    } else if (ended->reply && ended->reply->error.code == ERROR_NONE && ended->ns &&
               k8s_version_parse(ended->reply->resource_version, &version)) {
        marks_note(&h->written, ended->resource->plural, ended->ns, version);
    }
}

/* A completed DELETE answers no version; its event has one.  What else was seen is worth as much:
 * it is what the decisions of this leader were made from. */
static void note_events(struct operator *op, const struct k8s_informer *informer,
                        const char *plural)
{
    const struct texts *ns = &op->settings->namespaces;

    for (size_t i = 0; i < ns->n || i == 0; i++) {
        const char *name = ns->n ? ns->items[i] : "";
        uint64_t version = k8s_informer_told(informer, name);

        if (version > 0)
            marks_note(&op->handover.written, plural, name, version);
    }
}

char *handover_record(struct operator *op)
{
    struct handover *h = &op->handover;
    int64_t until = h->doubt_until > op->settled_at ? h->doubt_until : op->settled_at;

    if (!op->leading)
        return xstrdup("");
    h->written.doubt_ms = until - monotonic(op);
    if (h->written.doubt_ms <= 0 && settling_is_due(op))
        h->written.doubt_ms = 1;
    note_events(op, op->workflows, workflow_resource.plural);
    note_events(op, op->instances, instance_resource.plural);
    note_events(op, op->pods, pod_resource.plural);
    return marks_print(&h->written);
}

/* ---- the new leader ---- */

static const struct k8s_informer *informer_of(const struct operator *op, const char *plural)
{
    if (strcmp(plural, workflow_resource.plural) == 0)
        return op->workflows;
    if (strcmp(plural, instance_resource.plural) == 0)
        return op->instances;
    return strcmp(plural, pod_resource.plural) == 0 ? op->pods : NULL;
}

/* A kind or a namespace that this operator does not watch, or has left out, is of no interest to
 * it. */
static bool reached(const struct operator *op, const struct mark *mark)
{
    const struct k8s_informer *informer = informer_of(op, mark->plural);

    return !informer || !k8s_informer_knows(informer, mark->ns) ||
           k8s_informer_reached(informer, mark->ns) >= mark->version;
}

static bool all_reached(const struct operator *op)
{
    const struct mark *mark;

    marks_foreach(mark, &op->handover.wanted) if (!reached(op, mark)) return false;
    return true;
}

static void end_waiting(struct operator *op)
{
    op->handover.waiting = false;
    loop_timer_cancel(op->loop, &op->handover.give_up);
    marks_clear(&op->handover.wanted);
}

/* What the last leader wrote may not be in our copy yet, nor in a list that is under way. */
static void list_again(struct operator *op)
{
    end_waiting(op);
    op->handover.caught_up = true;
    marks_clear(&op->handover.written); /* it is in the lists, unless etcd was restored since */
    op->handover.newest = 0;
    op->settled_at = monotonic(op) + SETTLED_MS;
    k8s_informer_resync(op->workflows);
    k8s_informer_resync(op->instances);
    k8s_informer_resync(op->pods);
}

static void on_give_up(void *arg)
{
    struct operator *op = arg;

    log_warning("what the last leader wrote is not reached; listing again");
    list_again(op);
}

static void on_look(void *arg)
{
    struct operator *op = arg;

    if (op->handover.waiting && all_reached(op)) {
        if (op->handover.wanted.doubt_ms <= 0)
            settling_trust(op, op->settled_at);
        op->handover.caught_up = true;
        end_waiting(op);
    }
    lead_when_ready(op);
}

void handover_progress(struct operator *op)
{
    if (op->handover.waiting)
        loop_task_queue(op->loop, &op->handover.look);
}

/* A cursor that was stored without an answer may be ahead of our copy.  Partitions before it must
 * not be looked at again: somebody may have triggered them anew since, or deleted them. */
static void list_cursors(struct operator *op)
{
    k8s_informer_resync(op->workflows);
}

/* Calls were given up when the lease was lost.  All else is as for a leader who kept it. */
static void go_on(struct operator *op)
{
    op->settled_at = monotonic(op) + SETTLED_MS;
    list_cursors(op);
    loop_task_queue(op->loop, &op->handover.look);
}

static void wait_for(struct operator *op, const char *record)
{
    struct handover *h = &op->handover;

    h->caught_up = false;
    marks_clear(&h->wanted);
    if (!marks_parse(&h->wanted, record)) {
        list_again(op);
        return;
    }
    h->waiting = true;
    if (h->wanted.doubt_ms > 0)
        list_cursors(op);
    op->settled_at = monotonic(op) + h->wanted.doubt_ms;
    loop_timer_set(op->loop, &h->give_up, LOOP_MONOTONIC, monotonic(op) + HANDOVER_WAIT_MS);
    loop_task_queue(op->loop, &h->look);
}

void handover_begin(struct operator *op, const char *record, bool goes_on)
{
    if (goes_on && op->handover.caught_up)
        go_on(op);
    else
        wait_for(op, record);
}

void handover_forget(struct operator *op)
{
    end_waiting(op);
}

bool handover_complete(const struct operator *op)
{
    return !op->handover.waiting;
}

void handover_setup(struct operator *op)
{
    struct handover *h = &op->handover;

    settling_setup(op);
    marks_init(&h->written);
    marks_init(&h->wanted);
    h->give_up = (struct loop_timer) {.on_time = on_give_up, .arg = op};
    h->look = (struct loop_task) {.on_turn = on_look, .arg = op};
}

void handover_done(struct operator *op)
{
    end_waiting(op);
    settling_end(op);
    loop_task_cancel(&op->handover.look);
    marks_clear(&op->handover.written);
    map_done(&op->handover.written.by_key);
    map_done(&op->handover.wanted.by_key);
}
