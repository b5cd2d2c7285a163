# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Slots: several clusters beside each other. A slot 0-15 stands for everything that a cluster has on the machine
# outside its state directory: the network namespace and veth `kharonN`, the addresses, and /run/kharon/N with
# sockets, process records and the file `owner` that names the state directory.
#
# 198.18.0.0/15 is set aside for tests (RFC 2544), so it clashes with no real network. A slot has a /19 of it:
#
#   +0     /30  the host's end (.1) and the node (.2)
#   +2048  /21  pods
#   +4096  /20  services; the first is the API server's
#
# The namespace has no default route and the host's route for the /19 ends in `unreachable`: no packet of a
# cluster, nor one for an address that is gone, leaves the machine.

run_root=/run/kharon

address() { # SLOT OFFSET
    local n=$((($1 << 13) + $2))
    printf '198.%d.%d.%d' $((18 + (n >> 16))) $(((n >> 8) & 255)) $((n & 255))
}

slot_use() { # SLOT: sets the globals
    slot=$1
    run=$run_root/$slot
    netns=kharon$slot
    host_ip=$(address "$slot" 1)
    node_ip=$(address "$slot" 2)
    pod_cidr=$(address "$slot" 2048)/21
    service_cidr=$(address "$slot" 4096)/20
    service_api=$(address "$slot" 4097)
    slot_cidr=$(address "$slot" 0)/19
}

slot_owner() { cat "$run_root/$1/owner" 2>/dev/null; }

slot_mine() { # the recorded slot, if nobody else has taken it since
    local n owner
    n=$(cat "$state/slot" 2>/dev/null) || return 1
    owner=$(slot_owner "$n") || owner=$state
    [ "$owner" = "$state" ] && slot_use "$n"
}

# slot_claim: the slot that this cluster had, else a free one. Other addresses than before make certificates and
# stored services worthless, so the state is thrown away with them.
slot_claim() {
    mkdir -p "$run_root" "$state"
    with_lock "$run_root/lock" slot_claim_locked || return 1
    slot_use "$(cat "$state/slot")"
}

slot_claim_locked() {
    local n
    if ! slot_mine; then
        [ ! -e "$state/slot" ] || say "$name: another cluster took its addresses; starting afresh"
        slots_forgotten
        n=$(slot_free) || { say "all 16 slots are taken; see 'cluster list'" && return 1; }
        state_purge
        slot_use "$n"
        mkdir -p "$state"
        echo "$slot" | write_file "$state/slot"
    fi
    mkdir -p "$run" && echo "$state" | write_file "$run/owner"
}

slots_forgotten() { # what runs for this state directory although the directory was deleted by hand
    local n
    for n in $(seq 0 15); do
        [ "$(slot_owner "$n")" != "$state" ] || (slot_use "$n" && cluster_stop)
    done
}

slot_free() { # one that nobody uses, better one that no stopped cluster of this cache would want back
    local n wanted
    wanted=$(cat "$cache"/cluster/*/slot 2>/dev/null)
    for n in $(seq 0 15); do
        slot_taken "$n" || grep -qx "$n" <<<"$wanted" || { echo "$n" && return; }
    done
    for n in $(seq 0 15); do
        slot_taken "$n" || { echo "$n" && return; }
    done
    return 1
}

# slot_taken: by one of ours, or by anything else that uses these addresses or names. A cluster whose state directory
# was deleted by hand cannot come back: what is left of it is cleared away.
slot_taken() {
    local owner
    if owner=$(slot_owner "$1") && ! [ -d "$owner" ]; then
        (state=$owner && slot_use "$1" && cluster_stop)
    fi
    slot_owner "$1" >/dev/null || [ -e "/run/netns/kharon$1" ] ||
        [ -n "$(ip -o addr show to "$(address "$1" 0)/19")" ]
}

in_netns() { nsenter --net="/run/netns/$netns" -- "$@"; }

network_ready() { # false too for the plain file that is left of a namespace after a reboot
    [[ $(in_netns ip -o addr show dev eth0 2>/dev/null) == *" $node_ip/"* &&
        $(ip -o addr show dev "$netns" 2>/dev/null) == *" $host_ip/"* ]]
}

network_up() {
    network_ready || {
        network_down
        network_create || return 1
    }
    ip route replace unreachable "$slot_cidr"
    ip route replace "$pod_cidr" via "$node_ip"
    ip route replace "$service_cidr" via "$node_ip"
}

network_create() {
    ip netns add "$netns" &&
        ip link add "$netns" type veth peer name eth0 netns "$netns" &&
        ip addr add "$host_ip/30" dev "$netns" &&
        ip link set "$netns" up &&
        in_netns ip link set lo up &&
        in_netns ip addr add "$node_ip/30" dev eth0 &&
        in_netns ip link set eth0 up &&
        in_netns sysctl -qw net.ipv4.ip_forward=1 &&
        # A process in the namespace needs some route to a service; kube-proxy rewrites the address on the way.
        in_netns ip route add "$service_cidr" dev eth0
}

network_down() {
    ip route del unreachable "$slot_cidr" 2>/dev/null
    ip link del "$netns" 2>/dev/null
    ip netns del "$netns" 2>/dev/null
    rm -f "/run/netns/$netns"
}
