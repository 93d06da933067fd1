#!/usr/bin/env bash
# Generates what of charts/bellhop is in config/ as well: CRDs, webhook configurations, roles and their bindings, monitoring. The templates
# add the names and the namespace of a release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
files=charts/bellhop/files

# split_into DIRECTORY FILE writes each document of a YAML file into a file that has its kind in the name.
split_into() {
	awk -v name="$1/$(basename "$2" .yaml)" '
		function end() { if (kind) printf "%s", text >(name "_" tolower(kind) ".yaml"); kind = text = "" }
		/^---$/ { end(); next }
		/^kind: / { kind = $2 }
		/^#/ { next }
		{ text = text $0 "\n" }
		END { end() }' "$2"
}

rm -rf "$files"
mkdir -p "$files"/{crds,operator/{both,pager,servicecatalog},rbac/{operator,pager,servicecatalog},prometheus,injection}
for crd in config/crd/bases/*.yaml; do
	sed '1{/^---$/d}' "$crd" >"$files/crds/$(basename "$crd")"
done
# Of an operator with both API groups, and of one with one.
for file in config/webhook/manifests.yaml config/rbac/role.yaml; do split_into "$files/operator/both" "$file"; done
for group in pager servicecatalog; do
	for file in config/$group/operator/{manifests,role}.yaml; do split_into "$files/operator/$group" "$file"; done
done
for file in config/rbac/*/*.yaml; do
	[ "$(basename "$file")" = kustomization.yaml ] || split_into "$files/rbac/$(basename "$(dirname "$file")")" "$file"
done
for file in config/injection/*_policy.yaml; do
	split_into "$files/injection" "$file"
done
split_into "$files/prometheus" config/prometheus/reader.yaml
cp config/prometheus/{monitor.yaml,rules.yaml,dashboard.json} "$files/prometheus/"

# The rights in a namespace of an operator that serves some only: the chart selects them from the ClusterRole.
helm=$(go tool -modfile=hack/tools/helm/go.mod -n helm)
"$helm" template bellhop charts/bellhop --set 'namespaces={any}' --set certificates.certManager.enabled=true --show-only templates/namespaced.yaml |
	awk '
		/^---$/ { kind = name = ""; inside = 0; next }
		/^kind: / { kind = $2 }
		/^  name: bellhop-namespace-role$/ { name = $2 }
		/^rules:$/ && kind == "Role" && name { print "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: " name "\n  labels: {app.kubernetes.io/name: bellhop}"; inside = 1 }
		inside' >config/namespaced/namespace/role.yaml

# The table of values, from the comments of values.yaml.
go tool -modfile=hack/tools/helm-docs/go.mod helm-docs --log-level=warning --chart-search-root=charts --sort-values-order=file
