/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: whether they are gone, whose they are, how long they may take to start. */
#include "unit/model/pods.h"

/* ---- gone, and ours ---- */

#define GONE(want, ...) check_gone(__LINE__, want, __VA_ARGS__)

static void check_gone(int line, bool want, const char *status)
{
    CLEANUP(pod_free) struct pod *pod = pod_of(line, "false", DELETED, status);

    CHECK_INT_AT(line, pod_gone(pod), want);
}

TEST(a_pod_is_gone_when_nothing_of_it_runs)
{
    GONE(false, "'phase': 'Pending'");
    GONE(false, "'phase': 'Pending', " WAITING("ErrImagePull", "denied"));
    GONE(false, "'phase': 'Running', " RUNS("true"));
    GONE(false, "'phase': 'Unknown', " RUNS("true"));
    GONE(true, "'phase': 'Running', " ENDED("1", "Error", ""));
    GONE(true, "'phase': 'Unknown', " ENDED("1", "Error", ""));
    GONE(true, "'phase': 'Succeeded'");
    GONE(true, "'phase': 'Failed', " RUNS("true"));
    /* Sidecars of the old and of the new kind. */
    GONE(false, "'phase': 'Running', " STATUSES("container", MAIN_ENDED ", " OTHER_RUNS));
    GONE(true, "'phase': 'Running', " STATUSES("container", OTHER_ENDED ", " MAIN_ENDED));
    GONE(false, "'phase': 'Running', " STATUSES("container", MAIN_ENDED) ", " STATUSES(
                    "initContainer", OTHER_RUNS));
    GONE(true, "'phase': 'Running', " STATUSES("container", MAIN_ENDED) ", " STATUSES(
                   "initContainer", OTHER_ENDED));
    GONE(false, "'phase': 'Running', " STATUSES("container", MAIN_ENDED) ", " STATUSES(
                    "ephemeralContainer", OTHER_RUNS));
}

TEST(a_container_that_has_no_status_yet_may_still_run)
{
    CLEANUP(json_decref) json_t *json =
        pod_json(__LINE__, "false", "", "'phase': 'Running', " ENDED("0", "Error", ""));

    json_array_append_new(json_at(json, "spec.containers"), json_pack("{s:s}", "name", "proxy"));
    CLEANUP(pod_free) struct pod *pod = pod_decode(json);
    CHECK(pod->main_terminated);
    CHECK(!pod_gone(pod));
}

static void replace(json_t *pod, const char *parent, const char *key, const char *value)
{
    json_t *json = *value ? json_of(value) : NULL;

    if (json)
        json_object_set_new(json_at(pod, parent), key, json);
    else
        json_object_del(json_at(pod, parent), key);
}

#define OURS(parent, key, value, want) check_ours(__LINE__, parent, key, value, want)

static void check_ours(int line, const char *parent, const char *key, const char *value, bool want)
{
    CLEANUP(json_decref) json_t *json = pod_json(line, "false", "", "'phase': 'Pending'");

    replace(json, parent, key, value);
    CLEANUP(pod_free) struct pod *pod = pod_decode(json);
    CHECK_INT_AT(line, pod_is_ours(pod), want);
}

/* STYX-POD-06, STYX-POD-09 */
TEST(our_pods_have_names_that_follow_from_their_record)
{
    OURS("metadata", "labels", "", true);
    OURS("metadata", "name", "'styx-run-834b10a9-9cad-56f6-b065-a78e4d1cf0e0'", false);
    OURS("metadata", "name", "'other'", false);
    OURS("metadata", "annotations", "", false);
    OURS("metadata.annotations", "kharon.dev/seq", "'2'", false);
    OURS("metadata.annotations", "kharon.dev/attempt", "'2'", false);
    OURS("metadata.annotations", "kharon.dev/attempt", "'x'", false);
    OURS("metadata.annotations", "kharon.dev/record", "'x'", true);
    OURS("metadata", "ownerReferences",
         "[{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance', 'name': 'report.p',"
         " 'uid': '0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0002', 'controller': true}]",
         false);
    OURS("metadata", "ownerReferences",
         "[{'apiVersion': 'batch/v1', 'kind': 'Job', 'name': 'j', 'uid': 'j',"
         "  'controller': false}, " OWNER "]",
         true);
    OURS("metadata", "ownerReferences",
         "[{'apiVersion': 'batch/v1', 'kind': 'Job', 'name': 'j', 'uid': 'j',"
         "  'controller': true}]",
         true);
    OURS("metadata", "ownerReferences",
         "[{'apiVersion': 'other.dev/v1', 'kind': 'WorkflowInstance', 'name': 'j', 'uid': 'j',"
         "  'controller': true}]",
         true);
    OURS("metadata", "ownerReferences",
         "[{'apiVersion': 'kharon.dev/v1', 'kind': 'WorkflowInstance', 'name': 'j', 'uid': 'j'}]",
         true);
}

/* Their instance was deleted with --cascade=orphan. */
TEST(orphans_are_still_ours)
{
    CLEANUP(json_decref) json_t *json = pod_json(__LINE__, "false", "", "'phase': 'Pending'");
    CLEANUP(pod_free) struct pod *before = pod_decode(json);

    CHECK(!before->orphaned);
    replace(json, "metadata", "ownerReferences", "");
    CLEANUP(pod_free) struct pod *orphan = pod_decode(json);
    CHECK(orphan->orphaned);
    CHECK(pod_is_ours(orphan));
    CHECK_STR(orphan->instance, "report.p");
    CHECK_STR(orphan->owner_uid, UID);
    replace(json, "metadata", "annotations", "");
    CLEANUP(pod_free) struct pod *foreign = pod_decode(json);
    CHECK(!pod_is_ours(foreign));
    CHECK_STR(foreign->instance, NULL);
}

TEST(what_is_not_said_is_not_there)
{
    CLEANUP(pod_free) struct pod *pod = pod_of(__LINE__, "false", "", "'phase': 'Pending'");

    CHECK_INT(pod->finished_at, INSTANT_NONE);
    CHECK_INT(pod->scheduled_at, INSTANT_NONE);
    CHECK_INT(pod->deleting_since, INSTANT_NONE);
    CHECK(!pod->has_main);
    CHECK_STR(pod->reason, NULL);
}

TEST(finalizers_of_others_are_kept_apart)
{
    CLEANUP(json_decref) json_t *json = pod_json(__LINE__, "false", "", "'phase': 'Pending'");

    replace(json, "metadata", "finalizers", "['a/b', 'kharon.dev/outcome', 7, 'c/d']");
    CLEANUP(pod_free) struct pod *pod = pod_decode(json);
    CHECK(pod->has_finalizer);
    CHECK_INT(pod->other_finalizers.n, 2);
    CHECK_STR(pod->other_finalizers.items[1], "c/d");
}

TEST(a_record_is_whole_or_none)
{
    CLEANUP(json_decref) json_t *json = pod_json(__LINE__, "false", "", "'phase': 'Pending'");

    replace(json, "metadata.annotations", "kharon.dev/record", "'5,9223372036854775807,7'");
    CLEANUP(pod_free) struct pod *clamped = pod_decode(json);
    CHECK_INT(clamped->triggered_at, 5);
    CHECK_INT(clamped->dequeued_at, INSTANT_MAX);
    replace(json, "metadata.annotations", "kharon.dev/record", "'5,6'");
    CLEANUP(pod_free) struct pod *partial = pod_decode(json);
    CHECK_INT(partial->triggered_at, INSTANT_NONE);
    CHECK_INT(partial->submitted_at, INSTANT_NONE);
}

/* ---- the time to start ---- */

#define SCHEDULED(status, reason, at)                                                              \
    "'phase': 'Pending', 'conditions': [{'type': 'PodScheduled', 'status': '" status               \
    "', 'reason': '" reason "', 'message': 'why', 'lastTransitionTime': '2026-01-01T" at "Z'}]"
#define DEADLINE(status, want) check_deadline(__LINE__, status, want)

/* The pod was submitted at 01:00, has 10 minutes to start and 60 to find a node. */
static void check_deadline(int line, const char *status, const char *want)
{
    CLEANUP(pod_free) struct pod *pod = pod_of(line, "false", "", status);
    instant got =
        pod_start_deadline(pod, instant_at(line, "2026-01-01T01:00Z"), 10 * MINUTE_MS, HOUR_MS);

    if (strcmp(want, NONE) == 0)
        CHECK_INT_AT(line, got, INSTANT_NONE);
    else
        CHECK_INSTANT_AT(line, got, want);
}

TEST(how_long_a_pod_may_take_to_start)
{
    DEADLINE("'phase': 'Pending'", "2026-01-01T01:10Z");
    DEADLINE(SCHEDULED("False", "SchedulingGated", "01:00:00"), NONE);
    DEADLINE(SCHEDULED("False", "Unschedulable", "01:00:00"), "2026-01-01T02:00Z");
    DEADLINE(SCHEDULED("False", "SchedulerError", "01:00:00"), "2026-01-01T02:00Z");
    DEADLINE(SCHEDULED("True", "", "01:00:01"), "2026-01-01T01:10:01Z");
    DEADLINE(SCHEDULED("True", "", "01:45:00"), "2026-01-01T01:55Z");
    DEADLINE(SCHEDULED("True", "", "00:59:59"), "2026-01-01T01:10Z");
    DEADLINE("'phase': 'Pending', 'conditions': [{'type': 'PodScheduled', 'status': 'True'}]",
             "2026-01-01T01:10Z");
}

/* ---- anything ---- */

/* Whatever is in a pod: it is decoded and looked at. */
TEST(no_pod_does_harm)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 4000; i++) {
        CLEANUP(json_decref) json_t *json =
            pod_json(__LINE__, "true", DELETED,
                     "'phase': 'Failed', 'reason': 'x', " DISRUPTED
                     ", " ENDED("1", "Error", SAYS("{\\'exit_code\\': 20}")));

        for (uint64_t n = 1 + rng_below(&rng, 5); n > 0; n--)
            json_mutate(json, &rng);
        CLEANUP(pod_free) struct pod *pod = pod_decode(json);
        for (int state = 0; state < RUN_N_STATES; state++) {
            struct observation o;

            pod_observe(pod, (enum run_state) state, &o);
            CHECK((o.kind == OBSERVED_ERROR || o.kind == OBSERVED_TERMINATED) ==
                  (o.message != NULL));
            observation_done(&o);
        }
        pod_gone(pod);
        pod_is_ours(pod);
        pod_start_deadline(pod, 0, 1, 2);
    }
}
