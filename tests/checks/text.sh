#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What every text file keeps: a licence line, no tabs or blanks where they do not belong, 100 columns of C; and shell
# scripts without a complaint of shellcheck. TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

n=0
n_failed=0

check() { # WHAT OFFENDERS
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        n_failed=$((n_failed + 1))
        echo "not ok $n - $1"
        printf '%s\n' "$2" | sed 's/^/# /' | head -n 20
    fi
}

mapfile -t scripts < <(git grep -lE '^#!.*\b(ba)?sh\b' | xargs -r grep -lE -m1 '^#!')
mapfile -t sources < <(git ls-files '*.c' '*.h' '*.sh' '*.py' '*.cmake' CMakeLists.txt '*/CMakeLists.txt' Makefile \
    Containerfile && printf '%s\n' "${scripts[@]}")

check "every source file names its licence at the top" \
    "$(for file in "${sources[@]}"; do
        [[ $(head -n 3 "$file") == *SPDX-License-Identifier* ]] || echo "$file"
    done | sort -u)"
check "C has no tabs" "$(git grep -nP '\t' -- '*.c' '*.h')"
check "C has at most 100 columns" "$(git grep -nE '^.{101,}' -- '*.c' '*.h' | cut -c1-120)"
check "no blanks at the end of a line" "$(git grep -nIE '[[:blank:]]+$' -- ':!*.txt' ':!*.tsv' ':!*.md')"
check "every file ends with a line end" \
    "$(git ls-files -z | xargs -0 grep -IlP '.' -- | while read -r file; do
        [ -z "$(tail -c 1 "$file")" ] || echo "$file"
    done)"
check "shell scripts are clean" "$(shellcheck -x -f gcc "${scripts[@]}")"
echo "1..$n"
[ $n_failed = 0 ]
