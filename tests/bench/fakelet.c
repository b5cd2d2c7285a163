/* SPDX-License-Identifier: Apache-2.0 */
#include "fakelet.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/options.h"
#include "base/probe.h"
#include "bench.h"

#include <signal.h>

#define REPORT_MS 5000

struct config {
    const char *kubeconfig, *listen, *prefix;
    int64_t n_nodes, max_in_flight;
};

#define AT(member) offsetof(struct config, member)

static const struct option_row rows[] = {
    {.name = "nodes",
     .type = OPTION_INT,
     .offset = AT(n_nodes),
     .placeholder = "N",
     .standard = "10",
     .low = 1,
     .high = 1000,
     .help = "How many nodes."},
    {.name = "prefix",
     .type = OPTION_TEXT,
     .offset = AT(prefix),
     .placeholder = "NAME",
     .standard = "fake-",
     .low = 1,
     .high = 50,
     .help = "What the nodes' names begin with."},
    {.name = "max-in-flight",
     .type = OPTION_INT,
     .offset = AT(max_in_flight),
     .placeholder = "N",
     .standard = "64",
     .low = 1,
     .high = 200,
     .help = "Requests about pods at once."},
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = AT(listen),
     .placeholder = "ADDRESS",
     .standard = "127.0.0.1:0",
     .help = "Where /readyz and /metrics are."},
    {.name = "kubeconfig",
     .type = OPTION_TEXT,
     .offset = AT(kubeconfig),
     .placeholder = "FILE",
     .help = "How to reach Kubernetes. Default: $KUBECONFIG."},
};

static const struct options options = {
    .program = "fakelet",
    .summary = "Makes nodes that are not there and lets their pods run and end.",
    .rows = rows,
    .n_rows = ARRAY_SIZE(rows),
};

struct program {
    struct config config;
    struct connection connection;
    struct rng rng;
    struct nodes *nodes;
    struct pods *pods;
    struct metrics *metrics;
    struct probe *probe;
    struct loop_timer report;
    struct pods_counts reported;
};

/* ---- what it tells of itself ---- */

static int render_ready(struct buf *body, void *arg)
{
    const struct program *p = arg;
    bool ready = nodes_ready(p->nodes) && pods_synced(p->pods);

    buf_adds(body, ready ? "ok\n" : "not yet\n");
    return ready ? 200 : 503;
}

static int render_metrics(struct buf *body, void *arg)
{
    metrics_print(((struct program *) arg)->metrics, body);
    return 200;
}

#define READ(member)                                                                               \
    static double read_##member(void *arg)                                                         \
    {                                                                                              \
        return (double) pods_counts(((struct program *) arg)->pods).member;                        \
    }
READ(seen)
READ(started)
READ(ended)
READ(removed)
READ(errors)

static void add_metrics(struct program *p)
{
    static const struct {
        const char *name, *help;
        double (*read)(void *arg);
    } counters[] = {
        {"fakelet_pods_seen_total", "Pods that were bound to a node of ours.", read_seen},
        {"fakelet_pods_started_total", "Pods that were said to run.", read_started},
        {"fakelet_pods_ended_total", "Pods that were said to have ended.", read_ended},
        {"fakelet_pods_removed_total", "Deleted pods that were let go.", read_removed},
        {"fakelet_errors_total", "Requests that failed.", read_errors},
    };

    p->metrics = metrics_new();
    metrics_add_process(p->metrics);
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        metric_read_from(
            metric_series(metrics_counter(p->metrics, counters[i].name, counters[i].help, "")),
            counters[i].read, p);
}

static void on_report(void *arg)
{
    struct program *p = arg;
    struct pods_counts now = pods_counts(p->pods);

    if (now.seen != p->reported.seen || now.ended != p->reported.ended)
        log_info("pods", KV("seen", now.seen), KV("started", now.started), KV("ended", now.ended),
                 KV("removed", now.removed), KV("errors", now.errors),
                 KV("ended_per_second", (now.ended - p->reported.ended) * 1000 / REPORT_MS));
    p->reported = now;
    loop_timer_set(p->connection.loop, &p->report, LOOP_MONOTONIC,
                   loop_now(p->connection.loop, LOOP_MONOTONIC) + REPORT_MS);
}

/* ---- the program ---- */

static void on_signal(int signo, void *arg)
{
    struct program *p = arg;

    log_info("stopping", KV("signal", signo));
    loop_stop(p->connection.loop);
}

static bool run(struct program *p, struct error *err)
{
    const struct probe_page pages[] = {
        {"/readyz", "text/plain", render_ready, p},
        {"/metrics", METRICS_CONTENT_TYPE, render_metrics, p},
    };
    struct loop *loop = p->connection.loop;

    if (!probe_new(loop, p->config.listen, pages, ARRAY_SIZE(pages), &p->probe, err))
        return false;
    loop_on_signal(loop, SIGTERM, on_signal, p);
    loop_on_signal(loop, SIGINT, on_signal, p);
    p->nodes =
        nodes_new(loop, p->connection.k8s, &p->rng, p->config.prefix, (int) p->config.n_nodes);
    p->pods =
        pods_new(loop, p->connection.k8s, &p->rng, p->config.prefix, (int) p->config.max_in_flight);
    add_metrics(p);
    p->report = (struct loop_timer) {.on_time = on_report, .arg = p};
    on_report(p);
    log_info("starting", KV("nodes", p->config.n_nodes), KV("port", probe_port(p->probe)));
    loop_run(loop);
    return true;
}

static void close_all(struct program *p)
{
    probe_free(p->probe);
    if (p->connection.loop)
        loop_timer_cancel(p->connection.loop, &p->report);
    pods_free(p->pods);
    nodes_free(p->nodes);
    metrics_free(p->metrics);
    connection_close(&p->connection);
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct options_given given = {0};
    struct error err;
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (!options_main(&options, argc, argv, &p.config, &given, &status))
        return status;
    option_list_done(&given.arguments);
    rng_init_from_kernel(&p.rng);
    bool ok =
        connection_open(&p.connection, p.config.kubeconfig, (int) p.config.max_in_flight, &err) &&
        run(&p, &err);
    if (!ok)
        log_error("failed", KV("error", err.text));
    close_all(&p);
    options_done(&options, &p.config);
    return ok ? 0 : 1;
}
