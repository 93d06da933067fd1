#!/usr/bin/env bash
# Generates client/: clientset with a fake, listers, informers and apply configurations of the stored versions of both API groups.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
module=github.com/gophernetes/bellhop
versions=(pager/v1beta1 servicecatalog/v1beta1)

# generate NAME DIRECTORY ARG... runs a generator of k8s.io/code-generator; what it writes goes to client/DIRECTORY.
generate() {
	go tool -modfile=hack/tools/go.mod "$1" --go-header-file hack/boilerplate.go.txt --output-dir "client/$2" --output-pkg "$module/client/$2" "${@:3}"
}

rm -rf client/{applyconfiguration,clientset,informers,listers}
generate applyconfiguration-gen applyconfiguration "${versions[@]/#/$module/api/}"
generate client-gen clientset --clientset-name versioned --apply-configuration-package "$module/client/applyconfiguration" \
	--input-base "$module/api" "${versions[@]/#/--input=}"
generate lister-gen listers "${versions[@]/#/$module/api/}"
generate informer-gen informers --versioned-clientset-package "$module/client/clientset/versioned" --listers-package "$module/client/listers" \
	"${versions[@]/#/$module/api/}"
