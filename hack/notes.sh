#!/usr/bin/env bash
# Prints the notes of a release: the section of the changelog, which is the standard input, whose heading is the version, such as v1.2.3. The snapshot
# v0.0.0-snapshot has those of the next release.
set -euo pipefail
version=${1#v}
[[ $version != 0.0.0-snapshot ]] || version=Unreleased
awk -v version="$version" '/^## / { inside = $2 == version; found = found || inside } inside { print } END { exit !found }' ||
	{ echo "the changelog has no section \"## $version\"" >&2; exit 1; }
