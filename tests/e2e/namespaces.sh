#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Watched namespaces come and go by upgrades: what runs in one that is taken out is held by nobody, and one that was
# deleted is no obstacle.
#
# usage: tests/e2e/namespaces.sh     upgrades the release kharon, and leaves it as it was
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
ns=kharon
mine=kharon-e2e-mine gone=kharon-e2e-gone
n=0
bad=0

"$here/../cluster/guard" || exit 1

k() { kubectl --namespace "$mine" "$@"; }

check() # WHAT COMMAND...
{
    n=$((n + 1))
    if "${@:2}"; then echo "ok $n - namespaces: $1"; else bad=$((bad + 1)) && echo "not ok $n - namespaces: $1"; fi
}

watch_namespaces() # JSON-LIST
{
    helm upgrade kharon "$here/../../charts/kharon" --namespace "$ns" --reuse-values --set-json "watchNamespaces=$1" \
        --wait --timeout 3m >/dev/null
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

shows() # WANTED COMMAND...
{
    local got
    got=$("${@:2}")
    [ "$got" = "$1" ] || { echo "# it shows: $got" && false; }
}

pods() { k get pods -o 'jsonpath={range .items[*]}{.metadata.finalizers} {.status.phase}{end}'; }
rights() { k get role,rolebinding -o name; }
delete() { kubectl delete namespace "$@" --timeout=90s >/dev/null; }

trap 'delete "$mine" "$gone" --ignore-not-found' EXIT
check "there is one" kubectl create namespace "$mine"
check "and another" kubectl create namespace "$gone"
check "they are watched" watch_namespaces "[\"$mine\", \"$gone\"]"
check "a workflow of one runs" start_run
check "its pod is held" shows '["kharon.dev/outcome"] Running' pods
check "the other one is deleted" delete "$gone"
check "both are taken out" watch_namespaces '[]'
check "the pod runs on, and nobody holds it" shows ' Running' pods
check "no rights are left there" shows "" rights
check "the namespace can be deleted" delete "$mine"
echo "$((n - bad)) passed, $bad failed"
[ "$bad" = 0 ]
