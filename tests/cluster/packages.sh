# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # the sourcing script uses these
#
# The Debian packages, a list for each purpose. The Containerfile reads the first one too.

# the two programs
packages_build=(gcc libc6-dev cmake ninja-build pkg-config ca-certificates
    libcurl4-openssl-dev libh2o-evloop-dev libjansson-dev libpcre2-dev libssl-dev libyaml-dev zlib1g-dev)

# unit tests, sanitizers, fuzzers, checks
packages_test=(g++ clang clang-format libclang-rt-dev llvm libcmocka-dev binutils curl git jq python3 python3-yaml
    shellcheck)

# the local cluster and its images
packages_cluster=(containerd runc containernetworking-plugins busybox-static buildah mmdebstrap
    iptables nftables conntrack ethtool socat iproute2 kmod procps util-linux jq
    openssl ca-certificates curl unzip gcc libc6-dev)
