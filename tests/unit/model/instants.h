/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instants as texts, for tables of tests.  A dash stands for "there is none".
 */
#ifndef KHARON_TEST_INSTANTS_H
#define KHARON_TEST_INSTANTS_H

#include "model/time.h"
#include "test.h"

#define NONE "-"

TEST_UNUSED static instant instant_at(int line, const char *text)
{
    instant t = 0;
    struct error err;

    CHECK_OK_AT(line, instant_parse(text, &t, &err), &err);
    return t;
}

#define AT(text) instant_at(__LINE__, text)

#define CHECK_INSTANT_AT(line, got, want) check_instant(line, #got, got, want)
#define CHECK_INSTANT(got, want)          CHECK_INSTANT_AT(__LINE__, got, want)

TEST_UNUSED static void check_instant(int line, const char *what, instant got, const char *want)
{
    char a[INSTANT_TEXT_MAX], b[INSTANT_TEXT_MAX];

    test_str(__FILE__, line, what, instant_print(got, a), instant_print(instant_at(line, want), b));
}

#endif
