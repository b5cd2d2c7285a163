/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/trigger.h"

#include "base/log.h"
#include "base/text.h"
#include "operator/operator.h"

#include <inttypes.h>
#include <string.h>

char *trigger_key(const struct workflow *wf, int64_t epoch)
{
    return xasprintf("%s/%" PRId64, wf->id.uid, epoch);
}

static void set_text(char **member, const char *text)
{
    char *copy = xstrdup(text);

    free(*member);
    *member = copy;
}

/* ---- Ready ---- */

struct verdict {
    const char *reason; /* Valid, or what is wrong */
    char *message;
};

static struct verdict unfit(const char *reason, char *message_take)
{
    return (struct verdict) {reason, message_take};
}

static struct verdict judge_content(const struct trigger_view *v, const struct settings *settings)
{
    struct validate_limits limits = {.max_running_timeout_ms = settings->max_running_timeout_ms};
    struct texts errors = {0}, missing = {0};
    struct verdict verdict = unfit("Valid", xstrdup(""));

    workflow_validate(v->wf, &limits, &errors);
    workflow_not_supported(v->wf, &missing);
    if (errors.n || missing.n) {
        free(verdict.message);
        verdict = unfit(errors.n ? "Invalid" : "NotYetSupported",
                        validate_join(errors.n ? &errors : &missing));
    }
    texts_done(&errors);
    texts_done(&missing);
    return verdict;
}

const char *trigger_misplaced(const struct workflow *wf, const char *component_ns,
                              const struct workflow *elder, char **ret_message)
{
    if (strcmp(wf->id.ns, component_ns) != 0) {
        *ret_message = xasprintf("component %s belongs to namespace %s, not %s",
                                 workflow_component(wf), component_ns, wf->id.ns);
        return "ComponentNotAllowed";
    }
    if (elder) {
        *ret_message = xasprintf("workflow %s/%s is older and has the same component and id",
                                 elder->id.ns, elder->id.name);
        return "DuplicateWorkflow";
    }
    return NULL;
}

static struct verdict judge(const struct trigger_view *v, const struct settings *settings)
{
    char *message;

    if (v->wf->problem)
        return unfit("Invalid", xstrdup(v->wf->problem));
    const char *misplaced = trigger_misplaced(v->wf, v->component_ns, v->elder, &message);
    return misplaced ? unfit(misplaced, message) : judge_content(v, settings);
}

/* True if the condition is another one than before. */
static bool set_ready(struct workflow_status *s, const struct verdict *verdict, int64_t generation,
                      instant now)
{
    struct workflow_condition *c = &s->ready;
    const char *status = strcmp(verdict->reason, "Valid") == 0 ? "True" : "False";

    if (text_equal(c->status, status) && text_equal(c->reason, verdict->reason) &&
        text_equal(c->message ? c->message : "", verdict->message) &&
        c->observed_generation == generation)
        return false;
    if (!text_equal(c->status, status))
        c->since = now / SECOND_MS * SECOND_MS;
    set_text(&c->type, "Ready");
    set_text(&c->status, status);
    set_text(&c->reason, verdict->reason);
    set_text(&c->message, verdict->message);
    c->observed_generation = generation;
    return true;
}

/* ---- steps ---- */

static struct trigger_step wait_until(instant t)
{
    return (struct trigger_step) {.kind = TRIGGER_WAIT, .look_again_at = t};
}

static bool decided(struct workflow_status *s, const char *partition, const char *result,
                    const char *reason, const char *message, instant now)
{
    if (text_equal(s->last_decision.partition, partition) &&
        text_equal(s->last_decision.result, result) && text_equal(s->last_decision.reason, reason))
        return false;
    set_text(&s->last_decision.partition, partition);
    set_text(&s->last_decision.result, result);
    set_text(&s->last_decision.reason, reason);
    set_text(&s->last_decision.message, message);
    s->last_decision.at = now;
    return true;
}

static void skip_decided(const struct trigger_view *v, const struct timing *t,
                         struct workflow_status *s, const struct cursor_skip *skip,
                         const char *reason, const char *message)
{
    char text[PARTITION_TEXT_MAX];

    workflow_status_skip(s, skip, reason, v->now);
    decided(s, partition_print(&t->schedule, skip->last, text), "Skipped", reason, message, v->now);
}

static void skip_suspended(const struct trigger_view *v, const struct timing *t,
                           struct workflow_status *s, const struct cursor_skip *skip)
{
    if (skip->count > 0)
        skip_decided(v, t, s, skip, "Suspended", "they fell due while the workflow was suspended");
}

static struct cursor_skip pass_due(struct cursor *c, const struct timing *t, instant until)
{
    return cursor_pass_due(c, &t->schedule, &t->offset, until);
}

/* The cursor has run out: `next` stays where it is and nothing is due any more. */
static void advance(struct cursor *c, const struct timing *t)
{
    if (!cursor_advance(c, &t->schedule, &t->offset))
        c->next_offset = INSTANT_MAX;
}

bool trigger_done_is_about(const struct trigger_done *done, const struct cursor *c)
{
    return done->epoch != 0 && done->epoch == c->epoch && done->partition == c->next;
}

static bool done_is_about(const struct trigger_view *v, const struct cursor *c)
{
    return trigger_done_is_about(v->done, c);
}

/* As it is stored, or past the partition that was triggered since. */
static struct cursor cursor_now(const struct trigger_view *v, const struct timing *was)
{
    struct cursor c = v->wf->status.cursor;

    if (done_is_about(v, &c) && v->done->triggered)
        advance(&c, was);
    return c;
}

/* By another offset the cursor may stand before what has fallen due, which falls due once more, or
 * past what has not.  By another schedule it says nothing about the partitions of the last one. */
static struct cursor_skip pass_dropped(const struct trigger_view *v, const struct timing *was,
                                       const struct timing *is, struct cursor *c, instant next)
{
    if (strcmp(was->schedule.text, is->schedule.text) != 0)
        return pass_due(c, was, v->now);
    bool ended = c->next_offset == INSTANT_MAX;
    return ended ? (struct cursor_skip) {0} : cursor_skip_to(c, &was->schedule, next);
}

/* By another schedule or offset the cursor was set anew: what it drops is passed by. */
static void skip_rescheduled(const struct trigger_view *v, const struct timing *is,
                             struct workflow_status *s)
{
    struct timing was;

    if (!workflow_observed_timing(v->wf, &was))
        return;
    struct cursor c = cursor_now(v, &was);
    struct cursor_skip skip = pass_dropped(v, &was, is, &c, s->cursor.next);
    if (s->suspended)
        skip_suspended(v, &was, s, &skip);
    else if (skip.count > 0)
        skip_decided(v, &was, s, &skip, "Rescheduled",
                     "they were left out when the schedule or the offset was changed");
}

/* ---- the cursor is set ---- */

/* True if it was; by a changed schedule or offset, or by a wish. */
static bool set_cursor(const struct trigger_view *v, const struct timing *t,
                       struct workflow_status *s, struct verdict *verdict)
{
    struct cursor c = cursor_now(v, t);
    struct cursor_skip skip;
    struct error err;

    switch (workflow_set_cursor(v->wf, t, v->now, &c, &skip, &err)) {
    case CURSOR_NEVER:
        free(verdict->message);
        *verdict = unfit("Invalid", xstrdup(err.text));
        return false;
    case CURSOR_STARTED:
        s->cursor = c;
        skip_rescheduled(v, t, s);
        set_text(&s->observed_schedule, t->schedule.text);
        set_text(&s->observed_offset, t->offset_text);
        return true;
    case CURSOR_WISHED:
        s->cursor = c;
        skip_suspended(v, t, s, &skip);
        set_text(&s->set_next_id, v->wf->set_next.id);
        s->suspended = false; /* where it stands now is meant: resuming passes nothing by */
        return true;
    case CURSOR_KEPT:
        break;
    }
    return false;
}

/* ---- what is due ---- */

/* Why a partition was not triggered, or not yet, as cursor.c found. */
static const char *reason_text(const char *reason)
{
    static const struct {
        const char *reason, *text;
    } texts[] = {
        {"AlreadyActive", "the instance was active already"},
        {"NameTaken", "the object of that name is for another parameter"},
        {"BeingDeleted", "the object of that name is being deleted"},
        {"Refused", "the API server refuses to trigger its instance; the operator's log says why"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strcmp(texts[i].reason, reason) == 0)
            return texts[i].text;
    return "";
}

/* The partition was seen to: record that and go on to the next. */
static bool record_done(const struct trigger_view *v, const struct timing *t,
                        struct workflow_status *s)
{
    const struct trigger_done *done = v->done;
    struct cursor_skip one = {.count = 1, .first = s->cursor.next, .last = s->cursor.next};
    char text[PARTITION_TEXT_MAX];

    if (!done_is_about(v, &s->cursor) || done->waits)
        return false;
    if (done->triggered)
        decided(s, partition_print(&t->schedule, s->cursor.next, text), "Triggered", "Due", "",
                v->now);
    else
        skip_decided(v, t, s, &one, done->reason, reason_text(done->reason));
    advance(&s->cursor, t);
    return true;
}

/* What fell due while it was suspended is passed by, once, when it goes on. */
static bool resume(const struct trigger_view *v, const struct timing *t, struct workflow_status *s)
{
    if (!s->suspended)
        return false;
    s->suspended = false;
    struct cursor_skip skip = pass_due(&s->cursor, t, v->now);
    skip_suspended(v, t, s, &skip);
    return true;
}

/* Until when catchUp lets a partition have fallen due to be passed by. */
static instant missed_until(const struct trigger_view *v, const struct timing *t,
                            const struct cursor *c, const struct settings *settings)
{
    struct cursor probe = *c;

    if (v->wf->catch_up == CATCH_UP_NONE)
        return v->now - settings->late_ms;
    struct cursor_skip due = pass_due(&probe, t, v->now);
    if (due.count == 1) /* perhaps by a wish, and earlier than by itself */
        return INSTANT_NONE;
    return offset_add(due.last, &t->offset) - 1; /* all but the last */
}

/* catchUp Latest and None: passes by what was missed. */
static bool skip_missed(const struct trigger_view *v, const struct timing *t,
                        struct workflow_status *s, const struct settings *settings)
{
    if (v->wf->catch_up == CATCH_UP_ALL || !cursor_due(&s->cursor, v->now))
        return false;
    struct cursor_skip skip = pass_due(&s->cursor, t, missed_until(v, t, &s->cursor, settings));
    if (skip.count > 0)
        skip_decided(v, t, s, &skip, "CatchUp", "missed while nobody could trigger them");
    return skip.count > 0;
}

/* Whether something about the cursor has to be stored; nothing is triggered before that. */
static bool move_cursor(const struct trigger_view *v, const struct timing *t,
                        struct workflow_status *s, const struct settings *settings,
                        struct verdict *verdict)
{
    bool changed = set_cursor(v, t, s, verdict);

    if (strcmp(verdict->reason, "Valid") != 0)
        return false; /* the cursor is another schedule's: it stays as it is */
    if (!changed && record_done(v, t, s))
        return true;
    if (v->wf->suspend) {
        changed |= !s->suspended;
        s->suspended = true;
        return changed;
    }
    changed |= resume(v, t, s);
    return changed | skip_missed(v, t, s, settings);
}

/* The partition after this one is due, too. */
static bool is_catching_up(const struct timing *t, const struct cursor *c, instant now)
{
    struct cursor probe = *c;

    return cursor_advance(&probe, &t->schedule, &t->offset) && cursor_due(&probe, now);
}

/* NULL: nothing stands in the way. */
static const struct obstacle {
    const char *reason, *message;
} * obstacle(const struct trigger_view *v, const struct timing *t, const struct cursor *c,
             const struct settings *settings)
{
    static const struct obstacle max_active = {"MaxActive",
                                               "as many runs as maxActive allows are not finished"};
    static const struct obstacle too_many = {
        "TooManyRuns", "as many runs as Kharon takes in all are not finished"};

    if (v->n_active >= v->wf->max_active)
        return &max_active;
    size_t room = is_catching_up(t, c, v->now) ? settings_room_to_catch_up(settings)
                                               : settings->max_unfinished;
    return v->n_unfinished >= room ? &too_many : NULL;
}

static struct trigger_step when_due(const struct trigger_view *v, const struct timing *t,
                                    struct workflow_status *s, const struct settings *settings)
{
    struct trigger_step step = wait_until(INSTANT_NONE);

    if (v->wf->suspend)
        return step;
    if (!cursor_due(&s->cursor, v->now))
        return wait_until(s->cursor.next_offset == INSTANT_MAX ? INSTANT_NONE
                                                               : s->cursor.next_offset);
    partition_print(&t->schedule, s->cursor.next, step.partition);
    const struct obstacle *blocked = obstacle(v, t, &s->cursor, settings);
    if (blocked) {
        step.blocked = true;
        step.wants_room = strcmp(blocked->reason, "TooManyRuns") == 0;
        if (decided(s, step.partition, "Waiting", blocked->reason, blocked->message, v->now))
            step.kind = TRIGGER_STORE;
        return step;
    }
    bool waits = done_is_about(v, &s->cursor) && v->done->waits;
    bool news = waits && decided(s, step.partition, "Waiting", v->done->reason,
                                 reason_text(v->done->reason), v->now);
    step.kind = news ? TRIGGER_STORE : TRIGGER_CREATE;
    return step;
}

static bool set_names(struct workflow_status *s, const struct workflow *wf)
{
    if (text_equal(s->component_id, workflow_component(wf)) &&
        text_equal(s->workflow_id, workflow_id(wf)) && s->observed_generation == wf->id.generation)
        return false;
    set_text(&s->component_id, workflow_component(wf));
    set_text(&s->workflow_id, workflow_id(wf));
    s->observed_generation = wf->id.generation;
    return true;
}

/* A workflow without an image has nothing to run: its partitions pass by, as in Styx (6.7). */
static bool pass_by(const struct trigger_view *v, const struct timing *t, struct workflow_status *s)
{
    if (v->wf->template.image || v->wf->suspend || !cursor_due(&s->cursor, v->now))
        return false;
    struct cursor_skip skip = pass_due(&s->cursor, t, v->now);
    skip_decided(v, t, s, &skip, "NoImage", "the workflow has no image to run");
    return true;
}

struct trigger_step trigger_decide(const struct trigger_view *v, const struct settings *settings)
{
    struct trigger_step step = wait_until(INSTANT_NONE);
    struct workflow_status s;
    struct timing timing;
    struct error err;

    if (v->wf->id.deleting)
        return step;
    workflow_status_copy(&s, &v->wf->status);
    struct verdict verdict = judge(v, settings);
    bool fit = strcmp(verdict.reason, "Valid") == 0 && workflow_timing(v->wf, &timing, &err);
    bool changed = set_names(&s, v->wf);
    if (fit) {
        changed |= move_cursor(v, &timing, &s, settings, &verdict);
        fit = strcmp(verdict.reason, "Valid") == 0;
    }
    changed |= set_ready(&s, &verdict, v->wf->id.generation, v->now);
    if (fit && !changed)
        changed = pass_by(v, &timing, &s);
    if (fit && !changed)
        step = when_due(v, &timing, &s, settings);
    if (changed)
        step.kind = TRIGGER_STORE;
    free(verdict.message);
    if (step.kind == TRIGGER_STORE)
        step.status = s;
    else
        workflow_status_done(&s);
    return step;
}

void trigger_step_done(struct trigger_step *step)
{
    if (step->kind == TRIGGER_STORE)
        workflow_status_done(&step->status);
}

struct trigger_news trigger_news(const struct workflow_status *before,
                                 const struct workflow_status *after)
{
    const struct workflow_condition *was = &before->ready, *is = &after->ready;

    return (struct trigger_news) {
        .n_passed = after->n_passed,
        .judged = !text_equal(was->status, is->status) || !text_equal(was->reason, is->reason),
        .not_triggered = after->last_decision.result &&
                         after->last_decision.at != before->last_decision.at &&
                         strcmp(after->last_decision.result, "Triggered") != 0,
    };
}

static void announce_judgement(struct operator *op, const struct workflow *wf,
                               const struct workflow_condition *ready)
{
    CLEANUP(free) char *key = pair_key(workflow_component(wf), workflow_id(wf));

    log_info("workflow judged", KV("workflow", key), KV("ready", ready->status),
             KV("reason", ready->reason), KV("message", ready->message));
    if (strcmp(ready->status, "True") != 0)
        operator_event(op, event_about("Workflow", &wf->id), true, ready->reason, "Validate",
                       ready->message);
}

void trigger_announce(struct operator *op, const struct workflow *wf,
                      const struct workflow_status *status, struct trigger_news news)
{
    CLEANUP(free) char *key = pair_key(workflow_component(wf), workflow_id(wf));

    if (news.judged)
        announce_judgement(op, wf, &status->ready);
    if (!news.not_triggered)
        return;
    CLEANUP(free) char *note =
        xasprintf("%s: %s", status->last_decision.partition, status->last_decision.message);
    log_info("partition not triggered", KV("workflow", key),
             KV("partition", status->last_decision.partition),
             KV("result", status->last_decision.result),
             KV("reason", status->last_decision.reason));
    operator_event(op, event_about("Workflow", &wf->id), false, status->last_decision.reason,
                   "Trigger", note);
}
