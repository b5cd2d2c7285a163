/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of request_init, for any target of a request:
 *
 *  - a second decoder, which works on pieces instead of in place, accepts the same and comes to the
 *    same segments and parameters; each escape is decoded once;
 *  - all of it is UTF-8 without NUL; what is refused has a reason, and can be answered and freed.
 */
#include "apiserver/request.h"

#include "fuzz.h"

#include <ctype.h>
#include <strings.h>

#define PIECES_MAX 4096

/* False: an escape is wrong, or the result is no text. */
static bool decode(const char *text, size_t len, bool plus, struct buf *out)
{
    unsigned value;

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            buf_addc(out, plus && text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        if (len - i < 3 || !isxdigit((unsigned char) text[i + 1]) ||
            !isxdigit((unsigned char) text[i + 2]) || sscanf(text + i + 1, "%2x", &value) != 1)
            return false;
        if (value == 0)
            return false;
        buf_addc(out, (char) value);
        i += 2;
    }
    return utf8_valid(buf_text(out));
}

static bool check_piece(const char *text, size_t len, bool plus, const char *got)
{
    __attribute__((cleanup(buf_done_cleanup))) struct buf out = BUF_INIT;

    if (!decode(text, len, plus, &out))
        return false;
    FUZZ_CHECK(!got || strcmp(buf_text(&out), got) == 0);
    return true;
}

/* False: a segment is wrong.  `req` NULL: whether they are right is all that is asked. */
static bool check_path(const char *path, size_t len, const struct request *req)
{
    size_t n = 0;
    const char *end = path + len;

    for (const char *p = path + 1; p <= end && (p < end || n == 0); n++) {
        const char *slash = memchr(p, '/', (size_t) (end - p));
        size_t piece = (size_t) ((slash ? slash : end) - p);

        if (piece == 0 && n == 0 && (!slash || slash + 1 == end)) {
            FUZZ_CHECK(!req ||
                       req->n_segments == 0); /* the root, however many slashes it ends in */
            return true;
        }
        FUZZ_CHECK(!req || n < req->n_segments);
        if (!check_piece(p, piece, false, req ? req->segments[n] : NULL))
            return false;
        p += piece + 1;
    }
    FUZZ_CHECK(!req || req->n_segments == n);
    return true;
}

static bool check_query(const char *query, size_t len, const struct request *req)
{
    const char *end = query + len;
    size_t n = 0;

    for (const char *p = query; p <= end;) {
        const char *amp = memchr(p, '&', (size_t) (end - p)), *stop = amp ? amp : end;
        const char *sign = memchr(p, '=', (size_t) (stop - p)), *name_end = sign ? sign : stop;
        bool named = name_end > p;
        const struct request_pair *pair = req && named ? &req->query[n] : NULL;

        FUZZ_CHECK(!pair || n < req->n_query);
        if (!check_piece(p, (size_t) (name_end - p), true, pair ? pair->name : NULL))
            return false;
        if (sign &&
            !check_piece(sign + 1, (size_t) (stop - sign - 1), true, pair ? pair->value : NULL))
            return false;
        FUZZ_CHECK(!pair || sign || !*pair->value);
        n += named;
        p = stop + 1;
    }
    FUZZ_CHECK(!req || req->n_query == n);
    return true;
}

/* What follows "http://host", which is a path or nothing or, without a path, a query. */
static const char *after_origin(const char *target)
{
    bool tls = strncasecmp(target, "https:", 6) == 0;

    if (!tls && strncasecmp(target, "http:", 5) != 0)
        return NULL;
    const char *host = target + (tls ? 6 : 5);
    return strncmp(host, "//", 2) == 0 ? host + 2 + strcspn(host + 2, "/?#") : NULL;
}

static bool naive_target(const char *target, const struct request *req)
{
    const char *rest = after_origin(target);

    if (rest && *rest != '/')
        return check_path("/", 1, req) &&
               (*rest != '?' || check_query(rest + 1, strcspn(rest + 1, "#"), req));
    target = rest ? rest : target;
    size_t len = strcspn(target, "#");
    const char *mark = memchr(target, '?', len);
    size_t path = mark ? (size_t) (mark - target) : len;

    if (*target != '/')
        return false;
    if (!check_path(target, path, req))
        return false;
    return !mark || check_query(mark + 1, len - path - 1, req);
}

/* STYX-HTTP-02 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct error err = {0};
    char *target;

    fuzz_lines(data, len, &target, 1);
    struct request req = {.method = "GET", .target = target};
    if (request_init(&req, &err)) {
        FUZZ_CHECK(naive_target(target, &req));
    } else {
        FUZZ_CHECK(!naive_target(target, NULL) && err.code == ERROR_INVALID);
        FUZZ_CHECK(*err.text && utf8_valid(err.text));
    }
    request_done(&req);
    fuzz_lines_done(&target, 1);
    return 0;
}
