#!/usr/bin/env bash
# Looks for known vulnerabilities in each program that is released, for each operating system that it is released for, and fails after all of
# them if there are any. It needs https://vuln.go.dev.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=0
check() { # module platform...
	local module=$1 platform
	for platform in "${@:2}"; do
		echo "==> $module for $platform"
		GOOS=${platform%/*} GOARCH=${platform#*/} "$govulncheck" -C "$module" -tags=grpcnotrace ./... || failed=1
	done
}

govulncheck=$(go tool -modfile=hack/tools/govulncheck/go.mod -n govulncheck) || exit
check . linux/amd64
check demo linux/amd64
check cmd/kubectl-bellhop linux/amd64 darwin/arm64 windows/amd64
exit $failed
