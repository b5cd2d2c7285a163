/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/tap.h"

struct tap {
    struct k8s base;
    struct loop *loop;
    struct k8s *k8s;
    void (*on_end)(const struct k8s_ended *ended, void *arg);
    void *arg;
};

struct tapped {
    struct k8s_call base;
    struct tap *tap;
    struct k8s_call *call;
    struct k8s_handler handler;
    void *arg;
    enum k8s_verb verb;
    enum k8s_lane lane;
    const struct k8s_resource *resource;
    char *ns;
    int64_t began_at; /* BOOT */
};

static void tapped_free(struct tapped *t)
{
    free(t->ns);
    free(t);
}

static void tell(const struct tapped *t, const struct k8s_reply *reply)
{
    struct k8s_ended ended = {
        .verb = t->verb,
        .lane = t->lane,
        .resource = t->resource,
        .ns = t->ns,
        .reply = reply,
        .took_ms = loop_now_fresh(t->tap->loop, LOOP_BOOT) - t->began_at,
    };

    t->tap->on_end(&ended, t->tap->arg);
}

static void on_item(enum k8s_event event, const char *json, size_t len, void *arg)
{
    struct tapped *t = arg;

    t->handler.on_item(event, json, len, t->arg);
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct tapped *t = arg;

    tell(t, reply);
    t->base.k8s = NULL; /* cancelling it now is a mistake, and shows */
    t->handler.on_reply(reply, t->arg);
    tapped_free(t);
}

static struct k8s_call *call(struct k8s *k8s, const struct k8s_request *request,
                             const struct k8s_handler *handler, void *arg)
{
    static const struct k8s_handler tapping = {on_item, on_reply};
    struct tap *tap = container_of(k8s, struct tap, base);
    struct tapped *t = NEW(struct tapped);

    t->base.k8s = k8s;
    t->tap = tap;
    t->handler = *handler;
    t->arg = arg;
    t->verb = request->verb;
    t->lane = k8s_request_lane(request);
    t->resource = request->resource;
    t->ns = xstrdup(request->ns);
    t->began_at = loop_now_fresh(tap->loop, LOOP_BOOT);
    t->call = k8s_call(tap->k8s, request, &tapping, t);
    return &t->base;
}

static void cancel(struct k8s_call *base)
{
    struct tapped *t = container_of(base, struct tapped, base);

    k8s_cancel(t->call);
    tell(t, NULL);
    tapped_free(t);
}

static void on_free(struct k8s *k8s)
{
    free(container_of(k8s, struct tap, base));
}

struct k8s *k8s_tap_new(struct loop *loop, struct k8s *k8s,
                        void (*on_end)(const struct k8s_ended *ended, void *arg), void *arg)
{
    static const struct k8s_ops ops = {call, cancel, on_free};
    struct tap *tap = NEW(struct tap);

    *tap = (struct tap) {.base = {&ops}, .loop = loop, .k8s = k8s, .on_end = on_end, .arg = arg};
    return &tap->base;
}
