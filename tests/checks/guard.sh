#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# No test writes to a cluster that is not one for tests (tests/cluster/guard): each is started with the KUBECONFIG of
# some other cluster and has to refuse, before it called anybody. TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh
shopt -s nullglob

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin"
for program in kubectl helm; do
    # shellcheck disable=SC2016
    printf '#!/bin/sh\necho "called: $0 $*"\nexit 1\n' >"$tmp/bin/$program" && chmod +x "$tmp/bin/$program"
done
cat >"$tmp/foreign" <<'CONFIG'
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
CONFIG
export KHARON_URL=http://127.0.0.1:1 # where nobody answers
export KHARON_CACHE=$tmp/cache
unset KHARON_CLUSTER KUBECONFIG "${!HELM_@}"

ask() { env PATH="$tmp/bin:$PATH" "$@" 2>&1 </dev/null; } # [VARIABLE=VALUE...] PROGRAM

# What is wrong if it does not refuse.
starts() { # [VARIABLE=VALUE...] PROGRAM
    local out
    if out=$(ask "$@"); then echo "it ran"; fi
    grep -q '^refused: ' <<<"$out" && ! grep -q '^called: ' <<<"$out" || echo "${out:-nothing was said}"
}

tests=(tests/e2e/run tests/e2e/*.sh tests/integration/run tests/integration/*.sh build/check/bin/test_integration_*)
check "there are tests that need a cluster" "$([ ${#tests[@]} -ge 8 ] || echo "found only: ${tests[*]}")"
for program in "${tests[@]}"; do
    check "$program refuses a KUBECONFIG of somebody" "$(starts KUBECONFIG="$tmp/foreign" "$program")"
done

guard=tests/cluster/guard
ours=$KHARON_CACHE/cluster/mine/kubeconfig
allows() { ask "$@" "$guard"; }
check "no KUBECONFIG at all is refused" "$(starts KHARON_CLUSTER=mine "$guard")"
check "the KUBECONFIG of another cluster is refused" \
    "$(starts KHARON_CLUSTER=mine KUBECONFIG="$KHARON_CACHE/cluster/other/kubeconfig" "$guard")"
check "that of the named cluster is not" "$(allows KHARON_CLUSTER=mine KUBECONFIG="$ours" || echo refused)"
check "nor is one that is asked for" "$(allows KHARON_CLUSTER=existing KUBECONFIG="$tmp/foreign" || echo refused)"
for variable in HELM_KUBEAPISERVER HELM_KUBECONTEXT HELM_KUBETOKEN HELM_NAMESPACE HELM_DRIVER; do
    check "$variable is refused" "$(starts KHARON_CLUSTER=mine KUBECONFIG="$ours" $variable=x "$guard")"
done
finish_checks
