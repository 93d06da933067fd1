#!/usr/bin/env bash
# Prints what config/default renders to, with the image IMG:
#   hack/config.sh all         all of it
#   hack/config.sh crds        the CRDs. Not from config/crd: only config/default knows the name and the namespace of the
#                              Service that converts, and installing CRDs must not lead those of a running operator astray
#   hack/config.sh webhooks    the webhook configurations
#   hack/config.sh namespace   the namespace
#   hack/config.sh operator    everything else
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kustomize=$(go tool -modfile=hack/tools/go.mod -n kustomize)
kinds() { "$kustomize" cfg grep --annotate=false "kind=$1" | ensure_some "$1"; }
others() { "$kustomize" cfg grep --annotate=false --invert-match "kind=$1"; }
ensure_some() { grep . || { echo "config/default has no $1" >&2; return 1; }; }

# The image is set in a copy, so that the tree stays clean.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R config "$copy/"
(cd "$copy/config/manager" && "$kustomize" edit set image "controller=${IMG:-bellhop:dev}")
"$kustomize" build "$copy/config/default" >"$copy/all.yaml"

case ${1:-} in
all) cat "$copy/all.yaml" ;;
crds) kinds CustomResourceDefinition <"$copy/all.yaml" ;;
webhooks)
	# Two kinds, and the command knows no "or".
	kinds MutatingWebhookConfiguration <"$copy/all.yaml"
	echo ---
	kinds ValidatingWebhookConfiguration <"$copy/all.yaml"
	;;
namespace) kinds Namespace <"$copy/all.yaml" ;;
operator)
	others CustomResourceDefinition <"$copy/all.yaml" | others Namespace |
		others MutatingWebhookConfiguration | others ValidatingWebhookConfiguration
	;;
*)
	echo "usage: $0 all | crds | webhooks | namespace | operator" >&2
	exit 2
	;;
esac
