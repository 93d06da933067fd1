#!/usr/bin/env bash
# Tries what a user does on a real cluster: deploy, page, undeploy, deploy again, uninstall. The cluster is hack/cluster's
# (Linux, root, see its README), with a number of its own; KEEP=1 leaves it running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export BELLHOP_CLUSTER_ID=${BELLHOP_CLUSTER_ID:-90}
export BELLHOP_CLUSTER_DIR=${BELLHOP_CLUSTER_DIR:-${TMPDIR:-/tmp}/bellhop-cluster}
inbox=10.250.$BELLHOP_CLUSTER_ID.1:8090 # the caller's end of the cluster's network

say() { echo "==> $*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

# eventually SECONDS COMMAND... repeats the command until it succeeds.
eventually() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || fail "never succeeded: $*"
		sleep 1
	done
}

inbox_pid=
work=$(mktemp -d)
clean_up() {
	local rc=$?
	if [ $rc -ne 0 ] && [ -n "${KUBECONFIG:-}" ]; then
		kubectl get pods,alerts,clusterreceivers --all-namespaces -o wide >&2 || true
		kubectl logs --namespace bellhop-system --selector control-plane=controller-manager --tail 30 --prefix >&2 || true
	fi
	[ -z "$inbox_pid" ] || kill "$inbox_pid" 2>/dev/null || true
	[ "${KEEP:-}" = 1 ] || hack/cluster/down.sh || true
	rm -rf "$work"
	exit $rc
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# What hack/controlplane has built for the other tests is not built again: both are pinned by hack/cluster/go.mod.
if [ ! -e "$BELLHOP_CLUSTER_DIR" ]; then
	assets=$(env -u KUBEBUILDER_ASSETS go -C hack/controlplane run . -controller-manager)
	mkdir -p "$BELLHOP_CLUSTER_DIR/bin"
	touch "$BELLHOP_CLUSTER_DIR/.bellhop-cluster"
	for program in etcd kube-apiserver kubectl kube-controller-manager; do
		cp -L "$assets/$program" "$BELLHOP_CLUSTER_DIR/bin/"
	done
fi
settings=$(hack/cluster/up.sh)
eval "$settings"

export IMG=localhost/bellhop:e2e
make build
hack/cluster/load-image.sh "$IMG" bin/manager

say "make deploy"
make deploy

say "an Alert, exactly as its sample stands"
go -C demo build -o "$work/inbox" ./cmd/inbox
"$work/inbox" -unsigned -listen "$inbox" >"$work/inbox.log" &
inbox_pid=$!
kubectl apply -f - <<-EOT
	apiVersion: pager.k8s.co/v1beta1
	kind: ClusterReceiver
	metadata:
	  name: inbox
	  annotations: {pager.k8s.co/is-default-receiver: "true"}
	spec:
	  webhook: {url: "http://$inbox/"}
	  namespaceSelector: {}
EOT
kubectl apply -f config/samples/pager_v1alpha1_alert.yaml
kubectl wait --for=jsonpath='{.status.sent}'=true --timeout=60s alert/kubecon-alert
grep -q 'Hello KubeCon' "$work/inbox.log" || fail "nothing reached the inbox: $(cat "$work/inbox.log")"

# both_versions checks that the Alert can be read as what it was written as, and as what it is stored as.
both_versions() {
	[ "$(kubectl get alerts.v1alpha1.pager.k8s.co kubecon-alert -o jsonpath='{.status.sent}')" = true ] &&
		[ "$(kubectl get alerts.v1beta1.pager.k8s.co kubecon-alert -o jsonpath='{.spec.content}')" = 'Hello KubeCon :wave:' ]
}
both_versions || fail "the Alert is not the same in both versions"
[ "$(kubectl get alerts.v1alpha1.pager.k8s.co kubecon-alert -o jsonpath='{.spec.message}')" = 'Hello KubeCon :wave:' ] ||
	fail "v1alpha1 has no message"

say "make undeploy keeps the objects, and they can be edited; what needs a conversion is refused"
make undeploy
[ "$(kubectl get alert kubecon-alert -o jsonpath='{.spec.content}')" = 'Hello KubeCon :wave:' ] || fail "the Alert went with the operator"
kubectl label alert kubecon-alert edited-while=away
! kubectl apply -f config/samples/pager_v1alpha1_alert.yaml 2>"$work/refused" || fail "v1alpha1 was accepted with nobody to convert it"
grep -q 'conversion webhook' "$work/refused" || fail "it was refused for another reason: $(cat "$work/refused")"

say "make deploy again sends nothing twice"
make deploy
eventually 30 both_versions
kubectl annotate alert kubecon-alert "seen-by=$(hostname)"
sleep 5
[ "$(grep -c 'Hello KubeCon' "$work/inbox.log")" = 1 ] || fail "sent more than once: $(cat "$work/inbox.log")"

say "make uninstall refuses"
! make uninstall || fail "it removed CRDs with objects"
kubectl get alert kubecon-alert
say "make uninstall FORCE=1 names what it abandons"
make undeploy
make uninstall FORCE=1 | tee "$work/abandoned"
grep -q 'abandoned: alerts.pager.k8s.co default/kubecon-alert' "$work/abandoned" || fail "it did not say what it abandons"
! kubectl get crd alerts.pager.k8s.co 2>/dev/null || fail "the CRD is still there"
say "all of it works"
