/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzers: one for each parser of foreign bytes, stating properties that hold for all of them.
 *
 * fuzz_<name>.c defines LLVMFuzzerTestOneInput and uses FUZZ_CHECK.  It is built twice:
 *
 *  - with replay.c, as an ordinary test that runs each file of corpus/<name>;
 *  - by clang with -DKHARON_FUZZ=ON, as a libFuzzer program: fuzz_<name> -max_total_time=60
 *    NEW_CORPUS tests/fuzz/corpus/<name>.  What it finds goes into the corpus, under a name that
 *    says what it was.
 */
#ifndef KHARON_FUZZ_H
#define KHARON_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
