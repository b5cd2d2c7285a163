#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The sizes of functions and files beside what is aimed at: a report, not a judgement. Only something that has got out
# of hand fails. TAP, the report in comments.
#
# A function begins with a brace in the first column and ends with one there; its header is not counted.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

function_max=150
file_max=1000

mapfile -t programs < <(files 'core/*.c' 'k8s/*.c' 'operator/*.c' 'apiserver/*.c')

# "LINES FILE:LINE" of each function.
functions() {
    awk 'FNR == 1 { begin = 0 }
        /^{$/ { begin = FNR }
        /^}$/ && begin { print FNR - begin - 1, FILENAME ":" begin - 1; begin = 0 }' "$@"
}

sizes=$(functions "${programs[@]}" | sort -n)
lines=$(wc -l "${programs[@]}" | sed '$d' | sort -n)

awk '{ n[NR] = $1 } END {
    printf "# %d functions: median %d lines, 95 %% up to %d, longest %d (aim: 11-21, 60-110)\n",
        NR, n[int((NR + 1) / 2)], n[int((NR * 95 + 99) / 100)], n[NR] }' <<<"$sizes"
awk '{ n[NR] = $1 } END {
    printf "# %d files: median %d lines, longest %d (aim: 150-500)\n", NR, n[int((NR + 1) / 2)], n[NR] }' <<<"$lines"
echo "# the longest functions:"
tail -n 5 <<<"$sizes" | sort -rn | sed 's/^/#   /'
echo "# the longest files:"
tail -n 5 <<<"$lines" | sort -rn | sed 's/^ */#   /'
check "no function of more than $function_max lines" "$(awk -v max=$function_max '$1 > max' <<<"$sizes")"
check "no file of more than $file_max lines" "$(awk -v max=$file_max '$1 > max' <<<"$lines")"
finish_checks
