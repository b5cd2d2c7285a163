/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of pods as they are seen (model/attempt.h, k8s/client.h), for any JSON object, made by
 * anybody:
 *
 *  - exit codes are believed as they are written, or not at all;
 *  - an end is concluded only of a container that has terminated or of a pod that is gone, an error
 *    has a text for people, and all texts are UTF-8;
 *  - a pod is ours only under the name that follows from its record;
 *  - a pod that is gone stays so whatever state the run is in; only one that is gated may wait for
 *    ever.
 */
#include "k8s/client.h"
#include "model/attempt.h"

#include "fuzz_json.h"

static void check_text(const char *text)
{
    FUZZ_CHECK(!text || utf8_valid(text));
}

static const json_t *main_status(const json_t *object)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_at(object, "status.containerStatuses"), i, item) {
        const char *name = json_text_at(item, "name");

        if (name && strcmp(name, MAIN_CONTAINER) == 0)
            return item;
    }
    return NULL;
}

static void check_exit(const json_t *object, const struct pod *pod)
{
    const json_t *code = json_at(main_status(object), "state.terminated.exitCode");

    FUZZ_CHECK(!pod->has_exit || json_is_integer(code));
    FUZZ_CHECK(!pod->has_exit || pod->exit_code == json_integer_value(code));
}

static void check_observation(const struct pod *pod, enum run_state state)
{
    struct observation o;

    pod_observe(pod, state, &o);
    check_text(o.message);
    FUZZ_CHECK(o.kind != OBSERVED_ERROR || (o.message && *o.message));
    FUZZ_CHECK(o.kind != OBSERVED_TERMINATED || (o.message && pod->main_terminated));
    FUZZ_CHECK(o.kind != OBSERVED_TIMEOUT || pod_gone(pod));
    FUZZ_CHECK(o.kind == OBSERVED_ERROR || !o.free);
    FUZZ_CHECK(o.kind == OBSERVED_TERMINATED || !o.has_exit);
    FUZZ_CHECK(o.kind == OBSERVED_NOTHING || !run_state_terminal(state));
    observation_done(&o);
}

static void check_record(const struct pod *pod)
{
    char name[EXECUTION_ID_MAX];

    if (pod_is_ours(pod))
        FUZZ_CHECK(strcmp(pod->id.name,
                          attempt_execution_id(pod->owner_uid, pod->seq, pod->attempt, name)) == 0);
    FUZZ_CHECK(!pod->owner_uid == !pod->instance && pod->attempt >= 0);
    FUZZ_CHECK(pod->triggered_at == INSTANT_NONE || pod->triggered_at >= INSTANT_MIN);
}

static void check_waiting(const struct pod *pod)
{
    CLEANUP(free) char *waits = pod_waits_for(pod);
    CLEANUP(free) char *exit = pod_exit_message(pod, pod->has_exit, pod->exit_code);
    CLEANUP(free) char *cut = message_cut_take(xstrdup(exit));
    instant deadline = pod_start_deadline(pod, INSTANT_MAX, DAY_MS, HOUR_MS);

    check_text(waits);
    check_text(exit);
    check_text(cut);
    FUZZ_CHECK((deadline == INSTANT_NONE) == pod->gated);
}

static void check_meta(const json_t *object)
{
    struct k8s_meta meta = {.generation = 42};
    struct error err = {0};

    if (k8s_meta_decode(object, &meta, &err)) {
        FUZZ_CHECK(*meta.name && meta.ns && meta.uid);
        k8s_meta_done(&meta);
    } else {
        FUZZ_CHECK(meta.generation == 42);
        fuzz_check_error(&err, "");
    }
}

static void check(const json_t *object)
{
    CLEANUP(pod_free) struct pod *pod = pod_decode(object);

    check_exit(object, pod);
    check_record(pod);
    check_waiting(pod);
    FUZZ_CHECK(!pod->all_terminated || (pod->main_terminated && pod_gone(pod)));
    for (int state = 0; state < RUN_N_STATES; state++)
        check_observation(pod, (enum run_state) state);
    check_meta(object);
}

/* STYX-POD-05, STYX-POD-06, STYX-POD-07 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *object = fuzz_object(data, len);

    if (object)
        check(object);
    json_decref(object);
    return 0;
}
