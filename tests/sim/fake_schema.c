/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_schema.h"

#include "base/map.h"

#include <regex.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

/* ---- walking ---- */

static bool flag(const json_t *node, const char *name)
{
    return json_is_true(json_object_get(node, name));
}

static json_t *member_of(const json_t *node, const json_t *properties, const char *key)
{
    json_t *child = json_object_get(properties, key);

    if (child)
        return child;
    child = json_object_get(node, "additionalProperties");
    return json_is_object(child) ? child : NULL;
}

json_t *fake_schema_child(const json_t *node, const char *key)
{
    return member_of(node, json_object_get(node, "properties"), key);
}

const char *fake_schema_list_type(const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "x-kubernetes-list-type"));

    return type ? type : "atomic";
}

bool fake_schema_is_atomic_map(const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "x-kubernetes-map-type"));

    return type && strcmp(type, "atomic") == 0;
}

/* May an object that this describes have members of any name? */
static bool is_open(const json_t *node)
{
    return !node || flag(node, "x-kubernetes-preserve-unknown-fields");
}

/* At the root: these are the same in every kind. */
static bool is_common(const char *key)
{
    return strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0 ||
           strcmp(key, "metadata") == 0;
}

static char *unknown_in(const json_t *node, const json_t *value, const char *path, bool root)
{
    const char *key;
    json_t *member;
    size_t i;
    char *found = NULL;

    json_array_foreach (value, i, member) {
        CLEANUP(free) char *at = xasprintf("%s[%zu]", path, i);

        if ((found = unknown_in(json_object_get(node, "items"), member, at, false)))
            return found;
    }
    json_object_foreach ((json_t *) (uintptr_t) value, key, member) {
        json_t *child = fake_schema_child(node, key);
        CLEANUP(free) char *at = xasprintf("%s.%s", path, key);

        if ((root && is_common(key)) || (!child && is_open(node)))
            continue;
        if (!child)
            return xstrdup(at);
        if ((found = unknown_in(child, member, at, false)))
            return found;
    }
    return NULL;
}

char *fake_schema_unknown(const struct fake_schema *s, const json_t *object)
{
    return unknown_in(s->root, object, "", true);
}

static void prune(const json_t *node, json_t *value, bool nulls, bool root)
{
    const char *key;
    json_t *member, *inner;
    void *next;
    size_t i;

    if (json_is_array(value)) {
        inner = json_object_get(node, "items");
        json_array_foreach (value, i, member)
            prune(inner, member, nulls, false);
        return;
    }
    if (!json_is_object(value))
        return;
    inner = json_object_get(node, "properties");
    json_object_foreach_safe (value, next, key, member) {
        if (root && is_common(key))
            continue;
        json_t *child = member_of(node, inner, key);
        if ((!child && !is_open(node)) ||
            (nulls && json_is_null(member) && !flag(child, "nullable")))
            json_object_del(value, key);
        else if (child)
            prune(child, member, nulls, false);
    }
}

void fake_schema_prune(const struct fake_schema *s, json_t *object, bool nulls)
{
    prune(s->root, object, nulls, true);
}

/* ---- defaults ---- */

/* What has no default below it is not walked through. */
#define HAS_DEFAULTS "fake-defaults"

static bool mark_defaults(json_t *node)
{
    json_t *child;
    const char *key;
    bool any = json_object_get(node, "default") != NULL;

    json_object_foreach (json_object_get(node, "properties"), key, child)
        any |= mark_defaults(child);
    if ((child = json_object_get(node, "items")))
        any |= mark_defaults(child);
    if (any)
        json_object_set_new(node, HAS_DEFAULTS, json_true());
    return any;
}

static json_t *defaulted(const json_t *node, json_t *value);

/* Sets a member in a copy that is made when it is needed. */
static void set_member(json_t **object, json_t *original, const char *key, json_t *value_take)
{
    if (*object == original) {
        *object = json_copy(original);
        json_decref(original);
    }
    json_object_set_new(*object, key, value_take);
}

static json_t *defaulted_object(const json_t *node, json_t *value)
{
    json_t *result = value, *properties = json_object_get(node, "properties"), *child;
    const char *key;

    json_object_foreach (properties, key, child) {
        if (!json_object_get(child, HAS_DEFAULTS))
            continue;
        json_t *member = json_object_get(value, key), *preset = json_object_get(child, "default");
        if (!member && !preset)
            continue;
        json_t *better = defaulted(child, member ? json_incref(member) : json_deep_copy(preset));
        if (better == member)
            json_decref(better);
        else
            set_member(&result, value, key, better);
    }
    return result;
}

static json_t *defaulted_list(const json_t *items, json_t *value)
{
    json_t *result = value, *member;
    size_t i;

    json_array_foreach (value, i, member) {
        json_t *better = defaulted(items, json_incref(member));

        if (better == member) {
            json_decref(better);
            continue;
        }
        if (result == value)
            result = json_copy(value);
        json_array_set_new(result, i, better);
    }
    if (result != value)
        json_decref(value);
    return result;
}

/* Takes and returns a reference. */
static json_t *defaulted(const json_t *node, json_t *value)
{
    if (!json_object_get(node, HAS_DEFAULTS))
        return value;
    if (json_is_object(value))
        return defaulted_object(node, value);
    if (json_is_array(value))
        return defaulted_list(json_object_get(node, "items"), value);
    return value;
}

json_t *fake_schema_defaulted(const struct fake_schema *s, json_t *object)
{
    return defaulted(s->root, object);
}

/* ---- definitions from manifests ---- */

static json_t *scalar(const yaml_node_t *node)
{
    const char *text = (const char *) node->data.scalar.value;
    char *end;

    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_text(text);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    if (!*text || strcmp(text, "null") == 0)
        return json_null();
    long long n = strtoll(text, &end, 10);
    return *end ? json_text(text) : json_integer(n);
}

static json_t *tree(yaml_document_t *doc, int index)
{
    const yaml_node_t *node = yaml_document_get_node(doc, index);

    if (node->type == YAML_SCALAR_NODE)
        return scalar(node);
    if (node->type == YAML_SEQUENCE_NODE) {
        json_t *list = json_array();

        for (const yaml_node_item_t *i = node->data.sequence.items.start;
             i < node->data.sequence.items.top; i++)
            json_array_append_new(list, tree(doc, *i));
        return list;
    }
    json_t *object = json_object();
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++)
        json_object_set_new(object,
                            (const char *) yaml_document_get_node(doc, p->key)->data.scalar.value,
                            tree(doc, p->value));
    return object;
}

static const struct fake_schema *known[16]; /* of the manifests */

static void read_manifests(void)
{
    static const char path[] = FAKE_MANIFESTS "/crds.yaml";
    FILE *file = fopen(path, "r");
    yaml_parser_t parser;
    yaml_document_t doc;
    size_t n = 0;

    if (!file || !yaml_parser_initialize(&parser)) {
        fprintf(stderr, "fake: cannot read %s\n", path);
        abort();
    }
    yaml_parser_set_input_file(&parser, file);
    while (n < ARRAY_SIZE(known) && yaml_parser_load(&parser, &doc) &&
           yaml_document_get_root_node(&doc)) {
        CLEANUP(json_decref) json_t *definition = tree(&doc, 1);

        if (json_is_object(definition))
            known[n++] = fake_schema_new(definition);
        yaml_document_delete(&doc);
    }
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    fclose(file);
}

const struct fake_schema *fake_schema_of(const struct k8s_resource *r)
{
    if (strcmp(r->group, "kharon.dev") != 0)
        return NULL;
    if (!known[0])
        read_manifests();
    for (size_t i = 0; i < ARRAY_SIZE(known) && known[i]; i++)
        if (strcmp(known[i]->resource.plural, r->plural) == 0)
            return known[i];
    return NULL;
}

/* ---- judging ---- */

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

    if (flag(node, "x-kubernetes-int-or-string"))
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
    json_t *keys = json_object(), *key;
    size_t i;

    if (strcmp(fake_schema_list_type(node), "map") != 0) {
        json_decref(keys);
        return json_incref((json_t *) (uintptr_t) item);
    }
    json_array_foreach (json_object_get(node, "x-kubernetes-list-map-keys"), i, key)
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
    const json_t *high = json_object_get(node, "maxItems");
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
        judge(json_object_get(node, "items"), before, item, at, faults);
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

        if (before == member || is_same_scalar(before, member) || (!*path && is_common(key)))
            continue;
        const json_t *child = member_of(node, properties, key);
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
    if (json_is_null(value) && flag(node, "nullable"))
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

/* Where there are no rules below nobody looks. */
#define HAS_RULES "fake-rules"

static bool mark_rules(json_t *node)
{
    json_t *child;
    const char *key;
    bool any = json_object_get(node, "x-kubernetes-validations") != NULL;

    json_object_foreach (json_object_get(node, "properties"), key, child)
        any |= mark_rules(child);
    if ((child = json_object_get(node, "items")))
        any |= mark_rules(child);
    if (any)
        json_object_set_new(node, HAS_RULES, json_true());
    return any;
}

static void ask_rules(const json_t *node, const json_t *old, const json_t *value, const char *path,
                      const json_t *object, struct fake_faults *faults)
{
    json_t *properties = json_object_get(node, "properties"), *child;
    const char *key;
    size_t i;

    fake_rules_ask(node, old, value, path, object, faults);
    json_array_foreach (json_is_array(value) ? value : NULL, i, child)
        if (json_object_get(json_object_get(node, "items"), HAS_RULES)) {
            CLEANUP(free) char *at = xasprintf("%s[%zu]", path, i);
            ask_rules(json_object_get(node, "items"), json_array_get(old, i), child, at, object,
                      faults);
        }
    json_object_foreach (properties, key, child) {
        const json_t *before = json_object_get(old, key), *now = json_object_get(value, key);

        if (!now || now == before || !json_object_get(child, HAS_RULES))
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

bool fake_schema_selects_by(const struct fake_schema *s, const char *path)
{
    size_t i;
    json_t *field;

    json_array_foreach (s->selectable, i, field)
        if (strcmp(json_text_at(field, "jsonPath") + 1, path) == 0)
            return true;
    return strcmp(path, "metadata.name") == 0 || strcmp(path, "metadata.namespace") == 0;
}

/* ---- life ---- */

struct fake_schema *fake_schema_new(const json_t *definition)
{
    struct fake_schema *s = NEW(struct fake_schema);

    s->definition = json_deep_copy(definition);
    const json_t *version = json_array_get(json_at(s->definition, "spec.versions"), 0);
    s->root = json_at(version, "schema.openAPIV3Schema");
    s->selectable = json_at(version, "selectableFields");
    s->has_status = json_at(version, "subresources.status") != NULL;
    s->resource = (struct k8s_resource) {json_text_at(s->definition, "spec.group"),
                                         json_text_at(version, "name"),
                                         json_text_at(s->definition, "spec.names.plural"),
                                         json_text_at(s->definition, "spec.names.kind")};
    fake_rules_prepare(s->root);
    mark_rules(s->root);
    mark_defaults(s->root);
    return s;
}

void fake_schema_free(struct fake_schema *s)
{
    if (!s)
        return;
    json_decref(s->definition);
    free(s);
}
