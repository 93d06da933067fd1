#!/usr/bin/env bash
# Prints the operator's size and its linked modules, and fails if text/template is linked: that package looks up methods by name,
# so the linker keeps all exported methods, which adds 10 MB. It also prints the size of the kubectl plugin as it is released, and how
# long --help and version --client take, and fails where these exceed generous limits.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
symbol='text/template.(*state).evalField'
plugin_limit=60000000 # bytes
time_limit=1000       # ms; the goal is 100 on an idle machine

bytes_of() { stat -c %s "$1" 2>/dev/null || stat -f %z "$1"; }

make --silent build
echo "bin/manager: $(bytes_of bin/manager) bytes, as it is deployed"
modules=$(go version -m bin/manager | awk '$1 == "dep" || $1 == "=>" {print "  " $2 " " $3}')
echo "linked modules: $(wc -l <<<"$modules")"
echo "$modules"
echo "required directly by go.mod: $(go list -m -f '{{if not (or .Indirect .Main)}}{{.Path}}{{end}}' all | grep -c .)"

# The deployed binary has no symbol table, so the search uses another build.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -tags grpcnotrace -trimpath -o "$work/manager" .
go tool nm "$work/manager" >"$work/symbols"
grep -q ' main\.main$' "$work/symbols" # else the symbols are incomplete
if grep -F "$symbol" "$work/symbols"; then
	echo "text/template is linked: something executes a template" >&2
	exit 1
fi
echo "text/template: not linked"

# The plugin executes cobra's templates of help, so text/template is part of it.
failed=0
PLUGIN_PLATFORMS=linux/amd64 PLUGIN_OUT=$work/plugin hack/plugin.sh >/dev/null
tar -x -z -f "$work/plugin/kubectl-bellhop_linux_amd64.tar.gz" -C "$work" kubectl-bellhop
size=$(bytes_of "$work/kubectl-bellhop")
echo "kubectl-bellhop, linux/amd64: $size bytes, $(bytes_of "$work/plugin/kubectl-bellhop_linux_amd64.tar.gz") packed"
if [ "$size" -gt $plugin_limit ]; then
	echo "kubectl-bellhop has more than $plugin_limit bytes" >&2
	failed=1
fi

# median_of COMMAND... prints the median time of 11 runs in ms.
median_of() {
	local i TIMEFORMAT=%R
	for i in {1..11}; do
		{ time "$@" >/dev/null; } 2>&1
	done | sort -n | awk 'NR == 6 { print int(1000 * $1) }'
}

binary=$work/kubectl-bellhop
if [ "$(go env GOOS)/$(go env GOARCH)" != linux/amd64 ]; then
	hack/plugin.sh local
	binary=bin/kubectl-bellhop
fi
for arguments in --help "version --client"; do
	median=$(median_of "$binary" $arguments)
	echo "kubectl bellhop $arguments: $median ms, the median of 11 runs"
	if [ "$median" -gt $time_limit ]; then
		echo "kubectl bellhop $arguments takes more than $time_limit ms" >&2
		failed=1
	fi
done
exit $failed
