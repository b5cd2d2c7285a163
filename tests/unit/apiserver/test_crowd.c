/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "apiserver/crowd.h"
#include "base/alloc.h"

#define PATIENCE 100

TEST(crowd_deadlines)
{
    struct crowd_member m = {0};

    crowd_enter(&m, CROWD_READING, 1000);
    CHECK_INT(crowd_judge(&m, PATIENCE, 1099), CROWD_STAYS);
    CHECK_INT(crowd_judge(&m, PATIENCE, 1100), CROWD_WAS_IDLE);
    crowd_see_input(&m, 0, 1099);
    CHECK_INT(crowd_judge(&m, PATIENCE, 1100), CROWD_WAS_IDLE);
    crowd_see_input(&m, 1, 1099); /* a request that begins late has all of its time */
    CHECK_INT(crowd_judge(&m, PATIENCE, 1198), CROWD_STAYS);
    crowd_see_input(&m, 2, 1198); /* more of it gives no more time */
    CHECK_INT(crowd_judge(&m, PATIENCE, 1199), CROWD_WAS_SLOW);
    m.leaving = true;
    CHECK_INT(crowd_judge(&m, PATIENCE, 1199), CROWD_STAYS);
}

TEST(crowd_deadlines_are_for_those_who_are_waited_for)
{
    struct crowd_member m = {0};

    crowd_enter(&m, CROWD_WORKING, 1000);
    crowd_see_input(&m, 9, 1000);
    CHECK_INT(crowd_judge(&m, PATIENCE, 9999), CROWD_STAYS);
    crowd_enter(&m, CROWD_WRITING, 1000);
    CHECK_INT(crowd_judge(&m, PATIENCE, 9999), CROWD_STAYS);
    crowd_enter(&m, CROWD_READING, 2000); /* the next request is another one */
    CHECK_INT(crowd_judge(&m, PATIENCE, 2099), CROWD_STAYS);
}

static const struct crowd_member idle = {.state = CROWD_READING, .since_ms = 9},
                                 begun = {.state = CROWD_READING, .since_ms = 8, .input = 1},
                                 working = {.state = CROWD_WORKING, .since_ms = 1, .input = 1},
                                 writing = {.state = CROWD_WRITING, .since_ms = 2, .output = 1};

TEST(crowd_order)
{
    struct crowd_member older = idle;

    older.since_ms--;
    CHECK(crowd_goes_before(&older, &idle));
    CHECK(!crowd_goes_before(&idle, &older));
    CHECK(crowd_goes_before(&idle, &begun) && !crowd_goes_before(&begun, &idle));
    CHECK(crowd_goes_before(&begun, &writing) && !crowd_goes_before(&writing, &begun));
}

TEST(crowd_who_may_go)
{
    static const struct {
        int line;
        const struct crowd_member *member;
        bool places, input, output;
    } rows[] = {
        {__LINE__, &idle, true, false, false},
        {__LINE__, &begun, true, true, false},
        {__LINE__, &working, false, false, false},
        {__LINE__, &writing, true, false, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct crowd_member leaving = *rows[i].member;

        CHECK_INT_AT(rows[i].line, crowd_may_go(rows[i].member, CROWD_LACKS_PLACES),
                     rows[i].places);
        CHECK_INT_AT(rows[i].line, crowd_may_go(rows[i].member, CROWD_LACKS_INPUT), rows[i].input);
        CHECK_INT_AT(rows[i].line, crowd_may_go(rows[i].member, CROWD_LACKS_OUTPUT),
                     rows[i].output);
        leaving.leaving = true;
        CHECK_INT_AT(rows[i].line, crowd_may_go(&leaving, CROWD_LACKS_PLACES), false);
    }
}
