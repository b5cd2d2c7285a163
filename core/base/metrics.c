/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include "base/list.h"
#include "base/map.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_BOUNDS 30

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM };

struct metric {
    struct map_node node; /* in family->series, by labels */
    struct metric_family *family;
    char *labels; /* as printed, without braces: verb="get",code="200" */
    double value; /* of a histogram: the sum */
    double (*read)(void *arg);
    void *arg;
    uint64_t count;
    uint64_t buckets[]; /* not cumulative; one more than there are bounds */
};

struct metric_family {
    struct map_node node; /* in metrics->families, by name */
    enum family_type type;
    char *name, *help;
    char *names[METRICS_MAX_LABELS];
    size_t n_names;
    const double *bounds;
    size_t n_bounds;
    struct map series;
};

struct update {
    struct list link;
    void (*update)(void *arg);
    void *arg;
};

struct metrics {
    struct map families;
    struct list updates;
};

static const char *const type_names[] = {"counter", "gauge", "histogram"};

const double metrics_seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                  0.5,   1,      2.5,   5,    10,    30,   60};
const size_t metrics_n_seconds = ARRAY_SIZE(metrics_seconds);

struct metrics *metrics_new(void)
{
    struct metrics *m = NEW(struct metrics);

    map_init(&m->families);
    list_init(&m->updates);
    return m;
}

static void metric_free(struct metric *metric)
{
    map_remove(&metric->family->series, &metric->node);
    free(metric->labels);
    free(metric);
}

static void family_free(struct metrics *m, struct metric_family *f)
{
    struct metric *metric;

    map_foreach (metric, &f->series, node)
        metric_free(metric);
    map_done(&f->series);
    map_remove(&m->families, &f->node);
    for (size_t i = 0; i < f->n_names; i++)
        free(f->names[i]);
    free(f->name);
    free(f->help);
    free(f);
}

void metrics_free(struct metrics *m)
{
    struct metric_family *f;
    struct update *u;

    if (!m)
        return;
    map_foreach (f, &m->families, node)
        family_free(m, f);
    map_done(&m->families);
    list_foreach (u, &m->updates, link)
        free(u);
    free(m);
}

/* Colons, which names of families may have too, are for rules of Prometheus, not for programs. */
static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

    return len > 0 && name[len] == '\0' && !(name[0] >= '0' && name[0] <= '9');
}

static void split_names(struct metric_family *f, const char *labels)
{
    while (labels && *labels) {
        size_t len = strcspn(labels, ",");

        assert(f->n_names < METRICS_MAX_LABELS);
        char *name = xstrndup(labels, len);
        assert(is_name(name) && strcmp(name, "le") != 0);
        f->names[f->n_names++] = name;
        labels += len + (labels[len] == ',');
    }
}

static bool same_shape(const struct metric_family *a, const struct metric_family *b)
{
    bool same = a->type == b->type && a->n_names == b->n_names && a->n_bounds == b->n_bounds;

    for (size_t i = 0; same && i < a->n_names; i++)
        same = strcmp(a->names[i], b->names[i]) == 0;
    for (size_t i = 0; same && i < a->n_bounds; i++)
        same = a->bounds[i] >= b->bounds[i] && a->bounds[i] <= b->bounds[i];
    return same;
}

static struct metric_family *add_family(struct metrics *m, enum family_type type, const char *name,
                                        const char *help, const char *labels)
{
    struct metric_family *f = NEW(struct metric_family);

    assert(is_name(name));
    f->type = type;
    f->name = xstrdup(name);
    f->help = xstrdup(help);
    map_init(&f->series);
    split_names(f, labels);
    map_add(&m->families, &f->node, f->name);
    return f;
}

/* The family that has its name already, if there is one: f is then freed. */
static struct metric_family *settle(struct metrics *m, struct metric_family *f)
{
    struct map_node *older = map_next_same(&f->node);

    if (older) {
        struct metric_family *known = container_of(older, struct metric_family, node);

        assert(same_shape(known, f));
        family_free(m, f);
        return known;
    }
    if (f->n_names == 0)
        metric_find(f, NULL, 0);
    return f;
}

struct metric_family *metrics_counter(struct metrics *m, const char *name, const char *help,
                                      const char *labels)
{
    return settle(m, add_family(m, FAMILY_COUNTER, name, help, labels));
}

struct metric_family *metrics_gauge(struct metrics *m, const char *name, const char *help,
                                    const char *labels)
{
    return settle(m, add_family(m, FAMILY_GAUGE, name, help, labels));
}

struct metric_family *metrics_histogram(struct metrics *m, const char *name, const char *help,
                                        const char *labels, const double *bounds, size_t n_bounds)
{
    struct metric_family *f = add_family(m, FAMILY_HISTOGRAM, name, help, labels);

    assert(n_bounds <= MAX_BOUNDS);
    for (size_t i = 1; i < n_bounds; i++)
        assert(bounds[i - 1] < bounds[i]);
    f->bounds = bounds;
    f->n_bounds = n_bounds;
    return settle(m, f);
}

static void add_escaped(struct buf *out, const char *text, bool quotes_too)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf valid = BUF_INIT;

    buf_add_utf8(&valid, text); /* one bad byte would make the whole page unreadable */
    for (const char *s = buf_text(&valid); *s; s++) {
        if (*s == '\n')
            buf_adds(out, "\\n");
        else if (*s == '\\' || (*s == '"' && quotes_too))
            buf_addf(out, "\\%c", *s);
        else
            buf_addc(out, *s);
    }
}

static char *print_labels(const struct metric_family *f, const char *const *values)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < f->n_names; i++) {
        buf_addf(&b, "%s%s=\"", i ? "," : "", f->names[i]);
        add_escaped(&b, values[i] ? values[i] : "", true);
        buf_addc(&b, '"');
    }
    return buf_take(&b);
}

static struct metric *add_series(struct metric_family *f, char *labels_take)
{
    size_t n_buckets = f->type == FAMILY_HISTOGRAM ? f->n_bounds + 1 : 0;
    struct metric *metric = xcalloc(1, sizeof(*metric) + n_buckets * sizeof(metric->buckets[0]));

    metric->family = f;
    metric->labels = labels_take;
    map_add(&f->series, &metric->node, metric->labels);
    return metric;
}

static struct metric *find_or_add(struct metric_family *f, const char *const *values, size_t max)
{
    CLEANUP(free) char *labels = print_labels(f, values);
    struct map_node *node = map_get(&f->series, labels);

    if (node)
        return container_of(node, struct metric, node);
    return f->series.n < max ? add_series(f, TAKE(labels)) : NULL;
}

struct metric *metric_find(struct metric_family *f, const char *const *values, size_t n)
{
    static const char *const other[METRICS_MAX_LABELS] = {"other", "other", "other",
                                                          "other", "other", "other"};

    assert(n == f->n_names);
    struct metric *metric = find_or_add(f, values, METRICS_MAX_SERIES);
    return metric ? metric : find_or_add(f, other, SIZE_MAX);
}

void metric_read_from(struct metric *metric, double (*read)(void *arg), void *arg)
{
    assert(metric->family->type != FAMILY_HISTOGRAM);
    if (!read && metric->read)
        metric->value = metric->read(metric->arg);
    metric->read = read;
    metric->arg = arg;
}

void metric_add(struct metric *metric, double by)
{
    assert(metric->family->type == FAMILY_GAUGE ||
           (metric->family->type == FAMILY_COUNTER && by >= 0));
    metric->value += by;
}

void metric_set(struct metric *metric, double value)
{
    assert(metric->family->type == FAMILY_GAUGE);
    metric->value = value;
}

void metric_observe(struct metric *metric, double value)
{
    const struct metric_family *f = metric->family;
    size_t i = 0;

    assert(f->type == FAMILY_HISTOGRAM);
    while (i < f->n_bounds && !(value <= f->bounds[i]))
        i++;
    metric->buckets[i]++;
    metric->count++;
    metric->value += value;
}

double metric_value(const struct metric *metric)
{
    if (metric->family->type == FAMILY_HISTOGRAM)
        return (double) metric->count;
    return metric->read ? metric->read(metric->arg) : metric->value;
}

void metrics_before_print(struct metrics *m, void (*update)(void *arg), void *arg)
{
    struct update *u = NEW(struct update);

    u->update = update;
    u->arg = arg;
    list_push_back(&m->updates, &u->link);
}

/* The shortest of the two usual lengths that reads back as the same number. */
static void add_number(struct buf *out, double value)
{
    char text[40];

    if (isnan(value)) {
        buf_adds(out, "NaN");
    } else if (isinf(value)) {
        buf_adds(out, value > 0 ? "+Inf" : "-Inf");
    } else {
        snprintf(text, sizeof(text), "%.15g", value);
        double back = strtod(text, NULL);
        if (back < value || back > value)
            snprintf(text, sizeof(text), "%.17g", value);
        buf_adds(out, text);
    }
}

static void add_sample(struct buf *out, const struct metric *metric, const char *suffix,
                       double value)
{
    buf_addf(out, "%s%s", metric->family->name, suffix);
    if (metric->labels[0])
        buf_addf(out, "{%s}", metric->labels);
    buf_addc(out, ' ');
    add_number(out, value);
    buf_addc(out, '\n');
}

static void add_bucket(struct buf *out, const struct metric *metric, double bound, uint64_t count)
{
    buf_addf(out, "%s_bucket{%s%sle=\"", metric->family->name, metric->labels,
             metric->labels[0] ? "," : "");
    add_number(out, bound);
    buf_adds(out, "\"} ");
    add_number(out, (double) count);
    buf_addc(out, '\n');
}

static void print_histogram(struct buf *out, const struct metric *metric)
{
    const struct metric_family *f = metric->family;
    uint64_t below = 0;

    for (size_t i = 0; i <= f->n_bounds; i++) {
        below += metric->buckets[i];
        add_bucket(out, metric, i < f->n_bounds ? f->bounds[i] : (double) INFINITY, below);
    }
    add_sample(out, metric, "_sum", metric->value);
    add_sample(out, metric, "_count", (double) metric->count);
}

static void print_family(struct buf *out, const struct metric_family *f)
{
    struct metric *metric;

    if (f->series.n == 0)
        return;
    buf_addf(out, "# HELP %s ", f->name);
    add_escaped(out, f->help, false);
    buf_addf(out, "\n# TYPE %s %s\n", f->name, type_names[f->type]);
    map_foreach (metric, &f->series, node) {
        if (f->type == FAMILY_HISTOGRAM)
            print_histogram(out, metric);
        else
            add_sample(out, metric, "", metric_value(metric));
    }
}

void metrics_print(struct metrics *m, struct buf *out)
{
    struct metric_family *f;
    struct update *u;

    list_foreach (u, &m->updates, link)
        u->update(u->arg);
    map_foreach (f, &m->families, node)
        print_family(out, f);
}
