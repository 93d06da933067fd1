#!/usr/bin/env bash
# Tries the operator with faults at each point of what users do, see docs/reliability.md: a part, or everything with FULL=1,
# broken variants included. ARGS are passed on; -help lists them. They come as a variable, since faults have < and # in them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

mkdir -p bin
CGO_ENABLED=0 go -C test build -tags grpcnotrace -o ../bin/faults ./faults
set -f # a * in ARGS is none of files
if [ "${FULL-}" = 1 ]; then
	bin/faults -walks 30 ${ARGS-}
	exec bin/faults -variants
fi
# The seed is fixed, so that what fails here fails again; another one tries other faults.
exec bin/faults -seed 1 -part 0.01 -within 10m ${ARGS-}
