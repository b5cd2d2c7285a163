/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/config.h"
#include "apiserver/ping.h"
#include "apiserver/report.h"
#include "apiserver/route.h"
#include "apiserver/server.h"
#include "apiserver/store.h"
#include "base/log.h"
#include "k8s/config.h"
#include "k8s/transport.h"

#include <signal.h>
#include <sys/resource.h>

/* Descriptors for everything that is not a client's connection, and for those that are on their way
 * out. */
#define OTHER_DESCRIPTORS 256

struct program {
    struct api_config config;
    struct places places;
    struct rng rng;
    struct k8s_config *k8s_config;
    struct metrics *metrics;
    struct api api;
    struct server *server;
    struct api_report *report;
};

static bool fail(const char *what, const struct error *err)
{
    log_error(what, KV("error", err->text));
    return false;
}

static void on_signal(int signo, void *arg)
{
    struct program *p = arg;

    log_info("stopping", KV("signal", signo));
    server_stop(p->server, p->config.drain_ms);
}

/* So that accepting never fails for lack of descriptors. */
static void raise_descriptor_limit(struct program *p)
{
    rlim_t want = (rlim_t) p->config.max_connections + OTHER_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
        return;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= want)
        return;
    p->config.max_connections = limit.rlim_cur > 2 * OTHER_DESCRIPTORS
                                    ? (int64_t) limit.rlim_cur - OTHER_DESCRIPTORS
                                    : OTHER_DESCRIPTORS;
    log_warning("fewer connections than wished", KV("max_connections", p->config.max_connections),
                KV("descriptors", limit.rlim_cur));
}

static bool connect_to_kubernetes(struct program *p)
{
    struct k8s_config_options options = {.path = p->config.kubeconfig};
    struct k8s_limits limits = {.max_in_flight = (int) p->config.max_in_flight};
    struct error err;

    if (!k8s_config_load(&options, &p->k8s_config, &err))
        return fail("cannot find out how to reach Kubernetes", &err);
    if (!k8s_transport_new(p->api.loop, p->k8s_config, &limits, p->metrics, &p->api.k8s, &err))
        return fail("cannot reach Kubernetes", &err);
    p->api.store = store_new(p->api.loop, p->api.k8s, &p->rng, &p->places);
    return true;
}

static bool listen_for_clients(struct program *p)
{
    struct server_config config = {
        .listen = p->config.listen,
        .max_connections = (size_t) p->config.max_connections,
        .request_ms = p->config.request_timeout_ms,
        .max_input = SERVER_MAX_INPUT,
        .max_output = SERVER_MAX_OUTPUT,
        .on_request = route_dispatch,
        .is_urgent = route_is_urgent,
    };
    struct error err;

    if (!server_new(&p->api, &config, &p->server, &err) ||
        !api_report_new(&p->api, p->server, p->metrics, p->config.probe_listen, &p->report, &err))
        return fail("cannot listen", &err);
    return true;
}

static bool run(struct program *p)
{
    raise_descriptor_limit(p);
    if (!connect_to_kubernetes(p) || !listen_for_clients(p))
        return false;
    loop_on_signal(p->api.loop, SIGTERM, on_signal, p);
    loop_on_signal(p->api.loop, SIGINT, on_signal, p);
    log_info("starting", KV("version", KHARON_VERSION), KV("port", server_port(p->server)),
             KV("probe_port", api_report_port(p->report)), KV("kubernetes", p->k8s_config->server));
    log_warning("no authentication: everybody who reaches the port may do everything");
    store_start(p->api.store);
    server_run(p->server);
    log_info("stopped");
    return true;
}

static void start(struct program *p)
{
    p->metrics = metrics_new();
    rng_init_from_kernel(&p->rng);
    p->api = (struct api) {
        .loop = loop_new(),
        .rng = &p->rng,
        .max_running_timeout_ms = p->config.max_running_timeout_ms,
        .max_active = API_MAX_ACTIVE,
    };
}

static void close_all(struct program *p)
{
    api_report_free(p->report);
    server_free(p->server);
    store_free(p->api.store);
    k8s_free(p->api.k8s);
    k8s_config_free(p->k8s_config);
    metrics_free(p->metrics);
    loop_free(p->api.loop);
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct options_given given = {0};
    struct error err;
    int status = 0;

    if (!options_main(&api_options, argc, argv, &p.config, &given, &status))
        return status;
    option_list_done(&given.arguments);
    log_setup((enum log_format) p.config.log_format, (enum log_level) p.config.log_level);
    if (p.config.ping) {
        status = ping(p.config.ping);
    } else if (!api_config_apply(&p.config, &p.places, &err)) {
        fail("wrong options", &err);
        status = 2;
    } else {
        start(&p);
        status = run(&p) ? 0 : 1;
        close_all(&p);
        places_done(&p.places);
    }
    options_done(&api_options, &p.config);
    return status;
}
