#!/usr/bin/env bash
# Checks with kube-score what is deployed, with the network policy. It fails for each finding, warnings included, of a check that the table "Findings
# of scanners" of docs/explanation/security.md does not list, and for a check that is listed there and finds nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
score=$(go tool -modfile=hack/tools/kube-score/go.mod -n kube-score)
kustomize=$(go tool -modfile=hack/tools/go.mod -n kustomize)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
explained=$(sed -n 's/^| `\([a-z-]*\)` of kube-score.*/\1/p' docs/explanation/security.md)

# findings FLAGS... prints what kube-score finds. A container without a CPU limit is no finding: see the same table.
findings() {
	"$score" score --ignore-container-cpu-limit --output-format ci "$@" "$work/all.yaml" >"$work/score.log" || true
	grep '^\[' "$work/score.log" >/dev/null || { cat "$work/score.log" >&2; exit 1; }
	grep -v '^\[\(OK\|SKIPPED\)\]' "$work/score.log" | sort || true
}

for directory in config/default config/certmanager config/namespaced; do
	"$kustomize" build "$directory" >"$work/all.yaml"
	echo --- >>"$work/all.yaml"
	"$kustomize" build config/network-policy >>"$work/all.yaml"
	all=$(findings)
	rest=$(findings $(printf -- '--ignore-test=%s ' $explained))
	if [ -n "$rest" ]; then
		echo "$rest"
		echo "$directory: neither fixed nor listed in docs/explanation/security.md" >&2
		exit 1
	fi
	for check in $explained; do
		if [ "$(findings "--ignore-test=$check")" = "$all" ]; then
			echo "docs/explanation/security.md lists $check, which finds nothing in $directory" >&2
			exit 1
		fi
	done
done
