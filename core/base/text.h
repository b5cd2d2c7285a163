/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that may be absent. */
#ifndef KHARON_BASE_TEXT_H
#define KHARON_BASE_TEXT_H

#include "base/alloc.h"

#include <stdbool.h>
#include <string.h>

/* NULL equals NULL and nothing else. */
static inline bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* "a/b", if `between` is '/'; NULL is an empty text.  The caller frees. */
static inline char *text_join(const char *a, char between, const char *b)
{
    size_t m = a ? strlen(a) : 0, n = b ? strlen(b) : 0;
    char *text = xrealloc(NULL, m + n + 2, 1);

    if (m)
        memcpy(text, a, m);
    text[m] = between;
    if (n)
        memcpy(text + m + 1, b, n);
    text[m + 1 + n] = '\0';
    return text;
}

#endif
