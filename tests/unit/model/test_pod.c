/* SPDX-License-Identifier: Apache-2.0 */
/* What is concluded from pods, as the API server shows them. */
#include "model/attempt.h"
#include "unit/model/instants.h"
#include "unit/model/json_text.h"

#define UID "0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0001"

/* ---- pods ---- */

#define OWNER                                                                                      \
    "{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance', 'name': 'report.p',"        \
    " 'uid': '" UID "', 'controller': true, 'blockOwnerDeletion': false}"

/* `metadata` and `status` follow what every pod has; both may be empty. */
static json_t *pod_json(int line, const char *logging, const char *metadata, const char *status)
{
    CLEANUP(free) char *text = xasprintf(
        "{'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {"
        "  'name': 'styx-run-d0939220-e5cb-5092-a737-f1eb7b9b2959', 'namespace': 'team',"
        "  'uid': 'a1f7', 'resourceVersion': '431', 'generation': 1,"
        "  'creationTimestamp': '2026-01-01T00:00:02Z',"
        "  'labels': {'app.kubernetes.io/managed-by': 'kharon'},"
        "  'annotations': {'styx-workflow-instance': 'team#report#p', 'kharon.dev/seq': '1',"
        "   'styx-docker-termination-logging': '%s', 'kharon.dev/attempt': '1',"
        "   'kharon.dev/record': '1767225600000,1767225601000,1767225602000',"
        "   'kharon.dev/instance': 'report.p', 'kharon.dev/instance-uid': '" UID "'},"
        "  'finalizers': ['kharon.dev/outcome'], 'ownerReferences': [" OWNER "],"
        "  'managedFields': [{'manager': 'kharon-operator', 'operation': 'Update'}] %s},"
        " 'spec': {'restartPolicy': 'Never', 'nodeName': 'node-1', 'dnsPolicy': 'ClusterFirst',"
        "  'containers': [{'name': 'styx-run', 'image': 'reg.example/report:1.4',"
        "   'imagePullPolicy': 'IfNotPresent'}]},"
        " 'status': {'qosClass': 'BestEffort', 'hostIP': '10.0.0.4', 'podIP': '10.244.0.9',"
        "  'startTime': '2026-01-01T00:00:03Z', %s}}",
        logging, metadata, status);

    return json_of_at(line, text);
}

static struct pod *pod_of(int line, const char *logging, const char *metadata, const char *status)
{
    CLEANUP(json_decref) json_t *json = pod_json(line, logging, metadata, status);

    return pod_decode(json);
}

/* ---- the parts of a status ---- */

#define STATUS_OF(name, ready, state)                                                              \
    "{'name': '" name "', 'ready': " ready ", 'restartCount': 0, 'started': " ready                \
    ", 'image': 'reg.example/report:1.4', 'imageID': '', 'lastState': {}, 'state': {" state "}}"
#define MAIN(ready, state) "'containerStatuses': [" STATUS_OF("styx-run", ready, state) "]"

#define WAITING(reason, message)                                                                   \
    MAIN("false", "'waiting': {'reason': '" reason "', 'message': '" message "'}")
#define RUNS(ready) MAIN(ready, "'running': {'startedAt': '2026-01-01T00:00:04Z'}")
#define TERMINATED(code, reason, more)                                                             \
    "'terminated': {'exitCode': " code ", 'reason': '" reason                                      \
    "', 'startedAt': '2026-01-01T00:00:04Z', 'finishedAt': '2026-01-01T00:00:09Z'" more "}"
#define ENDED(code, reason, more) MAIN("false", TERMINATED(code, reason, more))
#define ENDED_WITHOUT_CODE        MAIN("false", "'terminated': {'reason': 'Error'}")
#define SAYS(text)                ", 'message': '" text "'"

#define STATUSES(kind, list) "'" kind "Statuses': [" list "]"
#define MAIN_ENDED           STATUS_OF("styx-run", "false", TERMINATED("0", "Completed", ""))
#define OTHER_ENDED          STATUS_OF("proxy", "false", TERMINATED("0", "Completed", ""))
#define OTHER_RUNS           STATUS_OF("proxy", "true", "'running': {}")

#define DISRUPTED                                                                                  \
    "'conditions': [{'type': 'DisruptionTarget', 'status': 'True',"                                \
    " 'reason': 'EvictionByEvictionAPI', 'lastTransitionTime': '2026-01-01T00:00:08Z'}]"
#define DELETED ", 'deletionTimestamp': '2026-01-01T00:00:30Z', 'deletionGracePeriodSeconds': 30"

/* ---- observations as text ---- */

static char *observation_text(const struct observation *o)
{
    switch (o->kind) {
    case OBSERVED_NOTHING:
        return xstrdup("nothing");
    case OBSERVED_STARTED:
        return xstrdup("started");
    case OBSERVED_TIMEOUT:
        return xstrdup("timeout");
    case OBSERVED_TERMINATED:
        return xstrdup(o->message);
    case OBSERVED_ERROR:
        break;
    }
    return xasprintf("%s: %s", o->free ? "free error" : "error", o->message);
}

/* Checks that the kind, the code and the message agree, too. */
static void check_seen(int line, const struct pod *pod, const char *states, const char *want)
{
    for (int i = 0; i < RUN_N_STATES; i++) {
        struct observation o;
        const char *name = run_state_name((enum run_state) i);

        pod_observe(pod, (enum run_state) i, &o);
        CLEANUP(free) char *got = observation_text(&o);
        bool listed = strstr(states, name) != NULL;
        if (strcmp(got, listed ? want : "nothing") != 0)
            test_fail_at(__FILE__, line, "in %s: %s, want %s", name, got,
                         listed ? want : "nothing");
        observation_done(&o);
    }
}

#define ANY  "PREPARE SUBMITTED RUNNING"
#define LATE "SUBMITTED RUNNING"

#define SEEN(states, want, ...)         check_pod(__LINE__, "", states, want, __VA_ARGS__)
#define SEEN_DELETED(states, want, ...) check_pod(__LINE__, DELETED, states, want, __VA_ARGS__)

static void check_pod(int line, const char *metadata, const char *states, const char *want,
                      const char *status)
{
    CLEANUP(pod_free) struct pod *pod = pod_of(line, "false", metadata, status);

    check_seen(line, pod, states, want);
}

/* ---- the table of section 11.5 ---- */

/* STYX-POD-05 */
TEST(a_node_that_is_lost)
{
    SEEN(ANY, "free error: Lost node running pod",
         "'phase': 'Running', 'reason': 'NodeLost', " RUNS("true"));
    SEEN(ANY, "free error: Lost node running pod",
         "'phase': 'Unknown', 'reason': 'NodeLost', 'message': 'Node is unresponsive'");
}

#define PULL(reason)                                                                               \
    SEEN(ANY,                                                                                      \
         "error: Failed to pull image reg.example/report:1.4 of container styx-run, "              \
         "reason: " reason ", message: denied",                                                    \
         "'phase': 'Pending', " WAITING(reason, "denied"))

/* STYX-POD-05 */
TEST(an_image_that_cannot_be_had)
{
    PULL("ImageInspectError");
    PULL("PullImageError");
    PULL("ErrImagePull");
    PULL("ErrImageNeverPull");
    PULL("ImagePullBackOff");
    PULL("RegistryUnavailable");
    SEEN(ANY,
         "error: Container styx-run has invalid image name reg.example/report:1.4, message: bad",
         "'phase': 'Pending', " WAITING("InvalidImageName", "bad"));
    SEEN("", "", "'phase': 'Running', " WAITING("ErrImagePull", "denied"));
}

/* STYX-POD-05 */
TEST(an_end_without_our_container)
{
    SEEN(ANY, "error: Could not find our container in pod", "'phase': 'Failed'");
    SEEN(ANY, "error: Could not find our container in pod", "'phase': 'Succeeded'");
    SEEN(ANY, "error: Could not find our container in pod: AppArmor: not enabled",
         "'phase': 'Failed', 'reason': 'AppArmor', 'message': 'not enabled'");
    SEEN(ANY, "error: Could not find our container in pod",
         "'phase': 'Failed', " STATUSES("container", OTHER_ENDED));
    SEEN(ANY, "error: Unexpected null terminated status", "'phase': 'Failed', " RUNS("true"));
    SEEN(ANY, "error: Unexpected null terminated status",
         "'phase': 'Succeeded', " WAITING("ContainerCreating", ""));
    SEEN(ANY, "error: Pod entered Unknown phase", "'phase': 'Unknown', " RUNS("true"));
    SEEN(ANY, "error: Pod entered Unknown phase", "'phase': 'Resizing', " RUNS("true"));
}

/* STYX-POD-05: seven events of a run that exits at once, as a real cluster sends them. */
TEST(a_pod_that_runs)
{
    SEEN("", "", "'phase': 'Pending'");
    SEEN("", "",
         "'phase': 'Pending', 'conditions': [{'type': 'PodScheduled', 'status': 'True',"
         " 'lastTransitionTime': '2026-01-01T00:00:03Z'}]");
    SEEN("", "", "'phase': 'Pending', " WAITING("ContainerCreating", ""));
    SEEN("", "", "'phase': 'Running', " RUNS("false"));
    SEEN("SUBMITTED", "started", "'phase': 'Running', " RUNS("true"));
    SEEN(LATE, "Exit code: 0", "'phase': 'Running', " ENDED("0", "Completed", ""));
    SEEN(LATE, "Exit code: 0", "'phase': 'Succeeded', " ENDED("0", "Completed", ""));
    SEEN(LATE, "Exit code: 3", "'phase': 'Running', " ENDED("3", "Error", ""));
    SEEN(LATE, "Exit code: 3", "'phase': 'Failed', " ENDED("3", "Error", SAYS("Traceback")));
    SEEN("", "", "'phase': 'Pending', " WAITING("CreateContainerConfigError", "no configmap"));
    SEEN("", "", "'phase': 'Pending', " WAITING("CrashLoopBackOff", ""));
    SEEN("", "", "'phase': null");
    SEEN("", "",
         "'phase': 'Running', 'containerStatuses': [{'name': 'styx-run', 'state': {'running': "
         "{}}}]");
}

/* ---- what Styx did not know ---- */

TEST(disruptions_are_nobodys_fault)
{
    SEEN(ANY, "free error: Pod was disrupted: EvictionByEvictionAPI",
         "'phase': 'Failed', " DISRUPTED ", " ENDED("143", "Error", ""));
    SEEN(ANY, "free error: Pod was disrupted: EvictionByEvictionAPI",
         "'phase': 'Failed', " DISRUPTED);
    SEEN(ANY, "free error: Pod was disrupted: EvictionByEvictionAPI: the node goes",
         "'phase': 'Running', 'message': 'the node goes', " DISRUPTED
         ", " ENDED("137", "Error", ""));
    SEEN(LATE, "Exit code: 0", "'phase': 'Succeeded', " DISRUPTED ", " ENDED("0", "Completed", ""));
    SEEN_DELETED("", "", "'phase': 'Running', " DISRUPTED ", " RUNS("true"));
    SEEN_DELETED("", "", "'phase': 'Pending', " DISRUPTED ", " WAITING("ErrImagePull", "denied"));
    SEEN("SUBMITTED", "started", "'phase': 'Running', " DISRUPTED ", " RUNS("true"));
    SEEN(LATE, "Exit code: 143",
         "'phase': 'Failed', 'conditions': [{'type': 'DisruptionTarget', 'status': "
         "'False'}], " ENDED("143", "Error", ""));
}

#define STOPPED(reason)                                                                            \
    SEEN(ANY, "free error: Pod was stopped by its node: " reason ": why",                          \
         "'phase': 'Failed', 'message': 'why', 'reason': '" reason "'")

TEST(a_node_that_stops_or_refuses_a_pod)
{
    STOPPED("Evicted");
    STOPPED("Preempting");
    STOPPED("NodeShutdown");
    STOPPED("Shutdown");
    STOPPED("Terminated");
    STOPPED("NodeAffinity");
    STOPPED("NodePorts");
    STOPPED("UnexpectedAdmissionError");
    STOPPED("OutOfcpu");
    STOPPED("OutOfpods");
    SEEN(ANY, "free error: Pod was stopped by its node: Evicted: The node was low on resource",
         "'phase': 'Failed', 'reason': 'Evicted', 'message': 'The node was low on "
         "resource', " DISRUPTED ", " ENDED("137", "Error", ""));
    SEEN(ANY, "free error: Pod was stopped by its node: Terminated",
         "'phase': 'Failed', 'reason': 'Terminated', " ENDED("0", "Completed", ""));
}

TEST(the_backstop_deadline_is_a_timeout)
{
    SEEN(ANY, "timeout",
         "'phase': 'Failed', 'reason': 'DeadlineExceeded', 'message': 'Pod was active', " ENDED(
             "137", "Error", ""));
    SEEN(ANY, "timeout",
         "'phase': 'Failed', 'reason': 'DeadlineExceeded', " ENDED("0", "Completed", ""));
    SEEN(ANY, "timeout", "'phase': 'Failed', 'reason': 'DeadlineExceeded'");
    SEEN("", "", "'phase': 'Pending', 'reason': 'DeadlineExceeded', " RUNS("true"));
}

TEST(an_exit_may_have_a_reason)
{
    SEEN(LATE, "Exit code: 137 (OOMKilled)",
         "'phase': 'Failed', " ENDED("137", "OOMKilled", SAYS("last words")));
    SEEN(LATE, "Exit code: 128 (StartError: exec: no such file)",
         "'phase': 'Failed', " ENDED("128", "StartError", SAYS("exec: no such file")));
    SEEN(LATE, "Exit code: 127 (ContainerCannotRun)",
         "'phase': 'Failed', " ENDED("127", "ContainerCannotRun", ""));
    SEEN(LATE, "Exit code: 1", "'phase': 'Failed', " ENDED("1", "Error", SAYS("Traceback")));
    SEEN(LATE, "Exit code: - (ContainerStatusUnknown)",
         "'phase': 'Failed', " MAIN("false", "'terminated': {'reason': 'ContainerStatusUnknown'}"));
}

/* ---- the table of section 11.6 ---- */

#define CODE(logging, phase, container, want) check_code(__LINE__, logging, phase, container, want)

static void check_code(int line, const char *logging, const char *phase, const char *container,
                       const char *want)
{
    CLEANUP(free) char *status = xasprintf("'phase': '%s', %s", phase, container);
    CLEANUP(pod_free) struct pod *pod = pod_of(line, logging, "", status);

    check_seen(line, pod, LATE, want);
}

/* STYX-POD-07 */
TEST(the_exit_code_without_termination_logging)
{
    CODE("false", "Succeeded", ENDED("0", "Completed", ""), "Exit code: 0");
    CODE("false", "Running", ENDED("0", "Completed", ""), "Exit code: 0");
    CODE("false", "Failed", ENDED("0", "Completed", ""), "Exit code: -");
    CODE("false", "Failed", ENDED("20", "Error", ""), "Exit code: 20");
    CODE("false", "Failed", ENDED_WITHOUT_CODE, "Exit code: -");
    CODE("false", "Succeeded", ENDED_WITHOUT_CODE, "Exit code: -");
    CODE("false", "Failed", ENDED("1", "Error", SAYS("{\\'exit_code\\': 20}")), "Exit code: 1");
}

#define LOGGED(code, text) ENDED(code, "Error", SAYS(text))

/* STYX-POD-07 */
TEST(the_exit_code_with_termination_logging)
{
    CODE("true", "Failed", LOGGED("1", "{\\'exit_code\\': 20}"), "Exit code: 20");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': 20}"), "Exit code: 20");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': 0}"), "Exit code: 0");
    CODE("true", "Failed", LOGGED("0", "{\\'exit_code\\': 0}"), "Exit code: 0");
    CODE("true", "Failed", LOGGED("3", "{\\'exit_code\\': 0}"), "Exit code: 3");
    CODE("true", "Failed", LOGGED("3", "{\\'exit_code\\': 7, \\'rows\\': [1]}\\n"), "Exit code: 7");
    CODE("true", "Failed", LOGGED("3", "{\\'exit_code\\': -1}"), "Exit code: -1");
    CODE("true", "Failed", MAIN("false", "'terminated': {'message': '{\\'exit_code\\': 0}'}"),
         "Exit code: 0");
    CODE("true", "Failed", MAIN("false", "'terminated': {'message': '{\\'exit_code\\': 5}'}"),
         "Exit code: 5");
    CODE("true", "Failed", LOGGED("3", "{\\'exit_code\\': 2147483647}"), "Exit code: 2147483647");
    CODE("true", "Failed", LOGGED("3", "{\\'exit_code\\': -2147483648}"), "Exit code: -2147483648");
    CODE("true", "Failed", LOGGED("3", "{\\'exit_code\\': 2147483648}"), "Exit code: 3");
    CODE("true", "Failed", LOGGED("3", "{\\'exit_code\\': -2147483649}"), "Exit code: 3");
    /* Nobody vouches for the zero. */
    CODE("true", "Succeeded", ENDED("0", "Completed", ""), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", ""), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "done"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "0"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'code\\': 0}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': \\'0\\'}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': null}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': 4294967297}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': 0"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "[\\'exit_code\\', 0]"), "Exit code: -");
    CODE("true", "Succeeded", ENDED_WITHOUT_CODE, "Exit code: -");
    CODE("true", "Failed", LOGGED("3", "Traceback"), "Exit code: 3");
    CODE("true", "Failed", ENDED("3", "Error", ""), "Exit code: 3");
}

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
