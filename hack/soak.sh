#!/usr/bin/env bash
# Has users do what they like for MINUTES while this and that fails, see docs/explanation/reliability.md. SEED begins with the same
# choices again; memory and goroutines are drawn into SVG. Arguments are passed on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

mkdir -p bin
go -C test build -tags grpcnotrace -o ../bin/faults ./faults
exec bin/faults -soak "${MINUTES:-20}m" ${SEED:+-seed "$SEED"} -svg "${SVG:-bin/soak.svg}" "$@"
