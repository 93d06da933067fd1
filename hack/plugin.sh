#!/usr/bin/env bash
# Builds the kubectl plugin:
#   hack/plugin.sh         archives, checksums.txt and the krew manifest bellhop.yaml of a release, in PLUGIN_OUT=dist/plugin, of VERSION,
#                          for PLUGIN_PLATFORMS, with PLUGIN_URL as the place where the manifest finds the archives
#   hack/plugin.sh local   bin/kubectl-bellhop for this machine
# The same source gives the same bytes in any folder, with the same version of Go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repo=$PWD
: "${VERSION:=v0.0.0-dev}"
: "${PLUGIN_PLATFORMS:=darwin/amd64 darwin/arm64 linux/amd64 linux/arm64 windows/amd64 windows/arm64}"
: "${PLUGIN_URL:=https://github.com/gophernetes/bellhop/releases/download/$VERSION}"
: "${PLUGIN_OUT:=dist/plugin}"

# build FILE builds the plugin. Neither the folder nor the state of git gets into it.
build() {
	CGO_ENABLED=0 go -C cmd/kubectl-bellhop build -trimpath -buildvcs=false \
		-ldflags "-s -w -X github.com/gophernetes/bellhop/docs.release=$VERSION -X github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli.version=$VERSION" \
		-o "$1" .
}

if [ "${1-}" = local ]; then
	build "$repo/bin/kubectl-bellhop"
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for platform in ${PLUGIN_PLATFORMS//,/ }; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[ "$os" != windows ] || suffix=.exe
	echo "==> $platform" >&2
	GOOS=$os GOARCH=$arch build "$work/${os}_$arch/kubectl-bellhop$suffix"
done
rm -f "$PLUGIN_OUT"/{kubectl-bellhop_*,checksums.txt,bellhop.yaml}
go run ./hack/plugin -version "$VERSION" -url "$PLUGIN_URL" -binaries "$work" -out "$PLUGIN_OUT"
(cd "$PLUGIN_OUT" && ls -l)
