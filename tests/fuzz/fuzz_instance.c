/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of WorkflowInstance objects (model/instance.h), for any JSON object:
 *
 *  - it is decoded, or the problem names a path in spec or status;
 *  - what is encoded of its run is decoded as the same (fuzz_json.h); the events that are kept are
 *    the newest and that of the trigger, and the others are counted;
 *  - the trigger that is wished for has a seq and a key, and is the same whenever it is asked for;
 *  - any list of events has a history, and all answers about it are JSON.
 */
#include "model/styxjson.h"

#include "fuzz_json.h"

static void check_problem(const char *problem)
{
    FUZZ_CHECK(strncmp(problem, "spec", 4) == 0 || strncmp(problem, "status", 6) == 0);
    FUZZ_CHECK(strchr(problem, ':') && utf8_valid(problem));
}

static void check_kept(const struct run *run, size_t n_before, int64_t dropped_before,
                       int64_t last_counter)
{
    FUZZ_CHECK(run->n_events <= n_before);
    FUZZ_CHECK(run->events_dropped - dropped_before == (int64_t) (n_before - run->n_events));
    if (run->n_events)
        FUZZ_CHECK(run->n_events == 1 || run->events[run->n_events - 1].counter == last_counter);
}

static json_t *encode(const json_t *like, struct run *run)
{
    return fuzz_reread_take(fuzz_join_take(like, json_incref(json_object_get(like, "spec")),
                                           run_encode_status(run, 1)));
}

static void check_inverse(const json_t *object, struct run *run)
{
    size_t n = run->n_events;
    int64_t dropped = run->events_dropped, last = n ? run->events[n - 1].counter : 0;
    CLEANUP(json_decref) json_t *one = encode(object, run);
    CLEANUP(instance_free) struct instance *again = instance_decode(one);

    check_kept(run, n, dropped, last);
    FUZZ_CHECK(!again->problem);
    CLEANUP(json_decref) json_t *two = encode(object, &again->run);
    fuzz_check_same(one, two);
}

/* ad-hoc-cli-<13 digits or more>-<5 digits> */
static void check_id(const char *id)
{
    const char *time = id + strlen("ad-hoc-cli-");

    FUZZ_CHECK(strncmp(id, "ad-hoc-cli-", strlen("ad-hoc-cli-")) == 0);
    size_t digits = strspn(time, "0123456789");
    FUZZ_CHECK(digits >= 13 && time[digits] == '-');
    FUZZ_CHECK(strspn(time + digits + 1, "0123456789") == 5 && strlen(time) == digits + 6);
}

static void check_trigger(const struct instance *inst)
{
    struct run_trigger wanted, again;

    instance_wanted_trigger(inst, &wanted);
    instance_wanted_trigger(inst, &again);
    FUZZ_CHECK(wanted.seq > 0 && wanted.seq == again.seq);
    if (inst->trigger.seq == 0) {
        check_id(wanted.id);
        FUZZ_CHECK(strcmp(wanted.id, again.id) == 0 && strcmp(wanted.id, wanted.key) == 0);
    }
    FUZZ_CHECK(instance_active(inst) || inst->run.seq >= wanted.seq);
    run_trigger_done(&wanted);
    run_trigger_done(&again);
}

static void check_answer_take(json_t *json)
{
    json_decref(fuzz_reread_take(json));
}

static void check_answers(const struct instance *inst)
{
    const struct styx_instance id = {"billing", inst->workflow, inst->parameter};
    struct history history;

    history_derive(inst->run.events, inst->run.n_events, &history);
    check_answer_take(styx_instance_execution(&id, &history));
    check_answer_take(styx_events(&id, inst->run.events, inst->run.n_events));
    check_answer_take(styx_run_state(&id, inst));
    history_done(&history);
}

static void check(const json_t *object)
{
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);

    if (inst->problem) {
        check_problem(inst->problem);
        return;
    }
    FUZZ_CHECK(inst->workflow && inst->parameter);
    check_trigger(inst);
    check_answers(inst);
    check_inverse(object, &inst->run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *object = fuzz_object(data, len);

    if (object)
        check(object);
    json_decref(object);
    return 0;
}
