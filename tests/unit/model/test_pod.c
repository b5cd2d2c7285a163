/* SPDX-License-Identifier: Apache-2.0 */
/* What is concluded from pods; for their records see test_pod_record.c */
#include "unit/model/pods.h"

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
    /* As lenient as with bodies of requests. */
    CODE("true", "Failed", LOGGED("1", "{\\'exit_code\\': \\'20\\'}"), "Exit code: 20");
    CODE("true", "Failed", LOGGED("1", "{\\'exit_code\\': 20.0}"), "Exit code: 20");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': \\'0\\'}"), "Exit code: 0");
    /* Nobody vouches for the zero. */
    CODE("true", "Succeeded", ENDED("0", "Completed", ""), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", ""), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "done"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "0"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'code\\': 0}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': \\'none\\'}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': \\'\\'}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': false}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': null}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': 4294967297}"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "{\\'exit_code\\': 0"), "Exit code: -");
    CODE("true", "Succeeded", LOGGED("0", "[\\'exit_code\\', 0]"), "Exit code: -");
    CODE("true", "Succeeded", ENDED_WITHOUT_CODE, "Exit code: -");
    CODE("true", "Failed", LOGGED("3", "Traceback"), "Exit code: 3");
    CODE("true", "Failed", ENDED("3", "Error", ""), "Exit code: 3");
}
