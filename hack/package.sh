#!/usr/bin/env bash
# Packages the chart: package.sh VERSION DIRECTORY writes bellhop-VERSION.tgz. "helm package" writes the time into the archive; this one has the
# same bytes each time. Needs GNU tar.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$1 out=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R charts/bellhop "$work/bellhop"
sed -i.bak "s/^version: .*/version: ${version#v}/; s/^appVersion: .*/appVersion: $version/; /^# A release sets both/d" "$work/bellhop/Chart.yaml"
rm "$work/bellhop/Chart.yaml.bak"
grep -rlZ -e /blob/main/ -e '](\.\./' "$work/bellhop" | xargs -0 hack/links.sh "$version"
tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --exclude=.helmignore --exclude='*.gotmpl' -c bellhop |
	gzip -9n >"$out/bellhop-${version#v}.tgz"
