/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/config.h"

#include "model/label.h"
#include "model/place.h"

#include <string.h>

static const char *const log_formats[] = {"auto", "text", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

#define AT(member) offsetof(struct config, member)

static const struct option_row rows[] = {
    {.help = "What it looks after"},
    {.name = "namespaces",
     .type = OPTION_LIST,
     .offset = AT(namespaces),
     .placeholder = "NAMES",
     .high = 1000,
     .help =
         "Namespaces that are watched besides the installation's. If their names have more than "
         "50000 characters together, a planned hand-over may take as long as one after a crash."},
    {.name = "installation-namespace",
     .type = OPTION_TEXT,
     .offset = AT(installation_ns),
     .placeholder = "NAME",
     .standard = "kharon",
     .high = 63,
     .help = "The namespace of components that have none of their own."},
    {.name = "component-namespaces",
     .type = OPTION_LIST,
     .offset = AT(component_namespaces),
     .placeholder = "COMPONENT=NAMESPACE",
     .high = 1000,
     .help = "Components whose namespace is not the one of the same name."},

    {.help = "Runs"},
    {.name = "environment",
     .type = OPTION_TEXT,
     .offset = AT(environment),
     .placeholder = "NAME",
     .standard = "production",
     .high = 63,
     .check = label_check,
     .help = "What containers see as STYX_ENVIRONMENT; also a label of pods."},
    {.name = "runner-id",
     .type = OPTION_TEXT,
     .offset = AT(runner_id),
     .placeholder = "NAME",
     .standard = "default",
     .high = 63,
     .help = "Name of this cluster in events."},
    {.name = "execution-env",
     .type = OPTION_REPEATED,
     .offset = AT(execution_env),
     .placeholder = "NAME=VALUE",
     .help = "A variable for containers whose workflow has none of that name."},
    {.name = "retry-base",
     .type = OPTION_DURATION,
     .offset = AT(retry_base_ms),
     .placeholder = "TIME",
     .standard = "PT3M",
     .low = 1,
     .high = DAY_MS,
     .help = "Unit of the random delay between tries."},
    {.name = "timeouts",
     .type = OPTION_LIST,
     .offset = AT(timeouts),
     .placeholder = "STATE=TIME",
     .help = "How long a run may stay in a state, at least 1s: queued, submitting, submitted, "
             "running; unschedulable is for a submitted run whose pod no node takes. default= is "
             "for those that have no limit of their own: queued and submitting."},
    {.name = "max-running-timeout",
     .type = OPTION_DURATION,
     .offset = AT(max_running_timeout_ms),
     .placeholder = "TIME",
     .standard = "PT48H",
     .low = MINUTE_MS,
     .high = 366 * DAY_MS,
     .help = "Upper limit of a workflow's running timeout."},
    {.name = "pod-retention",
     .type = OPTION_DURATION,
     .offset = AT(pod_retention_ms),
     .placeholder = "TIME",
     .standard = "120s",
     .low = 120 * SECOND_MS,
     .high = 30 * DAY_MS,
     .help = "How long a pod that has ended is kept, for its logs and as a tombstone."},

    {.help = "Leadership and Kubernetes"},
    {.name = "lease-namespace",
     .type = OPTION_TEXT,
     .offset = AT(lease_ns),
     .placeholder = "NAME",
     .high = 63,
     .help = "Namespace of the Lease. Default: the installation's."},
    {.name = "lease-name",
     .type = OPTION_TEXT,
     .offset = AT(lease_name),
     .placeholder = "NAME",
     .standard = "kharon-operator",
     .high = 253,
     .help = "Name of the Lease."},
    {.name = "lease-duration",
     .type = OPTION_DURATION,
     .offset = AT(lease_duration_ms),
     .placeholder = "TIME",
     .standard = "6s",
     .low = 3 * SECOND_MS,
     .high = 60 * SECOND_MS,
     .help = "How long the lease lasts that is not renewed: whole seconds, more than twice delta."},
    {.name = "delta",
     .type = OPTION_DURATION,
     .offset = AT(delta_ms),
     .placeholder = "TIME",
     .standard = "2s",
     .low = 500,
     .high = 20 * SECOND_MS,
     .help = "The longest that a write may take; nothing is written with less than this left of "
             "the lease."},
    {.name = "max-in-flight",
     .type = OPTION_INT,
     .offset = AT(max_in_flight),
     .placeholder = "N",
     .standard = "32",
     .low = 1,
     .high = 200,
     .help = "Requests to Kubernetes at once, apart from watches."},
    {.name = "kubeconfig",
     .type = OPTION_TEXT,
     .offset = AT(kubeconfig),
     .placeholder = "FILE",
     .help = "How to reach Kubernetes. Default: $KUBECONFIG, else the pod's service account, "
             "else ~/.kube/config."},

    {.help = "The program"},
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = AT(listen),
     .placeholder = "ADDRESS",
     .standard = ":8081",
     .help = "Where /livez, /readyz and /metrics are."},
    {.name = "log-format",
     .type = OPTION_ENUM,
     .offset = AT(log_format),
     .placeholder = "FORMAT",
     .standard = "auto",
     .choices = log_formats,
     .help = "auto is text on a terminal and json elsewhere."},
    {.name = "log-level",
     .type = OPTION_ENUM,
     .offset = AT(log_level),
     .placeholder = "LEVEL",
     .standard = "info",
     .choices = log_levels,
     .help = "What is logged."},

    {.help = "release-pods"},
    {.name = "scale-down",
     .type = OPTION_TEXT,
     .offset = AT(scale_down),
     .placeholder = "NAMESPACE/DEPLOYMENT",
     .help = "Set this Deployment to 0 replicas first and wait for that."},
};

const struct options operator_options = {
    .program = "kharon-operator",
    .summary = "Runs the workflows of a Kubernetes cluster. With the word release-pods it takes "
               "its finalizer off all its pods instead, and ends.",
    .rows = rows,
    .n_rows = ARRAY_SIZE(rows),
    .arguments = "[release-pods]",
};

/* "name=value" into an env. */
static bool add_pair(struct env *env, const char *option, const char *pair, struct error *err)
{
    const char *equals = strchr(pair, '=');

    if (!equals || equals == pair)
        return error_set(err, ERROR_INVALID, "--%s: %s is not NAME=VALUE", option, pair);
    CLEANUP(free) char *name = xstrndup(pair, (size_t) (equals - pair));
    env_set(env, name, equals + 1);
    return true;
}

/* A limit of time by the name of its state; unschedulable is a part of submitted. */
struct limit {
    const char *name;
    size_t offset; /* in settings */
    bool has_own;  /* in the specification (8.5): default does not stand for it */
};

static const struct limit limits[] = {
    {"queued", offsetof(struct settings, state_limits_ms[RUN_QUEUED]), false},
    {"submitting", offsetof(struct settings, state_limits_ms[RUN_SUBMITTING]), false},
    {"submitted", offsetof(struct settings, state_limits_ms[RUN_SUBMITTED]), true},
    {"unschedulable", offsetof(struct settings, unschedulable_limit_ms), true},
    {"running", offsetof(struct settings, state_limits_ms[RUN_RUNNING]), true},
};

static void set_limit(struct settings *s, const struct limit *limit, int64_t ms)
{
    memcpy((char *) s + limit->offset, &ms, sizeof(ms));
}

static bool parse_limit(const struct env_var *pair, int64_t *ret_ms, struct error *err)
{
    if (!option_duration_parse(pair->value, ret_ms, err))
        return error_prefix(err, "--timeouts: %s", pair->name);
    if (*ret_ms < SECOND_MS)
        return error_set(err, ERROR_INVALID, "--timeouts: %s: %s is less than 1s", pair->name,
                         pair->value);
    return true;
}

static bool apply_limit(struct settings *s, const struct env_var *pair, struct error *err)
{
    int64_t ms;

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        if (strcmp(limits[i].name, pair->name) != 0)
            continue;
        if (!parse_limit(pair, &ms, err))
            return false;
        set_limit(s, &limits[i], ms);
        return true;
    }
    return error_set(err, ERROR_INVALID,
                     "--timeouts: %s: no limit of time has that name, only queued, submitting, "
                     "submitted, unschedulable, running and default",
                     pair->name);
}

static bool apply_default_limit(struct settings *s, const struct env_var *pair, struct error *err)
{
    int64_t ms;

    if (!parse_limit(pair, &ms, err))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (!limits[i].has_own)
            set_limit(s, &limits[i], ms);
    return true;
}

static bool apply_timeouts(const struct config *c, struct settings *s, struct error *err)
{
    struct env pairs = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < c->timeouts.n; i++)
        ok = add_pair(&pairs, "timeouts", c->timeouts.items[i], err);
    const struct env_var *end = pairs.vars + pairs.n;
    for (const struct env_var *v = pairs.vars; ok && v < end; v++)
        if (strcmp(v->name, "default") == 0)
            ok = apply_default_limit(s, v, err);
    for (const struct env_var *v = pairs.vars; ok && v < end; v++)
        if (strcmp(v->name, "default") != 0)
            ok = apply_limit(s, v, err);
    env_done(&pairs);
    return ok;
}

static bool apply_pairs(const struct option_list *list, const char *option, struct env *env,
                        struct error *err)
{
    for (size_t i = 0; i < list->n; i++)
        if (!add_pair(env, option, list->items[i], err))
            return false;
    return true;
}

static bool check_lease(const struct config *c, struct error *err)
{
    if (c->lease_duration_ms % SECOND_MS != 0)
        return error_set(err, ERROR_INVALID, "--lease-duration: %lld ms is not whole seconds",
                         (long long) c->lease_duration_ms);
    if (c->lease_duration_ms <= 2 * c->delta_ms)
        return error_set(err, ERROR_INVALID,
                         "--lease-duration: %lld ms is not more than twice --delta (%lld ms)",
                         (long long) c->lease_duration_ms, (long long) c->delta_ms);
    return true;
}

static bool apply_places(const struct config *c, struct settings *s, struct error *err)
{
    struct places p;

    if (!places_init(&p, c->namespaces.items, c->namespaces.n, c->component_namespaces.items,
                     c->component_namespaces.n, c->installation_ns, err))
        return false;
    texts_copy(&s->namespaces, &p.watched);
    env_copy(&s->component_ns, &p.mapped);
    places_done(&p);
    return true;
}

bool config_apply(const struct config *c, struct settings *s, struct error *err)
{
    settings_default(s);
    s->installation_ns = c->installation_ns;
    s->lease_ns = c->lease_ns ? c->lease_ns : c->installation_ns;
    s->lease_name = c->lease_name;
    s->lease_duration_ms = c->lease_duration_ms;
    s->delta_ms = c->delta_ms;
    s->runner_id = c->runner_id;
    s->attempt.environment = c->environment;
    s->retry_base_ms = c->retry_base_ms;
    s->max_running_timeout_ms = c->max_running_timeout_ms;
    s->pod_retention_ms = c->pod_retention_ms;
    s->max_steps = (int) c->max_in_flight;
    bool ok = check_lease(c, err) && apply_timeouts(c, s, err) && apply_places(c, s, err) &&
              apply_pairs(&c->execution_env, "execution-env", &s->attempt.execution_env, err);
    /* A backstop, should nobody be there to end a pod: what it may take to start, and to run. */
    s->attempt.active_deadline_ms = s->state_limits_ms[RUN_SUBMITTED] + s->max_running_timeout_ms;
    if (!ok)
        settings_done(s);
    return ok;
}

void config_to_release(const struct config *c, struct texts *ret_namespaces)
{
    *ret_namespaces = (struct texts) {0};
    for (size_t i = 0; i < c->namespaces.n; i++)
        texts_add(ret_namespaces, c->namespaces.items[i]);
    if (c->namespaces.n == 0)
        texts_add(ret_namespaces, c->installation_ns);
}
