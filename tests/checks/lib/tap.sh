# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# TAP for checks, and the files that they look at. Sourced from the top of the tree.

# Every check looks at the files that git knows. Without them nothing would be found, and all be well.
git ls-files --error-unmatch -- tests/checks/lib/tap.sh >/dev/null || {
    echo "not ok 1 - git tells which files there are"
    exit 1
}

n_checks=0
n_checks_failed=0

# check WHAT OFFENDERS: good if there are no offenders, a line each; at most 20 are shown.
check() {
    n_checks=$((n_checks + 1))
    if [ -z "$2" ]; then
        echo "ok $n_checks - $1"
    else
        n_checks_failed=$((n_checks_failed + 1))
        echo "not ok $n_checks - $1"
        printf '%s\n' "$2" | sed 's/^/# /' | head -n 20
    fi
}

# The last line of a script: its exit code says whether all were good.
finish_checks() {
    echo "1..$n_checks"
    [ $n_checks_failed = 0 ]
}

# What belongs to the project and is there: a file that somebody is just removing is nobody's mistake.
files() { # PATHSPEC...
    local file
    git ls-files -- "$@" | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# Scripts that begin with #!, of any of these interpreters.
scripts() { # INTERPRETER-REGEX
    local file
    files . | while read -r file; do
        head -c 200 "$file" | head -n 1 | grep -qaE "^#!.*\b($1)\b" && echo "$file"
    done
}
