#!/usr/bin/env bash
# Performs random actions of users for MINUTES while faults are injected, see docs/contributing/fault-injection.md. SEED repeats the random choices of
# another run; the file SVG gets a chart of memory and goroutines. Arguments are passed on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

mkdir -p bin
go -C test build -tags grpcnotrace -o ../bin/faults ./faults
exec bin/faults -soak "${MINUTES:-20}m" ${SEED:+-seed "$SEED"} -svg "${SVG:-bin/soak.svg}" "$@"
