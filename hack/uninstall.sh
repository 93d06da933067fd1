#!/usr/bin/env bash
# Deletes the CRDs. It refuses while any of their objects exists, since their deletion with the CRD neither resolves pages nor
# deprovisions services. FORCE=1 abandons the objects, and prints each of them: their pages and services outside of the cluster stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${KUBECTL:=kubectl}" "${FORCE:=}"
say() { echo "==> $*" >&2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hack/config.sh crds >"$work/crds.yaml"
crds=$($KUBECTL get --ignore-not-found -f "$work/crds.yaml" -o name | sed 's|.*/||')

# is_not_found reports whether the last command failed because its object or its kind does not exist.
is_not_found() { grep -qi 'not *found\|have a resource type' "$work/error" || { cat "$work/error" >&2; return 1; }; }

# remove_finalizers removes the operator's finalizer from Secrets of brokers, which no other program does. Without brokers and instances
# a running operator does not add it again.
remove_finalizers() {
	[ "${CONFIG:-}" != pager ] || return 0 # brokers are of the other API group
	local finalizer=bellhop.gophernetes.io/broker-credentials
	$KUBECTL get secrets --all-namespaces -o go-template='{{range .items}}{{$secret := .metadata}}{{range $i, $name := .metadata.finalizers}}{{if eq $name "'$finalizer'"}}{{$secret.namespace}} {{$secret.name}} {{$i}}{{"\n"}}{{end}}{{end}}{{end}}' >"$work/secrets"
	while read -r namespace name i; do
		$KUBECTL patch secret "$name" --namespace "$namespace" --type json >/dev/null 2>"$work/error" \
			-p '[{"op":"test","path":"/metadata/finalizers/'"$i"'","value":"'$finalizer'"},{"op":"remove","path":"/metadata/finalizers/'"$i"'"}]' || is_not_found
	done <"$work/secrets"
}

# list_objects CRD prints "NAMESPACE NAME" for each object ("<none>" where the kind has no namespace).
list_objects() {
	$KUBECTL get "$1" --all-namespaces --no-headers -o custom-columns=:metadata.namespace,:metadata.name 2>"$work/error" || is_not_found
}

[ -n "$crds" ] || { remove_finalizers; say "no CRD of bellhop is installed"; exit 0; }
total=0
for crd in $crds; do
	list_objects "$crd" >"$work/$crd"
	count=$(grep -c . "$work/$crd" || true)
	total=$((total + count))
	[ "$count" = 0 ] || say "$count objects of $crd"
done
if [ $total -gt 0 ] && [ "$FORCE" != 1 ]; then
	say "refused: delete them first, while the operator runs, so that it can clean up outside (classes and plans go with their" \
		"broker, and that after its bindings and instances); or FORCE=1 to abandon them"
	exit 1
fi

# While a CRD is being deleted, its objects get no new finalizers, and no objects are created; so finalizers are removed after the delete.
$KUBECTL delete --wait=false crd $crds >&2
for crd in $crds; do
	while read -r namespace name; do
		[ -n "$name" ] || continue
		echo "abandoned: $crd $namespace/$name" | sed 's|<none>/||'
		# kubectl ignores the namespace for a kind that has none.
		$KUBECTL patch "$crd" "$name" --namespace "${namespace/<none>/}" --type merge \
			-p '{"metadata":{"finalizers":null}}' >/dev/null 2>"$work/error" || is_not_found
	done <"$work/$crd"
done
$KUBECTL wait --for=delete crd $crds --timeout=60s >&2
remove_finalizers
