/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of Workflow objects (model/workflow.h), for any JSON object:
 *
 *  - it is decoded, or the problem names a path in spec or status;
 *  - a cursor that was set has both of its instants;
 *  - what is encoded is decoded without a problem, as the same (fuzz_json.h);
 *  - the rules can be asked, and say everything in UTF-8; where they allow it, it can be scheduled.
 */
#include "model/validate.h"

#include "fuzz_json.h"

static void check_problem(const char *problem)
{
    FUZZ_CHECK(strncmp(problem, "spec", 4) == 0 || strncmp(problem, "status", 6) == 0);
    FUZZ_CHECK(strchr(problem, ':') && utf8_valid(problem));
}

static void check_texts(const struct texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        FUZZ_CHECK(*texts->items[i] && utf8_valid(texts->items[i]));
}

static void check_rules(const struct workflow *wf)
{
    struct validate_limits limits = {.max_running_timeout_ms = DAY_MS};
    struct texts errors = {0};
    struct schedule schedule;
    struct offset offset;
    struct error err;

    workflow_validate(wf, &limits, &errors);
    check_texts(&errors);
    if (!errors.n) {
        FUZZ_CHECK(schedule_parse(wf->schedule, &schedule, &err));
        FUZZ_CHECK(!wf->offset || offset_parse(wf->offset, &offset, &err));
    }
    workflow_not_supported(wf, &errors);
    check_texts(&errors);
    CLEANUP(free) char *joined = validate_join(&errors);
    FUZZ_CHECK(utf8_valid(joined));
    texts_done(&errors);
}

/* What is kept as text, to the last digit. */
static void check_text(const char *one, const char *other)
{
    FUZZ_CHECK(!one == !other && (!one || strcmp(one, other) == 0));
}

static json_t *encode(const json_t *like, const struct workflow *wf)
{
    return fuzz_reread_take(
        fuzz_join_take(like, workflow_encode_spec(wf), workflow_encode_status(&wf->status)));
}

static void check_inverse(const json_t *object, const struct workflow *wf)
{
    CLEANUP(json_decref) json_t *one = encode(object, wf);
    CLEANUP(workflow_free) struct workflow *again = workflow_decode(one);

    FUZZ_CHECK(!again->problem);
    check_text(wf->template.pod_template, again->template.pod_template);
    check_text(wf->flyte, again->flyte);
    CLEANUP(json_decref) json_t *two = encode(object, again);
    fuzz_check_same(one, two);
}

static void check(const json_t *object)
{
    CLEANUP(workflow_free) struct workflow *wf = workflow_decode(object);
    const struct cursor *cursor = &wf->status.cursor;

    FUZZ_CHECK(wf->id.ns && wf->id.name && wf->id.uid);
    FUZZ_CHECK(workflow_component(wf) && workflow_id(wf));
    FUZZ_CHECK(wf->status.n_skipped <= WORKFLOW_MAX_SKIPPED);
    if (wf->problem) {
        check_problem(wf->problem);
        return;
    }
    FUZZ_CHECK(wf->schedule && wf->max_active > 0);
    FUZZ_CHECK(cursor->epoch == 0 ||
               (cursor->next != INSTANT_NONE && cursor->next_offset != INSTANT_NONE));
    check_inverse(object, wf);
    check_rules(wf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *object = fuzz_object(data, len);

    if (object)
        check(object);
    json_decref(object);
    return 0;
}
