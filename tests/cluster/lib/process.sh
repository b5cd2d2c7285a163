# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The cluster's long-running processes, one record file each: $run/pid/NAME holds "PID START BOOT", where START is
# the kernel's start time of the process in ticks and BOOT the id of the boot. A record of a process that ended, of a
# number that now belongs to something else, or of an earlier boot therefore never matches, and nothing is ever
# killed that was not started here.

process_start_time() { # PID: field 22 of stat(5); the name in field 2 may hold anything, so count from its end
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1 # a zombie has ended
    printf '%s' "${20}"
}

process_record() { # PID
    printf '%s %s %s\n' "$1" "$(process_start_time "$1")" "$(cat /proc/sys/kernel/random/boot_id)"
}

process_pid() { # NAME: the pid if what is recorded still runs
    local record pid
    record=$(cat "$run/pid/$1" 2>/dev/null) || return 1
    pid=${record%% *}
    [ -n "$pid" ] && [ "$(process_record "$pid" 2>/dev/null)" = "$record" ] && printf '%s' "$pid"
}

process_alive() { process_pid "$1" >/dev/null; }

process_report() { # NAME: the last words
    if process_alive "$1"; then say "$1 still runs; the end of $state/log/$1.log:"; else say "$1 ended; the end of $state/log/$1.log:"; fi
    tail -n 5 "$state/log/$1.log" >&2
}

# What starts a cluster may hold locks and pipes: whoever waits for the end of a pipe would wait for the cluster's.
close_inherited() {
    local fd
    for fd in /proc/"$BASHPID"/fd/*; do
        fd=${fd##*/}
        [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
}

# process_start NAME COMMAND...: in the cluster's network namespace, unless it runs.
# nsenter and not `ip netns exec`, which mounts a fresh /sys and so hides the cgroups.
process_start() {
    local name=$1 log=$state/log/$1.log binary
    shift
    process_alive "$name" && return
    binary=$(readlink -f "$(command -v "$1")")
    strays "$binary" | kill_and_wait
    mkdir -p "$run/pid" "$state/log"
    [ ! -e "$log" ] || mv -f "$log" "$log.1"
    (
        close_inherited
        exec setsid nsenter --net="/run/netns/$netns" -- "$@"
    ) >>"$log" 2>&1 </dev/null &
    process_record $! | write_file "$run/pid/$name"
}

process_stop() { # NAME...: all at once, in order
    local name pid pids=()
    for name; do
        pid=$(process_pid "$name") && pids+=("$pid")
    done
    [ ${#pids[@]} = 0 ] || printf '%s\n' "${pids[@]}" | kill_and_wait
    for name; do rm -f "$run/pid/$name"; done
}

# kill_and_wait: TERM to the pids on standard input, KILL to those that are there 3 s later.
kill_and_wait() {
    local pids pid _
    pids=$(cat)
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086
    kill $pids 2>/dev/null
    for pid in $pids; do
        for _ in $(seq 30); do
            process_start_time "$pid" >/dev/null || continue 2
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null
    done
}

# strays BINARY: pids of that program in our network namespace without a record. They exist when a run was killed
# between starting a process and recording it, and they hold ports and locks.
strays() {
    local pid recorded
    network_ready || return 0
    recorded=$(cat "$run"/pid/* 2>/dev/null | cut -d' ' -f1)
    for pid in $(ip netns pids "$netns"); do
        [ "$(readlink "/proc/$pid/exe")" = "$1" ] || continue
        grep -qx "$pid" <<<"$recorded" || echo "$pid"
    done
}
