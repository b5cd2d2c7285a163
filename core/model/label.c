/* SPDX-License-Identifier: Apache-2.0 */
#include "model/label.h"

#include "base/buf.h"
#include "base/hash.h"

#include <string.h>

#define LABEL_MAX   63
#define HASH_DIGITS 7

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyz0123456789"

static bool is_alphanumeric(char c)
{
    return c && strchr(ALPHANUMERIC, c);
}

static bool is_inner(char c)
{
    return c == '_' || c == '-';
}

static bool is_label(const char *text)
{
    size_t len = strlen(text);

    if (len == 0)
        return true;
    return len <= LABEL_MAX && strspn(text, ALPHANUMERIC "_-") == len && is_alphanumeric(text[0]) &&
           is_alphanumeric(text[len - 1]);
}

/* What a label may hold of the text, in lower case, with room for the hash. */
static void add_readable(struct buf *label, const char *text)
{
    for (; *text && label->len < LABEL_MAX - HASH_DIGITS; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char) (*text - 'A' + 'a') : *text;

        /* Styx looks at the text's first character only, and makes an invalid label of `#_`. */
        if (is_inner(c) && label->len == 0)
            buf_addc(label, 'p');
        if (is_alphanumeric(c) || is_inner(c))
            buf_addc(label, c);
    }
}

char *label_normalise(const char *text)
{
    struct buf label = BUF_INIT;
    CLEANUP(free) char *prefixed = NULL;
    char hash[2 * SHA256_SIZE + 1];

    if (is_label(text))
        return xstrdup(text);
    prefixed = xasprintf("%s%s", is_inner(text[0]) ? "p" : "", text);
    sha256_hex(prefixed, strlen(prefixed), hash);
    add_readable(&label, prefixed);
    buf_add(&label, hash, HASH_DIGITS);
    return buf_take(&label);
}

bool label_check(const char *text, struct error *err)
{
    static const char ends[] = ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char inner[] = ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
    size_t len = strlen(text);

    if (len == 0 || (len <= LABEL_MAX && strspn(text, inner) == len && strchr(ends, text[0]) &&
                     strchr(ends, text[len - 1])))
        return true;
    return error_set(err, ERROR_INVALID,
                     "%s is not a label value: at most %d letters, digits, '-', '_' and '.', with "
                     "a letter or digit at both ends",
                     text, LABEL_MAX);
}
