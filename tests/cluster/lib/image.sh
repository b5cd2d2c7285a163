# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Container images without a registry. Small ones are put together as archives by tar; the programs' image is built
# from the Containerfile by buildah, on a Debian base made from the machine's own package sources. Archives stay in
# $cache/images and are imported into the containerd of the cluster, where `imagePullPolicy: IfNotPresent` (or Never)
# finds them under their localhost/ names.

images=$cache/images
pause_image=localhost/pause:1
busybox_image=docker.io/library/busybox:1 # what pods mean by busybox:1
base_image=localhost/debian:$DEBIAN_SUITE-slim

buildah_() { buildah --root "$cache/buildah" --runroot /run/kharon/buildah --storage-driver overlay "$@"; }

image_file() { printf '%s/%s.tar' "$images" "$(printf '%s' "$1" | tr '/:' '__')"; }

image_present() { grep -qxF "$1" <<<"$(ctr_ images ls -q)"; }

image_import() { # ARCHIVE
    ctr_ images import "$1" >/dev/null || { say "could not import $1" && return 1; }
}

# image_ensure NAME MAKER: into the cache and into the cluster, unless it is there.
image_ensure() {
    local file
    file=$(image_file "$1")
    [ -s "$file" ] || "$2" "$file" || return 1
    image_present "$1" || image_import "$file"
}

image_ensure_basics() {
    mkdir -p "$images"
    image_ensure "$pause_image" image_make_pause && image_ensure "$busybox_image" image_make_busybox
}

# image_archive NAMES ROOT FILE COMMAND...: the tree ROOT as a docker-archive of one layer, the same bytes every time.
image_archive() {
    local names=$1 root=$2 file=$3 work sum command
    shift 3
    command=$(printf ',"%s"' "$@")
    work=$(mktemp -d) || return 1
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$root" -cf "$work/layer.tar" . || return 1
    sum=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
    cat >"$work/config.json" <<END
{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z",
 "config":{"Env":["PATH=/bin:/usr/bin"],"Cmd":[${command#,}]},
 "rootfs":{"type":"layers","diff_ids":["sha256:$sum"]}}
END
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "${names// /\",\"}" >"$work/manifest.json"
    tar -C "$work" -c manifest.json config.json layer.tar | write_file "$file"
    rm -rf "$work"
}

image_make_pause() { # FILE: the sandbox's only process holds the namespaces and reaps
    local work
    work=$(mktemp -d) && mkdir "$work/root" || return 1
    cat >"$work/pause.c" <<'END'
#include <signal.h>
#include <unistd.h>

static void on_end(int signal)
{
    (void)signal;
    _exit(0);
}

int main(void)
{
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
    signal(SIGCHLD, SIG_IGN); /* the kernel then reaps */
    for (;;)
        pause();
}
END
    gcc -Os -static -s -o "$work/root/pause" "$work/pause.c" &&
        image_archive "$pause_image" "$work/root" "$1" /pause
    rm -rf "$work"
}

image_make_busybox() { # FILE
    local work applet
    work=$(mktemp -d) && mkdir -p "$work"/{bin,etc,root,tmp} && chmod 1777 "$work/tmp" || return 1
    cp "$(command -v busybox)" "$work/bin/busybox"
    for applet in $("$work/bin/busybox" --list); do
        [ -e "$work/bin/$applet" ] || ln -s busybox "$work/bin/$applet"
    done
    image_archive "$busybox_image localhost/busybox:1" "$work" "$1" sh
    rm -rf "$work"
}

# image_make_program NAME PROGRAM [FILE...]: the program with every library that it needs, for pods of tests.
image_make_program() {
    local name=$1 program=$2 work file
    shift 2
    mkdir -p "$images"
    work=$(mktemp -d) && mkdir -p "$work"/{bin,tmp} && chmod 1777 "$work/tmp" || return 1
    cp "$program" "$work/bin/" || return 1
    for file in $(ldd "$program" | grep -o '/[^ ]*') "$@"; do
        mkdir -p "$work$(dirname "$file")" && cp -L "$file" "$work$file"
    done
    image_archive "$name" "$work" "$(image_file "$name")" "/bin/$(basename "$program")"
    rm -rf "$work"
    image_import "$(image_file "$name")"
}

# ---- the Containerfile ------------------------------------------------------------------------------------------

image_base() { # what `FROM debian:bookworm-slim` finds here; elsewhere it is the published image
    buildah_ images -q "$base_image" >/dev/null 2>&1 && return
    local file=$images/debian-$DEBIAN_SUITE.tar container
    mkdir -p "$images"
    [ -s "$file" ] || image_bootstrap "$file" || return 1
    say "base image: importing"
    container=$(buildah_ from scratch) &&
        buildah_ add -q "$container" "$file" / >/dev/null &&
        buildah_ config --cmd bash "$container" &&
        buildah_ commit -q --rm "$container" "$base_image" >/dev/null
}

image_bootstrap() { # FILE
    local work log=$cache/log/base-image.log sources=()
    [ ! -s /etc/apt/sources.list ] || sources=(/etc/apt/sources.list)
    [ ! -s /etc/apt/sources.list.d/debian.sources ] || sources=(/etc/apt/sources.list.d/debian.sources)
    work=$(mktemp -d) || return 1
    # as in the published image: what a build step downloads does not stay in its layer
    cat >"$work/docker-clean" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache ""; Acquire::Languages "none"; APT::Install-Recommends "false";
END
    say "base image: Debian $DEBIAN_SUITE from the machine's package sources, about a minute"
    # shellcheck disable=SC2016
    with_progress "base image" "$log" mmdebstrap --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="upload $work/docker-clean /etc/apt/apt.conf.d/docker-clean" \
        --customize-hook='rm -f "$1"/var/cache/apt/*.bin' \
        "$DEBIAN_SUITE" "$work/base.tar" "${sources[@]}" && mv "$work/base.tar" "$1"
    local rc=$?
    rm -rf "$work"
    [ $rc = 0 ] || { tail -n 20 "$log" >&2 && say "base image could not be made; all of it: $log"; }
    return $rc
}

# image_build NAME CONTEXT [ARGUMENT...]: builds, imports, and prints the name with the tag that the cluster knows it
# by. NAME without a tag gets one from the content, so that a changed image is another one to Kubernetes too.
image_build() {
    local name=$1 context=$2 log=$cache/log/image.log id file
    shift 2
    mkdir -p "$images"
    buildah_prune
    image_base || return 1
    say "$name: building"
    with_progress "$name" "$log" \
        buildah_ bud --isolation chroot --pull-never --layers --iidfile "$cache/buildah.iid" "$@" "$context" || {
        tail -n 40 "$log" >&2
        say "$name could not be built; all of it: $log"
        return 1
    }
    id=$(cut -d: -f2 <"$cache/buildah.iid")
    [[ ${name##*/} == *:* ]] || name=$name:${id:0:12}
    file=$(image_file "$name")
    if [ "$(cat "$file.id" 2>/dev/null)" != "$id" ] || ! [ -s "$file" ]; then
        rm -f "$file" "$file.id"
        buildah_ push -q "$id" "docker-archive:$file:$name" && echo "$id" >"$file.id" || return 1
    fi
    touch "$file"
    image_import "$file" || return 1
    image_prune "${name%:*}"
    printf '%s\n' "$name"
}

# Every change makes another image: the three newest of a name stay, in the cache and in the cluster.
image_prune() { # NAME without a tag
    local file tag old prefix
    prefix=$(image_file "$1:")
    prefix=${prefix%.tar}
    mapfile -t old < <(find "$images" -path "$prefix*.tar" -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d' ' -f2-)
    for file in "${old[@]}"; do
        tag=${file#"$prefix"}
        rm -f "$file" "$file.id"
        ctr_ images rm "$1:${tag%.tar}" >/dev/null 2>&1
    done
}

# Layers of earlier builds are worth keeping until they are many; then everything is built once again.
buildah_prune() {
    local mib
    mib=$(du -sm "$cache/buildah" 2>/dev/null | cut -f1)
    [ "${mib:-0}" -lt 8000 ] || {
        say "build layers take $mib MiB: removing them"
        buildah_ rm --all >/dev/null
        buildah_ rmi --all --force >/dev/null
    }
}
