/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch.h"

#include <string.h>

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
        return error_set(err, ERROR_INVALID, "not a line of a watch: %.*s",
                         (int) (len > 80 ? 80 : len), line);
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
    return error_set(err, ERROR_INVALID, "not an event of a watch: %.*s",
                     (int) (len > 80 ? 80 : len), line);
}
