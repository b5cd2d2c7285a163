/* SPDX-License-Identifier: Apache-2.0 */
/* The network of the fake: calls that travel, get lost and come back; watches; and the helpers. */
#include "sim/fake.h"

#include "sim/fake_internal.h"
#include "sim/fake_schema.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define TIMEOUT_MS         2000 /* of a call that says nothing */
#define LATE_MS            6000 /* after its time-out, as a rule */
#define VERY_LATE_MS       30000
#define AMBUSH_MS          1000  /* from a 404 to the create that it did not see */
#define FUTURE_MS          3000  /* a read waits so long for its version */
#define DEAD_CONNECTION_MS 30000 /* until a client notices that its network is gone */
#define LAST_WORDS_MS      60000 /* a server that stops delivers for so long */
#define STARTING_MS        2500

/* A request that is on its way to the server, with nobody waiting for it. */
struct ghost {
    struct list link;
    struct fake *fake;
    struct k8s_request request;
    bool lurks; /* comes as soon as somebody was told that it has not come */
    struct loop_timer timer;
};

int64_t fake_now(const struct fake *f)
{
    return loop_now(f->loop, LOOP_MONOTONIC);
}

int64_t fake_latency(struct fake *f)
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

static void tell_departure(struct fake *f, const char *user, const struct k8s_request *request)
{
    struct fake_watcher *w;

    list_foreach (w, &f->server.watchers, link)
        if (w->on_departure)
            w->on_departure(user, request, w->arg);
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
    struct fake *f = g->fake;

    if (fake_now(f) < f->stalled_until) {
        loop_timer_set(f->loop, &g->timer, LOOP_MONOTONIC, f->stalled_until);
        return;
    }
    struct fake_answer answer = fake_server_do(&f->server, &g->request);
    fake_server_count(&f->server, &g->request);
    tell_request(f, "", &g->request, 0);
    fake_answer_done(&answer);
    ghost_free(g);
}

static void drop_ghosts(struct fake *f)
{
    struct ghost *g;

    list_foreach (g, &f->ghosts, link)
        ghost_free(g);
}

static struct ghost *haunt(struct fake *f, const struct k8s_request *request, int64_t at)
{
    struct ghost *g = NEW(struct ghost);

    g->fake = f;
    g->request = copy_request(request);
    g->timer = (struct loop_timer) {.on_time = on_ghost_arrived, .arg = g};
    list_push_back(&f->ghosts, &g->link);
    loop_timer_set(f->loop, &g->timer, LOOP_MONOTONIC, at);
    return g;
}

/* Some seconds late as a rule, half a minute at times; and some just wait for a read that does not
 * see them. */
static void be_late(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    int64_t most = rng_below(&f->rng, 4) ? LATE_MS : VERY_LATE_MS - TIMEOUT_MS;
    struct ghost *g = haunt(f, &c->request, c->deadline + rng_between(&f->rng, 0, most));

    g->lurks = rng_below(&f->rng, 2);
}

static bool makes(const struct ghost *g, const struct k8s_resource *resource, const char *wanted)
{
    const struct k8s_request *r = &g->request;
    CLEANUP(json_decref) json_t *body = NULL;
    struct error err;

    if (r->verb != K8S_CREATE || r->resource->plural != resource->plural ||
        !json_parse(r->body, strlen(r->body), &body, &err))
        return false;
    const char *name = json_text_at(body, "metadata.name");
    return name && strcmp(name, wanted) == 0;
}

bool fake_is_coming(const struct fake *f, const struct k8s_resource *resource, const char *name)
{
    const struct ghost *g;

    list_foreach (g, &f->ghosts, link)
        if (makes(g, resource, name))
            return true;
    return false;
}

/* Somebody was just told that there is no such object. */
static void spring_ambush(struct fake *f, const struct k8s_request *get)
{
    struct ghost *g;

    list_foreach (g, &f->ghosts, link)
        if (g->lurks && makes(g, get->resource, get->name)) {
            g->lurks = false;
            loop_timer_set(f->loop, &g->timer, LOOP_MONOTONIC,
                           fake_now(f) + rng_between(&f->rng, 1, AMBUSH_MS));
            return;
        }
}

/* ---- calls ---- */

static void call_free(struct fake_call *c)
{
    struct loop *loop = c->client->fake->loop;

    if (c->gone)
        *c->gone = true;
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

void fake_call_fail(struct fake_call *c, int status, enum error_code code, const char *text)
{
    struct k8s_reply r = {.http_status = status};

    error_set(&r.error, code, "%s", text);
    reply(c, &r);
}

static void deliver_list(struct fake_call *c)
{
    const json_t *item;
    size_t i;

    json_array_foreach (c->answer.items, i, item) {
        const char *offer = fake_offer(item);
        CLEANUP(free) char *text = offer ? NULL : fake_print(item);

        c->handler.on_item(K8S_LISTED, offer ? offer : text, strlen(offer ? offer : text), c->arg);
        fake_offer(NULL);
    }
}

void fake_call_answer(struct fake_call *c)
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

void fake_call_set(struct fake_call *c, enum fake_phase phase, int64_t at)
{
    c->phase = phase;
    loop_timer_set(c->client->fake->loop, &c->timer, LOOP_MONOTONIC, at);
}

/* ---- at the server ---- */

/* On its way back. */
static void send_back(struct fake_call *c, struct fake_answer answer)
{
    struct fake *f = c->client->fake;

    c->answer = answer;
    tell_request(f, c->client->user, &c->request, answer.status);
    int64_t back = fake_now(f) + fake_latency(f);
    if (c->fault == FAKE_HANG_UP)
        fake_call_set(c, FAKE_CUT, back);
    else if (c->fault == FAKE_LOSE_REPLY || c->client->gone || back > c->deadline)
        fake_call_set(c, FAKE_LOST, c->deadline);
    else
        fake_call_set(c, FAKE_RETURNING, back);
}

static void carry_out(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    struct fake_answer answer = fake_server_do(&f->server, &c->request);

    fake_server_count(&f->server, &c->request);
    if (c->request.verb == K8S_GET && answer.status == 404)
        spring_ambush(f, &c->request);
    send_back(c, answer);
}

static void refuse(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    if (c->fault == FAKE_NO_LEADER && rng_below(&f->rng, 2)) { /* and yet it was done */
        struct fake_answer answer = fake_server_do(&f->server, &c->request);

        fake_server_count(&f->server, &c->request);
        fake_answer_done(&answer);
    }
    send_back(c, fake_fault_refusal(f, &c->request, (enum fake_fault) c->fault));
}

/* 504 at the end of its time, unless that is the client's end as well. */
static void time_out(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    tell_request(f, c->client->user, &c->request, 504);
    c->answer = fake_fault_timeout(&c->request);
    if (c->client->gone || rng_below(&f->rng, 2))
        fake_call_set(c, FAKE_LOST, c->deadline);
    else
        fake_call_set(c, FAKE_RETURNING, c->deadline - 1);
}

/* etcd does not answer.  What was handed to it may be done when it goes on; a delete reads first.
 */
static void stall(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    if (f->stalled_until < c->deadline - f->latency_max) {
        fake_call_set(c, FAKE_TRAVELLING, f->stalled_until);
        return;
    }
    if (k8s_verb_writes(c->request.verb) && c->request.verb != K8S_DELETE &&
        rng_below(&f->rng, 5) < 2)
        haunt(f, &c->request, f->stalled_until + rng_between(&f->rng, 0, AMBUSH_MS));
    time_out(c);
}

static bool is_cached(const struct k8s_request *r)
{
    return r->resource_version && strcmp(r->resource_version, "0") == 0;
}

/* A read of a version that is not there yet. */
static bool is_of_the_future(const struct fake *f, const struct k8s_request *r)
{
    uint64_t version;

    return (r->verb == K8S_GET ||
            (r->verb == K8S_LIST && !(r->continue_token && *r->continue_token))) &&
           k8s_version_parse(r->resource_version, &version) && version > f->server.version;
}

static void on_waited(struct fake_call *c)
{
    struct fake *f = c->client->fake;

    if (is_of_the_future(f, &c->request))
        send_back(c, fake_server_too_large(&f->server, &c->request));
    else
        carry_out(c);
}

/* It keeps what happens for its watches, from its start on. */
static void start_if_stopped(struct fake *f)
{
    if (!f->stopped || fake_now(f) < f->down_until)
        return;
    f->stopped = false;
    f->server.served_from = f->server.version;
}

static void arrive(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    int64_t now = fake_now(f);

    start_if_stopped(f);
    if (now < f->down_until)
        fake_call_set(c, FAKE_CUT, now);
    else if (now < f->starting_until)
        send_back(c, fake_fault_starting(&c->request));
    else if (c->fault >= 0 && fake_fault_is_refusal((enum fake_fault) c->fault))
        refuse(c);
    else if (c->fault == FAKE_TIMEOUT)
        time_out(c);
    else if (c->request.verb == K8S_WATCH)
        fake_watch_begin(c);
    else if (now < f->stalled_until && !is_cached(&c->request))
        stall(c);
    else if (is_of_the_future(f, &c->request))
        fake_call_set(c, FAKE_WAITING, now + FUTURE_MS);
    else
        carry_out(c);
}

/* ---- on the way ---- */

/* Nobody listens: nothing of it leaves, and nothing of it comes late. */
static bool is_refused(const struct fake_call *c)
{
    const struct fake *f = c->client->fake;

    return fake_now(f) < f->down_until && !c->client->gone;
}

static void send_off(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    int64_t there = fake_now(f) + fake_latency(f);

    if (is_refused(c)) {
        fake_call_set(c, FAKE_REFUSED, there);
    } else if (c->fault == FAKE_LATE || c->fault == FAKE_LOSE_REQUEST || c->client->gone) {
        fake_call_set(c, FAKE_LOST, c->deadline);
    } else if (there > c->deadline) {
        haunt(f, &c->request, there);
        fake_call_set(c, FAKE_LOST, c->deadline);
    } else {
        fake_call_set(c, FAKE_TRAVELLING, there);
    }
}

/* It is this request's turn: ask the fence, and off it goes. */
static void depart(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    const struct k8s_fence *fence = c->request.fence;
    int judged = f->judge ? f->judge(c->client->user, &c->request, f->judge_arg) : -1;

    if (c->client->frozen) { /* just now: decided, and not sent */
        c->held = true;
        return;
    }
    int64_t remaining = fence ? fence->remaining_ms(fence->arg) : INT64_MAX;

    if (remaining <= 0) {
        fake_call_fail(c, 0, ERROR_FENCED, "not sent: the lease does not last long enough");
        return;
    }
    tell_departure(f, c->client->user, &c->request);
    if (remaining < c->deadline - fake_now(f))
        c->deadline = fake_now(f) + remaining;
    c->fault = judged >= 0 ? judged : fake_fault_pick(f, &c->request);
    if (c->fault == FAKE_LATE && !is_refused(c))
        be_late(c);
    send_off(c);
}

/* A 504 of a request that is late comes at the end of its time, or it does not come. */
static void on_lost(struct fake_call *c)
{
    if (c->fault == FAKE_LATE && rng_below(&c->client->fake->rng, 2)) {
        c->answer = fake_fault_timeout(&c->request);
        fake_call_answer(c);
        return;
    }
    fake_call_fail(c, 0, ERROR_UNKNOWN, "no answer in time");
}

static void on_cut(struct fake_call *c)
{
    fake_call_fail(c, 0, ERROR_UNKNOWN, "the connection was closed before an answer came");
}

static void on_refused(struct fake_call *c)
{
    fake_call_fail(c, 0, ERROR_UNAVAILABLE, "connection refused");
}

static void on_timer(void *arg)
{
    static void (*const steps[])(struct fake_call * c) = {
        [FAKE_SENDING] = depart,     [FAKE_TRAVELLING] = arrive,
        [FAKE_WAITING] = on_waited,  [FAKE_RETURNING] = fake_call_answer,
        [FAKE_LOST] = on_lost,       [FAKE_CUT] = on_cut,
        [FAKE_REFUSED] = on_refused, [FAKE_WATCHING] = fake_watch_deliver,
    };
    struct fake_call *c = arg;

    if (c->client->frozen && c->phase != FAKE_TRAVELLING && c->phase != FAKE_WAITING)
        c->held = true;
    else
        steps[c->phase](c);
}

/* ---- the seam ---- */

/* Without one, DELETE would mean the collection. */
static bool needs_name(const struct k8s_request *r)
{
    return r->verb != K8S_LIST && r->verb != K8S_WATCH && r->verb != K8S_CREATE;
}

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
    if (!c->request.field_manager && request->verb != K8S_APPLY)
        c->request.field_manager = xstrdup(client->user); /* as it follows from User-Agent */
    c->handler = *handler;
    c->arg = arg;
    c->fault = -1;
    c->deadline =
        fake_now(f) + (!watch && request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS);
    c->timer = (struct loop_timer) {.on_time = on_timer, .arg = c};
    c->bookmark = (struct loop_timer) {.on_time = fake_watch_on_bookmark, .arg = c};
    c->end = (struct loop_timer) {.on_time = fake_watch_on_end, .arg = c};
    list_push_back(&client->calls, &c->link);
    assert(k8s_request_lane(request) != K8S_LANE_DEFAULT &&
           (!needs_name(request) || *request->name));
    fake_call_set(c, FAKE_SENDING, fake_now(f));
    return &c->base;
}

/* Whether a request that is under way arrives nevertheless is chance. */
static void on_cancel(struct k8s_call *call)
{
    struct fake_call *c = container_of(call, struct fake_call, base);
    struct fake *f = c->client->fake;

    if (c->phase == FAKE_TRAVELLING && c->request.verb != K8S_WATCH && rng_below(&f->rng, 2))
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
        fake_call_set(c, c->phase, fake_now(client->fake));
    }
}

void fake_partition(struct k8s *k8s, bool gone)
{
    struct fake_client *client = container_of(k8s, struct fake_client, base);
    struct fake *f = client->fake;
    struct fake_call *c;

    client->gone = gone;
    list_foreach (c, &client->calls, link)
        if (c->phase == FAKE_WATCHING && gone)
            fake_watch_dies_at(c, fake_now(f) + DEAD_CONNECTION_MS);
        else if (c->phase == FAKE_WATCHING && !c->silent)
            c->dead_at = 0;
    if (!gone)
        fake_watch_wake(f, NULL);
}

/* ---- life ---- */

static void on_event(const struct fake_kind *kind, void *arg)
{
    fake_watch_wake(arg, kind);
}

struct fake *fake_new(struct loop *loop, uint64_t seed)
{
    static const struct {
        struct k8s_resource resource;
        bool has_status;
    } built_in[] = {
        {{"", "v1", "pods", "Pod"}, true},
        {{"", "v1", "configmaps", "ConfigMap"}, false},
        {{"", "v1", "nodes", "Node"}, true},
        {{"", "v1", "namespaces", "Namespace"}, true},
        {{"", "v1", "resourcequotas", "ResourceQuota"}, true},
        {{"", "v1", "serviceaccounts", "ServiceAccount"}, false},
        {{"scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass"}, false},
        {{"coordination.k8s.io", "v1", "leases", "Lease"}, false},
        {{"events.k8s.io", "v1", "events", "Event"}, false},
        {{"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"},
         true},
    };
    struct fake *f = NEW(struct fake);

    f->loop = loop;
    rng_init(&f->rng, seed);
    list_init(&f->clients);
    list_init(&f->ghosts);
    list_init(&f->injections);
    fake_set_latency(f, 1, 5);
    fake_server_init(&f->server, loop, &f->rng);
    f->server.on_event = on_event;
    f->server.arg = f;
    for (size_t i = 0; i < ARRAY_SIZE(built_in); i++)
        fake_server_add_kind(&f->server, &built_in[i].resource, built_in[i].has_status, NULL)
            ->built_in = true;
    return f;
}

void fake_free(struct fake *f)
{
    if (!f)
        return;
    assert(list_empty(&f->clients));
    drop_ghosts(f);
    fake_fail_no_more(f);
    fake_server_done(&f->server);
    free(f);
}

void fake_add_kind(struct fake *f, const struct k8s_resource *resource, bool has_status)
{
    if (!fake_server_kind(&f->server, resource))
        fake_server_add_kind(&f->server, resource, has_status, fake_schema_of(resource));
}

static void on_time_up(void *arg)
{
    *(bool *) arg = true;
}

bool fake_run_until(struct fake *f, int64_t ms, bool (*condition)(void *arg), void *arg)
{
    bool up = false, more = true;
    struct loop_timer timer = {.on_time = on_time_up, .arg = &up};

    loop_timer_set(f->loop, &timer, LOOP_MONOTONIC, fake_now(f) + ms);
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

/* ---- the world around ---- */

void fake_set_latency(struct fake *f, int64_t min_ms, int64_t max_ms)
{
    f->latency_min = min_ms;
    f->latency_max = max_ms;
}

void fake_set_lag(struct fake *f, const struct k8s_resource *resource, int64_t min_ms,
                  int64_t max_ms)
{
    struct fake_kind *kind = fake_server_kind(&f->server, resource);

    kind->lag_min = min_ms;
    kind->lag_max = max_ms;
}

void fake_set_skew(struct fake *f, int64_t ms)
{
    f->server.skew_ms = ms;
}

void fake_stall(struct fake *f, int64_t ms)
{
    f->stalled_until = fake_now(f) + ms;
}

static void lose_server(struct fake_call *c)
{
    int64_t now = fake_now(c->client->fake);

    if (c->phase == FAKE_WATCHING)
        fake_watch_dies_at(c, now + LAST_WORDS_MS);
    else if (c->phase == FAKE_WAITING || c->phase == FAKE_RETURNING)
        fake_call_set(c, FAKE_CUT, now);
}

void fake_stop_server(struct fake *f, int64_t ms)
{
    struct fake_client *client;
    struct fake_call *c;

    f->stopped = true;
    f->down_until = fake_now(f) + ms;
    f->starting_until = f->down_until + STARTING_MS;
    list_foreach (client, &f->clients, link)
        list_foreach (c, &client->calls, link)
            lose_server(c);
}

void fake_expire_history(struct fake *f)
{
    fake_server_expire(&f->server);
}

void fake_backup(struct fake *f)
{
    fake_server_backup(&f->server);
}

void fake_part_versions(struct fake *f)
{
    f->server.version_step = 64;
}

void fake_restore(struct fake *f)
{
    drop_ghosts(f);
    fake_end_watches(f, false);
    fake_server_restore(&f->server);
}
