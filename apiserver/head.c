/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/head.h"

#include "base/alloc.h"

#include <string.h>
#include <strings.h>

enum counted { HOST, CONTENT_LENGTH, TRANSFER_ENCODING, N_COUNTED };

static const char *const names[] = {
    [HOST] = "host",
    [CONTENT_LENGTH] = "content-length",
    [TRANSFER_ENCODING] = "transfer-encoding",
};

struct head {
    bool is_http_1_0;
    int n[N_COUNTED];
};

struct text {
    const char *at;
    size_t len;
};

/* The next line, without its end. */
static bool take_line(struct text *rest, struct text *line, struct error *err)
{
    const char *end = memchr(rest->at, '\n', rest->len);

    if (!end || end == rest->at || end[-1] != '\r')
        return error_set(err, ERROR_INVALID, "Bad Request: lines have to end in CR LF");
    *line = (struct text) {rest->at, (size_t) (end - rest->at) - 1};
    rest->len -= line->len + 2;
    rest->at = end + 1;
    return true;
}

static void count(struct head *head, const struct text *line)
{
    const char *colon = memchr(line->at, ':', line->len);
    size_t len = colon ? (size_t) (colon - line->at) : 0;

    for (int i = 0; i < N_COUNTED; i++)
        head->n[i] += len == strlen(names[i]) && strncasecmp(line->at, names[i], len) == 0;
}

static bool refuse(struct error *err, const char *why)
{
    return error_set(err, ERROR_INVALID, "Bad Request: %s", why);
}

static bool judge(const struct head *head, struct error *err)
{
    if (head->n[HOST] > 1 || (head->n[HOST] == 0 && !head->is_http_1_0))
        return refuse(err, "not exactly one Host");
    if (head->n[CONTENT_LENGTH] > 1)
        return refuse(err, "more than one Content-Length");
    if (head->n[TRANSFER_ENCODING] > 1)
        return refuse(err, "more than one Transfer-Encoding");
    if (head->n[TRANSFER_ENCODING] > 0 && head->n[CONTENT_LENGTH] > 0)
        return refuse(err, "both Content-Length and Transfer-Encoding");
    if (head->n[TRANSFER_ENCODING] > 0 && head->is_http_1_0)
        return refuse(err, "Transfer-Encoding in HTTP/1.0");
    return true;
}

static bool ends_with(const struct text *line, const char *end)
{
    size_t len = strlen(end);

    return line->len >= len && memcmp(line->at + line->len - len, end, len) == 0;
}

bool head_check(const char *bytes, size_t len, size_t *ret_head_len, struct error *err)
{
    struct text rest = {bytes, len}, line;
    struct head head = {0};

    if (!take_line(&rest, &line, err) || (line.len == 0 && !take_line(&rest, &line, err)))
        return false;
    if (line.len == 0)
        return refuse(err, "no request line");
    head.is_http_1_0 = ends_with(&line, " HTTP/1.0");
    for (;;) {
        if (!take_line(&rest, &line, err))
            return false;
        if (line.len == 0)
            break;
        if (*line.at == ' ' || *line.at == '\t')
            return refuse(err, "a folded header line");
        count(&head, &line);
    }
    if (!judge(&head, err))
        return false;
    *ret_head_len = len - rest.len;
    return true;
}
