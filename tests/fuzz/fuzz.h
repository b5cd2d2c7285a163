/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzers: one for each parser of foreign bytes, stating properties that hold for all of them.
 *
 * fuzz_<name>.c defines LLVMFuzzerTestOneInput and uses FUZZ_CHECK.  It is built twice:
 *
 *  - with replay.c, as an ordinary test that runs each file of corpus/<name>;
 *  - by clang with -DKHARON_FUZZ=ON, as a libFuzzer program; tests/fuzz/run does that, and runs
 *    them.  What it finds goes into the corpus, under a name that says what it was.
 *
 * A parser is held against a small second one, written another way, where its grammar allows that;
 * else against its inverse.  Those of texts take their inputs as lines (fuzz_lines), so that a
 * corpus can be read and written by people.
 */
#ifndef KHARON_FUZZ_H
#define KHARON_FUZZ_H

#include "base/buf.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_UNUSED __attribute__((unused))

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The first n lines of the input, "" if there are fewer, and in the last one all that is left: each
 * a text of its own, without NUL, of its exact size.  Freed by fuzz_lines_done. */
FUZZ_UNUSED static void fuzz_lines(const uint8_t *data, size_t len, char *lines[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *end = i + 1 < n ? memchr(data, '\n', len) : NULL;
        size_t line = end ? (size_t) (end - data) : len;

        lines[i] = xstrndup((const char *) data, line);
        line += end != NULL;
        data += line;
        len -= line;
    }
}

FUZZ_UNUSED static void fuzz_lines_done(char *lines[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(lines[i]);
}

/* A reason that can be shown: there is one, and it is UTF-8 if what was read is. */
FUZZ_UNUSED static void fuzz_check_error(const struct error *err, const char *input)
{
    FUZZ_CHECK(err->code != ERROR_NONE && *err->text);
    FUZZ_CHECK(strlen(err->text) < ERROR_TEXT_MAX);
    FUZZ_CHECK(utf8_valid(err->text) || !utf8_valid(input));
}

#endif
