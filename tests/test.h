/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests: a thin header over cmocka.
 *
 * A test program is one file that includes this header and contains tests; they register
 * themselves and run in the order in which they are written.  main is here.
 *
 *     #define NEXT(spec, after, want) check_next(__LINE__, spec, after, want)
 *
 *     static void check_next(int line, const char *spec, const char *after, const char *want)
 *     {
 *         ...
 *         CHECK_STR_AT(line, got, want);              a failing row names its own line
 *     }
 *
 *     TEST(schedule_next)
 *     {
 *         NEXT("hourly", "2026-01-01T10:15Z", "2026-01-01T11:00Z");
 *     }
 *
 * A failed check prints where, what it got and what it wanted, and ends its test; the next test
 * runs.  A check in a callback of the code under test leaves that code by longjmp: fine, since the
 * test ends there, but leak reports that follow it are noise.
 *
 * Environment:
 *     TEST_FILTER   a shell pattern over test names (TEST_FILTER='schedule_*'); a word without
 *                   wildcards finds names that contain it.  Matching nothing is a failure.
 *     TEST_SEED     what test_seed returns: a number, or "random", which prints what it chose.
 */
#ifndef KHARON_TEST_H
#define KHARON_TEST_H

#include "base/error.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Short words that the code under test may want for itself. */
#undef fail
#undef mock
#undef skip

#define TEST_UNUSED __attribute__((unused))

#define TEST_MAX 500

static struct CMUnitTest test_all[TEST_MAX];
static size_t test_count;

TEST_UNUSED static void test_register(const char *name, CMUnitTestFunction function)
{
    if (test_count == TEST_MAX)
        abort();
    test_all[test_count++] = (struct CMUnitTest) {.name = name, .test_func = function};
}

/* TEST(name) { ... } */
#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    static void test_run_##name(void **state)                                                      \
    {                                                                                              \
        (void) state;                                                                              \
        test_##name();                                                                             \
    }                                                                                              \
    __attribute__((constructor)) static void test_register_##name(void)                            \
    {                                                                                              \
        test_register(#name, test_run_##name);                                                     \
    }                                                                                              \
    static void test_##name(void)

/* Ends the current test.  Use TEST_FAIL. */
__attribute__((format(printf, 3, 4), noreturn)) TEST_UNUSED static void
test_fail_at(const char *file, int line, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: ", file, line); /* print_error would cut it */
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _fail(file, line);
    abort();
}

#define TEST_FAIL(...) test_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/* For the rows of a table: the line of the row is told, not that of the check. */
#define CHECK_AT(line, condition)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail_at(__FILE__, (line), "not true: %s", #condition);                            \
    } while (0)

#define CHECK_INT_AT(line, got, want)                                                              \
    test_int(__FILE__, (line), #got, (int64_t) (got), (int64_t) (want))

/* NULL equals NULL only. */
#define CHECK_STR_AT(line, got, want) test_str(__FILE__, (line), #got, (got), (want))

/* The text `got` contains `part`. */
#define CHECK_HAS_AT(line, got, part) test_has(__FILE__, (line), #got, (got), (part))

#define CHECK_BYTES_AT(line, got, got_len, want, want_len)                                         \
    test_bytes(__FILE__, (line), #got, (got), (got_len), (want), (want_len))

/* `expr` is a call that takes `err` and has to succeed; on failure err's text is told. */
#define CHECK_OK_AT(line, expr, err)                                                               \
    do {                                                                                           \
        if (!(expr))                                                                               \
            test_fail_at(__FILE__, (line), "%s failed: %s", #expr, (err)->text);                   \
    } while (0)

/* `expr` has to fail with this code. */
#define CHECK_ERROR_AT(line, expr, err, want)                                                      \
    do {                                                                                           \
        if (expr)                                                                                  \
            test_fail_at(__FILE__, (line), "%s succeeded", #expr);                                 \
        if ((err)->code != (want))                                                                 \
            test_fail_at(__FILE__, (line), "%s: error is \"%s\" (%s), want \"%s\"", #expr,         \
                         error_code_name((err)->code), (err)->text, error_code_name(want));        \
    } while (0)

#define CHECK(condition)     CHECK_AT(__LINE__, condition)
#define CHECK_INT(got, want) CHECK_INT_AT(__LINE__, got, want)
#define CHECK_STR(got, want) CHECK_STR_AT(__LINE__, got, want)
#define CHECK_HAS(got, part) CHECK_HAS_AT(__LINE__, got, part)
#define CHECK_BYTES(got, got_len, want, want_len)                                                  \
    CHECK_BYTES_AT(__LINE__, got, got_len, want, want_len)
#define CHECK_OK(expr, err)          CHECK_OK_AT(__LINE__, expr, err)
#define CHECK_ERROR(expr, err, want) CHECK_ERROR_AT(__LINE__, expr, err, want)

TEST_UNUSED static void test_int(const char *file, int line, const char *what, int64_t got,
                                 int64_t want)
{
    if (got != want)
        test_fail_at(file, line, "%s is %" PRId64 ", want %" PRId64, what, got, want);
}

TEST_UNUSED static void test_str(const char *file, int line, const char *what, const char *got,
                                 const char *want)
{
    if (got == want || (got && want && strcmp(got, want) == 0))
        return;
    test_fail_at(file, line, "%s\n     is %s%s%s\n   want %s%s%s", what, got ? "\"" : "",
                 got ? got : "NULL", got ? "\"" : "", want ? "\"" : "", want ? want : "NULL",
                 want ? "\"" : "");
}

TEST_UNUSED static void test_has(const char *file, int line, const char *what, const char *got,
                                 const char *part)
{
    if (!got || !strstr(got, part))
        test_fail_at(file, line, "%s\n     is %s\nwithout %s", what, got ? got : "NULL", part);
}

TEST_UNUSED static void test_bytes(const char *file, int line, const char *what, const void *got,
                                   size_t got_len, const void *want, size_t want_len)
{
    size_t i = 0;

    while (i < got_len && i < want_len && ((const char *) got)[i] == ((const char *) want)[i])
        i++;
    if (got_len != want_len || i < got_len)
        test_fail_at(file, line, "%s: %zu bytes, want %zu; the first difference is at %zu", what,
                     got_len, want_len, i);
}

/* The seed of this run's random tests.  Fixed unless told, so that a failure repeats. */
TEST_UNUSED static uint64_t test_seed(void)
{
    static uint64_t chosen;
    const char *text = getenv("TEST_SEED");

    if (chosen)
        return chosen;
    if (!text || !*text)
        chosen = 20260101;
    else if (strcmp(text, "random") == 0)
        chosen = (uint64_t) time(NULL) * 1000003u + (uint64_t) clock();
    else
        chosen = strtoull(text, NULL, 10);
    if (text && *text)
        print_message("TEST_SEED=%" PRIu64 "\n", chosen);
    return chosen;
}

static bool test_selected(const char *name, const char *filter)
{
    if (!filter || !*filter)
        return true;
    if (!strpbrk(filter, "*?["))
        return strstr(name, filter) != NULL;
    return fnmatch(filter, name, 0) == 0;
}

int main(void)
{
    static struct CMUnitTest chosen[TEST_MAX];
    const char *filter = getenv("TEST_FILTER");
    size_t n = 0;

    for (size_t i = 0; i < test_count; i++)
        if (test_selected(test_all[i].name, filter))
            chosen[n++] = test_all[i];
    if (n == 0) {
        fprintf(stderr, "no test matches TEST_FILTER=%s\n", filter ? filter : "");
        return 1;
    }
    return _cmocka_run_group_tests("tests", chosen, n, NULL, NULL);
}

#endif
