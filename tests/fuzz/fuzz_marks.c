/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of high-water marks (operator/marks.h), for any text that a Lease may carry:
 *
 *  - what is not such a text leaves the marks clear;
 *  - what is, has a mark with a kind each, doubt within its limit, and is printed as a text that is
 *    read as the same;
 *  - marks are raised and never lowered by what is noted after.
 */
#include "operator/marks.h"

#include "fuzz_json.h"

static uint64_t version_of(const struct marks *m, const char *key)
{
    struct map_node *node = map_get(&m->by_key, key);

    FUZZ_CHECK(node);
    return container_of(node, struct mark, by_key)->version;
}

static void check_same(const struct marks *one, const struct marks *other)
{
    struct mark *mark;

    FUZZ_CHECK(one->by_key.n == other->by_key.n && one->doubt_ms == other->doubt_ms);
    marks_foreach(mark, one) FUZZ_CHECK(version_of(other, mark->key) == mark->version);
}

static void check_printed(const struct marks *m)
{
    CLEANUP(free) char *text = marks_print(m);
    struct marks again;

    marks_init(&again);
    FUZZ_CHECK(marks_parse(&again, text));
    check_same(m, &again);
    marks_clear(&again);
}

static void check_marks(const struct marks *m, const json_t *object)
{
    struct mark *mark;

    FUZZ_CHECK(m->by_key.n > 0 && m->doubt_ms >= 0 && m->doubt_ms <= MARKS_DOUBT_MAX);
    FUZZ_CHECK(json_object_size(object) ==
               m->by_key.n + (json_object_get(object, "doubt") != NULL));
    marks_foreach(mark, m)
    {
        const char *version = json_string_value(json_object_get(object, mark->key));

        FUZZ_CHECK(*mark->plural && mark->ns && !strchr(mark->plural, '/'));
        FUZZ_CHECK(version && strtoull(version, NULL, 10) == mark->version);
    }
}

static void check_noting(struct marks *m, const json_t *object)
{
    struct mark *mark;

    marks_foreach(mark, m) marks_note(m, mark->plural, mark->ns, mark->version / 2);
    check_marks(m, object);
    marks_foreach(mark, m)
    {
        uint64_t before = mark->version;

        marks_note(m, mark->plural, mark->ns, before + 1);
        FUZZ_CHECK(mark->version == (before == UINT64_MAX ? before : before + 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(json_decref) json_t *object = NULL;
    struct marks marks;
    struct error err;
    char *text;

    fuzz_lines(data, len, &text, 1);
    marks_init(&marks);
    if (marks_parse(&marks, text)) {
        FUZZ_CHECK(json_parse(text, strlen(text), &object, &err));
        check_marks(&marks, object);
        check_printed(&marks);
        check_noting(&marks, object);
    }
    FUZZ_CHECK(object || (marks.by_key.n == 0 && marks.doubt_ms == 0));
    marks_clear(&marks);
    fuzz_lines_done(&text, 1);
    return 0;
}
