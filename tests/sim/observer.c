/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, and who leads; all else that is seen is handed to the other files. */
#include "sim/observer_internal.h"

#include "sim/tally.h"

#include <inttypes.h>
#include <string.h>

void observer_blame(struct observer *o, const char *format, ...)
{
    char when[INSTANT_TEXT_MAX];
    va_list args;

    if (*o->broken)
        return;
    instant_print(observer_true_time(o), when);
    int n = snprintf(o->broken, sizeof(o->broken), "%s: ", when);
    va_start(args, format);
    vsnprintf(o->broken + n, sizeof(o->broken) - (size_t) n, format, args);
    va_end(args);
}

/* ---- requests ---- */

void observer_excuse_requests(struct observer *o, const char *workflow)
{
    CLEANUP(free) char *what = xasprintf("patch workflows %s", workflow);

    o->n_in_second -= OBSERVER_REQUESTS_A_TRIGGER;
    tally(&o->asked, what)->n -= 2;
}

void observer_forget_suspicion(struct observer *o)
{
    free(TAKE(o->excess));
    free(TAKE(o->given_up));
}

static void check_lease(struct observer *o, const char *user, const struct k8s_request *r)
{
    const char *name = r->name ? r->name : "";

    if (!r->fence)
        observer_blame(o, "%s: %s %s without a fence", user, k8s_verb_name(r->verb),
                       r->resource->plural);
    if (!o->holder || strcmp(o->holder, user) != 0)
        observer_blame(o, "%s: %s %s %s while the lease is %s's", user, k8s_verb_name(r->verb),
                       r->resource->plural, name, o->holder && *o->holder ? o->holder : "nobody");
    if (strncmp(name, FOREIGN_PREFIX, strlen(FOREIGN_PREFIX)) == 0)
        observer_blame(o, "%s: %s %s %s, which is not ours", user, k8s_verb_name(r->verb),
                       r->resource->plural, name);
    if (o->given_up && strcmp(o->given_up, name) == 0)
        observer_blame(o, "%s: %s gives a pod up, which was made", user, name);
    if (o->excess && strcmp(o->excess, name) == 0)
        observer_blame(o, "%s: %s is one more natural run than maxActive", user, name);
}

static void count_request(struct observer *o, const struct k8s_request *r)
{
    int64_t second = observer_now(o) / SECOND_MS;
    CLEANUP(free) char *what =
        xasprintf("%s %s %s", k8s_verb_name(r->verb), r->resource->plural, r->name ? r->name : "");

    o->n_requests++;
    if (second != o->second) {
        o->n_in_second = 0;
        tally_free_all(&o->asked);
    }
    o->second = second;
    if (++o->n_in_second > OBSERVER_MAX_RATE)
        observer_blame(o, "more than %d requests within a second", OBSERVER_MAX_RATE);
    int most = r->verb == K8S_GET ? OBSERVER_MAX_READS : OBSERVER_MAX_SAME;
    if (r->name && ++tally(&o->asked, what)->n > most)
        observer_blame(o, "%s: more than %d times within a second", what, most);
}

static bool is_operator(const char *user)
{
    return strncmp(user, WORLD_OPERATOR, strlen(WORLD_OPERATOR)) == 0;
}

static void on_request(const char *user, const struct k8s_request *r, int status, void *arg)
{
    struct observer *o = arg;

    if (!is_operator(user) || r->verb == K8S_LIST || strcmp(r->resource->plural, "leases") == 0) {
        observer_forget_suspicion(o);
        return;
    }
    count_request(o, r);
    if (k8s_verb_writes(r->verb) && status >= 200 && status < 300) {
        check_lease(o, user, r);
        if (strcmp(r->resource->plural, "events") != 0)
            observer_count_write(o, r);
    }
    observer_forget_suspicion(o);
}

/* Whatever becomes of it on its way. */
static void on_departure(const char *user, const struct k8s_request *r, void *arg)
{
    struct observer *o = arg;

    if (is_operator(user) && k8s_verb_writes(r->verb) &&
        strcmp(r->resource->plural, "leases") != 0 && o->holder && strcmp(o->holder, user) != 0)
        observer_blame(o, "%s sends %s %s %s while the lease is %s's", user, k8s_verb_name(r->verb),
                       r->resource->plural, r->name ? r->name : "",
                       *o->holder ? o->holder : "nobody");
}

/* ---- changes ---- */

static void on_lease(struct observer *o, const json_t *old, const json_t *new)
{
    (void) old;
    free(o->holder);
    o->holder = xstrdup(json_text_at(new, "spec.holderIdentity"));
}

static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    static const struct {
        const char *plural;
        void (*look)(struct observer *o, const json_t *old, const json_t *new);
    } kinds[] = {{"pods", observer_on_pod},
                 {"workflows", observer_on_workflow},
                 {"workflowinstances", observer_on_instance},
                 {"leases", on_lease}};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].plural, resource->plural) == 0)
            kinds[i].look(arg, old, new);
}

/* ---- now and then ---- */

static uint64_t count_steps(const struct observer *o)
{
    uint64_t n = 0;

    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        const struct operator *op = o->world->operators[i];

        if (op)
            n += op->cursor_queue.steps + op->attempt_queue.steps + op->reap_queue.steps;
    }
    return n;
}

void observer_check(struct observer *o)
{
    uint64_t steps = count_steps(o);
    int64_t now = observer_now(o), seconds = (now - o->checked_at) / SECOND_MS + 1;

    if (steps > o->n_steps && steps - o->n_steps > (uint64_t) seconds * OBSERVER_MAX_STEPS)
        observer_blame(o, "%" PRIu64 " looks within %" PRId64 " s", steps - o->n_steps, seconds);
    if (o->world->stuck)
        observer_blame(o, "time stands still");
    o->n_steps = steps;
    o->checked_at = now;
}

void observer_tidy(struct observer *o)
{
    int64_t since = observer_now(o) - 2 * DAY_MS;

    tally_forget(&o->triggered, since);
    tally_forget(&o->skipped, since);
    tally_forget(&o->running, since);
    observer_forget_pods(o, since);
}

/* ---- life ---- */

void observer_init(struct observer *o, struct world *world)
{
    *o = (struct observer) {.world = world};
    o->watcher = (struct fake_watcher) {
        .on_change = on_change, .on_request = on_request, .on_departure = on_departure, .arg = o};
    map_init(&o->running);
    map_init(&o->pods);
    map_init(&o->triggered);
    map_init(&o->skipped);
    map_init(&o->asked);
    map_init(&o->workflows);
    map_init(&o->instances);
    world->on_container = observer_on_container;
    world->container_arg = o;
    fake_watcher_add(world->fake, &o->watcher);
}

void observer_done(struct observer *o)
{
    fake_watcher_remove(&o->watcher);
    o->world->on_container = NULL;
    tally_free_all(&o->running);
    tally_free_all(&o->triggered);
    tally_free_all(&o->skipped);
    tally_free_all(&o->asked);
    observer_forget_workflows(o);
    observer_forget_runs(o);
    free(o->holder);
    observer_forget_suspicion(o);
}
