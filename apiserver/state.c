/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a workflow is enabled, and what it triggers next (Styx behaviour, 3.8, 3.9). */
#include "apiserver/handlers.h"

#include "apiserver/live.h"
#include "apiserver/owner.h"
#include "base/hash.h"
#include "model/field.h"
#include "model/styxjson.h"

#include <string.h>

#define NOT_CONFIRMED "Accepted, not yet confirmed by the operator"

void workflow_state_get(struct request *req)
{
    const struct workflow *wf = store_workflow(req->api->store, req->params[0], req->params[1]);

    reply_json_take(req, 200, styx_workflow_state(wf, loop_now(req->api->loop, LOOP_OF_DAY)));
}

/*
 * PATCH.  `enabled` is the spec's `suspend`; the instants are a wish to the operator, who alone
 * moves the cursor and answers with the wish's id.  Where both are given the wish comes last: what
 * a workflow passes by when it is enabled again is not what was wished for.
 */
struct patch {
    struct live live;
    bool has_enabled, enabled;
    instant next, next_offset; /* INSTANT_NONE: as it is */
    char id[UUID_TEXT_SIZE];   /* of the wish */
    bool enabled_done, wish_done;
};

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
    const char *done = wf->status.set_next_id;

    return !has_wish(p) || (done && strcmp(done, p->id) == 0);
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
        reply_json_reason_take(req, 202, NOT_CONFIRMED, styx_workflow_state(wf, now));
}

static void take_step(struct patch *p);

static void on_suspend_written(struct live *live, const json_t *object)
{
    struct patch *p = (struct patch *) live;

    (void) object;
    p->enabled_done = true;
    take_step(p);
}

static void on_wish_written(struct live *live, const json_t *object)
{
    struct patch *p = (struct patch *) live;

    (void) object;
    p->wish_done = true;
    take_step(p);
}

static void write_suspend(struct patch *p)
{
    live_apply_take(&p->live, OWNER_STATE, json_pack("{s:b}", "suspend", !p->enabled),
                    on_suspend_written);
}

/* What is not wished is null: it would stay from an earlier wish. */
static void write_wish(struct patch *p)
{
    json_t *wish = json_object();

    json_set_text(wish, "id", p->id);
    field_put_instant(wish, "next", p->next);
    field_put_instant(wish, "nextOffset", p->next_offset);
    live_patch_take(&p->live, json_pack("{s:{s:o}}", "spec", "setNext", wish), on_wish_written);
}

static void take_step(struct patch *p)
{
    bool set_enabled = p->has_enabled && !p->enabled_done;
    bool wish = has_wish(p) && !p->wish_done;

    if (set_enabled)
        write_suspend(p);
    else if (wish)
        write_wish(p);
    else
        confirm(&p->live.job);
}

static void on_known(struct live *live, const json_t *object)
{
    struct patch *p = (struct patch *) live;

    if (!object || json_text_at(object, "metadata.deletionTimestamp"))
        reply_error(live->job.req, 404, "workflow not found");
    else
        take_step(p);
}

static bool read_patch(const json_t *body, struct patch *p, struct error *err)
{
    p->has_enabled = json_at(body, "enabled");
    p->next = p->next_offset = INSTANT_NONE;
    return styx_read_bool(body, "enabled", &p->enabled, err) &&
           styx_read_instant(body, "next_natural_trigger", &p->next, err) &&
           styx_read_instant(body, "next_natural_offset_trigger", &p->next_offset, err);
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
    if (!request_json(req, "Missing payload.", "Invalid payload. ", &body, &err)) {
        reply_failure(req, &err);
        return;
    }
    if (!read_patch(body, &read, &err)) {
        reply_error(req, 400, "Invalid payload. %s", err.text);
        return;
    }
    struct patch *p = job_new(req, sizeof(*p), live_end);
    p->has_enabled = read.has_enabled;
    p->enabled = read.enabled;
    p->next = read.next;
    p->next_offset = read.next_offset;
    uuid4(p->id);
    live_begin(&p->live, wf->id.ns, wf->id.name, on_known);
}
