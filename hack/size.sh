#!/usr/bin/env bash
# Prints the operator's size and its linked modules, and fails if text/template is linked: that package looks up methods by name,
# so the linker keeps all exported methods, which adds 10 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
symbol='text/template.(*state).evalField'

make --silent build
echo "bin/manager: $(stat -c %s bin/manager 2>/dev/null || stat -f %z bin/manager) bytes, as it is deployed"
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
