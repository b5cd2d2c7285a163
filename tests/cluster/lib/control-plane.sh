# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# etcd, kube-apiserver, kube-controller-manager and kube-scheduler, each a plain process in the cluster's network
# namespace. Ports are the usual ones: every cluster has a loopback of its own.

control_plane_up() {
    etcd_up && apiserver_up && controller_manager_up && scheduler_up
}

etcd_up() { # without fsync: the data needs to outlive processes, not the machine
    process_start etcd etcd --data-dir "$state/etcd" --log-level warn --unsafe-no-fsync \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster default=http://127.0.0.1:2380 --quota-backend-bytes 4294967296
    guard=etcd wait_for 30 etcd in_netns curl -fsS -m 2 http://127.0.0.1:2379/readyz
}

# Who wrote which pod, resource of ours or lease, and when it was answered: the judge of "exactly once". One line a
# request, without bodies; everything else, the nodes' heartbeats too, is not logged.
audit_policy() {
    write_file "$conf/audit.yaml" <<END
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    namespaces: [kube-node-lease]
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
    resources:
      - {group: "", resources: [pods, pods/status]}
      - {group: kharon.dev, resources: ["*"]}
      - {group: coordination.k8s.io, resources: [leases]}
  - level: None
END
}

apiserver_up() {
    audit_policy
    # The endpoints of a service may not be loopback addresses, so the node's is advertised.
    process_start apiserver kube-apiserver \
        --bind-address 0.0.0.0 --secure-port 6443 --advertise-address "$node_ip" \
        --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range "$service_cidr" \
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged=true \
        --client-ca-file "$pki/ca.crt" \
        --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --service-account-key-file "$pki/sa.pub" --service-account-signing-key-file "$pki/sa.key" \
        --kubelet-client-certificate "$pki/apiserver-kubelet.crt" \
        --kubelet-client-key "$pki/apiserver-kubelet.key" \
        --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP \
        --requestheader-client-ca-file "$pki/front-proxy-ca.crt" \
        --requestheader-allowed-names front-proxy-client --requestheader-username-headers X-Remote-User \
        --requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra- \
        --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key" \
        --audit-policy-file "$conf/audit.yaml" --audit-log-path "$audit_log" --audit-log-format json \
        --audit-log-maxsize 1000 --audit-log-maxbackup 2
    guard=apiserver wait_for 60 kube-apiserver kubectl get --raw /readyz
}

# Without leader election both start working seconds earlier; there is only one of each.
controller_manager_up() {
    local login=$conf/controller-manager.kubeconfig
    process_start controller-manager kube-controller-manager --bind-address 127.0.0.1 --leader-elect=false \
        --kubeconfig "$login" --authentication-kubeconfig "$login" --authorization-kubeconfig "$login" \
        --use-service-account-credentials=true --service-account-private-key-file "$pki/sa.key" \
        --root-ca-file "$pki/ca.crt" --cluster-signing-cert-file "$pki/ca.crt" \
        --cluster-signing-key-file "$pki/ca.key" --requestheader-client-ca-file "$pki/front-proxy-ca.crt"
    guard=controller-manager wait_for 60 "the default service account" \
        kubectl -n default get serviceaccount default
}

scheduler_up() {
    local login=$conf/scheduler.kubeconfig
    process_start scheduler kube-scheduler --bind-address 127.0.0.1 --leader-elect=false \
        --kubeconfig "$login" --authentication-kubeconfig "$login" --authorization-kubeconfig "$login"
    guard=scheduler wait_for 30 kube-scheduler in_netns curl -fsSk -m 2 https://127.0.0.1:10259/healthz
}
