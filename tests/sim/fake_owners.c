/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_owners.h"

#include "base/buf.h"
#include "sim/fake_schema.h"

#include <string.h>

/*
 * A value as a tree of fields: like a set of them, with the field's value in an array of one where
 * a set has nothing.
 */

static const char *const owned_metadata[] = {"labels", "annotations", "finalizers",
                                             "ownerReferences"};

static json_t *field(json_t *value)
{
    json_t *leaf = json_array();

    json_array_append(leaf, value);
    return leaf;
}

static json_t *fields_of(const json_t *node, json_t *value);

static void put(json_t *tree, const char *prefix, const char *name, json_t *fields)
{
    CLEANUP(free) char *key = xasprintf("%s:%s", prefix, name);

    json_object_set_new(tree, key, fields);
}

static json_t *fields_of_map(const json_t *node, json_t *value)
{
    json_t *tree = json_object(), *member;
    const char *key;

    json_object_foreach (value, key, member)
        put(tree, "f", key, fields_of(fake_schema_child(node, key), member));
    return tree;
}

static char *key_of(const json_t *node, const json_t *item)
{
    CLEANUP(json_decref) json_t *keys = json_object();
    json_t *key;
    size_t i;

    json_array_foreach (json_object_get(node, "x-kubernetes-list-map-keys"), i, key)
        json_object_set(keys, json_string_value(key),
                        json_object_get(item, json_string_value(key)));
    return json_print(keys);
}

static json_t *fields_of_list(const json_t *node, json_t *list)
{
    bool is_map = strcmp(fake_schema_list_type(node), "map") == 0;
    json_t *tree = json_object(), *item;
    size_t i;

    json_array_foreach (list, i, item) {
        CLEANUP(free) char *key =
            is_map ? key_of(node, item) : json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);
        json_t *fields = is_map ? fields_of(json_object_get(node, "items"), item) : field(item);

        if (is_map)
            json_object_set_new(fields, ".", field(json_null()));
        put(tree, is_map ? "k" : "v", key, fields);
    }
    return tree;
}

static json_t *fields_of(const json_t *node, json_t *value)
{
    if (json_is_object(value) && json_object_size(value) && !fake_schema_is_atomic_map(node))
        return fields_of_map(node, value);
    if (json_array_size(value) && strcmp(fake_schema_list_type(node), "atomic") != 0)
        return fields_of_list(node, value);
    return field(value);
}

/* Finalizers are a set, owners a list by uid; there is no schema that says so. */
static const json_t *metadata_node(const char *key)
{
    static json_t *set, *map;

    if (!set) {
        set = json_pack("{s:s}", "x-kubernetes-list-type", "set");
        map = json_pack("{s:s, s:[s]}", "x-kubernetes-list-type", "map",
                        "x-kubernetes-list-map-keys", "uid");
    }
    return strcmp(key, "finalizers") == 0 ? set : strcmp(key, "ownerReferences") == 0 ? map : NULL;
}

static json_t *fields_of_object(const struct fake_schema *schema, const json_t *object)
{
    json_t *tree = json_object(), *meta = json_object(), *value;
    const char *key;

    for (size_t i = 0; i < ARRAY_SIZE(owned_metadata); i++)
        if ((value = json_object_get(fake_meta(object), owned_metadata[i])))
            put(meta, "f", owned_metadata[i], fields_of(metadata_node(owned_metadata[i]), value));
    if (json_object_size(meta))
        json_object_set(tree, "f:metadata", meta);
    json_decref(meta);
    json_object_foreach ((json_t *) (uintptr_t) object, key, value)
        if (strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0 &&
            strcmp(key, "apiVersion") != 0 && strcmp(key, "kind") != 0)
            put(tree, "f", key, fields_of(fake_schema_child(schema->root, key), value));
    return tree;
}

/* Back to a value; a reference. */
static json_t *value_of(const json_t *tree)
{
    const char *key;
    json_t *fields;

    if (json_is_array(tree))
        return json_incref(json_array_get(tree, 0));
    json_t *object = json_object(), *list = json_array();
    json_object_foreach ((json_t *) (uintptr_t) tree, key, fields) {
        if (*key == 'f')
            json_object_set_new(object, key + 2, value_of(fields));
        else if (*key != '.')
            json_array_append_new(list, value_of(fields));
    }
    json_t *result = json_array_size(list) ? list : object;
    json_decref(result == list ? object : list);
    return result;
}

/* ---- sets ---- */

static json_t *set_of(const json_t *tree)
{
    json_t *set = json_object(), *fields;
    const char *key;

    if (json_is_object(tree))
        json_object_foreach ((json_t *) (uintptr_t) tree, key, fields)
            json_object_set_new(set, key, set_of(fields));
    return set;
}

static void set_add(json_t *set, const json_t *more)
{
    const char *key;
    json_t *fields;

    json_object_foreach ((json_t *) (uintptr_t) more, key, fields) {
        json_t *mine = json_object_get(set, key);

        if (!mine)
            json_object_set_new(set, key, json_deep_copy(fields));
        else
            set_add(mine, fields);
    }
}

static void set_subtract(json_t *set, const json_t *less)
{
    const char *key;
    json_t *fields;
    void *next;

    json_object_foreach_safe (set, next, key, fields) {
        const json_t *other = json_object_get(less, key);

        if (!other)
            continue;
        if (json_object_size(other))
            set_subtract(fields, other);
        if (json_object_size(other) == 0 || json_object_size(fields) == 0)
            json_object_del(set, key);
    }
}

/* The fields in which two trees differ. */
static json_t *difference(const json_t *a, const json_t *b)
{
    json_t *set = json_object(), *fields;
    const char *key;

    json_object_foreach ((json_t *) (uintptr_t) a, key, fields) {
        json_t *other = json_object_get(b, key);

        if (!other)
            json_object_set_new(set, key, set_of(fields));
        else if (!json_is_object(fields) || !json_is_object(other)) {
            if (!json_equal(fields, other))
                json_object_set_new(set, key, json_object());
        } else {
            CLEANUP(json_decref) json_t *inner = difference(fields, other);

            if (json_object_size(inner))
                json_object_set(set, key, inner);
        }
    }
    json_object_foreach ((json_t *) (uintptr_t) b, key, fields)
        if (!json_object_get(a, key))
            json_object_set_new(set, key, set_of(fields));
    return set;
}

/* Puts b's fields over a's. */
static void overlay(json_t *a, json_t *b)
{
    const char *key;
    json_t *fields;

    json_object_foreach (b, key, fields) {
        json_t *mine = json_object_get(a, key);

        if (json_is_object(mine) && json_is_object(fields))
            overlay(mine, fields);
        else
            json_object_set(a, key, fields);
    }
}

/* Takes the fields of a set out of a tree. */
static void take_away(json_t *tree, const json_t *set)
{
    const char *key;
    json_t *less;

    json_object_foreach ((json_t *) (uintptr_t) set, key, less) {
        json_t *fields = json_object_get(tree, key);

        if (json_is_object(fields) && json_object_size(less)) {
            take_away(fields, less);
            if (json_object_size(fields) == 0)
                json_object_del(tree, key);
        } else {
            json_object_del(tree, key);
        }
    }
}

/* ---- entries ---- */

static const char *text(const json_t *entry, const char *key)
{
    const char *value = json_string_value(json_object_get(entry, key));

    return value ? value : "";
}

static json_t *new_entry(const struct fake_server *s, const struct fake_kind *kind,
                         const char *manager, const char *operation, json_t *set_take)
{
    char now[32];
    json_t *entry = json_object();

    fake_time_text(fake_server_now(s), now);
    json_set_text(entry, "manager", manager);
    json_set_text(entry, "operation", operation);
    json_set_take(entry, "apiVersion",
                  json_sprintf("%s/%s", kind->resource->group, kind->resource->version));
    json_set_text(entry, "time", now);
    json_set_text(entry, "fieldsType", "FieldsV1");
    json_set_take(entry, "fieldsV1", set_take);
    return entry;
}

static const char *manager_of(const struct k8s_request *r)
{
    return r->field_manager ? r->field_manager : "kubectl";
}

static bool is_of(const json_t *entry, const char *manager, const char *operation)
{
    return strcmp(text(entry, "manager"), manager) == 0 &&
           strcmp(text(entry, "operation"), operation) == 0 && !*text(entry, "subresource");
}

static json_t *find(const json_t *entries, const char *manager, const char *operation)
{
    size_t i;
    json_t *entry;

    json_array_foreach (entries, i, entry)
        if (is_of(entry, manager, operation))
            return entry;
    return NULL;
}

static const json_t *entries_of(const json_t *json)
{
    return json_object_get(fake_meta(json), "managedFields");
}

/* Entries without fields go. */
static void tidy(json_t *entries)
{
    for (size_t i = json_array_size(entries); i-- > 0;)
        if (json_object_size(json_at(json_array_get(entries, i), "fieldsV1")) == 0)
            json_array_remove(entries, i);
}

void fake_owners_created(const struct fake_server *s, const struct fake_kind *kind,
                         const struct k8s_request *r, json_t *json)
{
    if (!kind->schema)
        return;
    CLEANUP(json_decref) json_t *tree = fields_of_object(kind->schema, json);
    json_t *entries = json_array();
    json_array_append_new(
        entries,
        new_entry(s, kind, manager_of(r), r->verb == K8S_APPLY ? "Apply" : "Update", set_of(tree)));
    json_object_set_new(fake_meta(json), "managedFields", entries);
}

/* ---- updates ---- */

static bool touches_fields(const json_t *old, const json_t *new)
{
    const char *key;
    json_t *value;

    for (size_t i = 0; i < ARRAY_SIZE(owned_metadata); i++)
        if (json_object_get(fake_meta(old), owned_metadata[i]) !=
            json_object_get(fake_meta(new), owned_metadata[i]))
            return true;
    json_object_foreach ((json_t *) (uintptr_t) new, key, value)
        if (value != json_object_get(old, key) && strcmp(key, "metadata") != 0 &&
            strcmp(key, "status") != 0)
            return true;
    return json_object_size(old) != json_object_size(new);
}

/* Takes json; returns it with other entries, which are taken. */
static json_t *with_entries(json_t *json, json_t *entries)
{
    json_t *own = fake_store_own(json);

    if (json_array_size(entries))
        json_object_set(fake_meta(own), "managedFields", entries);
    else
        json_object_del(fake_meta(own), "managedFields");
    json_decref(entries);
    return own;
}

static void note_changed(const struct fake_server *s, const struct fake_kind *kind,
                         const char *manager, json_t *entries, const json_t *changed,
                         const json_t *now)
{
    CLEANUP(json_decref) json_t *mine = json_deep_copy(changed);
    CLEANUP(json_decref) json_t *all = set_of(now);
    CLEANUP(json_decref) json_t *gone = json_deep_copy(changed);
    size_t i;
    json_t *entry;

    set_subtract(gone, all);
    set_subtract(mine, gone); /* what was removed is nobody's */
    json_array_foreach (entries, i, entry)
        set_subtract(json_object_get(entry, "fieldsV1"), changed);
    if (json_object_size(mine) == 0)
        return;
    entry = find(entries, manager, "Update");
    if (entry)
        set_add(json_object_get(entry, "fieldsV1"), mine);
    else
        json_array_append_new(entries, new_entry(s, kind, manager, "Update", json_incref(mine)));
}

/* A patch may write the entries themselves; [{}] empties them, and then nobody keeps count. */
static bool is_emptied(const json_t *entries)
{
    return json_array_size(entries) == 1 && json_object_size(json_array_get(entries, 0)) == 0;
}

json_t *fake_owners_changed(const struct fake_server *s, const struct fake_object *o,
                            const struct k8s_request *r, json_t *json)
{
    const struct fake_schema *schema = o->kind->schema;

    if (!schema || !entries_of(json))
        return json;
    if (is_emptied(entries_of(json)))
        return with_entries(json, json_array());
    if (!touches_fields(o->json, json))
        return json;
    CLEANUP(json_decref) json_t *before = fields_of_object(schema, o->json);
    CLEANUP(json_decref) json_t *now = fields_of_object(schema, json);
    CLEANUP(json_decref) json_t *changed = difference(before, now);
    json_t *entries = json_deep_copy(entries_of(json));
    note_changed(s, o->kind, manager_of(r), entries, changed, now);
    tidy(entries);
    return with_entries(json, entries);
}

/* ---- apply ---- */

struct conflict {
    const json_t *entry;
    char *path;
};

struct conflicts {
    struct conflict all[64];
    size_t n;
};

/* ".name", "[name=\"A\"]", "[=\"a\"]" */
static char *step(const char *key)
{
    struct buf b = BUF_INIT;
    CLEANUP(json_decref) json_t *keys = NULL;
    struct error err;
    const char *name;
    json_t *value;

    if (*key == 'f')
        return xasprintf(".%s", key + 2);
    if (*key == 'v')
        return xasprintf("[=%s]", key + 2);
    if (!json_parse(key + 2, strlen(key + 2), &keys, &err))
        abort();
    json_object_foreach (keys, name, value)
        buf_addf(&b, "%s%s=\"%s\"", b.len ? "," : "[", name, json_string_value(value));
    buf_addc(&b, ']');
    return buf_take(&b);
}

/* Fields of `theirs` that have another value in `wanted` than in `live`. */
static void find_conflicts(struct conflicts *c, const json_t *entry, const json_t *theirs,
                           const json_t *wanted, const json_t *live, const char *path)
{
    const char *key;
    json_t *want;

    json_object_foreach ((json_t *) (uintptr_t) wanted, key, want) {
        const json_t *their = json_object_get(theirs, key), *is = json_object_get(live, key);

        if (!their || *key == '.')
            continue;
        CLEANUP(free) char *next = step(key);
        CLEANUP(free) char *at = xasprintf("%s%s", path, next);
        if (json_is_object(want) && json_object_size(their))
            find_conflicts(c, entry, their, want, is, at);
        else if (!json_equal(want, (json_t *) (uintptr_t) is) && c->n < ARRAY_SIZE(c->all))
            c->all[c->n++] = (struct conflict) {entry, TAKE(at)};
    }
}

/* "helm"; of one who updates: "kubectl-edit" using G/v1 */
static char *who(const json_t *entry)
{
    if (strcmp(text(entry, "operation"), "Apply") == 0)
        return xasprintf("\"%s\"", text(entry, "manager"));
    return xasprintf("\"%s\" using %s", text(entry, "manager"), text(entry, "apiVersion"));
}

static char *conflict_text(const struct conflicts *c)
{
    struct buf b = BUF_INIT;

    if (c->n == 1) {
        CLEANUP(free) char *name = who(c->all[0].entry);
        return xasprintf("Apply failed with 1 conflict: conflict with %s: %s", name,
                         c->all[0].path);
    }
    buf_addf(&b, "Apply failed with %zu conflicts: ", c->n);
    for (size_t i = 0; i < c->n; i++) {
        CLEANUP(free) char *name = who(c->all[i].entry);

        if (i == 0 || c->all[i].entry != c->all[i - 1].entry)
            buf_addf(&b, "%sconflicts with %s:", i ? "\n" : "", name);
        buf_addf(&b, "\n- %s", c->all[i].path);
    }
    return buf_take(&b);
}

static struct fake_answer conflict_answer(const struct k8s_request *r, const struct conflicts *c)
{
    CLEANUP(free) char *message = conflict_text(c);
    struct fake_answer answer = fake_failure(409, "Conflict", r, NULL, NULL, "%s", message);
    json_t *causes = json_array(), *details = json_object_get(answer.body, "details");

    for (size_t i = 0; i < c->n; i++) {
        CLEANUP(free) char *name = who(c->all[i].entry);

        json_array_append_new(causes, json_pack("{s:s, s:o, s:s}", "reason", "FieldManagerConflict",
                                                "message", json_sprintf("conflict with %s", name),
                                                "field", c->all[i].path));
    }
    json_object_clear(details);
    json_object_set_new(details, "causes", causes);
    return answer;
}

/* The entries of the live object.  Where nobody kept count, all of it was there before. */
static json_t *live_entries(const struct fake_server *s, const struct fake_object *o,
                            const json_t *live)
{
    json_t *entries = json_deep_copy(entries_of(o->json));

    if (entries)
        return entries;
    entries = json_array();
    json_array_append_new(entries,
                          new_entry(s, o->kind, "before-first-apply", "Update", set_of(live)));
    return entries;
}

/* What the manager gives up and nobody else has. */
static json_t *given_up(const json_t *entries, const json_t *mine, const json_t *set)
{
    json_t *gone = json_deep_copy(json_object_get(mine, "fieldsV1")), *entry;
    size_t i;

    if (!gone)
        return json_object();
    set_subtract(gone, set);
    json_array_foreach (entries, i, entry)
        if (entry != mine)
            set_subtract(gone, json_object_get(entry, "fieldsV1"));
    return gone;
}

/* Sets object[key] to what the tree says, unless it is that already. */
static void set_value(json_t *object, const char *key, const json_t *fields)
{
    CLEANUP(json_decref) json_t *value = fields ? value_of(fields) : NULL;
    json_t *before = json_object_get(object, key);

    if (!value)
        json_object_del(object, key);
    else if (!before || !json_equal(before, value))
        json_object_set(object, key, value);
}

static json_t *with_fields(const json_t *live, const json_t *tree)
{
    json_t *json = fake_store_editable(live), *fields;
    const char *key;
    void *next;

    for (size_t i = 0; i < ARRAY_SIZE(owned_metadata); i++) {
        CLEANUP(free) char *name = xasprintf("f:%s", owned_metadata[i]);

        set_value(fake_meta(json), owned_metadata[i],
                  json_object_get(json_object_get(tree, "f:metadata"), name));
    }
    json_object_foreach_safe (json, next, key, fields) {
        CLEANUP(free) char *name = xasprintf("f:%s", key);

        if (strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0 &&
            strcmp(key, "apiVersion") != 0 && strcmp(key, "kind") != 0)
            set_value(json, key, json_object_get(tree, name));
    }
    json_object_foreach ((json_t *) (uintptr_t) tree, key, fields)
        if (strcmp(key, "f:metadata") != 0)
            set_value(json, key + 2, fields);
    return json;
}

/* No conflict: carries it out. */
static json_t *carry_out(const struct fake_server *s, const struct fake_object *o,
                         const struct k8s_request *r, json_t *wanted, json_t *live, json_t *entries)
{
    json_t *mine = find(entries, r->field_manager, "Apply");
    CLEANUP(json_decref) json_t *set = set_of(wanted);
    CLEANUP(json_decref) json_t *gone = given_up(entries, mine, set);
    CLEANUP(json_decref) json_t *same =
        mine ? json_incref(json_object_get(mine, "fieldsV1")) : NULL;

    overlay(live, wanted);
    take_away(live, gone);
    json_t *json = with_fields(o->json, live);
    if (same && json_equal(same, set) && !touches_fields(o->json, json)) {
        json_decref(json);
        return json_incref(o->json);
    }
    if (mine)
        json_object_set(mine, "fieldsV1", set);
    else
        json_array_append_new(entries,
                              new_entry(s, o->kind, r->field_manager, "Apply", json_incref(set)));
    tidy(entries);
    return with_entries(json, json_incref(entries));
}

struct fake_answer fake_owners_apply(const struct fake_server *s, const struct fake_object *o,
                                     const struct k8s_request *r, json_t *body, json_t **ret_json)
{
    CLEANUP(json_decref) json_t *wanted = fields_of_object(o->kind->schema, body);
    CLEANUP(json_decref) json_t *live = fields_of_object(o->kind->schema, o->json);
    CLEANUP(json_decref) json_t *entries = live_entries(s, o, live);
    struct conflicts c = {.n = 0};
    struct fake_answer answer = {0};
    size_t i;
    json_t *entry;

    json_array_foreach (entries, i, entry)
        if (!is_of(entry, r->field_manager, "Apply") && !*text(entry, "subresource"))
            find_conflicts(&c, entry, json_object_get(entry, "fieldsV1"), wanted, live, "");
    if (c.n)
        answer = conflict_answer(r, &c);
    else
        *ret_json = carry_out(s, o, r, wanted, live, entries);
    while (c.n)
        free(c.all[--c.n].path);
    return answer;
}
