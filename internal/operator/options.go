// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operator has the options of the operator and its manager: caches, certificates, leader election.
package operator

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/gophernetes/bellhop/internal/kube/apigroups"
	"github.com/gophernetes/bellhop/internal/kube/namespaces"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	servicecatalogwebhooks "github.com/gophernetes/bellhop/webhooks/servicecatalog"
)

// minLease leaves a leader time for a few renewals.
const minLease = 3 * time.Second

// Options are the operator's flags.
type Options struct {
	MetricsAddress, ProbeAddress string
	MetricsService               string
	PprofAddress                 string
	LeaderElect                  bool
	LeaderElectIdentity          string
	LeaseDuration                time.Duration
	ShutdownDelay                time.Duration
	WebhookHost                  string
	WebhookPort                  int
	WebhookCertDir, CertSecret   string
	WebhookClientCA              string
	ControlPlaneCIDRs            string
	WebhookService               string
	Namespace                    string
	Namespaces                   namespaces.Set
	APIs                         apigroups.Set
	WatchSecrets                 bool
	AlertWorkers                 int
	APIQPS                       float64
	AllowOutbound, DenyOutbound  string
	ProxyResolvesNames           bool
	BrokerPolicy, ReceiverPolicy string
	InstanceWorkers              int
	BrokerWorkers                int
	RelistInterval, OSBTimeout   time.Duration
	ClusterIDConfigMap           string
	PageByLabel                  bool
	PageKinds                    string
	PageResolveAfter             time.Duration
	IngestAddress, IngestService string
	IngestCertDir                string
	PrintHelp, PrintVersion      bool
	Log                          zap.Options
}

// Bind defines the flags.
func (o *Options) Bind(fs *flag.FlagSet) {
	fs.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8443", "Address of the metrics endpoint, served over TLS to authorized clients; 0 disables it.")
	fs.StringVar(&o.MetricsService, "metrics-service", "", "Service by which Prometheus knows the metrics endpoint: its names are in the certificate of --webhook-cert-secret, which the endpoint is served with. Default: bellhop-controller-manager-metrics-service, or with one API group in --apis bellhop-pager-controller-manager-metrics-service and the like.")
	fs.StringVar(&o.ProbeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz.")
	fs.StringVar(&o.PprofAddress, "pprof-bind-address", "0", "Address of /debug/pprof, served without authorization, such as 127.0.0.1:6060; 0 disables it.")
	fs.BoolVar(&o.LeaderElect, "leader-elect", false, "Elect a leader, so that one of several replicas reconciles and the others stand by.")
	fs.DurationVar(&o.LeaseDuration, "leader-elect-lease-duration", 15*time.Second, "How long after the leader's last renewal another replica takes over; at least 3s.")
	fs.StringVar(&o.LeaderElectIdentity, "leader-elect-identity", "", "Name of this replica in the lease. A replica that is restarted under the same name leads again without waiting for the end of its lease; no two may have the same name. Default: host name and a random id.")
	fs.DurationVar(&o.ShutdownDelay, "shutdown-delay", 0, "How long webhooks are served after SIGTERM, while readiness fails, so that the API server calls other replicas before this one ends.")
	fs.StringVar(&o.WebhookHost, "webhook-host", "", "Address of the webhook server; empty: all addresses.")
	fs.IntVar(&o.WebhookPort, "webhook-port", 9443, "Port of the webhook server.")
	fs.StringVar(&o.WebhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "Directory of the webhook server's tls.crt and tls.key; used without --webhook-cert-secret.")
	fs.StringVar(&o.WebhookClientCA, "webhook-client-ca", "", "File with the authorities, in PEM form, of the client certificate that the API server presents to webhooks: requests without one are refused. The API server has to be configured for it. Default: anything that reaches the port is answered.")
	fs.StringVar(&o.ControlPlaneCIDRs, "control-plane-cidrs", "", "Comma-separated addresses and CIDRs that API servers call the webhooks from, beside the endpoints of the Service kubernetes: half of what the webhook server can serve at once is theirs. Set it where connections of API servers arrive through a proxy, such as konnectivity, or with another source address.")
	fs.StringVar(&o.CertSecret, "webhook-cert-secret", "", "Secret in the operator's namespace in which the operator creates and rotates the webhook server's certificate; empty: something else, such as cert-manager, writes the files in --webhook-cert-dir.")
	fs.StringVar(&o.WebhookService, "webhook-service", "", "Service by which the API server calls the webhooks; used with --webhook-cert-secret. Default: bellhop-webhook-service, or with one API group in --apis bellhop-pager-webhook-service and the like.")
	fs.StringVar(&o.Namespace, "operator-namespace", os.Getenv("POD_NAMESPACE"), "Namespace of the operator, which has the Secrets of cluster-scoped objects. Default: the environment variable POD_NAMESPACE.")
	fs.Func("namespaces", "Comma-separated namespaces of the objects that the operator serves, for an installation whose rights end there; of cluster-scoped kinds it serves none. It needs --webhook-cert-dir. Default: all namespaces and kinds.", func(list string) error {
		o.Namespaces = strings.Split(list, ",")
		return o.Namespaces.Validate()
	})
	o.APIs = apigroups.All
	fs.Func("apis", "Comma-separated API groups whose kinds the operator serves: pager (Alert, Receiver, ClusterReceiver, AlertSource), servicecatalog (brokers, ServiceInstance, ServiceBinding). It neither reads nor needs the kinds of the other. Default: pager,servicecatalog.", func(list string) (err error) {
		o.APIs, err = apigroups.Parse(list)
		return err
	})
	fs.BoolVar(&o.WatchSecrets, "watch-secrets", true, "List and watch the metadata of the Secrets of receivers and AlertSources. If false, the operator needs only the right to get these Secrets: it reads the metadata of each again after a failure, and every 10 minutes.")
	fs.IntVar(&o.AlertWorkers, "alert-workers", 128, "Number of Alerts that are reconciled at once.")
	fs.Float64Var(&o.APIQPS, "kube-api-qps", -1, "Maximum number of requests per second to the API server; negative: no client-side limit, API priority and fairness decides.")
	fs.StringVar(&o.AllowOutbound, "allow-outbound", "", "Comma-separated addresses and CIDRs that requests may be sent to although they are loopback, link-local, metadata or API server addresses.")
	fs.StringVar(&o.DenyOutbound, "deny-outbound", "", "Comma-separated addresses and CIDRs that no request may be sent to, beside loopback, link-local, metadata and API server addresses; those of --allow-outbound are excepted.")
	fs.BoolVar(&o.ProxyResolvesNames, "proxy-resolves-names", false, "Send requests through HTTPS_PROXY or HTTP_PROXY also to names that only the proxy can resolve. Their addresses are not checked: the proxy's policy decides.")
	fs.IntVar(&o.InstanceWorkers, "instance-workers", 128, "Number of ServiceInstances, and of ServiceBindings, that are reconciled at once.")
	fs.IntVar(&o.BrokerWorkers, "broker-workers", 32, "Number of ClusterServiceBrokers, and of ServiceBrokers, whose catalogs are fetched at once.")
	fs.DurationVar(&o.RelistInterval, "broker-relist-interval", 24*time.Hour, "How often a broker's catalog is fetched whose relistDuration is not set; at least 1m.")
	fs.DurationVar(&o.OSBTimeout, "osb-api-request-timeout", time.Minute, "Timeout of a request to a broker.")
	fs.StringVar(&o.ClusterIDConfigMap, "cluster-id-configmap-name", "cluster-info", "ConfigMap in the operator's namespace with the cluster's id, which the operator sends to brokers. The operator creates it if it does not exist.")
	fs.StringVar(&o.BrokerPolicy, "broker-policy", string(servicecatalogwebhooks.BrokerPolicyCompatible), "What happens to brokers with plain http, in-cluster addresses or skipped certificate verification: compatible warns, strict refuses them for ServiceBrokers.")
	fs.StringVar(&o.ReceiverPolicy, "receiver-policy", string(receivers.PolicyCompatible), "What happens to receivers with plain http, in-cluster addresses or skipped certificate verification: compatible warns, strict refuses them for Receivers.")
	fs.BoolVar(&o.PageByLabel, "page-by-label", false, "Create Alerts about failing objects that have the label pager.k8s.co/page=true, in Namespaces with the label pager.k8s.co/page-by-label=enabled.")
	fs.StringVar(&o.PageKinds, "page-kinds", "", "Comma-separated resources, as GROUP/VERSION/RESOURCE or RESOURCE.GROUP, whose objects may have the label of --page-by-label, beside workloads, PersistentVolumeClaims, ServiceInstances and ServiceBindings. Conditions that mean a failure may follow, as in rollouts.argoproj.io:Available=False|InvalidSpec=True; default: Ready=False and Stalled=True.")
	fs.DurationVar(&o.PageResolveAfter, "page-resolve-after", time.Minute, "How long an object with the label of --page-by-label has to be healthy before its Alert is resolved: an object that fails again and again within that time has one Alert.")
	fs.StringVar(&o.IngestAddress, "ingest-bind-address", endpoint.Off, "Address, such as :9444, at which every replica serves AlertSources: Prometheus, Alertmanager and programs like them post alerts to it over TLS; 0: none.")
	fs.StringVar(&o.IngestService, "ingest-service", endpoint.Service, "Service by which senders reach --ingest-bind-address: its names are in the certificate of --webhook-cert-secret.")
	fs.StringVar(&o.IngestCertDir, "ingest-cert-dir", "", "Directory of tls.crt and tls.key for --ingest-bind-address, such as a certificate that senders outside of the cluster trust. Default: the webhook server's certificate.")
	fs.BoolVar(&o.PrintHelp, "help", false, "Print this help, and exit.")
	fs.BoolVar(&o.PrintVersion, "version", false, "Print version, commit and version of Go, and exit.")
	o.bindForeign(fs)
	fs.Usage = func() { fmt.Fprintln(fs.Output(), "Run manager --help for the flags.") }
}

// PagedResources returns the resources whose objects may ask for Alerts; none without --page-by-label.
func (o *Options) PagedResources() ([]healthrules.Watched, error) {
	if !o.PageByLabel {
		if o.PageKinds != "" {
			return nil, fmt.Errorf("--page-kinds is %s and --page-by-label is not set: set both, or neither", o.PageKinds)
		}
		return nil, nil
	}
	resources, err := healthrules.ParseWatched(o.PageKinds)
	if err != nil {
		return nil, fmt.Errorf("--page-kinds: %w", err)
	}
	return resources, nil
}

// Validate returns an error that names the flag that cannot be used.
func (o *Options) Validate() error {
	if o.Namespace == "" {
		return errors.New("--operator-namespace is not set, and neither is POD_NAMESPACE: set it to the namespace of the Secrets of ClusterReceivers, such as bellhop-system")
	}
	if err := o.validateAPIs(); err != nil {
		return err
	}
	if o.LeaseDuration < minLease {
		return fmt.Errorf("--leader-elect-lease-duration is %s: it must be at least %s", o.LeaseDuration, minLease)
	}
	if err := receivers.Policy(o.ReceiverPolicy).Validate(); err != nil {
		return err
	}
	if _, err := o.PagedResources(); err != nil {
		return err
	}
	if o.PageResolveAfter < 0 {
		return fmt.Errorf("--page-resolve-after is %s: it must not be negative", o.PageResolveAfter)
	}
	if _, _, err := net.SplitHostPort(o.IngestAddress); err != nil && o.IngestAddress != endpoint.Off {
		return fmt.Errorf("--ingest-bind-address is %q: it must be an address with a port, such as :9444, or 0: %w", o.IngestAddress, err)
	}
	if o.ShutdownDelay < 0 {
		return fmt.Errorf("--shutdown-delay is %s: it must not be negative", o.ShutdownDelay)
	}
	if len(o.Namespaces) > 0 && o.CertSecret != "" {
		return errors.New("--namespaces and --webhook-cert-secret are both set: to write the certificate into the webhook configurations is a right in the whole cluster; have cert-manager issue it, and set --webhook-cert-dir")
	}
	return nil
}

// validateAPIs returns an error that names a flag of the pager where only services are served, or one that services do not permit.
func (o *Options) validateAPIs() error {
	if !o.WatchSecrets && o.APIs.ServiceCatalog {
		return fmt.Errorf("--watch-secrets is false and --apis has %s, which watches Secrets: set --apis=%s, or leave out --watch-secrets", apigroups.ServiceCatalog, apigroups.Pager)
	}
	if o.APIs.Pager {
		return nil
	}
	for flag, isSet := range map[string]bool{"page-by-label": o.PageByLabel, "ingest-bind-address": o.IngestAddress != endpoint.Off} {
		if isSet {
			return fmt.Errorf("--%s is set and --apis is %s: alerts need %s in --apis", flag, apigroups.ServiceCatalog, apigroups.Pager)
		}
	}
	return nil
}
