# "make help" lists what there is. A recipe has five lines at most; what is longer is a script in hack/.

IMG ?= bellhop:dev
KUBECTL ?= kubectl
CONTAINER_TOOL ?= docker
PLATFORMS ?= linux/amd64,linux/arm64
# What is compiled is the same for all targets, and does not depend on where the clone is: so the next clone finds it in Go's cache.
GOFLAGS ?= -trimpath
CGO_ENABLED ?= 0
export IMG KUBECTL ARGS FULL VERSION GOFLAGS CGO_ENABLED

# Tools are pinned in a module of their own and built by Go when they are called; nothing is installed.
TOOL := go tool -modfile=hack/tools/go.mod
# The tag keeps grpc's tracing, and with it html/template and 14 MB, out of the binary.
TAGS := -tags grpcnotrace
PATHS := paths="./api/...;./controllers/...;./webhooks/...;./internal/..."
# All that is Go here, but for the pinned tools and the cluster's wrapper module.
MODULES := $(dir $(wildcard ./go.mod cmd/kubectl-bellhop/go.mod examples/go.mod hack/controlplane/go.mod hack/image/go.mod hack/local/go.mod demo/go.mod test/go.mod))
export MODULES

SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Deliver an alert and provision a database on this machine; ONCE=1 checks the outcome and ends
	hack/demo.sh

.PHONY: test
test: ## Run all tests, with a real control plane (MODULES=./, SUITES="pager docs", RACE=1)
	hack/test.sh

.PHONY: test-e2e
test-e2e: ## Install into a real cluster and use it: KUBECONFIG= and LOAD=, or one node on this machine (Linux, root); FULL=1, FOCUS=
	hack/e2e.sh

.PHONY: bench
bench: ## Measure the operator: speed, memory, isolation (ARGS=-short, ARGS=-help, FULL=1)
	hack/bench.sh $(ARGS)

.PHONY: soak
soak: ## Run actions of users, and failures, against the operator for MINUTES=20 (SEED=…, SVG=bin/soak.svg)
	hack/soak.sh $(ARGS)

.PHONY: sweep
sweep: ## Inject faults at each request of what users do: a fixed list, a choice (ARGS='-scenario alert'), or all in hours (FULL=1)
	hack/sweep.sh

.PHONY: skew
skew: ## Let the previous version of the operator and this one follow each other in the middle of what users do (PREVIOUS=v1.2.3)
	hack/skew.sh

.PHONY: nightly
nightly: ## Run the tests that take too long for the gate, in at most 90 minutes (STEPS="soak fuzz", SEED=20260131)
	hack/nightly.sh $(STEPS)

.PHONY: size
size: ## Print size and linked modules of the operator, and size and speed of the kubectl plugin; fail over their limits
	hack/size.sh

.PHONY: lint
lint: ## Run golangci-lint on every module
	hack/lint.sh

.PHONY: lint-fix
lint-fix: ## Run golangci-lint and fix what it can
	hack/lint.sh --fix

.PHONY: lint-docs
lint-docs: build ## Check the language of documentation, help, CRDs and messages, with Vale where there is a C compiler (ARGS=docs/README.md)
	hack/lint-docs.sh $(ARGS)

.PHONY: fmt
fmt: ## Format the code
	for module in $(MODULES); do go -C $$module fmt ./...; done

.PHONY: vet
vet: ## Run go vet
	for module in $(MODULES); do go -C $$module vet $(TAGS) ./...; done

.PHONY: manifests
manifests: ## Generate CRDs, RBAC and webhook configurations from markers
	$(TOOL) controller-gen rbac:roleName=manager-role crd webhook $(PATHS) output:crd:artifacts:config=config/crd/bases

.PHONY: generate
generate: ## Generate deep copies, conversions, clients, manifests, references of API and plugin, tables of receivers
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) conversion-gen --go-header-file hack/boilerplate.go.txt --output-file zz_generated.conversion.go ./webhooks/pager/conversion
	hack/clients.sh
	$(MAKE) manifests docs chart

.PHONY: docs
docs: ## Generate the pages of docs/reference that come from the source, and the tables of receivers
	mkdir -p docs/reference
	$(TOOL) crd-ref-docs --source-path=api --config=hack/crd-ref-docs.yaml --renderer=markdown --output-path=docs/reference/api.md
	sed -i.bak 's/_integer array_/_string (base64)_/' docs/reference/api.md && rm docs/reference/api.md.bak # bytes, which it does not know
	go run $(TAGS) ./hack/receivers
	go run ./hack/messages > docs/reference/messages.md
	go run ./hack/metrics > docs/reference/metrics.md
	go run $(TAGS) ./hack/reference
	go -C cmd/kubectl-bellhop run ./internal/reference -out ../../docs/reference/kubectl-bellhop.md

.PHONY: chart
chart: ## Generate what the Helm chart has of config/, and its README
	hack/chart.sh

.PHONY: verify
verify: ## Fail where generated files are stale, go.mod is untidy, config/ does not build, or its alerts, kube-score or actionlint fail
	hack/verify.sh

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what is released; needs https://vuln.go.dev
	hack/vulncheck.sh

.PHONY: build
build: ## Build the operator, bin/manager
	CGO_ENABLED=0 go build $(TAGS) -trimpath -ldflags "-s -w" -o bin/manager .

.PHONY: plugin
plugin: ## Build archives and krew manifest of the kubectl plugin, dist/plugin (VERSION=v1.2.3, PLUGIN_PLATFORMS=linux/amd64, PLUGIN_URL=)
	hack/plugin.sh

.PHONY: run
run: ## Run the operator here against the current kubeconfig, webhooks by URL (HOST= how the cluster reaches this machine)
	cd hack/local && go run ./cmd/run -host="$(if $(filter command%,$(origin HOST)),$(HOST))" -- $(ARGS)

.PHONY: install
install: ## Install the CRDs
	hack/config.sh crds | $(KUBECTL) apply --server-side --force-conflicts -f -

.PHONY: uninstall
uninstall: ## Remove the CRDs; refused while an object exists (FORCE=1 abandons them, and says which)
	hack/uninstall.sh

.PHONY: deploy
deploy: ## Deploy the operator (IMG=) and wait until it is ready
	hack/deploy.sh

.PHONY: undeploy
undeploy: ## Remove the operator; CRDs and objects stay
	hack/undeploy.sh

.PHONY: build-installer
build-installer: ## Write what "deploy" applies into dist/install.yaml (IMG=)
	mkdir -p dist
	hack/config.sh all >dist/install.yaml

.PHONY: image
image: ## Build the image without a container engine, as archives for amd64 and arm64 with SBOMs, dist/image (IMG=, BASE=)
	hack/image.sh -image $(IMG) $(if $(BASE),-base $(BASE)) $(ARGS)

.PHONY: push
push: ## Build the image and push it (IMG=, BASE=)
	hack/image.sh -image $(IMG) $(if $(BASE),-base $(BASE)) -push $(ARGS)

.PHONY: release
release: ## Build everything that a release has, dist/bellhop-VERSION (VERSION=v1.2.3)
	hack/release.sh

.PHONY: helm
helm: ## Run the pinned Helm (ARGS="template bellhop charts/bellhop")
	go tool -modfile=hack/tools/helm/go.mod helm $(ARGS)

.PHONY: docker-build
docker-build: ## Build the image (IMG=)
	$(CONTAINER_TOOL) build -t $(IMG) .

.PHONY: docker-push
docker-push: ## Push the image (IMG=)
	$(CONTAINER_TOOL) push $(IMG)

.PHONY: docker-buildx
docker-buildx: ## Build and push the image for several platforms (IMG=, PLATFORMS=)
	$(CONTAINER_TOOL) buildx build --push --platform=$(PLATFORMS) -t $(IMG) .

.PHONY: clean
clean: ## Remove build results; the cached control plane stays
	rm -rf bin dist
