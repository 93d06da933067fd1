#!/usr/bin/env bash
# Removes the operator. CRDs and the objects of users stay. They can be read and written in the version in which they are
# stored; in others the API server refuses until an operator converts again, which loses nothing. (With the conversion
# turned off it would take an Alert of v1alpha1 and drop its message.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${KUBECTL:=kubectl}"
say() { echo "==> $*" >&2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in webhooks namespace operator; do
	hack/config.sh "$part" >"$work/$part.yaml"
done
namespace=$(awk '$1 == "name:" { print $2; exit }' "$work/namespace.yaml")

# First what would refuse writes once nobody answers.
say "removing the webhook configurations"
$KUBECTL delete --ignore-not-found -f "$work/webhooks.yaml" >&2

say "removing the operator"
$KUBECTL delete --ignore-not-found --namespace "$namespace" deployment --selector app.kubernetes.io/name=bellhop --cascade=foreground >&2
$KUBECTL delete --ignore-not-found -f "$work/operator.yaml" >&2

# The namespace may hold credentials of ClusterReceivers, which belong to users. The operator's own went with it.
# Its objects would hold the namespace for ever, with nobody to take their finalizers off.
kinds=$($KUBECTL get --ignore-not-found -o name crd alerts.pager.k8s.co receivers.pager.k8s.co \
	{servicebrokers,serviceinstances,servicebindings}.servicecatalog.k8s.io | sed 's|.*/|,|' | tr -d '\n')
left=$($KUBECTL get "secrets$kinds" --namespace "$namespace" -o go-template='{{range .items}}{{if ne (print .type) "kubernetes.io/service-account-token"}}{{.kind}}/{{.metadata.name}} {{end}}{{end}}')
# By its id brokers know this cluster, and what they made for it. The ConfigMap may have any name.
id=
if [[ $kinds = *,serviceinstances.* ]] && [ -n "$($KUBECTL get serviceinstances.servicecatalog.k8s.io --all-namespaces -o name)" ]; then
	id=$($KUBECTL get configmaps --namespace "$namespace" -o go-template='{{range .items}}{{if .data.id}}{{.metadata.name}} {{end}}{{end}}')
fi
[ -z "$left" ] || say "namespace $namespace stays: it has what is not the operator's: $left"
[ -z "$id" ] || say "namespace $namespace stays while there are ServiceInstances: brokers know this cluster by what is in ConfigMap $id"
if [ -n "$left$id" ]; then
	say "when that is gone, make undeploy again removes namespace $namespace"
else
	$KUBECTL delete --ignore-not-found namespace "$namespace" >&2
fi
[ -z "$kinds" ] || say "CRDs stay, and all of their objects (make uninstall)"
