# Mollyguard. make help lists the targets.
#
# Go is all that must be there. Whatever else a target needs is built from
# pinned modules and kept outside the tree, in MOLLYGUARD_CACHE.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MOLLYGUARD_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mollyguard
export MOLLYGUARD_CACHE

# Static binaries, the same from any folder.
export CGO_ENABLED ?= 0
GO ?= go
BUILD := $(GO) build -trimpath -ldflags '-s -w'

TOOLS := $(MOLLYGUARD_CACHE)/tools/$(shell cat tools/go.mod tools/go.sum | git hash-object --stdin | cut -c1-12)

include test/controlplane/controlplane.mk

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## Build bin/mollyguard
	$(BUILD) -o bin/mollyguard ./cmd/mollyguard

.PHONY: demo
demo: build ## Tell the story in a terminal: real server, recorded reviews, nothing else needed
	@bin/mollyguard demo

.PHONY: demo-cluster
demo-cluster: build ## The same with real kubectl against a real API server
	@$(with_controlplane) $(GO) run ./test/democluster bin/mollyguard

.PHONY: test
test: ## Run all tests, with the real control plane
	$(GO) build -o $(test_binary) ./cmd/mollyguard
	$(with_controlplane) MOLLYGUARD_BINARY='$(CURDIR)/$(test_binary)' $(GO) test -p 2 -timeout 20m $(slow_tests) ./...
# Linked once for all packages that run it. It is in the tree: what go test remembers of a
# run depends on the files that were looked at there.
test_binary := bin/test/mollyguard
# First, so that no long one is left for the end.
slow_tests := ./test/e2e ./test/bypass ./test/conformance

.PHONY: race
race: ## Run the tests that need no control plane under the race detector
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m $$($(GO) list ./... | grep -v /test/)

.PHONY: race-grants
race-grants: ## Race 200 deletes for one use of a grant on three servers, 50 times, under the race detector
	$(with_controlplane) CGO_ENABLED=1 GOFLAGS=-race MOLLYGUARD_ROUNDS=$(ROUNDS) \
		$(GO) test -v -run TestOfManyWhoRaceForOneUseOneGetsIt -count 1 -timeout 60m ./test/e2e
ROUNDS ?= 50

.PHONY: conformance
conformance: ## Let a cluster of WORKLOADS workloads live without Mollyguard and with it, and compare
	$(with_controlplane) MOLLYGUARD_WORKLOADS=$(WORKLOADS) \
		$(GO) test -v -run TestAClusterLives -count 1 -timeout 30m ./test/conformance
WORKLOADS ?= 200

.PHONY: fault
fault: ## Kill, stop, slow down and cut off replicas, etcd and the API server, for minutes too, and see that production holds
	$(with_controlplane) MOLLYGUARD_LONG=1 $(GO) test -v -count 1 -timeout 20m ./test/fault

.PHONY: kill
kill: ## Kill the watcher KILLS times while ENTRIES log entries flow, and count what people are told
	MOLLYGUARD_KILLS=$(KILLS) MOLLYGUARD_ENTRIES=$(ENTRIES) \
		$(GO) test -v -run TestNoAlertIsLost -count 1 -timeout 30m ./test/watch
KILLS ?= 100
ENTRIES ?= 20000

.PHONY: fuzz
fuzz: ## Fuzz every decoder for FUZZTIME each
	@for package in $$(grep -rl --include=*_test.go '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -rhoE --include=*_test.go '^func Fuzz\w+' $$package | sed 's/func //'); do \
			echo "$$package $$target"; $(GO) test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); \
		done; \
	done
FUZZTIME ?= 30s

.PHONY: bench
bench: ## Measure a review, beside a bare handler and a no-op webhook, and the audit-log watcher and plans, beside encoding/json
	@$(GO) run ./test/bench

.PHONY: generate
generate: $(TOOLS)/controller-gen ## Rewrite what is generated: the schemas that policies are compiled against, the CRDs
	$(GO) test ./operation ./breakglass -run Schema -update
	$(call controller_gen,kube/v1alpha1,deploy/base/crds)

# Writes the methods of the API types and the CRDs into two folders.
controller_gen = $(TOOLS)/controller-gen object crd:maxDescLen=400 paths=./kube/v1alpha1 \
	output:object:dir=$(1) output:crd:dir=$(2)

.PHONY: lint
lint: $(TOOLS)/staticcheck $(TOOLS)/opa $(TOOLS)/controller-gen ## gofmt, go vet, staticcheck, opa fmt, opa check, CRDs as generated
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOLS)/staticcheck ./...
	$(TOOLS)/opa fmt --fail --list policies/mollyguard policies/issuance
	$(TOOLS)/opa check --strict --schema policies/schema/input.json policies/mollyguard/*.rego
	$(TOOLS)/opa check --strict --schema policies/schema/issuance.json policies/issuance/*.rego
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call controller_gen,"$$fresh/go","$$fresh/crds") && \
		diff --unified "$$fresh/go/zz_generated.deepcopy.go" kube/v1alpha1/zz_generated.deepcopy.go && \
		diff --unified --recursive "$$fresh/crds" deploy/base/crds || { echo "not as generated: make generate"; exit 1; }

$(TOOLS)/%:
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o $(TOOLS)/ $$($(GO) list -f '{{.ImportPath}}' tool | grep '/$*$$')

.PHONY: ci
ci: lint test ## What CI runs
