#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What is made from something else is up to date (tests/checks/generate makes it so). TAP. The manifests are judged by
# chart.sh.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

# What a command says when it fails.
complaint() { # COMMAND...
    local out
    out=$("$@" 2>&1) || echo "${out:-$* failed}"
}

# Links of pages to files of the repository that do not exist.
dead_links() {
    local page link
    files '*.md' | while read -r page; do
        grep -oE '\]\([^)# ]+' "$page" | cut -c3- | grep -vE '^[a-z]+:' | sort -u | while read -r link; do
            [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
        done
    done
}

check "docs/reference is up to date" "$(complaint tests/checks/reference --check)"
check "docs/conformance.md is up to date" "$(complaint tests/checks/conformance --check)"
check "links within the documents lead somewhere" "$(dead_links)"
finish_checks
