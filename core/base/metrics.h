/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: numbers about this process, printed in the Prometheus text format 0.0.4.
 *
 * A family has a name, a type, a help text and label names; it has a series for each combination of
 * label values, and a series is what one counts with:
 *
 *     struct metric_family *calls = metrics_counter(m, "calls_total", "Calls.", "verb,code");
 *     struct metric *created = metric_series(calls, "create", "201");
 *     ...
 *     metric_add(created, 1);
 *
 *  - Families and series belong to their registry and live as long as it does; modules are handed a
 *    registry, there is no global one.  Keep the series where counting is frequent: finding one
 *    looks its labels up.
 *  - Registering the same name twice gives the same family, so that two users of a module share it.
 *    With another type or other labels that is a programming mistake.
 *  - Families appear in the output with their first series; one without labels has it at once.
 *  - At most METRICS_MAX_SERIES series a family: beyond that all labels share one whose values are
 *    "other".  Labels are for small sets (verbs, codes, kinds), never for names of objects.
 *  - Values are doubles: integers are exact up to 2^53.  Durations are in seconds, sizes in bytes,
 *    names end in the unit and counters in _total, as Prometheus recommends.
 *  - Only the thread of the loop may use a registry.
 */
#ifndef KHARON_BASE_METRICS_H
#define KHARON_BASE_METRICS_H

#include "base/buf.h"

#include <stddef.h>

#define METRICS_MAX_SERIES   500
#define METRICS_MAX_LABELS   6
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics;
struct metric_family;
struct metric;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* `labels` are names separated by commas; NULL or "": none.  All texts are copied. */
struct metric_family *metrics_counter(struct metrics *m, const char *name, const char *help,
                                      const char *labels);
struct metric_family *metrics_gauge(struct metrics *m, const char *name, const char *help,
                                    const char *labels);

/* `bounds` are the upper bounds of the buckets, rising; the one without bound is added.  At most
 * 30; kept by reference. */
struct metric_family *metrics_histogram(struct metrics *m, const char *name, const char *help,
                                        const char *labels, const double *bounds, size_t n_bounds);

/* 1 ms to 60 s: for requests and for delays. */
extern const double metrics_seconds[];
extern const size_t metrics_n_seconds;

/* The series with these label values, as many as the family has labels; made at the first time. */
#define metric_series(family, ...)                                                                 \
    metric_find((family), (const char *const[]) {NULL, ##__VA_ARGS__} + 1,                         \
                sizeof((const char *const[]) {NULL, ##__VA_ARGS__}) / sizeof(char *) - 1)
struct metric *metric_find(struct metric_family *family, const char *const *values, size_t n);

/* The series takes its value from `read` when metrics are printed; NULL: no longer, it stays as it
 * was last.  For counters as well, where somebody else counts. */
void metric_read_from(struct metric *metric, double (*read)(void *arg), void *arg);

void metric_add(struct metric *metric, double by);        /* counters: by >= 0 */
void metric_set(struct metric *metric, double value);     /* gauges */
void metric_observe(struct metric *metric, double value); /* histograms */
double metric_value(const struct metric *metric);         /* histograms: how many observations */

/* Runs before each printing, to bring gauges up to date that belong together. */
void metrics_before_print(struct metrics *m, void (*update)(void *arg), void *arg);

void metrics_print(struct metrics *m, struct buf *out);

/* process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
 * process_open_fds, process_max_fds, process_start_time_seconds: the names of Prometheus' own
 * client libraries.  Once a registry. */
void metrics_add_process(struct metrics *m);

#endif
