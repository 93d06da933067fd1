#!/usr/bin/env bash
# Tests the alerts of config/prometheus with promtool.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Without service discovery, which nothing here uses, and which is most of what would be compiled.
promtool=$(GOFLAGS="${GOFLAGS-} -tags=remove_all_sd" go tool -modfile=hack/tools/promtool/go.mod -n promtool)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^spec:/ { inside = 1; next } inside { print substr($0, 3) }' config/prometheus/rules.yaml >"$work/rules.yaml"
cp config/prometheus/rules_test.yaml "$work/"
"$promtool" check rules --lint=all --lint-fatal "$work/rules.yaml"
"$promtool" test rules "$work/rules_test.yaml"
