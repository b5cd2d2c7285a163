/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/trace.h"

#include "base/buf.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHANGES_MAX 400 /* bytes of a line */

struct trace {
    FILE *out;
    struct world *world;
    struct fake_watcher watcher;
    uint64_t hash;
};

static void add_hash(struct trace *t, const char *text)
{
    for (; text && *text; text++)
        t->hash = (t->hash ^ (unsigned char) *text) * 0x100000001b3u;
    t->hash = (t->hash ^ '\n') * 0x100000001b3u;
}

static void write_line(struct trace *t, const char *actor, const char *what)
{
    char when[INSTANT_TEXT_MAX];

    if (!t->out)
        return;
    instant_print_micro(loop_now(t->world->loop, LOOP_OF_DAY), when);
    fprintf(t->out, "%s  %-14s %s\n", when, actor, what);
}

/* ---- what changed ---- */

static void add_value(struct buf *b, const json_t *value)
{
    CLEANUP(free) char *text =
        value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : xstrdup("nothing");

    buf_addf(b, "%.80s%s", text, strlen(text) > 80 ? "..." : "");
}

static void add_changes(struct buf *b, const char *path, const json_t *old, const json_t *new);

static void add_member(struct buf *b, const char *path, const char *key, const json_t *old,
                       const json_t *new)
{
    CLEANUP(free) char *below = xasprintf("%s%s%s", path, *path ? "." : "", key);

    add_changes(b, below, json_object_get(old, key), json_object_get(new, key));
}

static void add_changes(struct buf *b, const char *path, const json_t *old, const json_t *new)
{
    const char *key;
    json_t *value;

    if (old == new || (old && new &&json_equal(old, new)) || b->len > CHANGES_MAX)
        return;
    if (strcmp(path, "metadata.resourceVersion") == 0 || strcmp(path, "status.events") == 0)
        return;
    if (!json_is_object(old) || !json_is_object(new)) {
        buf_addf(b, "%s%s ", b->len ? ", " : "", path);
        add_value(b, old);
        buf_adds(b, " → ");
        add_value(b, new);
        return;
    }
    json_object_foreach ((json_t *) (uintptr_t) old, key, value)
        add_member(b, path, key, old, new);
    json_object_foreach ((json_t *) (uintptr_t) new, key, value)
        if (!json_object_get(old, key))
            add_member(b, path, key, NULL, new);
}

static void on_change(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                      void *arg)
{
    struct trace *t = arg;
    CLEANUP(free) char *whole = new ? json_dumps(new, JSON_COMPACT) : NULL;
    const char *name = json_text_at(new ? new : old, "metadata.name");
    struct buf changes = BUF_INIT, line = BUF_INIT;

    add_hash(t, resource->plural);
    add_hash(t, name);
    add_hash(t, whole);
    if (t->out && strcmp(resource->plural, "leases") != 0) {
        if (old && new)
            add_changes(&changes, "", old, new);
        buf_addf(&line, "%s %s: %s", resource->plural, name,
                 !old   ? "made"
                 : !new ? "gone"
                        : buf_text(&changes));
        write_line(t, "change", buf_text(&line));
    }
    buf_done(&changes);
    buf_done(&line);
}

static void on_request(const char *user, const struct k8s_request *r, int status, void *arg)
{
    struct trace *t = arg;
    CLEANUP(free) char *line = xasprintf(
        "%s %s%s%s %s → %d", k8s_verb_name(r->verb), r->resource->plural, r->subresource ? "/" : "",
        r->subresource ? r->subresource : "", r->name ? r->name : "", status);

    add_hash(t, user);
    add_hash(t, line);
    add_hash(t, r->body);
    if (strcmp(r->resource->plural, "leases") != 0 || status >= 300)
        write_line(t, *user ? user : "late", line);
}

void trace_note(struct trace *t, const char *actor, const char *what, const char *name)
{
    if (!t)
        return;
    CLEANUP(free) char *line = xasprintf("%s%s%s", what, name ? " " : "", name ? name : "");
    add_hash(t, line);
    write_line(t, actor, line);
}

static void on_log(const char *line, size_t len, void *arg)
{
    struct trace *t = arg;

    if (t->out)
        fprintf(t->out, "%26s%.*s", "", (int) len, line);
}

static int64_t log_clock(void *arg)
{
    const struct trace *t = arg;

    return loop_now(t->world->loop, LOOP_OF_DAY);
}

struct trace *trace_new(FILE *out)
{
    struct trace *t = NEW(struct trace);

    t->out = out;
    t->hash = 0xcbf29ce484222325u;
    return t;
}

void trace_free(struct trace *t)
{
    free(t);
}

void trace_attach(struct trace *t, struct world *world)
{
    t->world = world;
    t->watcher = (struct fake_watcher) {.on_change = on_change, .on_request = on_request, .arg = t};
    fake_watcher_add(world->fake, &t->watcher);
    if (t->out) {
        log_setup(LOG_TEXT, LOG_INFO);
        log_redirect(on_log, log_clock, t);
    }
}

void trace_detach(struct trace *t)
{
    fake_watcher_remove(&t->watcher);
}

uint64_t trace_hash(const struct trace *t)
{
    return t->hash;
}
