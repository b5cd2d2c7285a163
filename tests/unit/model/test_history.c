/* SPDX-License-Identifier: Apache-2.0 */
#include "model/history.h"

#include "base/buf.h"
#include "base/rng.h"
#include "test.h"

/*
 * Events as words, "<type>[:<argument>]"; event i happens at instant i.  The argument is the id of
 * a trigger or an execution, an exit code, or a message.  What is derived is written as
 *
 *     <trigger>@<at>[+ if complete] ( <execution>/<runner> <STATUS>@<at>[=<message>] … ) …
 */
#define MAX_EVENTS 40

/* A text that is not const. */
#define T(text) ((char[]) {text})

static char runner[] = "r";
static struct description description = {.references = 1000};

static void set_argument(struct event *e, char *argument)
{
    switch (e->type) {
    case EVENT_TRIGGER_EXECUTION:
        e->trigger.id = argument;
        break;
    case EVENT_SUBMIT:
        e->execution_id = argument;
        e->description = &description;
        break;
    case EVENT_SUBMITTED:
        e->execution_id = argument;
        e->runner_id = runner;
        break;
    case EVENT_TERMINATE:
        e->has_exit = argument != NULL;
        e->exit_code = argument ? (int) strtol(argument, NULL, 10) : 0;
        break;
    default:
        e->message = argument;
    }
}

/* `words` is cut up, and the events point into it. */
static size_t parse(int line, char *words, struct event *events)
{
    size_t n = 0;
    char *word;

    while ((word = strsep(&words, " ")) != NULL) {
        char *argument = strchr(word, ':');

        if (argument)
            *argument++ = '\0';
        CHECK_AT(line, n < MAX_EVENTS);
        events[n] = (struct event) {.at = (instant) n, .counter = (int64_t) n};
        CHECK_AT(line, event_type_parse(word, &events[n].type));
        set_argument(&events[n], argument);
        n++;
    }
    return n;
}

static void print_execution(struct buf *b, const struct history_execution *x)
{
    buf_addf(b, " ( %s/%s", x->execution_id ? x->execution_id : "-",
             x->runner_id ? x->runner_id : "-");
    for (size_t i = 0; i < x->n_statuses; i++) {
        const struct history_status *s = &x->statuses[i];

        buf_addf(b, " %s@%" PRId64 "%s%s", s->status, s->at, s->message ? "=" : "",
                 s->message ? s->message : "");
    }
    buf_adds(b, " )");
}

static char *print(const struct history *h)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < h->n_triggers; i++) {
        const struct history_trigger *t = &h->triggers[i];

        buf_addf(&b, "%s%s@%" PRId64 "%s", i ? " " : "", t->trigger_id, t->at,
                 t->complete ? "+" : "");
        for (size_t k = 0; k < t->n_executions; k++)
            print_execution(&b, &t->executions[k]);
    }
    return buf_take(&b);
}

#define DERIVE(words, want) check_derive(__LINE__, words, want)

static void check_derive(int line, const char *words, const char *want)
{
    CLEANUP(free) char *copy = xstrdup(words);
    struct event events[MAX_EVENTS];
    struct history history;
    size_t n = *words ? parse(line, copy, events) : 0;

    history_derive(events, n, &history);
    CLEANUP(free) char *got = print(&history);
    history_done(&history);
    CHECK_STR_AT(line, got, want);
}

/* STYX-STO-02 */
TEST(a_run_that_succeeds)
{
    DERIVE(
        "triggerExecution:t info:waiting dequeue submit:e submitted:e started terminate:0 success",
        "t@0+ ( e/r SUBMITTED@4 STARTED@5 SUCCESS@6 )");
}

/* STYX-STO-02 */
TEST(how_an_execution_ends)
{
    DERIVE("triggerExecution:t submit:e submitted:e started terminate:20 retryAfter",
           "t@0 ( e/r SUBMITTED@2 STARTED@3 MISSING_DEPS@4 )");
    DERIVE("triggerExecution:t submit:e submitted:e started terminate:3 stop",
           "t@0+ ( e/r SUBMITTED@2 STARTED@3 FAILED@4=Exit code: 3 )");
    DERIVE("triggerExecution:t submit:e submitted:e started terminate:50 stop",
           "t@0+ ( e/r SUBMITTED@2 STARTED@3 FAILED@4=Exit code: 50 )");
    DERIVE("triggerExecution:t submit:e submitted:e started terminate stop",
           "t@0+ ( e/r SUBMITTED@2 STARTED@3 FAILED@4=Exit code unknown )");
    DERIVE("triggerExecution:t submit:e submitted:e runError:no-image stop",
           "t@0+ ( e/r SUBMITTED@2 FAILED@3=no-image )");
    DERIVE("triggerExecution:t submit:e submitted:e timeout retryAfter",
           "t@0 ( e/r SUBMITTED@2 TIMEOUT@3 )");
    DERIVE("triggerExecution:t submit:e submitted:e timeout:late retryAfter",
           "t@0 ( e/r SUBMITTED@2 TIMEOUT@3=late )");
    DERIVE("triggerExecution:t submit:e submitted:e started halt",
           "t@0+ ( e/r SUBMITTED@2 STARTED@3 HALTED@4 )");
}

/* STYX-STO-02 */
TEST(failures_before_a_submission_have_no_id)
{
    DERIVE("triggerExecution:t dequeue runError:quota retryAfter", "t@0 ( -/- FAILED@2=quota )");
    DERIVE("triggerExecution:t halt", "t@0+ ( -/- HALTED@1 )");
    DERIVE("triggerExecution:t timeout retryAfter", "t@0 ( -/- TIMEOUT@1 )");
}

/* STYX-STO-02: what is forgotten, and that the runner is not. */
TEST(executions_of_one_trigger)
{
    DERIVE("triggerExecution:t submit:e submitted:e started terminate:1 retryAfter"
           " dequeue submit:f submitted:f started terminate:0 success",
           "t@0+ ( e/r SUBMITTED@2 STARTED@3 FAILED@4=Exit code: 1 )"
           " ( f/r SUBMITTED@8 STARTED@9 SUCCESS@10 )");
    DERIVE("triggerExecution:t submit:e submitted:e terminate:1 retryAfter runError:x stop",
           "t@0+ ( e/r SUBMITTED@2 FAILED@3=Exit code: 1 ) ( -/r FAILED@5=x )");
}

/* STYX-STO-02 */
TEST(two_triggers)
{
    DERIVE("triggerExecution:t submit:e submitted:e started terminate:0 success"
           " triggerExecution:u submit:f submitted:f",
           "t@0+ ( e/r SUBMITTED@2 STARTED@3 SUCCESS@4 ) u@6 ( f/r SUBMITTED@8 )");
    DERIVE("triggerExecution:t halt triggerExecution:u halt",
           "t@0+ ( -/- HALTED@1 ) u@2+ ( -/- HALTED@3 )");
}

/* STYX-STO-02 */
TEST(an_open_trigger_at_the_end)
{
    DERIVE("triggerExecution:t", "t@0");
    DERIVE("triggerExecution:t info:x dequeue", "t@0");
    DERIVE("triggerExecution:t dequeue submit:e", "t@0 ( e/- )");
    DERIVE("triggerExecution:t dequeue submit:e submitted:e started",
           "t@0 ( e/r SUBMITTED@3 STARTED@4 )");
    DERIVE("triggerExecution:t submit:e submitted:e started terminate:0",
           "t@0 ( e/r SUBMITTED@2 STARTED@3 SUCCESS@4 )");
}

TEST(a_list_without_its_beginning)
{
    DERIVE("", "");
    DERIVE("success", "");
    DERIVE("info:x dequeue retryAfter stop", "");
    DERIVE("started terminate:0 success", "UNKNOWN@0+ ( -/- STARTED@0 SUCCESS@1 )");
    DERIVE("submit:e submitted", "UNKNOWN@0 ( e/r SUBMITTED@1 )");
    DERIVE("terminate:0 success triggerExecution:t halt",
           "UNKNOWN@0+ ( -/- SUCCESS@0 ) t@2+ ( -/- HALTED@3 )");
    DERIVE("triggerExecution halt", "UNKNOWN@0+ ( -/- HALTED@1 )");
}

TEST(a_trigger_whose_end_is_missing)
{
    DERIVE("triggerExecution:t submit:e submitted:e triggerExecution:u",
           "t@0 ( e/r SUBMITTED@2 ) u@3");
}

TEST(image_commit_and_env_are_copied)
{
    struct env_var var = {T("A"), T("x")};
    struct description d = {.references = 1, .image = T("busybox"), .commit_sha = T("c0ffee")};
    struct event events[] = {
        {.type = EVENT_TRIGGER_EXECUTION, .trigger = {.id = T("t"), .env = {&var, 1}}},
        {.type = EVENT_SUBMIT, .execution_id = T("e"), .description = &d},
        {.type = EVENT_RUN_ERROR, .message = T("no")},
        {.type = EVENT_RUN_ERROR, .message = T("again")},
    };
    struct history h;

    history_derive(events, ARRAY_SIZE(events), &h);
    CHECK_INT(h.n_triggers, 1);
    CHECK_STR(env_get(&h.triggers[0].env, "A"), "x");
    CHECK_INT(h.triggers[0].n_executions, 2);
    CHECK_STR(h.triggers[0].executions[0].docker_image, "busybox");
    CHECK_STR(h.triggers[0].executions[0].commit_sha, "c0ffee");
    CHECK_STR(h.triggers[0].executions[1].docker_image, NULL);
    CHECK_STR(h.triggers[0].executions[1].commit_sha, NULL);
    history_done(&h);
    CHECK_INT(h.n_triggers, 0);
}

/* Any list: nothing is lost and nothing is made up. */
TEST(every_status_comes_from_one_event)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int round = 0; round < 5000; round++) {
        struct event events[MAX_EVENTS] = {0};
        struct history h;
        size_t n = rng_below(&rng, MAX_EVENTS), wanted = 0, got = 0;

        for (size_t i = 0; i < n; i++) {
            events[i].type = (enum event_type) rng_below(&rng, EVENT_N_TYPES);
            set_argument(&events[i], NULL);
            wanted += events[i].type == EVENT_SUBMITTED || events[i].type == EVENT_STARTED ||
                      events[i].type == EVENT_TERMINATE || events[i].type == EVENT_RUN_ERROR ||
                      events[i].type == EVENT_TIMEOUT || events[i].type == EVENT_HALT;
        }
        history_derive(events, n, &h);
        for (size_t i = 0; i < h.n_triggers; i++)
            for (size_t k = 0; k < h.triggers[i].n_executions; k++)
                got += h.triggers[i].executions[k].n_statuses;
        history_done(&h);
        CHECK_INT(got, wanted);
    }
}
