#!/usr/bin/env bash
# Prints what config/default renders to, or with CONFIG=pager what config/pager does, with the image IMG:
#   hack/config.sh all              all of it
#   hack/config.sh page-by-label    the same, with the component config/page-by-label
#   hack/config.sh ingest           the same, with the components config/ingest and config/ingress-policy
#   hack/config.sh crds             the CRDs; those of config/crd lack the name and the namespace of the conversion Service, and
#                                   applying them would break the conversion of a running operator
#   hack/config.sh webhooks         the webhook configurations
#   hack/config.sh namespace        the namespace
#   hack/config.sh operator         everything else
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kustomize=$(go tool -modfile=hack/tools/go.mod -n kustomize)
select_kind() { "$kustomize" cfg grep --annotate=false "kind=$1" | require_lines "$1"; }
exclude_kind() { "$kustomize" cfg grep --annotate=false --invert-match "kind=$1"; }
require_lines() { grep . || { echo "config/${CONFIG:-default} has no $1" >&2; return 1; }; }

# The image is set in a copy, so that the tree stays clean.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R config "$copy/"
(cd "$copy/config/manager" && "$kustomize" edit set image "controller=${IMG:-bellhop:dev}")
base=${CONFIG:-default}
overlay=$base
case ${1:-} in
page-by-label | ingest)
	overlay=overlay
	components=../$1
	[ "$1" != ingest ] || components+=", ../ingress-policy"
	mkdir "$copy/config/overlay"
	echo "{resources: [../$base], components: [$components]}" >"$copy/config/overlay/kustomization.yaml"
	;;
esac
"$kustomize" build "$copy/config/$overlay" >"$copy/all.yaml"

case ${1:-} in
all | page-by-label | ingest) cat "$copy/all.yaml" ;;
crds) select_kind CustomResourceDefinition <"$copy/all.yaml" ;;
webhooks)
	# kustomize cfg grep matches only one kind.
	select_kind MutatingWebhookConfiguration <"$copy/all.yaml"
	echo ---
	select_kind ValidatingWebhookConfiguration <"$copy/all.yaml"
	;;
namespace) select_kind Namespace <"$copy/all.yaml" ;;
operator)
	exclude_kind CustomResourceDefinition <"$copy/all.yaml" | exclude_kind Namespace |
		exclude_kind MutatingWebhookConfiguration | exclude_kind ValidatingWebhookConfiguration
	;;
*)
	echo "usage: $0 all | crds | webhooks | namespace | operator | page-by-label | ingest" >&2
	exit 2
	;;
esac
