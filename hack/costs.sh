#!/usr/bin/env bash
# Prints what it costs to read the largest inputs in their worst shapes, the costliest first: CPU time, memory allocated, and the test.
# docs/contributing/costs.md has the list of functions. Arguments are packages (default: all that have such tests).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -eq 0 ]; then
	packages=$(grep -rl --include='*_test.go' 'costtest\.Linear(' internal webhooks controllers | sed 's|^|./|; s|/[^/]*$||' | sort -u)
	set -- $packages
fi
# One package at a time, so that none counts the work of another.
COSTS=1 GOMAXPROCS=1 go test -tags grpcnotrace -vet=off -p 1 -count 1 -run Cost -v "$@" |
	awk '/^ *=== RUN/ {test = $3} / cost: / {sub(/.* cost: /, ""); print $1, "ms", $5, $6, $7, test}' | sort -rn | column -t
