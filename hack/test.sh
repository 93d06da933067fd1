#!/usr/bin/env bash
# Runs the tests of every module against a real control plane. MODULES limits them, as MODULES="./ test/".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

# Only the race detector needs a C compiler; a machine with nothing but Go tests without it.
race=-race
if ! command -v "$(go env CC)" >/dev/null; then
	echo "no C compiler here: testing without the race detector" >&2
	race=
fi
ginkgo=$(go tool -modfile=hack/tools/go.mod -n ginkgo)

failed=
for module in ${MODULES:-./}; do
	echo "== $module" >&2
	case $module in
	test/) # Ginkgo suites, with Ginkgo's own closing lines; one after the other, as each starts a control plane
		(cd test && "$ginkgo" run -r $race --tags=grpcnotrace --keep-going --timeout=60m) || failed+=" $module"
		;;
	*) go -C "$module" test $race -tags grpcnotrace -timeout 20m ./... || failed+=" $module" ;;
	esac
done
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
