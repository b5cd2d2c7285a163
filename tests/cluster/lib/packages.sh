# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Installs Debian packages: of the lists in packages.sh, what is missing.

. "$cluster_dir/packages.sh"

packages_missing() { # LIST...
    local list
    for list; do
        local -n names=packages_$list
        dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${names[@]}" 2>/dev/null |
            sed -n 's/^ii //p' | sort -u | comm -13 - <(printf '%s\n' "${names[@]}" | sort -u)
    done | sort -u
}

packages_install() { # LIST...
    local missing
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    need_root
    with_lock "$cache/packages.lock" apt_install "${missing[@]}"
}

# An interrupted earlier run is finished first. Other runs of apt are waited for: five minutes for the lock of dpkg; the
# lock of the lists knows no waiting and is tried again. Old lists are good enough if they cannot be renewed.
apt_install() { # PACKAGE...
    local log=$cache/log/packages.log try
    say "packages: installing $*"
    for try in $(seq 60); do
        if with_progress packages "$log" apt_try "$@"; then
            say "packages: done"
            return 0
        fi
        grep -qE 'Could not get lock|Unable to lock' "$log" || break
        say "packages: waiting for another installation ($try)"
        sleep 5
    done
    tail -n 20 "$log" >&2
    say "packages: could not be installed; all of it: $log"
    return 1
}

apt_try() { # PACKAGE...
    export DEBIAN_FRONTEND=noninteractive
    dpkg --configure -a --force-confold
    apt-get -q update
    apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "$@"
}
