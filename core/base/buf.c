/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf) BUF_INIT;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->len + more + 1;

    if (need <= b->cap)
        return;
    b->cap = need > 2 * b->cap ? need : 2 * b->cap;
    if (b->cap < 64)
        b->cap = 64;
    b->data = xrealloc(b->data, b->cap, 1);
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    buf_reserve(b, len);
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;

    buf_reserve(b, 32);
    size_t room = b->cap - b->len;
    va_start(args, format);
    int len = vsnprintf(b->data + b->len, room, format, args);
    va_end(args);
    assert(len >= 0);
    if ((size_t) len >= room) {
        buf_reserve(b, (size_t) len);
        va_start(args, format);
        vsnprintf(b->data + b->len, (size_t) len + 1, format, args);
        va_end(args);
    }
    b->len += (size_t) len;
}

/* The length of a well-formed UTF-8 sequence at s (Unicode, table 3-7), 0 if there is none. */
static size_t sequence(const unsigned char *s)
{
    size_t n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

#define REPLACEMENT "\xEF\xBF\xBD"

bool utf8_valid(const char *s)
{
    for (size_t n; *s; s += n) {
        n = sequence((const unsigned char *) s);
        if (n == 0)
            return false;
    }
    return true;
}

void buf_add_utf8(struct buf *b, const char *s)
{
    while (*s) {
        size_t n = sequence((const unsigned char *) s);

        if (n)
            buf_add(b, s, n);
        else
            buf_adds(b, REPLACEMENT);
        s += n ? n : 1;
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static void add_control(struct buf *b, unsigned char c)
{
    static const char named[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                 ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\'};

    if (c < sizeof(named) && named[c])
        buf_addf(b, "\\%c", named[c]);
    else
        buf_addf(b, "\\u%04x", c);
}

/* Adds what can be added in one go and returns how much of s that was; s is not empty. */
static size_t add_escaped(struct buf *b, const unsigned char *s)
{
    size_t n = 0;

    while (is_plain(s[n]))
        n++;
    if (n == 0 && s[0] < 0x80) {
        add_control(b, s[0]);
        return 1;
    }
    if (n == 0)
        n = sequence(s);
    if (n == 0) {
        buf_adds(b, REPLACEMENT);
        return 1;
    }
    buf_add(b, s, n);
    return n;
}

void buf_add_json(struct buf *b, const char *s)
{
    if (!s) {
        buf_adds(b, "null");
        return;
    }
    buf_addc(b, '"');
    while (*s)
        s += add_escaped(b, (const unsigned char *) s);
    buf_addc(b, '"');
}

void buf_remove_front(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *data = b->data ? b->data : xstrndup("", 0);

    *b = (struct buf) BUF_INIT;
    return data;
}
