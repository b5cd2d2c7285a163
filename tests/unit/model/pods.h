/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods, as the API server shows them.
 */
#ifndef KHARON_TEST_PODS_H
#define KHARON_TEST_PODS_H

#include "model/attempt.h"
#include "unit/model/instants.h"
#include "unit/model/json_text.h"

#define UID "0b8f3e5c-2b9c-4a0e-8f0e-6f2f5d1c0001"

/* ---- pods ---- */

#define OWNER                                                                                      \
    "{'apiVersion': 'kharon.dev/v1alpha1', 'kind': 'WorkflowInstance', 'name': 'report.p',"        \
    " 'uid': '" UID "', 'controller': true, 'blockOwnerDeletion': false}"

/* `metadata` and `status` follow what every pod has; both may be empty. */
TEST_UNUSED static json_t *pod_json(int line, const char *logging, const char *metadata,
                                    const char *status)
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

TEST_UNUSED static struct pod *pod_of(int line, const char *logging, const char *metadata,
                                      const char *status)
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

#endif
