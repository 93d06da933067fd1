# "make help" lists the targets. A recipe has at most five lines; longer ones are scripts in hack/.

IMG ?= bellhop:dev
KUBECTL ?= kubectl
CONTAINER_TOOL ?= docker
PLATFORMS ?= linux/amd64,linux/arm64
# All targets compile with the same flags, and the results do not depend on the path of the clone, so that the next clone finds them in Go's cache.
GOFLAGS ?= -trimpath
CGO_ENABLED ?= 0
export IMG CONFIG KUBECTL ARGS FULL VERSION GOFLAGS CGO_ENABLED

# Tools are pinned in a module of their own and built by Go when they are called; nothing is installed.
TOOL := go tool -modfile=hack/tools/go.mod
BUF := go tool -modfile=hack/tools/buf/go.mod buf
# The tag keeps grpc's tracing, and with it html/template and 14 MB, out of the binary.
TAGS := -tags grpcnotrace
PATHS := paths="./api/...;./controllers/...;./webhooks/...;./internal/..."
# What an installation of one API group is generated from; internal/kube/certificates, internal/kube/apiserver and internal/kube/admission serve both.
paths_of = paths="./controllers/$(1)/...;./webhooks/$(1)/...;./internal/kube/certificates;./internal/kube/apiserver;./internal/kube/admission$(if $(filter servicecatalog,$(1)),;./internal/servicecatalog/brokers)"
# The context of a container engine has no Git repository.
BUILD_ARGS = --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(shell hack/commit.sh)
# All Go modules except those of pinned tools and of the test cluster.
MODULES := $(dir $(wildcard ./go.mod cmd/kubectl-bellhop/go.mod examples/go.mod hack/controlplane/go.mod hack/image/go.mod hack/local/go.mod demo/go.mod test/go.mod))
export MODULES

SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run the demo on this machine: deliver an alert and provision a database (ONCE=1 checks the result and exits)
	hack/demo.sh

.PHONY: test
test: ## Run all tests against a real control plane (MODULES=./, SUITES="pager docs", RACE=1)
	hack/test.sh

.PHONY: test-e2e
test-e2e: ## Run the end-to-end suite in a cluster (KUBECONFIG=, LOAD=), by default one node on this machine (Linux, root); FULL=1, FOCUS=
	hack/e2e.sh

.PHONY: bench
bench: ## Run the benchmarks: throughput, memory, isolation (ARGS=-short, ARGS=-help, FULL=1)
	hack/bench.sh $(ARGS)

.PHONY: soak
soak: ## Run a soak test: random user actions and failures for MINUTES=20 (SEED=…, SVG=bin/soak.svg)
	hack/soak.sh $(ARGS)

.PHONY: sweep
sweep: ## Run the fault-injection suite: a fixed selection, a scenario (ARGS='-scenario alert'), or everything, for hours (FULL=1)
	hack/sweep.sh

.PHONY: skew
skew: ## Run the upgrade and downgrade tests: alternate with the previous version of the operator (PREVIOUS=v1.2.3)
	hack/skew.sh

.PHONY: nightly
nightly: ## Run the tests that take too long for the gate, 140 minutes (STEPS="soak fuzz", SEED=20260131)
	hack/nightly.sh $(STEPS)

.PHONY: size
size: ## Check the size and the linked modules of the operator, and the size and speed of the kubectl plugin, against their limits
	hack/size.sh

.PHONY: lint
lint: ## Run golangci-lint on all modules
	hack/lint.sh

.PHONY: lint-fix
lint-fix: ## Run golangci-lint on all modules and apply its fixes
	hack/lint.sh --fix

.PHONY: lint-docs
lint-docs: build ## Check the language of documentation, help, CRDs and messages; Vale runs if there is a C compiler (ARGS=docs/README.md)
	hack/lint-docs.sh $(ARGS)

.PHONY: fmt
fmt: ## Run go fmt on all modules
	for module in $(MODULES); do go -C $$module fmt ./...; done

.PHONY: vet
vet: ## Run go vet on all modules
	for module in $(MODULES); do go -C $$module vet $(TAGS) ./...; done

.PHONY: manifests
manifests: ## Generate CRDs, RBAC and webhook configurations from markers
	$(TOOL) controller-gen rbac:roleName=manager-role crd webhook $(PATHS) output:crd:artifacts:config=config/crd/bases
	for group in pager servicecatalog; do $(MAKE) --no-print-directory manifests-of-$$group; done

# An installation of one API group has its name in those of its objects.
.PHONY: manifests-of-%
manifests-of-%:
	$(TOOL) controller-gen rbac:roleName=manager-role webhook $(call paths_of,$*) output:rbac:dir=config/$*/operator output:webhook:dir=config/$*/operator
	sed -E -i.bak 's/bellhop-(mutating-webhook-configuration|validating-webhook-configuration|webhook-server-cert)/bellhop-$*-\1/' config/$*/operator/role.yaml
	rm config/$*/operator/role.yaml.bak

.PHONY: generate
generate: ## Generate all generated files: deep copies, conversions, clients, protocol buffers, manifests, reference pages, the Helm chart
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) conversion-gen --go-header-file hack/boilerplate.go.txt --output-file zz_generated.conversion.go ./webhooks/pager/conversion
	hack/clients.sh
	$(BUF) generate
	$(MAKE) manifests docs chart

.PHONY: docs
docs: ## Generate the reference pages that come from the source, and the tables of receivers
	mkdir -p docs/reference hack/messages/testdata
	$(TOOL) crd-ref-docs --source-path=api --config=hack/crd-ref-docs.yaml --renderer=markdown --output-path=docs/reference/api.md
	sed -i.bak 's/_integer array_/_string (base64)_/' docs/reference/api.md && rm docs/reference/api.md.bak # crd-ref-docs does not know bytes
	go run ./hack/messages > hack/messages/testdata/messages.txt
	go run ./hack/layout -draw
	go run $(TAGS) ./hack/reference
	go -C cmd/kubectl-bellhop run ./internal/reference -out ../../docs/reference/kubectl-bellhop.md

.PHONY: chart
chart: ## Generate the parts of the Helm chart that come from config/, and its README
	hack/chart.sh

.PHONY: verify
verify: ## Check that generated files and go.mod are up to date, and that config/, its alerts and the workflows are valid
	hack/verify.sh

.PHONY: vulncheck
vulncheck: ## Check the released programs for known vulnerabilities (needs https://vuln.go.dev)
	hack/vulncheck.sh

.PHONY: build
build: ## Build the operator, bin/manager
	CGO_ENABLED=0 go build $(TAGS) -trimpath -ldflags "-s -w" -o bin/manager .

.PHONY: plugin
plugin: ## Build the archives and the krew manifest of the kubectl plugin, dist/plugin (VERSION=v1.2.3, PLUGIN_PLATFORMS=linux/amd64, PLUGIN_URL=)
	hack/plugin.sh

.PHONY: run
run: ## Run the operator on this machine against the current kubeconfig (HOST= address of this machine for the webhooks)
	cd hack/local && go run ./cmd/run -host="$(if $(filter command%,$(origin HOST)),$(HOST))" -- $(ARGS)

.PHONY: install
install: ## Install the CRDs
	hack/config.sh crds | $(KUBECTL) apply --server-side --force-conflicts -f -

.PHONY: uninstall
uninstall: ## Remove the CRDs; refused while objects exist (FORCE=1 removes their finalizers and lists them; CONFIG=, as for deploy)
	hack/uninstall.sh

.PHONY: deploy
deploy: ## Deploy the operator and wait until it is ready (IMG=, CONFIG=pager or CONFIG=servicecatalog for one API group)
	hack/deploy.sh

.PHONY: undeploy
undeploy: ## Remove the operator; keep CRDs and objects (CONFIG=, as for deploy)
	hack/undeploy.sh

.PHONY: build-installer
build-installer: ## Write the manifests of "deploy" to dist/install.yaml, and those of one API group to dist/install-pager.yaml and dist/install-servicecatalog.yaml (IMG=)
	mkdir -p dist
	hack/config.sh all >dist/install.yaml
	for group in pager servicecatalog; do CONFIG=$$group hack/config.sh all >dist/install-$$group.yaml; done

.PHONY: image
image: ## Build the images for amd64 and arm64 as archives with SBOMs, without a container engine, dist/image (IMG=, BASE=)
	hack/image.sh -image $(IMG) $(if $(BASE),-base $(BASE)) $(ARGS)

.PHONY: push
push: ## Build the image without a container engine and push it (IMG=, BASE=)
	hack/image.sh -image $(IMG) $(if $(BASE),-base $(BASE)) -push $(ARGS)

.PHONY: release
release: ## Build all files of a release, dist/bellhop-VERSION (VERSION=v1.2.3)
	hack/release.sh

.PHONY: helm
helm: ## Run the pinned version of Helm (ARGS="template bellhop charts/bellhop")
	go tool -modfile=hack/tools/helm/go.mod helm $(ARGS)

.PHONY: docker-build
docker-build: ## Build the image with a container engine (IMG=, VERSION=)
	$(CONTAINER_TOOL) build $(BUILD_ARGS) -t $(IMG) .

.PHONY: docker-push
docker-push: ## Push the image with a container engine (IMG=)
	$(CONTAINER_TOOL) push $(IMG)

.PHONY: docker-buildx
docker-buildx: ## Build and push the image for several platforms with a container engine (IMG=, VERSION=, PLATFORMS=)
	$(CONTAINER_TOOL) buildx build --push --platform=$(PLATFORMS) $(BUILD_ARGS) -t $(IMG) .

.PHONY: clean
clean: ## Remove build results; keep the cached control plane
	rm -rf bin dist
