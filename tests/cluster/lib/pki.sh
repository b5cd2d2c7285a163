# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Certificates and kubeconfigs, by openssl. What exists is kept; keys are elliptic except the one for service
# account tokens, which stays RSA because everything can verify RS256.

pki_up() {
    pki=$state/pki conf=$state/conf
    mkdir -p "$pki" "$conf" && chmod 700 "$state" "$pki"
    pki_authority ca kharon-test-ca && pki_authority front-proxy-ca kharon-test-front-proxy-ca || return 1
    pki_service_account_key || return 1

    local name subject usage san
    while read -r name subject usage san; do
        pki_certificate "$name" "$subject" "$usage" "$san" || return 1
    done <<END
apiserver          /CN=kube-apiserver                                  server $(pki_apiserver_names)
apiserver-kubelet  /O=system:masters/CN=kube-apiserver-kubelet-client  client
front-proxy        /CN=front-proxy-client                              front
admin              /O=system:masters/CN=admin                          client
controller-manager /CN=system:kube-controller-manager                  client
scheduler          /CN=system:kube-scheduler                           client
kubelet            /O=system:nodes/CN=system:node:$node_name           server DNS:$node_name,IP:$node_ip
proxy              /CN=system:kube-proxy                               client
END
    for name in controller-manager scheduler kubelet proxy; do
        pki_kubeconfig "$name" "$conf/$name.kubeconfig"
    done
    pki_kubeconfig admin "$kubeconfig"
}

pki_apiserver_names() {
    local prefix=kubernetes names=DNS:localhost,IP:127.0.0.1,IP:$node_ip,IP:$service_api part
    names+=,DNS:$prefix
    for part in default svc cluster.local; do
        prefix+=.$part
        names+=,DNS:$prefix
    done
    printf '%s' "$names"
}

pki_authority() { # NAME COMMON_NAME
    [ -s "$pki/$1.crt" ] && return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature \
        -keyout "$pki/$1.key" -out "$pki/$1.new" 2>/dev/null && mv "$pki/$1.new" "$pki/$1.crt"
}

pki_service_account_key() {
    [ -s "$pki/sa.pub" ] && return
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$pki/sa.key" 2>/dev/null &&
        openssl pkey -in "$pki/sa.key" -pubout -out "$pki/sa.new" && mv "$pki/sa.new" "$pki/sa.pub"
}

pki_certificate() { # NAME SUBJECT client|server|front [NAMES]: a server's certificate is good for a client too
    local out=$pki/$1 authority=ca usage=clientAuth
    [ -s "$out.crt" ] && return
    case $3 in
    server) usage=clientAuth,serverAuth ;;
    front) authority=front-proxy-ca ;;
    esac
    {
        echo basicConstraints=CA:FALSE
        echo keyUsage=critical,digitalSignature,keyEncipherment
        echo "extendedKeyUsage=$usage"
        [ -z "${4:-}" ] || echo "subjectAltName=$4"
    } >"$out.ext"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
        -keyout "$out.key" -out "$out.csr" 2>/dev/null &&
        openssl x509 -req -days 3650 -in "$out.csr" -CA "$pki/$authority.crt" -CAkey "$pki/$authority.key" \
            -CAcreateserial -extfile "$out.ext" -out "$out.new" 2>/dev/null &&
        mv "$out.new" "$out.crt" && rm -f "$out.csr" "$out.ext"
}

# pki_kubeconfig USER FILE: good on the host and in the namespace, since the node's address answers in both.
pki_kubeconfig() {
    [ -s "$2" ] && return
    (
        umask 077
        write_file "$2" <<END
apiVersion: v1
kind: Config
current-context: $name
clusters: [{name: $name, cluster: {server: "https://$node_ip:6443", certificate-authority-data: $(base64 -w0 <"$pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 <"$pki/$1.crt"), client-key-data: $(base64 -w0 <"$pki/$1.key")}}]
contexts: [{name: $name, context: {cluster: $name, user: $1}}]
END
    )
}
