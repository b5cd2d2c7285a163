/* SPDX-License-Identifier: Apache-2.0 */
#include "model/run.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
#define X(name) #name,
    RUN_STATES(X)
#undef X
};

static const char *const event_names[] = {
#define X(name, spelling) spelling,
    RUN_EVENTS(X)
#undef X
};

static const char *const trigger_names[] = {
#define X(name, spelling) spelling,
    TRIGGER_TYPES(X)
#undef X
};

static bool find_name(const char *const *names, size_t n, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

const char *run_state_name(enum run_state s)
{
    return state_names[s];
}

bool run_state_parse(const char *name, enum run_state *ret_state)
{
    size_t i;

    if (!find_name(state_names, ARRAY_SIZE(state_names), name, &i))
        return false;
    *ret_state = (enum run_state) i;
    return true;
}

bool run_state_terminal(enum run_state s)
{
    return s == RUN_ERROR || s == RUN_DONE;
}

const char *event_type_name(enum event_type t)
{
    return event_names[t];
}

bool event_type_parse(const char *name, enum event_type *ret_type)
{
    size_t i;

    if (!find_name(event_names, ARRAY_SIZE(event_names), name, &i))
        return false;
    *ret_type = (enum event_type) i;
    return true;
}

const char *trigger_type_name(enum trigger_type t)
{
    return trigger_names[t];
}

bool trigger_type_parse(const char *name, enum trigger_type *ret_type)
{
    size_t i;

    if (!find_name(trigger_names, ARRAY_SIZE(trigger_names), name, &i))
        return false;
    *ret_type = (enum trigger_type) i;
    return true;
}

struct description *description_ref(struct description *d)
{
    if (d)
        d->references++;
    return d;
}

void description_unref(struct description *d)
{
    if (!d || --d->references > 0)
        return;
    free(d->image);
    texts_done(&d->args);
    free(d->gcp_service_account);
    free(d->commit_sha);
    env_done(&d->env);
    free(d->running_timeout);
    free(d->retry_condition);
    free(d);
}

static bool texts_equal(const struct texts *a, const struct texts *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!text_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool env_equal(const struct env *a, const struct env *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!text_equal(a->vars[i].name, b->vars[i].name) ||
            !text_equal(a->vars[i].value, b->vars[i].value))
            return false;
    return true;
}

bool description_equal(const struct description *a, const struct description *b)
{
    if (a == b || !a || !b)
        return a == b;
    return text_equal(a->image, b->image) && texts_equal(&a->args, &b->args) &&
           a->termination_logging == b->termination_logging &&
           text_equal(a->gcp_service_account, b->gcp_service_account) &&
           text_equal(a->commit_sha, b->commit_sha) && env_equal(&a->env, &b->env) &&
           text_equal(a->running_timeout, b->running_timeout) &&
           text_equal(a->retry_condition, b->retry_condition) && a->truncated == b->truncated;
}

void run_trigger_copy(struct run_trigger *to, const struct run_trigger *from)
{
    *to = (struct run_trigger) {
        .seq = from->seq,
        .type = from->type,
        .id = xstrdup(from->id),
        .key = xstrdup(from->key),
        .workflow_uid = xstrdup(from->workflow_uid),
    };
    env_copy(&to->env, &from->env);
}

void run_trigger_done(struct run_trigger *t)
{
    free(t->id);
    free(t->key);
    free(t->workflow_uid);
    env_done(&t->env);
    *t = (struct run_trigger) {0};
}

void event_done(struct event *e)
{
    free(e->message);
    free(e->execution_id);
    free(e->runner_id);
    run_trigger_done(&e->trigger);
    texts_done(&e->limits);
    description_unref(e->description);
    *e = (struct event) {0};
}

void event_copy(struct event *to, const struct event *from)
{
    *to = *from;
    to->message = xstrdup(from->message);
    to->execution_id = xstrdup(from->execution_id);
    to->runner_id = xstrdup(from->runner_id);
    run_trigger_copy(&to->trigger, &from->trigger);
    to->limits = (struct texts) {0};
    texts_copy(&to->limits, &from->limits);
    to->description = description_ref(from->description);
}

void run_init(struct run *run)
{
    *run = (struct run) {
        .state = RUN_NEW,
        .counter = -1,
        .retry_delay_ms = -1,
        .retry_counter = -1,
        .since = INSTANT_NONE,
        .ungated_at = INSTANT_NONE,
        .started_at = INSTANT_NONE,
        .completed_at = INSTANT_NONE,
        .held_since = INSTANT_NONE,
    };
}

void run_done(struct run *run)
{
    run_trigger_done(&run->trigger);
    run_trigger_done(&run->spec_trigger);
    free(run->execution_id);
    free(run->runner_id);
    description_unref(run->description);
    texts_done(&run->limits);
    free(run->message);
    for (size_t i = 0; i < run->n_events; i++)
        event_done(&run->events[i]);
    free(run->events);
    free(run->component_id);
    free(run->workflow_id);
    free(run->natural_key);
    run_init(run);
}

void run_copy(struct run *to, const struct run *from)
{
    *to = *from;
    run_trigger_copy(&to->trigger, &from->trigger);
    run_trigger_copy(&to->spec_trigger, &from->spec_trigger);
    to->execution_id = xstrdup(from->execution_id);
    to->runner_id = xstrdup(from->runner_id);
    to->description = description_ref(from->description);
    to->limits = (struct texts) {0};
    texts_copy(&to->limits, &from->limits);
    to->message = xstrdup(from->message);
    to->events = xcalloc(from->n_events, sizeof(*to->events));
    for (size_t i = 0; i < from->n_events; i++)
        event_copy(&to->events[i], &from->events[i]);
    to->component_id = xstrdup(from->component_id);
    to->workflow_id = xstrdup(from->workflow_id);
    to->natural_key = xstrdup(from->natural_key);
}

static void set_text(char **member, const char *text)
{
    char *copy = xstrdup(text); /* text may be *member */

    free(*member);
    *member = copy;
}

void run_set_pair(struct run *run, const char *component_id, const char *workflow_id)
{
    set_text(&run->component_id, component_id);
    set_text(&run->workflow_id, workflow_id);
}

static void set_message(struct run *run, enum message_level level, const char *text)
{
    run->message_level = level;
    set_text(&run->message, text);
}

/* What the byte takes in a JSON text. */
static size_t printed_size(unsigned char c)
{
    if (c == '"' || c == '\\' || (c && strchr("\b\f\n\r\t", c)))
        return 2;
    return c < 0x20 ? 6 : 1;
}

char *message_cut_take(char *message)
{
    size_t size = 0, kept = 0;

    for (const char *c = message; c && *c && size <= MESSAGE_MAX; c++) {
        size += printed_size((unsigned char) *c);
        if (size <= MESSAGE_MAX - strlen("..."))
            kept = (size_t) (c - message) + 1;
    }
    if (size <= MESSAGE_MAX)
        return message;
    char *cut = xasprintf("%.*s...", (int) utf8_cut(message, kept), message);
    free(message);
    return cut;
}

void run_note(struct run *run, const char *text)
{
    CLEANUP(free) char *cut = message_cut_take(xstrdup(text));

    set_message(run, MESSAGE_INFO, cut);
}

static void forget_execution(struct run *run)
{
    set_text(&run->execution_id, NULL);
    description_unref(TAKE(run->description));
    texts_done(&run->limits);
}

/* ---- effects: what an event does to the state data (Styx behaviour, 8.2) ---- */

static void on_trigger(struct run *run, const struct event *e)
{
    forget_execution(run);
    run_trigger_done(&run->spec_trigger);
    run_trigger_done(&run->trigger);
    run_trigger_copy(&run->trigger, &e->trigger);
    run->seq = e->trigger.seq;
    if (e->trigger.type == TRIGGER_NATURAL && e->trigger.key)
        set_text(&run->natural_key, e->trigger.key);
    run->tries = run->consecutive_failures = run->retry_cost_tenths = run->free_tries = 0;
    run->has_exit = false;
    run->retry_delay_ms = -1;
    run->started_at = run->completed_at = run->held_since = INSTANT_NONE;
    set_text(&run->runner_id, NULL);
    set_message(run, MESSAGE_INFO, NULL);
}

static void on_info(struct run *run, const struct event *e)
{
    set_message(run, e->level, e->message);
}

static void on_dequeue(struct run *run, const struct event *e)
{
    texts_done(&run->limits);
    texts_copy(&run->limits, &e->limits);
    run->retry_delay_ms = -1;
}

static void on_submit(struct run *run, const struct event *e)
{
    struct description *previous = run->description;

    run->attempt++;
    set_text(&run->execution_id, e->execution_id);
    run->description = description_ref(e->description);
    description_unref(previous);
}

static void on_submitted(struct run *run, const struct event *e)
{
    run->tries++;
    set_text(&run->runner_id, e->runner_id);
    if (!run->execution_id)
        set_text(&run->execution_id, e->execution_id);
}

static void on_started(struct run *run, const struct event *e)
{
    if (run->started_at == INSTANT_NONE)
        run->started_at = e->at;
}

static void on_terminate(struct run *run, const struct event *e)
{
    const struct exit_traits *traits = exit_traits(e->has_exit, e->exit_code);
    char text[32] = "Exit code: -";

    if (e->has_exit)
        snprintf(text, sizeof(text), "Exit code: %d", e->exit_code);
    run->has_exit = e->has_exit;
    run->last_exit = e->exit_code;
    run->retry_cost_tenths += traits->cost_tenths;
    run->consecutive_failures = traits->is_failure ? run->consecutive_failures + 1 : 0;
    set_message(run, traits->level, e->message ? e->message : text);
}

static void on_run_error(struct run *run, const struct event *e)
{
    run->has_exit = false;
    if (e->free) {
        run->free_tries++;
    } else {
        run->retry_cost_tenths += RETRY_COST_FAILURE_TENTHS;
        run->consecutive_failures++;
    }
    set_message(run, MESSAGE_ERROR, e->message);
}

/* Styx leaves the old message in place; a reader could not see what happened (18.1, 13). */
static void on_timeout(struct run *run, const struct event *e)
{
    run->free_tries++;
    if (e->message)
        set_message(run, MESSAGE_WARNING, e->message);
}

static void on_retry_after(struct run *run, const struct event *e)
{
    forget_execution(run);
    run->retry_delay_ms = e->delay_ms;
}

static void on_end(struct run *run, const struct event *e)
{
    run->completed_at = e->at;
}

static void on_halt(struct run *run, const struct event *e)
{
    if (e->message)
        set_message(run, MESSAGE_WARNING, e->message);
    on_end(run, e);
}

/* ---- the table ---- */

#define IN(state) (1u << RUN_##state)
#define IN_ACTIVE                                                                                  \
    (IN(NEW) | IN(QUEUED) | IN(PREPARE) | IN(SUBMITTING) | IN(SUBMITTED) | IN(RUNNING) |           \
     IN(TERMINATED) | IN(FAILED))
#define IN_TERMINAL (IN(ERROR) | IN(DONE))

/*
 * Styx deletes the record of a run that ended, so that the next trigger finds a new one; ours stays
 * and takes the trigger itself.  "Any" state of timeout and halt is any state of Styx's records.
 */
static const struct transition {
    enum event_type event;
    unsigned from; /* any of these */
    enum run_state to;
    void (*effect)(struct run *run, const struct event *e);
} transitions[] = {
    {EVENT_TRIGGER_EXECUTION, IN(NEW) | IN_TERMINAL, RUN_QUEUED, on_trigger},
    {EVENT_INFO, IN(QUEUED), RUN_QUEUED, on_info},
    {EVENT_DEQUEUE, IN(QUEUED), RUN_PREPARE, on_dequeue},
    {EVENT_SUBMIT, IN(PREPARE), RUN_SUBMITTING, on_submit},
    {EVENT_SUBMITTED, IN(SUBMITTING), RUN_SUBMITTED, on_submitted},
    {EVENT_STARTED, IN(SUBMITTED) | IN(PREPARE), RUN_RUNNING, on_started},
    {EVENT_TERMINATE, IN(RUNNING), RUN_TERMINATED, on_terminate},
    {EVENT_RUN_ERROR, IN(QUEUED) | IN(PREPARE) | IN(SUBMITTING) | IN(SUBMITTED) | IN(RUNNING),
     RUN_FAILED, on_run_error},
    {EVENT_SUCCESS, IN(TERMINATED), RUN_DONE, on_end},
    {EVENT_RETRY_AFTER, IN(TERMINATED) | IN(FAILED) | IN(QUEUED), RUN_QUEUED, on_retry_after},
    {EVENT_STOP, IN(TERMINATED) | IN(FAILED), RUN_ERROR, on_end},
    {EVENT_TIMEOUT, IN_ACTIVE, RUN_FAILED, on_timeout},
    {EVENT_HALT, IN_ACTIVE, RUN_ERROR, on_halt},
};

static const struct transition *transition_find(enum run_state state, enum event_type event)
{
    for (size_t i = 0; i < ARRAY_SIZE(transitions); i++)
        if (transitions[i].event == event && transitions[i].from & (1u << state))
            return &transitions[i];
    return NULL;
}

static const struct event *append_event(struct run *run, const struct event *event, instant now)
{
    run->events = xrealloc(run->events, run->n_events + 1, sizeof(*run->events));
    struct event *e = &run->events[run->n_events++];
    event_copy(e, event);
    e->message = message_cut_take(e->message);
    e->counter = run->counter;
    e->at = now;
    return e;
}

bool run_apply(struct run *run, const struct event *event, instant now, const char *key,
               struct error *err)
{
    const struct transition *t = transition_find(run->state, event->type);

    if (!t)
        return error_set(err, ERROR_CONFLICT, "%s received %s while in %s", key,
                         event_type_name(event->type), run_state_name(run->state));
    assert(event->type != EVENT_TRIGGER_EXECUTION || event->trigger.seq > run->seq);
    run->state = t->to;
    run->counter++;
    run->since = now;
    run->ungated_at = INSTANT_NONE;
    t->effect(run, append_event(run, event, now));
    return true;
}
