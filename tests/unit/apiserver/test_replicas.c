/* SPDX-License-Identifier: Apache-2.0 */
/* Two replicas of the API server, which know nothing of each other (Styx behaviour, 15.5). */
#include "fixture.h"

#define V3      "/api/v3"
#define TRIGGER V3 "/scheduler/trigger"
#define HALT    V3 "/scheduler/halt"
#define STATE   V3 "/workflows/billing/report/state"
#define BODY(day)                                                                                  \
    "{\"workflow_id\":{\"component_id\":\"billing\",\"id\":\"report\"},"                           \
    "\"parameter\":\"2026-01-" day "\"}"

#define MAX_LAG_MS 40 /* by then the first has its answer */

static struct {
    struct k8s *client;
    struct api api;
    struct answer *answers[2]; /* of the first replica and of this one */
} second;

static void set_up_two(void)
{
    set_up();
    second.client = fake_client(w.fake, "apiserver-2");
    second.api = w.api;
    second.api.k8s = second.client;
    second.api.store = store_new(w.loop, second.client, &w.rng, &w.places);
    store_start(second.api.store);
    make(&workflow_resource, "billing", "report",
         "{\"schedule\":\"daily\",\"template\":{\"image\":\"busybox:1\"}}", NULL);
    suspend_by("kharon-api-state", "billing", "report");
    settle();
}

static void forget_answers(void)
{
    for (int i = 0; i < 2; i++)
        answer_free(TAKE(second.answers[i]));
}

static void tear_down_two(void)
{
    forget_answers();
    store_free(second.api.store);
    k8s_free(second.client);
    tear_down();
}

static bool are_answered(void *arg)
{
    (void) arg;
    return second.answers[0]->answered && second.answers[1]->answered;
}

/* Asks both, the second one `lag` later, and waits for their answers. */
static void race(const char *method, const char *target, const char *first_body,
                 const char *second_body, int64_t lag)
{
    forget_answers();
    second.answers[0] = begin_at(&w.api, method, target, first_body);
    fake_run(w.fake, lag);
    second.answers[1] = begin_at(&second.api, method, target, second_body);
    CHECK(fake_run_until(w.fake, ANSWER_WITHIN_MS, are_answered, NULL));
}

static int how_many(int status)
{
    return (second.answers[0]->status == status) + (second.answers[1]->status == status);
}

static const char *instance_text(const char *path)
{
    return object_text(&instance_resource, "billing", "report.2026-01-05", path);
}

static int64_t seq(void)
{
    return json_int_at(fake_get(w.fake, &instance_resource, "billing", "report.2026-01-05"),
                       "spec.trigger.seq", 0);
}

/* ---- one against the other ---- */

static void check_winner(void)
{
    CHECK_INT(how_many(200), 1);
    CHECK_INT(how_many(409), 1);
    const struct answer *winner = second.answers[second.answers[1]->status == 200];
    CHECK_HAS(winner->body, instance_text("spec.trigger.id"));
}

/* STYX-OPS-04, STYX-TRG-02: the first trigger of an instance, and a later one. */
TEST(one_of_two_triggers_wins)
{
    for (int64_t lag = 0; lag < MAX_LAG_MS; lag++) {
        set_up_two();
        for (int run = 1; run <= 2; run++) {
            CLEANUP(free) char *done = xasprintf(
                "{\"status\":{\"state\":\"DONE\",\"active\":false,\"seq\":%d,\"counter\":9}}", run);

            race("POST", TRIGGER, BODY("05"), BODY("05"), lag);
            check_winner();
            CHECK_INT(seq(), run);
            fake_patch_status(w.fake, &instance_resource, "billing", "report.2026-01-05", done);
        }
        CHECK_INT(fake_count_objects(w.fake, &instance_resource), 1);
        tear_down_two();
    }
}

/* STYX-OPS-04 */
TEST(two_halts_are_one)
{
    for (int64_t lag = 0; lag < MAX_LAG_MS; lag++) {
        set_up_two();
        race("POST", TRIGGER, BODY("05"), BODY("06"), 0);
        CHECK_INT(how_many(200), 2);
        race("POST", HALT, BODY("05"), BODY("05"), lag);
        CHECK_INT(how_many(200), 2);
        CHECK_STR(instance_text("status.state"), "ERROR");
        CHECK_INT(json_int_at(fake_get(w.fake, &instance_resource, "billing", "report.2026-01-05"),
                              "spec.haltThrough", 0),
                  1);
        tear_down_two();
    }
}

#define PATCH(enabled, day)                                                                        \
    "{\"enabled\":" enabled ",\"next_natural_trigger\":\"2026-01-" day "T00:00:00Z\","             \
    "\"next_natural_offset_trigger\":\"2026-01-" day "T12:00:00Z\"}"

/* Every version of the object is what one of them wished. */
static void check_one_wish(const struct k8s_resource *resource, const json_t *old,
                           const json_t *new, void *arg)
{
    const char *next = json_text_at(new, "spec.setNext.next"),
               *next_offset = json_text_at(new, "spec.setNext.nextOffset");

    (void) old, (void) arg;
    if (resource != &workflow_resource || !next)
        return;
    bool enabled = !json_bool_at(new, "spec.suspend", false);
    CHECK_STR(next, enabled ? "2026-01-05T00:00:00Z" : "2026-01-07T00:00:00Z");
    CHECK_STR(next_offset, enabled ? "2026-01-05T12:00:00Z" : "2026-01-07T12:00:00Z");
}

/* STYX-OPS-04, STYX-API-10 */
TEST(two_patches_are_not_mixed)
{
    for (int64_t lag = 0; lag < MAX_LAG_MS; lag++) {
        struct fake_watcher watcher = {.on_change = check_one_wish};

        set_up_two();
        fake_watcher_add(w.fake, &watcher);
        race("PATCH", STATE, PATCH("true", "05"), PATCH("false", "07"), lag);
        CHECK_INT(how_many(200), 2);
        CHECK(object_text(&workflow_resource, "billing", "report", "spec.setNext.next"));
        fake_watcher_remove(&watcher);
        tear_down_two();
    }
}

/* STYX-OPS-04, STYX-API-05 */
TEST(two_deployments_are_not_mixed)
{
    for (int64_t lag = 0; lag < MAX_LAG_MS; lag++) {
        set_up_two();
        race("POST", V3 "/workflows/billing",
             "{\"id\":\"x\",\"schedule\":\"hourly\",\"docker_image\":\"a:1\"}",
             "{\"id\":\"x\",\"schedule\":\"daily\",\"docker_image\":\"b:1\"}", lag);
        CHECK_INT(how_many(200), 2);
        const char *schedule =
            object_text(&workflow_resource, "billing", "billing.x", "spec.schedule");
        CHECK_STR(object_text(&workflow_resource, "billing", "billing.x", "spec.template.image"),
                  strcmp(schedule, "hourly") == 0 ? "a:1" : "b:1");
        CHECK(json_bool_at(fake_get(w.fake, &workflow_resource, "billing", "billing.x"),
                           "spec.suspend", false));
        CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 2);
        tear_down_two();
    }
}

/* STYX-OPS-04, STYX-API-07 */
TEST(a_workflow_is_deleted_once)
{
    for (int64_t lag = 0; lag < MAX_LAG_MS; lag++) {
        set_up_two();
        race("DELETE", V3 "/workflows/billing/report", NULL, NULL, lag);
        CHECK_INT(how_many(204), 1);
        CHECK_INT(how_many(404), 1);
        CHECK_INT(fake_count_objects(w.fake, &workflow_resource), 0);
        tear_down_two();
    }
}

/* STYX-OPS-04: what one has written the other shows, as soon as its watch has told. */
TEST(both_show_the_same)
{
    static const char *const targets[] = {
        V3 "/workflows?full",
        V3 "/workflows/billing/x",
        V3 "/workflows/billing/x/state",
        V3 "/workflows/billing/report/full",
        V3 "/status/activeStates",
        V3 "/workflows/billing/report/instances",
    };

    set_up_two();
    race("POST", V3 "/workflows/billing", "{\"id\":\"x\",\"schedule\":\"hourly\"}",
         "{\"id\":\"y\",\"schedule\":\"daily\"}", 0);
    race("POST", TRIGGER, BODY("05"), BODY("05"), 0);
    race("PATCH", STATE, PATCH("true", "05"), "{}", 0);
    settle();
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        race("GET", targets[i], NULL, NULL, 0);
        CHECK_INT(how_many(200), 2);
        CHECK_STR(second.answers[0]->body, second.answers[1]->body);
    }
    tear_down_two();
}

/* ---- many, in a bad world ---- */

#define N_REQUESTS 300

struct storm {
    struct answer *answers[N_REQUESTS];
    json_t *seqs; /* by the id of a trigger: where it took effect */
};

static void note_trigger(const struct k8s_resource *resource, const json_t *old, const json_t *new,
                         void *arg)
{
    struct storm *s = arg;
    const char *id = new ? json_text_at(new, "spec.trigger.id") : NULL;

    (void) old;
    if (resource != &instance_resource || !id)
        return;
    CLEANUP(free) char *where = xasprintf("%s %" PRId64, json_text_at(new, "metadata.name"),
                                          json_int_at(new, "spec.trigger.seq", 0));
    const char *before = json_string_value(json_object_get(s->seqs, id));
    if (before)
        CHECK_STR(where, before); /* never a second time */
    json_set_text(s->seqs, id, where);
}

static void finish_run(const json_t *object, void *arg)
{
    CLEANUP(free) char *done = xasprintf(
        "{\"status\":{\"state\":\"DONE\",\"active\":false,\"counter\":9,\"seq\":%" PRId64 "}}",
        json_int_at(object, "spec.trigger.seq", 0));

    (void) arg;
    fake_patch_status(w.fake, &instance_resource, "billing", json_text_at(object, "metadata.name"),
                      done);
}

static bool all_answered(void *arg)
{
    const struct storm *s = arg;

    for (int i = 0; i < N_REQUESTS; i++)
        if (!s->answers[i]->answered)
            return false;
    return true;
}

/* What got a 200 took effect; what took effect got a 200, or nobody knew. */
static void check_storm(const struct storm *s)
{
    CLEANUP(json_decref) json_t *accepted = json_object();
    size_t n_unknown = 0;

    for (int i = 0; i < N_REQUESTS; i++) {
        CLEANUP(json_decref) json_t *body = NULL;
        const struct answer *a = s->answers[i];
        struct error err;

        CHECK_OK(json_parse(a->body, strlen(a->body), &body, &err), &err);
        n_unknown += a->status == 504;
        if (a->status != 200)
            continue;
        const char *id = json_text_at(body, "trigger_id");
        CHECK(json_object_get(s->seqs, id));
        CHECK(!json_object_get(accepted, id));
        json_set_bool(accepted, id, true);
    }
    CHECK(json_object_size(accepted) > 20);
    CHECK(json_object_size(s->seqs) <= json_object_size(accepted) + n_unknown);
}

static void begin_some(struct storm *s)
{
    static const char *const bodies[] = {BODY("05"), BODY("06"), BODY("07")};

    for (int i = 0; i < N_REQUESTS; i++) {
        s->answers[i] = begin_at(rng_below(&w.rng, 2) ? &w.api : &second.api, "POST", TRIGGER,
                                 bodies[rng_below(&w.rng, ARRAY_SIZE(bodies))]);
        fake_run(w.fake, (int64_t) rng_below(&w.rng, 20));
        if (rng_below(&w.rng, 4) == 0)
            fake_foreach(w.fake, &instance_resource, finish_run, NULL);
    }
}

/* STYX-OPS-04, STYX-TRG-02 */
TEST(no_trigger_is_lost_or_doubled)
{
    static const enum fake_fault faults[] = {FAKE_LOSE_REQUEST, FAKE_LOSE_REPLY, FAKE_LATE,
                                             FAKE_REFUSE, FAKE_CONFLICT};
    struct storm s = {.seqs = json_object()};
    struct fake_watcher watcher = {.on_change = note_trigger, .arg = &s};

    set_up_two();
    fake_watcher_add(w.fake, &watcher);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        fake_set_rate(w.fake, faults[i], 30);
    begin_some(&s);
    CHECK(fake_run_until(w.fake, 2 * ANSWER_WITHIN_MS, all_answered, &s));
    fake_run(w.fake, 10000); /* what is late */
    check_storm(&s);
    for (int i = 0; i < N_REQUESTS; i++)
        answer_free(s.answers[i]);
    fake_watcher_remove(&watcher);
    tear_down_two();
    json_decref(s.seqs);
}
