/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a workflow is enabled, and what it triggers next (Styx behaviour, 3.8, 3.9). */
#include "apiserver/handlers.h"

#include "apiserver/live.h"
#include "apiserver/owner.h"
#include "base/hash.h"
#include "base/text.h"
#include "model/field.h"
#include "model/styxjson.h"

#define BAD_BODY "Invalid payload."

void workflow_state_get(struct request *req)
{
    const struct workflow *wf = store_workflow(req->api->store, req->params[0], req->params[1]);

    reply_json_take(req, 200, styx_workflow_state(wf, loop_now(req->api->loop, LOOP_OF_DAY)));
}

/*
 * PATCH.  `enabled` is the spec's `suspend`; the instants are a wish to the operator, who alone
 * moves the cursor and answers with the wish's id.  Both are one write under the version that was
 * read: whatever happens to it, nobody ever sees half of it, and a workflow that goes on with
 * another cursor does not go on with the old one first.
 */
struct patch {
    struct live live;
    bool has_enabled, enabled;
    instant next, next_offset; /* INSTANT_NONE: as it is */
    char id[UUID_TEXT_SIZE];   /* of the wish */
    char *replaces;            /* the id of the wish in whose place it was written; may be NULL */
};

static void patch_end(struct job *job)
{
    struct patch *p = (struct patch *) job;

    free(p->replaces);
    live_end(job);
}

static bool has_wish(const struct patch *p)
{
    return p->next != INSTANT_NONE || p->next_offset != INSTANT_NONE;
}

static const struct workflow *stored(const struct patch *p)
{
    return store_workflow_by_name(p->live.job.api->store, p->live.ns, p->live.name);
}

static bool is_confirmed(const struct patch *p, const struct workflow *wf)
{
    return !has_wish(p) || text_equal(wf->status.set_next_id, p->id);
}

static void confirm(struct job *job)
{
    struct patch *p = (struct patch *) job;
    const struct workflow *wf = stored(p);
    instant now = loop_now(job->api->loop, LOOP_OF_DAY);
    struct request *req = job->req;

    if (!wf)
        reply_error(req, 404, "workflow not found");
    else if (is_confirmed(p, wf))
        reply_json_take(req, 200, styx_workflow_state(wf, now));
    else if (!job_timed_out(job))
        job_wait_workflow(job, p->live.ns, p->live.name, API_CONFIRM_MS, confirm);
    else
        reply_json_reason_take(req, 202, API_NOT_CONFIRMED, styx_workflow_state(wf, now));
}

static void on_written(struct live *live, const json_t *object)
{
    (void) object;
    confirm(&live->job);
}

static bool moves_suspend(const struct patch *p, const json_t *object)
{
    return p->has_enabled && json_bool_at(object, "spec.suspend", false) == p->enabled;
}

/* It was, if the answer was lost: the whole patch, whatever somebody has changed since. */
static bool is_written(const struct patch *p, const json_t *object)
{
    return text_equal(json_text_at(object, "spec.setNext.id"), p->id) ||
           text_equal(json_text_at(object, "status.setNextId"), p->id);
}

/* A third wish is there.  Ours may have been done before it, and is not to be done again after it:
 * the partitions from there on would run a second time. */
static bool is_lost_from_sight(const struct patch *p, const json_t *object)
{
    return has_wish(p) && p->live.job.in_doubt &&
           !text_equal(json_text_at(object, "spec.setNext.id"), p->replaces);
}

/* NULL if the operator has done it, or there is none. */
static const json_t *unanswered_wish(const json_t *object)
{
    const char *id = json_text_at(object, "spec.setNext.id"),
               *done = json_text_at(object, "status.setNextId");

    return id && !text_equal(id, done) ? json_at(object, "spec.setNext") : NULL;
}

/* What is not wished is as an earlier wish has it that was accepted and not done, else null: it
 * would stay from one that was done. */
static void put_wished(json_t *wish, const char *key, instant t, const json_t *earlier)
{
    json_t *wished = json_object_get(earlier, key);

    if (t == INSTANT_NONE && wished)
        json_object_set(wish, key, wished);
    else
        field_put_instant(wish, key, t);
}

static json_t *encode_wish(const struct patch *p, const json_t *object)
{
    const json_t *earlier = unanswered_wish(object);
    json_t *wish = json_object();

    json_set_text(wish, "id", p->id);
    put_wished(wish, "next", p->next, earlier);
    put_wished(wish, "nextOffset", p->next_offset, earlier);
    return wish;
}

/* What is not so already. */
static json_t *encode_spec(const struct patch *p, const json_t *object)
{
    json_t *spec = json_object();

    if (moves_suspend(p, object))
        json_set_bool(spec, "suspend", !p->enabled);
    if (has_wish(p))
        json_set_take(spec, "setNext", encode_wish(p, object));
    return spec;
}

static void write_patch(struct patch *p, const json_t *object)
{
    CLEANUP(free) char *owners =
        moves_suspend(p, object) ? owner_foreign_text(object, "suspend") : NULL;
    CLEANUP(json_decref) json_t *spec = encode_spec(p, object);

    free(p->replaces);
    p->replaces = xstrdup(json_text_at(object, "spec.setNext.id"));
    if (owners)
        live_refuse_owners(&p->live, owners);
    else if (json_object_size(spec) == 0)
        confirm(&p->live.job);
    else
        live_patch_take(&p->live, json_pack("{s:O}", "spec", spec), on_written);
}

/* Now, and again when the object changed under our hands or an answer was lost. */
static void on_known(struct live *live, const json_t *object)
{
    struct patch *p = (struct patch *) live;

    if (!object || json_text_at(object, "metadata.deletionTimestamp"))
        reply_error(live->job.req, 404, "workflow not found");
    else if (is_written(p, object))
        confirm(&live->job);
    else if (is_lost_from_sight(p, object))
        job_lose_sight(&live->job, "set what comes next");
    else
        write_patch(p, object);
}

static bool read_patch(const json_t *body, struct patch *p, struct error *err)
{
    p->has_enabled = styx_is_given(body, "enabled");
    p->next = p->next_offset = INSTANT_NONE;
    return (styx_read_bool(body, "enabled", &p->enabled, err) &&
            styx_read_instant(body, "next_natural_trigger", &p->next, err) &&
            styx_read_instant(body, "next_natural_offset_trigger", &p->next_offset, err)) ||
           error_set(err, ERROR_INVALID, BAD_BODY " %s", err->text);
}

/* The phrase of a body that cannot be read is Styx's; what is wrong with it stands in ours. */
static void refuse_body(struct request *req, const struct error *err)
{
    const char *phrase = req->body_len > 0 ? BAD_BODY : NULL;

    reply_refusal(req, &(struct reply) {.status = 400, .reason = phrase}, err->text);
}

void workflow_state_patch(struct request *req)
{
    const struct workflow *wf = store_workflow(req->api->store, req->params[0], req->params[1]);
    CLEANUP(json_decref) json_t *body = NULL;
    struct patch read = {0};
    struct error err;

    if (req->body_len > 0 && !wf) {
        reply_error(req, 404, "workflow not found");
        return;
    }
    if (!request_json(req, "Missing payload.", BAD_BODY " ", &body, &err) ||
        !read_patch(body, &read, &err)) {
        refuse_body(req, &err);
        return;
    }
    struct patch *p = job_new(req, sizeof(*p), patch_end);
    p->has_enabled = read.has_enabled;
    p->enabled = read.enabled;
    p->next = read.next;
    p->next_offset = read.next_offset;
    uuid4(p->id);
    live_begin(&p->live, wf->id.ns, wf->id.name, on_known);
}
