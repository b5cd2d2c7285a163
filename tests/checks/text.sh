#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What every text file keeps: a licence line, no tabs or blanks where they do not belong, 100 columns of C; and shell
# scripts without a complaint of shellcheck. TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

mapfile -t shell < <(scripts '(ba)?sh')
mapfile -t sources < <({
    files '*.c' '*.h' '*.sh' '*.py' '*.yaml' '*.yml' '*.cmake' '*.tpl' CMakeLists.txt '*/CMakeLists.txt' Makefile \
        Containerfile .clang-format
    scripts '(ba)?sh|python3?'
} | sort -u)

unlicensed() {
    local file
    for file in "${sources[@]}"; do
        [[ $(head -n 3 "$file") == *SPDX-License-Identifier:\ Apache-2.0* ]] || echo "$file"
    done
}

no_line_end() {
    git ls-files -z -- ':!tests/fuzz/corpus' | xargs -0 grep -IlP '.' -- 2>/dev/null | while read -r file; do
        [ -z "$(tail -c 1 "$file")" ] || echo "$file"
    done
}

check "every source file names its licence at the top" "$(unlicensed)"
check "C has no tabs" "$(git grep -nP '\t' -- '*.c' '*.h')"
check "C has at most 100 columns" "$(LC_ALL=C.UTF-8 git grep -nE '^.{101,}' -- '*.c' '*.h' | cut -c1-120)"
check "no blanks at the end of a line" "$(git grep -nIE '[[:blank:]]+$' -- ':!*.txt' ':!*.tsv' ':!*.md' ':!tests/fuzz/corpus')"
check "every file ends with a line end" "$(no_line_end)"
check "shell scripts are clean" "$(shellcheck -x -f gcc "${shell[@]}")"
finish_checks
