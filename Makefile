# SPDX-License-Identifier: Apache-2.0
#
# The front door. Every target does its own set-up and may be run again at any time. The work is in the CMake presets,
# tests/run and tests/cluster/cluster.

.DEFAULT_GOAL := help
.PHONY: help packages build demo test sim mutants sim-coverage fuzz lint docs bench chaos cluster-up cluster-down env clean
.NOTPARALLEL:

CLUSTER := tests/cluster/cluster
KINDS :=
SEEDS := random:20
FAULTS := all
HOURS := 24
SECONDS_EACH := 60
MINUTES := 10

help:            ## list the targets
	@sed -n 's/\$$\$$/$$/; s/^\([a-z-]*\): .*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

packages:        ## install the Debian packages that are missing
	@$(CLUSTER) packages build test

build: packages  ## build kharon-operator and kharon-apiserver into build/release/bin
	@cmake --preset release >/dev/null
	@cmake --build --preset release

demo:            ## a cluster, Kharon in it, and two workflows to watch; all of it stays up
	@$(CLUSTER) packages build
	@$(CLUSTER) up
	@$(CLUSTER) install
	@tests/demo

test:            ## every test; KINDS="unit checks" for some
	@$(CLUSTER) packages build test
	@tests/run $(KINDS)

sim:             ## simulations; SEEDS=A-B or random:N, FAULTS=none|all|..., HOURS=H, SIM_OPTIONS=...
	@$(CLUSTER) packages build test
	@tests/sim/run program --seeds=$(SEEDS) --faults=$(FAULTS) --hours=$(HOURS) $(SIM_OPTIONS)

mutants:         ## breaks the operator in many ways; the simulation has to notice each
	@$(CLUSTER) packages build test
	@tests/sim/run mutants $(MUTANTS)

sim-coverage:    ## which decisions of the operator the simulation reaches
	@$(CLUSTER) packages build test
	@tests/sim/run coverage

fuzz: packages   ## every fuzzer; SECONDS_EACH=600 for ten minutes each, KINDS="cron image" for some
	@SECONDS_EACH=$(SECONDS_EACH) tests/fuzz/run $(KINDS)

lint: packages   ## formatting, include direction, scripts, generated files
	@tests/run checks

docs: packages   ## write docs/reference, docs/conformance.md and manifests anew
	@cmake --preset check >/dev/null
	@cmake --build --preset check --target kharon-operator kharon-apiserver
	@eval "$$($(CLUSTER) fetch helm)" && tests/checks/generate

bench: packages  ## the benchmarks
	@tests/bench/run

chaos: packages  ## two operators under faults on a real control plane; MINUTES=30, CHAOS_OPTIONS=...
	@tests/e2e/chaos/pods
	@tests/e2e/chaos/run --minutes $(MINUTES) $(CHAOS_OPTIONS)

cluster-up:      ## start the local Kubernetes
	@$(CLUSTER) up

cluster-down:    ## stop it
	@$(CLUSTER) down

env:             ## commands for your shell: eval "$$(make -s env)"; starts the cluster if it is down
	@$(CLUSTER) status >/dev/null 2>&1 || $(CLUSTER) up
	@$(CLUSTER) env

clean:           ## remove what was built here (clusters and caches stay)
	rm -rf build
