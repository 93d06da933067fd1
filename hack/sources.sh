#!/usr/bin/env bash
# Runs test/sources: the operator with Prometheus, Alertmanager, amtool and vmalert. It downloads Debian's packages of them to bin/senders, and
# builds the newest Alertmanager there. It installs nothing, starts no service, and needs no root. Exit code 77: they cannot be had on this
# machine. -fetch only downloads, and -build only downloads and builds; FOCUS= selects specs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
senders=$PWD/bin/senders
. hack/debian.sh

skip() {
	echo "sources: skipped: $*"
	exit 77
}

# Downloads and unpacks the packages that are not there yet.
fetch() {
	local package
	unpack_debian "$senders" prometheus prometheus-alertmanager victoria-metrics || skip "the senders cannot be downloaded"
	# Debian's Alertmanager reads a template from /usr/share, and has no flag for another folder: a path of the same length, from where it runs.
	LC_ALL=C sed -i.bak 's|/usr/share/prometheus/alertmanager|usr//share/prometheus/alertmanager|g' "$senders/usr/bin/prometheus-alertmanager"
	rm "$senders/usr/bin/prometheus-alertmanager.bak"
	for package in prometheus prometheus-alertmanager amtool victoria-metrics vmalert; do
		"$senders/usr/bin/$package" --version >/dev/null 2>&1 || skip "$package does not run on this machine"
	done
}

# Builds the newest Alertmanager, whose specs are left out where that fails. The module lacks the web page, which nothing here needs.
build_newest() {
	local module copy=$senders/newest
	if ! module=$(go mod download -json github.com/prometheus/alertmanager@latest 2>/dev/null | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') || [ -z "$module" ]; then
		echo "sources: without the newest Alertmanager, whose module cannot be downloaded"
		return
	fi
	rm -rf "$copy"
	cp -R "$module" "$copy"
	chmod -R u+w "$copy"
	mkdir -p "$copy/ui/app/dist"
	touch "$copy/ui/app/dist/index.html"
	CGO_ENABLED=0 go -C "$copy" build -o "$senders/usr/bin/newest-alertmanager" ./cmd/alertmanager ||
		echo "sources: without the newest Alertmanager, which cannot be built"
	rm -rf "$copy" # other steps look for Go files
}

fetch
[ "${1-}" != -fetch ] || exit 0
build_newest
[ "${1-}" != -build ] || exit 0

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS SENDERS=$senders/usr/bin
make --silent build
export BELLHOP_OPERATOR=$PWD/bin/manager
go -C test test -v -tags grpcnotrace -vet=off -count=1 -timeout=15m ./sources -ginkgo.v -ginkgo.focus="${FOCUS-}"
