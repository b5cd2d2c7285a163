#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A check that sees no files fails: each of this folder that asks git is run where git knows of none. TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

good_when_blind() { # SCRIPT
    local out
    if out=$(GIT_DIR=/nonexistent "$1" 2>&1); then echo "it is content"; fi
    grep -q '^not ok' <<<"$out" || echo "it complains of nothing"
}

mapfile -t scripts < <(grep -lE '\bgit |lib/tap\.sh' tests/checks/*.sh)
for script in "${scripts[@]}"; do
    [ "$script" -ef "$0" ] || check "$script without git's files" "$(good_when_blind "$script")"
done
check "there are such scripts" "$([ "$n_checks" -ge 5 ] || echo "only $n_checks")"
finish_checks
