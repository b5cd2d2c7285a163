/* SPDX-License-Identifier: Apache-2.0 */
#include "model/history.h"

#define UNKNOWN_TRIGGER "UNKNOWN" /* as Styx calls one that was lost (section 7) */

/* A walk over events.  `current` collects what becomes the next execution; its runner id stays when
 * it is closed, as in Styx. */
struct walk {
    struct history *history;
    struct history_trigger *open; /* the last of history, or NULL */
    struct history_execution current;
};

static void open_trigger(struct walk *w, const char *id, const struct env *env, instant at)
{
    struct history *h = w->history;

    h->triggers = xrealloc(h->triggers, h->n_triggers + 1, sizeof(*h->triggers));
    w->open = &h->triggers[h->n_triggers++];
    *w->open = (struct history_trigger) {.trigger_id = xstrdup(id), .at = at};
    if (env)
        env_copy(&w->open->env, env);
}

static void replace(char **member, const char *text)
{
    free(*member);
    *member = xstrdup(text);
}

static void add_status(struct walk *w, const struct event *e, const char *status,
                       const char *message)
{
    struct history_execution *x = &w->current;

    if (!w->open)
        open_trigger(w, UNKNOWN_TRIGGER, NULL, e->at);
    x->statuses = xrealloc(x->statuses, x->n_statuses + 1, sizeof(*x->statuses));
    x->statuses[x->n_statuses++] = (struct history_status) {e->at, status, xstrdup(message)};
}

static void close_execution(struct walk *w)
{
    struct history_trigger *t = w->open;
    char *runner_id = xstrdup(w->current.runner_id);

    t->executions = xrealloc(t->executions, t->n_executions + 1, sizeof(*t->executions));
    t->executions[t->n_executions++] = w->current;
    w->current = (struct history_execution) {.runner_id = runner_id};
}

/* An execution that has been told of, if only by its id, is not lost with its trigger. */
static void close_trigger(struct walk *w, bool complete)
{
    if (!w->open)
        return;
    if (w->current.n_statuses || w->current.execution_id)
        close_execution(w);
    w->open->complete = complete;
    w->open = NULL;
}

static void on_trigger(struct walk *w, const struct event *e)
{
    close_trigger(w, false);
    open_trigger(w, e->trigger.id ? e->trigger.id : UNKNOWN_TRIGGER, &e->trigger.env, e->at);
}

static void on_submit(struct walk *w, const struct event *e)
{
    const struct description *d = e->description;

    if (!w->open)
        open_trigger(w, UNKNOWN_TRIGGER, NULL, e->at);
    replace(&w->current.execution_id, e->execution_id);
    replace(&w->current.docker_image, d ? d->image : NULL);
    replace(&w->current.commit_sha, d ? d->commit_sha : NULL);
}

static void on_submitted(struct walk *w, const struct event *e)
{
    if (e->execution_id)
        replace(&w->current.execution_id, e->execution_id);
    if (e->runner_id)
        replace(&w->current.runner_id, e->runner_id);
    add_status(w, e, "SUBMITTED", NULL);
}

static void on_started(struct walk *w, const struct event *e)
{
    add_status(w, e, "STARTED", NULL);
}

static void on_terminate(struct walk *w, const struct event *e)
{
    const struct exit_traits *traits = exit_traits(e->has_exit, e->exit_code);
    CLEANUP(free) char *message = NULL;

    if (traits->is_failure)
        message =
            e->has_exit ? xasprintf("Exit code: %d", e->exit_code) : xstrdup("Exit code unknown");
    add_status(w, e, traits->history_status, message);
    close_execution(w);
}

static void on_run_error(struct walk *w, const struct event *e)
{
    add_status(w, e, "FAILED", e->message);
    close_execution(w);
}

static void on_timeout(struct walk *w, const struct event *e)
{
    add_status(w, e, "TIMEOUT", e->message);
    close_execution(w);
}

static void on_halt(struct walk *w, const struct event *e)
{
    add_status(w, e, "HALTED", e->message);
    close_execution(w);
    close_trigger(w, true);
}

static void on_end(struct walk *w, const struct event *e)
{
    (void) e;
    close_trigger(w, true);
}

static void on_nothing(struct walk *w, const struct event *e)
{
    (void) w;
    (void) e;
}

static void (*const handlers[EVENT_N_TYPES])(struct walk *w, const struct event *e) = {
    [EVENT_TRIGGER_EXECUTION] = on_trigger,
    [EVENT_INFO] = on_nothing,
    [EVENT_DEQUEUE] = on_nothing,
    [EVENT_SUBMIT] = on_submit,
    [EVENT_SUBMITTED] = on_submitted,
    [EVENT_STARTED] = on_started,
    [EVENT_TERMINATE] = on_terminate,
    [EVENT_RUN_ERROR] = on_run_error,
    [EVENT_SUCCESS] = on_end,
    [EVENT_RETRY_AFTER] = on_nothing,
    [EVENT_STOP] = on_end,
    [EVENT_TIMEOUT] = on_timeout,
    [EVENT_HALT] = on_halt,
};

static void execution_done(struct history_execution *x)
{
    for (size_t i = 0; i < x->n_statuses; i++)
        free(x->statuses[i].message);
    free(x->statuses);
    free(x->execution_id);
    free(x->docker_image);
    free(x->commit_sha);
    free(x->runner_id);
}

void history_derive(const struct event *events, size_t n, struct history *ret_history)
{
    struct walk w = {.history = ret_history};

    *ret_history = (struct history) {0};
    for (size_t i = 0; i < n; i++)
        handlers[events[i].type](&w, &events[i]);
    close_trigger(&w, false);
    execution_done(&w.current);
}

void history_done(struct history *history)
{
    for (size_t i = 0; i < history->n_triggers; i++) {
        struct history_trigger *t = &history->triggers[i];

        for (size_t k = 0; k < t->n_executions; k++)
            execution_done(&t->executions[k]);
        free(t->executions);
        free(t->trigger_id);
        env_done(&t->env);
    }
    free(history->triggers);
    *history = (struct history) {0};
}
