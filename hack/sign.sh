#!/usr/bin/env bash
# Signs what hack/release.sh has built and pushed: images and chart in the registry, and the checksums of all files. It signs digests, since a tag may
# have been moved to another image meanwhile. cosign signs by the identity of the workflow that runs this. COSIGN=echo prints the commands instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${VERSION:?is not set: such as v1.2.3}" "${COSIGN:=cosign}"
out=dist/bellhop-$VERSION

# The chart is pushed last, so that its digest says that all were pushed.
grep -q '/charts/bellhop:.*@sha256:' "$out/digests.txt" || { echo "$out/digests.txt has no chart: hack/release.sh has not pushed with PUSH=1" >&2; exit 1; }
references=$(cat "$out/digests.txt")
for reference in $references; do
	"$COSIGN" sign --yes --recursive "$reference"
done
"$COSIGN" sign-blob --yes --bundle "$out/checksums.txt.bundle" "$out/checksums.txt"
