#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What makes memory errors harder to use is in the programs that are shipped (preset release; KHARON_RELEASE_BIN names
# another folder). TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

folder=${KHARON_RELEASE_BIN:-build/release/bin}

# wants PROGRAM READELF-OPTION WHAT REGEX: a line of what readelf says matches.
wants() {
    check "$1: $3" "$(grep -qE -- "$4" <<<"$(readelf -W "$2" "$folder/$1" 2>&1)" || echo "nothing in readelf $2 matches $4")"
}

# The compiler notes its options with each of our units; not one may lack them.
units_without() { # PROGRAM OPTION
    local units n
    units=$(readelf --debug-dump=info --dwarf-depth=1 "$folder/$1" 2>/dev/null | grep 'DW_AT_producer.*GNU C')
    [ -n "$units" ] || echo "no unit with debug information"
    n=$(grep -cvF -- "$2" <<<"$units")
    [ "$n" = 0 ] || echo "$n units without $2"
}

for program in kharon-operator kharon-apiserver; do
    wants $program -h "a position-independent executable" 'Type: +DYN'
    wants $program -l "read-only after relocation" GNU_RELRO
    wants $program -d "bound at the start" 'FLAGS.*(BIND_NOW|NOW)'
    wants $program -l "no executable stack" 'GNU_STACK .* RW +0x'
    wants $program --dyn-syms "canaries on the stack" '__stack_chk_fail'
    wants $program --dyn-syms "checked functions of the C library" '__(sn|vsn|f|vf)?printf_chk|__mem(cpy|move)_chk'
    check "$program: the stack is probed" "$(units_without $program -fstack-clash-protection)"
    [ "$(uname -m)" != x86_64 ] || check "$program: jumps go to marked places" "$(units_without $program -fcf-protection)"
done
finish_checks
