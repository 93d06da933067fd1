#!/usr/bin/env bash
# Pushes a chart, and prints its reference with the digest: push-chart.sh ARCHIVE REGISTRY [ARGUMENT OF HELM...], such as
# push-chart.sh dist/bellhop-1.2.3.tgz ghcr.io/gophernetes/charts
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
archive=$1 registry=$2
shift 2
output=$(go tool -modfile=hack/tools/helm/go.mod helm push "$archive" "oci://$registry" "$@" 2>&1) || { echo "$output" >&2; exit 1; }
reference=$(sed -n 's/^Pushed: //p' <<<"$output") digest=$(sed -n 's/^Digest: //p' <<<"$output")
[ -n "$reference" ] && [ -n "$digest" ] || { echo "helm printed no reference and digest: $output" >&2; exit 1; }
echo "$reference@$digest"
