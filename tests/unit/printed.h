/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Printed metrics, for tables of tests: that a family has this type, and a series of it this value.
 *
 *     static const struct printed rows[] = {
 *         {__LINE__, "counter", "calls_total", "{code=\"200\"}", 3},
 *         {__LINE__, "histogram", "delay_seconds", "_count", ANY},
 *     };
 *     CHECK_PRINTED(metrics, rows);
 */
#ifndef KHARON_TEST_PRINTED_H
#define KHARON_TEST_PRINTED_H

#include "base/metrics.h"
#include "test.h"

#define ANY (-1) /* a number, none below zero */

struct printed {
    int line;
    const char *type, *family, *series; /* what follows the family's name */
    double value;
};

/* What follows `start` at the beginning of a line; NULL: no line begins so. */
TEST_UNUSED static const char *printed_after(const char *page, const char *start)
{
    size_t len = strlen(start);

    for (const char *line = page; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, start, len) == 0)
            return line + len;
    return NULL;
}

TEST_UNUSED static void check_printed(const char *page, const struct printed *row)
{
    CLEANUP(free) char *help = xasprintf("# HELP %s ", row->family);
    CLEANUP(free) char *type = xasprintf("# TYPE %s %s\n", row->family, row->type);
    CLEANUP(free) char *series = xasprintf("%s%s ", row->family, row->series);
    const char *text = printed_after(page, series);
    char *end;

    if (!printed_after(page, help) || !printed_after(page, type) || !text)
        test_fail_at(__FILE__, row->line, "no %s %s%s in\n%s", row->type, row->family, row->series,
                     page);
    double value = strtod(text, &end);
    CHECK_AT(row->line, *end == '\n');
    if (row->value == ANY ? !(value >= 0) : value != row->value)
        test_fail_at(__FILE__, row->line, "%s%s is %g, want %g", row->family, row->series, value,
                     row->value);
}

#define CHECK_PRINTED(metrics, rows)                                                               \
    do {                                                                                           \
        struct buf page_ = BUF_INIT;                                                               \
        metrics_print(metrics, &page_);                                                            \
        for (size_t i_ = 0; i_ < ARRAY_SIZE(rows); i_++)                                           \
            check_printed(page_.data, &(rows)[i_]);                                                \
        buf_done(&page_);                                                                          \
    } while (0)

#endif
