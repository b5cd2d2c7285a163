/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch.h"

#include <string.h>

#define SHOWN_MAX 80 /* of a line that is none */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Skips the text if it comes next. */
static bool skip(const char **at, const char *end, const char *text)
{
    size_t n = strlen(text);

    if ((size_t) (end - *at) < n || memcmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool refuse(const char *what, const char *line, size_t len, struct error *err)
{
    return error_set(err, ERROR_INVALID, "%s: %.*s", what,
                     (int) (len > SHOWN_MAX ? utf8_cut(line, SHOWN_MAX) : len), line);
}

bool k8s_watch_line(const char *line, size_t len, enum k8s_event *ret_event, bool *ret_is_error,
                    const char **ret_object, size_t *ret_len, struct error *err)
{
    static const struct {
        const char *name;
        enum k8s_event event;
        bool is_error;
    } types[] = {
        {"ADDED\"", K8S_ADDED, false},     {"MODIFIED\"", K8S_MODIFIED, false},
        {"DELETED\"", K8S_DELETED, false}, {"BOOKMARK\"", K8S_BOOKMARK, false},
        {"ERROR\"", K8S_BOOKMARK, true},
    };
    const char *at = line, *end = line + len;

    while (end > at && is_space(end[-1]))
        end--;
    if (!skip(&at, end, "{\"type\":\""))
        return refuse("not a line of a watch", line, len, err);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!skip(&at, end, types[i].name))
            continue;
        if (!skip(&at, end, ",\"object\":") || end <= at || end[-1] != '}')
            break;
        *ret_event = types[i].event;
        *ret_is_error = types[i].is_error;
        *ret_object = at;
        *ret_len = (size_t) (end - 1 - at);
        return true;
    }
    return refuse("not an event of a watch", line, len, err);
}
