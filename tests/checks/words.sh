#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What has no place in the repository: paths of somebody's machine, hosts of somebody's network, and talk about how or
# by whom it was written instead of what it is. TAP. (A bracket in each expression keeps it from finding itself.)
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

found() { # REGEX PATHSPEC...: lines of text files, cut
    local regex=$1
    shift
    git grep -nIP "$regex" -- "$@" | cut -c1-160
}

# A path begins where no name, variable or other path ends.
before='(?<![\w}/.$:-])'

check "no paths of a machine" \
    "$(found "$before/([w]ork|[r]oot|[h]ome/[a-z]|[t]mp/[k]haron)/" .)"
check "no hosts of package mirrors" \
    "$(found '(?i)[a]rtifactory|[s]onatype|\b[n]exus\.|\b(mirror|proxy|registry|repo)[s]?\.(?!k8s\.io|npmjs\.org|example)[a-z0-9-]+\.(com|net|org|io|dev|internal|local)\b|://[0-9.]+:[0-9]+/(repository|api/npm)' \
        . ':!tests/unit')"
check "no talk of those who write" \
    "$(found '(?i)\b([c]laude|[a]nthropic|[o]penai|[c]hatgpt|[c]opilot|[l]anguage model)\b|\b[L]LMs?\b|\b(ai|coding) ([a]gent|[a]ssistant|[s]ession)|\b[s]ub-?agents?\b' .)"
check "no talk of how it was written" \
    "$(found '(?i)\b(this|another|an earlier|the previous|last) ([s]ession|[h]elper)\b(?! of)|\bother [w]orkers? (writes?|wrote)|\b[w]ritten by (a|the|an) (helper|agent|worker)|\bas [i]nstructed\b|\bthe [b]rief\b' .)"
check "no sayings of what is still to be done" "$(found '\b([T]ODO|[F]IXME|[X]XX)\b' '*.c' '*.h' '*.sh' '*.py' '*.yaml' '*.md')"
finish_checks
