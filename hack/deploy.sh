#!/usr/bin/env bash
# Deploys the operator with the image IMG and ends when it works: its pods are ready, its webhooks have their certificate,
# and an Alert of the old version gets through conversion and admission.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${KUBECTL:=kubectl}" "${TIMEOUT:=180}"
say() { echo "==> $*" >&2; }

# until_ok WHAT COMMAND... repeats the command until it succeeds, and says what it last said if it never does.
until_ok() {
	local what=$1 said deadline=$((SECONDS + TIMEOUT))
	shift
	until said=$("$@" 2>&1); do
		[ $SECONDS -lt $deadline ] || { say "$what: not within $TIMEOUT s: $said"; exit 1; }
		sleep 1
	done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hack/config.sh all >"$work/all.yaml"
{ hack/config.sh webhooks && echo --- && hack/config.sh crds; } >"$work/served.yaml"

# What "make run" may have left, if it could not end properly, goes first: beside a URL there can be no Service.
say "applying config/default with the image ${IMG:-bellhop:dev}"
$KUBECTL get -f "$work/served.yaml" --ignore-not-found -o go-template='{{range .items}}{{$o := .}}{{range .webhooks}}{{if .clientConfig.url}}{{$o.kind}}/{{$o.metadata.name}}{{"\n"}}{{end}}{{end}}{{end}}' |
	sort -u | xargs -r $KUBECTL delete >&2
for crd in $($KUBECTL get -f "$work/served.yaml" --ignore-not-found -o go-template='{{range .items}}{{$o := .}}{{with .spec}}{{with .conversion}}{{with .webhook}}{{if .clientConfig.url}}{{$o.metadata.name}} {{end}}{{end}}{{end}}{{end}}{{end}}'); do
	# Never without a conversion: the API server would then take an Alert of v1alpha1 and drop its message.
	$KUBECTL patch crd "$crd" --type json -p '[{"op":"replace","path":"/spec/conversion/webhook/clientConfig","value":{"service":{"name":"bellhop-webhook-service","namespace":"bellhop-system","path":"/convert"}}}]' >&2
done
# Conflicts are forced since these fields are ours, whoever wrote them last.
$KUBECTL apply --server-side --force-conflicts -f "$work/all.yaml" >/dev/null

namespace=$(hack/config.sh namespace | awk '$1 == "name:" { print $2; exit }')
if ! $KUBECTL rollout status --namespace "$namespace" deployment --selector app.kubernetes.io/name=bellhop --timeout "${TIMEOUT}s" >&2; then
	say "the operator's pods are not ready:"
	$KUBECTL get pods --namespace "$namespace" -o custom-columns='POD:.metadata.name,IMAGE:.spec.containers[0].image,WAITING:.status.containerStatuses[0].state.waiting.reason,MESSAGE:.status.containerStatuses[0].state.waiting.message' >&2
	$KUBECTL logs --namespace "$namespace" --selector app.kubernetes.io/name=bellhop --tail 20 --prefix >&2 || true
	exit 1
fi

certificates_are_in() {
	local without
	without=$($KUBECTL get -f "$work/served.yaml" -o go-template='{{range .items}}{{$o := .}}{{range .webhooks}}{{if not .clientConfig.caBundle}}{{$o.metadata.name}} {{end}}{{end}}{{with .spec}}{{with .conversion}}{{if eq .strategy "Webhook"}}{{if not .webhook.clientConfig.caBundle}}{{$o.metadata.name}} {{end}}{{end}}{{end}}{{end}}{{end}}')
	[ -z "$without" ] || { echo "no caBundle in: $without"; return 1; }
}
# An Alert with a name of its own, so that one of a user is not in the way.
an_alert_gets_through() {
	$KUBECTL create --dry-run=server -o name -f - <<-EOT
		{apiVersion: pager.k8s.co/v1alpha1, kind: Alert, metadata: {generateName: bellhop-deployed-}, spec: {message: "deployed"}}
	EOT
}

until_ok "certificates of the webhooks" certificates_are_in
until_ok "an Alert (dry run)" an_alert_gets_through
say "the operator works"
