/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with an object: each value as its definition describes it, and then the rules. */
#include "sim/fake_schema_internal.h"

#include "base/map.h"

#include <regex.h>
#include <stdarg.h>
#include <string.h>

void fake_fault_add(struct fake_faults *faults, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    CLEANUP(free) char *text = xvasprintf(format, args);
    va_end(args);
    buf_addf(&faults->text, "%s%s", faults->n++ ? ", " : "", text);
}

static const char *type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "number";
    case JSON_NULL:
        return "null";
    default:
        return "boolean";
    }
}

static bool has_type(const json_t *node, const json_t *value)
{
    const char *type = json_string_value(json_object_get(node, "type")), *is = type_of(value);

    if (fake_schema_flag(node, "x-kubernetes-int-or-string"))
        return json_is_string(value) || json_is_integer(value);
    return !type || strcmp(type, is) == 0 ||
           (strcmp(type, "number") == 0 && json_is_integer(value));
}

static void judge_type(const json_t *node, const json_t *value, const char *path,
                       struct fake_faults *faults)
{
    CLEANUP(free) char *text = xstrdup(type_of(value));

    faults->blocking = true;
    fake_fault_add(faults, "%s: Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", path,
                   text, path, json_string_value(json_object_get(node, "type")), text);
}

static void judge_number(const json_t *node, const json_t *value, const char *path,
                         struct fake_faults *faults)
{
    json_int_t n = json_integer_value(value);
    const json_t *low = json_object_get(node, "minimum"), *high = json_object_get(node, "maximum");

    if (low && n < json_integer_value(low))
        fake_fault_add(faults,
                       "%s: Invalid value: %" JSON_INTEGER_FORMAT
                       ": %s in body should be greater than or equal to %" JSON_INTEGER_FORMAT,
                       path, n, path, json_integer_value(low));
    if (high && n > json_integer_value(high))
        fake_fault_add(faults,
                       "%s: Invalid value: %" JSON_INTEGER_FORMAT
                       ": %s in body should be less than or equal to %" JSON_INTEGER_FORMAT,
                       path, n, path, json_integer_value(high));
}

static void judge_enum(const json_t *values, const char *text, const char *path,
                       struct fake_faults *faults)
{
    struct buf all = BUF_INIT;
    size_t i;
    json_t *one;

    json_array_foreach (values, i, one)
        if (strcmp(json_string_value(one), text) == 0)
            return;
    json_array_foreach (values, i, one)
        buf_addf(&all, "%s\"%s\"", i ? ", " : "", json_string_value(one));
    faults->blocking = true;
    fake_fault_add(faults, "%s: Unsupported value: \"%s\": supported values: %s", path, text,
                   buf_text(&all));
    buf_done(&all);
}

/* Compiled once, and kept until the end of the process: they are those of a few definitions. */
struct pattern {
    struct map_node node;
    char *text;
    regex_t compiled;
};

static const regex_t *compiled(const char *text)
{
    static struct map patterns;
    struct map_node *node;

    if (!patterns.all.next)
        map_init(&patterns);
    if ((node = map_get(&patterns, text)))
        return &container_of(node, struct pattern, node)->compiled;
    struct pattern *p = NEW(struct pattern);
    p->text = xstrdup(text);
    if (regcomp(&p->compiled, text, REG_EXTENDED | REG_NOSUB) != 0)
        abort();
    map_add(&patterns, &p->node, p->text);
    return &p->compiled;
}

static bool matches(const char *pattern, const char *text)
{
    return regexec(compiled(pattern), text, 0, NULL, 0) == 0;
}

static bool is_date_time(const char *text)
{
    return matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?"
                   "([Zz]|[+-][0-9]{2}:[0-9]{2})$",
                   text);
}

static void judge_text(const json_t *node, const char *text, const char *path,
                       struct fake_faults *faults)
{
    const json_t *low = json_object_get(node, "minLength"),
                 *high = json_object_get(node, "maxLength");
    const json_t *values = json_object_get(node, "enum");
    const char *pattern = json_string_value(json_object_get(node, "pattern"));
    const char *format = json_string_value(json_object_get(node, "format"));

    if (values)
        judge_enum(values, text, path, faults);
    if (low && (json_int_t) strlen(text) < json_integer_value(low))
        fake_fault_add(faults,
                       "%s: Invalid value: \"%s\": %s in body should be at least "
                       "%" JSON_INTEGER_FORMAT " chars long",
                       path, text, path, json_integer_value(low));
    if (high && (json_int_t) strlen(text) > json_integer_value(high)) {
        faults->blocking = true;
        fake_fault_add(faults, "%s: Too long: may not be more than %" JSON_INTEGER_FORMAT " bytes",
                       path, json_integer_value(high));
    }
    if (pattern && !matches(pattern, text))
        fake_fault_add(faults, "%s: Invalid value: \"%s\": %s in body should match '%s'", path,
                       text, path, pattern);
    if (format && strcmp(format, "date-time") == 0 && !is_date_time(text))
        fake_fault_add(faults,
                       "%s: Invalid value: \"%s\": %s in body must be of type date-time: \"%s\"",
                       path, text, path, text);
}

static void judge(const json_t *node, const json_t *old, const json_t *value, const char *path,
                  struct fake_faults *faults);

/* The keys of an item of a map list, {"name":"A"}; of a set, the item. */
static json_t *identity(const json_t *node, const json_t *item)
{
    const json_t *names = json_object_get(node, "x-kubernetes-list-map-keys");
    json_t *keys, *key;
    size_t i;

    if (strcmp(fake_schema_list_type(node), "map") != 0)
        return json_incref((json_t *) (uintptr_t) item);
    keys = json_object();
    json_array_foreach (names, i, key)
        json_object_set(keys, json_string_value(key),
                        json_object_get(item, json_string_value(key)));
    return keys;
}

static void judge_duplicates(const json_t *node, const json_t *list, const char *path,
                             struct fake_faults *faults)
{
    for (size_t i = 1; i < json_array_size(list); i++) {
        CLEANUP(json_decref) json_t *mine = identity(node, json_array_get(list, i));

        for (size_t j = 0; j < i; j++) {
            CLEANUP(json_decref) json_t *other = identity(node, json_array_get(list, j));

            if (!json_equal(mine, other))
                continue;
            CLEANUP(free) char *text = json_dumps(mine, JSON_COMPACT | JSON_ENCODE_ANY);
            fake_fault_add(faults, "%s[%zu]: Duplicate value: %s", path, i, text);
            break;
        }
    }
}

#define PATH_MAX_LEN 1024

static void judge_list(const json_t *node, const json_t *old, const json_t *list, const char *path,
                       struct fake_faults *faults)
{
    const json_t *high = json_object_get(node, "maxItems"), *items = json_object_get(node, "items");
    size_t i;
    json_t *item;

    if (high && (json_int_t) json_array_size(list) > json_integer_value(high)) {
        faults->blocking = true;
        fake_fault_add(faults,
                       "%s: Too many: %zu: must have at most %" JSON_INTEGER_FORMAT " items", path,
                       json_array_size(list), json_integer_value(high));
    }
    if (strcmp(fake_schema_list_type(node), "atomic") != 0)
        judge_duplicates(node, list, path, faults);
    json_array_foreach (list, i, item) {
        const json_t *before = json_array_get(old, i);
        char at[PATH_MAX_LEN];

        if (before && json_equal(before, item))
            continue;
        snprintf(at, sizeof(at), "%s[%zu]", path, i);
        judge(items, before, item, at, faults);
    }
}

static bool is_same_scalar(const json_t *a, const json_t *b)
{
    return a && json_is_string(b) && json_equal(a, b);
}

static void join(char at[PATH_MAX_LEN], const char *path, const char *key)
{
    size_t len = strlen(path), more = strlen(key);

    if (len + more + 2 > PATH_MAX_LEN)
        abort(); /* our definitions are not that deep */
    memcpy(at, path, len);
    if (len)
        at[len++] = '.';
    memcpy(at + len, key, more + 1);
}

static void judge_object(const json_t *node, const json_t *old, const json_t *value,
                         const char *path, struct fake_faults *faults)
{
    const json_t *properties = json_object_get(node, "properties");
    const json_t *required = json_object_get(node, "required");
    const char *key;
    size_t i;
    json_t *member;

    json_array_foreach (required, i, member)
        if (!json_object_get(value, json_string_value(member))) {
            faults->blocking = true;
            fake_fault_add(faults, "%s%s%s: Required value", path, *path ? "." : "",
                           json_string_value(member));
        }
    json_object_foreach ((json_t *) (uintptr_t) value, key, member) {
        const json_t *before = json_object_get(old, key);

        if (before == member || is_same_scalar(before, member) ||
            (!*path && fake_schema_is_common(key)))
            continue;
        const json_t *child = fake_schema_member(node, properties, key);
        if (!child)
            continue;
        char at[PATH_MAX_LEN];
        join(at, path, key);
        judge(child, before, member, at, faults);
    }
}

/* What did not change, and is shared with the old object, is not judged. */
static void judge(const json_t *node, const json_t *old, const json_t *value, const char *path,
                  struct fake_faults *faults)
{
    if (json_is_null(value) && fake_schema_flag(node, "nullable"))
        return;
    if (!has_type(node, value))
        judge_type(node, value, path, faults);
    else if (json_is_object(value))
        judge_object(node, old, value, path, faults);
    else if (json_is_array(value))
        judge_list(node, old, value, path, faults);
    else if (json_is_integer(value))
        judge_number(node, value, path, faults);
    else if (json_is_string(value))
        judge_text(node, json_string_value(value), path, faults);
}

static void ask_rules(const json_t *node, const json_t *old, const json_t *value, const char *path,
                      const json_t *object, struct fake_faults *faults)
{
    json_t *properties = json_object_get(node, "properties"), *child;
    const json_t *items = json_object_get(node, "items");
    const json_t *asked = json_object_get(items, FAKE_SCHEMA_RULES) ? value : NULL;
    const char *key;
    size_t i;

    fake_rules_ask(node, old, value, path, object, faults);
    json_array_foreach (asked, i, child) {
        CLEANUP(free) char *at = xasprintf("%s[%zu]", path, i);
        ask_rules(items, json_array_get(old, i), child, at, object, faults);
    }
    json_object_foreach (properties, key, child) {
        const json_t *before = json_object_get(old, key), *now = json_object_get(value, key);

        if (!now || now == before || !json_object_get(child, FAKE_SCHEMA_RULES))
            continue;
        CLEANUP(free) char *at = xasprintf("%s%s%s", path, *path ? "." : "", key);
        ask_rules(child, before, now, at, object, faults);
    }
}

char *fake_schema_judge(const struct fake_schema *s, const json_t *old, const json_t *object)
{
    struct fake_faults faults = {.text = BUF_INIT};

    judge(s->root, old, object, "", &faults);
    if (faults.blocking)
        fake_fault_add(&faults,
                       "<nil>: Invalid value: null: some validation rules were not checked "
                       "because the object was invalid; correct the existing errors to "
                       "complete validation");
    else
        ask_rules(s->root, old, object, "", object, &faults);
    CLEANUP(free) char *text = buf_take(&faults.text);
    if (faults.n == 0)
        return NULL;
    return faults.n > 1 ? xasprintf("[%s]", text) : TAKE(text);
}
