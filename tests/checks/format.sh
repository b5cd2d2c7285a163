#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# C looks as .clang-format says.
#
# usage: tests/checks/format.sh                  TAP: which files do not
#        tests/checks/format.sh --fix [FILE...]  makes them so; all that are tracked if none is named
#        tests/checks/format.sh --diff FILE...   shows what --fix would do
#
# clang-format 14 takes C for C++, where "operator" and "template" are keywords, and breaks lines behind a macro that
# stands where a statement begins, as CLEANUP(free) does. These are disguised from it by words of the same length. An
# editor that formats on its own will differ in just these points.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

clang_format=$(command -v clang-format-14 || command -v clang-format)

formatted() { # FILE
    sed -E 's/\boperator\b/operat_r/g; s/\btemplate\b/templat_/g; s/\bCLEANUP\(([a-z0-9_]+)\)/CLEANUP_\1_/g' "$1" |
        "$clang_format" --style=file --assume-filename="$1" |
        sed -E 's/\boperat_r\b/operator/g; s/\btemplat_\b/template/g; s/\bCLEANUP_([a-z0-9_]+)_( |$)/CLEANUP(\1)\2/g'
}

changed() { # FILE...
    local file
    for file; do
        formatted "$file" | cmp -s - "$file" || echo "$file"
    done
}

# Each file is replaced in one step, so that nobody reads half of one.
fix() { # FILE...
    local file new
    changed "$@" | while read -r file; do
        new=$(mktemp "$file.new.XXXXXX")
        formatted "$file" >"$new" && chmod --reference="$file" "$new" && mv "$new" "$file" && echo "$file"
    done
}

case ${1:-} in
--fix)
    shift
    mapfile -t sources < <(files "${@:-*.[ch]}")
    fix "${sources[@]}"
    exit
    ;;
--diff)
    shift
    for file; do formatted "$file" | diff -u --label "$file" --label "$file, formatted" "$file" -; done
    exit
    ;;
esac

version=$("${clang_format:-false}" --version | grep -oE 'version [0-9]+')
check "clang-format is version 14, that of Debian 12" "$([ "$version" = "version 14" ] || echo "it is: ${version:-missing}")"
mapfile -t sources < <(files '*.c' '*.h')
half=$((${#sources[@]} / 2))
unformatted=$(
    changed "${sources[@]:0:half}" &
    changed "${sources[@]:half}"
    wait
)
check "C is formatted (tests/checks/format.sh --fix)" "$(sort <<<"$unformatted" | sed '/^$/d')"
finish_checks
