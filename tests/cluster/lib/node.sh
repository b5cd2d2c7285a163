# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The node: containerd, kubelet and kube-proxy, with real pods. Debian's containerd and runc do; images come from
# archives (image.sh), there is no registry and no DNS server: pods find services by their environment variables.

containerd_socket() { printf '%s/containerd.sock' "$run"; }

ctr_() { ctr -a "$(containerd_socket)" -n k8s.io "$@" 2> >(grep -v DEPRECATION >&2); }

node_up() {
    containerd_up && image_ensure_basics && kubelet_up && proxy_up || return 1
    guard=kubelet wait_for 60 "node $node_name" node_ready
}

# Ready, and said so since this kubelet runs: after a restart the old word stands for up to 40 s.
node_ready() {
    kubectl wait --for=condition=Ready "node/$node_name" --timeout=1s &&
        in_netns curl -fsS -m 2 http://127.0.0.1:10248/healthz
}

containerd_up() {
    mkdir -p "$conf/cni" "$state/containerd" "$run"
    containerd_network_config
    containerd_config
    process_start containerd containerd -c "$conf/containerd.toml" -l warn
    guard=containerd wait_for 30 containerd ctr_ version
}

# ptp and not bridge: every packet of a pod then passes the node's IP layer, so that services work without
# br_netfilter.
containerd_network_config() {
    write_file "$conf/cni/10-kharon.conflist" <<END
{"cniVersion": "1.0.0", "name": "kharon", "plugins": [
  {"type": "ptp", "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "$state/cni", "ranges": [[{"subnet": "$pod_cidr"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
}

# A version 2 configuration serves containerd 1.6 as it is; 2.x converts it.
containerd_config() {
    write_file "$conf/containerd.toml" <<END
version = 2
root = "$state/containerd/root"
state = "$run/containerd"
[grpc]
  address = "$(containerd_socket)"
[plugins."io.containerd.internal.v1.opt"]
  path = "$state/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  # containers may run where this process lacks the capability to lower a score
  restrict_oom_score_adj = true
  sandbox_image = "$pause_image"
  disable_tcp_service = true
  # else the pods' namespaces lie in /run/netns among everybody's
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$conf/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$(command -v runc)"
        Root = "$run/runc"
        SystemdCgroup = false
END
}

# cgroup options: works on version 1, 2 and hybrid machines, inside containers too. A full disk evicts nothing.
kubelet_config() {
    write_file "$conf/resolv.conf" <<<"# no name server"
    write_file "$conf/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$(containerd_socket)
address: 0.0.0.0
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $pki/ca.crt}
authorization: {mode: Webhook}
clusterDomain: cluster.local
resolvConf: $conf/resolv.conf
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
oomScoreAdj: 0
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
maxPods: 250
podLogsDir: $state/podlogs
shutdownGracePeriod: 0s
syncFrequency: 10s
serializeImagePulls: false
kubeAPIQPS: 200
kubeAPIBurst: 400
END
}

kubelet_up() {
    kubelet_config
    mkdir -p "$state/kubelet" "$state/podlogs"
    process_start kubelet kubelet --config "$conf/kubelet.yaml" --kubeconfig "$conf/kubelet.kubeconfig" \
        --hostname-override "$node_name" --node-ip "$node_ip" --root-dir "$state/kubelet"
}

proxy_up() { # conntrack limits of 0 leave the machine's settings alone
    write_file "$conf/proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $conf/proxy.kubeconfig}
mode: nftables
clusterCIDR: $pod_cidr
hostnameOverride: $node_name
bindAddress: 0.0.0.0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
    process_start proxy kube-proxy --config "$conf/proxy.yaml"
    guard=proxy wait_for 30 kube-proxy in_netns curl -fsS -m 2 http://127.0.0.1:10256/healthz
}

# ---- the way down -----------------------------------------------------------------------------------------------

containers_stop() { # by the runtime while there is one; then what it left, or all if it had died
    local id
    if process_alive containerd; then
        for id in $(ctr_ tasks ls -q 2>/dev/null); do ctr_ tasks kill -s KILL "$id" >/dev/null 2>&1; done
        for id in $(ctr_ tasks ls -q 2>/dev/null); do ctr_ tasks delete -f "$id" >/dev/null 2>&1; done
        for id in $(ctr_ containers ls -q 2>/dev/null); do ctr_ containers delete "$id" >/dev/null 2>&1; done
    fi
    process_stop containerd
    strays "$(readlink -f "$(command -v containerd-shim-runc-v2)")" | kill_and_wait
    container_pids | kill_and_wait
}

# Processes whose root is a snapshot of our containerd: exactly the containers of this cluster, whoever is their
# parent now. (The mounts alone show up in other processes' tables too, but not as their root.)
container_pids() {
    local proc
    for proc in /proc/[0-9]*; do
        awk -v dir="$state/containerd/" '$5 == "/" && index($0, dir) { found = 1 } END { exit !found }' \
            "$proc/mountinfo" 2>/dev/null && echo "${proc#/proc/}"
    done
}

mounts_down() { # what runtime and kubelet mounted below our directories; the deepest first
    awk -v a="$state/" -v b="$run/" 'index($2, a) == 1 || index($2, b) == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r dir; do umount -l "$dir"; done
    # the kubelet puts links to logs there whatever its settings
    [ ! -d /var/log/containers ] || find /var/log/containers -lname "$state/*" -delete
}
