/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "k8s/config.h"
#include "k8s/transport.h"
#include "operator/config.h"
#include "operator/operator.h"
#include "operator/release.h"
#include "operator/report.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct program {
    struct config config;
    struct settings settings;
    struct loop *loop;
    struct rng rng;
    struct k8s_config *k8s_config;
    struct k8s *k8s;
    struct operator *operator;
    struct metrics *metrics;
    struct report *report;
    char identity[160];
    int status;
};

static bool fail(const char *what, const struct error *err)
{
    log_error(what, KV("error", err->text));
    return false;
}

/* Unique to the process: a pod that is restarted in place has the same name as before. */
static void name_process(struct program *p)
{
    char host[128], random[17];

    if (gethostname(host, sizeof(host)) != 0)
        strncpy(host, "unknown", sizeof(host));
    host[sizeof(host) - 1] = '\0';
    random_hex(random, 8);
    snprintf(p->identity, sizeof(p->identity), "%s_%s", host, random);
    p->settings.identity = p->identity;
}

static bool connect_to_kubernetes(struct program *p)
{
    struct k8s_limits limits = {
        .max_in_flight = (int) p->config.max_in_flight,
        .timeout_ms = p->settings.delta_ms,
    };
    struct error err;

    p->loop = loop_new();
    p->metrics = metrics_new();
    rng_init_from_kernel(&p->rng);
    struct k8s_config_options options = {.path = p->config.kubeconfig};
    if (!k8s_config_load(&options, &p->k8s_config, &err))
        return fail("cannot find out how to reach Kubernetes", &err);
    if (!k8s_transport_new(p->loop, p->k8s_config, &limits, p->metrics, &p->k8s, &err))
        return fail("cannot reach Kubernetes", &err);
    return true;
}

static void close_all(struct program *p)
{
    report_free(p->report);
    operator_free(p->operator);
    k8s_free(p->k8s);
    k8s_config_free(p->k8s_config);
    metrics_free(p->metrics);
    loop_free(p->loop);
    settings_done(&p->settings);
    options_done(&operator_options, &p->config);
}

/* ---- release-pods ---- */

static void on_released(const struct release_result *result, void *arg)
{
    struct program *p = arg;

    if (result->error.code != ERROR_NONE) {
        fail("could not release all pods", &result->error);
        p->status = 1;
    } else {
        log_info("released pods", KV("pods", result->n_pods));
    }
    loop_stop(p->loop);
}

static void run_release(struct program *p)
{
    struct texts namespaces;

    config_to_release(&p->config, &namespaces);
    struct release *release =
        release_new(p->loop, p->k8s, &namespaces, p->config.scale_down, on_released, p);
    loop_run(p->loop);
    release_free(release);
    texts_done(&namespaces);
}

/* ---- the operator ---- */

static void on_stopped(void *arg)
{
    struct program *p = arg;

    log_info("stopped");
    loop_stop(p->loop);
}

static void on_signal(int signo, void *arg)
{
    struct program *p = arg;

    if (p->operator->stopping) {
        loop_stop(p->loop); /* the second time means at once */
        return;
    }
    log_info("stopping", KV("signal", signo));
    operator_stop(p->operator, on_stopped, p);
}

static bool run_operator(struct program *p)
{
    struct error err;

    p->operator = operator_new(p->loop, p->k8s, &p->rng, &p->settings);
    if (!report_new(p->operator, p->metrics, p->config.listen, &p->report, &err))
        return fail("cannot listen", &err);
    loop_on_signal(p->loop, SIGTERM, on_signal, p);
    loop_on_signal(p->loop, SIGINT, on_signal, p);
    log_info("starting", KV("version", KHARON_VERSION), KV("identity", p->identity),
             KV("port", report_port(p->report)));
    operator_start(p->operator);
    loop_run(p->loop);
    return true;
}

static bool wants_release(const struct options_given *given, struct error *err, bool *ret_wants)
{
    *ret_wants = given->arguments.n == 1 && strcmp(given->arguments.items[0], "release-pods") == 0;
    if (given->arguments.n > 0 && !*ret_wants)
        return error_set(err, ERROR_INVALID, "%s: no such command; there is release-pods",
                         given->arguments.items[0]);
    return true;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct options_given given = {0};
    struct error err;
    bool release;

    signal(SIGPIPE, SIG_IGN);
    if (!options_main(&operator_options, argc, argv, &p.config, &given, &p.status))
        return p.status;
    log_setup((enum log_format) p.config.log_format, (enum log_level) p.config.log_level);
    bool ok = wants_release(&given, &err, &release) && config_apply(&p.config, &p.settings, &err);
    option_list_done(&given.arguments);
    if (!ok) {
        fail("wrong options", &err);
        options_done(&operator_options, &p.config);
        return 2;
    }
    name_process(&p);
    if (!connect_to_kubernetes(&p))
        p.status = 1;
    else if (release)
        run_release(&p);
    else if (!run_operator(&p))
        p.status = 1;
    close_all(&p);
    return p.status;
}
