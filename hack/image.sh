#!/usr/bin/env bash
# Builds container images; the flags are those of hack/image (-help).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go -C hack/image build -o ../../bin/image .
exec bin/image -commit "$(hack/commit.sh)" "$@"
