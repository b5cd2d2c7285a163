/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int http_status;
    bool again;
    const char *name;
} traits[] = {
#define X(code, status, again, name) [code] = {status, again, name},
    ERROR_CODES(X)
#undef X
};

size_t utf8_cut(const char *text, size_t len)
{
    size_t start = len;

    while (start > 0 && len - start < 4 && ((unsigned char) text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0 || (unsigned char) text[start - 1] < 0xC0)
        return len;
    unsigned char lead = (unsigned char) text[start - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    return len - (start - 1) >= want ? len : start - 1;
}

static void cut(char *text, size_t size)
{
    size_t len = utf8_cut(text, size - sizeof("..."));

    memcpy(text + len, "...", sizeof("..."));
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    char text[ERROR_TEXT_MAX]; /* the arguments may point into err->text */
    va_list args;

    assert(code != ERROR_NONE);
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n >= (int) sizeof(text))
        cut(text, sizeof(text));
    err->code = code;
    memcpy(err->text, text, sizeof(text));
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    CLEANUP(free) char *prefix = NULL;
    va_list args;

    va_start(args, format);
    prefix = xvasprintf(format, args);
    va_end(args);
    return error_set(err, err->code, "%s: %s", prefix, err->text);
}

int error_http_status(enum error_code code)
{
    return traits[code].http_status;
}

bool error_is_retryable(enum error_code code)
{
    return traits[code].again;
}

const char *error_code_name(enum error_code code)
{
    return traits[code].name;
}
