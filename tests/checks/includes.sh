#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Which folder may include which: a row for each folder, with the folders that it may name besides itself. The programs
# meet in the custom resources, the model knows no Kubernetes, the client knows no workflow. TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

n=0
n_failed=0

check() { # WHAT OFFENDING-LINES
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        n_failed=$((n_failed + 1))
        echo "not ok $n - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

# Lines of C files below FOLDER that include "other/file.h" of a folder which is not among the allowed ones. A name
# without a folder is a neighbour.
offenders() { # FOLDER ALLOWED...
    local folder=$1 allowed
    shift
    allowed=$(IFS='|' && echo "${folder#core/}|$*" | tr ' ' '|')
    git grep -nE '^[[:space:]]*#[[:space:]]*include "[^"/]+/' -- "$folder/*.[ch]" |
        grep -vE "include \"($allowed)/"
}

while read -r folder allowed; do
    # shellcheck disable=SC2086
    check "$folder includes only ${allowed:-itself}" "$(offenders "$folder" $allowed)"
done <<END
core/base
core/model base
k8s        base
operator   base model k8s
apiserver  base model k8s
END

check "only apiserver/server.c knows h2o" \
    "$(git grep -nE '#[[:space:]]*include <h2o' -- 'core/*' 'k8s/*' 'operator/*' 'apiserver/*' |
        grep -v '^apiserver/server\.c:')"
check "only k8s knows libcurl, in the operator's programs" \
    "$(git grep -nE '#[[:space:]]*include <curl/' -- 'core/*' 'operator/*')"
echo "1..$n"
[ $n_failed = 0 ]
