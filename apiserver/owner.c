/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/owner.h"

#include "base/buf.h"

#include <string.h>

static bool is_applier(const json_t *entry, const char *manager)
{
    const char *name = json_text_at(entry, "manager"),
               *operation = json_text_at(entry, "operation");

    return name && operation && strcmp(name, manager) == 0 && strcmp(operation, "Apply") == 0 &&
           !json_text_at(entry, "subresource");
}

static json_t *find_applier(const json_t *managed, const char *manager)
{
    size_t i;
    json_t *entry;

    json_array_foreach (managed, i, entry)
        if (is_applier(entry, manager))
            return entry;
    return NULL;
}

/* fieldsV1.f:spec; made if it is not there. */
static json_t *spec_fields(json_t *entry)
{
    json_t *fields = json_object_get(entry, "fieldsV1");

    if (!json_is_object(fields)) {
        json_object_set_new(entry, "fieldsV1", json_object());
        fields = json_object_get(entry, "fieldsV1");
    }
    if (!json_is_object(json_object_get(fields, "f:spec")))
        json_object_set_new(fields, "f:spec", json_object());
    return json_object_get(fields, "f:spec");
}

static void add_state_owner(json_t *managed, const json_t *like)
{
    json_t *entry = find_applier(managed, OWNER_STATE);

    if (!entry) {
        entry =
            json_pack("{s:s, s:s, s:s, s:O*, s:O*}", "manager", OWNER_STATE, "operation", "Apply",
                      "fieldsType", "FieldsV1", "apiVersion", json_object_get(like, "apiVersion"),
                      "time", json_object_get(like, "time"));
        json_array_append_new(managed, entry);
    }
    json_object_set_new(spec_fields(entry), "f:suspend", json_object());
}

char *owner_hand_over(const json_t *object)
{
    const char *version = json_text_at(object, "metadata.resourceVersion");
    CLEANUP(json_decref) json_t *managed =
        json_deep_copy(json_at(object, "metadata.managedFields"));
    json_t *entry = find_applier(managed, OWNER_CONFIGURATION);

    if (!entry || !version || !json_object_get(spec_fields(entry), "f:suspend"))
        return NULL;
    json_object_del(spec_fields(entry), "f:suspend");
    add_state_owner(managed, entry);
    CLEANUP(json_decref) json_t *patch = json_pack("{s:{s:s, s:O}}", "metadata", "resourceVersion",
                                                   version, "managedFields", managed);
    return json_print(patch);
}

static bool has_spec_field(const json_t *entry, const char *name)
{
    const json_t *fields = json_object_get(json_object_get(entry, "fieldsV1"), "f:spec");
    CLEANUP(free) char *key = xasprintf("f:%s", name);

    return !json_text_at(entry, "subresource") && json_object_get(fields, key);
}

static void add_owner(struct buf *b, const char *field, const char *manager, size_t len)
{
    buf_addf(b, "%s%s is managed by \"%.*s\"", b->len ? ", " : "", field, (int) len, manager);
}

char *owner_foreign_text(const json_t *object, const char *field)
{
    CLEANUP(free) char *path = xasprintf("spec.%s", field);
    struct buf b = BUF_INIT;
    size_t i;
    json_t *entry;

    json_array_foreach (json_at(object, "metadata.managedFields"), i, entry) {
        const char *manager = json_text_at(entry, "manager");

        if (manager && has_spec_field(entry, field) && strcmp(manager, OWNER_STATE) != 0 &&
            strcmp(manager, OWNER_CONFIGURATION) != 0)
            add_owner(&b, path, manager, strlen(manager));
    }
    return b.len ? buf_take(&b) : NULL;
}

/* What stands between the first two quotation marks: the manager is in the text only. */
static const char *manager_of(const json_t *cause, size_t *ret_len)
{
    const char *message = json_text_at(cause, "message");
    const char *begin = message ? strchr(message, '"') : NULL;
    const char *end = begin ? strchr(begin + 1, '"') : NULL;

    if (!end)
        return NULL;
    *ret_len = (size_t) (end - begin) - 1;
    return begin + 1;
}

static bool is_owner_conflict(const json_t *cause)
{
    const char *reason = json_text_at(cause, "reason");

    return reason && strcmp(reason, "FieldManagerConflict") == 0;
}

char *owner_conflict_text(const json_t *status)
{
    struct buf b = BUF_INIT;
    size_t i, len;
    json_t *cause;

    json_array_foreach (json_at(status, "details.causes"), i, cause) {
        const char *field = json_text_at(cause, "field"), *manager = manager_of(cause, &len);

        if (!is_owner_conflict(cause) || !field || !manager)
            continue;
        add_owner(&b, field + (*field == '.'), manager, len);
    }
    return b.len ? buf_take(&b) : NULL;
}

bool owner_conflict_only_with(const json_t *status, const char *manager)
{
    size_t i, len, n = 0;
    json_t *cause;

    json_array_foreach (json_at(status, "details.causes"), i, cause) {
        const char *who = manager_of(cause, &len);

        if (!is_owner_conflict(cause) || !who)
            continue;
        if (strlen(manager) != len || memcmp(who, manager, len) != 0)
            return false;
        n++;
    }
    return n > 0;
}
