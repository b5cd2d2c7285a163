/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/config.h"

#include "test.h"

TEST(the_table_of_options_is_sound)
{
    struct error err;

    CHECK_OK(options_check(&operator_options, &err), &err);
}

#define MAX_ARGUMENTS 4

struct given {
    struct config config;
    struct settings settings;
    struct options_given rest;
    struct texts arguments; /* to which the config points */
};

static bool give(struct given *g, const char *const *arguments, size_t n, struct error *err)
{
    char *argv[1 + MAX_ARGUMENTS] = {(char[]) {"kharon-operator"}};

    *g = (struct given) {0};
    for (size_t i = 0; i < n; i++)
        texts_add(&g->arguments, arguments[i]);
    for (size_t i = 0; i < n; i++)
        argv[1 + i] = g->arguments.items[i];
    bool parsed = options_parse(&operator_options, (int) n + 1, argv, &g->config, &g->rest, err);
    bool ok = parsed && config_apply(&g->config, &g->settings, err);
    if (parsed && !ok)
        options_done(&operator_options, &g->config);
    if (!ok)
        texts_done(&g->arguments);
    return ok;
}

static void give_back(struct given *g)
{
    settings_done(&g->settings);
    options_done(&operator_options, &g->config);
    texts_done(&g->arguments);
}

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define LENGTH(...)  (sizeof(LIST(__VA_ARGS__)) / sizeof(char *))
#define GIVE(g, ...) check_given(__LINE__, g, LIST(__VA_ARGS__), LENGTH(__VA_ARGS__))
/* What the error says. */
#define REFUSED(want, ...) check_refused(__LINE__, want, LIST(__VA_ARGS__), LENGTH(__VA_ARGS__))

static void check_given(int line, struct given *g, const char *const *arguments, size_t n)
{
    struct error err;

    CHECK_OK_AT(line, give(g, arguments, n, &err), &err);
}

static void check_refused(int line, const char *want, const char *const *arguments, size_t n)
{
    struct given g;
    struct error err;

    CHECK_AT(line, !give(&g, arguments, n, &err));
    CHECK_HAS_AT(line, err.text, want);
}

/* ---- limits of time (STYX-SM-07) ---- */

TEST(limits_of_time_are_given_by_state)
{
    struct given g;

    GIVE(&g, "--timeouts=running=PT1H,submitted=5m,unschedulable=P1D,queued=1s,submitting=2h");
    CHECK_INT(g.settings.state_limits_ms[RUN_RUNNING], HOUR_MS);
    CHECK_INT(g.settings.state_limits_ms[RUN_SUBMITTED], 5 * MINUTE_MS);
    CHECK_INT(g.settings.unschedulable_limit_ms, DAY_MS);
    CHECK_INT(g.settings.state_limits_ms[RUN_QUEUED], SECOND_MS);
    CHECK_INT(g.settings.state_limits_ms[RUN_SUBMITTING], 2 * HOUR_MS);
    give_back(&g);
}

/* As in Styx as it is shipped: running and submitted have one of their own. */
TEST(the_default_limit_is_for_states_without_one_of_their_own)
{
    struct given g;

    GIVE(&g, "--timeouts=default=PT3H,submitting=PT4H");
    CHECK_INT(g.settings.state_limits_ms[RUN_QUEUED], 3 * HOUR_MS);
    CHECK_INT(g.settings.state_limits_ms[RUN_SUBMITTING], 4 * HOUR_MS);
    CHECK_INT(g.settings.state_limits_ms[RUN_SUBMITTED], 10 * MINUTE_MS);
    CHECK_INT(g.settings.state_limits_ms[RUN_RUNNING], DAY_MS);
    CHECK_INT(g.settings.unschedulable_limit_ms, HOUR_MS);
    give_back(&g);
}

/* One that means nothing would only seem to help, and zero would end every run at once. */
TEST(limits_of_time_that_mean_nothing_are_refused)
{
#define ONES "queued, submitting, submitted, unschedulable, running and default"
    static const char *const others[] = {"new",  "prepare", "terminated", "failed",
                                         "done", "error",   "sleeping",   "Running"};

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        CLEANUP(free) char *argument = xasprintf("--timeouts=%s=PT1H", others[i]);
        CLEANUP(free) char *want =
            xasprintf("--timeouts: %s: no limit of time has that name, only " ONES, others[i]);

        REFUSED(want, argument);
    }
    REFUSED("--timeouts: running: 0 is less than 1s", "--timeouts=running=0");
    REFUSED("--timeouts: unschedulable: 999ms is less than 1s", "--timeouts=unschedulable=999ms");
    REFUSED("--timeouts: default: PT0S is less than 1s", "--timeouts=default=PT0S");
    REFUSED("--timeouts: running: ", "--timeouts=running=soon");
    REFUSED("--timeouts: default: ", "--timeouts=default=soon");
    REFUSED("running is not NAME=VALUE", "--timeouts=running");
}

/* ---- what becomes a label ---- */

/* Kubernetes would refuse every pod. */
TEST(the_environment_is_a_label)
{
    struct given g;

    GIVE(&g, "--environment=staging-2.EU");
    CHECK_STR(g.settings.attempt.environment, "staging-2.EU");
    give_back(&g);
    REFUSED("environment: my env/x is not a label value: at most 63 letters, digits, '-', '_' and "
            "'.', with a letter or digit at both ends",
            "--environment=my env/x");
}

/* ---- where components live ---- */

/* By the same rule as in the API server, which accepts what the operator has to see. */
TEST(the_namespace_of_the_installation_is_watched)
{
    struct given g;

    GIVE(&g, "--namespaces=a,b", "--installation-namespace=home", "--component-namespaces=x=a");
    CHECK_INT(g.settings.namespaces.n, 3);
    CHECK(texts_contain(&g.settings.namespaces, "home"));
    CHECK_STR(settings_component_ns(&g.settings, "x"), "a");
    CHECK_STR(settings_component_ns(&g.settings, "b"), "b");
    CHECK_STR(settings_component_ns(&g.settings, "y"), "home");
    give_back(&g);
    GIVE(&g, "--installation-namespace=home");
    CHECK_INT(g.settings.namespaces.n, 1);
    give_back(&g);
    REFUSED("component-namespaces: x=c: the namespace is not watched", "--namespaces=a,b",
            "--component-namespaces=x=c");
    REFUSED("x is not COMPONENT=NAMESPACE", "--component-namespaces=x");
}

/* A namespace that was taken out of what is watched is released alone. */
TEST(pods_are_released_where_it_is_said)
{
    struct given g;
    struct texts namespaces;

    GIVE(&g, "--namespaces=old", "--installation-namespace=home");
    config_to_release(&g.config, &namespaces);
    CHECK_INT(namespaces.n, 1);
    CHECK_STR(namespaces.items[0], "old");
    texts_done(&namespaces);
    give_back(&g);
    GIVE(&g, "--installation-namespace=home");
    config_to_release(&g.config, &namespaces);
    CHECK_INT(namespaces.n, 1);
    CHECK_STR(namespaces.items[0], "home");
    texts_done(&namespaces);
    give_back(&g);
}
