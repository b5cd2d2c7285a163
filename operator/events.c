/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes Events: for people, and never in the way of anything. */
#include "operator/operator.h"

#include "base/buf.h"

#include <string.h>

#define NOTE_MAX 1024 /* bytes; more is refused */

static const struct k8s_resource event_resource = {"events.k8s.io", "v1", "events", "Event"};

struct event_call {
    struct list link;
    struct operator *op;
    struct k8s_call *call;
};

struct event_about event_about(const char *kind, const struct identity *id)
{
    return (struct event_about) {kind, "kharon.dev/v1alpha1", id->ns, id->name, id->uid};
}

static void call_free(struct event_call *c)
{
    list_remove(&c->link);
    c->op->n_event_calls--;
    free(c);
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct event_call *c = arg;

    if (reply->error.code == ERROR_NONE)
        c->op->counters.events_sent++;
    else
        c->op->counters.events_dropped++;
    call_free(c);
}

static json_t *regarding(const struct event_about *about)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s*}", "apiVersion", about->api_version, "kind",
                     about->kind, "namespace", about->ns, "name", about->name, "uid", about->uid);
}

/* Notes quote what containers and servers said: in one line, and nothing that moves a terminal's
 * cursor. */
static char *one_line(const char *note)
{
    size_t len = strlen(note);

    if (len > NOTE_MAX)
        len = utf8_cut(note, NOTE_MAX);
    while (len > 0 && (unsigned char) note[len - 1] <= ' ')
        len--;
    char *text = xstrndup(note, len);
    for (char *c = text; *c; c++)
        if ((unsigned char) *c < ' ' || *c == 0x7F)
            *c = ' ';
    return text;
}

static json_t *build(struct operator *op, const struct event_about *about, bool is_warning,
                     const char *reason, const char *action, const char *note)
{
    char time[INSTANT_TEXT_MAX];
    CLEANUP(free) char *name =
        xasprintf("%.200s.%016llx", about->name, (unsigned long long) rng_next(op->rng));
    CLEANUP(free) char *text = one_line(note);
    json_t *event = json_object();

    json_set_text(event, "apiVersion", "events.k8s.io/v1");
    json_set_text(event, "kind", "Event");
    json_set_take(event, "metadata", json_pack("{s:s, s:s}", "namespace", about->ns, "name", name));
    json_set_text(event, "eventTime", instant_print_micro(clock_now(op), time));
    json_set_text(event, "reason", reason);
    json_set_text(event, "action", action);
    json_set_text(event, "type", is_warning ? "Warning" : "Normal");
    json_set_text(event, "reportingController", "kharon.dev/operator");
    json_set_text(event, "reportingInstance", op->settings->identity);
    json_set_take(event, "regarding", regarding(about));
    json_set_text(event, "note", text);
    return event;
}

void operator_event(struct operator *op, struct event_about about, bool is_warning,
                    const char *reason, const char *action, const char *note)
{
    static const struct k8s_handler handler = {.on_reply = on_reply};

    if (op->n_event_calls >= MAX_EVENTS_IN_FLIGHT || op->stopping) {
        op->counters.events_dropped++;
        return;
    }
    CLEANUP(json_decref) json_t *event = build(op, &about, is_warning, reason, action, note);
    CLEANUP(free) char *body = json_print(event);
    struct event_call *c = NEW(struct event_call);
    c->op = op;
    list_push_back(&op->event_calls, &c->link);
    op->n_event_calls++;
    c->call = k8s_call(op->k8s,
                       &(struct k8s_request) {.verb = K8S_CREATE,
                                              .lane = K8S_LANE_EVENT,
                                              .resource = &event_resource,
                                              .ns = about.ns,
                                              .body = body,
                                              .fence = op->fence},
                       &handler, c);
}

void operator_tell(struct operator *op, bool is_warning, const char *reason, const char *action,
                   const char *note)
{
    struct event_about about = {
        .kind = "Lease",
        .api_version = "coordination.k8s.io/v1",
        .ns = op->settings->lease_ns,
        .name = op->settings->lease_name,
    };

    operator_event(op, about, is_warning, reason, action, note);
}

void events_forget(struct operator *op)
{
    struct event_call *c;

    list_foreach (c, &op->event_calls, link) {
        k8s_cancel(c->call);
        call_free(c);
    }
}
