/* SPDX-License-Identifier: Apache-2.0 */
/* The fake as a whole: its life, the time that passes, and the weather around it. */
#include "sim/fake.h"

#include "sim/fake_internal.h"
#include "sim/fake_schema.h"

#include <assert.h>

#define DEAD_CONNECTION_MS 30000 /* until a client notices that its network is gone */
#define LAST_WORDS_MS      60000 /* a server that stops delivers for so long */
#define STARTING_MS        2500

int64_t fake_now(const struct fake *f)
{
    return loop_now(f->loop, LOOP_MONOTONIC);
}

int64_t fake_latency(struct fake *f)
{
    return rng_between(&f->rng, f->latency_min, f->latency_max);
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
    fake_ghost_drop_all(f);
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
    fake_ghost_drop_all(f);
    fake_end_watches(f, false);
    fake_server_restore(&f->server);
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
