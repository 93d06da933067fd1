#!/usr/bin/env bash
# Runs test/e2e in a real cluster. Without KUBECONFIG, hack/cluster starts one (Linux, root, see its README) with an id of its own; KEEP=1 leaves
# it running. With KUBECONFIG, IMG names the operator's image and LOAD is the command that loads an archive into the cluster's nodes, such as
# LOAD="kind load image-archive". FULL=1 makes 20 restarts and 20 kills, FOCUS selects specs.
# With RELEASE, the folder of a release, images, chart, manifests of the tutorials and plugin are those of the release.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export IMG=${IMG:-localhost/bellhop:e2e} FULL RELEASE=${RELEASE-}
if [ -n "$RELEASE" ]; then
	RELEASE=$(cd "$RELEASE" && pwd)
	IMG=ghcr.io/gophernetes/bellhop:${RELEASE##*/bellhop-}
fi

work=$(mktemp -d)
started=
clean_up() {
	local rc=$?
	[ -z "$started" ] || [ "${KEEP:-}" = 1 ] || hack/cluster/down.sh || true
	rm -rf "$work"
	exit $rc
}
trap clean_up EXIT
trap 'exit 130' INT TERM

parts=operator,demo-broker,demo-inbox,demo-login,example-notifier arch=$(go env GOARCH)
[ -z "$RELEASE" ] || parts=example-notifier # no release has it
hack/image.sh -image "$IMG" -parts "$parts" -platforms "linux/$arch" -out "$work/image"
CGO_ENABLED=0 go -C demo build -o "$work/bin/" ./cmd/login
if [ -n "$RELEASE" ]; then
	ln -s "$RELEASE"/*-image-linux-"$arch".tar "$work/image/"
	tar -C "$work/bin" -xzf "$RELEASE/kubectl-bellhop_linux_$arch.tar.gz" kubectl-bellhop
else
	hack/plugin.sh local
	cp bin/kubectl-bellhop "$work/bin/"
fi
if hack/sources.sh -fetch; then # otherwise the tutorial with Prometheus is skipped
	cp bin/senders/usr/bin/prometheus "$work/bin/"
fi
cp "$(go tool -modfile=hack/tools/helm/go.mod -n helm)" "$work/bin/helm"

if [ -z "${KUBECONFIG:-}" ]; then
	export BELLHOP_CLUSTER_ID=${BELLHOP_CLUSTER_ID:-90}
	export BELLHOP_CLUSTER_DIR=${BELLHOP_CLUSTER_DIR:-${TMPDIR:-/tmp}/bellhop-cluster}
	# Copy the programs that hack/controlplane built for other tests; hack/cluster/go.mod pins the version of both.
	if [ ! -e "$BELLHOP_CLUSTER_DIR" ]; then
		assets=$(env -u KUBEBUILDER_ASSETS -u K8S_VERSION go -C hack/controlplane run . -controller-manager)
		mkdir -p "$BELLHOP_CLUSTER_DIR/bin"
		touch "$BELLHOP_CLUSTER_DIR/.bellhop-cluster"
		for program in etcd kube-apiserver kubectl kube-controller-manager; do
			cp -L "$assets/$program" "$BELLHOP_CLUSTER_DIR/bin/"
		done
	fi
	settings=$(hack/cluster/up.sh)
	started=yes
	eval "$settings"
	export LOAD=hack/cluster/load-image.sh
	export AUDIT_LOG=$BELLHOP_CLUSTER_DIR/bhp$BELLHOP_CLUSTER_ID/log/audit.log
fi
PATH=$work/bin:$PATH # kubectl bellhop, helm, login, prometheus
for archive in "$work"/image/*.tar; do
	${LOAD:?names the command that loads an archive into the nodes of the cluster} "$archive"
done
ginkgo=$(go tool -modfile=hack/tools/go.mod -n ginkgo)
go -C test test -c -tags grpcnotrace -vet=off -o e2e/e2e.test ./e2e
"$ginkgo" run --no-color --show-node-events=false -v --fail-fast ${FOCUS:+--focus="$FOCUS"} test/e2e/e2e.test
