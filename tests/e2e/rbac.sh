#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the service accounts of an installed chart may do: exactly what rbac/NAME.txt lists, which is the output of
# `kubectl auth can-i --list` for it; and whom the admission policy refuses.
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
    kubectl --namespace "$ns" delete role,rolebinding "$writer" --ignore-not-found >"$tmp/delete" 2>&1 ||
        cat "$tmp/delete" >&2
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
rights()
{
    kubectl auth can-i --list --as="system:serviceaccount:$ns:$1" --namespace "$2" |
        sed -E -e 's/ {2,}/  /g' -e 's/ +$//' | { IFS= read -r head && echo "$head" && LC_ALL=C sort; }
}

test_rights()
{
    local account=$1 list=$here/rbac/$1.txt

    rights "$account" "$ns" >"$tmp/now" 2>"$tmp/why"
    if [ -n "${KHARON_UPDATE:-}" ]; then
        { echo "# SPDX-License-Identifier: Apache-2.0"; cat "$tmp/now"; } >"$list"
    fi
    grep -v '^# ' "$list" | diff -u --label expected - --label now "$tmp/now" >>"$tmp/why"
    result "$account may do what the list says" $?

    # Elsewhere: only what every account may.
    rights "$account" default 2>"$tmp/why" | grep -E 'kharon\.dev|pods|leases|secrets|events' >>"$tmp/why"
    [ ! -s "$tmp/why" ]
    result "$account may do nothing elsewhere" $?
}

# may VERB RESOURCE: the writer's right, when the API server has heard of it.
may()
{
    local n

    for ((n = 0; n < 100; n++)); do
        kubectl auth can-i "$1" "$2" --as="$writer" --namespace "$ns" >"$tmp/why" 2>&1 && return 0
    done
    return 1
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
test_admission
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
