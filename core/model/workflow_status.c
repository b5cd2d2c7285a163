/* SPDX-License-Identifier: Apache-2.0 */
#include "model/workflow.h"

#include "model/field.h"

#include <limits.h>
#include <string.h>

/* ---- decoding ---- */

static bool decode_last_decision(const json_t *object, struct workflow_status *s, struct error *err)
{
    return field_text(object, "status.lastDecision.partition", &s->last_decision.partition, err) &&
           field_instant(object, "status.lastDecision.at", &s->last_decision.at, err) &&
           field_text(object, "status.lastDecision.result", &s->last_decision.result, err) &&
           field_text(object, "status.lastDecision.reason", &s->last_decision.reason, err) &&
           field_text(object, "status.lastDecision.message", &s->last_decision.message, err);
}

static bool decode_skipped_item(const json_t *item, struct skipped *skipped, struct error *err)
{
    *skipped = (struct skipped) {.from = INSTANT_NONE, .to = INSTANT_NONE, .at = INSTANT_NONE};
    return field_instant(item, "from", &skipped->from, err) &&
           field_instant(item, "to", &skipped->to, err) &&
           json_read_int(item, "count", 0, CURSOR_SKIP_COUNT_MAX, &skipped->count, err) &&
           field_text(item, "reason", &skipped->reason, err) &&
           field_instant(item, "at", &skipped->at, err);
}

static bool decode_skipped(const json_t *object, struct workflow_status *s, struct error *err)
{
    json_t *list = NULL, *item;
    size_t i;

    if (!json_read_array(object, "status.skipped", &list, err))
        return false;
    json_array_foreach (list, i, item) {
        if (i == WORKFLOW_MAX_SKIPPED)
            break;
        s->n_skipped++; /* before it is whole: who frees the status frees it too */
        if (!decode_skipped_item(item, &s->skipped[i], err))
            return error_prefix(err, "status.skipped: item %zu", i);
    }
    return true;
}

static bool decode_condition(const json_t *item, struct workflow_condition *c, struct error *err)
{
    return field_text(item, "type", &c->type, err) && field_text(item, "status", &c->status, err) &&
           field_text(item, "reason", &c->reason, err) &&
           field_text(item, "message", &c->message, err) &&
           json_read_int(item, "observedGeneration", 0, INT64_MAX, &c->observed_generation, err) &&
           field_instant(item, "lastTransitionTime", &c->since, err);
}

/* One that could not be told again, for want of its instant, is none: the operator sets it anew. */
static void forget_half(struct workflow_condition *c)
{
    if (c->since == INSTANT_NONE)
        free(TAKE(c->status));
}

static bool decode_ready(const json_t *object, struct workflow_status *s, struct error *err)
{
    json_t *list = NULL, *item;
    size_t i;

    if (!json_read_array(object, "status.conditions", &list, err))
        return false;
    json_array_foreach (list, i, item) {
        const char *type = json_text_at(item, "type");

        if (!type || strcmp(type, "Ready") != 0)
            continue;
        if (!decode_condition(item, &s->ready, err))
            return error_prefix(err, "status.conditions: item %zu", i);
        forget_half(&s->ready);
        return true;
    }
    return true;
}

/* An epoch without instants, or the other way round, would look like a cursor that was never set
 * and so trigger what was triggered before. */
static bool decode_cursor(const json_t *object, struct cursor *c, struct error *err)
{
    if (!json_read_int(object, "status.epoch", 0, INT64_MAX, &c->epoch, err) ||
        !field_instant(object, "status.next", &c->next, err) ||
        !field_instant(object, "status.nextOffset", &c->next_offset, err))
        return false;
    if (c->epoch > 0 && (c->next == INSTANT_NONE || c->next_offset == INSTANT_NONE))
        return error_set(err, ERROR_INVALID, "status.%s: missing",
                         c->next == INSTANT_NONE ? "next" : "nextOffset");
    return true;
}

bool workflow_status_decode(const json_t *object, struct workflow_status *s, struct error *err)
{
    return field_text(object, "status.componentId", &s->component_id, err) &&
           field_text(object, "status.workflowId", &s->workflow_id, err) &&
           json_read_int(object, "status.observedGeneration", 0, INT64_MAX, &s->observed_generation,
                         err) &&
           field_text(object, "status.observedSchedule", &s->observed_schedule, err) &&
           field_text(object, "status.observedOffset", &s->observed_offset, err) &&
           decode_cursor(object, &s->cursor, err) &&
           field_text(object, "status.setNextId", &s->set_next_id, err) &&
           decode_last_decision(object, s, err) && decode_skipped(object, s, err) &&
           json_read_bool(object, "status.suspended", &s->suspended, err) &&
           decode_ready(object, s, err);
}

/* ---- encoding ---- */

/* Members of an atomic block, or of a list: written as a whole, so absent ones are simply left out.
 */
static json_t *encode_skipped_item(const struct skipped *skipped)
{
    json_t *json = json_object();

    field_set_instant(json, "from", skipped->from);
    field_set_instant(json, "to", skipped->to);
    json_set_int(json, "count", skipped->count);
    json_set_text(json, "reason", skipped->reason);
    field_set_instant(json, "at", skipped->at);
    return json;
}

static json_t *encode_skipped(const struct workflow_status *s)
{
    if (s->n_skipped == 0)
        return json_null();
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_skipped; i++)
        json_array_append_new(list, encode_skipped_item(&s->skipped[i]));
    return list;
}

static json_t *encode_last_decision(const struct workflow_status *s)
{
    if (!s->last_decision.result)
        return json_null();
    json_t *json = json_object();

    field_put_text(json, "partition", s->last_decision.partition);
    field_put_instant(json, "at", s->last_decision.at);
    json_set_text(json, "result", s->last_decision.result);
    field_put_text(json, "reason", s->last_decision.reason);
    field_put_text(json, "message", s->last_decision.message);
    return json;
}

static json_t *encode_conditions(const struct workflow_condition *c)
{
    if (!c->status || c->since == INSTANT_NONE)
        return json_null();
    json_t *json = json_object();

    json_set_text(json, "type", c->type ? c->type : "Ready");
    json_set_text(json, "status", c->status);
    json_set_int(json, "observedGeneration", c->observed_generation);
    field_set_instant(json, "lastTransitionTime", c->since);
    json_set_text(json, "reason", c->reason ? c->reason : "");
    json_set_text(json, "message", c->message ? c->message : "");
    return json_pack("[o]", json);
}

/* For people: what a cursor that triggers nothing says would lie in the past before long. */
static instant next_due(const struct workflow_status *s)
{
    bool ready = s->ready.status && strcmp(s->ready.status, "True") == 0;
    bool set = s->cursor.epoch > 0 && s->cursor.next_offset != INSTANT_MAX;

    return ready && set && !s->suspended ? s->cursor.next_offset : INSTANT_NONE;
}

json_t *workflow_encode_status(const struct workflow_status *s)
{
    json_t *status = json_object();
    bool set = s->cursor.epoch > 0;

    field_put_text(status, "componentId", s->component_id);
    field_put_text(status, "workflowId", s->workflow_id);
    json_set_int(status, "observedGeneration", s->observed_generation);
    field_put_text(status, "observedSchedule", s->observed_schedule);
    field_put_text(status, "observedOffset", s->observed_offset);
    json_set_int(status, "epoch", s->cursor.epoch);
    field_put_instant(status, "next", set ? s->cursor.next : INSTANT_NONE);
    field_put_instant(status, "nextOffset", set ? s->cursor.next_offset : INSTANT_NONE);
    field_put_instant(status, "nextDue", next_due(s));
    field_put_text(status, "setNextId", s->set_next_id);
    json_set_take(status, "lastDecision", encode_last_decision(s));
    json_set_take(status, "skipped", encode_skipped(s));
    json_set_take(status, "suspended", s->suspended ? json_true() : json_null());
    json_set_take(status, "conditions", encode_conditions(&s->ready));
    return status;
}

/* ---- owning ---- */

static void copy_condition(struct workflow_condition *to, const struct workflow_condition *from)
{
    to->type = xstrdup(from->type);
    to->status = xstrdup(from->status);
    to->reason = xstrdup(from->reason);
    to->message = xstrdup(from->message);
}

void workflow_status_copy(struct workflow_status *to, const struct workflow_status *from)
{
    *to = *from;
    to->n_passed = 0;
    to->component_id = xstrdup(from->component_id);
    to->workflow_id = xstrdup(from->workflow_id);
    to->observed_schedule = xstrdup(from->observed_schedule);
    to->observed_offset = xstrdup(from->observed_offset);
    to->set_next_id = xstrdup(from->set_next_id);
    to->last_decision.partition = xstrdup(from->last_decision.partition);
    to->last_decision.result = xstrdup(from->last_decision.result);
    to->last_decision.reason = xstrdup(from->last_decision.reason);
    to->last_decision.message = xstrdup(from->last_decision.message);
    for (size_t i = 0; i < from->n_skipped; i++)
        to->skipped[i].reason = xstrdup(from->skipped[i].reason);
    copy_condition(&to->ready, &from->ready);
}

void workflow_status_done(struct workflow_status *s)
{
    free(s->component_id);
    free(s->workflow_id);
    free(s->observed_schedule);
    free(s->observed_offset);
    free(s->set_next_id);
    free(s->last_decision.partition);
    free(s->last_decision.result);
    free(s->last_decision.reason);
    free(s->last_decision.message);
    for (size_t i = 0; i < s->n_skipped; i++)
        free(s->skipped[i].reason);
    free(s->ready.type);
    free(s->ready.status);
    free(s->ready.reason);
    free(s->ready.message);
    *s = (struct workflow_status) {0};
}

/* ---- what was skipped ---- */

/* Whether `next` is the partition right after `last`. */
static bool follows(const char *schedule_text, instant last, instant next)
{
    struct schedule schedule;
    struct error ignored;
    instant after;

    return schedule_text && last != INSTANT_NONE &&
           schedule_parse(schedule_text, &schedule, &ignored) &&
           schedule_next(&schedule, last, &after) && after == next;
}

static bool join_skipped(struct workflow_status *s, const struct cursor_skip *skip,
                         const char *reason, instant at)
{
    struct skipped *newest = &s->skipped[0];

    if (s->n_skipped == 0 || !newest->reason || strcmp(newest->reason, reason) != 0 ||
        !follows(s->observed_schedule, newest->to, skip->first))
        return false;
    newest->to = skip->last;
    newest->count += skip->count;
    if (newest->count > CURSOR_SKIP_COUNT_MAX)
        newest->count = CURSOR_SKIP_COUNT_MAX;
    newest->at = at;
    return true;
}

void workflow_status_skip(struct workflow_status *s, const struct cursor_skip *skip,
                          const char *reason, instant at)
{
    s->n_passed += skip->count;
    if (skip->count == 0 || join_skipped(s, skip, reason, at))
        return;
    if (s->n_skipped == WORKFLOW_MAX_SKIPPED)
        free(s->skipped[--s->n_skipped].reason);
    memmove(&s->skipped[1], &s->skipped[0], s->n_skipped * sizeof(s->skipped[0]));
    s->n_skipped++;
    s->skipped[0] = (struct skipped) {
        .from = skip->first,
        .to = skip->last,
        .count = skip->count,
        .reason = xstrdup(reason),
        .at = at,
    };
}
