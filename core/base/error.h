/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: a code that programs decide by and a text that people read.
 *
 * Functions that can fail return bool (true is success), take `struct error *err` last, never NULL,
 * and leave their outputs untouched on failure.  error_set returns false, so that failing is one
 * statement:
 *
 *     return error_set(err, ERROR_INVALID, "offset: %s is not a period", text);
 *
 * The text names the thing, the value and the limit.  Programming mistakes are asserts, not errors.
 */
#ifndef KHARON_BASE_ERROR_H
#define KHARON_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* What went wrong, as far as anybody decides by it: X(code, HTTP status, may work later, name) */
#define ERROR_CODES(X)                                                                             \
    X(ERROR_NONE, 200, false, "none")                                                              \
    X(ERROR_INVALID, 400, false, "invalid")           /* the input is wrong */                     \
    X(ERROR_UNAUTHORIZED, 401, false, "unauthorized") /* who are you? */                           \
    X(ERROR_FORBIDDEN, 403, false, "forbidden")       /* not you, not here, or no quota */         \
    X(ERROR_NOT_FOUND, 404, false, "not found")       /* proven absent */                          \
    X(ERROR_EXISTS, 409, false, "exists")             /* the name is taken */                      \
    X(ERROR_CONFLICT, 409, true, "conflict") /* decided from an old version: look again */         \
    X(ERROR_EXPIRED, 410, true, "expired")   /* that version is gone: list again */                \
    X(ERROR_TOO_LARGE, 413, false, "too large")                                                    \
    X(ERROR_THROTTLED, 429, true, "throttled")     /* later */                                     \
    X(ERROR_INTERNAL, 500, false, "internal")      /* said to be final by whoever answered */      \
    X(ERROR_UNAVAILABLE, 503, true, "unavailable") /* nothing was done */                          \
    X(ERROR_UNKNOWN, 504, true, "unknown outcome") /* it may or may not have been done */          \
    X(ERROR_FENCED, 503, true, "fenced")           /* not sent: the lease is not ours enough */

enum error_code {
#define X(code, status, again, name) code,
    ERROR_CODES(X)
#undef X
};

#define ERROR_TEXT_MAX 1024

struct error {
    enum error_code code;
    char text[ERROR_TEXT_MAX]; /* cut, at a character boundary, with "..." at the end */
};

/* Returns false. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text.  Returns false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

int error_http_status(enum error_code code);
bool error_is_retryable(enum error_code code);
const char *error_code_name(enum error_code code);

/* Shortens text[0..len) so that it ends at a UTF-8 character boundary; returns the new length. */
size_t utf8_cut(const char *text, size_t len);

#endif
