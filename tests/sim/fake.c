/* SPDX-License-Identifier: Apache-2.0 */
/* The network of the fake: calls that travel, get lost and come back; watches; and the helpers. */
#include "sim/fake.h"

#include "sim/fake_internal.h"
#include "sim/fake_store.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define TIMEOUT_MS         2000 /* of a call that says nothing */
#define LATE_MS            6000
#define BOOKMARK_MS        60000
#define WATCH_MS           1800000 /* of a watch that says nothing */
#define DEAD_CONNECTION_MS 30000   /* until a client notices that its network is gone */
#define FROZEN_LOOK_MS     1000

struct fake_client {
    struct k8s base;
    struct fake *fake;
    char *user;
    struct list link;
    struct list calls;
    bool gone; /* partitioned */
    bool frozen;
};

/* A request that is on its way to the server, with nobody waiting for it. */
struct ghost {
    struct list link;
    struct fake *fake;
    struct k8s_request request;
    struct loop_timer timer;
};

enum phase { PHASE_SENDING, PHASE_TRAVELLING, PHASE_RETURNING, PHASE_LOST, PHASE_WATCHING };

struct fake_call {
    struct k8s_call base;
    struct fake_client *client;
    struct list link;
    struct k8s_request request; /* texts owned */
    struct k8s_handler handler;
    void *arg;
    enum phase phase;
    bool held;        /* what comes next waits for a frozen client */
    int fault;        /* enum fake_fault, or -1 */
    int64_t deadline; /* LOOP_MONOTONIC */
    struct loop_timer timer;
    struct fake_answer answer;
    /* Watches. */
    uint64_t version; /* everything up to here has been delivered */
    struct loop_timer bookmark, end;
};

struct injection {
    struct list link;
    enum fake_fault fault;
    int n, verb;
    const char *plural;
};

static int64_t now(const struct fake *f)
{
    return loop_now(f->loop, LOOP_MONOTONIC);
}

static int64_t latency(struct fake *f)
{
    return rng_between(&f->rng, f->latency_min, f->latency_max);
}

static struct k8s_request copy_request(const struct k8s_request *r)
{
    struct k8s_request copy = *r;

    copy.ns = xstrdup(r->ns);
    copy.name = xstrdup(r->name);
    copy.subresource = xstrdup(r->subresource);
    copy.body = xstrdup(r->body);
    copy.field_manager = xstrdup(r->field_manager);
    copy.label_selector = xstrdup(r->label_selector);
    copy.field_selector = xstrdup(r->field_selector);
    copy.resource_version = xstrdup(r->resource_version);
    copy.continue_token = xstrdup(r->continue_token);
    return copy;
}

static void free_request(struct k8s_request *r)
{
    const char *texts[] = {r->ns,
                           r->name,
                           r->subresource,
                           r->body,
                           r->field_manager,
                           r->label_selector,
                           r->field_selector,
                           r->resource_version,
                           r->continue_token};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free((void *) (uintptr_t) texts[i]);
}

static void tell_request(struct fake *f, const char *user, const struct k8s_request *request,
                         int status)
{
    struct fake_watcher *w;

    list_foreach (w, &f->server.watchers, link)
        if (w->on_request)
            w->on_request(user, request, status, w->arg);
}

/* ---- ghosts ---- */

static void ghost_free(struct ghost *g)
{
    list_remove(&g->link);
    loop_timer_cancel(g->fake->loop, &g->timer);
    free_request(&g->request);
    free(g);
}

static void on_ghost_arrived(void *arg)
{
    struct ghost *g = arg;
    struct fake_answer answer = fake_server_do(&g->fake->server, &g->request);

    fake_store_count(&g->fake->server, &g->request);
    tell_request(g->fake, "", &g->request, 0);
    fake_answer_done(&answer);
    ghost_free(g);
}

static void haunt(struct fake *f, const struct k8s_request *request, int64_t at)
{
    struct ghost *g = NEW(struct ghost);

    g->fake = f;
    g->request = copy_request(request);
    g->timer = (struct loop_timer) {.on_time = on_ghost_arrived, .arg = g};
    list_push_back(&f->ghosts, &g->link);
    loop_timer_set(f->loop, &g->timer, LOOP_MONOTONIC, at);
}

/* ---- calls ---- */

static void call_free(struct fake_call *c)
{
    struct loop *loop = c->client->fake->loop;

    list_remove(&c->link);
    loop_timer_cancel(loop, &c->timer);
    loop_timer_cancel(loop, &c->bookmark);
    loop_timer_cancel(loop, &c->end);
    free_request(&c->request);
    fake_answer_done(&c->answer);
    free(c);
}

static void reply(struct fake_call *c, struct k8s_reply *r)
{
    const struct k8s_handler handler = c->handler;
    const json_t *meta = json_at(r->object, "metadata");
    const char *version = json_text_at(meta, "resourceVersion");
    const char *token = json_text_at(meta, "continue");

    r->reason = r->reason ? r->reason : "";
    r->resource_version = version ? version : "";
    r->continue_token = token ? token : "";
    c->base.k8s = NULL; /* cancelling it now is a mistake, and shows */
    handler.on_reply(r, c->arg);
    call_free(c);
}

/* No answer: lost on the way, or given up. */
static void reply_error(struct fake_call *c, enum error_code code, const char *text)
{
    struct k8s_reply r = {0};

    error_set(&r.error, code, "%s", text);
    reply(c, &r);
}

static void deliver_list(struct fake_call *c)
{
    const json_t *item;
    size_t i;

    json_array_foreach (c->answer.items, i, item) {
        CLEANUP(free) char *text = json_print(item);

        c->handler.on_item(K8S_LISTED, text, strlen(text), c->arg);
    }
}

static void reply_answer(struct fake_call *c)
{
    struct k8s_reply r = {
        .http_status = c->answer.status,
        .object = c->answer.body,
        .retry_after_ms = c->answer.retry_after_ms,
        .server_time_ms = fake_server_now(&c->client->fake->server) / 1000 * 1000,
    };

    k8s_reply_judge(&r, &c->request, c->answer.text);
    if (c->answer.items && r.error.code == ERROR_NONE)
        deliver_list(c);
    reply(c, &r);
}

static void set_timer(struct fake_call *c, enum phase phase, int64_t at)
{
    c->phase = phase;
    loop_timer_set(c->client->fake->loop, &c->timer, LOOP_MONOTONIC, at);
}

static struct fake_answer refusal(const struct fake_call *c)
{
    const struct k8s_request *r = &c->request;
    const char *plural = r->resource->plural, *name = r->name ? r->name : "";
    struct fake_answer answer = {.status = 429,
                                 .text = "Too many requests, please try again later.\n"};

    switch (c->fault) {
    case FAKE_REFUSE:
        return fake_failure(503, "ServiceUnavailable", r, NULL, NULL,
                            "the server is currently unable to handle the request");
    case FAKE_CONFLICT:
        return fake_failure(409, "Conflict", r, plural, name,
                            "Operation cannot be fulfilled on %s \"%s\": the object has been "
                            "modified; please apply your "
                            "changes to the latest version and try again",
                            plural, name);
    case FAKE_EXPIRE:
        return fake_failure(
            410, "Expired", r, NULL, NULL, "too old resource version: %s (%" PRIu64 ")",
            r->resource_version ? r->resource_version : "0", c->client->fake->server.version);
    case FAKE_FORBID:
        return fake_failure(403, "Forbidden", r, plural, name,
                            "%s \"%s\" is forbidden: exceeded quota: q, requested: pods=1, used: "
                            "pods=1, limited: pods=1",
                            plural, name);
    default:
        answer.retry_after_ms = 1000;
        return answer;
    }
}

static void begin_watch(struct fake_call *c);

/* At the server. */
static void arrive(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    if (c->fault >= FAKE_REFUSE) {
        c->answer = refusal(c);
    } else if (c->request.verb == K8S_WATCH) {
        begin_watch(c);
        return;
    } else {
        c->answer = fake_server_do(&f->server, &c->request);
        fake_store_count(&f->server, &c->request);
    }
    tell_request(f, c->client->user, &c->request, c->answer.status);
    int64_t back = now(f) + latency(f);
    if (c->fault == FAKE_LOSE_REPLY || c->client->gone || back > c->deadline)
        set_timer(c, PHASE_LOST, c->deadline);
    else
        set_timer(c, PHASE_RETURNING, back);
}

static bool makes_sense(enum fake_fault fault, enum k8s_verb verb)
{
    switch (fault) {
    case FAKE_CONFLICT:
        return verb == K8S_PATCH || verb == K8S_DELETE;
    case FAKE_EXPIRE:
        return verb == K8S_WATCH;
    case FAKE_FORBID:
        return verb == K8S_CREATE;
    case FAKE_LATE:
        return k8s_verb_writes(verb) && verb != K8S_DELETE;
    default:
        return true;
    }
}

static int pick_fault(struct fake *f, const char *user, const struct k8s_request *r)
{
    struct injection *in;
    int judged = f->judge ? f->judge(user, r, f->judge_arg) : -1;

    if (judged >= 0)
        return judged;

    list_foreach (in, &f->injections, link) {
        if ((in->verb >= 0 && in->verb != (int) r->verb) ||
            (in->plural && strcmp(in->plural, r->resource->plural) != 0))
            continue;
        int fault = (int) in->fault;
        if (--in->n == 0) {
            list_remove(&in->link);
            free(in);
        }
        return fault;
    }
    for (int i = 0; i < FAKE_N_FAULTS; i++)
        if (f->per_mille[i] && makes_sense((enum fake_fault) i, r->verb) &&
            (int) rng_below(&f->rng, 1000) < f->per_mille[i])
            return i;
    return -1;
}

/* It is this request's turn: ask the fence, and off it goes. */
static void depart(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    const struct k8s_fence *fence = c->request.fence;
    int64_t remaining = fence ? fence->remaining_ms(fence->arg) : INT64_MAX;

    if (remaining <= 0) {
        reply_error(c, ERROR_FENCED, "not sent: the lease does not last long enough");
        return;
    }
    if (remaining < c->deadline - now(f))
        c->deadline = now(f) + remaining;
    int64_t there = now(f) + latency(f);
    c->fault = pick_fault(f, c->client->user, &c->request);
    if (c->fault == FAKE_LATE)
        haunt(f, &c->request, c->deadline + rng_between(&f->rng, 0, LATE_MS));
    if (c->fault == FAKE_LATE || c->fault == FAKE_LOSE_REQUEST || c->client->gone) {
        set_timer(c, PHASE_LOST, c->deadline);
    } else if (there > c->deadline) {
        haunt(f, &c->request, there);
        set_timer(c, PHASE_LOST, c->deadline);
    } else {
        set_timer(c, PHASE_TRAVELLING, there);
    }
}

static void deliver_events(struct fake_call *c);

static void on_timer(void *arg)
{
    struct fake_call *c = arg;

    if (c->client->frozen && c->phase != PHASE_TRAVELLING) {
        c->held = true;
        return;
    }
    switch (c->phase) {
    case PHASE_SENDING:
        depart(c);
        break;
    case PHASE_TRAVELLING:
        arrive(c);
        break;
    case PHASE_RETURNING:
        reply_answer(c);
        break;
    case PHASE_LOST:
        reply_error(c, ERROR_UNKNOWN, "no answer in time");
        break;
    case PHASE_WATCHING:
        deliver_events(c);
        break;
    }
}

/* ---- watches ---- */

static void end_watch(struct fake_call *c, bool cleanly)
{
    if (cleanly) {
        c->answer = (struct fake_answer) {.status = 200};
        reply_answer(c);
    } else {
        reply_error(c, ERROR_UNKNOWN, "the connection was lost");
    }
}

static void send_item(struct fake_call *c, enum k8s_event event, const json_t *object)
{
    CLEANUP(free) char *text = json_print(object);

    c->handler.on_item(event, text, strlen(text), c->arg);
}

/* What a selected watch shows of a change: an object that no longer matches is shown as DELETED, as
 * it was before, with the new version. */
static void send_event(struct fake_call *c, const struct fake_event *e)
{
    bool before = fake_server_selects(&c->request, e->old),
         after = fake_server_selects(&c->request, e->new);

    if (after) {
        send_item(c, before ? K8S_MODIFIED : K8S_ADDED, e->new);
    } else if (before) {
        CLEANUP(json_decref) json_t *last = json_deep_copy(e->old);

        json_set_take(json_object_get(last, "metadata"), "resourceVersion",
                      json_sprintf("%" PRIu64, e->version));
        send_item(c, K8S_DELETED, last);
    }
}

static void send_bookmark(struct fake_call *c)
{
    const struct k8s_resource *kind = c->request.resource;
    CLEANUP(json_decref) json_t *bookmark =
        json_pack("{s:s, s:{s:o}}", "kind", kind->kind, "metadata", "resourceVersion",
                  json_sprintf("%" PRIu64, c->version));

    send_item(c, K8S_BOOKMARK, bookmark);
}

/* A handler may cancel its watch: the link tells. */
static bool is_open(const struct fake_client *client, const struct fake_call *c)
{
    struct fake_call *other;

    list_foreach (other, &client->calls, link)
        if (other == c)
            return true;
    return false;
}

static void deliver_events(struct fake_call *c)
{
    struct fake_client *client = c->client;
    struct fake_server *s = &client->fake->server;
    const struct fake_kind *kind = fake_server_kind(s, c->request.resource);
    uint64_t last = s->version;

    for (size_t i = fake_server_after(s, c->version);
         i < s->n_events && s->events[i].version <= last; i++) {
        if (s->events[i].kind != kind)
            continue;
        c->version = s->events[i].version;
        send_event(c, &s->events[i]);
        if (!is_open(client, c))
            return;
    }
    c->version = last;
}

static void on_bookmark(void *arg)
{
    struct fake_call *c = arg;
    struct fake *f = c->client->fake;

    loop_timer_set(f->loop, &c->bookmark, LOOP_MONOTONIC, now(f) + BOOKMARK_MS);
    if (!c->client->gone && !c->client->frozen && !loop_timer_armed(&c->timer))
        send_bookmark(c);
}

/* The server's time is up: it says where it was and closes. */
static void on_end(void *arg)
{
    struct fake_call *c = arg;
    struct fake_client *client = c->client;

    if (client->frozen) {
        loop_timer_set(client->fake->loop, &c->end, LOOP_MONOTONIC,
                       now(client->fake) + FROZEN_LOOK_MS);
        return;
    }
    if (client->gone || c->version == UINT64_MAX) {
        end_watch(c, !client->gone);
        return;
    }
    deliver_events(c);
    if (!is_open(client, c))
        return;
    send_bookmark(c);
    if (is_open(client, c))
        end_watch(c, true);
}

static void begin_watch(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    const char *from = c->request.resource_version;

    fake_store_count(&f->server, &c->request);
    if (!fake_server_kind(&f->server, c->request.resource)) {
        c->answer = (struct fake_answer) {.status = 404, .text = "404 page not found\n"};
        set_timer(c, PHASE_RETURNING, now(f) + latency(f));
        return;
    }
    assert(k8s_version_parse(from, &c->version)); /* Kharon watches from a list only */
    if (c->version < f->server.oldest) {
        c->fault = FAKE_EXPIRE;
        c->answer = refusal(c);
        set_timer(c, PHASE_RETURNING, now(f) + latency(f));
        return;
    }
    if (c->version > f->server.version)
        c->version = UINT64_MAX; /* the real one stays silent */
    else
        loop_timer_set(f->loop, &c->bookmark, LOOP_MONOTONIC, now(f) + BOOKMARK_MS);
    c->phase = PHASE_WATCHING;
    loop_timer_set(f->loop, &c->end, LOOP_MONOTONIC,
                   now(f) + (c->request.timeout_ms > 0 ? c->request.timeout_ms : WATCH_MS));
    if (c->version < f->server.version)
        set_timer(c, PHASE_WATCHING, now(f) + latency(f));
}

/* Something was written. */
static void wake_watches(void *arg)
{
    struct fake *f = arg;
    struct fake_client *client;
    struct fake_call *c;

    list_foreach (client, &f->clients, link) {
        if (client->gone)
            continue;
        list_foreach (c, &client->calls, link)
            if (c->phase == PHASE_WATCHING && c->version < f->server.version &&
                !c->held && !loop_timer_armed(&c->timer))
                set_timer(c, PHASE_WATCHING, now(f) + latency(f));
    }
}

/* ---- the seam ---- */

static struct k8s_call *on_call(struct k8s *k8s, const struct k8s_request *request,
                                const struct k8s_handler *handler, void *arg)
{
    struct fake_client *client = container_of(k8s, struct fake_client, base);
    struct fake *f = client->fake;
    struct fake_call *c = NEW(struct fake_call);
    bool watch = request->verb == K8S_WATCH;

    c->base.k8s = k8s;
    c->client = client;
    c->request = copy_request(request);
    c->handler = *handler;
    c->arg = arg;
    c->fault = -1;
    c->deadline = now(f) + (!watch && request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS);
    c->timer = (struct loop_timer) {.on_time = on_timer, .arg = c};
    c->bookmark = (struct loop_timer) {.on_time = on_bookmark, .arg = c};
    c->end = (struct loop_timer) {.on_time = on_end, .arg = c};
    list_push_back(&client->calls, &c->link);
    free(k8s_request_path(request)); /* its assertions hold here too */
    set_timer(c, PHASE_SENDING, now(f));
    return &c->base;
}

/* Whether a request that is under way arrives nevertheless is chance. */
static void on_cancel(struct k8s_call *call)
{
    struct fake_call *c = container_of(call, struct fake_call, base);
    struct fake *f = c->client->fake;

    if (c->phase == PHASE_TRAVELLING && c->request.verb != K8S_WATCH && rng_below(&f->rng, 2))
        haunt(f, &c->request, c->timer.node.key);
    call_free(c);
}

static void on_free(struct k8s *k8s)
{
    struct fake_client *client = container_of(k8s, struct fake_client, base);

    assert(list_empty(&client->calls));
    list_remove(&client->link);
    free(client->user);
    free(client);
}

struct k8s *fake_client(struct fake *fake, const char *user)
{
    static const struct k8s_ops ops = {on_call, on_cancel, on_free};
    struct fake_client *client = NEW(struct fake_client);

    client->base.ops = &ops;
    client->fake = fake;
    client->user = xstrdup(user);
    list_init(&client->calls);
    list_push_back(&fake->clients, &client->link);
    return &client->base;
}

void fake_freeze(struct k8s *k8s, bool frozen)
{
    struct fake_client *client = container_of(k8s, struct fake_client, base);
    struct fake_call *c;

    client->frozen = frozen;
    list_foreach (c, &client->calls, link) {
        if (!c->held || frozen)
            continue;
        c->held = false;
        set_timer(c, c->phase, now(client->fake));
    }
}

void fake_partition(struct k8s *k8s, bool gone)
{
    struct fake_client *client = container_of(k8s, struct fake_client, base);
    struct fake *f = client->fake;
    struct fake_call *c;

    client->gone = gone;
    list_foreach (c, &client->calls, link)
        if (c->phase == PHASE_WATCHING && gone)
            loop_timer_set(f->loop, &c->end, LOOP_MONOTONIC, now(f) + DEAD_CONNECTION_MS);
    if (!gone)
        wake_watches(f);
}

/* ---- life ---- */

struct fake *fake_new(struct loop *loop, uint64_t seed)
{
    static const struct {
        struct k8s_resource resource;
        bool has_status;
    } built_in[] = {
        {{"", "v1", "pods", "Pod"}, true},
        {{"", "v1", "configmaps", "ConfigMap"}, false},
        {{"coordination.k8s.io", "v1", "leases", "Lease"}, false},
        {{"events.k8s.io", "v1", "events", "Event"}, false},
    };
    struct fake *f = NEW(struct fake);

    f->loop = loop;
    rng_init(&f->rng, seed);
    list_init(&f->clients);
    list_init(&f->ghosts);
    list_init(&f->injections);
    fake_set_latency(f, 1, 5);
    fake_server_init(&f->server, loop, &f->rng);
    f->server.on_event = wake_watches;
    f->server.arg = f;
    for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
        fake_add_kind(f, &built_in[i].resource, built_in[i].has_status);
        fake_server_kind(&f->server, &built_in[i].resource)->built_in = true;
    }
    return f;
}

void fake_free(struct fake *f)
{
    struct ghost *g;

    if (!f)
        return;
    assert(list_empty(&f->clients));
    list_foreach (g, &f->ghosts, link)
        ghost_free(g);
    fake_fail_no_more(f);
    fake_server_done(&f->server);
    free(f);
}

void fake_add_kind(struct fake *f, const struct k8s_resource *resource, bool has_status)
{
    struct fake_kind *kind = NEW(struct fake_kind);

    assert(!fake_server_kind(&f->server, resource));
    kind->resource = resource;
    kind->has_status = has_status;
    map_init(&kind->objects);
    list_push_back(&f->server.kinds, &kind->link);
}

static void on_time_up(void *arg)
{
    *(bool *) arg = true;
}

bool fake_run_until(struct fake *f, int64_t ms, bool (*condition)(void *arg), void *arg)
{
    bool up = false, more = true;
    struct loop_timer timer = {.on_time = on_time_up, .arg = &up};

    loop_timer_set(f->loop, &timer, LOOP_MONOTONIC, now(f) + ms);
    while (!up && more && !condition(arg))
        more = loop_turn(f->loop, -1);
    loop_timer_cancel(f->loop, &timer);
    return condition(arg);
}

static bool never(void *arg)
{
    (void) arg;
    return false;
}

void fake_run(struct fake *f, int64_t ms)
{
    fake_run_until(f, ms, never, NULL);
}

/* ---- faults ---- */

void fake_set_latency(struct fake *f, int64_t min_ms, int64_t max_ms)
{
    f->latency_min = min_ms;
    f->latency_max = max_ms;
}

void fake_set_skew(struct fake *f, int64_t ms)
{
    f->server.skew_ms = ms;
}

void fake_fail_next(struct fake *f, enum fake_fault fault, int n, int verb, const char *plural)
{
    struct injection *in = NEW(struct injection);

    *in = (struct injection) {.fault = fault, .n = n, .verb = verb, .plural = plural};
    list_push_back(&f->injections, &in->link);
}

void fake_fail_no_more(struct fake *f)
{
    struct injection *in;

    list_foreach (in, &f->injections, link) {
        list_remove(&in->link);
        free(in);
    }
}

void fake_set_judge(struct fake *f, fake_judge *judge, void *arg)
{
    f->judge = judge;
    f->judge_arg = arg;
}

void fake_set_rate(struct fake *f, enum fake_fault fault, int per_mille)
{
    f->per_mille[fault] = per_mille;
}

/* Ending one may start others: those that are open now are counted first. */
void fake_end_watches(struct fake *f, bool cleanly)
{
    struct fake_client *client;
    struct fake_call *c;

    list_foreach (client, &f->clients, link) {
        struct list open = LIST_INIT(open), *link;

        list_splice_back(&open, &client->calls);
        while ((link = list_pop_front(&open))) {
            c = list_entry(link, struct fake_call, link);
            list_push_back(&client->calls, &c->link);
            if (c->phase == PHASE_WATCHING)
                end_watch(c, cleanly);
        }
    }
}

void fake_expire_history(struct fake *f)
{
    fake_server_expire(&f->server);
}

void fake_restore(struct fake *f)
{
    fake_server_restore(&f->server);
    fake_end_watches(f, false);
}
