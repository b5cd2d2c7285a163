/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/transport_call.h"

#include "k8s/watch.h"

#include <string.h>

#define ITEMS_PER_TURN 256

enum drained {
    DRAINED_ALL,  /* more may come, or the call has ended */
    DRAINED_SOME, /* the rest in the next turn */
    DRAINED_GONE, /* the owner has cancelled the call meanwhile */
};

/* False: the owner has cancelled the call. */
static bool deliver(struct call *c, enum k8s_event event, const char *text, size_t len)
{
    bool gone = false;

    c->gone = &gone;
    c->handler.on_item(event, text, len, c->arg);
    if (!gone)
        c->gone = NULL;
    return !gone;
}

/* Nothing more of this call is of interest. */
static enum drained break_off(struct call *c, enum error_code code, const char *text)
{
    if (code != ERROR_NONE)
        error_set(&c->error, code, "%s", text);
    if (c->state == CALL_SENT)
        call_abandon(c);
    c->cut = true;
    return DRAINED_ALL;
}

/* An ERROR event: its Status says how the watch ended. */
static enum drained on_watch_error(struct call *c, const char *status, size_t len)
{
    struct error err;

    if (!json_parse(status, len, &c->watch_error, &err))
        return break_off(c, ERROR_UNKNOWN, "the watch ended with an error that cannot be read");
    return break_off(c, ERROR_NONE, NULL);
}

static enum drained on_line(struct call *c, const char *line, size_t len)
{
    enum k8s_event event;
    const char *object;
    struct error err;
    bool is_error;

    if (!k8s_watch_line(line, len, &event, &is_error, &object, &len, &err))
        return break_off(c, ERROR_UNKNOWN, err.text);
    if (is_error)
        return on_watch_error(c, object, len);
    return deliver(c, event, object, len) ? DRAINED_SOME : DRAINED_GONE;
}

static bool next_piece(struct call *c, const char **ret_piece, size_t *ret_len, struct error *err)
{
    if (c->transfer.kind == TRANSFER_ITEMS)
        return items_next(&c->transfer.items, ret_piece, ret_len, err);
    return lines_next(&c->transfer.lines, ret_piece, ret_len, err);
}

static enum drained drain_one(struct call *c)
{
    const char *piece;
    struct error err;
    size_t len;

    if (!next_piece(c, &piece, &len, &err))
        return break_off(c, ERROR_UNKNOWN, err.text);
    if (!piece)
        return DRAINED_ALL;
    if (c->transfer.kind == TRANSFER_LINES)
        return on_line(c, piece, len);
    return deliver(c, K8S_LISTED, piece, len) ? DRAINED_SOME : DRAINED_GONE;
}

/* So much a turn, so that a flood of events delays neither leases nor probes. */
static enum drained drain(struct call *c)
{
    enum drained drained = c->transfer.kind == TRANSFER_TEXT || c->cut ? DRAINED_ALL : DRAINED_SOME;

    for (int i = 0; drained == DRAINED_SOME && i < ITEMS_PER_TURN; i++)
        drained = drain_one(c);
    return drained;
}

/* The text that the reply is made of: of a list, what is left without its items. */
static bool answer_text(struct call *c, const char **ret_text, size_t *ret_len, struct error *err)
{
    if (c->transfer.kind == TRANSFER_ITEMS && c->transfer.status == 200)
        return items_end(&c->transfer.items, ret_text, ret_len, err);
    *ret_text = buf_text(&c->transfer.text);
    *ret_len = c->transfer.text.len;
    return true;
}

static json_t *judge_answer(struct call *c, struct k8s_reply *reply)
{
    const char *text = "";
    struct error err;
    size_t len = 0;
    json_t *json = NULL;

    if (!answer_text(c, &text, &len, &err) || !json_parse(text, len, &json, &err))
        json = NULL;
    reply->object = json;
    k8s_reply_judge(reply, &c->request, text);
    return json;
}

/* Borrows from `c` and from the returned tree. */
static json_t *make_reply(struct call *c, struct k8s_reply *reply)
{
    json_t *json = NULL;

    *reply = (struct k8s_reply) {
        .error = c->error,
        .http_status = c->transfer.status,
        .reason = "",
        .retry_after_ms = c->transfer.retry_after_ms,
        .server_time_ms = transfer_date_ms(&c->transfer),
    };
    if (c->watch_error) {
        reply->http_status = (int) json_int_at(c->watch_error, "code", 500);
        reply->object = json = json_incref(c->watch_error);
        k8s_reply_judge(reply, &c->request, "");
    } else if (c->error.code == ERROR_NONE) {
        json = judge_answer(c, reply);
    }
    const char *version = json_text_at(json, "metadata.resourceVersion");
    const char *token = json_text_at(json, "metadata.continue");
    reply->resource_version = version ? version : "";
    reply->continue_token = token ? token : "";
    return json;
}

static void count(struct call *c)
{
    struct transport *t = c->t;
    int status = c->transfer.status;
    char code[16] = "<error>";

    if (status) {
        t->stats.requests++;
        snprintf(code, sizeof(code), "%d", status);
    } else {
        t->stats.unanswered++;
    }
    if (!t->counters.requests)
        return;
    metric_add(metric_series(t->counters.requests, code, call_method(c),
                             t->target.base + strcspn(t->target.base, "/") + 2),
               1);
    if (c->request.verb != K8S_WATCH && c->sent_at > 0)
        metric_observe(metric_series(t->counters.seconds, k8s_verb_name(c->request.verb)),
                       (double) (c->ended_at - c->sent_at) / 1000);
}

static void answer(struct call *c)
{
    struct k8s_reply reply;
    json_t *json = make_reply(c, &reply);

    count(c);
    if (reply.error.code == ERROR_UNAUTHORIZED && c->t->config->token_file)
        transport_read_token(c->t);
    c->base.k8s = NULL; /* cancelling it now is a mistake, and shows */
    c->handler.on_reply(&reply, c->arg);
    json_decref(json);
    call_free(c);
}

void call_hand_on(void *arg)
{
    struct call *c = arg;
    enum drained drained = drain(c);

    if (drained == DRAINED_SOME)
        loop_task_queue(c->t->loop, &c->task);
    else if (drained == DRAINED_ALL && c->state == CALL_ENDED)
        answer(c);
}
