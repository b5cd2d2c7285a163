/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: allocation that cannot fail, and owners that clean up after themselves.
 *
 * Running out of memory ends the process: all state is in the cluster, and a restarted process is a
 * better answer than a path that was never tried.  Whatever grows by input has a ceiling where it
 * grows, so this is not how an attacker ends us.
 *
 *     CLEANUP(thing_free) struct thing *t = thing_new();      freed when t leaves scope
 *     *ret_thing = TAKE(t);                                   handed on instead
 *
 * CLEANUP(f) needs DEFINE_CLEANUP(struct thing *, f) after f's declaration.
 */
#ifndef KHARON_BASE_ALLOC_H
#define KHARON_BASE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define CLEANUP(func) __attribute__((cleanup(func##_cleanup)))

#define DEFINE_CLEANUP(type, func)                                                                 \
    static inline void func##_cleanup(type *p)                                                     \
    {                                                                                              \
        if (*p)                                                                                    \
            func(*p);                                                                              \
    }                                                                                              \
    struct func##_needs_a_semicolon

/* The value of an owning variable, which owns nothing afterwards. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) _taken = (p);                                                                \
        (p) = NULL;                                                                                \
        _taken;                                                                                    \
    })

#define container_of(ptr, type, member)                                                            \
    ({                                                                                             \
        const __typeof__(((type *) 0)->member) *_member = (ptr);                                   \
        (type *) ((char *) (uintptr_t) _member - offsetof(type, member));                          \
    })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Zeroed memory. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));

/* NULL stays NULL. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len) __attribute__((returns_nonnull));
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *xvasprintf(const char *format, va_list args)
    __attribute__((format(printf, 1, 0), returns_nonnull));

#define NEW(type) ((type *) xcalloc(1, sizeof(type)))

DEFINE_CLEANUP(char *, free);

#endif
