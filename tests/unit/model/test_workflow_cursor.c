/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor as the API shows it. */
#include "model/workflow.h"

#include "unit/model/instants.h"
#include "unit/model/json_text.h"

#define HOURLY "'schedule': 'hourly'"
#define AT_5                                                                                       \
    "'observedSchedule': 'hours', 'observedOffset': 'PT1H', 'epoch': 4,"                           \
    " 'next': '2026-01-01T05:00:00Z', 'nextOffset': '2026-01-01T06:00:00Z'"
#define SUSPENDED_AT_5 AT_5 ", 'suspended': true"
#define WISH           ", 'setNext': {'id': 'a', 'next': '2025-12-24T00:00:00Z'}"

/* At half past nine. */
#define SHOWN(spec, status, next, next_offset, epoch)                                              \
    check_shown(__LINE__, spec, status, next, next_offset, epoch)

static struct cursor shown(int line, const char *spec, const char *status)
{
    CLEANUP(free) char *text = xasprintf("{'spec': {%s}, 'status': {%s}}", spec, status);
    CLEANUP(json_decref) json_t *json = json_of_at(line, text);
    CLEANUP(workflow_free) struct workflow *wf = workflow_decode(json);

    return workflow_cursor(wf, AT("2026-01-01T09:30Z"));
}

static void check_shown(int line, const char *spec, const char *status, const char *next,
                        const char *next_offset, int64_t epoch)
{
    struct cursor c = shown(line, spec, status);

    CHECK_INT_AT(line, c.epoch, epoch);
    CHECK_INSTANT_AT(line, c.next, next);
    CHECK_INSTANT_AT(line, c.next_offset, next_offset);
}

#define NOT_SHOWN(spec, status) CHECK_INT(shown(__LINE__, spec, status).epoch, 0)

TEST(a_workflow_that_is_not_suspended_is_shown_as_stored)
{
    SHOWN(HOURLY, AT_5, "2026-01-01T05:00Z", "2026-01-01T06:00Z", 4);
}

/* STYX-SCH-09 */
TEST(time_moves_the_cursor_of_a_suspended_workflow)
{
    SHOWN("'suspend': true, " HOURLY, SUSPENDED_AT_5, "2026-01-01T09:00Z", "2026-01-01T10:00Z", 4);
    /* The operator has not seen that it was suspended, or that it goes on. */
    SHOWN("'suspend': true, " HOURLY, AT_5, "2026-01-01T09:00Z", "2026-01-01T10:00Z", 4);
    SHOWN(HOURLY, SUSPENDED_AT_5, "2026-01-01T09:00Z", "2026-01-01T10:00Z", 4);
}

/* STYX-SCH-07, STYX-API-10: what was accepted is shown before the operator has come to it. */
TEST(what_the_operator_will_do_is_shown)
{
    SHOWN("'schedule': 'daily'", AT_5, "2026-01-01T00:00Z", "2026-01-02T00:00Z", 5);
    SHOWN("'suspend': true, 'schedule': 'daily'", SUSPENDED_AT_5, "2026-01-01T00:00Z",
          "2026-01-02T00:00Z", 5);
    SHOWN(HOURLY WISH, AT_5, "2025-12-24T00:00Z", "2026-01-01T06:00Z", 5);
    SHOWN(HOURLY WISH, SUSPENDED_AT_5, "2025-12-24T00:00Z", "2026-01-01T10:00Z", 5);
    SHOWN(HOURLY WISH, AT_5 ", 'setNextId': 'a'", "2026-01-01T05:00Z", "2026-01-01T06:00Z", 4);
    SHOWN("'suspend': true, " HOURLY WISH, AT_5, "2026-01-01T09:00Z", "2026-01-01T10:00Z", 5);
}

#define UNFIT(generation)                                                                          \
    "'conditions': [{'type': 'Ready', 'status': 'False', 'reason': 'Invalid', 'message': 'm',"     \
    " 'observedGeneration': " generation ", 'lastTransitionTime': '2026-01-01T00:00:00Z'}]"

/* STYX-SCH-07, STYX-API-09: right after a POST, before the operator has looked at all. */
TEST(a_cursor_that_was_never_set_is_shown_as_it_will_be)
{
    SHOWN(HOURLY, "", "2026-01-01T09:00Z", "2026-01-01T10:00Z", 1);
    SHOWN("'suspend': true, " HOURLY, "", "2026-01-01T09:00Z", "2026-01-01T10:00Z", 1);
    SHOWN("'schedule': 'daily', 'offset': '-P2D'", "", "2026-01-04T00:00Z", "2026-01-02T00:00Z", 1);
    SHOWN(HOURLY WISH, "", "2025-12-24T00:00Z", "2026-01-01T10:00Z", 2);
    /* Of another version of the spec nothing is known. */
    SHOWN(HOURLY, UNFIT("7"), "2026-01-01T09:00Z", "2026-01-01T10:00Z", 1);
}

TEST(nothing_is_made_of_what_makes_no_sense)
{
    NOT_SHOWN("'schedule': 'whenever'", "");
    NOT_SHOWN("'schedule': '0 0 30 2 *'", "");
    NOT_SHOWN("'maxActive': 'many', " HOURLY, "");
    NOT_SHOWN(HOURLY, UNFIT("0"));
    SHOWN("'suspend': true, 'schedule': 'whenever'", AT_5, "2026-01-01T05:00Z", "2026-01-01T06:00Z",
          4);
    SHOWN("'suspend': true, 'schedule': '0 0 30 2 *'", AT_5, "2026-01-01T05:00Z",
          "2026-01-01T06:00Z", 4);
    SHOWN("'suspend': true, 'offset': 'x', " HOURLY, AT_5, "2026-01-01T05:00Z", "2026-01-01T06:00Z",
          4);
    SHOWN("'suspend': true", AT_5, "2026-01-01T05:00Z", "2026-01-01T06:00Z", 4);
}
