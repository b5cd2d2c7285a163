# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Words that every other file here uses: messages, paths in the cache, waiting, locks.
#
# Rules: messages go to standard error, so that standard output is only ever a result. A function that fails has
# said why. Files that others read appear whole or not at all: written beside their place, then renamed.

cache=${KHARON_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kharon}

. "$cluster_dir/versions.sh"

kubernetes_bin=$cache/kubernetes-$KUBERNETES_VERSION
etcd_bin=$cache/etcd-$ETCD_VERSION
helm_bin=$cache/helm-$HELM_VERSION
go_root=$cache/go-v$GO_VERSION
PATH=$kubernetes_bin:$etcd_bin:$helm_bin:$PATH:/usr/sbin:/sbin

# What would send helm to another cluster, namespace or store than KUBECONFIG and its options say.
helm_variables=()
for variable in "${!HELM_KUBE@}" HELM_NAMESPACE HELM_DRIVER; do
    [ -z "${!variable+set}" ] || helm_variables+=("$variable")
done

cluster_kubeconfig() { printf '%s/cluster/%s/kubeconfig' "$cache" "$1"; } # NAME

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

die() {
    printf 'cluster: %s\n' "$*" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "network namespaces, mounts and packages need root; run this with sudo -E"
}

# wait_for SECONDS WHAT COMMAND...: asks until the command succeeds. Where $guard names a process of ours, its end
# ends the waiting: what has died does not come up any more.
wait_for() {
    local deadline=$(($(date +%s) + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ -n "${guard:-}" ] && ! process_alive "$guard"; then
            process_report "$guard"
            return 1
        fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            say "$what is not ready in time"
            [ -z "${guard:-}" ] || process_report "$guard"
            return 1
        fi
        sleep 0.1
    done
}

# with_progress WHAT LOG COMMAND...: what takes long writes to LOG, and every ten seconds is told how long it takes and
# what it said last. Not within itself.
with_progress() {
    local what=$1 log=$2 rc
    shift 2
    mkdir -p "$(dirname "$log")"
    : >"$log"
    {
        "$@" >"$log" 2>&1 8>&- # else what it leaves running would keep the teller
        rc=$?
    } 8> >(progress_tell "$what" "$log")
    return $rc
}

progress_tell() { # WHAT LOG: until standard input ends
    local started=$SECONDS
    while read -rt "${progress_every:-10}" _ || [ $? -gt 128 ]; do
        say "$1: $((SECONDS - started)) s; $(tail -n 1 "$2" | tr -cd '[:print:]' | cut -c1-100)"
    done
}

# with_lock FILE COMMAND...: one at a time. What the command leaves running must close descriptor 9 (process_start
# does), else it would hold the lock for ever.
with_lock() {
    local file=$1
    shift
    mkdir -p "$(dirname "$file")"
    (
        flock -n 9 || { say "waiting for another run that holds $file" && flock 9; }
        "$@"
    ) 9>>"$file"
}

# write_file FILE: standard input becomes the file, at once.
write_file() {
    cat >"$1.new.$$" && mv -f "$1.new.$$" "$1"
}
