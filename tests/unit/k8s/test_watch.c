/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "k8s/watch.h"

static void check_line(int line, const char *text, enum k8s_event want_event, bool want_error,
                       const char *want)
{
    enum k8s_event event = K8S_LISTED;
    const char *object = NULL;
    struct error err = {0};
    bool is_error = false;
    size_t len = 0;
    bool ok = k8s_watch_line(text, strlen(text), &event, &is_error, &object, &len, &err);

    CHECK_INT_AT(line, ok, want != NULL);
    if (!want) {
        CHECK_INT_AT(line, err.code, ERROR_INVALID);
        return;
    }
    CLEANUP(free) char *got = xstrndup(object, len);
    CHECK_STR_AT(line, got, want);
    CHECK_INT_AT(line, event, want_event);
    CHECK_INT_AT(line, is_error, want_error);
}

#define EVENT(text, event, want) check_line(__LINE__, text, event, false, want)
#define NO_EVENT(text)           check_line(__LINE__, text, K8S_LISTED, false, NULL)

TEST(lines)
{
    EVENT("{\"type\":\"ADDED\",\"object\":{\"a\":1}}", K8S_ADDED, "{\"a\":1}");
    EVENT("{\"type\":\"MODIFIED\",\"object\":{\"a\":\"}}\"}}", K8S_MODIFIED, "{\"a\":\"}}\"}");
    EVENT("{\"type\":\"DELETED\",\"object\":{}}", K8S_DELETED, "{}");
    EVENT("{\"type\":\"BOOKMARK\",\"object\":{}}\r", K8S_BOOKMARK, "{}");
    check_line(__LINE__, "{\"type\":\"ERROR\",\"object\":{\"code\":410}}", K8S_BOOKMARK, true,
               "{\"code\":410}");
    NO_EVENT("");
    NO_EVENT("   ");
    NO_EVENT("{}");
    NO_EVENT("{\"type\":\"ADDED\"}");
    NO_EVENT("{\"type\":\"ADDEDX\",\"object\":{}}");
    NO_EVENT("{\"type\":\"ADDED\",\"object\":");
    NO_EVENT("{\"type\":\"NEWS\",\"object\":{}}");
    NO_EVENT("404 page not found");
}
