#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the service accounts of an installed chart and its roles for people allow: exactly what rbac/NAME.txt lists, which
# is the output of `kubectl auth can-i --list`; and whom the admission policy refuses.
#
# usage: tests/e2e/rbac.sh     the chart is installed as release kharon in the namespace kharon
#        KHARON_UPDATE=1 rewrites the lists: look at the difference before you commit it.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
ns=${KHARON_NAMESPACE:-kharon}
writer=kharon-e2e-writer
passed=0
failed=0
tmp=$(mktemp -d)

"$(dirname "$0")/../cluster/guard" || exit 1

finish()
{
    kubectl --namespace "$ns" delete role,rolebinding,serviceaccount --ignore-not-found \
        "$writer" kharon-e2e-view kharon-e2e-edit kharon-release-pods >"$tmp/delete" 2>&1 || cat "$tmp/delete" >&2
    rm -rf "$tmp"
}

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

# The list in a form that does not depend on the width of columns. The order of rows is not defined.
rights() # USER NAMESPACE
{
    kubectl auth can-i --list --as="$1" --namespace "$2" |
        sed -E -e 's/ {2,}/  /g' -e 's/ +$//' | { IFS= read -r head && echo "$head" && LC_ALL=C sort; }
}

test_rights() # NAME [USER]
{
    local account=$1 user=${2:-system:serviceaccount:$ns:$1} list=$here/rbac/$1.txt

    rights "$user" "$ns" >"$tmp/now" 2>"$tmp/why"
    if [ -n "${KHARON_UPDATE:-}" ]; then
        { echo "# SPDX-License-Identifier: Apache-2.0"; cat "$tmp/now"; } >"$list"
    fi
    grep -v '^# ' "$list" | diff -u --label expected - --label now "$tmp/now" >>"$tmp/why"
    result "$account may do what the list says" $?

    # Elsewhere: only what every account may.
    rights "$user" default 2>"$tmp/why" | grep -E 'kharon\.dev|pods|leases|secrets|events' >>"$tmp/why"
    [ ! -s "$tmp/why" ]
    result "$account may do nothing elsewhere" $?
}

# may VERB RESOURCE [USER]: the right of the writer or another, when the API server has heard of it.
may()
{
    local n

    for ((n = 0; n < 100; n++)); do
        kubectl auth can-i "$1" "$2" --as="${3:-$writer}" --namespace "$ns" >"$tmp/why" 2>&1 && return 0
    done
    return 1
}

# The account of the hook that runs before an uninstall exists only then: it is made as the hook has it, without its Job.
test_hook()
{
    local account=kharon-release-pods

    helm get hooks kharon --namespace "$ns" 2>"$tmp/why" |
        awk 'BEGIN { RS = "---\n" } /name: kharon-release-pods\n/ && /kind: (ServiceAccount|Role|RoleBinding)\n/ { print "---\n" $0 }' |
        kubectl --namespace "$ns" apply -f - >>"$tmp/why" 2>&1 &&
        may patch pods "system:serviceaccount:$ns:$account"
    result "the hook's account can be made" $?
    test_rights $account
}

# What a role for people adds to that of Kubernetes: bound alone, to somebody who has nothing else.
test_person() # ROLE VERB
{
    local user=kharon-e2e-$1

    kubectl --namespace "$ns" create rolebinding "$user" --clusterrole="kharon-$1-$ns" --user="$user" \
        >"$tmp/why" 2>&1 && may "$2" workflows.kharon.dev "$user"
    result "somebody gets the role to $1" $?
    test_rights "kharon-$1" "$user"
}

write_workflow()
{
    printf 'apiVersion: kharon.dev/v1alpha1\nkind: Workflow\nmetadata: {name: e2e-rbac}\nspec: {schedule: daily}\n' |
        kubectl create --namespace "$ns" --as="$1" --dry-run=server -f - >"$tmp/why" 2>&1
}

# Whoever may create a Workflow gets pods (design, section 6).
test_admission()
{
    kubectl --namespace "$ns" create role "$writer" --verb=create --resource=workflows.kharon.dev >"$tmp/why" 2>&1 &&
        kubectl --namespace "$ns" create rolebinding "$writer" --role="$writer" --user="$writer" >"$tmp/why" 2>&1 &&
        may create workflows.kharon.dev
    result "a user gets the right to create workflows, not pods" $?

    ! write_workflow "$writer" &&
        grep -qF "$writer needs the right to create pods in $ns to write a Workflow" "$tmp/why"
    result "a Workflow of who may not create pods is refused" $?

    write_workflow "system:serviceaccount:$ns:kharon-apiserver"
    result "a Workflow of our API server is accepted, though it may not create pods" $?

    kubectl --namespace "$ns" delete role "$writer" >"$tmp/why" 2>&1
    kubectl --namespace "$ns" create role "$writer" --verb=create --resource=workflows.kharon.dev,pods \
        >"$tmp/why" 2>&1 && may create pods && write_workflow "$writer"
    result "a Workflow of who may create pods is accepted" $?
}

trap finish EXIT
: >"$tmp/why"
test_rights kharon-operator
test_rights kharon-apiserver
test_hook
test_person view get
test_person edit create
test_admission
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
