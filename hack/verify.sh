#!/usr/bin/env bash
# Fails if "make generate" would change a file, if a go.mod is untidy, if an alert of config/prometheus does not do what its test says, if
# kube-score, actionlint or buf find something, if a kustomization or the Dockerfile does not build, or if dependency updates leave out a Go module.
# It works on a copy of the tree with its uncommitted changes, and writes nothing to the tree but bin/engine.
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
# Tracked files and new files, without ignored and deleted ones.
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

# hack/cluster is left out: its go.mod only pins the programs to build, and its go.sum lacks modules that tests of Kubernetes need.
for module in ${MODULES:-./} hack/tools/ hack/tools/*/; do
	(cd "$repo/$module" && go mod tidy -diff) || problem "$module: run \"go mod tidy\""
done

# Dependabot does not find modules by itself.
modules=$(git ls-files --cached --others --exclude-standard '*go.mod' | sed 's|/*go\.mod$||; s|^|/|' | sort)
listed=$(sed -n 's|^  - \(/.*\)$|\1|p' .github/dependabot.yml | sort)
[ "$modules" = "$listed" ] || problem ".github/dependabot.yml does not list each Go module once: $(diff <(echo "$modules") <(echo "$listed") | grep '^[<>]')"

hack/rules.sh >"$copy/rules.log" 2>&1 || problem "config/prometheus: $(cat "$copy/rules.log")"
hack/score.sh >"$copy/score.log" 2>&1 || problem "kube-score: $(cat "$copy/score.log")"
go tool -modfile=hack/tools/actionlint/go.mod actionlint -shellcheck= -pyflakes= >"$copy/actionlint.log" 2>&1 || problem "actionlint: $(cat "$copy/actionlint.log")"

# proto/ is an interface to programs of others: what a release has is there in the next one.
buf() { go tool -modfile=hack/tools/buf/go.mod buf "$@"; }
buf lint >"$copy/buf.log" 2>&1 || problem "proto: $(cat "$copy/buf.log")"
buf format --diff --exit-code >"$copy/buf.log" 2>&1 || problem "proto is not formatted (buf format -w): $(cat "$copy/buf.log")"
if [ -n "${GITHUB_ACTIONS-}" ] && [ "$(git rev-parse --is-shallow-repository)" != false ]; then
	problem "proto is not compared with the last release: the clone has no history"
fi
released=$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || true)
if [ -n "$released" ] && git cat-file -e "$released:proto" 2>/dev/null; then
	mkdir "$copy/released"
	git archive "$released" buf.yaml proto | tar -x -C "$copy/released"
	buf breaking --against "$copy/released" >"$copy/buf.log" 2>&1 || problem "proto breaks programs made for $released: $(cat "$copy/buf.log")"
fi

kustomize=$(go tool -modfile=hack/tools/go.mod -n kustomize)
for dir in config/*/; do
	[ ! -f "$dir/kustomization.yaml" ] || grep -q '^kind: Component' "$dir/kustomization.yaml" ||
		"$kustomize" build "$dir" >/dev/null || problem "$dir does not build"
done

# Targets that nothing else runs.
if make -C "$copy/after" help build-installer IMG=registry.example.com/bellhop:verify >"$copy/targets.log" 2>&1; then
	grep -q 'image: registry.example.com/bellhop:verify$' "$copy/after/dist/install.yaml" || problem "make build-installer does not write the image"
	make -C "$copy/after" clean >"$copy/targets.log" 2>&1 || problem "make clean: $(cat "$copy/targets.log")"
	[ ! -e "$copy/after/dist" ] || problem "make clean leaves dist"
else
	problem "make help build-installer: $(tail -n 20 "$copy/targets.log")"
fi

# The commands of the Dockerfile run here, on the context that a container engine would have.
if make docker-build CONTAINER_TOOL=hack/engine.sh IMG=localhost/bellhop:verify VERSION=v0.0.0 >"$copy/engine.log" 2>&1; then
	tar -xOf bin/engine/localhost-bellhop-verify.tar --wildcards '*.tar.gz' | tar -xzO ./ko-app/bellhop >"$copy/bellhop"
	chmod +x "$copy/bellhop"
	printed=$("$copy/bellhop" --version)
	[ "$printed" = "bellhop v0.0.0 (commit $(hack/commit.sh), $(go env GOVERSION))" ] || problem "the program of make docker-build prints $printed"
else
	problem "make docker-build: $(tail -n 20 "$copy/engine.log")"
fi
exit $failed
