/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of k8s_watch_line, for any bytes: the object lies within the line; if it is JSON, so
 * is the whole line, with this object and this type; what is no such line has a reason.
 */
#include "k8s/watch.h"

#include "fuzz.h"

#include <string.h>

static const char *type_name(enum k8s_event event, bool is_error)
{
    static const char *const names[] = {[K8S_ADDED] = "ADDED",
                                        [K8S_MODIFIED] = "MODIFIED",
                                        [K8S_DELETED] = "DELETED",
                                        [K8S_BOOKMARK] = "BOOKMARK"};

    return is_error ? "ERROR" : names[event];
}

static void check_refusal(const struct error *err, const char *line, size_t len)
{
    CLEANUP(free) char *text = xstrndup(line, len);

    FUZZ_CHECK(err->code == ERROR_INVALID);
    fuzz_check_error(err, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *line = (const char *) data, *object;
    json_t *inner = NULL, *whole = NULL;
    enum k8s_event event;
    size_t object_len;
    struct error err = {0};
    bool is_error;

    if (!k8s_watch_line(line, len, &event, &is_error, &object, &object_len, &err)) {
        check_refusal(&err, line, len);
        return 0;
    }
    FUZZ_CHECK(object > line && object + object_len < line + len);
    if (!json_parse(object, object_len, &inner, &err))
        return 0;
    if (json_parse(line, len, &whole,
                   &err)) { /* false only where it nests one deeper than the parser allows */
        FUZZ_CHECK(json_equal(json_object_get(whole, "object"), inner));
        FUZZ_CHECK(strcmp(json_text_at(whole, "type"), type_name(event, is_error)) == 0);
        FUZZ_CHECK(json_object_size(whole) == 2);
    }
    json_decref(inner);
    json_decref(whole);
    return 0;
}
