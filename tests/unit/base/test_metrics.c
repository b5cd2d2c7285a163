/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include "test.h"

#include <math.h>
#include <unistd.h>

static char *print(struct metrics *m)
{
    struct buf out = BUF_INIT;

    metrics_print(m, &out);
    return buf_take(&out);
}

#define PRINTS(m, want)                                                                            \
    do {                                                                                           \
        CLEANUP(free) char *printed = print(m);                                                    \
        CHECK_STR(printed, want);                                                                  \
    } while (0)

TEST(an_empty_registry_prints_nothing)
{
    struct metrics *m = metrics_new();

    metrics_counter(m, "a_total", "Needs a label first.", "x");
    PRINTS(m, "");
    metrics_free(m);
    metrics_free(NULL);
}

TEST(counters_and_gauges)
{
    struct metrics *m = metrics_new();
    struct metric_family *calls = metrics_counter(m, "calls_total", "Calls.", "verb,code");
    struct metric *level = metric_series(metrics_gauge(m, "level", "Level.", NULL));

    metric_add(metric_series(calls, "get", "200"), 1);
    metric_add(metric_series(calls, "get", "404"), 2);
    metric_add(metric_series(calls, "get", "200"), 1);
    metric_set(level, 2.5);
    metric_add(level, -4);
    PRINTS(m, "# HELP calls_total Calls.\n"
              "# TYPE calls_total counter\n"
              "calls_total{verb=\"get\",code=\"200\"} 2\n"
              "calls_total{verb=\"get\",code=\"404\"} 2\n"
              "# HELP level Level.\n"
              "# TYPE level gauge\n"
              "level -1.5\n");
    CHECK(metric_value(level) < -1.4 && metric_value(level) > -1.6);
    metrics_free(m);
}

TEST(texts_are_escaped)
{
    struct metrics *m = metrics_new();
    struct metric_family *f = metrics_gauge(m, "g", "a \"b\" \\ c\nd", "x");

    metric_set(metric_series(f, "q\" b\\ n\n u\xC3\xA9 bad\xFF"), 1);
    metric_set(metric_series(f, NULL), 2);
    PRINTS(m, "# HELP g a \"b\" \\\\ c\\nd\n"
              "# TYPE g gauge\n"
              "g{x=\"q\\\" b\\\\ n\\n u\xC3\xA9 bad\xEF\xBF\xBD\"} 1\n"
              "g{x=\"\"} 2\n");
    metrics_free(m);
}

TEST(labels_that_look_alike_are_different_series)
{
    struct metrics *m = metrics_new();
    struct metric_family *f = metrics_counter(m, "c", "", "x,y");

    CHECK(metric_series(f, "a\",y=\"b", "") != metric_series(f, "a", "b"));
    CHECK(metric_series(f, "a", "b") == metric_series(f, "a", "b"));
    metrics_free(m);
}

#define NUMBER(value, want) check_number(__LINE__, value, want)

static void check_number(int line, double value, const char *want)
{
    struct metrics *m = metrics_new();

    metric_set(metric_series(metrics_gauge(m, "g", "", NULL)), value);
    CLEANUP(free) char *printed = print(m);
    CHECK_STR_AT(line, strrchr(printed, ' ') + 1, want);
    metrics_free(m);
}

TEST(numbers_are_short_and_exact)
{
    NUMBER(0, "0\n");
    NUMBER(0.1, "0.1\n");
    NUMBER(-3, "-3\n");
    NUMBER(1.0 / 3, "0.33333333333333331\n");
    NUMBER(9007199254740992.0, "9007199254740992\n");
    NUMBER(1e21, "1e+21\n");
    NUMBER((double) INFINITY, "+Inf\n");
    NUMBER((double) -INFINITY, "-Inf\n");
    NUMBER((double) NAN, "NaN\n");
}

TEST(histograms_count_up)
{
    static const double bounds[] = {0.5, 1};
    struct metrics *m = metrics_new();
    struct metric_family *f = metrics_histogram(m, "d_seconds", "Delay.", "k", bounds, 2);
    struct metric *d = metric_series(f, "a");

    metric_observe(d, 0.25);
    metric_observe(d, 0.5);
    metric_observe(d, 0.75);
    metric_observe(d, 8);
    PRINTS(m, "# HELP d_seconds Delay.\n"
              "# TYPE d_seconds histogram\n"
              "d_seconds_bucket{k=\"a\",le=\"0.5\"} 2\n"
              "d_seconds_bucket{k=\"a\",le=\"1\"} 3\n"
              "d_seconds_bucket{k=\"a\",le=\"+Inf\"} 4\n"
              "d_seconds_sum{k=\"a\"} 9.5\n"
              "d_seconds_count{k=\"a\"} 4\n");
    CHECK_INT(metric_value(d), 4);
    metrics_free(m);
}

TEST(a_histogram_without_labels)
{
    struct metrics *m = metrics_new();

    metrics_histogram(m, "d", "", "", (const double[]) {1}, 1);
    PRINTS(m, "# HELP d \n"
              "# TYPE d histogram\n"
              "d_bucket{le=\"1\"} 0\n"
              "d_bucket{le=\"+Inf\"} 0\n"
              "d_sum 0\n"
              "d_count 0\n");
    metrics_free(m);
}

TEST(the_same_name_is_the_same_family)
{
    struct metrics *m = metrics_new();
    struct metric_family *f = metrics_counter(m, "c", "One.", "x");

    CHECK(metrics_counter(m, "c", "Two.", "x") == f);
    CHECK(metrics_histogram(m, "h", "", "x", metrics_seconds, metrics_n_seconds) ==
          metrics_histogram(m, "h", "", "x", metrics_seconds, metrics_n_seconds));
    metrics_free(m);
}

static double seven(void *arg)
{
    ++*(int *) arg;
    return 7;
}

TEST(series_may_be_read_from_a_function)
{
    struct metrics *m = metrics_new();
    struct metric *g = metric_series(metrics_gauge(m, "g", "", NULL));
    int calls = 0;

    metric_read_from(g, seven, &calls);
    CHECK_INT(calls, 0);
    PRINTS(m, "# HELP g \n# TYPE g gauge\ng 7\n");
    CHECK_INT(calls, 1);
    metric_read_from(g, NULL, NULL);
    CHECK_INT(calls, 2);
    PRINTS(m, "# HELP g \n# TYPE g gauge\ng 7\n");
    CHECK_INT(calls, 2);
    metrics_free(m);
}

static void count(void *arg)
{
    metric_add(arg, 1);
}

TEST(updates_run_before_each_print)
{
    struct metrics *m = metrics_new();
    struct metric *c = metric_series(metrics_counter(m, "c", "", NULL));

    metrics_before_print(m, count, c);
    PRINTS(m, "# HELP c \n# TYPE c counter\nc 1\n");
    PRINTS(m, "# HELP c \n# TYPE c counter\nc 2\n");
    metrics_free(m);
}

TEST(series_have_a_ceiling)
{
    struct metrics *m = metrics_new();
    struct metric_family *f = metrics_counter(m, "c", "", "x");
    struct metric *first = metric_series(f, "0"), *other;
    char name[20];

    for (int i = 0; i < METRICS_MAX_SERIES; i++) {
        snprintf(name, sizeof(name), "%d", i);
        metric_add(metric_series(f, name), 1);
    }
    other = metric_series(f, "one more");
    metric_add(other, 1);
    CHECK(metric_series(f, "and another") == other);
    CHECK(metric_series(f, "0") == first);
    CLEANUP(free) char *printed = print(m);
    CHECK_HAS(printed, "c{x=\"499\"} 1\nc{x=\"other\"} 1\n");
    metrics_free(m);
}

static double process_value(const char *name)
{
    struct metrics *m = metrics_new();
    char sample[100];

    metrics_add_process(m);
    CLEANUP(free) char *printed = print(m);
    metrics_free(m);
    snprintf(sample, sizeof(sample), "\n%s ", name);
    CHECK_HAS(printed, sample);
    return strtod(strstr(printed, sample) + strlen(sample), NULL);
}

TEST(the_process_measures_itself)
{
    double now = (double) time(NULL), started = process_value("process_start_time_seconds");
    double fds = process_value("process_open_fds");
    int one_more = dup(0);

    CHECK(started > now - 600 && started < now + 2);
    CHECK_INT(process_value("process_open_fds"), fds + (one_more >= 0));
    close(one_more);
    CHECK(process_value("process_max_fds") >= fds);
    CHECK(process_value("process_resident_memory_bytes") > 100e3);
    CHECK(process_value("process_virtual_memory_bytes") >
          process_value("process_resident_memory_bytes"));
    CHECK(process_value("process_cpu_seconds_total") >= 0);
    CHECK(process_value("process_cpu_seconds_total") < 600);
}
