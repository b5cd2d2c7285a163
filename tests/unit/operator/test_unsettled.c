/* SPDX-License-Identifier: Apache-2.0 */
#include "operator/unsettled.h"

#include "test.h"

#define UID "0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0001"

TEST(it_is_settled_by_its_end_or_by_time)
{
    struct unsettled u = {.until = 0};

    CHECK(!unsettled_exists(&u, 1));
    unsettled_begin(&u, "a", 1000);
    CHECK(unsettled_is_of(&u, "a", 1000 + SETTLED_MS - 1));
    CHECK(!unsettled_is_of_other(&u, "a", 1000));
    CHECK(unsettled_is_of_other(&u, "b", 1000));
    CHECK(!unsettled_exists(&u, 1000 + SETTLED_MS));
    unsettled_end(&u);
    CHECK(!unsettled_is_of(&u, "a", 1000));
    CHECK(!unsettled_is_of_other(&u, "b", 1000));
}

/* What the last leader may have sent, by what it stored: seq and attempt; 0: it may be anything. */
static void check_suspect(int line, enum run_state state, int64_t seq, int attempt,
                          int64_t trigger_seq, int64_t want_seq, int want_attempt)
{
    struct instance inst = {.id.uid = xstrdup(UID), .trigger.seq = trigger_seq};
    struct unsettled u = {.until = 0};
    char want[EXECUTION_ID_MAX] = "";

    run_init(&inst.run);
    inst.run.state = state;
    inst.run.seq = seq;
    inst.run.attempt = attempt;
    if (want_seq)
        attempt_execution_id(UID, want_seq, want_attempt, want);
    unsettled_suspect(&u, &inst, 5000);
    CHECK_STR_AT(line, u.pod, want);
    CHECK_INT_AT(line, u.until, 5000);
    free(inst.id.uid);
}

#define SUSPECT(...) check_suspect(__LINE__, __VA_ARGS__)

TEST(what_the_last_leader_may_have_sent)
{
    /* stored: state, seq, attempt; spec's seq; the pod's seq and attempt */
    SUSPECT(RUN_NEW, 0, 0, 1, 1, 1);
    SUSPECT(RUN_NEW, 0, 0, 0, 1, 1); /* by hand */
    SUSPECT(RUN_QUEUED, 1, 2, 1, 1, 3);
    SUSPECT(RUN_PREPARE, 1, 2, 1, 1, 3);
    SUSPECT(RUN_SUBMITTING, 1, 2, 1, 1, 2);
    SUSPECT(RUN_SUBMITTED, 1, 2, 1, 1, 3);
    SUSPECT(RUN_RUNNING, 1, 2, 1, 1, 3);
    SUSPECT(RUN_FAILED, 1, 2, 1, 1, 3);
    SUSPECT(RUN_QUEUED, 1, 2, 2, 0, 0); /* the second trigger may have been taken, too */
    SUSPECT(RUN_DONE, 1, 2, 1, 1, 3);   /* the leader before the last one may have gone on */
    SUSPECT(RUN_DONE, 1, 2, 2, 0, 0);   /* that, or the first pod of the next trigger */
    SUSPECT(RUN_NEW, 0, 0, 2, 0, 0);
}

/* A doubtful pod, and what is to be stored: seq, attempt; spec's seq. */
static bool is_hidden(int64_t pod_seq, int pod_attempt, enum run_state state, int64_t seq,
                      int attempt, int64_t trigger_seq)
{
    struct instance inst = {.id.uid = xstrdup(UID), .trigger.seq = trigger_seq};
    struct run run;
    struct unsettled u;
    char pod[EXECUTION_ID_MAX] = "";

    if (pod_seq)
        attempt_execution_id(UID, pod_seq, pod_attempt, pod);
    unsettled_begin(&u, pod, 0);
    run_init(&run);
    run.state = state;
    run.seq = seq;
    run.attempt = attempt;
    bool hidden = unsettled_is_hidden_by(&u, &inst, &run, 1);
    CHECK(!unsettled_is_hidden_by(&u, &inst, &run, SETTLED_MS));
    run_done(&run);
    free(inst.id.uid);
    return hidden;
}

TEST(what_would_hide_a_doubtful_pod)
{
    CHECK(!is_hidden(1, 3, RUN_QUEUED, 1, 2, 1));
    CHECK(!is_hidden(1, 3, RUN_SUBMITTING, 1, 3, 1));
    CHECK(!is_hidden(1, 3, RUN_DONE, 1, 2, 1)); /* it was another leader's */
    CHECK(is_hidden(1, 3, RUN_QUEUED, 1, 3, 1));
    CHECK(is_hidden(1, 3, RUN_ERROR, 1, 3, 1));
    CHECK(is_hidden(1, 3, RUN_QUEUED, 2, 2, 2));
    CHECK(!is_hidden(1, 3, RUN_ERROR, 1, 3, 2)); /* the next leader waits for whatever it may be */
    CHECK(is_hidden(0, 0, RUN_QUEUED, 2, 2, 2));
}

static struct unsettled until(const char *pod, int64_t at)
{
    struct unsettled u = {.until = at};

    snprintf(u.pod, sizeof(u.pod), "%s", pod);
    return u;
}

static void check_ghost(int line, const struct map *ghosts, const char *key, struct unsettled u,
                        const char *want_pod, int64_t want_until)
{
    ghosts_find(ghosts, key, &u, 1000);
    CHECK_STR_AT(line, u.pod, want_pod);
    CHECK_INT_AT(line, u.until, want_until);
}

#define GHOST(...) check_ghost(__LINE__, __VA_ARGS__)

TEST(what_an_instance_leaves_behind)
{
    struct map ghosts;
    struct unsettled a = until("a", 2000), b = until("b", 3000), old = until("c", 500);

    map_init(&ghosts);
    ghosts_add(&ghosts, "team/x", &a, 1000);
    ghosts_add(&ghosts, "team/y", &a, 1000);
    ghosts_add(&ghosts, "team/y", &b, 1000);
    ghosts_add(&ghosts, "team/z", &old, 1000); /* settled by now */
    CHECK_INT(ghosts.n, 3);
    GHOST(&ghosts, "team/x", until("", 0), "a", 2000);
    GHOST(&ghosts, "team/y", until("", 0), "", 3000); /* either */
    GHOST(&ghosts, "team/x", until("d", 1500), "", 2000);
    GHOST(&ghosts, "team/x", until("d", 2500), "", 2500);
    GHOST(&ghosts, "team/z", until("d", 1500), "d", 1500);
    ghosts_add(&ghosts, "team/w", &b, 2000); /* what is settled goes then */
    CHECK_INT(ghosts.n, 2);
    ghosts_clear(&ghosts);
    CHECK_INT(ghosts.n, 0);
    map_done(&ghosts);
}
