/* SPDX-License-Identifier: Apache-2.0 */
#include "model/run.h"

#include "base/buf.h"
#include "base/rng.h"
#include "unit/model/instants.h"

#define KEY   "billing#report#2026-01-01"
#define BEGAN 1767225600000

/* ---- a run as text: one `name=value` a member, so that what changed can be told ---- */

static void add_instant(struct buf *b, const char *name, instant t)
{
    if (t == INSTANT_NONE)
        buf_addf(b, " %s=-", name);
    else
        buf_addf(b, " %s=%" PRId64, name, t - BEGAN);
}

static void add_texts(struct buf *b, const char *name, const struct texts *texts)
{
    buf_addf(b, " %s=", name);
    for (size_t i = 0; i < texts->n; i++)
        buf_addf(b, "%s%s", i ? "," : "", texts->items[i]);
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

/* All but state, counter, since and events, which every event changes. */
static char *data_text(const struct run *run)
{
    struct buf b = BUF_INIT;

    buf_addf(&b, "seq=%" PRId64 " attempt=%d tries=%d failures=%d cost=%d free=%d", run->seq,
             run->attempt, run->tries, run->consecutive_failures, run->retry_cost_tenths,
             run->free_tries);
    buf_addf(&b, run->has_exit ? " exit=%d" : " exit=-", run->last_exit);
    buf_addf(&b, " delay=%" PRId64, run->retry_delay_ms);
    add_instant(&b, "started", run->started_at);
    add_instant(&b, "completed", run->completed_at);
    buf_addf(&b, " trigger=%" PRId64 ":%s:%s", run->trigger.seq,
             trigger_type_name(run->trigger.type), or_dash(run->trigger.id));
    buf_addf(&b, " env=%s", or_dash(env_get(&run->trigger.env, "DAY")));
    buf_addf(&b, " execution=%s runner=%s", or_dash(run->execution_id), or_dash(run->runner_id));
    buf_addf(&b, " image=%s", run->description ? or_dash(run->description->image) : "-");
    add_texts(&b, "limits", &run->limits);
    buf_addf(&b, " level=%s line=%s", message_level_name(run->message_level),
             or_dash(run->message));
    buf_addf(&b, " halted=%" PRId64 " answered=%" PRId64, run->halted_through, run->retry_counter);
    return buf_take(&b);
}

static char *whole_text(const struct run *run)
{
    CLEANUP(free) char *data = data_text(run);

    return xasprintf("%s %" PRId64 " %" PRId64 " %zu %s", run_state_name(run->state), run->counter,
                     run->since, run->n_events, data);
}

/* The members of `after` that are not as in `before`, separated by blanks. */
static char *changes(const char *before, const char *after)
{
    struct buf b = BUF_INIT;

    while (*after) {
        size_t old = strcspn(before, " "), new = strcspn(after, " ");

        if (old != new || memcmp(before, after, new) != 0) {
            buf_adds(&b, b.len ? " " : "");
            buf_add(&b, after, new);
        }
        before += old + (before[old] == ' ');
        after += new + (after[new] == ' ');
    }
    return buf_take(&b);
}

/* ---- runs and events to try ---- */

static struct description *description_of(const char *image)
{
    struct description *d = NEW(struct description);

    d->references = 1;
    d->image = xstrdup(image);
    return d;
}

/* A run in the middle of its third trigger, with every member set to something. */
static void set_up(struct run *run, enum run_state state)
{
    run_init(run);
    run->state = state;
    run->seq = run->trigger.seq = 3;
    run->counter = 41;
    run->attempt = 7;
    run->tries = 2;
    run->consecutive_failures = 4;
    run->retry_cost_tenths = 33;
    run->has_exit = true;
    run->last_exit = 20;
    run->free_tries = 5;
    run->retry_delay_ms = 1000;
    run->since = BEGAN - 5000;
    run->started_at = BEGAN - 9000;
    run->completed_at = BEGAN - 4000;
    run->trigger.type = TRIGGER_ADHOC;
    run->trigger.id = xstrdup("old");
    env_set(&run->trigger.env, "DAY", "old");
    run->execution_id = xstrdup("styx-run-old");
    run->runner_id = xstrdup("old");
    run->description = description_of("old");
    texts_add(&run->limits, "old");
    run->message_level = MESSAGE_WARNING;
    run->message = xstrdup("old");
    run->halted_through = 2;
    run->retry_counter = 39;
}

/* An event with every member set, whether its type has it or not. */
static struct event event_of(enum event_type type)
{
    struct event e = {
        .type = type,
        .has_exit = true,
        .exit_code = 1,
        .level = MESSAGE_INFO,
        .message = xstrdup("new"),
        .execution_id = xstrdup("styx-run-new"),
        .runner_id = xstrdup("new"),
        .delay_ms = 2000,
        .trigger = {.seq = 4, .type = TRIGGER_NATURAL, .id = xstrdup("new")},
        .description = description_of("new"),
    };

    env_set(&e.trigger.env, "DAY", "new");
    texts_add(&e.limits, "new");
    return e;
}

/* ---- the table of section 8.2 ---- */

#define ACTIVE "NEW QUEUED PREPARE SUBMITTING SUBMITTED RUNNING TERMINATED FAILED"

static const struct row {
    int line;
    const char *event, *from, *to, *changes;
} table[] = {
#define ROW(...)                                                                                   \
    {                                                                                              \
        __LINE__, __VA_ARGS__                                                                      \
    }
    ROW("triggerExecution", "NEW ERROR DONE", "QUEUED",
        "seq=4 tries=0 failures=0 cost=0 free=0 exit=- delay=-1 started=- completed=- "
        "trigger=4:natural:new env=new execution=- runner=- image=- limits= level=INFO line=-"),
    ROW("info", "QUEUED", "QUEUED", "level=INFO line=new"),
    ROW("dequeue", "QUEUED", "PREPARE", "delay=-1 limits=new"),
    ROW("submit", "PREPARE", "SUBMITTING", "attempt=8 execution=styx-run-new image=new"),
    ROW("submitted", "SUBMITTING", "SUBMITTED", "tries=3 runner=new"),
    ROW("started", "SUBMITTED PREPARE", "RUNNING", ""),
    ROW("terminate", "RUNNING", "TERMINATED", "failures=5 cost=43 exit=1 level=ERROR line=new"),
    ROW("runError", "QUEUED PREPARE SUBMITTING SUBMITTED RUNNING", "FAILED",
        "failures=5 cost=43 exit=- level=ERROR line=new"),
    ROW("success", "TERMINATED", "DONE", "completed=0"),
    ROW("retryAfter", "TERMINATED FAILED QUEUED", "QUEUED",
        "delay=2000 execution=- image=- limits="),
    ROW("stop", "TERMINATED FAILED", "ERROR", "completed=0"),
    ROW("timeout", ACTIVE, "FAILED", "free=6 line=new"),
    ROW("halt", ACTIVE, "ERROR", "completed=0 line=new"),
#undef ROW
};

static bool lists(const char *list, const char *word)
{
    CLEANUP(free) char *padded = xasprintf(" %s ", list);
    CLEANUP(free) char *wanted = xasprintf(" %s ", word);

    return strstr(padded, wanted) != NULL;
}

static const struct row *row_of(enum event_type event, enum run_state from)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (strcmp(table[i].event, event_type_name(event)) == 0 &&
            lists(table[i].from, run_state_name(from)))
            return &table[i];
    return NULL;
}

static void check_legal(const struct row *row, enum run_state from, enum event_type type)
{
    struct run run;
    struct event event = event_of(type);
    struct error err;

    set_up(&run, from);
    CLEANUP(free) char *before = data_text(&run);
    CHECK_OK_AT(row->line, run_apply(&run, &event, BEGAN, KEY, &err), &err);
    CLEANUP(free) char *after = data_text(&run);
    CLEANUP(free) char *changed = changes(before, after);
    CHECK_STR_AT(row->line, run_state_name(run.state), row->to);
    CHECK_STR_AT(row->line, changed, row->changes);
    CHECK_INT_AT(row->line, run.counter, 42);
    CHECK_INT_AT(row->line, run.since, BEGAN);
    CHECK_INT_AT(row->line, run.n_events, 1);
    CHECK_INT_AT(row->line, run.events[0].type, type);
    CHECK_INT_AT(row->line, run.events[0].counter, 42);
    CHECK_INT_AT(row->line, run.events[0].at, BEGAN);
    run_done(&run);
    event_done(&event);
}

static void check_illegal(enum run_state from, enum event_type type)
{
    struct run run;
    struct event event = event_of(type);
    struct error err;

    set_up(&run, from);
    CLEANUP(free) char *before = whole_text(&run);
    CHECK_ERROR(run_apply(&run, &event, BEGAN, KEY, &err), &err, ERROR_CONFLICT);
    CLEANUP(free) char *after = whole_text(&run);
    CLEANUP(free) char *want =
        xasprintf(KEY " received %s while in %s", event_type_name(type), run_state_name(from));
    CHECK_STR(err.text, want);
    CHECK_STR(after, before);
    run_done(&run);
    event_done(&event);
}

/* STYX-SM-01, STYX-SM-02 */
TEST(every_event_in_every_state)
{
    int n_legal = 0;

    for (int state = 0; state < RUN_N_STATES; state++) {
        for (int event = 0; event < EVENT_N_TYPES; event++) {
            const struct row *row = row_of((enum event_type) event, (enum run_state) state);

            if (row)
                check_legal(row, (enum run_state) state, (enum event_type) event);
            else
                check_illegal((enum run_state) state, (enum event_type) event);
            n_legal += row != NULL;
        }
    }
    CHECK_INT(n_legal, 37);
}

/* ---- members that are set only at times ---- */

static void apply(struct run *run, struct event event)
{
    struct error err;

    CHECK_OK(run_apply(run, &event, BEGAN + run->counter + 1, KEY, &err), &err);
    event_done(&event);
}

static struct event trigger_of(int64_t seq)
{
    return (struct event) {
        .type = EVENT_TRIGGER_EXECUTION,
        .trigger = {.seq = seq, .type = TRIGGER_NATURAL, .id = xstrdup("natural-trigger")},
    };
}

/* From a new run, or one that has ended, to RUNNING. */
static void run_until_running(struct run *run, int64_t seq)
{
    apply(run, trigger_of(seq));
    apply(run, (struct event) {.type = EVENT_DEQUEUE});
    apply(run, (struct event) {.type = EVENT_SUBMIT,
                               .execution_id = xstrdup("styx-run-1"),
                               .description = description_of("busybox")});
    apply(run, (struct event) {.type = EVENT_SUBMITTED, .runner_id = xstrdup("default")});
    apply(run, (struct event) {.type = EVENT_STARTED});
}

TEST(a_new_run_begins_at_counter_zero)
{
    struct run run;

    run_init(&run);
    CHECK_STR(run_state_name(run.state), "NEW");
    CHECK_INT(run.counter, -1);
    apply(&run, trigger_of(1));
    CHECK_INT(run.counter, 0);
    CHECK_INT(run.events[0].counter, 0);
    CHECK_INT(run.retry_counter, -1);
    run_done(&run);
}

TEST(submitted_fills_in_an_execution_id_that_is_missing)
{
    struct run run;

    set_up(&run, RUN_SUBMITTING);
    free(TAKE(run.execution_id));
    apply(&run, (struct event) {.type = EVENT_SUBMITTED, .execution_id = xstrdup("styx-run-late")});
    CHECK_STR(run.execution_id, "styx-run-late");
    run_done(&run);
}

TEST(started_at_is_that_of_the_first_execution_of_a_trigger)
{
    struct run run;

    run_init(&run);
    run_until_running(&run, 1);
    instant first = run.started_at;
    CHECK_INT(first, run.since);
    apply(&run, (struct event) {.type = EVENT_RUN_ERROR, .message = xstrdup("no")});
    apply(&run, (struct event) {.type = EVENT_RETRY_AFTER});
    apply(&run, (struct event) {.type = EVENT_DEQUEUE});
    apply(&run, (struct event) {.type = EVENT_STARTED});
    CHECK_INT(run.started_at, first);
    apply(&run, (struct event) {.type = EVENT_HALT});
    CHECK_INT(run.completed_at, run.since);
    run_until_running(&run, 2);
    CHECK_INT(run.started_at, run.since);
    CHECK_INT(run.completed_at, INSTANT_NONE);
    run_done(&run);
}

TEST(a_time_out_or_halt_without_words_keeps_the_message)
{
    static const enum event_type silent[] = {EVENT_TIMEOUT, EVENT_HALT};

    for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
        struct run run;

        set_up(&run, RUN_RUNNING);
        apply(&run, (struct event) {.type = silent[i]});
        CHECK_STR(run.message, "old");
        CHECK_INT(run.message_level, MESSAGE_WARNING);
        run_done(&run);
    }
}

TEST(an_error_of_the_infrastructure_costs_nothing)
{
    struct run run;

    set_up(&run, RUN_RUNNING);
    apply(&run, (struct event) {.type = EVENT_RUN_ERROR, .free = true, .message = xstrdup("gone")});
    CHECK_INT(run.retry_cost_tenths, 33);
    CHECK_INT(run.consecutive_failures, 4);
    CHECK_INT(run.free_tries, 6);
    CHECK(!run.has_exit);
    CHECK_STR(run.message, "gone");
    CHECK_INT(run.message_level, MESSAGE_ERROR);
    run_done(&run);
}

/* ---- exit codes ---- */

#define NO_CODE INT32_MIN
#define EXIT(code, cost, failures, level, line)                                                    \
    check_exit(__LINE__, code, cost, failures, level, line)

static void check_exit(int line, int code, int cost, int failures, const char *level,
                       const char *message)
{
    struct run run;
    struct event event = {.type = EVENT_TERMINATE, .has_exit = code != NO_CODE, .exit_code = code};

    set_up(&run, RUN_RUNNING);
    apply(&run, event);
    CHECK_INT_AT(line, run.retry_cost_tenths, 33 + cost);
    CHECK_INT_AT(line, run.consecutive_failures, failures);
    CHECK_INT_AT(line, run.has_exit, code != NO_CODE);
    if (code != NO_CODE)
        CHECK_INT_AT(line, run.last_exit, code);
    CHECK_STR_AT(line, message_level_name(run.message_level), level);
    CHECK_STR_AT(line, run.message, message);
    CHECK_INT_AT(line, run.tries, 2);
    run_done(&run);
}

/* STYX-SM-03 */
TEST(what_an_exit_code_costs)
{
    EXIT(0, 0, 0, "INFO", "Exit code: 0");
    EXIT(20, 1, 0, "WARNING", "Exit code: 20");
    EXIT(1, 10, 5, "ERROR", "Exit code: 1");
    EXIT(2, 10, 5, "ERROR", "Exit code: 2");
    EXIT(19, 10, 5, "ERROR", "Exit code: 19");
    EXIT(50, 10, 5, "ERROR", "Exit code: 50");
    EXIT(137, 10, 5, "ERROR", "Exit code: 137");
    EXIT(-1, 10, 5, "ERROR", "Exit code: -1");
    EXIT(NO_CODE, 10, 5, "ERROR", "Exit code: -");
}

TEST(a_terminate_may_say_more_than_its_code)
{
    struct run run;

    set_up(&run, RUN_RUNNING);
    apply(&run, (struct event) {.type = EVENT_TERMINATE,
                                .has_exit = true,
                                .exit_code = 137,
                                .message = xstrdup("Exit code: 137 (OOMKilled)")});
    CHECK_STR(run.message, "Exit code: 137 (OOMKilled)");
    run_done(&run);
}

/* ---- messages have an end ---- */

/* `n` times `text` */
static char *repeat(const char *text, size_t n)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < n; i++)
        buf_adds(&b, text);
    return buf_take(&b);
}

#define CUT(text, n, want) check_cut(__LINE__, text, n, want)

/* want: how many times `text` is left, then "..."; equal to n: nothing is cut. */
static void check_cut(int line, const char *text, size_t n, size_t want)
{
    struct run run;
    CLEANUP(free) char *kept = repeat(text, want);
    CLEANUP(free) char *cut = want < n ? xasprintf("%s...", kept) : xstrdup(kept);

    set_up(&run, RUN_RUNNING);
    apply(&run, (struct event) {.type = EVENT_RUN_ERROR, .message = repeat(text, n)});
    CHECK_STR_AT(line, run.message, cut);
    CHECK_STR_AT(line, run.events[0].message, cut);
    run_done(&run);
}

/* MESSAGE_MAX is what the message takes as JSON, in bytes. */
TEST(a_long_message_is_cut)
{
    CUT("a", 1024, 1024);
    CUT("a", 1025, 1021);
    CUT("a", 1000000, 1021);
    CUT("é", 512, 512);
    CUT("é", 513, 510);
    CUT("😀", 256, 256);
    CUT("😀", 257, 255);
    CUT("\"", 512, 512);
    CUT("\"", 513, 510);
    CUT("\n", 513, 510);
    CUT("\x01", 170, 170);
    CUT("\x1b", 171, 170);
}

TEST(a_note_is_a_message_without_an_event)
{
    struct run run;
    CLEANUP(free) char *long_text = repeat("a", 5000);

    set_up(&run, RUN_QUEUED);
    run_note(&run, long_text);
    CHECK_INT(strlen(run.message), MESSAGE_MAX);
    CHECK_INT(run.message_level, MESSAGE_INFO);
    CHECK_INT(run.n_events, 0);
    CHECK_INT(run.counter, 41);
    CHECK_INT(run.since, BEGAN - 5000);
    run_note(&run, NULL);
    CHECK_STR(run.message, NULL);
    run_done(&run);
}

/* ---- triggers on runs that have ended ---- */

/* STYX-STO-01 */
TEST(history_is_kept_over_triggers)
{
    struct run run;

    run_init(&run);
    for (int64_t seq = 1; seq <= 3; seq++) {
        run_until_running(&run, seq);
        apply(&run, (struct event) {.type = EVENT_TERMINATE, .has_exit = true});
        apply(&run, (struct event) {.type = EVENT_SUCCESS});
        CHECK_INT(run.state, RUN_DONE);
        CHECK_INT(run.attempt, seq);
        CHECK_INT(run.tries, 1);
    }
    CHECK_INT(run.counter, 3 * 7 - 1);
    CHECK_INT(run.n_events, 3 * 7);
    for (size_t i = 0; i < run.n_events; i++)
        CHECK_INT(run.events[i].counter, i);
    CHECK_INT(run.events[14].type, EVENT_TRIGGER_EXECUTION);
    run_done(&run);
}

/* ---- copies ---- */

TEST(a_copy_owns_what_it_has)
{
    struct run run, copy;

    run_init(&run);
    run_until_running(&run, 1);
    texts_add(&run.limits, "warehouse");
    run_copy(&copy, &run);
    CLEANUP(free) char *before = whole_text(&run);
    run_done(&run);
    CLEANUP(free) char *after = whole_text(&copy);
    CHECK_STR(after, before);
    CHECK_STR(copy.events[2].description->image, "busybox");
    CHECK(copy.description == copy.events[2].description);
    run_done(&copy);
    run_done(&copy);
}

static void change_image(struct description *d)
{
    free(d->image);
    d->image = xstrdup("x");
}

static void change_args(struct description *d)
{
    texts_add(&d->args, "x");
}

static void change_logging(struct description *d)
{
    d->termination_logging = true;
}

static void change_account(struct description *d)
{
    d->gcp_service_account = xstrdup("x");
}

static void change_commit(struct description *d)
{
    d->commit_sha = xstrdup("x");
}

static void change_env(struct description *d)
{
    env_set(&d->env, "A", "x");
}

static void change_timeout(struct description *d)
{
    d->running_timeout = xstrdup("x");
}

static void change_condition(struct description *d)
{
    d->retry_condition = xstrdup("x");
}

static void change_truncated(struct description *d)
{
    d->truncated = true;
}

TEST(descriptions_are_equal_if_all_members_are)
{
    static void (*const change[])(struct description * d) = {
        change_image, change_args,    change_logging,   change_account,   change_commit,
        change_env,   change_timeout, change_condition, change_truncated,
    };

    for (size_t i = 0; i < ARRAY_SIZE(change); i++) {
        struct description *a = description_of("busybox"), *b = description_of("busybox");

        env_set(&a->env, "A", "1");
        env_set(&b->env, "A", "1");
        CHECK(description_equal(a, b));
        change[i](b);
        CHECK(!description_equal(a, b));
        CHECK(!description_equal(a, NULL));
        change[i](a);
        CHECK(description_equal(a, b));
        description_unref(a);
        description_unref(b);
    }
    CHECK(description_equal(NULL, NULL));
}

/* ---- names ---- */

TEST(names_parse_to_what_they_name)
{
    enum run_state state;
    enum event_type event;
    enum trigger_type trigger;

    for (int i = 0; i < RUN_N_STATES; i++) {
        CHECK(run_state_parse(run_state_name((enum run_state) i), &state));
        CHECK_INT(state, i);
    }
    for (int i = 0; i < EVENT_N_TYPES; i++) {
        CHECK(event_type_parse(event_type_name((enum event_type) i), &event));
        CHECK_INT(event, i);
    }
    for (int i = TRIGGER_UNKNOWN; i <= TRIGGER_BACKFILL; i++) {
        CHECK(trigger_type_parse(trigger_type_name((enum trigger_type) i), &trigger));
        CHECK_INT(trigger, i);
    }
    CHECK(!run_state_parse("done", &state));
    CHECK(!run_state_parse("", &state));
    CHECK(!event_type_parse("timeTrigger", &event));
    CHECK(!trigger_type_parse("ad-hoc", &trigger));
}

TEST(states_that_end)
{
    for (int i = 0; i < RUN_N_STATES; i++) {
        const char *name = run_state_name((enum run_state) i);

        CHECK_INT(run_state_terminal((enum run_state) i), !lists(ACTIVE, name));
    }
}

/* ---- at random ---- */

/* Whatever happens: the counter grows by one with each event taken, and nothing changes with one
 * refused; costs and tries only grow within a trigger; an end is final but for a trigger. */
static void walk(struct rng *rng, int steps)
{
    struct run run;
    int64_t seq = 0;

    run_init(&run);
    for (int i = 0; i < steps; i++) {
        struct event event = event_of((enum event_type) rng_below(rng, EVENT_N_TYPES));
        enum run_state from = run.state;
        struct error err;
        int64_t counter = run.counter;
        size_t n_events = run.n_events;
        int tries = run.tries, cost = run.retry_cost_tenths, attempt = run.attempt;
        bool triggers = event.type == EVENT_TRIGGER_EXECUTION;

        event.trigger.seq = ++seq;
        event.exit_code = (int) rng_below(rng, 60);
        bool taken = run_apply(&run, &event, BEGAN + i, KEY, &err);
        CHECK_INT(taken, row_of(event.type, from) != NULL);
        CHECK_INT(run.counter, counter + taken);
        CHECK_INT(run.n_events, n_events + taken);
        CHECK_INT(run.counter, (int64_t) run.n_events - 1);
        CHECK(run.state != RUN_NEW || !taken);
        CHECK(!taken || !run_state_terminal(from) || triggers);
        CHECK(triggers || (run.tries >= tries && run.retry_cost_tenths >= cost));
        CHECK_INT(run.attempt, attempt + (taken && event.type == EVENT_SUBMIT));
        CHECK(run.completed_at == INSTANT_NONE || run_state_terminal(run.state));
        event_done(&event);
    }
    run_done(&run);
}

/* STYX-SM-01, STYX-SM-02 */
TEST(any_walk_keeps_the_rules)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 50; i++)
        walk(&rng, 400);
}
