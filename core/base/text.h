/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that may be absent. */
#ifndef KHARON_BASE_TEXT_H
#define KHARON_BASE_TEXT_H

#include <stdbool.h>
#include <string.h>

/* NULL equals NULL and nothing else. */
static inline bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

#endif
