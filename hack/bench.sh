#!/usr/bin/env bash
# Measures the operator on this machine against a real control plane, see docs/contributing/benchmarks.md. Arguments are passed on;
# -help lists them. FULL=1 is -full. The argument hostile also prints what the largest inputs cost, see docs/contributing/costs.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1-}" = hostile ]; then
	hack/costs.sh
fi

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run .)
export KUBEBUILDER_ASSETS

mkdir -p bin
go -C test build -tags grpcnotrace -o ../bin/bench ./bench
if [ "${FULL-}" = 1 ]; then
	set -- -full "$@"
fi
export MEMORY_LIMIT=${MEMORY_LIMIT-1073741824} # of the Deployment in config/manager; the baseline does not read it
exec bin/bench "$@"
