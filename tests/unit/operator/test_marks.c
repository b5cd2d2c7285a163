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

static void note_all(struct marks *m, int n_namespaces, int width)
{
    static const char *const plurals[] = {"workflows", "workflowinstances", "pods"};

    for (int i = 0; i < n_namespaces; i++)
        for (size_t k = 0; k < ARRAY_SIZE(plurals); k++) {
            CLEANUP(free) char *ns = xasprintf("%0*d", width, i);

            marks_note(m, plurals[k], ns, UINT64_C(999999999000) + (uint64_t) i);
        }
}

/* As many namespaces as can be watched: more of them would make a crash of each hand-over. */
TEST(a_thousand_namespaces_have_one)
{
    struct marks m;

    marks_init(&m);
    note_all(&m, 1001, 50);
    m.doubt_ms = MARKS_DOUBT_MAX;
    CLEANUP(free) char *text = marks_print(&m);
    CHECK(*text);
    CHECK(strlen(text) < 256 * 1024 - 4096); /* Kubernetes: all annotations of an object */
    marks_clear(&m);
    CHECK(marks_parse(&m, text));
    CHECK_INT(m.by_key.n, 3003);
    CHECK_INT(m.doubt_ms, MARKS_DOUBT_MAX);
    marks_clear(&m);
    map_done(&m.by_key);
}

TEST(a_text_that_is_too_long_is_none)
{
    struct marks m;

    marks_init(&m);
    note_all(&m, 1001, 63);
    CLEANUP(free) char *text = marks_print(&m);
    CHECK_STR(text, "");
    marks_clear(&m);
    note_all(&m, 900, 63);
    CLEANUP(free) char *shorter = marks_print(&m);
    CHECK(*shorter);
    marks_clear(&m);
    map_done(&m.by_key);
}
