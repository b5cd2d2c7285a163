#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The Helm chart without a cluster: what it renders, what values it refuses and with which words, and that the plain
# manifests are what it renders.
#
# usage: tests/checks/chart.sh     needs helm (HELM names it); TAP, and "N passed, N failed" at the end
set -uo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
chart=$top/charts/kharon
helm=${HELM:-helm}
passed=0
failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# result NAME RC: reports a test, with what is in $tmp/why if it failed.
result()
{
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $1"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - $1"
        sed -e 's/^/# /' "$tmp/why"
    fi
    : >"$tmp/why"
}

render()
{
    "$helm" template kharon "$chart" --namespace kharon --set image.repository=registry.example/kharon "$@"
}

# refused NAME MESSAGE OPTION...: these values are refused, and the error says MESSAGE.
refused()
{
    local name=$1 message=$2

    shift 2
    ! render "$@" >/dev/null 2>"$tmp/why" && grep -qF -- "$message" "$tmp/why"
    result "refused: $name" $?
}

# renders NAME COUNT REGEX OPTION...: COUNT lines of what is rendered match.
renders()
{
    local name=$1 count=$2 regex=$3 n

    shift 3
    render "$@" >"$tmp/rendered" 2>"$tmp/why" || count=none
    n=$(grep -cE -- "$regex" "$tmp/rendered")
    echo "$n lines match $regex, not $count" >>"$tmp/why"
    [ "$n" = "$count" ]
    result "$name" $?
}

# notes NAME COUNT REGEX OPTION...: what an installation ends with, in the same way.
notes()
{
    local name=$1 count=$2 regex=$3 n

    shift 3
    KUBECONFIG=$tmp/none "$helm" install kharon "$chart" --namespace kharon --dry-run=client \
        --set image.repository=registry.example/kharon "$@" 2>"$tmp/why" | sed '1,/^NOTES:$/d' >"$tmp/rendered"
    n=$(grep -cE -- "$regex" "$tmp/rendered")
    { cat "$tmp/rendered"; echo "$n lines match $regex, not $count"; } >>"$tmp/why"
    [ "$n" = "$count" ]
    result "notes: $name" $?
}

check_notes()
{
    notes "the watched namespaces" 1 'runs workflows of kharon, team-a, team-b\.' --set 'watchNamespaces={team-b,team-a}'
    notes "the release's namespace alone" 1 'runs workflows of kharon\.'
    notes "that the API asks nobody who calls" 1 'does not ask who calls'
    notes "who reaches the API" 1 '^Only pods of kharon, portal reach it' --set 'apiserver.networkPolicy.allowedNamespaces={portal}'
    notes "that everybody does" 1 '^No NetworkPolicy' --set apiserver.networkPolicy.enabled=false
    notes "that workflows outlive an uninstall" 1 'uninstall kharon +keeps workflows'
    notes "that they do not" 1 'uninstall kharon +deletes workflows' --set crds.keep=false
}

check_lint()
{
    "$helm" lint --strict --quiet "$chart" --set image.repository=registry.example/kharon >"$tmp/why" 2>&1
    result "helm lint" $?
    "$top/manifests/render" --check >"$tmp/why" 2>&1
    result "manifests are what the chart renders" $?
}

# A definition stays below 64 KB (design, section 3): kubectl apply stores it once more, in an annotation.
check_sizes()
{
    local file n

    for file in "$chart"/templates/crds/*.yaml; do
        n=$(render --show-only "templates/crds/$(basename "$file")" | wc -c)
        echo "$n bytes" >"$tmp/why"
        [ "$n" -gt 10000 ] && [ "$n" -le 65536 ]
        result "$(basename "$file") is at most 64 KB" $?
    done
}

check_refused()
{
    refused "no image" "image.repository is not set: build an image with the Containerfile" --set image.repository=
    refused "a digest that is none" "'sha256:12' does not match pattern" --set image.digest=sha256:12
    refused "an unknown value" "additional properties 'replicas' not allowed" --set replicas=2
    refused "an unknown value of a program" "additional properties 'replica' not allowed" --set operator.replica=2
    refused "authentication that does not exist yet" \
        'apiserver.authentication is "google": this version of Kharon only knows "none"' \
        --set apiserver.authentication=google
    refused "an API for everybody outside" \
        'apiserver.service.type is "LoadBalancer": it must be ClusterIP while apiserver.authentication is "none"' \
        --set apiserver.service.type=LoadBalancer
    refused "a component in a namespace that is not watched" \
        'componentNamespaces.billing is "team", which is not watched: add it to watchNamespaces' \
        --set componentNamespaces.billing=team
    refused "a lease that is too short for delta" \
        'operator.leaseDuration is 6s: it must be more than twice operator.delta, which is 3s' --set operator.delta=3s
    refused "a delta that is too long" 'operator.delta is 21s: it must be from 0.5s to 20s' --set operator.delta=21s
    refused "a lease that is too long" 'operator.leaseDuration is 61s: it must be from 3s to 60s' \
        --set operator.leaseDuration=61s
    refused "a lease of half a second" "'6.5s' does not match pattern" --set operator.leaseDuration=6.5s
    refused "an argument that a value sets" "apiserver.extraArgs: --authentication is set by the chart already" \
        --set 'apiserver.extraArgs={--drain=PT1M,--authentication=google}'
    refused "an argument that a value sets, of the operator" "operator.extraArgs: --delta is set by the chart already" \
        --set 'operator.extraArgs={--delta=3s}'
    refused "an argument that a value would set" \
        "operator.extraArgs: --component-namespaces is set by the chart already" \
        --set 'operator.extraArgs={--component-namespaces=a=b}'
    refused "all namespaces" "'*' does not match pattern" --set 'watchNamespaces={*}'
    refused "a duration that is not ISO-8601" "'3m' does not match pattern" --set operator.retryBase=3m
    refused "a timeout of no state" "additional properties 'sleeping' not allowed" \
        --set operator.timeouts.sleeping=PT1H
    refused "a pull secret without a name" "missing property 'name'" --set 'imagePullSecrets[0].nam=x'
    refused "a toleration of no such field" "additional properties 'effects' not allowed" \
        --set 'operator.tolerations[0].effects=NoSchedule'
    refused "an affinity of no such kind" "additional properties 'nodeAffinty' not allowed" \
        --set operator.affinity.nodeAffinty.x=y
    refused "a level that does not exist" "value must be one of 'debug', 'info', 'warning', 'error'" \
        --set operator.logLevel=loud
    refused "a name that is no variable" "'1A' does not match pattern" --set-string operator.executionEnv.1A=x
}

check_rendered()
{
    local digest both=(--set 'watchNamespaces={team-b,team-a,kharon}')

    digest=sha256:$(printf '0%.0s' {1..64})

    renders "definitions are kept by default" 2 '^    helm.sh/resource-policy: keep$'
    renders "definitions are not kept if so wished" 0 'resource-policy' --set crds.keep=false
    renders "definitions are left out if so wished" 0 '^kind: CustomResourceDefinition' --set crds.install=false
    renders "one right is cluster-wide, to read a node" 1 '^kind: ClusterRoleBinding' "${both[@]}"
    renders "no right is cluster-wide if so wished" 0 '^kind: ClusterRoleBinding' "${both[@]}" --set rbac.nodes=false
    renders "no right is a wildcard" 0 '(verbs|resources): .*\*' --show-only templates/rbac.yaml
    renders "no right on secrets" 0 'secrets' --show-only templates/rbac.yaml
    renders "a role for each program in each namespace, and one for the lease" 7 '^kind: Role$' \
        --show-only templates/rbac.yaml "${both[@]}"
    renders "a binding for each role" 7 '^kind: RoleBinding$' --show-only templates/rbac.yaml "${both[@]}"
    renders "roles in all watched namespaces" 4 '^  namespace: team-a$' --show-only templates/rbac.yaml "${both[@]}"
    renders "all three programs are told the namespaces" 3 '"--namespaces=kharon,team-a,team-b"' "${both[@]}"
    renders "only the release's namespace by default" 3 '"--namespaces=kharon"'
    renders "components are told to both programs" 2 '"--component-namespaces=a b=team-a,c=kharon"' "${both[@]}" \
        --set 'componentNamespaces.a b=team-a' --set componentNamespaces.c=kharon
    renders "timeouts are one argument" 1 '"--timeouts=default=P2D,running=PT1H"' \
        --set operator.timeouts.running=PT1H --set operator.timeouts.default=P2D
    renders "a longer lease goes with a longer delta" 1 '"--lease-duration=9s"' \
        --set operator.delta=4s --set operator.leaseDuration=9s
    renders "further arguments" 1 '"--drain=PT1M"' --set 'apiserver.extraArgs={--drain=PT1M}'
    renders "a network policy names who may call the API" 1 'values: \["kharon","portal"\]' \
        --show-only templates/apiserver.yaml --set 'apiserver.networkPolicy.allowedNamespaces={portal}'
    renders "no network policy if so wished" 0 '^kind: NetworkPolicy' --set apiserver.networkPolicy.enabled=false
    # shellcheck disable=SC2016  # a reference for the kubelet, not for this shell
    renders "a dollar sign reaches the program" 1 '"--execution-env=A=x\$\$\(B\)"' \
        --set-string 'operator.executionEnv.A=x$(B)'
    renders "an upgrade of the chart alone restarts nothing" 0 '^ {8}(helm.sh/chart|app.kubernetes.io/(version|managed-by)):' \
        --show-only templates/operator.yaml --show-only templates/apiserver.yaml
    renders "every container is locked down" 4 '^ +readOnlyRootFilesystem: true$'
    renders "every pod runs as nobody" 4 '^ +runAsNonRoot: true$'
    renders "every container has the image of the values" 4 'image: "localhost/kharon:7"' \
        --set image.repository=localhost/kharon --set-string image.tag=7
    renders "the image's tag is the chart's appVersion by default" 4 'image: "registry.example/kharon:[0-9.]+"'
    renders "a digest counts more than a tag" 4 "image: \"registry.example/kharon@$digest\"" \
        --set image.digest="$digest" --set-string image.tag=7
    renders "pull secrets reach every pod" 4 '^ +- name: registry$' --set 'imagePullSecrets[0].name=registry'
    renders "an account of one's own is used by pod and roles" 4 '(serviceAccountName|name): batch$' \
        --set operator.serviceAccount.name=batch --set operator.serviceAccount.create=false
    renders "and not made" 1 '^kind: ServiceAccount$' --no-hooks \
        --set operator.serviceAccount.name=batch --set operator.serviceAccount.create=false
    renders "an account is made with annotations" 1 '^    team: batch$' \
        --set operator.serviceAccount.annotations.team=batch
    renders "the admission policy excepts another account" 1 'system:serviceaccount:kharon:api' \
        --set apiserver.serviceAccount.name=api
    renders "the test's pod has that account too" 2 'serviceAccountName: api$' --set apiserver.serviceAccount.name=api
    renders "variables of the programs" 1 'name: HTTPS_PROXY$' \
        --set 'operator.extraEnv[0].name=HTTPS_PROXY' --set 'operator.extraEnv[0].value=x'
    renders "labels of pods" 1 '^ {8}team: batch$' --set operator.podLabels.team=batch
    renders "labels of pods keep what selects them" 0 'name: mine$' \
        --set 'operator.podLabels.app\.kubernetes\.io/name=mine'
    renders "a user that the cluster chooses" 0 '65532' \
        --set podSecurityContext.runAsUser=null --set podSecurityContext.runAsGroup=null
    renders "a level for logs" 1 '"--log-level=debug"' --set apiserver.logLevel=debug
    renders "time to start" 2 '^ +startupProbe:$'
    renders "scrape annotations only if so wished" 0 'prometheus.io'
    renders "scrape annotations on both programs" 2 'prometheus.io/scrape: "true"' --set metrics.annotations=true
    renders "no disruption budget by default" 0 '^kind: PodDisruptionBudget'
    renders "a disruption budget" 1 '^kind: PodDisruptionBudget' --set operator.podDisruptionBudget=true
    renders "the admission policy excepts the API server" 1 'system:serviceaccount:kharon:kharon-apiserver'
    renders "no admission policy if so wished" 0 '^kind: ValidatingAdmission' --set admissionPolicy.enabled=false
    renders "rights of the uninstall job exist only beside it" 6 '^    helm.sh/hook: pre-delete$' \
        --show-only templates/release-pods.yaml --set 'watchNamespaces={team-a}'
}

: >"$tmp/why"
check_lint
check_sizes
check_refused
check_rendered
check_notes
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
