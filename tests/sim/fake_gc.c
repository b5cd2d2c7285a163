/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake's garbage collector: what has lost its owners is deleted; owners that are deleted in the
 * foreground wait for what blocks them; orphans lose their references.
 */
#include "sim/fake_admission.h"

#include <string.h>

#define DELAY_MS   30
#define FOREGROUND "foregroundDeletion"
#define ORPHAN     "orphan"

static struct fake_object *by_uid(const struct fake_server *s, const char *uid)
{
    struct map_node *node = uid ? map_get(&s->by_uid, uid) : NULL;

    return node ? container_of(node, struct fake_object, by_uid) : NULL;
}

static void come_soon(struct fake_server *s)
{
    if (!loop_timer_armed(&s->gc))
        loop_timer_set(s->loop, &s->gc, LOOP_MONOTONIC,
                       loop_now(s->loop, LOOP_MONOTONIC) + DELAY_MS);
}

static void suspect(struct fake_server *s, struct fake_object *o)
{
    if (!list_linked(&o->suspect))
        list_push_back(&s->suspects, &o->suspect);
    come_soon(s);
}

static struct fake_owner *first_dependent(const struct fake_server *s, const char *uid)
{
    struct map_node *node = map_get(&s->by_owner, uid);

    return node ? container_of(node, struct fake_owner, by_owner) : NULL;
}

static struct fake_owner *next_dependent(const struct fake_owner *owner)
{
    struct map_node *node = map_next_same(&owner->by_owner);

    return node ? container_of(node, struct fake_owner, by_owner) : NULL;
}

static const json_t *owners_of(const json_t *json)
{
    return json_object_get(fake_meta(json), "ownerReferences");
}

/* ---- who belongs to whom ---- */

static void link_owners(struct fake_server *s, struct fake_object *o)
{
    const json_t *all = owners_of(o->json);
    size_t i;
    json_t *one;

    if (json_array_size(all) == 0)
        return;
    o->owners = xcalloc(json_array_size(all), sizeof(*o->owners));
    json_array_foreach (all, i, one) {
        struct fake_owner *owner = &o->owners[o->n_owners++];

        owner->object = o;
        owner->uid = xstrdup(json_text_at(one, "uid"));
        map_add(&s->by_owner, &owner->by_owner, owner->uid ? owner->uid : "");
    }
    suspect(s, o);
}

static void unlink_owners(struct fake_server *s, struct fake_object *o)
{
    for (size_t i = 0; i < o->n_owners; i++) {
        struct fake_object *owner = by_uid(s, o->owners[i].uid);

        map_remove(&s->by_owner, &o->owners[i].by_owner);
        free(o->owners[i].uid);
        if (owner && fake_is_deleting(owner->json))
            suspect(s, owner);
    }
    free(o->owners);
    o->owners = NULL;
    o->n_owners = 0;
}

void fake_gc_added(struct fake_server *s, struct fake_object *o)
{
    link_owners(s, o);
}

void fake_gc_changed(struct fake_server *s, struct fake_object *o, const json_t *old)
{
    const json_t *before = owners_of(old), *now = owners_of(o->json);

    if (before != now && !json_equal(before, now)) {
        unlink_owners(s, o);
        link_owners(s, o);
    }
    if (!fake_is_deleting(old) && fake_is_deleting(o->json) && fake_has_finalizers(o->json))
        suspect(s, o);
}

void fake_gc_removed(struct fake_server *s, struct fake_object *o)
{
    list_remove(&o->suspect);
    unlink_owners(s, o);
    for (struct fake_owner *d = first_dependent(s, o->uid); d; d = next_dependent(d))
        suspect(s, d->object);
    if (s->n_terminating)
        come_soon(s);
}

/* ---- what is done about it ---- */

static bool has_finalizer(const json_t *json, const char *name)
{
    size_t i;
    json_t *one;

    json_array_foreach (json_object_get(fake_meta(json), "finalizers"), i, one)
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    return false;
}

void fake_gc_remove_finalizer(struct fake_server *s, struct fake_object *o, const char *name)
{
    json_t *json = fake_store_editable(o->json), *rest = json_array(), *one;
    size_t i;

    json_array_foreach (json_object_get(fake_meta(json), "finalizers"), i, one)
        if (strcmp(json_string_value(one), name) != 0)
            json_array_append(rest, one);
    json_object_set_new(fake_meta(json), "finalizers", rest);
    if (json_array_size(rest) == 0)
        json_object_del(fake_meta(json), "finalizers");
    fake_server_change(s, o, json);
}

static void disown(struct fake_server *s, struct fake_object *o, const char *owner)
{
    json_t *json = fake_store_editable(o->json), *rest = json_array(), *one;
    size_t i;

    json_array_foreach (owners_of(json), i, one)
        if (strcmp(json_text_at(one, "uid"), owner) != 0)
            json_array_append(rest, one);
    json_object_set_new(fake_meta(json), "ownerReferences", rest);
    if (json_array_size(rest) == 0)
        json_object_del(fake_meta(json), "ownerReferences");
    fake_server_change(s, o, json);
}

static void release_dependents(struct fake_server *s, struct fake_object *o)
{
    struct fake_owner *d;

    while ((d = first_dependent(s, o->uid)))
        disown(s, d->object, o->uid);
    fake_gc_remove_finalizer(s, o, ORPHAN);
}

static bool blocks(const struct fake_object *dependent, const char *owner)
{
    size_t i;
    json_t *one;

    json_array_foreach (owners_of(dependent->json), i, one)
        if (strcmp(json_text_at(one, "uid"), owner) == 0)
            return json_bool_at(one, "blockOwnerDeletion", false);
    return false;
}

/* True: something still blocks it. */
static bool delete_blocking(struct fake_server *s, const struct fake_object *o)
{
    struct fake_owner *d = first_dependent(s, o->uid), *next;
    bool blocked = false;

    for (; d; d = next) {
        next = next_dependent(d);
        if (!blocks(d->object, o->uid))
            continue;
        if (!fake_is_deleting(d->object->json))
            fake_server_delete(s, d->object, -1);
        blocked = true;
    }
    return blocked;
}

static bool is_orphan(const struct fake_server *s, const struct fake_object *o)
{
    for (size_t i = 0; i < o->n_owners; i++)
        if (by_uid(s, o->owners[i].uid))
            return false;
    return o->n_owners > 0 && !fake_is_deleting(o->json);
}

static void look(struct fake_server *s, struct fake_object *o)
{
    if (is_orphan(s, o))
        fake_server_delete(s, o, -1);
    else if (!fake_is_deleting(o->json))
        return;
    else if (has_finalizer(o->json, ORPHAN))
        release_dependents(s, o);
    else if (has_finalizer(o->json, FOREGROUND) && !delete_blocking(s, o))
        fake_gc_remove_finalizer(s, o, FOREGROUND);
}

static void collect(void *arg)
{
    struct fake_server *s = arg;
    struct list *link;

    while ((link = list_pop_front(&s->suspects)))
        look(s, list_entry(link, struct fake_object, suspect));
    if (s->n_terminating)
        fake_admission_end_namespaces(s);
}

void fake_gc_init(struct fake_server *s)
{
    map_init(&s->by_owner);
    list_init(&s->suspects);
    s->gc = (struct loop_timer) {.on_time = collect, .arg = s};
}

void fake_gc_done(struct fake_server *s)
{
    loop_timer_cancel(s->loop, &s->gc);
    map_done(&s->by_owner);
}
