/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/report.h"

#include "base/probe.h"

#include <stdio.h>

struct report {
    struct operator *op;
    struct metrics *metrics;
    struct probe *probe;
    struct probe_page pages[3];
    struct metric *exits[258]; /* by code, the last two other and unknown; made when first seen */
    struct metric_family *exit_family, *state_family, *workflow_family, *log_family;
};

/* ---- metrics ---- */

/* Pods start in seconds, or in the hours until a node is there. */
static const double start_seconds[] = {0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600};

#define COUNTER(member)                                                                            \
    static double read_##member(void *arg)                                                         \
    {                                                                                              \
        return (double) ((struct operator *) arg)->counters.member;                                \
    }
COUNTER(triggers)
COUNTER(skips)
COUNTER(transitions)
COUNTER(pods_created)
COUNTER(pods_deleted)
COUNTER(status_writes)
COUNTER(cursor_writes)
COUNTER(events_sent)
COUNTER(events_dropped)
COUNTER(errors)
COUNTER(image_errors)

static double read_overdue(void *arg)
{
    return (double) ((struct operator *) arg)->pace.n_overdue;
}

static double read_in_doubt(void *arg)
{
    return (double) ((struct operator *) arg)->handover.n_in_doubt;
}

static const struct {
    const char *name, *help;
    double (*read)(void *arg);
} counters[] = {
    {"kharon_triggers_total", "Natural triggers.", read_triggers},
    {"kharon_skipped_partitions_total", "Partitions that were due and not triggered.", read_skips},
    {"kharon_transitions_total", "Events of runs.", read_transitions},
    {"kharon_pods_created_total", "Pods created.", read_pods_created},
    {"kharon_pods_deleted_total", "Pods deleted.", read_pods_deleted},
    {"kharon_image_pull_errors_total", "Tries that failed since the image could not be pulled.",
     read_image_errors},
    {"kharon_status_writes_total", "Status writes of instances.", read_status_writes},
    {"kharon_cursor_writes_total", "Status writes of workflows.", read_cursor_writes},
    {"kharon_events_sent_total", "Kubernetes Events written.", read_events_sent},
    {"kharon_events_dropped_total", "Kubernetes Events that were not written.",
     read_events_dropped},
    {"kharon_requests_overdue_total", "Requests to Kubernetes that got no answer in time.",
     read_overdue},
    {"kharon_writes_in_doubt_total", "Writes of which it was not known whether they took effect.",
     read_in_doubt},
    {"kharon_request_errors_total", "Requests to Kubernetes that failed.", read_errors},
};

static double read_leading(void *arg)
{
    return operator_leading(arg);
}

static double read_skew(void *arg)
{
    return (double) clock_skew_ms(arg) / 1000;
}

static double read_slow(void *arg)
{
    return ((struct operator *) arg)->pace.slow;
}

static double read_longest_turn(void *arg)
{
    return (double) loop_longest_turn_us(((struct operator *) arg)->loop) / 1e6;
}

static double read_depth(void *arg)
{
    return (double) queue_length(arg);
}

static double read_count(void *arg)
{
    return (double) k8s_informer_count(arg);
}

static void add_gauge(struct metrics *m, const char *name, const char *help, double (*read)(void *),
                      void *arg)
{
    metric_read_from(metric_series(metrics_gauge(m, name, help, NULL)), read, arg);
}

static double read_adds(void *arg)
{
    return (double) ((struct queue *) arg)->adds;
}

static double read_retries(void *arg)
{
    return (double) ((struct queue *) arg)->retries;
}

static void add_queue(struct metrics *m, const char *name, struct queue *queue)
{
    struct metric_family *depth = metrics_gauge(m, "workqueue_depth", "Work that waits.", "name");
    struct metric_family *adds =
        metrics_counter(m, "workqueue_adds_total", "Work that was put into the queue.", "name");
    struct metric_family *retries =
        metrics_counter(m, "workqueue_retries_total", "Work that failed and waits.", "name");
    struct metric_family *waited =
        metrics_histogram(m, "workqueue_queue_duration_seconds",
                          "How long work was in the queue before it was looked at.", "name",
                          metrics_seconds, metrics_n_seconds);

    metric_read_from(metric_series(depth, name), read_depth, queue);
    metric_read_from(metric_series(adds, name), read_adds, queue);
    metric_read_from(metric_series(retries, name), read_retries, queue);
    queue->waited = metric_series(waited, name);
}

static void add_meters(struct metrics *m, struct operator *op)
{
    op->meters.trigger_lag = metric_series(
        metrics_histogram(m, "kharon_trigger_lag_seconds",
                          "From the due instant of a natural trigger to its instance.", NULL,
                          metrics_seconds, metrics_n_seconds));
    op->meters.start =
        metric_series(metrics_histogram(m, "kharon_start_seconds", "From SUBMITTED to RUNNING.",
                                        NULL, start_seconds, ARRAY_SIZE(start_seconds)));
}

static void add_objects(struct metrics *m, struct operator *op)
{
    struct metric_family *objects =
        metrics_gauge(m, "kharon_objects", "Objects in the local copy.", "kind");

    metric_read_from(metric_series(objects, "Workflow"), read_count, op->workflows);
    metric_read_from(metric_series(objects, "WorkflowInstance"), read_count, op->instances);
    metric_read_from(metric_series(objects, "Pod"), read_count, op->pods);
}

static void update_exits(struct report *r)
{
    const struct operator_counters *c = &r->op->counters;

    for (int i = 0; i < 258; i++) {
        uint64_t n = i < 256 ? c->exits[i] : i == 256 ? c->exits_other : c->exits_unknown;
        char code[16];

        if (n == 0)
            continue;
        if (i < 256)
            snprintf(code, sizeof(code), "%d", i);
        else
            snprintf(code, sizeof(code), "%s", i == 256 ? "other" : "unknown");
        if (!r->exits[i])
            r->exits[i] = metric_series(r->exit_family, code);
        metric_add(r->exits[i], (double) n - metric_value(r->exits[i]));
    }
}

static void update_states(struct report *r)
{
    for (int i = 0; i < RUN_N_STATES; i++)
        for (int t = 0; t <= TRIGGER_N_TYPES; t++)
            metric_set(metric_series(r->state_family, run_state_name((enum run_state) i),
                                     t < TRIGGER_N_TYPES ? trigger_type_name((enum trigger_type) t)
                                                         : "none"),
                       r->op->n_runs[i][t]);
}

/* As in Styx (15.2). */
static void update_workflows(struct report *r)
{
    static const char *const kinds[] = {"all", "configured", "enabled",
                                        "docker_termination_logging_enabled"};

    for (int i = 0; i < WORKFLOWS_N; i++)
        metric_set(metric_series(r->workflow_family, kinds[i]), r->op->n_workflows[i]);
}

static void update_logs(struct report *r)
{
    static const char *const errors[] = {NULL, "missing", "invalid", "mismatch"};

    for (int i = EXIT_LOG_MISSING; i < EXIT_LOG_N; i++) {
        struct metric *m = metric_series(r->log_family, errors[i]);

        metric_add(m, (double) r->op->counters.exit_logs[i] - metric_value(m));
    }
}

static void update(void *arg)
{
    update_exits(arg);
    update_states(arg);
    update_workflows(arg);
    update_logs(arg);
}

static void add_metrics(struct report *r)
{
    struct metrics *m = r->metrics;

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        metric_read_from(
            metric_series(metrics_counter(m, counters[i].name, counters[i].help, NULL)),
            counters[i].read, r->op);
    metric_read_from(metric_series(metrics_gauge(m, "leader_election_master_status",
                                                 "Whether this process leads.", "name"),
                                   r->op->settings->lease_name),
                     read_leading, r->op);
    add_gauge(
        m, "kharon_clock_skew_seconds",
        "How much later the API server's clock is, at least. Beyond 5 s nothing is triggered.",
        read_skew, r->op);
    add_gauge(m, "kharon_control_plane_slow", "Whether requests get no answer within delta.",
              read_slow, r->op);
    add_gauge(m, "kharon_longest_turn_seconds",
              "Longest turn of the event loop since the last look.", read_longest_turn, r->op);
    add_queue(m, "cursor", &r->op->cursor_queue);
    add_queue(m, "attempt", &r->op->attempt_queue);
    add_queue(m, "reap", &r->op->reap_queue);
    add_meters(m, r->op);
    add_objects(m, r->op);
    r->exit_family =
        metrics_counter(m, "kharon_exits_total", "Containers that ended, by exit code.", "code");
    r->state_family =
        metrics_gauge(m, "kharon_runs", "Instances by state and type of trigger.", "state,trigger");
    r->workflow_family =
        metrics_gauge(m, "kharon_workflows", "Workflows by what they are.", "status");
    r->log_family =
        metrics_counter(m, "kharon_termination_log_errors_total",
                        "Exit codes that were to be logged, and were not or not so.", "error");
    metrics_before_print(m, update, r);
    metrics_add_process(m);
}

/* ---- pages ---- */

static int render_live(struct buf *body, void *arg)
{
    (void) arg;
    buf_adds(body, "ok\n");
    return 200;
}

/* A standby with warm caches is ready: it can take over at any moment. */
static int render_ready(struct buf *body, void *arg)
{
    struct report *r = arg;

    if (operator_ready(r->op)) {
        buf_addf(body, "ok\n%s\n", operator_leading(r->op) ? "leading" : "standby");
        if (clock_wrong(r->op))
            buf_adds(body, "the clock is wrong: nothing is triggered\n");
        if (r->op->pace.slow)
            buf_adds(body, "the control plane is slow\n");
        return 200;
    }
    buf_adds(body, "the local copy is not complete yet\n");
    return 503;
}

static int render_metrics(struct buf *body, void *arg)
{
    metrics_print(((struct report *) arg)->metrics, body);
    return 200;
}

bool report_new(struct operator *op, struct metrics *metrics, const char *address,
                struct report **ret_report, struct error *err)
{
    struct report *r = NEW(struct report);

    r->op = op;
    r->metrics = metrics;
    add_metrics(r);
    r->pages[0] = (struct probe_page) {"/livez", "text/plain", render_live, r};
    r->pages[1] = (struct probe_page) {"/readyz", "text/plain", render_ready, r};
    r->pages[2] = (struct probe_page) {"/metrics", METRICS_CONTENT_TYPE, render_metrics, r};
    if (address && !probe_new(op->loop, address, r->pages, ARRAY_SIZE(r->pages), &r->probe, err)) {
        report_free(r);
        return false;
    }
    *ret_report = r;
    return true;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    if (r->probe)
        probe_free(r->probe);
    free(r);
}

int report_port(const struct report *r)
{
    return probe_port(r->probe);
}
