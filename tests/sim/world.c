/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/world.h"

#include "base/log.h"
#include "model/validate.h"

#include <assert.h>
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

static void print_line(const char *line, size_t len, void *arg)
{
    (void) arg;
    fwrite(line, 1, len, stderr);
}

static void forget_line(const char *line, size_t len, void *arg)
{
    (void) line, (void) len, (void) arg;
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

static void init(struct world *w, uint64_t seed, bool apart)
{
    struct fake_kubelet_handler handler = {.plan = plan_pod, .on_container = on_container};

    *w = (struct world) {.apart = apart};
    w->loop = loop_new_virtual(BEGIN);
    w->fake = fake_new(w->loop, seed);
    fake_add_kind(w->fake, &workflow_resource, true);
    fake_add_kind(w->fake, &instance_resource, true);
    w->kubelet = fake_kubelet_new(w->fake, w->loop, &handler, w);
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        w->processes[i].loop = apart ? loop_new_virtual(BEGIN) : w->loop;
        set_up_operator(w, i, seed);
    }
    log_redirect(getenv("TEST_LOG") ? print_line : forget_line, virtual_now, w);
}

void world_init(struct world *w, uint64_t seed)
{
    init(w, seed, false);
}

void world_init_apart(struct world *w, uint64_t seed)
{
    init(w, seed, true);
}

void world_done(struct world *w)
{
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++) {
        world_kill(w, i);
        settings_done(&w->settings[i]);
        if (w->apart)
            loop_free(w->processes[i].loop);
    }
    fake_kubelet_free(w->kubelet);
    fake_free(w->fake);
    loop_free(w->loop);
    log_redirect(NULL, NULL, NULL);
}

void world_start(struct world *w, int i)
{
    snprintf(w->identities[i], sizeof(w->identities[i]), WORLD_OPERATOR "%d-%d", i, ++w->n_starts);
    w->clients[i] = fake_client(w->fake, w->settings[i].identity);
    w->operators[i] =
        operator_new(w->processes[i].loop, w->clients[i], &w->rngs[i], &w->settings[i]);
    operator_start(w->operators[i]);
}

void world_kill(struct world *w, int i)
{
    struct world_process *p = &w->processes[i];

    if (!w->operators[i])
        return;
    operator_free(TAKE(w->operators[i]));
    k8s_free(TAKE(w->clients[i]));
    loop_virtual_advance(p->loop, p->owed_ms);
    p->owed_ms = 0;
    p->frozen = p->asleep = false;
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
    world_run_till(w, MINUTE_MS, is_true, &stopped);
    world_kill(w, i);
}

/* ---- processes ---- */

void world_freeze(struct world *w, int i, bool asleep)
{
    struct world_process *p = &w->processes[i];

    assert(w->apart && w->operators[i] && !p->frozen);
    p->frozen = true;
    p->asleep = asleep;
    fake_freeze(w->clients[i], true);
}

void world_thaw(struct world *w, int i, bool arrivals_first)
{
    struct world_process *p = &w->processes[i];

    if (!p->frozen)
        return;
    if (p->asleep)
        loop_virtual_sleep(p->loop, p->owed_ms);
    else
        loop_virtual_advance(p->loop, p->owed_ms);
    p->owed_ms = 0;
    p->frozen = p->asleep = false;
    if (!arrivals_first)
        loop_turn(p->loop, 0);
    fake_freeze(w->clients[i], false);
}

void world_step_clock(struct world *w, int i, int64_t ms)
{
    loop_virtual_step_clock(w->processes[i].loop, ms);
    w->processes[i].stepped_ms += ms;
}

void world_set_drift(struct world *w, int i, int64_t ppm)
{
    w->processes[i].drift_ppm = ppm;
}

/* ---- time ---- */

#define TURNS_MAX 100000 /* within a millisecond */

static void pass_for(struct world_process *p, int64_t ms)
{
    p->drift_rest += ms * p->drift_ppm;
    int64_t more = p->drift_rest / 1000000;
    p->drift_rest -= more * 1000000;
    p->stepped_ms += more;
    if (p->frozen)
        p->owed_ms += ms + more;
    else
        loop_virtual_advance(p->loop, ms + more);
}

static void pass(struct world *w, int64_t ms)
{
    if (ms == 0)
        return;
    loop_virtual_advance(w->loop, ms);
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        pass_for(&w->processes[i], ms);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int64_t next_wait(const struct world *w)
{
    int64_t wait = loop_virtual_wait(w->loop);

    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        if (!w->processes[i].frozen)
            wait = earlier(wait, loop_virtual_wait(w->processes[i].loop));
    return wait;
}

static void turn(struct world *w)
{
    loop_turn(w->loop, 0);
    for (int i = 0; i < WORLD_MAX_OPERATORS; i++)
        if (!w->processes[i].frozen)
            loop_turn(w->processes[i].loop, 0);
}

static bool run_apart(struct world *w, int64_t ms, bool (*condition)(void *arg), void *arg)
{
    int64_t end = loop_now(w->loop, LOOP_MONOTONIC) + ms;
    int turns = 0;

    while (!condition || !condition(arg)) {
        int64_t left = end - loop_now(w->loop, LOOP_MONOTONIC), wait = next_wait(w);

        if (wait < 0 || wait > left) {
            pass(w, left);
            return false;
        }
        pass(w, wait);
        turns = wait > 0 ? 0 : turns + 1;
        if (turns > TURNS_MAX) {
            w->stuck = true;
            return false;
        }
        turn(w);
    }
    return true;
}

static bool never(void *arg)
{
    (void) arg;
    return false;
}

bool world_run_till(struct world *w, int64_t ms, bool (*condition)(void *arg), void *arg)
{
    if (w->apart)
        return run_apart(w, ms, condition, arg);
    return fake_run_until(w->fake, ms, condition ? condition : never, arg);
}

void world_run(struct world *w, int64_t ms)
{
    world_run_till(w, ms, NULL, NULL);
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

    return world_run_till(w, ms, in_state, &awaited);
}

/* ---- objects ---- */

void world_create(struct world *w, const struct k8s_resource *resource, const char *text)
{
    CLEANUP(free) char *json = quoted(text);

    fake_create(w->fake, resource, json);
}

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

const char *world_line(struct world *w, const char *instance)
{
    return world_text(w, &instance_resource, instance, "status.message.line");
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
