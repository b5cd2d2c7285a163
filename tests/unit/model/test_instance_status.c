/* SPDX-License-Identifier: Apache-2.0 */
/* What of a run is written to its object, over time: once, and within bounds. */
#include "base/buf.h"
#include "model/attempt.h"
#include "model/validate.h"
#include "unit/model/instances.h"

/* ---- descriptions ---- */

static void retry_with(struct run *run, struct description *d_take)
{
    if (run->state == RUN_SUBMITTING) {
        apply(run, (struct event) {.type = EVENT_RUN_ERROR, .message = xstrdup("no")});
        apply(run, (struct event) {.type = EVENT_RETRY_AFTER, .delay_ms = 1});
    }
    apply(run, (struct event) {.type = EVENT_DEQUEUE});
    apply(run, submit_event(d_take));
}

/* The images that are written, oldest first: those of events, and that of the status. */
static char *images_written(const json_t *status)
{
    struct buf b = BUF_INIT;
    const char *latest = json_text_at(status, "description.image");
    size_t i;
    json_t *event;

    json_array_foreach (json_at(status, "events"), i, event) {
        const char *image = json_text_at(event, "description.image");

        if (image)
            buf_addf(&b, "%s ", image);
    }
    buf_addf(&b, "| %s", latest ? latest : "-");
    return buf_take(&b);
}

/* The images of the submit events, oldest first. */
static char *images_of(const struct run *run)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < run->n_events; i++)
        if (run->events[i].type == EVENT_SUBMIT)
            buf_addf(&b, "%s ", run->events[i].description->image);
    buf_addf(&b, "| %s", run->description ? run->description->image : "-");
    return buf_take(&b);
}

static void check_images(int line, struct run *run, const char *written)
{
    CLEANUP(json_decref) json_t *object = json_of("{" METADATA ", " SPEC "}");
    CLEANUP(free) char *want = images_of(run);
    json_t *status = run_encode_status(run, 1);

    json_object_set_new(object, "status", status);
    CLEANUP(free) char *got = images_written(status);
    CHECK_STR_AT(line, got, written);
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);
    CLEANUP(free) char *back = images_of(&inst->run);
    CHECK_STR_AT(line, back, want);
}

TEST(a_description_is_written_once_for_as_long_as_it_does_not_change)
{
    static const char *const images[] = {"a", "a", "b", "b", "a", "a"};
    static const char *const written[] = {"| a", "| a", "a | b", "a | b", "a b | a", "a b | a"};
    struct run run;

    run_init(&run);
    apply(&run, trigger_event(1));
    for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
        retry_with(&run, description_of(images[i]));
        check_images(__LINE__, &run, written[i]);
    }
    apply(&run, (struct event) {.type = EVENT_RUN_ERROR, .message = xstrdup("no")});
    apply(&run, (struct event) {.type = EVENT_RETRY_AFTER, .delay_ms = 1});
    check_images(__LINE__, &run, "a b | a");
    run_done(&run);
}

/* ---- round trips ---- */

/* A merge patch (RFC 7396), as the API server applies it. */
static void merge(json_t *into, const json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *) (uintptr_t) patch, key, value) {
        json_t *old = json_object_get(into, key);

        if (json_is_null(value)) {
            json_object_del(into, key);
        } else if (!json_is_object(value)) {
            json_object_set_new(into, key, json_deep_copy(value));
        } else {
            if (!json_is_object(old)) {
                old = json_object();
                json_object_set_new(into, key, old);
            }
            merge(old, value);
        }
    }
}

/* Long, short, empty and unusual texts. */
static char *some_text(struct rng *rng)
{
    static const char *const texts[] = {"", "x", "é😀", "\x01\"\\\n", "a longer text, of a kind"};

    return xstrdup(texts[rng_below(rng, ARRAY_SIZE(texts))]);
}

static struct event some_event(struct rng *rng, enum event_type type, int64_t seq)
{
    struct event e = {.type = type};

    switch (type) {
    case EVENT_TRIGGER_EXECUTION:
        e = trigger_event(seq);
        break;
    case EVENT_DEQUEUE:
        texts_add(&e.limits, "warehouse");
        break;
    case EVENT_SUBMIT:
        e = submit_event(description_of(rng_below(rng, 2) ? "busybox" : "alpine"));
        texts_add_take(&e.description->args, some_text(rng));
        break;
    case EVENT_SUBMITTED:
        e.execution_id = xstrdup("styx-run-1");
        e.runner_id = xstrdup("default");
        break;
    case EVENT_TERMINATE:
        e.has_exit = rng_below(rng, 2);
        e.exit_code = e.has_exit ? (int) rng_below(rng, 256) : 0;
        e.message = some_text(rng);
        break;
    case EVENT_RUN_ERROR:
        e.free = rng_below(rng, 2);
        e.message = some_text(rng);
        break;
    case EVENT_RETRY_AFTER:
        e.delay_ms = (int64_t) rng_below(rng, 1000);
        break;
    default:
        e.message = some_text(rng);
        break;
    }
    return e;
}

/* What the status says is in the object, and nothing that it said before. */
static void check_round_trip(json_t *object, struct run *run)
{
    CLEANUP(json_decref) json_t *first = run_encode_status(run, 1);

    merge(json_object_get(object, "status"), first);
    CLEANUP(instance_free) struct instance *inst = instance_decode(object);
    CHECK_STR(inst->problem, NULL);
    CLEANUP(json_decref) json_t *second = run_encode_status(&inst->run, 1);
    CLEANUP(free) char *want = json_print(first), *got = json_print(second);
    CHECK_STR(got, want);
    CHECK_INT(inst->run.n_events, run->n_events);
    CHECK_INT(inst->run.description != NULL, run->description != NULL);
}

TEST(what_is_written_is_read_back)
{
    struct rng rng;
    struct run run;
    CLEANUP(json_decref) json_t *object = json_of("{" METADATA ", " SPEC ", 'status': {}}");

    rng_init(&rng, test_seed());
    run_init(&run);
    for (int i = 0; i < 3000; i++) {
        enum event_type type = (enum event_type) rng_below(&rng, EVENT_N_TYPES);
        struct event e = some_event(&rng, type, i + 1);
        struct error err;

        if (type == EVENT_HALT && rng_below(&rng, 3))
            e.type = EVENT_INFO;
        if (run_apply(&run, &e, BEGAN + i * SECOND_MS, "key", &err))
            check_round_trip(object, &run);
        event_done(&e);
    }
    CHECK(run.events_dropped > 100);
    run_done(&run);
}

/* ---- ceilings ---- */

static size_t printed(const json_t *json)
{
    return json_dumpb(json, NULL, 0, JSON_COMPACT);
}

static void check_events(const struct run *run, const json_t *status)
{
    const json_t *events = json_at(status, "events");
    bool has_trigger = false;

    CHECK(printed(events) <= EVENTS_MAX);
    CHECK_INT(run->n_events, json_array_size(events));
    CHECK_INT(run->events_dropped, run->counter + 1 - (int64_t) run->n_events);
    for (size_t i = 0; i < run->n_events; i++)
        has_trigger |= run->events[i].type == EVENT_TRIGGER_EXECUTION;
    CHECK(has_trigger);
    /* The newest ones, without a gap but perhaps after the trigger. */
    CHECK_INT(run->events[run->n_events - 1].counter, run->counter);
    for (size_t i = 2; i < run->n_events; i++)
        CHECK_INT(run->events[i].counter, run->events[i - 1].counter + 1);
}

TEST(the_newest_events_are_kept_and_the_trigger)
{
    struct run run;

    run_init(&run);
    for (int64_t seq = 1; seq <= 3; seq++) {
        apply(&run, trigger_event(seq));
        for (int i = 0; i < 400; i++) {
            apply(&run, (struct event) {.type = EVENT_INFO, .message = xstrdup("still waiting")});
            CLEANUP(json_decref) json_t *status = run_encode_status(&run, 1);
            check_events(&run, status);
        }
        CHECK_INT(run.events[0].type, EVENT_TRIGGER_EXECUTION);
        CHECK_INT(run.events[0].counter, (seq - 1) * 402);
        CHECK(run.n_events > 100);
        apply(&run, (struct event) {.type = EVENT_HALT});
    }
    run_done(&run);
}

static char *repeat(char c, size_t n)
{
    char *text = xcalloc(n + 1, 1);

    memset(text, c, n);
    return text;
}

/* As large as they may be, in a hundred variables. */
static void fill_env(struct env *env, const char *prefix, size_t size)
{
    CLEANUP(free) char *value = repeat('v', size / 100 - 8);

    for (int i = 0; i < 100; i++) {
        CLEANUP(free) char *name = xasprintf("%s%05d", prefix, i);

        env_set(env, name, value);
    }
}

static struct workflow *largest_workflow(int version)
{
    struct workflow *wf = workflow_new();

    wf->schedule = xstrdup("daily");
    wf->template.image = repeat('i', 255);
    for (int i = 0; i < 90; i++)
        texts_add_take(&wf->template.args, repeat((char) ('a' + version), 1000));
    fill_env(&wf->template.env, "WF", LIMIT_ENV);
    wf->commit_sha = repeat('c', LIMIT_TEXT);
    wf->retry_condition = repeat('"', LIMIT_TEXT);
    wf->template.running_timeout = xstrdup("PT24H");
    return wf;
}

static struct instance *largest_instance(void)
{
    struct instance *inst = decoded(SPEC);

    free(inst->parameter);
    inst->parameter = repeat('p', 64);
    inst->trigger = (struct run_trigger) {.seq = 1,
                                          .type = TRIGGER_ADHOC,
                                          .id = repeat('i', 512),
                                          .key = repeat('k', 1024),
                                          .workflow_uid = repeat('u', 64)};
    fill_env(&inst->trigger.env, "TR", LIMIT_TRIGGER_ENV);
    CLEANUP(free) char *id = repeat('"', 256);
    run_set_pair(&inst->run, id, id);
    return inst;
}

/* Everything but managedFields, for which a little is left. */
static void check_size(const struct instance *inst)
{
    CLEANUP(free) char *workflow = repeat('w', LIMIT_OBJECT_NAME);
    CLEANUP(json_decref) json_t *object =
        instance_encode_new("team", workflow, inst->parameter, &inst->trigger);
    struct run run;

    run_copy(&run, &inst->run);
    json_object_set_new(object, "status", run_encode_status(&run, 1));
    size_t size = printed(object);
    if (size > INSTANCE_MAX - 2048)
        TEST_FAIL("an object of %zu bytes in %s", size, run_state_name(run.state));
    CHECK_INT(run.events[run.n_events - 1].counter, run.counter);
    run_done(&run);
}

/* One execution of the largest workflow, which ends badly and at length. */
static void run_largest(struct instance *inst, int version)
{
    CLEANUP(workflow_free) struct workflow *wf = largest_workflow(version);

    apply(&inst->run, (struct event) {.type = EVENT_DEQUEUE});
    check_size(inst);
    apply(&inst->run, (struct event) {.type = EVENT_SUBMIT,
                                      .execution_id = xstrdup("styx-run-1"),
                                      .description = attempt_describe(wf, "p", &inst->trigger)});
    check_size(inst);
    apply(&inst->run, (struct event) {.type = EVENT_SUBMITTED, .runner_id = xstrdup("default")});
    apply(&inst->run, (struct event) {.type = EVENT_RUN_ERROR, .message = repeat('\x01', 100000)});
    check_size(inst);
}

TEST(an_object_stays_within_its_ceiling)
{
    CLEANUP(instance_free) struct instance *inst = largest_instance();

    struct event begin = {.type = EVENT_TRIGGER_EXECUTION};
    instance_wanted_trigger(inst, &begin.trigger);
    apply(&inst->run, begin);
    check_size(inst);
    for (int i = 0; i < 20; i++) {
        run_largest(inst, i % 3);
        apply(&inst->run, (struct event) {.type = EVENT_RETRY_AFTER, .delay_ms = 180000});
        check_size(inst);
    }
    apply(&inst->run, (struct event) {.type = EVENT_HALT, .message = repeat('"', 5000)});
    check_size(inst);
}

/* ---- anything ---- */

static const char valid[] =
    "{" METADATA ", 'spec': {'workflow': 'report', 'parameter': '2026-01-01', 'haltThrough': 1,"
    " 'retry': {'counter': 7, 'delayMillis': 500}, 'trigger': {'seq': 1, 'type': 'adhoc',"
    "  'id': 'i', 'key': 'k', 'workflowUID': 'w', 'env': [{'name': 'MODE', 'value': 'full'}]}},"
    "'status': {'state': 'QUEUED', 'active': true, 'seq': 1, 'counter': 6, 'attempt': 1,"
    " 'tries': 1, 'consecutiveFailures': 1, 'retryCostTenths': 10, 'lastExit': 1, 'freeTries': 1,"
    " 'retryDelayMillis': 600, 'since': '2026-01-01T00:00:09Z', 'executionId': 'styx-run-1',"
    " 'startedAt': '2026-01-01T00:00:05Z', 'completedAt': '2026-01-01T00:00:06Z',"
    " 'message': {'level': 'ERROR', 'line': 'Exit code: 1'}, 'limits': ['a'], 'runnerId': 'r',"
    " 'eventsDropped': 1, 'haltedThrough': 1, 'retryCounter': 6,"
    " 'trigger': {'seq': 1, 'type': 'adhoc', 'id': 'i', 'key': 'k', 'workflowUID': 'w'},"
    " 'specTrigger': {'seq': 1, 'type': 'natural', 'id': 'j', 'key': 'l', 'workflowUID': 'v'},"
    " 'conditions': [{'type': 'Held', 'status': 'True',"
    "  'lastTransitionTime': '2026-01-01T00:00:09Z'}],"
    " 'description': {'image': 'busybox', 'args': ['x'], 'env': [{'name': 'A', 'value': '1'}]},"
    " 'events': [{'counter': 0, 'at': 1767225600000, 'type': 'triggerExecution',"
    "   'triggerType': 'adhoc', 'triggerId': 'i', 'env': [{'name': 'MODE', 'value': 'full'}]},"
    "  {'counter': 1, 'at': 1767225601000, 'type': 'dequeue', 'limits': ['a']},"
    "  {'counter': 2, 'at': 1767225602000, 'type': 'submit', 'executionId': 'e',"
    "   'description': {'image': 'alpine'}},"
    "  {'counter': 3, 'at': 1767225602000, 'type': 'submitted', 'runnerId': 'r'},"
    "  {'counter': 4, 'at': 1767225602000, 'type': 'started'},"
    "  {'counter': 5, 'at': 1767225603000, 'type': 'terminate', 'exitCode': 1, 'message': 'm'},"
    "  {'counter': 6, 'at': 1767225603000, 'type': 'retryAfter', 'delayMillis': 600}]}}";

/* Whatever is in an object: it is decoded, can be written again and goes on. */
TEST(no_object_does_harm)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 4000; i++) {
        CLEANUP(json_decref) json_t *object = json_of(valid);

        for (uint64_t n = 1 + rng_below(&rng, 4); n > 0; n--)
            json_mutate(object, &rng);
        CLEANUP(instance_free) struct instance *inst = instance_decode(object);
        struct event e =
            some_event(&rng, (enum event_type) rng_below(&rng, EVENT_N_TYPES), inst->run.seq + 1);
        struct run_trigger t;
        struct error err;

        instance_active(inst);
        instance_wanted_trigger(inst, &t);
        run_apply(&inst->run, &e, BEGAN, "key", &err);
        CLEANUP(json_decref) json_t *status = run_encode_status(&inst->run, 1);
        CHECK(json_is_object(status));
        event_done(&e);
        run_trigger_done(&t);
    }
}
