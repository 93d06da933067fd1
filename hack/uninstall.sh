#!/usr/bin/env bash
# Removes the CRDs. Refuses while any of their objects exists, since their deletion would tell the outside world nothing.
# FORCE=1 abandons the objects and names each of them: what they stand for outside stays there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${KUBECTL:=kubectl}" "${FORCE:=}"
say() { echo "==> $*" >&2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hack/config.sh crds >"$work/crds.yaml"
crds=$($KUBECTL get --ignore-not-found -f "$work/crds.yaml" -o name | sed 's|.*/||')

# gone says whether the last command failed because what it was about does not exist (any more).
gone() { grep -qi 'not *found\|have a resource type' "$work/error" || { cat "$work/error" >&2; return 1; }; }

# release takes off Secrets the finalizer that the operator keeps those of brokers by: nobody else would. Without brokers and
# instances an operator that still runs does not put it back.
release() {
	local finalizer=bellhop.gophernetes.io/broker-credentials
	$KUBECTL get secrets --all-namespaces -o go-template='{{range .items}}{{$secret := .metadata}}{{range $i, $name := .metadata.finalizers}}{{if eq $name "'$finalizer'"}}{{$secret.namespace}} {{$secret.name}} {{$i}}{{"\n"}}{{end}}{{end}}{{end}}' >"$work/secrets"
	while read -r namespace name i; do
		$KUBECTL patch secret "$name" --namespace "$namespace" --type json >/dev/null 2>"$work/error" \
			-p '[{"op":"test","path":"/metadata/finalizers/'"$i"'","value":"'$finalizer'"},{"op":"remove","path":"/metadata/finalizers/'"$i"'"}]' || gone
	done <"$work/secrets"
}

# objects CRD prints "NAMESPACE NAME" for each object ("<none>" where the kind has no namespace).
objects() {
	$KUBECTL get "$1" --all-namespaces --no-headers -o custom-columns=:metadata.namespace,:metadata.name 2>"$work/error" || gone
}

[ -n "$crds" ] || { release; say "no CRD of bellhop is installed"; exit 0; }
total=0
for crd in $crds; do
	objects "$crd" >"$work/$crd"
	count=$(grep -c . "$work/$crd" || true)
	total=$((total + count))
	[ "$count" = 0 ] || say "$count objects of $crd"
done
if [ $total -gt 0 ] && [ "$FORCE" != 1 ]; then
	say "refused: delete them first, while the operator runs, so that it can clean up outside (classes and plans go with their" \
		"broker, and that after its bindings and instances); or FORCE=1 to abandon them"
	exit 1
fi

# A deletion that has begun lets nobody add objects or finalizers; so finalizers are stripped after it, and stay away.
$KUBECTL delete --wait=false crd $crds >&2
for crd in $crds; do
	while read -r namespace name; do
		[ -n "$name" ] || continue
		echo "abandoned: $crd $namespace/$name" | sed 's|<none>/||'
		# kubectl takes a namespace also for a kind that has none.
		$KUBECTL patch "$crd" "$name" --namespace "${namespace/<none>/}" --type merge \
			-p '{"metadata":{"finalizers":null}}' >/dev/null 2>"$work/error" || gone
	done <"$work/$crd"
done
$KUBECTL wait --for=delete crd $crds --timeout=60s >&2
release
