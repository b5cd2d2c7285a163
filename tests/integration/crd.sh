#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The custom resource definitions, judged by a real API server: what they accept, refuse, default and show.
#
# crd/*.txt hold sessions as a person would have them: a title ("== ..."), commands ("$ ...") and what they print.
# Each title is one test. The commands are shell, with kubectl bound to a namespace of the test's own, and
#
#   create KIND NAME SPEC [OPTION...]     creates an object; SPEC is YAML in flow style
#   status KIND/NAME STATUS               merges into the status, as the operator does
#
# Runs of blanks are one blank in the comparison, an age is AGE, the namespace NAMESPACE, and the API server's remark
# that a rule was not asked because of another fault is left out.
#
# usage: tests/integration/crd.sh     TAP, and "N passed, N failed" at the end
#        KHARON_UPDATE=1 rewrites the expected output: look at the difference before you commit it.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
ns=kharon-crd-test-$$
passed=0
failed=0
tmp=$(mktemp -d)

"$here/../cluster/guard" || exit 1

finish()
{
    command kubectl delete namespace "$ns" --wait=false >"$tmp/delete" 2>&1 || cat "$tmp/delete" >&2
    rm -rf "$tmp"
}

kubectl()
{
    command kubectl --namespace "$ns" "$@"
}

create()
{
    printf 'apiVersion: kharon.dev/v1alpha1\nkind: %s\nmetadata: {name: "%s"}\nspec: %s\n' "$1" "$2" "$3" |
        kubectl create -f - "${@:4}"
}

status()
{
    kubectl patch "$1" --subresource=status --type=merge --patch "{\"status\": $2}"
}

# result NAME RC: reports a test.
result()
{
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $1"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - $1"
    fi
}

normalise()
{
    sed -E -e 's/ +/ /g' -e 's/ $//' -e 's/ [0-9]+s( |$)/ AGE\1/' -e "s/$ns/NAMESPACE/" \
        -e '/some validation rules were not checked/d'
}

# run_block FILE: runs the commands of a block, prints it with what they print now.
run_block()
{
    local line

    while IFS= read -r line <&3; do
        case $line in
        '== '*) printf '%s\n' "$line" ;;
        '$ '*)
            printf '%s\n' "$line"
            eval "${line#\$ }" 2>&1 </dev/null | normalise
            ;;
        esac
    done 3<"$1"
}

# split FILE: a file for each block of it, in $tmp/blocks; what stands before the first one in 000.
split()
{
    rm -rf "$tmp/blocks"
    mkdir "$tmp/blocks"
    awk -v dir="$tmp/blocks" '
        BEGIN { out = dir "/000" }
        /^== / { n++; out = sprintf("%s/%03d", dir, n) }
        { print > out }' "$1"
}

test_session()
{
    local session=$1 block title

    split "$session"
    cat "$tmp/blocks/000" >"$tmp/updated"
    for block in "$tmp"/blocks/*; do
        [ "$block" != "$tmp/blocks/000" ] || continue
        title="$(basename "$session" .txt): $(sed -n '1s/^== //p' "$block")"
        run_block "$block" >"$tmp/now"
        { cat "$tmp/now"; echo; } >>"$tmp/updated"
        sed -e '/^$/d' "$block" >"$tmp/expected"
        sed -i -e '/^$/d' "$tmp/now"
        diff -u --label expected --label now "$tmp/expected" "$tmp/now" >"$tmp/diff"
        result "$title" $?
        sed -e 's/^/# /' "$tmp/diff"
    done
    [ -z "${KHARON_UPDATE:-}" ] || sed -e '${/^$/d}' "$tmp/updated" >"$session"
}

# levels TYPE: the object-valued fields of a type, as paths for kubectl explain.
levels()
{
    kubectl explain "$1" --recursive | awk -v root="$1" '
        /^FIELDS:/ { on = 1; next }
        !on || !/\t<[^>]*>/ { next }
        {
            match($0, /^ */)
            depth = RLENGTH / 2
            split($1, field, "\t")
            path[depth] = field[1]
            if ($0 !~ /<(\[\])?Object>/)
                next
            line = root
            for (i = 1; i <= depth; i++)
                line = line "." path[i]
            print line
        }'
}

# Every field of every kind has a text (design, section 3).
test_explain()
{
    local type level n

    for type in kwf kwfi; do
        n=0
        : >"$tmp/silent"
        for level in "$type" $(levels "$type"); do
            kubectl explain "$level" >"$tmp/explain" 2>&1 || echo "$level: $(cat "$tmp/explain")" >>"$tmp/silent"
            sed -n "s|.*<no description>.*|$level: a field without a text|p" "$tmp/explain" >>"$tmp/silent"
            n=$((n + 1))
        done
        [ ! -s "$tmp/silent" ] && [ "$n" -ge 8 ]
        result "kubectl explain knows every field of $type ($n levels)" $?
        sed -e 's/^/# /' "$tmp/silent"
    done
}

set_up()
{
    kubectl apply --server-side --force-conflicts -f "$top/manifests/crds.yaml" &&
        kubectl wait --for=jsonpath='{.status.conditions[?(@.type=="Established")].status}'=True --timeout=30s \
            crd/workflows.kharon.dev crd/workflowinstances.kharon.dev &&
        kubectl create namespace "$ns"
}

trap finish EXIT
set_up >"$tmp/set-up" 2>&1
result "the definitions are accepted and served" $?
sed -e 's/^/# /' "$tmp/set-up"
for session in "$here"/crd/*.txt; do
    test_session "$session"
done
test_explain
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
