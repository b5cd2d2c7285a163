/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of model/image.h, for any text: it accepts what the rules of the specification (Styx
 * behaviour, 5.3), taken one by one, accept; the reason names the part; what a pod runs of an image
 * that is accepted is accepted, too, and has a tag or a digest.
 */
#include "model/image.h"

#include "fuzz.h"

#include <ctype.h>

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_alpha(c) || is_digit(c) || c == '_';
}

static bool is_tag(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_word(p[i]) && (i == 0 || (p[i] != '.' && p[i] != '-')))
            return false;
    return len >= 1 && len <= 128;
}

static bool is_hex(const char *p, size_t len, bool capitals)
{
    for (size_t i = 0; i < len; i++)
        if (!is_digit(p[i]) && !(p[i] >= 'a' && p[i] <= 'f') &&
            !(capitals && p[i] >= 'A' && p[i] <= 'F'))
            return false;
    return true;
}

/* Letters begin each part; one separator stands between two. */
static bool is_algorithm(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool begins = i == 0 || strchr("-_+.", p[i - 1]);

        if (begins ? !is_alpha(p[i]) : !is_alpha(p[i]) && !is_digit(p[i]) && !strchr("-_+.", p[i]))
            return false;
    }
    return len > 0 && !strchr("-_+.", p[len - 1]);
}

static bool is_digest(const char *p)
{
    const char *colon = strchr(p, ':');
    size_t n = colon ? strlen(colon + 1) : 0;

    if (!colon || !is_algorithm(p, (size_t) (colon - p)))
        return false;
    if (strncmp(p, "sha256:", 7) == 0)
        return n == 64 && is_hex(colon + 1, n, false);
    return n >= 32 && is_hex(colon + 1, n, true);
}

static bool is_address(const char *p, size_t len)
{
    size_t dots = 0, digits = 0;

    for (size_t i = 0; i < len; i++) {
        if (p[i] == '.' ? digits == 0 : !is_digit(p[i]) || digits == 3)
            return false;
        dots += p[i] == '.';
        digits = p[i] == '.' ? 0 : digits + 1;
    }
    return dots == 3 && digits > 0;
}

static bool is_domain(const char *p, size_t len)
{
    bool only_digits = true;

    for (size_t i = 0; i < len; i++) {
        char before = i ? p[i - 1] : '.', after = i + 1 < len ? p[i + 1] : '.';

        only_digits = only_digits && (is_digit(p[i]) || p[i] == '.');
        if (p[i] == '.' && before == '.')
            return false;
        if (p[i] == '-' && (before == '.' || after == '.'))
            return false;
        if (p[i] != '.' && p[i] != '-' && !is_alpha(p[i]) && !is_digit(p[i]))
            return false;
    }
    return len > 0 && !only_digits;
}

static bool is_port(const char *p, size_t len)
{
    long port = 0;

    for (size_t i = 0; i < len; i++) {
        if (!is_digit(p[i]))
            return false;
        port = port > 65535 ? port : port * 10 + (p[i] - '0');
    }
    return len > 0 && port <= 65535;
}

static bool is_registry(const char *p, size_t len)
{
    const char *colon = memchr(p, ':', len);
    size_t host = colon ? (size_t) (colon - p) : len;

    return (is_address(p, host) || is_domain(p, host)) &&
           (!colon || is_port(colon + 1, len - host - 1));
}

static bool is_name(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool plain = (p[i] >= 'a' && p[i] <= 'z') || is_digit(p[i]) || strchr("._-", p[i]);

        if (p[i] == '/' ? i == 0 || p[i - 1] == '/' : !plain)
            return false;
    }
    return len > 0 && len <= 255 && p[len - 1] != '/';
}

static bool is_repository(const char *p, size_t len)
{
    const char *slash = memchr(p, '/', len);
    size_t first = slash ? (size_t) (slash - p) : len;
    bool registry = memchr(p, '.', first) || memchr(p, ':', first) ||
                    (first == 9 && memcmp(p, "localhost", 9) == 0);

    if (memmem(p, len, "://", 3))
        return false;
    if (!registry)
        return is_name(p, len);
    return first + 1 < len && is_registry(p, first) && is_name(slash + 1, len - first - 1);
}

static bool naive_image(const char *text)
{
    const char *at = strrchr(text, '@'), *end = at ? at : text + strlen(text);
    const char *colon = memrchr(text, ':', (size_t) (end - text));

    if (at && !is_digest(at + 1))
        return false;
    if (colon && memchr(colon, '/', (size_t) (end - colon)))
        colon = NULL;
    if (colon && !is_tag(colon + 1, (size_t) (end - colon - 1)))
        return false;
    return is_repository(text, (size_t) ((colon ? colon : end) - text));
}

static void check_run(const char *text)
{
    CLEANUP(free) char *run = image_with_tag(text);
    struct error err = {0};

    FUZZ_CHECK(strchr(run, ':') && image_check(run, &err));
    FUZZ_CHECK(strncmp(run, text, strlen(text)) == 0);
}

static void check_reason(const struct error *err, const char *text)
{
    FUZZ_CHECK(err->code == ERROR_INVALID);
    FUZZ_CHECK(strstr(err->text, "Tag") || strstr(err->text, "tag") || strstr(err->text, "igest") ||
               strstr(err->text, "name") || strstr(err->text, "port"));
    fuzz_check_error(err, text);
}

/* STYX-CFG-03 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct error err = {0};
    char *text;

    fuzz_lines(data, len, &text, 1);
    bool accepted = image_check(text, &err);
    FUZZ_CHECK(accepted == naive_image(text));
    if (accepted)
        check_run(text);
    else
        check_reason(&err, text);
    fuzz_lines_done(&text, 1);
    return 0;
}
