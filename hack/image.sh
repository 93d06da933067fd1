#!/usr/bin/env bash
# Builds container images with ko; the flags are those of hack/image (-help).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ko=$(go tool -modfile=hack/tools/ko/go.mod -n ko)
go -C hack/image build -o ../../bin/image .
exec bin/image -ko "$ko" "$@"
