#!/usr/bin/env bash
# Removes the operator. CRDs and the objects of users stay, and can be read and written in their stored version. The API server refuses
# other versions until an operator converts again, so that no field is lost. (Without a conversion it would accept an Alert of v1alpha1,
# and drop its message.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${KUBECTL:=kubectl}"
say() { echo "==> $*" >&2; }

# The names of an operator with one API group have the group in them.
prefix=bellhop-
[ "${CONFIG:-default}" = default ] || prefix=bellhop-$CONFIG-
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in webhooks namespace operator; do
	hack/config.sh "$part" >"$work/$part.yaml"
done
namespace=$(awk '$1 == "name:" { print $2; exit }' "$work/namespace.yaml")

# The webhooks go first: without a server they would refuse writes.
say "removing the webhook configurations"
$KUBECTL delete --ignore-not-found -f "$work/webhooks.yaml" >&2

say "removing the operator"
$KUBECTL delete --ignore-not-found --namespace "$namespace" "deployment/${prefix}controller-manager" --cascade=foreground >&2
others=$($KUBECTL get deployments --namespace "$namespace" --selector app.kubernetes.io/name=bellhop --ignore-not-found -o name)
# What another operator has as well stays: the roles for users of an API group that both serve, and components for it.
served=
for other in $others; do
	case $other in
	*/bellhop-pager-*) form=pager ;;
	*/bellhop-servicecatalog-*) form=servicecatalog ;;
	*) form=default ;;
	esac
	served+=" $form"
	CONFIG=$form hack/config.sh operator >"$work/other-$form.yaml"
done
find "$work" -name 'other-*.yaml' -exec cat {} + | awk -v own="$work/operator.yaml" '
	function end() {
		if (!isOwn) shared[key]
		else if (!(key in shared)) printf "---\n%s", text
		text = key = ""
	}
	FILENAME != file || /^---$/ { if (NR > 1) end() }
	{ file = FILENAME; isOwn = file == own }
	/^---$/ { next }
	/^kind: / { key = $2 }
	/^  name: / && key !~ "/" { key = key "/" $2 }
	{ text = text $0 "\n" }
	END { end() }' - "$work/operator.yaml" >"$work/own.yaml"
$KUBECTL delete --ignore-not-found -f "$work/own.yaml" >&2
# Components may have been added.
if [[ $served != *@(servicecatalog|default)* ]] && $KUBECTL get --raw /apis/admissionregistration.k8s.io/v1 | grep -q '"mutatingadmissionpolicies"'; then
	# Without the mutating policy the validating one refuses Pods.
	$KUBECTL delete --ignore-not-found -f config/injection/validating_policy.yaml -f config/injection/mutating_policy.yaml >&2
fi
if [[ $served != *@(pager|default)* ]]; then
	parts=(config/page-by-label/*role*.yaml config/ingest/service.yaml config/ingress-policy/operator.yaml)
	$KUBECTL delete --ignore-not-found "${parts[@]/#/--filename=}" >&2
fi
if [ -n "$others" ]; then
	say "namespace $namespace, CRDs and what both operators have stay: they are also of" $others
	exit
fi

# The namespace may contain Secrets of users, such as credentials of ClusterReceivers; the operator's own Secrets are deleted by now, but for
# the key of its digests, which goes with the namespace. It may also contain objects with finalizers, which would block its deletion, since no operator removes them.
kinds=$($KUBECTL get --ignore-not-found -o name crd {alerts,alertsources,receivers}.pager.k8s.co \
	{servicebrokers,serviceinstances,servicebindings}.servicecatalog.k8s.io | sed 's|.*/|,|' | tr -d '\n')
left=$($KUBECTL get "secrets$kinds" --namespace "$namespace" -o go-template='{{range .items}}{{if not (or (eq (print .type) "kubernetes.io/service-account-token") (eq .metadata.name "bellhop-digest-key"))}}{{.kind}}/{{.metadata.name}} {{end}}{{end}}')
# Brokers identify this cluster, and its instances, by the id in a ConfigMap, which may have any name.
id=
if [[ $kinds = *,serviceinstances.* ]] && [ -n "$($KUBECTL get serviceinstances.servicecatalog.k8s.io --all-namespaces -o name)" ]; then
	id=$($KUBECTL get configmaps --namespace "$namespace" -o go-template='{{range .items}}{{if .data.id}}{{.metadata.name}} {{end}}{{end}}')
fi
[ -z "$left" ] || say "namespace $namespace stays: it contains objects of users: $left"
[ -z "$id" ] || say "namespace $namespace stays while there are ServiceInstances: brokers identify this cluster by the id in ConfigMap $id"
if [ -n "$left$id" ]; then
	say "once these are deleted, make undeploy again removes namespace $namespace"
else
	$KUBECTL delete --ignore-not-found namespace "$namespace" >&2
fi
[ -z "$kinds" ] || say "CRDs stay, and all of their objects (make uninstall)"
