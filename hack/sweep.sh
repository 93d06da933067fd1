#!/usr/bin/env bash
# Injects faults into the operator at each step of each scenario, see docs/contributing/fault-injection.md. Without ARGS it makes a fixed list of runs,
# the same on every machine. ARGS select other runs (a variable, since faults contain < and #; -help lists the flags), and so do arguments. FULL=1
# makes all runs, which takes hours: it continues where an earlier FULL=1 with the same operator ended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

mkdir -p bin
go -C test build -tags grpcnotrace -ldflags=-w -o ../bin/faults ./faults
export GOGC=300 GOMEMLIMIT=1GiB # more memory, less garbage collection
set -f # a * in ARGS does not match files
if [ "${FULL-}" = 1 ]; then
	bin/faults -walks 30 -journal bin/sweep.journal ${ARGS-}
	exec bin/faults -variants
fi
[ -n "${ARGS-}${1-}" ] || ARGS=-fixed
exec bin/faults ${ARGS-} "$@"
