/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_schema.h"

#include "sim/fake_schema_internal.h"

#include <string.h>
#include <yaml.h>

/* ---- walking ---- */

bool fake_schema_flag(const json_t *node, const char *name)
{
    return json_is_true(json_object_get(node, name));
}

json_t *fake_schema_member(const json_t *node, const json_t *properties, const char *key)
{
    json_t *child = json_object_get(properties, key);

    if (child)
        return child;
    child = json_object_get(node, "additionalProperties");
    return json_is_object(child) ? child : NULL;
}

json_t *fake_schema_child(const json_t *node, const char *key)
{
    return fake_schema_member(node, json_object_get(node, "properties"), key);
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
    return !node || fake_schema_flag(node, "x-kubernetes-preserve-unknown-fields");
}

/* At the root: these are the same in every kind. */
bool fake_schema_is_common(const char *key)
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

        if ((root && fake_schema_is_common(key)) || (!child && is_open(node)))
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
        if (root && fake_schema_is_common(key))
            continue;
        json_t *child = fake_schema_member(node, inner, key);
        if ((!child && !is_open(node)) ||
            (nulls && json_is_null(member) && !fake_schema_flag(child, "nullable")))
            json_object_del(value, key);
        else if (child)
            prune(child, member, nulls, false);
    }
}

void fake_schema_prune(const struct fake_schema *s, json_t *object, bool nulls)
{
    prune(s->root, object, nulls, true);
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

/* ---- defaults ---- */

/* What has no default below it is not walked through. */
#define HAS_DEFAULTS "fake-defaults"

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

/* ---- life ---- */

/* Marks the nodes at or below which one has this member; is there any here? */
static bool mark(json_t *node, const char *member, const char *as)
{
    json_t *child;
    const char *key;
    bool any = json_object_get(node, member) != NULL;

    json_object_foreach (json_object_get(node, "properties"), key, child)
        any |= mark(child, member, as);
    if ((child = json_object_get(node, "items")))
        any |= mark(child, member, as);
    if (any)
        json_object_set_new(node, as, json_true());
    return any;
}

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
    mark(s->root, "x-kubernetes-validations", FAKE_SCHEMA_RULES);
    mark(s->root, "default", HAS_DEFAULTS);
    return s;
}

void fake_schema_free(struct fake_schema *s)
{
    if (!s)
        return;
    json_decref(s->definition);
    free(s);
}
