#!/usr/bin/env bash
# Signs what hack/release.sh has built and pushed: images and chart in the registry, and the checksums of all files. cosign signs by the identity of
# the workflow that runs this. COSIGN=echo prints the commands instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${VERSION:?is not set: such as v1.2.3}" "${IMAGE:=ghcr.io/gophernetes/bellhop}" "${COSIGN:=cosign}"
out=dist/bellhop-$VERSION registry=${IMAGE%/*}

# The archives have the names of the images that were pushed.
for archive in "$out"/*-image-linux-amd64.tar; do
	[ -e "$archive" ] || { echo "$out has no images" >&2; exit 1; }
	"$COSIGN" sign --yes --recursive "$registry/$(basename "$archive" -image-linux-amd64.tar):$VERSION"
done
"$COSIGN" sign --yes "$registry/charts/bellhop:${VERSION#v}"
"$COSIGN" sign-blob --yes --bundle "$out/checksums.txt.bundle" "$out/checksums.txt"
