#!/usr/bin/env bash
# Runs golangci-lint on every module of MODULES with the repository's .golangci.yml; arguments are passed on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repo=$PWD
golangci=$(go tool -modfile=hack/tools/go.mod -n golangci-lint)
failed=
for module in ${MODULES:-./}; do
	echo "== $module" >&2
	(cd "$module" && "$golangci" run --config "$repo/.golangci.yml" "$@" ./...) || failed+=" $module"
done
go run ./hack/layout || failed+=" hack/layout"
if [ -n "$failed" ]; then
	echo "lint failed in:$failed" >&2
	exit 1
fi
