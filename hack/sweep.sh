#!/usr/bin/env bash
# Tries the operator with faults at each point of what users do, see docs/explanation/reliability.md. Without arguments it is a fixed list of runs,
# the same on every machine. ARGS choose others (a variable, since faults have < and # in them; -help lists the flags). FULL=1 tries
# everything, in hours: it goes on where an earlier FULL=1 of the same operator has ended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

mkdir -p bin
go -C test build -tags grpcnotrace -ldflags=-w -o ../bin/faults ./faults
export GOGC=300 GOMEMLIMIT=1GiB # memory is cheaper than time here
set -f # a * in ARGS is none of files
if [ "${FULL-}" = 1 ]; then
	bin/faults -walks 30 -journal bin/sweep.journal ${ARGS-}
	exec bin/faults -variants
fi
exec bin/faults ${ARGS:--fixed}
