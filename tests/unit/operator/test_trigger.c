/* SPDX-License-Identifier: Apache-2.0 */
/* What a workflow's cursor does next. */
#include "operator/trigger.h"

#include "base/buf.h"
#include "base/rng.h"
#include "unit/model/instants.h"
#include "unit/model/json_text.h"

/* ---- a status as text: `name=value` for every member, separated by bars ---- */

static void add_time(struct buf *b, const char *name, instant t)
{
    char text[INSTANT_TEXT_MAX];

    buf_addf(b, "|%s=%s", name, t == INSTANT_NONE ? "-" : instant_print(t, text));
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void add_skipped(struct buf *b, const struct workflow_status *s)
{
    char from[INSTANT_TEXT_MAX], to[INSTANT_TEXT_MAX];

    buf_adds(b, "|skipped=");
    for (size_t i = 0; i < s->n_skipped; i++)
        buf_addf(b, "%s%s %s..%s %" PRId64, i ? ", " : "", s->skipped[i].reason,
                 instant_print(s->skipped[i].from, from), instant_print(s->skipped[i].to, to),
                 s->skipped[i].count);
}

static char *status_text(const struct workflow_status *s)
{
    struct buf b = BUF_INIT;

    buf_addf(&b, "pair=%s#%s|generation=%" PRId64, or_dash(s->component_id),
             or_dash(s->workflow_id), s->observed_generation);
    buf_addf(&b, "|schedule=%s|offset=%s|epoch=%" PRId64, or_dash(s->observed_schedule),
             or_dash(s->observed_offset), s->cursor.epoch);
    add_time(&b, "next", s->cursor.next);
    add_time(&b, "due", s->cursor.next_offset);
    buf_addf(&b, "|wish=%s", or_dash(s->set_next_id));
    buf_addf(&b, "|decision=%s %s %s|why=%s", or_dash(s->last_decision.partition),
             or_dash(s->last_decision.result), or_dash(s->last_decision.reason),
             or_dash(s->last_decision.message));
    add_skipped(&b, s);
    buf_addf(&b, "|suspended=%d|ready=%s %s", s->suspended, or_dash(s->ready.status),
             or_dash(s->ready.reason));
    add_time(&b, "since", s->ready.since);
    buf_addf(&b, "|judged=%" PRId64 "|message=%s", s->ready.observed_generation,
             or_dash(s->ready.message));
    return buf_take(&b);
}

/* The members of `after` that are not as in `before`, after "store ". */
static char *stored_text(const struct workflow_status *was, const struct workflow_status *is)
{
    CLEANUP(free) char *old = status_text(was);
    CLEANUP(free) char *new = status_text(is);
    struct buf b = BUF_INIT;
    const char *x = old, *y = new;

    buf_adds(&b, "store");
    while (*y) {
        size_t n = strcspn(x, "|"), m = strcspn(y, "|");

        if (n != m || memcmp(x, y, m) != 0) {
            buf_adds(&b, strcmp(buf_text(&b), "store") == 0 ? " " : "|");
            buf_add(&b, y, m);
        }
        x += n + (x[n] == '|');
        y += m + (y[m] == '|');
    }
    return buf_take(&b);
}

static char *step_text(const struct workflow *wf, const struct trigger_step *step, instant now)
{
    char text[INSTANT_TEXT_MAX];

    switch (step->kind) {
    case TRIGGER_STORE:
        return stored_text(&wf->status, &step->status);
    case TRIGGER_CREATE:
        return xasprintf("create %s", step->partition);
    case TRIGGER_WAIT:
        break;
    }
    if (step->look_again_at == INSTANT_NONE)
        return xstrdup("wait");
    CHECK(step->look_again_at > now); /* or it would be asked for ever */
    return xasprintf("until %s", instant_print(step->look_again_at, text));
}

/* ---- looks ---- */

struct look {
    const char *spec, *status;
    const char *now;
    const char *metadata;     /* the rest of it */
    const char *component_ns; /* NULL: team */
    bool elder;
    int n_active;
    size_t n_unfinished;
    struct trigger_done done;
};

#define IMAGE  ", 'template': {'image': 'busybox:1'}"
#define HOURLY "'schedule': 'hourly'" IMAGE

#define READY                                                                                      \
    "'conditions': [{'type': 'Ready', 'status': 'True', 'reason': 'Valid', 'message': '',"         \
    " 'observedGeneration': 1, 'lastTransitionTime': '2026-01-01T00:00:00Z'}]"
#define KNOWN "'componentId': 'team', 'workflowId': 'report', 'observedGeneration': 1, " READY
#define CURSOR(next, due)                                                                          \
    "'observedSchedule': 'hours', 'observedOffset': 'PT1H', 'epoch': 4,"                           \
    " 'next': '2026-01-01T" next "Z', 'nextOffset': '2026-01-01T" due "Z', " KNOWN
#define AT_5           CURSOR("05:00:00", "06:00:00")
#define SUSPENDED_AT_5 AT_5 ", 'suspended': true"
#define DAILY_P1M                                                                                  \
    "'observedSchedule': 'days', 'observedOffset': 'P1M', 'epoch': 4,"                             \
    " 'next': '2026-01-28T00:00:00Z', 'nextOffset': '2026-02-28T00:00:00Z', " KNOWN

static struct workflow *workflow_of(int line, const struct look *look)
{
    CLEANUP(free) char *text =
        xasprintf("{'metadata': {'name': 'report', 'namespace': 'team', 'uid': 'wf-1'"
                  " %s}, 'spec': {%s}, 'status': {%s}}",
                  look->metadata ? look->metadata : ", 'generation': 1", look->spec,
                  look->status ? look->status : "");
    CLEANUP(json_decref) json_t *json = json_of_at(line, text);

    return workflow_decode(json);
}

/* What the rows do not show. */
static void check_stored(int line, const struct workflow *wf, const struct workflow_status *s,
                         instant now)
{
    bool same =
        strcmp(or_dash(s->last_decision.partition), or_dash(wf->status.last_decision.partition)) ==
            0 &&
        strcmp(or_dash(s->last_decision.result), or_dash(wf->status.last_decision.result)) == 0;

    CHECK_INT_AT(line, s->last_decision.at, same ? wf->status.last_decision.at : now);
    CHECK_STR_AT(line, s->ready.type, "Ready");
}

#define DECIDE(want, ...) check_decide(__LINE__, want, (struct look) {__VA_ARGS__})

static void check_decide(int line, const char *want, struct look look)
{
    struct settings settings;
    CLEANUP(workflow_free) struct workflow *wf = workflow_of(line, &look);
    CLEANUP(workflow_free) struct workflow *elder = workflow_of(line, &look);
    struct trigger_view view = {
        .wf = wf,
        .elder = look.elder ? elder : NULL,
        .component_ns = look.component_ns ? look.component_ns : "team",
        .n_active = look.n_active,
        .n_unfinished = look.n_unfinished,
        .done = &look.done,
        .now = instant_at(line, look.now),
    };

    settings_default(&settings);
    struct trigger_step step = trigger_decide(&view, &settings);
    CLEANUP(free) char *got = step_text(wf, &step, view.now);
    CHECK_STR_AT(line, got, want);
    if (step.kind == TRIGGER_STORE)
        check_stored(line, wf, &step.status, view.now);
    trigger_step_done(&step);
    settings_done(&settings);
}

/* ---- a cursor is set ---- */

#define FIRST          "pair=team#report|generation=1|"
#define NOW_READY(now) "|ready=True Valid|since=" now "|judged=1|message="

/* STYX-SCH-07 */
TEST(a_new_workflow_gets_a_cursor)
{
    DECIDE("store " FIRST "schedule=hours|offset=PT1H|epoch=1|next=2026-01-01T15:00:00Z"
           "|due=2026-01-01T16:00:00Z" NOW_READY("2026-01-01T15:30:00Z"),
           HOURLY, .now = "2026-01-01T15:30:00.999Z");
    DECIDE("store " FIRST "schedule=days|offset=P30D|epoch=1|next=2018-07-15T00:00:00Z"
           "|due=2018-08-14T00:00:00Z" NOW_READY("2018-08-13T10:00:00Z"),
           "'schedule': '@daily', 'offset': 'P30D'" IMAGE, .now = "2018-08-13T10:00Z");
    DECIDE("store " FIRST "schedule=*/5 * * * *|offset=PT0S|epoch=1|next=2026-01-01T15:35:00Z"
           "|due=2026-01-01T15:35:00Z" NOW_READY("2026-01-01T15:30:00Z"),
           "'schedule': '*/5  * * * *'" IMAGE, .now = "2026-01-01T15:30Z");
    DECIDE("store " FIRST "schedule=hours|offset=PT1H|epoch=1|next=2026-01-01T15:00:00Z"
           "|due=2026-01-01T16:00:00Z|suspended=1" NOW_READY("2026-01-01T15:30:00Z"),
           "'suspend': true, " HOURLY, .now = "2026-01-01T15:30Z");
}

/* Promise 1 holds from when it is made on, also if nobody leads then. */
TEST(a_new_workflow_owes_what_fell_due_since_it_was_made)
{
    DECIDE("store " FIRST "schedule=hours|offset=PT1H|epoch=1|next=2026-01-01T14:00:00Z"
           "|due=2026-01-01T15:00:00Z" NOW_READY("2026-01-01T15:30:00Z"),
           HOURLY, .now = "2026-01-01T15:30Z",
           .metadata = ", 'generation': 1, 'creationTimestamp': '2026-01-01T14:59:57Z'");
    /* It is not known since when it may be triggered: it was another one, or is long there. */
    DECIDE("store pair=team#report|generation=2|schedule=hours|offset=PT1H|epoch=1"
           "|next=2026-01-01T15:00:00Z|due=2026-01-01T16:00:00Z|ready=True Valid"
           "|since=2026-01-01T15:30:00Z|judged=2|message=",
           HOURLY, .now = "2026-01-01T15:30Z",
           .metadata = ", 'generation': 2, 'creationTimestamp': '2026-01-01T14:59:57Z'");
    DECIDE("store " FIRST "schedule=hours|offset=PT1H|epoch=1|next=2026-01-01T15:00:00Z"
           "|due=2026-01-01T16:00:00Z" NOW_READY("2026-01-01T15:30:00Z"),
           HOURLY, .now = "2026-01-01T15:30Z",
           .metadata = ", 'generation': 1, 'creationTimestamp': '2026-01-01T14:29:57Z'");
}

#define DONE(epoch_, at, triggered_)                                                               \
    .done = {.epoch = (epoch_),                                                                    \
             .partition = 1767225600000 + (at) *HOUR_MS,                                           \
             .triggered = (triggered_),                                                            \
             .reason = (char *) (uintptr_t) "AlreadyActive"}
#define PASSED_5 "next=2026-01-01T06:00:00Z|due=2026-01-01T07:00:00Z|"

#define RESCHEDULED(last, n)                                                                       \
    "|decision=2026-01-01T" last " Skipped Rescheduled"                                            \
    "|why=they were left out when the schedule or the offset was changed"                          \
    "|skipped=Rescheduled 2026-01-01T05:00:00Z..2026-01-01T" last ":00:00Z " #n

/* STYX-SCH-07 */
TEST(another_schedule_or_offset_sets_the_cursor_anew)
{
    DECIDE("until 2026-01-01T06:00:00Z", HOURLY, AT_5, "2026-01-01T05:30Z");
    DECIDE("until 2026-01-01T06:00:00Z", "'schedule': 'Hours', 'offset': 'PT1H'" IMAGE, AT_5,
           "2026-01-01T05:30Z");
    /* What had fallen due is not forgotten in silence, ... */
    DECIDE("store schedule=days|offset=P1D|epoch=5|next=2026-01-01T00:00:00Z"
           "|due=2026-01-02T00:00:00Z" RESCHEDULED("06", 2),
           "'schedule': 'daily'" IMAGE, AT_5, "2026-01-01T07:30Z");
    /* ... unless it falls due once more, as that of 06:00 does, ... */
    DECIDE("store offset=PT2H|epoch=5|next=2026-01-01T06:00:00Z"
           "|due=2026-01-01T08:00:00Z" RESCHEDULED("05", 1),
           "'schedule': 'hourly', 'offset': 'PT2H'" IMAGE, AT_5, "2026-01-01T07:30Z");
    /* ... or was triggered, and the cursor was not stored yet. */
    DECIDE("store offset=PT2H|epoch=5|next=2026-01-01T06:00:00Z|due=2026-01-01T08:00:00Z",
           "'schedule': 'hourly', 'offset': 'PT2H'" IMAGE, AT_5, "2026-01-01T07:30Z",
           DONE(4, 5, true));
    /* By a shorter offset the new cursor is past some that had not fallen due by the old one. */
    DECIDE("store offset=PT30M|epoch=5|next=2026-01-01T07:00:00Z"
           "|due=2026-01-01T07:30:00Z" RESCHEDULED("06", 2),
           "'schedule': 'hourly', 'offset': 'PT30M'" IMAGE, AT_5, "2026-01-01T06:45Z");
    DECIDE("store offset=PT30M|epoch=5|next=2026-01-01T06:00:00Z"
           "|due=2026-01-01T06:30:00Z" RESCHEDULED("05", 1),
           "'schedule': 'hourly', 'offset': 'PT30M'" IMAGE, AT_5, "2026-01-01T05:45Z");
    /* With months several fall due at one instant. */
    DECIDE("store offset=P28D|epoch=5|next=2026-01-31T00:00:00Z"
           "|decision=2026-01-30 Skipped Rescheduled"
           "|why=they were left out when the schedule or the offset was changed"
           "|skipped=Rescheduled 2026-01-28T00:00:00Z..2026-01-30T00:00:00Z 3",
           "'schedule': 'daily', 'offset': 'P28D'" IMAGE, DAILY_P1M, "2026-02-27T12:00Z");
    /* `0 * * * *` is not `hourly`. */
    DECIDE("store schedule=0 * * * *|offset=PT0S|epoch=5|next=2026-01-01T06:00:00Z",
           "'schedule': '0 * * * *'" IMAGE, AT_5, "2026-01-01T05:30Z");
    DECIDE("store offset=PT2H|epoch=5|next=2026-01-01T06:00:00Z"
           "|due=2026-01-01T08:00:00Z" RESCHEDULED("05", 1) "|suspended=1",
           "'suspend': true, 'schedule': 'hourly', 'offset': 'PT2H'" IMAGE, AT_5,
           "2026-01-01T07:30Z");
}

#define WISH(id, more) HOURLY ", 'setNext': {'id': '" id "' " more "}"

TEST(a_wish_sets_the_cursor_once)
{
    DECIDE("store epoch=5|next=2025-12-24T00:00:00Z|due=2025-12-24T01:00:00Z|wish=a",
           WISH("a", ", 'next': '2025-12-24T00:00:00Z', 'nextOffset': '2025-12-24T01:00:00Z'"),
           AT_5, "2026-01-01T05:30Z");
    DECIDE("store epoch=5|due=2026-01-01T05:31:00Z|wish=a",
           WISH("a", ", 'nextOffset': '2026-01-01T05:31:00Z'"), AT_5, "2026-01-01T05:30Z");
    DECIDE("store epoch=5|wish=b", WISH("b", ""), AT_5 ", 'setNextId': 'a'", "2026-01-01T05:30Z");
    DECIDE("until 2026-01-01T06:00:00Z", WISH("a", ", 'next': '2025-12-24T00:00:00Z'"),
           AT_5 ", 'setNextId': 'a'", "2026-01-01T05:30Z");
    DECIDE("store epoch=5|next=2026-01-02T00:00:00Z|wish=a|suspended=1",
           "'suspend': true, " WISH("a", ", 'next': '2026-01-02T00:00:00Z'"), AT_5,
           "2026-01-01T05:30Z");
    /* To a suspended workflow: what is left as it is, is as it was shown. */
    DECIDE("store epoch=5|next=2025-12-24T00:00:00Z|due=2026-01-01T10:00:00Z|wish=a"
           "|decision=2026-01-01T08 Skipped Suspended"
           "|why=they fell due while the workflow was suspended"
           "|skipped=Suspended 2026-01-01T05:00:00Z..2026-01-01T08:00:00Z 4|suspended=0",
           WISH("a", ", 'next': '2025-12-24T00:00:00Z'"), SUSPENDED_AT_5, "2026-01-01T09:30Z");
    DECIDE("store epoch=5|next=2025-12-24T00:00:00Z|due=2026-01-01T10:00:00Z|wish=a"
           "|decision=2026-01-01T08 Skipped Suspended"
           "|why=they fell due while the workflow was suspended"
           "|skipped=Suspended 2026-01-01T06:00:00Z..2026-01-01T08:00:00Z 3|suspended=0",
           WISH("a", ", 'next': '2025-12-24T00:00:00Z'"), SUSPENDED_AT_5, "2026-01-01T09:30Z",
           DONE(4, 5, true));
    DECIDE("store epoch=5|next=2026-01-01T02:00:00Z|due=2026-01-01T03:00:00Z|wish=a|suspended=0",
           WISH("a", ", 'next': '2026-01-01T02:00:00Z', 'nextOffset': '2026-01-01T03:00:00Z'"),
           SUSPENDED_AT_5, "2026-01-01T05:30Z");
    DECIDE("store epoch=5|next=2026-01-01T02:00:00Z|due=2026-01-01T03:00:00Z|wish=a",
           "'suspend': true, " WISH(
               "a", ", 'next': '2026-01-01T02:00:00Z', 'nextOffset': '2026-01-01T03:00:00Z'"),
           SUSPENDED_AT_5, "2026-01-01T05:30Z");
    /* First things first: the wish is seen to at the next look. */
    DECIDE("store schedule=days|offset=P1D|epoch=5|next=2026-01-01T00:00:00Z"
           "|due=2026-01-02T00:00:00Z" RESCHEDULED("06", 2),
           "'schedule': 'daily', 'setNext': {'id': 'a', 'next': '2025-01-01T00:00Z'}" IMAGE, AT_5,
           "2026-01-01T07:30Z");
}

/* ---- what is due ---- */

/* STYX-SCH-08: create, then store; asked again in between, it says the same. */
TEST(a_partition_that_is_due_is_created)
{
    DECIDE("until 2026-01-01T06:00:00Z", HOURLY, AT_5, "2026-01-01T05:59:59.999Z");
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:00Z");
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:00:01Z");
    DECIDE("until 2026-01-01T06:00:00Z", HOURLY, AT_5, "2025-01-01T00:00Z");
    DECIDE("create 2026-01-01T05:30:00Z", "'schedule': '30 * * * *'" IMAGE,
           "'observedSchedule': '30 * * * *', 'observedOffset': 'PT0S', 'epoch': 1,"
           " 'next': '2026-01-01T05:30:00Z', 'nextOffset': '2026-01-01T05:30:00Z', " KNOWN,
           "2026-01-01T06:00Z");
}

/* STYX-SCH-08: after a downtime the oldest comes first. */
TEST(what_was_missed_is_caught_up_one_by_one)
{
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-03T00:30Z");
    DECIDE("create 2026-01-01T05", "'catchUp': 'All', " HOURLY, AT_5, "2026-01-03T00:30Z");
}

/* STYX-SCH-10 */
TEST(what_was_seen_to_is_recorded)
{
    DECIDE("store " PASSED_5 "decision=2026-01-01T05 Triggered Due|why=", HOURLY, AT_5,
           "2026-01-01T06:00Z", DONE(4, 5, true));
    DECIDE("store " PASSED_5 "decision=2026-01-01T05 Skipped AlreadyActive"
           "|why=the instance was active already"
           "|skipped=AlreadyActive 2026-01-01T05:00:00Z..2026-01-01T05:00:00Z 1",
           HOURLY, AT_5, "2026-01-01T06:00Z", DONE(4, 5, false));
    DECIDE("store " PASSED_5 "decision=2026-01-01T05 Triggered Due|why=",
           "'suspend': true, " HOURLY, AT_5, "2026-01-01T06:00Z", DONE(4, 5, true));
    /* Of another cursor or another partition. */
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:00Z", DONE(3, 5, true));
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:00Z", DONE(4, 4, true));
    DECIDE("store offset=PT2H|epoch=5|next=2026-01-01T04:00:00Z",
           "'schedule': 'hourly', 'offset': 'PT2H'" IMAGE, AT_5, "2026-01-01T05:30Z",
           DONE(4, 5, true));
}

/* It is said once, and asked for again and again. */
TEST(what_cannot_be_triggered_yet_is_asked_for_again)
{
    static const char said[] =
        AT_5 ", 'lastDecision': {'partition': '2026-01-01T05', 'result': 'Waiting',"
             " 'reason': 'BeingDeleted', 'message': 'the object of that name is being deleted',"
             " 'at': '2026-01-01T06:00:00Z'}";
    struct trigger_done waits = {.epoch = 4,
                                 .partition = 1767225600000 + 5 * HOUR_MS,
                                 .waits = true,
                                 .reason = (char *) (uintptr_t) "BeingDeleted"};

    DECIDE("store decision=2026-01-01T05 Waiting BeingDeleted"
           "|why=the object of that name is being deleted",
           HOURLY, AT_5, "2026-01-01T06:00Z", .done = waits);
    DECIDE("create 2026-01-01T05", HOURLY, said, "2026-01-01T06:01Z", .done = waits);
    waits.epoch = 3;
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:00Z", .done = waits);
}

TEST(a_schedule_ends_with_time)
{
    static const char last[] =
        "'observedSchedule': 'years', 'observedOffset': 'PT0S', 'epoch': 4,"
        " 'next': '9999-01-01T00:00:00Z', 'nextOffset': '9999-01-01T00:00:00Z', " KNOWN;
    static const char over[] =
        "'observedSchedule': 'years', 'observedOffset': 'PT0S', 'epoch': 4,"
        " 'next': '9999-01-01T00:00:00Z', 'nextOffset': '9999-12-31T23:59:59.999Z', " KNOWN;
    static const char yearly[] = "'schedule': 'yearly', 'offset': 'PT0S'" IMAGE;
    struct trigger_done done = {.epoch = 4, .partition = 253370764800000, .triggered = true};

    DECIDE("create 9999", yearly, last, "9999-01-01T00:00Z");
    DECIDE("store due=9999-12-31T23:59:59.999Z|decision=9999 Triggered Due|why=", yearly, last,
           "9999-01-01T00:00Z", .done = done);
    DECIDE("wait", yearly, over, "9999-02-01T00:00Z");
    DECIDE("create 9999", "'schedule': 'yearly', 'offset': 'PT0S', 'catchUp': 'Latest'" IMAGE, last,
           "9999-01-01T00:00Z");
    DECIDE("store due=9999-12-31T23:59:59.999Z|decision=9999 Skipped Suspended"
           "|why=they fell due while the workflow was suspended"
           "|skipped=Suspended 9999-01-01T00:00:00Z..9999-01-01T00:00:00Z 1|suspended=0",
           yearly,
           "'observedSchedule': 'years', 'observedOffset': 'PT0S', 'epoch': 4, 'suspended': true,"
           " 'next': '9999-01-01T00:00:00Z', 'nextOffset': '9999-01-01T00:00:00Z', " KNOWN,
           "9999-02-01T00:00Z");
}

/* ---- suspended ---- */

/* STYX-SCH-09 */
TEST(a_suspended_workflow_triggers_nothing)
{
    DECIDE("store suspended=1", "'suspend': true, " HOURLY, AT_5, "2026-01-01T05:30Z");
    DECIDE("store suspended=1", "'suspend': true, " HOURLY, AT_5, "2026-01-01T09:30Z");
    DECIDE("wait", "'suspend': true, " HOURLY, SUSPENDED_AT_5, "2026-01-01T05:30Z");
    DECIDE("wait", "'suspend': true, " HOURLY, SUSPENDED_AT_5, "2026-01-01T09:30Z");
}

/* STYX-SCH-09: one record for all of them. */
TEST(what_fell_due_while_it_was_suspended_is_skipped)
{
    DECIDE("store suspended=0", HOURLY, SUSPENDED_AT_5, "2026-01-01T05:30Z");
    DECIDE("store next=2026-01-01T09:00:00Z|due=2026-01-01T10:00:00Z"
           "|decision=2026-01-01T08 Skipped Suspended"
           "|why=they fell due while the workflow was suspended"
           "|skipped=Suspended 2026-01-01T05:00:00Z..2026-01-01T08:00:00Z 4|suspended=0",
           HOURLY, SUSPENDED_AT_5, "2026-01-01T09:30Z");
    DECIDE("store offset=PT2H|epoch=5|next=2026-01-01T08:00:00Z|due=2026-01-01T10:00:00Z"
           "|decision=2026-01-01T07 Skipped Suspended"
           "|why=they fell due while the workflow was suspended"
           "|skipped=Suspended 2026-01-01T05:00:00Z..2026-01-01T07:00:00Z 3|suspended=0",
           "'schedule': 'hourly', 'offset': 'PT2H'" IMAGE, SUSPENDED_AT_5, "2026-01-01T09:30Z");
}

/* The cursor that the API shows while a workflow is suspended is the one that the operator makes of
 * it when it goes on at that time. */
static struct cursor resume_at(struct workflow *wf, instant now)
{
    struct trigger_done nothing = {0};
    struct trigger_view view = {.wf = wf, .component_ns = "team", .done = &nothing, .now = now};
    struct settings settings;

    settings_default(&settings);
    wf->suspend = false;
    struct trigger_step step = trigger_decide(&view, &settings);
    CHECK_INT(step.kind, TRIGGER_STORE);
    CHECK(!step.status.suspended);
    struct cursor c = step.status.cursor;
    trigger_step_done(&step);
    settings_done(&settings);
    return c;
}

static void check_shown(int line, const char *schedule, const char *offset, const char *more,
                        instant now)
{
    CLEANUP(free) char *spec = xasprintf(
        "'suspend': true, 'schedule': '%s', 'offset': '%s'%s" IMAGE, schedule, offset, more);
    CLEANUP(free) char *status =
        xasprintf("'observedSchedule': '%s', 'observedOffset': '%s', 'epoch': 4,"
                  " 'next': '2026-01-01T05:00:00Z', 'nextOffset': '2026-01-01T06:00:00Z',"
                  " 'suspended': true, " KNOWN,
                  schedule, offset);
    struct look look = {spec, status};
    CLEANUP(workflow_free) struct workflow *wf = workflow_of(line, &look);
    struct cursor shown = workflow_cursor(wf, now);

    CHECK_AT(line, *more || !cursor_due(&shown, now));
    struct cursor made = resume_at(wf, now);
    CHECK_INT_AT(line, shown.next, made.next);
    CHECK_INT_AT(line, shown.next_offset, made.next_offset);
    CHECK_INT_AT(line, shown.epoch, made.epoch);
    struct cursor before = workflow_cursor(wf, now); /* asked for, and not seen by the operator */
    CHECK_INT_AT(line, before.next_offset, made.next_offset);
}

/* STYX-SCH-09, STYX-API-09 */
TEST(what_is_shown_while_suspended_is_what_resuming_makes_of_it)
{
    static const char *const schedules[] = {"hours", "days",        "weeks",      "months",
                                            "years", "*/7 3 * * *", "0 0 31 * 1", "* * * * *"};
    static const char *const offsets[] = {"PT0S", "PT1H", "-P3DT2H", "P1M", "-P1M1D", "P1Y"};
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 500; i++)
        check_shown(__LINE__, schedules[rng_below(&rng, ARRAY_SIZE(schedules))],
                    offsets[rng_below(&rng, ARRAY_SIZE(offsets))], "",
                    1767225600000 + rng_between(&rng, 0, 900 * DAY_MS));
    check_shown(__LINE__, "years", "PT0S", "", 253370764800000 + DAY_MS); /* and it has run out */
}

/* Looks until there is nothing more to store, as the operator does. */
static void look_on(struct workflow *wf, instant now)
{
    struct trigger_done nothing = {0};
    struct trigger_view view = {.wf = wf, .component_ns = "team", .done = &nothing, .now = now};
    struct settings settings;

    settings_default(&settings);
    for (int i = 0; i < 10; i++) {
        struct trigger_step step = trigger_decide(&view, &settings);

        if (step.kind == TRIGGER_STORE) {
            workflow_status_done(&wf->status);
            workflow_status_copy(&wf->status, &step.status);
        }
        trigger_step_done(&step);
    }
    settings_done(&settings);
}

static void check_shown_at_first(int line, const char *spec, instant now)
{
    struct look look = {spec, ""};
    CLEANUP(workflow_free) struct workflow *wf = workflow_of(line, &look);
    struct cursor shown = workflow_cursor(wf, now);

    look_on(wf, now);
    CHECK_INT_AT(line, shown.next, wf->status.cursor.next);
    CHECK_INT_AT(line, shown.next_offset, wf->status.cursor.next_offset);
    CHECK_INT_AT(line, shown.epoch, wf->status.cursor.epoch);
}

/* STYX-SCH-07, STYX-API-09 */
TEST(what_is_shown_before_the_first_look_is_what_that_makes_of_it)
{
    static const char *const specs[] = {
        HOURLY,
        "'suspend': true, " HOURLY,
        "'schedule': 'months', 'offset': '-P1M1D'" IMAGE,
        "'suspend': true, 'schedule': '0 0 31 * 1', 'offset': 'P1M'" IMAGE,
        HOURLY ", 'setNext': {'id': 'a', 'nextOffset': '2100-01-01T00:00:00Z'}",
        "'suspend': true, " HOURLY ", 'setNext': {'id': 'a', 'next': '2025-12-24T00:00:00Z'}",
        "'schedule': '0 0 30 2 *'" IMAGE,
    };
    struct rng rng;

    rng_init(&rng, test_seed());
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
        for (int k = 0; k < 50; k++)
            check_shown_at_first(__LINE__, specs[i],
                                 1767225600000 + rng_between(&rng, 0, 900 * DAY_MS));
}

/* ---- catching up ---- */

#define LATEST "'catchUp': 'Latest', " HOURLY
#define NEVER  "'catchUp': 'None', " HOURLY
#define MISSED "|why=missed while nobody could trigger them|skipped=CatchUp "

TEST(only_the_latest_is_caught_up)
{
    DECIDE("create 2026-01-01T05", LATEST, AT_5, "2026-01-01T06:00Z");
    DECIDE("create 2026-01-01T05", LATEST, AT_5, "2026-01-01T06:59:59Z");
    /* Somebody wished for it earlier than it falls due by itself. */
    DECIDE("create 2026-01-01T05", LATEST, CURSOR("05:00:00", "05:31:00"), "2026-01-01T05:31Z");
    DECIDE("until 2026-01-01T05:31:00Z", LATEST, CURSOR("05:00:00", "05:31:00"),
           "2026-01-01T05:30Z");
    DECIDE("store next=2026-01-01T06:00:00Z|due=2026-01-01T07:00:00Z"
           "|decision=2026-01-01T05 Skipped CatchUp" MISSED
           "2026-01-01T05:00:00Z..2026-01-01T05:00:00Z 1",
           LATEST, AT_5, "2026-01-01T07:00Z");
    DECIDE("store next=2026-01-02T09:00:00Z|due=2026-01-02T10:00:00Z"
           "|decision=2026-01-02T08 Skipped CatchUp" MISSED
           "2026-01-01T05:00:00Z..2026-01-02T08:00:00Z 28",
           LATEST, AT_5, "2026-01-02T10:59Z");
    DECIDE("wait", "'suspend': true, " LATEST, SUSPENDED_AT_5, "2026-01-01T09:30Z");
}

TEST(nothing_is_caught_up)
{
    DECIDE("create 2026-01-01T05", NEVER, AT_5, "2026-01-01T06:00Z");
    DECIDE("create 2026-01-01T05", NEVER, AT_5, "2026-01-01T06:00:59.999Z");
    DECIDE("store next=2026-01-01T06:00:00Z|due=2026-01-01T07:00:00Z"
           "|decision=2026-01-01T05 Skipped CatchUp" MISSED
           "2026-01-01T05:00:00Z..2026-01-01T05:00:00Z 1",
           NEVER, AT_5, "2026-01-01T06:01Z");
    DECIDE("store next=2026-01-01T09:00:00Z|due=2026-01-01T10:00:00Z"
           "|decision=2026-01-01T08 Skipped CatchUp" MISSED
           "2026-01-01T05:00:00Z..2026-01-01T08:00:00Z 4",
           NEVER, AT_5, "2026-01-01T10:00:30Z");
    DECIDE("create 2026-01-01T09", NEVER, CURSOR("09:00:00", "10:00:00"), "2026-01-01T10:00:30Z");
}

/* ---- what stands in the way ---- */

#define WAITING                                                                                    \
    "'lastDecision': {'partition': '2026-01-01T05', 'result': 'Waiting', 'reason': 'MaxActive',"   \
    " 'message': 'x', 'at': '2026-01-01T06:00:00Z'}"

TEST(as_many_as_max_active_allows)
{
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:00Z", .n_active = 99);
    DECIDE("store decision=2026-01-01T05 Waiting MaxActive"
           "|why=as many runs as maxActive allows are not finished",
           HOURLY, AT_5, "2026-01-01T06:00Z", .n_active = 100);
    DECIDE("wait", HOURLY, AT_5 ", " WAITING, "2026-01-01T06:30Z", .n_active = 100);
    DECIDE("create 2026-01-01T05", HOURLY, AT_5 ", " WAITING, "2026-01-01T06:30Z", .n_active = 99);
    DECIDE("wait", "'maxActive': 2, " HOURLY, AT_5 ", " WAITING, "2026-01-01T06:30Z",
           .n_active = 2);
    DECIDE("until 2026-01-01T06:00:00Z", "'maxActive': 2, " HOURLY, AT_5, "2026-01-01T05:30Z",
           .n_active = 5);
}

/* Design, section 8: 20,000 in all; what is due now goes before what was missed. */
TEST(as_many_as_there_may_be_in_all)
{
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:00Z", .n_unfinished = 19999);
    DECIDE("store decision=2026-01-01T05 Waiting TooManyRuns"
           "|why=as many runs as Kharon takes in all are not finished",
           HOURLY, AT_5, "2026-01-01T06:00Z", .n_unfinished = 20000);
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T06:59:59Z", .n_unfinished = 18000);
    DECIDE("create 2026-01-01T05", HOURLY, AT_5, "2026-01-01T07:00Z", .n_unfinished = 17999);
    DECIDE("store decision=2026-01-01T05 Waiting TooManyRuns"
           "|why=as many runs as Kharon takes in all are not finished",
           HOURLY, AT_5, "2026-01-01T07:00Z", .n_unfinished = 18000);
    DECIDE("wait", "'maxActive': 2, " HOURLY, AT_5 ", " WAITING, "2026-01-01T06:30Z", .n_active = 2,
           .n_unfinished = 20000);
}

TEST(without_an_image_partitions_pass_by)
{
    DECIDE("store next=2026-01-01T06:00:00Z|due=2026-01-01T07:00:00Z"
           "|decision=2026-01-01T05 Skipped NoImage|why=the workflow has no image to run"
           "|skipped=NoImage 2026-01-01T05:00:00Z..2026-01-01T05:00:00Z 1",
           "'schedule': 'hourly'", AT_5, "2026-01-01T06:00Z");
    DECIDE("store next=2026-01-01T09:00:00Z|due=2026-01-01T10:00:00Z"
           "|decision=2026-01-01T08 Skipped NoImage|why=the workflow has no image to run"
           "|skipped=NoImage 2026-01-01T05:00:00Z..2026-01-01T08:00:00Z 4",
           "'schedule': 'hourly'", AT_5, "2026-01-01T09:30Z");
    DECIDE("until 2026-01-01T06:00:00Z", "'schedule': 'hourly'", AT_5, "2026-01-01T05:30Z");
    DECIDE("wait", "'schedule': 'hourly', 'suspend': true", SUSPENDED_AT_5, "2026-01-01T06:30Z");
}

TEST(a_workflow_that_goes_triggers_nothing)
{
    DECIDE("wait", HOURLY, AT_5, "2026-01-01T06:30Z",
           .metadata = ", 'generation': 1, 'deletionTimestamp': '2026-01-01T06:00:00Z'");
    DECIDE("wait", HOURLY, NULL, "2026-01-01T06:30Z",
           .metadata = ", 'generation': 1, 'deletionTimestamp': '2026-01-01T06:00:00Z'");
}

/* ---- unfit ---- */

#define UNFIT(reason, message)                                                                     \
    "store ready=False " reason "|since=2026-01-01T06:30:00Z|message=" message
#define AT_DUE AT_5, "2026-01-01T06:30Z"

/* STYX-CFG-05 */
TEST(an_invalid_workflow_triggers_nothing_and_says_why)
{
    DECIDE(UNFIT("Invalid", "[invalid schedule]"), "'schedule': 'never'" IMAGE, AT_DUE);
    DECIDE(UNFIT("Invalid", "[invalid offset: x is not an ISO-8601 period such as PT2H, P1D or "
                            "P1M, invalid image: Tag cannot be empty]"),
           "'schedule': 'hourly', 'offset': 'x', 'template': {'image': 'a:'}", AT_DUE);
    DECIDE(UNFIT("Invalid", "spec.schedule: missing"), "'template': {'image': 'a'}", AT_DUE);
    DECIDE(UNFIT("Invalid", "[invalid schedule]"), "'schedule': 'never', 'limits': ['a']" IMAGE,
           AT_DUE);
    DECIDE(UNFIT("NotYetSupported", "[limits: not supported yet, retryCondition: not supported "
                                    "yet]"),
           "'limits': ['a'], 'retryCondition': 'true', " HOURLY, AT_DUE);
    DECIDE("store " FIRST "ready=False Invalid|since=2026-01-01T06:30:00Z|judged=1"
           "|message=[invalid schedule]",
           "'schedule': 'never'" IMAGE, NULL, "2026-01-01T06:30Z");
}

TEST(a_workflow_in_the_wrong_place)
{
    DECIDE(UNFIT("ComponentNotAllowed", "component team belongs to namespace other, not team"),
           HOURLY, AT_DUE, .component_ns = "other");
    DECIDE("store pair=billing#daily|ready=False ComponentNotAllowed|since=2026-01-01T06:30:00Z"
           "|message=component billing belongs to namespace other, not team",
           "'componentId': 'billing', 'workflowId': 'daily', " HOURLY, AT_DUE,
           .component_ns = "other");
    DECIDE(UNFIT("DuplicateWorkflow",
                 "workflow team/report is older and has the same component and id"),
           HOURLY, AT_DUE, .elder = true);
}

#define INVALID_SINCE_5                                                                            \
    "'componentId': 'team', 'workflowId': 'report', 'observedGeneration': 1, 'epoch': 4,"          \
    " 'observedSchedule': 'hours', 'observedOffset': 'PT1H', 'next': '2026-01-01T05:00:00Z',"      \
    " 'nextOffset': '2026-01-01T06:00:00Z', 'conditions': [{'type': 'Ready', 'status': 'False',"   \
    " 'reason': 'Invalid', 'message': '[invalid schedule]', 'observedGeneration': 1,"              \
    " 'lastTransitionTime': '2026-01-01T05:00:00Z'}]"

TEST(a_verdict_is_stored_once)
{
    DECIDE("wait", "'schedule': 'never'" IMAGE, INVALID_SINCE_5, "2026-01-01T06:30Z");
    DECIDE("store ready=False NotYetSupported|message=[limits: not supported yet]",
           "'limits': ['a'], " HOURLY, INVALID_SINCE_5, "2026-01-01T06:30Z");
    DECIDE("store generation=2|judged=2", "'schedule': 'never'" IMAGE, INVALID_SINCE_5,
           "2026-01-01T06:30Z", .metadata = ", 'generation': 2");
    /* It is mended: what was missed is caught up. */
    DECIDE("store ready=True Valid|since=2026-01-01T06:30:00Z|message=", HOURLY, INVALID_SINCE_5,
           "2026-01-01T06:30Z");
}

/* The cursor is that of the schedule before, and stays as it was, whatever else changes. */
TEST(a_schedule_that_never_comes)
{
    static const char never[] = "'schedule': '0 0 30 2 *'" IMAGE;

    DECIDE("store " FIRST "ready=False Invalid|since=2026-01-01T06:30:00Z|judged=1"
           "|message=the schedule 0 0 30 2 * never comes",
           never, NULL, "2026-01-01T06:30Z");
    DECIDE(UNFIT("Invalid", "the schedule 0 0 30 2 * never comes"), never, AT_DUE);
    DECIDE(UNFIT("Invalid", "the schedule 0 0 30 2 * never comes"), never, SUSPENDED_AT_5,
           "2026-01-01T06:30Z");
    DECIDE(UNFIT("Invalid", "the schedule 0 0 30 2 * never comes"), never, AT_DUE,
           DONE(4, 5, true));
    DECIDE(UNFIT("Invalid", "the schedule 0 0 30 2 * never comes"),
           "'suspend': true, 'schedule': '0 0 30 2 *'" IMAGE, AT_DUE);
}

/* ---- names ---- */

TEST(keys)
{
    struct look look = {HOURLY, AT_5, "2026-01-01T06:30Z"};
    CLEANUP(workflow_free) struct workflow *wf = workflow_of(__LINE__, &look);
    CLEANUP(free) char *key = trigger_key(wf, wf->status.cursor.epoch);

    CHECK_STR(key, "wf-1/4");
}
