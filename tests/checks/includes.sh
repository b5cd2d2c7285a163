#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Which folder may include which: a row for each folder, with the folders that it may name besides itself. The programs
# meet in the custom resources, the model knows no Kubernetes, the client knows no workflow. TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

# Lines of C files below FOLDER that include "other/file.h" of a folder which is not among the allowed ones. A name
# without a folder is a neighbour.
offenders() { # FOLDER ALLOWED...
    local folder=$1 allowed
    shift
    allowed=$(IFS='|' && echo "${folder#core/}|$*" | tr ' ' '|')
    git grep -nE '^[[:space:]]*#[[:space:]]*include "[^"/]+/' -- "$folder/*.[ch]" |
        grep -vE "include \"($allowed)/"
}

# Headers without a guard that is named after their path: core/base/buf.h has KHARON_BASE_BUF_H. Those of tests may call
# it as they like.
unguarded() {
    local file guard
    files 'core/*.h' 'k8s/*.h' 'operator/*.h' 'apiserver/*.h' 'tests/*.h' ':!core/base/banned.h' |
        while read -r file; do
            guard=$(echo "KHARON_${file#core/}" | tr 'a-z/.-' 'A-Z___')
            [[ $file != tests/* ]] || guard='KHARON_[A-Z0-9_]*_H'
            grep -q "^#ifndef $guard\$" "$file" && grep -q "^#define $guard\$" "$file" || echo "$file: $guard"
        done
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

check "only apiserver/server*.c and what they share know h2o" \
    "$(git grep -nE '#[[:space:]]*include <h2o' -- '*.c' '*.h' | grep -vE '^apiserver/server(_private\.h|[a-z_]*\.c):')"
check "only apiserver/server*.c includes what those share" \
    "$(git grep -nE 'include "apiserver/server_private.h"' -- '*.c' '*.h' | grep -v '^apiserver/server[a-z_]*\.c:')"
check "only k8s knows libcurl, in the operator's programs" \
    "$(git grep -nE '#[[:space:]]*include <curl/' -- 'core/*' 'operator/*')"
check "the toolkit speaks no word of Kubernetes or of workflows" \
    "$(git grep -nwiE '(struct|enum) (k8s|workflow|instance|pod|run|cursor|schedule)[a-z_0-9]*' -- 'core/base/*')"
check "the model does no I/O and asks no clock" \
    "$(git grep -nE '\b(clock_gettime|gettimeofday|time\(NULL\)|fopen|open\(|socket\(|log_(debug|info|warning|error)\()' \
        -- 'core/model/*')"
check "headers have guards, named after their path" "$(unguarded)"
finish_checks
