/* SPDX-License-Identifier: Apache-2.0 */
#include "model/image.h"

#include "base/alloc.h"

#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define WORD   LOWER UPPER DIGITS "_"

#define TAG_MAX         128
#define NAME_MAX_LENGTH 255
#define PORT_MAX        65535
#define DIGEST_MIN      32
#define SHA256_DIGITS   64

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool consists_of(const char *text, const char *set)
{
    return text[strspn(text, set)] == '\0';
}

static bool check_tag(const char *tag, struct error *err)
{
    if (!*tag)
        return error_set(err, ERROR_INVALID, "Tag cannot be empty");
    if (!is_one_of(*tag, WORD) || !consists_of(tag, WORD ".-") || strlen(tag) > TAG_MAX)
        return error_set(err, ERROR_INVALID,
                         "Illegal tag: \"%s\", must match [A-Za-z0-9_][A-Za-z0-9_.-]{0,%d}", tag,
                         TAG_MAX - 1);
    return true;
}

/* Parts that begin with a letter, joined by single separators; returns what follows, or NULL. */
static const char *skip_algorithm(const char *p)
{
    for (;;) {
        if (!is_one_of(*p, LOWER UPPER))
            return NULL;
        p += strspn(p, LOWER UPPER DIGITS);
        if (!is_one_of(*p, "-_+."))
            return p;
        p++;
    }
}

static bool is_digest(const char *digest)
{
    const char *colon = skip_algorithm(digest);

    if (!colon || *colon != ':')
        return false;
    const char *hex = colon + 1;
    if (strncmp(digest, "sha256:", strlen("sha256:")) == 0)
        return strlen(hex) == SHA256_DIGITS && consists_of(hex, DIGITS "abcdef");
    return strlen(hex) >= DIGEST_MIN && consists_of(hex, DIGITS "abcdefABCDEF");
}

static bool check_digest(const char *digest, struct error *err)
{
    if (!*digest)
        return error_set(err, ERROR_INVALID, "Digest cannot be empty");
    if (!is_digest(digest))
        return error_set(err, ERROR_INVALID, "Illegal digest: \"%s\"", digest);
    return true;
}

/* Four groups of one to three digits. */
static bool is_ipv4(const char *host)
{
    for (int i = 0; i < 4; i++) {
        size_t n = strspn(host, DIGITS);
        if (n < 1 || n > 3)
            return false;
        host += n;
        if (i < 3 && *host++ != '.')
            return false;
    }
    return !*host;
}

/* Labels of letters, digits and inner hyphens; one dot may follow; not only digits and dots. */
static bool is_domain(const char *host)
{
    if (consists_of(host, DIGITS "."))
        return false;
    while (*host) {
        size_t n = strspn(host, LOWER UPPER DIGITS "-");
        if (n == 0 || host[0] == '-' || host[n - 1] == '-')
            return false;
        host += n;
        if (*host && *host++ != '.')
            return false;
    }
    return true;
}

static bool is_port(const char *port)
{
    size_t n = strspn(port, DIGITS);

    return n > 0 && !port[n] && strspn(port, "0") + 5 >= n && strtol(port, NULL, 10) <= PORT_MAX;
}

/* host[:port]; cuts it up. */
static bool check_endpoint(char *endpoint, struct error *err)
{
    char *colon = strchr(endpoint, ':');

    if (colon && !is_port(colon + 1))
        return error_set(err, ERROR_INVALID, "Invalid port in endpoint: \"%s\"", endpoint);
    if (colon)
        *colon = '\0';
    if (!is_ipv4(endpoint) && !is_domain(endpoint))
        return error_set(err, ERROR_INVALID, "Invalid domain name: \"%s\"", endpoint);
    return true;
}

/* The path without a registry. */
static bool check_name(const char *name, const char *image, struct error *err)
{
    const char *p = name;

    for (;;) {
        size_t n = strspn(p, LOWER DIGITS "._-");
        if (n == 0 || (p[n] && p[n] != '/'))
            return error_set(err, ERROR_INVALID,
                             "Invalid image name (%s), only [a-z0-9._-] is allowed between slashes",
                             image);
        if (!p[n])
            break;
        p += n + 1;
    }
    if (strlen(name) > NAME_MAX_LENGTH)
        return error_set(err, ERROR_INVALID,
                         "Invalid image name (%s), repository name cannot be larger than "
                         "%d characters",
                         image, NAME_MAX_LENGTH);
    return true;
}

static bool is_registry(const char *segment)
{
    return strpbrk(segment, ".:") || strcmp(segment, "localhost") == 0;
}

/* What is left of the image without tag and digest; cuts it up. */
static bool check_repository(char *repository, const char *image, struct error *err)
{
    char *slash = strchr(repository, '/');
    bool scheme = strstr(repository, "://") != NULL;

    if (slash)
        *slash = '\0';
    bool registry = is_registry(repository);
    if (scheme || (registry && (!slash || !slash[1])))
        return error_set(err, ERROR_INVALID,
                         "Invalid repository name (ex: \"registry.domain.tld/myrepos\")");
    if (registry)
        return check_endpoint(repository, err) && check_name(slash + 1, image, err);
    if (slash)
        *slash = '/';
    return check_name(repository, image, err);
}

bool image_check(const char *image, struct error *err)
{
    CLEANUP(free) char *rest = xstrdup(image);
    char *at = strrchr(rest, '@');

    if (at)
        *at = '\0';
    char *colon = strrchr(rest, ':');
    if (colon && strchr(colon, '/'))
        colon = NULL; /* that of a registry's port */
    if (colon)
        *colon = '\0';
    return (!colon || check_tag(colon + 1, err)) && (!at || check_digest(at + 1, err)) &&
           check_repository(rest, image, err);
}

char *image_with_tag(const char *image)
{
    return xasprintf("%s%s", image, strchr(image, ':') ? "" : ":latest");
}
