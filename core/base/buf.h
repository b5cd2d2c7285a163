/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing buffer of bytes that is also a C string.
 *
 *     struct buf b = BUF_INIT;
 *     buf_addf(&b, "%s: ", name);
 *     buf_add_json(&b, value);           "…", escaped
 *     free(buf_take(&b));                 or buf_done(&b)
 *
 * `data` is NUL-terminated whenever it is not NULL; `len` does not count the NUL.  buf_text never
 * returns NULL.  Zero-initialised is empty.
 */
#ifndef KHARON_BASE_BUF_H
#define KHARON_BASE_BUF_H

#include "base/alloc.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len, cap;
};

/* clang-format off */
#define BUF_INIT {0}
/* clang-format on */

void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool utf8_valid(const char *s);
/* s with U+FFFD for each byte that is not UTF-8. */
void buf_add_utf8(struct buf *b, const char *s);

/* A JSON string with its quotes, valid whatever s is; NULL is null. */
void buf_add_json(struct buf *b, const char *s);

void buf_remove_front(struct buf *b, size_t n);
const char *buf_text(const struct buf *b);
char *buf_take(struct buf *b) __attribute__((returns_nonnull)); /* empties b; the caller frees */

static inline void buf_addc(struct buf *b, char c)
{
    if (b->len + 2 > b->cap)
        buf_reserve(b, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

static inline void buf_done_cleanup(struct buf *b)
{
    buf_done(b);
}

#endif
