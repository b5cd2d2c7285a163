/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/marks.h"

#include "base/alloc.h"

#include "test.h"

static void check_parse(int line, const char *text, const char *want)
{
    struct marks m;

    marks_init(&m);
    bool ok = marks_parse(&m, text);
    CLEANUP(free) char *printed = marks_print(&m);
    CHECK_INT_AT(line, ok, want != NULL);
    CHECK_STR_AT(line, printed, want ? want : "");
    marks_clear(&m);
    map_done(&m.by_key);
}

#define PARSE(text, want) check_parse(__LINE__, text, want)

TEST(what_is_printed_is_read)
{
    PARSE("{\"pods/a\":\"7\"}", "{\"pods/a\":\"7\"}");
    PARSE("{ \"pods/a\": \"18446744073709551615\", \"pods/\": \"0\" }",
          "{\"pods/a\":\"18446744073709551615\",\"pods/\":\"0\"}");
    PARSE("{\"pods/a\":\"7\",\"doubt\":\"59000\"}", "{\"pods/a\":\"7\",\"doubt\":\"59000\"}");
    PARSE("{\"pods/a\":\"7\",\"doubt\":\"0\"}", "{\"pods/a\":\"7\"}");
    PARSE("{\"pods/a\":\"7\",\"doubt\":\"9999999999\"}", "{\"pods/a\":\"7\",\"doubt\":\"600000\"}");
    PARSE("{\"pods/a\":\"7\",\"doubt\":\"x\"}", NULL);
    PARSE("{\"doubt\":\"59000\"}", NULL);
    PARSE("", NULL);
    PARSE("{}", NULL);
    PARSE("[]", NULL);
    PARSE("{\"pods\":\"7\"}", NULL);
    PARSE("{\"/a\":\"7\"}", NULL);
    PARSE("{\"pods/a\":7}", NULL);
    PARSE("{\"pods/a\":\"7\",\"pods/b\":\"-7\"}", NULL);
    PARSE("{\"pods/a\":\"18446744073709551616\"}", NULL);
}

/* As numbers, not as texts; by kind and namespace. */
TEST(marks_only_rise)
{
    struct marks m;

    marks_init(&m);
    marks_note(&m, "pods", "a", 99);
    marks_note(&m, "pods", "a", 100);
    marks_note(&m, "pods", "a", 98);
    marks_note(&m, "pods", "b", 5);
    marks_note(&m, "workflows", "a", 3);
    CLEANUP(free) char *text = marks_print(&m);
    CHECK_STR(text, "{\"pods/a\":\"100\",\"pods/b\":\"5\",\"workflows/a\":\"3\"}");
    marks_clear(&m);
    map_done(&m.by_key);
}

/* An annotation has its limit: a list is the better way then. */
TEST(too_many_have_no_text)
{
    struct marks m;

    marks_init(&m);
    for (int i = 0; i <= MARKS_MAX; i++) {
        CLEANUP(free) char *ns = xasprintf("n%d", i);

        marks_note(&m, "pods", ns, 1);
    }
    CLEANUP(free) char *text = marks_print(&m);
    CHECK_STR(text, "");
    marks_clear(&m);
    map_done(&m.by_key);
}
