/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the body of a deployment (styx_workflow_decode), for any bytes:
 *
 *  - it is read, or the reason says so in one sentence and nothing is changed;
 *  - what is stored of it is decoded as the same;
 *  - the configuration that an answer shows can be sent again, and is then shown as the same.
 */
#include "model/styxjson.h"
#include "model/validate.h"

#include "fuzz_json.h"

static json_t *store(const struct workflow *wf)
{
    return fuzz_reread_take(fuzz_join_take(NULL, workflow_encode_spec(wf), NULL));
}

static void check_stored(const struct workflow *wf)
{
    CLEANUP(json_decref) json_t *one = store(wf);
    CLEANUP(workflow_free) struct workflow *again = workflow_decode(one);

    FUZZ_CHECK(!again->problem);
    CLEANUP(json_decref) json_t *two = store(again);
    fuzz_check_same(one, two);
}

static void check_shown(const struct workflow *wf)
{
    CLEANUP(json_decref) json_t *one = fuzz_reread_take(styx_workflow(wf));
    CLEANUP(workflow_free) struct workflow *again = NULL;
    struct error err;

    FUZZ_CHECK(styx_workflow_decode(json_at(one, "configuration"), wf->component_id, &again, &err));
    CLEANUP(json_decref) json_t *two = fuzz_reread_take(styx_workflow(again));
    fuzz_check_same(one, two);
}

static void check_rules(const struct workflow *wf)
{
    struct validate_limits limits = {.max_running_timeout_ms = DAY_MS};
    struct texts errors = {0};

    workflow_validate(wf, &limits, &errors);
    for (size_t i = 0; i < errors.n; i++)
        FUZZ_CHECK(*errors.items[i] && utf8_valid(errors.items[i]));
    texts_done(&errors);
}

static void check(const json_t *body)
{
    CLEANUP(workflow_free) struct workflow *wf = NULL;
    struct error err = {0};

    if (!styx_workflow_decode(body, "billing", &wf, &err)) {
        FUZZ_CHECK(!wf && err.code == ERROR_INVALID && utf8_valid(err.text));
        FUZZ_CHECK(strncmp(err.text, "Invalid payload. ", 17) == 0 && strchr(err.text, ':'));
        return;
    }
    FUZZ_CHECK(wf->workflow_id && wf->schedule && strcmp(wf->component_id, "billing") == 0);
    check_stored(wf);
    check_shown(wf);
    check_rules(wf);
}

/* STYX-HTTP-04, STYX-HTTP-05, STYX-HTTP-06 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *body = fuzz_object(data, len);

    if (body)
        check(body);
    json_decref(body);
    return 0;
}
