# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Kharon itself in the cluster: its image and the release `kharon` of the chart, in namespace `kharon`.

release_image() { # prints the name with the tag
    if [ "$name" = existing ]; then
        : "${KHARON_IMAGE:?an existing cluster pulls its images: say which, as REPOSITORY:TAG}"
        echo "$KHARON_IMAGE"
    else
        image_build localhost/kharon "$repo"
    fi
}

release_install() { # [ARG...]
    local image rc log=$cache/log/install.log
    if [ "$name" != existing ]; then need_up install; else cluster_use; fi
    command -v helm >/dev/null || with_lock "$cache/binaries.lock" helm_fetch || return 1
    image=$(release_image) || return 1
    say "$image: installing the chart"
    with_progress "waiting for Kharon" "$log" helm upgrade --install kharon "$repo/charts/kharon" --namespace kharon --create-namespace \
        --set image.repository="${image%:*}" --set image.tag="${image##*:}" --set image.pullPolicy=IfNotPresent \
        --wait --timeout 3m "$@"
    rc=$?
    cat "$log" >&2
    [ $rc = 0 ] || {
        kubectl -n kharon get pods >&2
        kubectl -n kharon get events --sort-by .lastTimestamp 2>/dev/null | tail -n 10 >&2
        return 1
    }
}

release_uninstall() {
    if [ "$name" != existing ]; then need_up uninstall; else cluster_use; fi
    helm uninstall kharon --namespace kharon --wait --timeout 3m >&2
}

# The API by its service's address, which the host has a route to. An existing cluster gives the URL itself.
release_url() {
    local ip
    if [ "$name" = existing ]; then
        [ -n "${KHARON_URL:-}" ] && printf '%s' "$KHARON_URL"
        return
    fi
    ip=$(kubectl -n kharon get service kharon-apiserver -o 'jsonpath={.spec.clusterIP}' 2>/dev/null) &&
        [ -n "$ip" ] && printf 'http://%s' "$ip"
}
