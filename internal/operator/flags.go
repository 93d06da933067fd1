// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

// Synopsis describes the operator in one line.
const Synopsis = "Bellhop is a Kubernetes operator: it delivers alerts to on-call and chat tools, and provisions services from Open Service Brokers."

// wholeUnits shortens durations such as 24h0m0s.
var wholeUnits = strings.NewReplacer("h0m0s", "h", "m0s", "m")

// helpWidth is the number of columns that help fills.
const helpWidth = 100

// FlagGroup is a section of --help and of docs/reference/flags.md.
type FlagGroup struct {
	Title string
	Flags []string // without dashes
}

// FlagGroups returns the groups of the flags. Each flag is in exactly one of them.
func FlagGroups() []FlagGroup {
	return []FlagGroup{
		{"Controllers", []string{
			"operator-namespace", "apis", "namespaces", "watch-secrets", "alert-workers", "instance-workers", "broker-workers", "kube-api-qps", "kubeconfig",
		}},
		{"Alerts by label", []string{"page-by-label", "page-kinds", "page-resolve-after"}},
		{"Alerts that are posted", []string{"ingest-bind-address", "ingest-cert-dir", "ingest-service"}},
		{"Brokers and receivers", []string{
			"broker-policy", "broker-relist-interval", "cluster-id-configmap-name", "osb-api-request-timeout", "receiver-policy",
		}},
		{"Network policy of outbound requests", []string{"allow-outbound", "deny-outbound", "proxy-resolves-names"}},
		{"Webhooks and certificates", []string{
			"webhook-cert-secret", "webhook-service", "webhook-cert-dir", "webhook-client-ca", "control-plane-cidrs", "webhook-host", "webhook-port", "shutdown-delay",
		}},
		{"Leader election", []string{"leader-elect", "leader-elect-identity", "leader-elect-lease-duration"}},
		{"Metrics and probes", []string{"metrics-bind-address", "metrics-service", "health-probe-bind-address", "pprof-bind-address"}},
		{"Logging", []string{"zap-log-level", "zap-encoder", "zap-time-encoding", "zap-stacktrace-level", "zap-devel"}},
		{"Information", []string{"help", "version"}},
	}
}

// EnvironmentVariable is a variable that the operator reads beside its flags.
type EnvironmentVariable struct{ Name, Usage string }

// Environment returns the variables of the environment that the operator reads.
func Environment() []EnvironmentVariable {
	return []EnvironmentVariable{
		{"POD_NAMESPACE", "Default of --operator-namespace."},
		{"MEMORY_LIMIT", "Memory limit of the container in bytes. The garbage collector runs more often at nine tenths of it."},
		{"GOMEMLIMIT", "Limit of Go's memory; takes precedence over MEMORY_LIMIT."},
		{"GOGC", "By how many percent the heap grows between garbage collections; default 200 with MEMORY_LIMIT and without GOMEMLIMIT, else 100."},
		{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "Proxy for requests to receivers, brokers and the API server, and the hosts that are requested without it. Mail does not use a proxy."},
	}
}

// bindForeign defines the flags of libraries, with the form of our own texts.
func (o *Options) bindForeign(fs *flag.FlagSet) {
	o.Log.BindFlags(fs)
	config.RegisterFlags(fs)
	for name, usage := range map[string]string{
		"kubeconfig":           "Path of a kubeconfig. Default: the service account of the Pod, else the kubeconfig that kubectl uses.",
		"zap-devel":            "Log for development: as text instead of JSON, from the level debug on, with stack traces from the level warn on.",
		"zap-encoder":          "The `format` of log lines: json or console. Default: json, or console with --zap-devel.",
		"zap-log-level":        "Minimum `level` of log lines: debug, info, error or panic; or a number, where a higher one logs more. Default: info, or debug with --zap-devel.",
		"zap-stacktrace-level": "Minimum `level` of log lines that have a stack trace: info, error or panic. Default: error, or warn with --zap-devel.",
		"zap-time-encoding":    "The `format` of the time in log lines: rfc3339, rfc3339nano, iso8601, epoch, millis or nano. Default: rfc3339.",
	} {
		fs.Lookup(name).Usage = usage
	}
}

// WriteHelp writes the synopsis, the flags by group, and the variables of the environment.
func WriteHelp(w io.Writer, fs *flag.FlagSet) {
	var b strings.Builder
	b.WriteString(wrap(Synopsis, ""))
	b.WriteString("\nUsage:\n  manager [flags]\n")
	for _, group := range FlagGroups() {
		fmt.Fprintf(&b, "\n%s:\n", group.Title)
		for _, name := range group.Flags {
			f := fs.Lookup(name)
			value, usage := flag.UnquoteUsage(f)
			line := strings.TrimRight("  --"+name+" "+value, " ")
			if byDefault := FlagDefault(f); byDefault != "" {
				line += " (default " + byDefault + ")"
			}
			b.WriteString(line + "\n" + wrap(usage, "        "))
		}
	}
	b.WriteString("\nEnvironment:\n")
	for _, v := range Environment() {
		fmt.Fprintf(&b, "  %s\n%s", v.Name, wrap(v.Usage, "        "))
	}
	_, _ = io.WriteString(w, b.String()) // nothing can be done where stdout is closed
}

// FlagDefault returns the default of a flag, or nothing where it is empty, false, or said by the text of the flag.
func FlagDefault(f *flag.Flag) string {
	if f.DefValue == "false" || strings.Contains(f.Usage, "Default:") {
		return ""
	}
	return wholeUnits.Replace(f.DefValue)
}

// wrap returns a text as lines with an indent, each with its line break.
func wrap(text, indent string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+len(word) > helpWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
	return b.String()
}
