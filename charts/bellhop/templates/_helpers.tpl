{{/* Labels of all objects. */}}
{{- define "bellhop.labels" -}}
{{- $chart := printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- $labels := dict "app.kubernetes.io/name" "bellhop" "app.kubernetes.io/instance" .Release.Name "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/managed-by" .Release.Service "helm.sh/chart" $chart }}
{{- merge $labels (.Values.commonLabels | default dict) | toYaml }}
{{- end }}

{{/* Labels of the Pods. */}}
{{- define "bellhop.podLabels" -}}
{{- merge (include "bellhop.selectorLabels" . | fromYaml) (.Values.podLabels | default dict) (.Values.commonLabels | default dict) | toYaml }}
{{- end }}

{{/* Ports of the operator. The values of a former release, which "helm upgrade --reuse-values" keeps, have none. */}}
{{- define "bellhop.ports" -}}
{{- $ports := merge dict (.Values.ports | default dict) (dict "webhooks" 9443 "metrics" 8443 "probes" 8081 "ingest" 9444) }}
{{- if ne (len (values $ports | uniq)) (len $ports) }}
{{- fail (printf "ports has the same port twice: %s" (toJson $ports)) }}
{{- end }}
{{- toYaml $ports }}
{{- end }}

{{/* The one API group that is enabled; empty: both are. The values of a former release have neither. */}}
{{- define "bellhop.only" -}}
{{- $pager := ne (toString (.Values.pager | default dict).enabled) "false" }}
{{- $servicecatalog := ne (toString (.Values.servicecatalog | default dict).enabled) "false" }}
{{- if not (or $pager $servicecatalog) }}
{{- fail "pager.enabled and servicecatalog.enabled are both false: the operator has to serve one of them" }}
{{- end }}
{{- range $value, $isNeeded := dict "pageByLabel" (not $pager) "ingest" (not $pager) "injection" (not $servicecatalog) }}
{{- if and $isNeeded (index $.Values $value | default dict).enabled }}
{{- fail (printf "%s.enabled needs %s.enabled, which is false" $value (ternary "pager" "servicecatalog" (not $pager))) }}
{{- end }}
{{- end }}
{{- if not $servicecatalog }}pager{{ else if not $pager }}servicecatalog{{ end }}
{{- end }}

{{/* Whether the operator may only get Secrets: not empty then. */}}
{{- define "bellhop.unwatched" -}}
{{- if eq (toString (.Values.pager | default dict).watchSecrets) "false" }}
{{- if ne (include "bellhop.only" .) "pager" }}
{{- fail "pager.watchSecrets is false: set servicecatalog.enabled to false as well, because services need the right to watch Secrets" }}
{{- end }}yes{{ end }}
{{- end }}

{{/* The rules of the operator's ClusterRole, with the right to get Secrets only. */}}
{{- define "bellhop.rulesWithoutSecretWatch" -}}
{{- $rules := list }}
{{- range .rules }}
{{- if and (has "secrets" .resources) (not .resourceNames) }}
{{- $rules = append $rules (dict "apiGroups" .apiGroups "resources" (without .resources "secrets") "verbs" .verbs) }}
{{- else }}
{{- $rules = append $rules . }}
{{- end }}
{{- end }}
{{- append $rules (dict "apiGroups" (list "") "resources" (list "secrets") "verbs" (list "get")) | toYaml }}
{{- end }}

{{/* Prefix of the names of the operator's objects: two releases with one API group each can be in one namespace. */}}
{{- define "bellhop.prefix" -}}
bellhop-{{ with include "bellhop.only" . }}{{ . }}-{{ end }}
{{- end }}

{{/* Labels that select the operator's Pods. */}}
{{- define "bellhop.selectorLabels" -}}
control-plane: {{ with include "bellhop.only" . }}{{ . }}-{{ end }}controller-manager
app.kubernetes.io/name: bellhop
{{- end }}

{{/* Name of the image. */}}
{{- define "bellhop.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Annotations by which cert-manager puts its CA into an object. */}}
{{- define "bellhop.caAnnotations" -}}
{{- if .Values.certificates.certManager.enabled -}}
cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "bellhop.prefix" . }}serving-cert
{{- end }}
{{- end }}

{{/* Whether an object of config/rbac is about the whole cluster, or kinds without a namespace: not empty then. Its context is the object. */}}
{{- define "bellhop.isClusterWide" -}}
{{- if regexMatch "^(metrics-auth-role|(pager|servicecatalog)-cluster)" .metadata.name }}yes{{ end }}
{{- if and (hasPrefix "Cluster" .kind) (hasPrefix "manager-role" .metadata.name) }}yes{{ end }}
{{- end }}

{{/* The rules of a role without those for the Secret of the webhooks' certificate, which cert-manager writes. */}}
{{- define "bellhop.rulesWithoutCertificate" -}}
{{- $rules := list }}
{{- range .rules }}
{{- if not (regexMatch "webhook-server-cert" (toString .resourceNames)) }}{{ $rules = append $rules . }}{{ end }}
{{- end }}
{{- toYaml $rules }}
{{- end }}

{{/* The rules of the operator's ClusterRole for kinds with a namespace. */}}
{{- define "bellhop.namespacedRules" -}}
{{- $rules := list }}
{{- $role := .Files.Get (printf "files/operator/%s/role_clusterrole.yaml" (include "bellhop.only" . | default "both")) | fromYaml }}
{{- if include "bellhop.unwatched" . }}
{{- $_ := set $role "rules" (include "bellhop.rulesWithoutSecretWatch" $role | fromYamlArray) }}
{{- end }}
{{- range $role.rules }}
{{- $resources := list }}
{{- range .resources }}
{{- if not (or (hasPrefix "cluster" .) (has . (list "namespaces" "subjectaccessreviews"))) }}{{ $resources = append $resources . }}{{ end }}
{{- end }}
{{- if and $resources (not .resourceNames) }}{{ $rules = append $rules (dict "apiGroups" .apiGroups "resources" $resources "verbs" .verbs) }}{{ end }}
{{- end }}
{{- toYaml $rules }}
{{- end }}
