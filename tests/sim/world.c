/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/world.h"

#include "base/log.h"
#include "model/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BEGIN 1767225630000 /* 2026-01-01T00:00:30Z */

/* JSON with double quotes; the caller frees. */
static char *quoted(const char *text)
{
    char *copy = xstrdup(text);

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

/* ---- the kubelet ---- */

static int tries_before(const json_t *pod)
{
    size_t i, j;
    json_t *container, *var;

    json_array_foreach (json_at(pod, "spec.containers"), i, container)
        json_array_foreach (json_at(container, "env"), j, var)
            if (strcmp(json_text_at(var, "name"), "STYX_EXECUTION_TRIES") == 0)
                return (int) strtol(json_text_at(var, "value"), NULL, 10);
    return 0;
}

static void plan_pod(const json_t *pod, struct fake_plan *plan, void *arg)
{
    const struct world *w = arg;

    *plan = w->plan;
    if (w->on_plan)
        w->on_plan(pod, plan, w->plan_arg);
    if (tries_before(pod) < w->failures_first)
        plan->exit_code = 1;
}

static void on_container(const json_t *pod, bool runs, void *arg)
{
    struct world *w = arg;

    w->n_running += runs ? 1 : -1;
    w->n_started += runs;
    if (w->n_running > w->n_most_at_once)
        w->n_most_at_once = w->n_running;
    if (w->on_container)
        w->on_container(pod, runs, w->container_arg);
}

/* ---- life ---- */

static void forget_line(const char *line, size_t len, void *arg)
{
    (void) arg;
    if (getenv("TEST_LOG"))
        fwrite(line, 1, len, stderr);
}

static int64_t virtual_now(void *arg)
{
    const struct world *w = arg;

    return loop_now(w->loop, LOOP_OF_DAY);
}

static void set_up_operator(struct world *w, int i, uint64_t seed)
{
    struct settings *s = &w->settings[i];

    settings_default(s);
    texts_add(&s->namespaces, WORLD_NS);
    s->installation_ns = s->lease_ns = WORLD_NS;
    s->identity = w->identities[i];
    rng_init(&w->rngs[i], seed + 1 + (uint64_t) i);
}

void world_init(struct world *w, uint64_t seed)
{
    struct fake_kubelet_handler handler = {.plan = plan_pod, .on_container = on_container};

    *w = (struct world) {0};
    w->loop = loop_new_virtual(BEGIN);
    w->fake = fake_new(w->loop, seed);
    fake_add_kind(w->fake, &workflow_resource, true);
    fake_add_kind(w->fake, &instance_resource, true);
    w->kubelet = fake_kubelet_new(w->fake, w->loop, &handler, w);
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        set_up_operator(w, i, seed);
    log_redirect(forget_line, virtual_now, w);
}

void world_done(struct world *w)
{
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        world_kill(w, i);
        settings_done(&w->settings[i]);
    }
    fake_kubelet_free(w->kubelet);
    fake_free(w->fake);
    loop_free(w->loop);
    log_redirect(NULL, NULL, NULL);
}

void world_start(struct world *w, int i)
{
    snprintf(w->identities[i], sizeof(w->identities[i]), "operator-%d-%d", i, ++w->n_starts);
    w->clients[i] = fake_client(w->fake, w->settings[i].identity);
    w->operators[i] = operator_new(w->loop, w->clients[i], &w->rngs[i], &w->settings[i]);
    operator_start(w->operators[i]);
}

void world_kill(struct world *w, int i)
{
    if (!w->operators[i])
        return;
    operator_free(TAKE(w->operators[i]));
    k8s_free(TAKE(w->clients[i]));
}

static void on_stopped(void *arg)
{
    *(bool *) arg = true;
}

static bool is_true(void *arg)
{
    return *(bool *) arg;
}

void world_stop(struct world *w, int i)
{
    bool stopped = false;

    operator_stop(w->operators[i], on_stopped, &stopped);
    fake_run_until(w->fake, MINUTE_MS, is_true, &stopped);
    world_kill(w, i);
}

void world_run(struct world *w, int64_t ms)
{
    fake_run(w->fake, ms);
}

struct awaited {
    struct world *w;
    const char *instance, *state;
};

static bool in_state(void *arg)
{
    const struct awaited *a = arg;

    return strcmp(world_text(a->w, &instance_resource, a->instance, "status.state"), a->state) == 0;
}

bool world_run_until(struct world *w, int64_t ms, const char *instance, const char *state)
{
    struct awaited awaited = {w, instance, state};

    return fake_run_until(w->fake, ms, in_state, &awaited);
}

/* ---- objects ---- */

void world_deploy(struct world *w, const char *name, const char *spec)
{
    CLEANUP(free) char *json = quoted(spec);
    CLEANUP(free) char *text =
        xasprintf("{\"apiVersion\":\"kharon.dev/v1alpha1\",\"kind\":\"Workflow\","
                  "\"metadata\":{\"name\":\"%s\",\"namespace\":\"" WORLD_NS "\"},"
                  "\"spec\":%s}",
                  name, json);

    fake_create(w->fake, &workflow_resource, text);
}

void world_run_by_hand(struct world *w, const char *workflow, const char *parameter)
{
    CLEANUP(free) char *name = instance_name(workflow, parameter);
    CLEANUP(free) char *text =
        xasprintf("{\"apiVersion\":\"kharon.dev/v1alpha1\",\"kind\":\"WorkflowInstance\","
                  "\"metadata\":{\"name\":\"%s\",\"namespace\":\"" WORLD_NS "\"},"
                  "\"spec\":{\"workflow\":\"%s\",\"parameter\":\"%s\"}}",
                  name, workflow, parameter);

    fake_create(w->fake, &instance_resource, text);
}

void world_patch(struct world *w, const struct k8s_resource *resource, const char *name,
                 const char *text)
{
    CLEANUP(free) char *json = quoted(text);

    fake_patch(w->fake, resource, WORLD_NS, name, json);
}

bool world_delete(struct world *w, const struct k8s_resource *resource, const char *name)
{
    return fake_delete(w->fake, resource, WORLD_NS, name);
}

const json_t *world_get(struct world *w, const struct k8s_resource *resource, const char *name)
{
    return fake_get(w->fake, resource, WORLD_NS, name);
}

const char *world_text(struct world *w, const struct k8s_resource *resource, const char *name,
                       const char *path)
{
    static char text[1024];
    const json_t *value = json_at(world_get(w, resource, name), path);

    text[0] = '\0';
    if (json_is_string(value))
        snprintf(text, sizeof(text), "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        snprintf(text, sizeof(text), "%s", json_is_true(value) ? "true" : "false");
    return text;
}

struct count {
    const char *state;
    int n;
};

static void count_one(const json_t *object, void *arg)
{
    struct count *c = arg;
    const char *state = json_text_at(object, "status.state");

    c->n += !c->state || (state && strcmp(state, c->state) == 0);
}

int world_count(struct world *w, const char *state)
{
    struct count c = {state, 0};

    fake_foreach(w->fake, &instance_resource, count_one, &c);
    return c.n;
}

int world_pods(struct world *w)
{
    return (int) fake_count_objects(w->fake, &pod_resource);
}
