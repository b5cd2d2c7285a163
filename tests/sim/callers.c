/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of the HTTP API, and its server: the handlers without sockets.  Whatever they are told was
 * accepted has to be seen in the cluster between their question and the answer, and what was
 * triggered has to be run.
 */
#include "apiserver/api.h"
#include "apiserver/route.h"
#include "apiserver/store.h"
#include "sim/storm.h"
#include "sim/tally.h"

#include "model/partition.h"
#include "model/validate.h"

#include <inttypes.h>
#include <string.h>

#define N_REST       3 /* workflows that are deployed by the API */
#define MAX_ASKED    16
#define API_USER     "apiserver"
#define ACCEPTED_MAX 4096

enum question { ASK_POST, ASK_DELETE, ASK_ENABLE, ASK_SET_NEXT, ASK_TRIGGER, ASK_HALT };

struct asked {
    struct request req;
    struct storm *s;
    struct list link;
    enum question question;
    char *target, *body;
    char *name;   /* of the object that it is about */
    char *marker; /* what shows that it was this request */
    bool enable;
    bool done;      /* answered, and can be freed */
    bool seen;      /* the cluster was as it was asked for, at some time since */
    bool confirmed; /* halt: the operator has obeyed */
    char *uid;      /* trigger: of the instance that has it */
    int64_t seq;    /* of the trigger, or through which it is to be halted; 0: not known */
    int64_t last;   /* halt: trigger when it was asked for, which is meant, or one after it */
};

/* A trigger that was accepted. */
struct accepted {
    struct map_node node;
    char *key; /* instance's UID and seq */
    char *name, *uid;
    int64_t seq;
};

struct callers {
    struct storm *s;
    struct fake_watcher watcher;
    struct k8s *client; /* NULL: the server does not run */
    struct places places;
    struct rng rng;
    struct api api;
    struct list asked;
    size_t n_asked;
    struct map accepted;
    int64_t started_at; /* it runs again */
    int n_markers;
    uint64_t n_answers, n_accepted;
};

/* ---- what the cluster shows ---- */

static bool has_marker(const json_t *instance, const char *marker)
{
    size_t i;
    json_t *var;

    json_array_foreach (json_at(instance, "spec.trigger.env"), i, var) {
        const char *value = json_text_at(var, "value");

        if (value && strcmp(value, marker) == 0)
            return true;
    }
    return false;
}

static bool text_is(const json_t *object, const char *path, const char *text)
{
    const char *value = json_text_at(object, path);

    return value && strcmp(value, text) == 0;
}

/* An object's name, as the API makes it; and what the API calls the workflow of an object. */
#define REST_PREFIX WORLD_NS "."

static char *rest_name(int i)
{
    return xasprintf(REST_PREFIX "rest-%d", i);
}

static const char *id_of(const char *name)
{
    size_t len = strlen(REST_PREFIX);

    return strncmp(name, REST_PREFIX, len) == 0 ? name + len : name;
}

/* Known by its marker alone: the parameter may have been aligned. */
static void see_trigger(struct asked *a, const json_t *object)
{
    if (!has_marker(object, a->marker))
        return;
    a->seen = true;
    free(a->name);
    a->name = xstrdup(json_text_at(object, "metadata.name"));
    free(a->uid);
    a->uid = xstrdup(json_text_at(object, "metadata.uid"));
    a->seq = json_int_at(object, "spec.trigger.seq", 0);
}

static bool is_over(const struct run *run, int64_t seq)
{
    return run->seq > seq || (run->seq == seq && run_state_terminal(run->state));
}

/* The answer may come after the end, or after the next trigger. */
static bool is_halted(const struct run *run, int64_t through)
{
    return run->halted_through >= through || is_over(run, through);
}

static void see_halt(struct asked *a, const json_t *object)
{
    CLEANUP(instance_free) struct instance *inst = object ? instance_decode(object) : NULL;

    if (!inst || !instance_active(inst)) {
        a->seen = a->confirmed = true;
        return;
    }
    if (!a->last)
        a->last = instance_last_seq(inst);
    if (!a->seen && (inst->halt_through >= a->last || is_over(&inst->run, a->last)))
        a->seq = a->last; /* a later trigger need not be meant */
    a->seen |= a->seq > 0;
    a->confirmed |= a->seq > 0 && is_halted(&inst->run, a->seq);
}

/* Is the object as the question wants it?  NULL: it is not there. */
static void see(struct asked *a, const json_t *object)
{
    switch (a->question) {
    case ASK_POST:
        a->seen |= text_is(object, "spec.template.image", a->marker);
        break;
    case ASK_DELETE:
        a->seen |= !object || json_at(object, "metadata.deletionTimestamp");
        break;
    case ASK_ENABLE:
        a->seen |= object && json_bool_at(object, "spec.suspend", false) != a->enable;
        break;
    case ASK_SET_NEXT:
        a->seen |= text_is(object, "spec.setNext.next", a->marker);
        break;
    case ASK_TRIGGER:
        see_trigger(a, object);
        break;
    case ASK_HALT:
        see_halt(a, object);
        break;
    }
}

static const struct k8s_resource *kind_of(const struct asked *a)
{
    bool of_instance = a->question == ASK_TRIGGER || a->question == ASK_HALT;

    return of_instance ? &instance_resource : &workflow_resource;
}

/* Of two objects that say they are the same workflow the API takes the older. */
static bool concerns(const struct asked *a, const json_t *object)
{
    return a->question == ASK_TRIGGER || text_is(object, "metadata.name", a->name) ||
           text_is(object, "spec.workflowId", id_of(a->name));
}

static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    struct callers *c = arg;
    struct asked *a;

    list_foreach (a, &c->asked, link)
        if (strcmp(kind_of(a)->plural, resource->plural) == 0 && concerns(a, new ? new : old))
            see(a, new);
}

static void see_twin(const json_t *object, void *arg)
{
    struct asked *a = arg;

    if (concerns(a, object))
        see(a, object);
}

/* As it is when the question is asked. */
static void see_now(struct asked *a)
{
    struct world *w = &a->s->w;

    see(a, world_get(w, kind_of(a), a->name));
    if (a->question == ASK_ENABLE)
        fake_foreach(w->fake, &workflow_resource, see_twin, a);
}

/* ---- answers ---- */

static void accept_trigger(struct callers *c, const struct asked *a)
{
    CLEANUP(free) char *key = xasprintf("%s/%" PRId64, a->uid, a->seq);

    if (map_get(&c->accepted, key) || c->accepted.n >= ACCEPTED_MAX)
        return;
    struct accepted *t = NEW(struct accepted);
    t->key = TAKE(key);
    t->name = xstrdup(a->name);
    t->uid = xstrdup(a->uid);
    t->seq = a->seq;
    map_add(&c->accepted, &t->node, t->key);
}

static void accepted_free(struct callers *c, struct accepted *t)
{
    map_remove(&c->accepted, &t->node);
    free(t->key);
    free(t->name);
    free(t->uid);
    free(t);
}

static const char *no_header(const struct request *req, const char *name)
{
    (void) req, (void) name;
    return NULL;
}

/* A client is told: that is what counts. */
static void on_answer(struct request *req, const struct reply *reply)
{
    struct asked *a = container_of(req, struct asked, req);
    struct callers *c = a->s->callers;
    CLEANUP(free) char *told = xasprintf("%s %s → %d", req->method, req->target, reply->status);

    a->done = true;
    c->n_answers++;
    trace_note(a->s->trace, "caller", told, a->name);
    if (reply->status < 200 || reply->status > 299)
        return;
    c->n_accepted++;
    if (!a->seen)
        observer_blame(&a->s->o, "%s, but %s never was so (%s)", told, a->name, a->marker);
    else if (a->question == ASK_HALT && reply->status == 200 && !a->confirmed)
        observer_blame(&a->s->o, "%s, but %s was never halted", told, a->name);
    else if (a->question == ASK_TRIGGER)
        accept_trigger(c, a);
}

static void asked_free(struct callers *c, struct asked *a)
{
    list_remove(&a->link);
    c->n_asked--;
    request_done(&a->req);
    free(a->target);
    free(a->body);
    free(a->name);
    free(a->marker);
    free(a->uid);
    free(a);
}

static void free_answered(struct callers *c)
{
    struct asked *a;

    list_foreach (a, &c->asked, link)
        if (a->done)
            asked_free(c, a);
}

/* ---- the server ---- */

static void start_server(struct callers *c)
{
    struct world *w = &c->s->w;

    c->client = fake_client(w->fake, API_USER);
    c->api = (struct api) {.loop = w->loop,
                           .k8s = c->client,
                           .rng = &c->rng,
                           .max_running_timeout_ms = 48 * HOUR_MS,
                           .max_active = API_MAX_ACTIVE};
    c->api.store = store_new(w->loop, c->client, &c->rng, &c->places);
    store_start(c->api.store);
}

/* Its clients get no answer. */
static void kill_server(struct callers *c)
{
    struct asked *a;

    if (!c->client)
        return;
    list_foreach (a, &c->asked, link)
        asked_free(c, a);
    store_free(TAKE(c->api.store));
    k8s_free(TAKE(c->client));
}

/* ---- questions ---- */

/* Takes all texts. */
static void ask(struct storm *s, enum question question, const char *method, char *target,
                char *body, char *name, char *marker, bool enable)
{
    struct callers *c = s->callers;
    struct asked *a = NEW(struct asked);

    *a = (struct asked) {.s = s,
                         .question = question,
                         .target = target,
                         .body = body,
                         .name = name,
                         .marker = marker,
                         .enable = enable};
    a->req = (struct request) {.api = &c->api,
                               .method = method,
                               .target = target,
                               .body = body,
                               .body_len = body ? strlen(body) : 0,
                               .header = no_header,
                               .send = on_answer};
    list_push_back(&c->asked, &a->link);
    c->n_asked++;
    see_now(a);
    route_dispatch(&a->req);
}

/* Is there somebody to ask? */
static bool can_ask(struct storm *s)
{
    struct callers *c = s->callers;

    if (!c)
        return false;
    free_answered(c);
    if (!c->client && storm_now(s) >= c->started_at)
        start_server(c);
    return c->client && c->n_asked < MAX_ASKED;
}

static char *new_marker(struct storm *s, const char *prefix)
{
    return xasprintf("%s%d", prefix, ++s->callers->n_markers);
}

static void post(struct storm *s, int i)
{
    static const char *const schedules[] = {"hourly", "daily", "weekly"};
    char *name = rest_name(i), *marker = new_marker(s, "rest:");
    char *body = xasprintf("{\"id\":\"%s\",\"schedule\":\"%s\",\"docker_image\":\"%s\","
                           "\"running_timeout\":\"PT10M\"}",
                           id_of(name), schedules[i], marker);

    ask(s, ASK_POST, "POST", xstrdup("/api/v3/workflows/" WORLD_NS), body, name, marker, false);
}

static void post_one(struct storm *s)
{
    if (can_ask(s))
        post(s, (int) rng_below(&s->rng, N_REST));
}

static char *workflow_target(const char *name, const char *what)
{
    return xasprintf("/api/v3/workflows/" WORLD_NS "/%s%s", id_of(name), what);
}

static void delete_one(struct storm *s)
{
    if (!can_ask(s))
        return;
    char *name = rest_name((int) rng_below(&s->rng, N_REST));
    ask(s, ASK_DELETE, "DELETE", workflow_target(name, ""), NULL, name, xstrdup(""), false);
}

static void enable_one(struct storm *s)
{
    bool enable = storm_chance(s, 70);
    char *name = can_ask(s) ? storm_pick(s, &workflow_resource) : NULL;

    if (name)
        ask(s, ASK_ENABLE, "PATCH", workflow_target(name, "/state"),
            xasprintf("{\"enabled\":%s}", enable ? "true" : "false"), name, xstrdup(""), enable);
}

static void set_next_one(struct storm *s)
{
    char *name = can_ask(s) ? storm_pick(s, &workflow_resource) : NULL;
    char text[INSTANT_TEXT_MAX];

    if (!name)
        return;
    /* The second tells it from every other wish. */
    instant now = loop_now(s->w.loop, LOOP_OF_DAY) / MINUTE_MS * MINUTE_MS;
    instant_print(now + storm_between(s, -10, 10) * MINUTE_MS +
                      ++s->callers->n_markers % 60 * SECOND_MS,
                  text);
    ask(s, ASK_SET_NEXT, "PATCH", workflow_target(name, "/state"),
        xasprintf("{\"next_natural_trigger\":\"%s\",\"next_natural_offset_trigger\":\"%s\"}", text,
                  text),
        name, xstrdup(text), false);
}

static void trigger(struct storm *s, const char *workflow, const char *parameter, const char *query)
{
    char *marker = new_marker(s, "mark-");
    char *body =
        xasprintf("{\"workflow_id\":{\"component_id\":\"" WORLD_NS "\",\"id\":\"%s\"},"
                  "\"parameter\":\"%s\",\"trigger_parameters\":{\"env\":{\"MARK\":\"%s\"}}}",
                  id_of(workflow), parameter, marker);

    ask(s, ASK_TRIGGER, "POST", xasprintf("/api/v3/scheduler/trigger%s", query), body,
        instance_name(workflow, parameter), marker, false);
}

static void trigger_new(struct storm *s)
{
    if (!can_ask(s))
        return;
    CLEANUP(free) char *parameter = xasprintf("19%02d", (int) rng_below(&s->rng, 100));
    trigger(s, "hand", parameter, "");
}

static void trigger_old(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = can_ask(s) ? storm_pick_instance(s) : NULL;

    if (inst)
        trigger(s, inst->workflow, inst->parameter, "?allowFuture=true");
}

/* The cursor is set back to what has run, and somebody triggers the same at the same time. */
static void race(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = can_ask(s) ? storm_pick_instance(s) : NULL;

    if (!inst || !storm_set_back(s, inst))
        return;
    world_run(&s->w, storm_between(s, 0, 20));
    if (can_ask(s))
        trigger(s, inst->workflow, inst->parameter, "?allowFuture=true");
}

static void halt_one(struct storm *s)
{
    CLEANUP(instance_free) struct instance *inst = can_ask(s) ? storm_pick_instance(s) : NULL;

    if (!inst)
        return;
    char *body = xasprintf("{\"workflow_id\":{\"component_id\":\"" WORLD_NS
                           "\",\"id\":\"%s\"},\"parameter\":\"%s\"}",
                           id_of(inst->workflow), inst->parameter);
    ask(s, ASK_HALT, "POST", xstrdup("/api/v3/scheduler/halt"), body, xstrdup(inst->id.name),
        xstrdup(""), false);
}

static void restart_server(struct storm *s)
{
    struct callers *c = s->callers;

    if (!c || !c->client)
        return;
    kill_server(c);
    c->started_at = storm_now(s) + storm_between(s, 1, MINUTE_MS);
}

/* ---- life ---- */

void storm_callers_begin(struct storm *s)
{
    struct callers *c = NEW(struct callers);
    char *watched[] = {(char[]) {WORLD_NS}};
    struct error err;

    s->callers = c;
    c->s = s;
    list_init(&c->asked);
    map_init(&c->accepted);
    rng_init(&c->rng, s->plan.seed + 77);
    if (!places_init(&c->places, watched, 1, NULL, 0, WORLD_NS, &err))
        abort();
    c->watcher = (struct fake_watcher) {.on_change = on_change, .arg = c};
    fake_watcher_add(s->w.fake, &c->watcher);
    start_server(c);
    world_run(&s->w, SECOND_MS);
    for (int i = 0; i < N_REST; i++)
        post(s, i);
}

void storm_callers_done(struct storm *s)
{
    struct callers *c = s->callers;
    struct accepted *t;

    if (!c)
        return;
    kill_server(c);
    map_foreach (t, &c->accepted, node)
        accepted_free(c, t);
    map_done(&c->accepted);
    fake_watcher_remove(&c->watcher);
    places_done(&c->places);
    free(TAKE(s->callers));
}

/* An instance that was deleted by hand has been given up with it. */
void storm_callers_judge(struct storm *s)
{
    struct callers *c = s->callers;
    struct accepted *t;

    if (!c)
        return;
    map_foreach (t, &c->accepted, node) {
        const json_t *object = world_get(&s->w, &instance_resource, t->name);
        CLEANUP(instance_free) struct instance *inst = object ? instance_decode(object) : NULL;

        if (inst && strcmp(inst->id.uid, t->uid) == 0 && inst->run.seq < t->seq &&
            !storm_is_held(s, inst))
            observer_blame(&s->o, "%s: trigger %" PRId64 " was accepted and is lost", t->name,
                           t->seq);
        accepted_free(c, t);
    }
}

static const struct mishap rows[] = {
    {"api-post", 30, post_one, 0, "POST of a workflow"},
    {"api-delete", 4, delete_one, 0, "DELETE of a workflow"},
    {"api-enable", 20, enable_one, 0, "PATCH of enabled"},
    {"api-set-next", 6, set_next_one, 0, "PATCH of the next trigger"},
    {"api-trigger", 60, trigger_new, 0, "a trigger of something new"},
    {"api-trigger-again", 40, trigger_old, 0, "a trigger of something that ran or runs"},
    {"api-trigger-race", 15, race, 0, "a trigger of what the schedule triggers, too"},
    {"api-halt", 50, halt_one, 0, "a halt"},
    {"api-restart", 6, restart_server, 0, "the API server is killed and comes back"},
};
const struct mishap_table storm_callers = {"callers", rows, ARRAY_SIZE(rows)};
