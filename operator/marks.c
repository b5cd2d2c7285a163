/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/marks.h"

#include "base/text.h"
#include "k8s/client.h"

#include <inttypes.h>
#include <string.h>

#define DOUBT "doubt"

void marks_init(struct marks *m)
{
    map_init(&m->by_key);
    m->doubt_ms = 0;
}

void marks_clear(struct marks *m)
{
    struct mark *mark;

    marks_foreach(mark, m)
    {
        map_remove(&m->by_key, &mark->by_key);
        free(mark->plural);
        free(mark->ns);
        free(mark->key);
        free(mark);
    }
    map_done(&m->by_key);
    marks_init(m);
}

void marks_note(struct marks *m, const char *plural, const char *ns, uint64_t version)
{
    CLEANUP(free) char *key = text_join(plural, '/', ns);
    struct map_node *node = map_get(&m->by_key, key);
    struct mark *mark = node ? container_of(node, struct mark, by_key) : NEW(struct mark);

    if (!node) {
        mark->plural = xstrdup(plural);
        mark->ns = xstrdup(ns);
        mark->key = TAKE(key);
        map_add(&m->by_key, &mark->by_key, mark->key);
    }
    if (version > mark->version)
        mark->version = version;
}

char *marks_print(const struct marks *m)
{
    CLEANUP(json_decref) json_t *object = json_object();
    struct mark *mark;
    char text[24];

    if (m->by_key.n == 0 || m->by_key.n > MARKS_MAX)
        return xstrdup("");
    marks_foreach(mark, m)
    {
        snprintf(text, sizeof(text), "%" PRIu64, mark->version);
        json_set_text(object, mark->key, text);
    }
    snprintf(text, sizeof(text), "%" PRId64, m->doubt_ms);
    if (m->doubt_ms > 0)
        json_set_text(object, DOUBT, text);
    CLEANUP(free) char *printed = json_print(object);
    return strlen(printed) > MARKS_TEXT_MAX ? xstrdup("") : TAKE(printed);
}

static bool parse_one(struct marks *m, const char *key, const json_t *value)
{
    const char *slash = strchr(key, '/');
    uint64_t version;

    if (!k8s_version_parse(json_string_value(value), &version))
        return false;
    if (strcmp(key, DOUBT) == 0) {
        m->doubt_ms = version < MARKS_DOUBT_MAX ? (int64_t) version : MARKS_DOUBT_MAX;
        return true;
    }
    if (!slash || slash == key)
        return false;
    CLEANUP(free) char *plural = xstrndup(key, (size_t) (slash - key));
    marks_note(m, plural, slash + 1, version);
    return true;
}

bool marks_parse(struct marks *m, const char *text)
{
    CLEANUP(json_decref) json_t *object = NULL;
    struct error ignored;
    const char *key;
    json_t *value;
    bool ok;

    if (!json_parse(text, strlen(text), &object, &ignored))
        return false;
    ok = json_is_object(object) && json_object_size(object) <= MARKS_MAX + 1;
    if (ok)
        json_object_foreach (object, key, value)
            ok = ok && parse_one(m, key, value);
    ok = ok && m->by_key.n > 0;
    if (!ok)
        marks_clear(m);
    return ok;
}
