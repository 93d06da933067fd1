#!/usr/bin/env bash
# Builds everything that a release has into dist/bellhop-VERSION: the manifests, the Helm chart, archives of the kubectl plugin with their krew
# manifest, archives of the images with their SBOMs, the section of the changelog, the digests, and checksums. IMAGE is the repository of the image.
# PUSH=1 pushes images and chart. Manifests and chart are the same bytes each time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${VERSION:?is not set: make release VERSION=v1.2.3}" "${IMAGE:=ghcr.io/gophernetes/bellhop}"
[[ $VERSION =~ ^v(0\.0\.0-snapshot|[0-9]+\.[0-9]+\.[0-9]+(-rc\.[0-9]+)?)$ ]] || { echo "VERSION is $VERSION: it must be such as v1.2.3, v1.2.3-rc.1 or v0.0.0-snapshot" >&2; exit 2; }
say() { echo "==> $*" >&2; }
out=$PWD/dist/bellhop-$VERSION
rm -rf "$out"
mkdir -p "$out"

say "changelog"
hack/notes.sh "$VERSION" <CHANGELOG.md >"$out/CHANGELOG.md"
hack/links.sh "$VERSION" "$out/CHANGELOG.md"

say "manifests"
IMG=$IMAGE:$VERSION hack/config.sh all >"$out/install.yaml"
for group in pager servicecatalog; do CONFIG=$group IMG=$IMAGE:$VERSION hack/config.sh all >"$out/install-$group.yaml"; done
for component in page-by-label ingest; do
	IMG=$IMAGE:$VERSION hack/config.sh $component >"$out/install-$component.yaml"
	CONFIG=pager IMG=$IMAGE:$VERSION hack/config.sh $component >"$out/install-pager-$component.yaml"
done
(cat config/injection/mutating_policy.yaml && echo --- && cat config/injection/validating_policy.yaml) >"$out/injection.yaml"
hack/links.sh "$VERSION" "$out"/*.yaml

say "chart"
hack/package.sh "$VERSION" "$out"

say "kubectl plugin"
PLUGIN_OUT=$out hack/plugin.sh
mv "$out/bellhop.yaml" "$out/krew.yaml"
rm "$out/checksums.txt"

say "images"
for part in operator ${DEMO:-demo-broker demo-inbox demo-login}; do
	hack/image.sh -image "$IMAGE:$VERSION" -version "$VERSION" -parts "$part" -out "$out" ${BASE:+-base "$BASE"} ${PUSH:+-push} >>"$out/digests.txt"
done
mv "$out"/sbom/* "$out"
rmdir "$out/sbom"
[ -z "${PUSH-}" ] || hack/push-chart.sh "$out/bellhop-${VERSION#v}.tgz" "${IMAGE%/*}/charts" >>"$out/digests.txt"

(cd "$out" && sha256sum -- * >checksums.txt && ls -l)
