#!/usr/bin/env bash
# Fails where a generated file is not what "make generate" makes of the sources, where a go.mod is untidy, or where a
# kustomization does not build. Works on a copy of the tree as it is, committed or not, and changes nothing in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repo=$PWD
failed=0
problem() {
	echo "verify: $*" >&2
	failed=1
}

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/before"
# What git knows or would add, without what is deleted.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
	[ ! -e "$file" ] || printf '%s\0' "$file"
done | tar -c --null -T - | tar -x -C "$copy/before"
cp -R "$copy/before" "$copy/after"

make -C "$copy/after" generate >"$copy/generate.log" 2>&1 || problem "make generate failed: $(tail -n 20 "$copy/generate.log")"
if ! difference=$(cd "$copy" && diff -ruN before after); then
	echo "$difference" | head -n 100 >&2
	problem "stale; run \"make generate\" and commit:"
	(cd "$copy" && diff -rqN before after || true) | sed "s|$copy/||g" >&2
fi

# hack/cluster is not here: it only pins what is built from it, and its go.sum lacks what tests of Kubernetes need.
for module in ${MODULES:-./} hack/tools/ hack/tools/helm/; do
	(cd "$repo/$module" && go mod tidy -diff) || problem "$module: run \"go mod tidy\""
done

kustomize=$(go tool -modfile=hack/tools/go.mod -n kustomize)
for dir in config/*/; do
	[ ! -f "$dir/kustomization.yaml" ] || grep -q '^kind: Component' "$dir/kustomization.yaml" ||
		"$kustomize" build "$dir" >/dev/null || problem "$dir does not build"
done
exit $failed
