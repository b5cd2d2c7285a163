/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare loop: creates pods, so many at a time, and does nothing else.  What it reaches is what
 * the control plane accepts; the operator is measured against that.
 *
 * The pods look like the operator's, without owner and finalizer.  Prints one line of JSON.
 */
#include "base/log.h"
#include "base/options.h"
#include "bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

struct config {
    const char *kubeconfig, *ns, *prefix;
    int64_t count, in_flight;
};

#define AT(member) offsetof(struct config, member)

static const struct option_row rows[] = {
    {.name = "count",
     .type = OPTION_INT,
     .offset = AT(count),
     .placeholder = "N",
     .standard = "1000",
     .low = 1,
     .high = 100000,
     .help = "How many pods."},
    {.name = "in-flight",
     .type = OPTION_INT,
     .offset = AT(in_flight),
     .placeholder = "N",
     .standard = "32",
     .low = 1,
     .high = 200,
     .help = "How many creates at a time."},
    {.name = "namespace",
     .type = OPTION_TEXT,
     .offset = AT(ns),
     .placeholder = "NAME",
     .standard = "default",
     .high = 63,
     .help = "Where."},
    {.name = "prefix",
     .type = OPTION_TEXT,
     .offset = AT(prefix),
     .placeholder = "NAME",
     .standard = "loop-",
     .high = 200,
     .help = "What their names begin with."},
    {.name = "kubeconfig",
     .type = OPTION_TEXT,
     .offset = AT(kubeconfig),
     .placeholder = "FILE",
     .help = "How to reach Kubernetes. Default: $KUBECONFIG."},
};

static const struct options options = {
    .program = "loop",
    .summary = "Creates pods as fast as the API server takes them.",
    .rows = rows,
    .n_rows = ARRAY_SIZE(rows),
};

static const struct k8s_resource pod_resource = {"", "v1", "pods", "Pod"};

struct creation {
    struct program *program;
    struct k8s_call *call;
    int64_t sent_ms;
    struct loop_task again;
};

struct program {
    struct config config;
    struct connection connection;
    struct creation *creations; /* one for each that is under way */
    int64_t n_sent, n_created, n_failed;
    int64_t begun_ms;
    int64_t *took_ms;
};

static json_t *environment(const char *name)
{
    static const char *const names[] = {
        "STYX_COMPONENT_ID", "STYX_WORKFLOW_ID",    "STYX_PARAMETER",       "STYX_COMMIT_SHA",
        "STYX_DOCKER_ARGS",  "STYX_DOCKER_IMAGE",   "STYX_SERVICE_ACCOUNT", "STYX_TERMINATION_LOG",
        "STYX_TRIGGER_ID",   "STYX_TRIGGER_TYPE",   "STYX_ENVIRONMENT",     "STYX_LOGGING",
        "STYX_EXECUTION_ID", "STYX_EXECUTION_TRIES"};
    json_t *all = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        json_array_append_new(all, json_pack("{s:s, s:s}", "name", names[i], "value", name));
    return all;
}

static char *manifest(const char *ns, const char *name)
{
    json_t *container = json_pack("{s:s, s:s, s:[s], s:o, s:s, s:{s:b}}", "name", "main", "image",
                                  "localhost/busybox:1", "args", "true", "env", environment(name),
                                  "terminationMessagePolicy", "FallbackToLogsOnError",
                                  "securityContext", "allowPrivilegeEscalation", 0);
    json_t *spec = json_pack("{s:s, s:b, s:b, s:i, s:{s:{s:s}}, s:[o]}", "restartPolicy", "Never",
                             "enableServiceLinks", 0, "automountServiceAccountToken", 0,
                             "activeDeadlineSeconds", 200000, "securityContext", "seccompProfile",
                             "type", "RuntimeDefault", "containers", container);
    json_t *labels =
        json_pack("{s:s, s:s, s:s, s:s}", "app.kubernetes.io/managed-by", "bench",
                  "STYX_COMPONENT_ID", ns, "STYX_WORKFLOW_ID", name, "STYX_EXECUTION_ID", name);
    json_t *annotations =
        json_pack("{s:s, s:s, s:s}", "bench.kharon.dev/record", name, "bench.kharon.dev/instance",
                  name, "bench.kharon.dev/description", name);
    CLEANUP(json_decref) json_t *pod = json_pack(
        "{s:s, s:s, s:{s:s, s:s, s:o, s:o}, s:o}", "apiVersion", "v1", "kind", "Pod", "metadata",
        "name", name, "namespace", ns, "labels", labels, "annotations", annotations, "spec", spec);

    return json_print(pod);
}

static void on_reply(const struct k8s_reply *reply, void *arg)
{
    struct creation *c = arg;
    struct program *p = c->program;

    c->call = NULL;
    if (reply->error.code == ERROR_NONE) {
        p->took_ms[p->n_created++] =
            loop_now_fresh(p->connection.loop, LOOP_MONOTONIC) - c->sent_ms;
    } else {
        log_warning("not created", KV("error", reply->error.text));
        p->n_failed++;
    }
    loop_task_queue(p->connection.loop, &c->again);
}

static void create_next(void *arg)
{
    struct creation *c = arg;
    struct program *p = c->program;

    if (p->n_sent == p->config.count) {
        if (p->n_created + p->n_failed == p->n_sent)
            loop_stop(p->connection.loop);
        return;
    }
    CLEANUP(free) char *name = xasprintf("%s%" PRId64, p->config.prefix, p->n_sent++);
    CLEANUP(free) char *body = manifest(p->config.ns, name);
    const struct k8s_request request = {.verb = K8S_CREATE,
                                        .lane = K8S_LANE_POD,
                                        .resource = &pod_resource,
                                        .ns = p->config.ns,
                                        .body = body};
    c->sent_ms = loop_now_fresh(p->connection.loop, LOOP_MONOTONIC);
    c->call =
        k8s_call(p->connection.k8s, &request, &(struct k8s_handler) {.on_reply = on_reply}, c);
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *) a, right = *(const int64_t *) b;

    return (left > right) - (left < right);
}

static int64_t percentile(const struct program *p, int percent)
{
    int64_t rank = (p->n_created * percent + 99) / 100;

    return p->n_created ? p->took_ms[rank > 0 ? rank - 1 : 0] : 0;
}

static void print_result(struct program *p)
{
    int64_t ms = loop_now_fresh(p->connection.loop, LOOP_MONOTONIC) - p->begun_ms;

    qsort(p->took_ms, (size_t) p->n_created, sizeof(*p->took_ms), by_size);
    printf("{\"created\": %" PRId64 ", \"failed\": %" PRId64 ", \"in_flight\": %" PRId64
           ", \"ms\": %" PRId64 ", \"per_second\": %.1f, \"p50_ms\": %" PRId64
           ", \"p99_ms\": %" PRId64 "}\n",
           p->n_created, p->n_failed, p->config.in_flight, ms,
           (double) p->n_created * 1000.0 / (double) (ms > 0 ? ms : 1), percentile(p, 50),
           percentile(p, 99));
}

static void run(struct program *p)
{
    struct loop *loop = p->connection.loop;

    p->creations = xcalloc((size_t) p->config.in_flight, sizeof(*p->creations));
    p->took_ms = xcalloc((size_t) p->config.count, sizeof(*p->took_ms));
    for (int64_t i = 0; i < p->config.in_flight; i++) {
        p->creations[i] = (struct creation) {.program = p};
        p->creations[i].again =
            (struct loop_task) {.on_turn = create_next, .arg = &p->creations[i]};
        loop_task_queue(loop, &p->creations[i].again);
    }
    p->begun_ms = loop_now_fresh(loop, LOOP_MONOTONIC);
    loop_run(loop);
    print_result(p);
    free(p->took_ms);
    free(p->creations);
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
    bool ok = connection_open(&p.connection, p.config.kubeconfig, (int) p.config.in_flight, &err);
    if (ok) {
        run(&p);
        connection_close(&p.connection);
    } else {
        log_error("failed", KV("error", err.text));
    }
    options_done(&options, &p.config);
    return ok && p.n_failed == 0 ? 0 : 1;
}
