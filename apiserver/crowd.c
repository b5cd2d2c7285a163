/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/crowd.h"

void crowd_enter(struct crowd_member *m, enum crowd_state state, int64_t now_ms)
{
    m->state = state;
    m->since_ms = now_ms;
    m->begun_ms = 0;
}

void crowd_see_input(struct crowd_member *m, size_t input, int64_t now_ms)
{
    m->input = input;
    if (m->state == CROWD_READING && input > 0 && m->begun_ms == 0)
        m->begun_ms = now_ms;
}

enum crowd_verdict crowd_judge(const struct crowd_member *m, int64_t patience_ms, int64_t now_ms)
{
    int64_t from = m->begun_ms ? m->begun_ms : m->since_ms;

    if (m->state != CROWD_READING || m->leaving || now_ms - from < patience_ms)
        return CROWD_STAYS;
    return m->begun_ms ? CROWD_WAS_SLOW : CROWD_WAS_IDLE;
}

bool crowd_may_go(const struct crowd_member *m, enum crowd_lack lack)
{
    if (m->leaving)
        return false;
    switch (lack) {
    case CROWD_LACKS_INPUT:
        return m->state == CROWD_READING && m->input > 0;
    case CROWD_LACKS_OUTPUT:
        return m->state == CROWD_WRITING && m->output > 0;
    default:
        return m->state != CROWD_WORKING;
    }
}

static int rank(const struct crowd_member *m)
{
    if (m->state == CROWD_READING)
        return m->input > 0 ? 1 : 0;
    return 2;
}

bool crowd_goes_before(const struct crowd_member *a, const struct crowd_member *b)
{
    return rank(a) != rank(b) ? rank(a) < rank(b) : a->since_ms < b->since_ms;
}
