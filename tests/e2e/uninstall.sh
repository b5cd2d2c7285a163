#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An uninstall while pods run: nothing is left that only an operator could remove, and nothing is lost.
#
# usage: tests/e2e/uninstall.sh     uninstalls the release kharon and deletes its namespace
set -uo pipefail

ns=kharon
n=0
bad=0

"$(dirname "$0")/../cluster/guard" || exit 1

k() { kubectl --namespace "$ns" "$@"; }

check() # WHAT COMMAND...
{
    n=$((n + 1))
    if "${@:2}"; then echo "ok $n - uninstall: $1"; else bad=$((bad + 1)) && echo "not ok $n - uninstall: $1"; fi
}

start_run()
{
    k apply -f - >/dev/null <<END
apiVersion: kharon.dev/v1alpha1
kind: Workflow
metadata: {name: lasting}
spec:
  schedule: yearly
  template:
    image: "busybox:1"
    args: [sleep, "600"]
    runningTimeout: PT1H
    podTemplate: {terminationGracePeriodSeconds: 1}
---
apiVersion: kharon.dev/v1alpha1
kind: WorkflowInstance
metadata: {name: lasting.2025}
spec: {workflow: lasting, parameter: "2025"}
END
    k wait kwfi/lasting.2025 --for=jsonpath='{.status.state}'=RUNNING --timeout=60s >/dev/null
}

no_finalizers() { [ -z "$(k get pods -o 'jsonpath={.items[*].metadata.finalizers}')" ]; }
pod_runs() { [ "$(k get pods -l app.kubernetes.io/managed-by=kharon,STYX_WORKFLOW_ID=lasting -o 'jsonpath={.items[*].status.phase}')" = Running ]; }
kept() { k get kwf/lasting kwfi/lasting.2025 >/dev/null; }
namespace_goes() { kubectl delete namespace "$ns" --timeout=90s >/dev/null; }

check "a run is under way" start_run
check "helm uninstalls" helm uninstall kharon --namespace "$ns" --wait --timeout 2m
check "the pod runs on" pod_runs
check "no pod is held" no_finalizers
check "workflows and runs are kept" kept
check "the namespace can be deleted" namespace_goes
echo "$((n - bad)) passed, $bad failed"
[ "$bad" = 0 ]
