#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What an image is built from: the programs' sources and nothing else, whoever builds it. docker reads .dockerignore;
# podman and buildah read it too, unless there is a .containerignore. TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. tests/checks/lib/tap.sh

# What the build needs and the list of what is not ignored lacks.
lacking() {
    local name
    for name in CMakeLists.txt CMakePresets.json core k8s operator apiserver tests/cluster/packages.sh; do
        grep -qxF "!$name" .dockerignore || echo "$name"
    done
}

check "one file says to all tools what is left out" "$(ls .containerignore Containerfile.*ignore 2>/dev/null)"
check "all is left out" "$([ "$(grep -v '^#' .dockerignore 2>&1 | head -n 1)" = '*' ] || echo "the first line of .dockerignore is not *")"
check "but what the programs are made from" "$(lacking)"
finish_checks
