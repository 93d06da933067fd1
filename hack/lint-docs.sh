#!/usr/bin/env bash
# Checks the language of all that users read with Vale and the rules of hack/vale/Bellhop, and the layout of the pages with hack/prose: the
# documentation, the help of the operator and of the plugin, the descriptions of the CRDs, and the messages. Arguments are the pages to
# check instead of all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extracted=bin/prose
pages=("$@")
if [ $# = 0 ]; then
	list=$(git ls-files --cached --others --exclude-standard 'docs/*.md' 'examples/*.md' 'charts/*.md' 'demo/*.md' 'hack/cluster/*.md' '.github/*.md' \
		README.md CONTRIBUTING.md SECURITY.md CODE_OF_CONDUCT.md MAINTAINERS.md |
		sort -u | grep -v -x docs/reference/api.md) # its texts are in $extracted
	mapfile -t pages <<<"$list"
fi

rm -rf "$extracted"
findings=$(go run -tags grpcnotrace ./hack/prose -out "$extracted" -operator "${BELLHOP_OPERATOR:-bin/manager}" "${pages[@]}")
[ $# != 0 ] || pages+=("$extracted"/*.md)
# Vale parses code with libraries in C.
compiler=$(go env CC)
if command -v "${compiler%% *}" >/dev/null; then
	vale=$(CGO_ENABLED=1 go tool -modfile=hack/tools/vale/go.mod -n vale)
	rc=0
	findings+=$'\n'$("$vale" --no-global --output=line "${pages[@]}") || rc=$?
	[ $rc -le 1 ] || { echo "$findings" >&2; exit $rc; } # 1: there are findings
else
	echo "lint-docs: the rules of hack/vale/Bellhop are skipped: Vale needs a C compiler, and there is no ${compiler%% *}" >&2
fi

findings=$(sed '/^$/d' <<<"$findings" | sort -t: -k1,1 -k2,2n)
if [ -n "$findings" ]; then
	echo "$findings"
	echo "lint-docs: $(wc -l <<<"$findings") findings" >&2
	exit 1
fi
