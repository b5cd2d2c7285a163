/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validate.h"

#include "base/buf.h"
#include "base/hash.h"

#include <ctype.h>
#include <string.h>

#define HASH_DIGITS 20
#define SLUG_MAX    (LIMIT_OBJECT_NAME - 1 - HASH_DIGITS)

char *instance_name(const char *workflow, const char *parameter)
{
    char *name = xasprintf("%s.%s", workflow, parameter);

    for (char *c = name; *c; c++)
        *c = *c == ':' ? '-' : (char) tolower((unsigned char) *c);
    return name;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Parts of lower-case letters, digits and inner '-', joined by dots (RFC 1123, as Kubernetes reads
 * it). */
static bool is_object_name(const char *text)
{
    char before = '.';

    for (const char *c = text; *c; before = *c++) {
        if (!is_alphanumeric(*c) && *c != '-' && *c != '.')
            return false;
        if ((*c == '.' && !is_alphanumeric(before)) || (*c == '-' && before == '.'))
            return false;
    }
    return is_alphanumeric(before);
}

/* Every run of other characters becomes one '-'; none at the ends.  There is no dot in it, and so
 * what is made of it is never the plain name of another pair. */
static char *slug(const char *text)
{
    struct buf b = BUF_INIT;

    for (const char *c = text; *c && b.len < SLUG_MAX; c++) {
        char lower = (char) tolower((unsigned char) *c);

        if (is_alphanumeric(lower))
            buf_addc(&b, lower);
        else if (b.len && b.data[b.len - 1] != '-')
            buf_addc(&b, '-');
    }
    while (b.len && b.data[b.len - 1] == '-')
        b.data[--b.len] = '\0';
    return buf_take(&b);
}

char *workflow_object_name(const char *component, const char *id)
{
    CLEANUP(free) char *plain = xasprintf("%s.%s", component, id);
    char digits[2 * SHA256_SIZE + 1];

    if (is_object_name(plain) && !strchr(component, '.') && strlen(plain) <= LIMIT_OBJECT_NAME)
        return TAKE(plain);
    CLEANUP(free) char *readable = slug(plain);
    CLEANUP(free) char *pair = xasprintf("%s#%s", component, id); /* a component has no '#' */
    sha256_hex(pair, strlen(pair), digits);
    return xasprintf("%s%s%.*s", readable, *readable ? "-" : "", HASH_DIGITS, digits);
}
