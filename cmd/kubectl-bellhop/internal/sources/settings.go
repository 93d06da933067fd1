// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"fmt"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/docs"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
)

// authorityFormat prints the certificate authority alone.
const authorityFormat = "ca"

// format is how one kind of sender is configured.
type format struct {
	// settings is a text with variables such as ${URL}; see text.
	settings string
	// page is the page of the documentation.
	page string
	// files: the sender reads the token and the certificate authority from files.
	files bool
	// needsSecret: the sender cannot use the token of a ServiceAccount, which changes each hour.
	needsSecret bool
}

// formats has the settings by the names of --print. Prometheus, vmalert and Grafana append /api/v2/alerts to the address; Flux and Argo CD do
// not.
var formats = map[string]format{
	authorityFormat: {settings: "${CA}"},
	"prometheus": {page: "receive-from-prometheus.md", files: true, settings: `# In prometheus.yml:
alerting:
  alertmanagers:
  - scheme: https
    api_version: v2
    path_prefix: ${PATH}
    authorization:
      credentials_file: /etc/bellhop/token
    tls_config:
      ca_file: /etc/bellhop/ca.crt
    static_configs:
    - targets:
      - ${HOST}
`},
	"alertmanager": {page: "receive-from-alertmanager.md", files: true, settings: `# In alertmanager.yml; a route names the receiver. If the group_interval of a route is longer than 5m, or the sum of its
# repeat_interval and group_interval longer than 120h, set spec.alertmanager of the AlertSource.
receivers:
- name: bellhop
  webhook_configs:
  - url: ${URL}${WEBHOOK}
    send_resolved: true
    http_config:
      authorization:
        credentials_file: /etc/bellhop/token
      tls_config:
        ca_file: /etc/bellhop/ca.crt
`},
	"vmalert": {page: "receive-from-vmalert.md", files: true, settings: `# Flags of vmalert:
-notifier.url=${URL}
-notifier.bearerTokenFile=/etc/bellhop/token
-notifier.tlsCAFile=/etc/bellhop/ca.crt
`},
	"grafana": {page: "receive-from-grafana.md", needsSecret: true, settings: `# In a file of Grafana's folder provisioning/alerting. BELLHOP_TOKEN is a variable of Grafana's environment,
# with ${TOKEN}.
# Set repeat_interval of the notification policy to 1m, so that no alert ends too early.
apiVersion: 1
contactPoints:
- orgId: 1
  name: bellhop
  receivers:
  - uid: bellhop
    type: prometheus-alertmanager
    settings:
      url: ${URL}
      basicAuthUser: bellhop
      basicAuthPassword: $BELLHOP_TOKEN
# The contact point has no setting for a certificate authority: mount this one, and set SSL_CERT_DIR to
# /etc/ssl/certs and its folder, separated by a colon.
${CA#}`},
	"flux": {page: "receive-from-flux.md", needsSecret: true, settings: `# Secret bellhop-token in namespace flux-system has to have the key token,
# with ${TOKEN}.
apiVersion: v1
kind: Secret
metadata:
  name: bellhop-ca
  namespace: flux-system
stringData:
  ca.crt: |
${CA    }---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata:
  name: bellhop
  namespace: flux-system
spec:
  type: alertmanager
  address: ${URL}${ALERTS}
  secretRef:
    name: bellhop-token
  certSecretRef:
    name: bellhop-ca
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata:
  name: bellhop
  namespace: flux-system
spec:
  providerRef:
    name: bellhop
  eventSeverity: error
  eventSources:
  - kind: Kustomization
    name: '*'
  - kind: HelmRelease
    name: '*'
`},
	"argocd": {page: "receive-from-argo-cd.md", needsSecret: true, settings: `# Add these keys to the ConfigMaps, which have others. Secret argocd-notifications-secret has to have the key
# bellhop-token, with ${TOKEN}.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-notifications-cm
  namespace: argocd
data:
  service.alertmanager: |
    targets:
    - ${HOST}
    scheme: https
    apiPath: ${PATH}${ALERTS}
    bearerToken: $bellhop-token
    timeout: 10
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-tls-certs-cm
  namespace: argocd
data:
  ${HOSTNAME}: |
${CA    }`},
}

// text returns the settings of a sender.
func (f format) text(source *v1beta1.AlertSource, l *listener, a authority) string {
	settings := f.settings
	if f.files {
		settings += "# /etc/bellhop/token has ${TOKEN}.\n# /etc/bellhop/ca.crt has the certificate authority of the operator:\n${CA#}"
	}
	if f.page != "" {
		settings += "# See " + docs.URL("how-to/alerts/"+f.page) + "\n"
	}
	commented := a.pem
	indented := indent(a.pem, "    ")
	if a.pem == "" {
		commented = a.problem + "\n"
		indented = "    # " + a.problem + "\n"
	}
	return strings.NewReplacer(
		"${URL}", l.url(source), "${PATH}", endpoint.Path(source.Namespace, source.Name), "${ALERTS}", endpoint.Alerts, "${WEBHOOK}", endpoint.Webhook,
		"${HOST}", l.host(), "${HOSTNAME}", l.hostname(), "${TOKEN}", tokenOf(source),
		"${CA}", a.pem, "${CA#}", indent(commented, "# "), "${CA    }", indented,
	).Replace(settings)
}

// tokenOf says which token a sender needs. It is never the token itself.
func tokenOf(source *v1beta1.AlertSource) string {
	if secret := source.Spec.SecretRef; secret != nil {
		return fmt.Sprintf("the key %s of Secret %s in namespace %s", endpoint.TokenKey, secret.Name, source.Namespace)
	}
	return fmt.Sprintf("the token of a ServiceAccount for the audience %s, which may create alertsources/ingest in namespace %s", endpoint.Audience, source.Namespace)
}

// problem says why senders of this format cannot post; empty: they can.
func (f format) problem(source *v1beta1.AlertSource) string {
	if !f.needsSecret || source.Spec.SecretRef != nil {
		return ""
	}
	return fmt.Sprintf("AlertSource %s has no secretRef: this sender needs a token that does not change, as that of a Secret", source.Name)
}

// indent returns the lines of a text with a prefix.
func indent(text, prefix string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(prefix + line)
	}
	return out.String()
}
