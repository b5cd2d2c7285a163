/* SPDX-License-Identifier: Apache-2.0 */
/* Ghosts: requests that are on their way to the server, with nobody waiting for them. */
#include "sim/fake_internal.h"

#include <string.h>

#define LATE_MS      6000 /* after its time-out, as a rule */
#define VERY_LATE_MS 30000

struct ghost {
    struct list link;
    struct fake *fake;
    struct k8s_request request;
    bool lurks; /* comes as soon as somebody was told that it has not come */
    struct loop_timer timer;
};

static void ghost_free(struct ghost *g)
{
    list_remove(&g->link);
    loop_timer_cancel(g->fake->loop, &g->timer);
    fake_request_free(&g->request);
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
    fake_request_tell(f, "", &g->request, 0);
    fake_answer_done(&answer);
    ghost_free(g);
}

void fake_ghost_drop_all(struct fake *f)
{
    struct ghost *g;

    list_foreach (g, &f->ghosts, link)
        ghost_free(g);
}

static struct ghost *haunt(struct fake *f, const struct k8s_request *request, int64_t at)
{
    struct ghost *g = NEW(struct ghost);

    g->fake = f;
    g->request = fake_request_copy(request);
    g->timer = (struct loop_timer) {.on_time = on_ghost_arrived, .arg = g};
    list_push_back(&f->ghosts, &g->link);
    loop_timer_set(f->loop, &g->timer, LOOP_MONOTONIC, at);
    return g;
}

void fake_ghost_send(struct fake *f, const struct k8s_request *request, int64_t at)
{
    haunt(f, request, at);
}

/* Some seconds late as a rule, half a minute at times; and some just wait for a read that does not
 * see them. */
void fake_ghost_send_late(struct fake_call *c)
{
    struct fake *f = c->client->fake;
    int64_t most = rng_below(&f->rng, 4) ? LATE_MS : VERY_LATE_MS - FAKE_TIMEOUT_MS;
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

void fake_ghost_spring_ambush(struct fake *f, const struct k8s_request *get)
{
    struct ghost *g;

    list_foreach (g, &f->ghosts, link)
        if (g->lurks && makes(g, get->resource, get->name)) {
            g->lurks = false;
            loop_timer_set(f->loop, &g->timer, LOOP_MONOTONIC,
                           fake_now(f) + rng_between(&f->rng, 1, FAKE_AMBUSH_MS));
            return;
        }
}
