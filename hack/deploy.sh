#!/usr/bin/env bash
# Deploys the operator with the image IMG and ends when it works: its pods are ready, its webhooks have their certificate,
# and an Alert of the old version passes conversion and admission.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${KUBECTL:=kubectl}" "${TIMEOUT:=180}"
say() { echo "==> $*" >&2; }

# wait_until WHAT COMMAND... repeats the command until it succeeds. After TIMEOUT seconds it prints the last output, and fails.
wait_until() {
	local what=$1 output deadline=$((SECONDS + TIMEOUT))
	shift
	until output=$("$@" 2>&1); do
		[ $SECONDS -lt $deadline ] || { say "$what: not within $TIMEOUT s: $output"; exit 1; }
		sleep 1
	done
}

# The names of an operator with one API group have the group in them.
prefix=bellhop-
[ "${CONFIG:-default}" = default ] || prefix=bellhop-$CONFIG-
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hack/config.sh all >"$work/all.yaml"
{ hack/config.sh webhooks && echo --- && hack/config.sh crds; } >"$work/webhooks-and-crds.yaml"

# If "make run" was killed, its webhooks are left, with a URL. They are deleted, and conversions get the Service here, since a webhook
# cannot have both a URL and a Service.
say "applying config/${CONFIG:-default} with the image ${IMG:-bellhop:dev}"
$KUBECTL get -f "$work/webhooks-and-crds.yaml" --ignore-not-found -o go-template='{{range .items}}{{$o := .}}{{range .webhooks}}{{if .clientConfig.url}}{{$o.kind}}/{{$o.metadata.name}}{{"\n"}}{{end}}{{end}}{{end}}' |
	sort -u | xargs -r $KUBECTL delete >&2
crds=$($KUBECTL get -f "$work/webhooks-and-crds.yaml" --ignore-not-found -o go-template='{{range .items}}{{$o := .}}{{with .spec}}{{with .conversion}}{{with .webhook}}{{if .clientConfig.url}}{{$o.metadata.name}} {{end}}{{end}}{{end}}{{end}}{{end}}')
for crd in $crds; do
	# The CRD always has a conversion: without one the API server would accept an Alert of v1alpha1, and drop its message.
	$KUBECTL patch crd "$crd" --type json -p '[{"op":"replace","path":"/spec/conversion/webhook/clientConfig","value":{"service":{"name":"'"$prefix"'webhook-service","namespace":"bellhop-system","path":"/convert"}}}]' >&2
done
# --force-conflicts: the fields of config/ are the operator's, even if another client wrote them last.
$KUBECTL apply --server-side --force-conflicts -f "$work/all.yaml" >/dev/null

namespace=$(hack/config.sh namespace | awk '$1 == "name:" { print $2; exit }')
if ! $KUBECTL rollout status --namespace "$namespace" "deployment/${prefix}controller-manager" --timeout "${TIMEOUT}s" >&2; then
	say "the operator's pods are not ready:"
	$KUBECTL get pods --namespace "$namespace" -o custom-columns='POD:.metadata.name,IMAGE:.spec.containers[0].image,WAITING:.status.containerStatuses[0].state.waiting.reason,MESSAGE:.status.containerStatuses[0].state.waiting.message' >&2
	$KUBECTL logs --namespace "$namespace" --selector app.kubernetes.io/name=bellhop --tail 20 --prefix >&2 || true
	exit 1
fi

have_certificates() {
	local without
	without=$($KUBECTL get -f "$work/webhooks-and-crds.yaml" -o go-template='{{range .items}}{{$o := .}}{{range .webhooks}}{{if not .clientConfig.caBundle}}{{$o.metadata.name}} {{end}}{{end}}{{with .spec}}{{with .conversion}}{{if eq .strategy "Webhook"}}{{if not .webhook.clientConfig.caBundle}}{{$o.metadata.name}} {{end}}{{end}}{{end}}{{end}}{{end}}')
	[ -z "$without" ] || { echo "no caBundle in: $without"; return 1; }
}
# What tells that the webhooks answer: an Alert of the old version, or an instance whose class no broker has. generateName, so that the name differs from the names of a user's Alerts.
create_object() {
	if [ "${CONFIG:-}" = servicecatalog ]; then
		$KUBECTL create --dry-run=server -o name -f - <<-EOT
			{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {generateName: bellhop-deployed-}, spec: {clusterServiceClassExternalName: deployed, clusterServicePlanExternalName: deployed}}
		EOT
		return
	fi
	$KUBECTL create --dry-run=server -o name -f - <<-EOT
		{apiVersion: pager.k8s.co/v1alpha1, kind: Alert, metadata: {generateName: bellhop-deployed-}, spec: {message: "deployed"}}
	EOT
}

wait_until "certificates of the webhooks" have_certificates
wait_until "an object (dry run)" create_object
say "the operator works"
