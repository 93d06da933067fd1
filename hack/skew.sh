#!/usr/bin/env bash
# Lets one version of the operator follow another one in the middle of what users do: the previous version leads, is killed or loses its lease at
# some request, and the version of this repository goes on, with its own webhooks; then the reverse, with the webhooks of the previous version.
# PREVIOUS is the commit of the previous version: the nearest tag before HEAD, and, as long as there is no tag, the first commit whose statuses have
# the fields, and whose messages the texts, that those of this version have: a run may end with either.
# ARGS select the faults, as of hack/sweep.sh; without them each scenario has one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
previous=${PREVIOUS:-$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || echo 8edc193c)}
faults=${ARGS:--fixed}

work=$(mktemp -d)
trap 'git worktree remove --force "$work/previous" || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/previous" "$previous"
mkdir -p bin
build() { CGO_ENABLED=0 go -C "$2" build -tags grpcnotrace -trimpath -o "$PWD/bin/manager-$1" .; }
build this .
build previous "$work/previous"

failed=0
follow() { # leader successor
	echo "==> $1 leads, then $2 with its webhooks; previous is $previous"
	FULL= ARGS="-operator bin/manager-$1 -successor bin/manager-$2 -webhooks bin/manager-$2 -class crash,leaders $faults" hack/sweep.sh || failed=1
}
follow previous this
follow this previous
exit $failed
