/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// The operator of Bellhop: it pages people and brings services, as asked for
// with kubectl.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	goruntime "runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	pagerv1alpha1 "github.com/gophernetes/bellhop/api/pager/v1alpha1"
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	pagercontrollers "github.com/gophernetes/bellhop/controllers/pager"
	servicecatalogcontrollers "github.com/gophernetes/bellhop/controllers/servicecatalog"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/cachetransform"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/certificates"
	"github.com/gophernetes/bellhop/internal/operator"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/receivers"
	pagerwebhooks "github.com/gophernetes/bellhop/webhooks/pager"
	servicecatalogwebhooks "github.com/gophernetes/bellhop/webhooks/servicecatalog"
)

// gracefulStop is how long what is under way may take when the process is asked to
// stop: the longest request to a receiver (30 s) and its record. One to a broker may
// take longer, and is then repeated as it was.
const gracefulStop = 45 * time.Second

// minLease leaves a leader time for a few renewals.
const minLease = 3 * time.Second

// mutexSampling: of so many waits for a lock profiles have one.
const mutexSampling = 100

type options struct {
	metricsAddress, probeAddress string
	pprofAddress                 string
	leaderElect                  bool
	leaseDuration                time.Duration
	webhookHost                  string
	webhookPort                  int
	webhookCertDir, certSecret   string
	webhookService               string
	operatorNamespace            string
	alertWorkers                 int
	apiQPS                       float64
	allowOutbound                string
	brokerPolicy                 string
	instanceWorkers              int
	brokerWorkers                int
	relistInterval, osbTimeout   time.Duration
	clusterIDConfigMap           string
	zap                          zap.Options
}

func (o *options) bind(fs *flag.FlagSet) {
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "Address on which metrics are served, over TLS, to who is authorised; 0 turns them off.")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz.")
	fs.StringVar(&o.pprofAddress, "pprof-bind-address", "0", "Address on which profiles are served under /debug/pprof to whoever asks, such as 127.0.0.1:6060; 0 turns them off.")
	fs.BoolVar(&o.leaderElect, "leader-elect", false, "Elect a leader, so that of several replicas one acts and the others stand by.")
	fs.DurationVar(&o.leaseDuration, "leader-elect-lease-duration", 15*time.Second, "How long after a leader's last sign of life another takes over; at least 3s.")
	fs.StringVar(&o.webhookHost, "webhook-host", "", "Address on which webhooks are served; empty: all.")
	fs.IntVar(&o.webhookPort, "webhook-port", 9443, "Port on which webhooks are served.")
	fs.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "Folder of the webhooks' tls.crt and tls.key; without --webhook-cert-secret.")
	fs.StringVar(&o.certSecret, "webhook-cert-secret", "", "Secret in the operator's namespace in which the webhooks' certificate is made and rotated; empty: the files in --webhook-cert-dir come from elsewhere, such as cert-manager.")
	fs.StringVar(&o.webhookService, "webhook-service", "bellhop-webhook-service", "Service by which the API server calls the webhooks; with --webhook-cert-secret.")
	fs.StringVar(&o.operatorNamespace, "operator-namespace", os.Getenv("POD_NAMESPACE"), "Namespace of the operator, where Secrets of cluster-scoped objects are. Default: the environment variable POD_NAMESPACE.")
	fs.IntVar(&o.alertWorkers, "alert-workers", 128, "How many Alerts are worked on at once.")
	fs.Float64Var(&o.apiQPS, "kube-api-qps", -1, "Requests per second to the API server at most; negative: no limit here, API priority and fairness decides.")
	fs.StringVar(&o.allowOutbound, "allow-outbound", "", "Comma-separated addresses and CIDRs that may be talked to although they are loopback, link-local, metadata or the API server's own.")
	fs.IntVar(&o.instanceWorkers, "instance-workers", 128, "How many ServiceInstances, and as many ServiceBindings, are worked on at once.")
	fs.IntVar(&o.brokerWorkers, "broker-workers", 32, "How many ClusterServiceBrokers, and as many ServiceBrokers, have their catalog read at once.")
	fs.DurationVar(&o.relistInterval, "broker-relist-interval", 24*time.Hour, "After how long a broker's catalog is read again where its relistDuration does not say; at least 1m.")
	fs.DurationVar(&o.osbTimeout, "osb-api-request-timeout", time.Minute, "How long a request to a broker may take.")
	fs.StringVar(&o.clusterIDConfigMap, "cluster-id-configmap-name", "cluster-info", "ConfigMap in the operator's namespace with the id by which brokers know this cluster. It is made if it is not there.")
	fs.StringVar(&o.brokerPolicy, "broker-policy", string(servicecatalogwebhooks.BrokerPolicyCompatible), "What is made of brokers' addresses that are in the cluster or not encrypted, and of certificates that nobody checks: compatible warns, strict refuses them for ServiceBrokers.")
	o.zap.BindFlags(fs)
}

func main() {
	var o options
	o.bind(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(newLogger(&o.zap))
	if o.pprofAddress != "0" {
		goruntime.SetMutexProfileFraction(mutexSampling)
	}
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "Bellhop ended")
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.operatorNamespace == "" {
		return errors.New("--operator-namespace is not set, and neither is POD_NAMESPACE: give the namespace in which Secrets of ClusterReceivers are, such as bellhop-system")
	}
	if o.leaseDuration < minLease {
		return fmt.Errorf("--leader-elect-lease-duration is %s: it has to be at least %s", o.leaseDuration, minLease)
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	cfg.QPS, cfg.Burst = float32(o.apiQPS), max(int(2*o.apiQPS), 1)
	guard, err := newGuard(ctx, cfg, o.allowOutbound)
	if err != nil {
		return err
	}
	// Webhooks are served, and so certificates kept, also while another leads.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	serving, err := keepCertificates(ctx, stop, cfg, o)
	if err != nil {
		return err
	}
	mgr, err := newManager(cfg, o, serving)
	if err != nil {
		return fmt.Errorf("setting up the manager: %w", err)
	}
	recorder, err := operator.NewRecorder(mgr)
	if err != nil {
		return fmt.Errorf("setting up events: %w", err)
	}
	instance, err := os.Hostname() // of a Pod it is its name
	if err != nil {
		return fmt.Errorf("finding the name of this machine: %w", err)
	}
	for _, s := range []struct {
		name  string
		setup func() error
	}{
		{"indexes", func() error {
			return errors.Join(receivers.AddIndexes(ctx, mgr.GetFieldIndexer()), index.AddIndexes(ctx, mgr.GetFieldIndexer()))
		}},
		{"pager controllers", func() error {
			return pagercontrollers.Setup(ctx, mgr, pagercontrollers.Options{
				Workers: o.alertWorkers, OperatorNamespace: o.operatorNamespace, Instance: instance, Guard: guard, Recorder: recorder, Metrics: metrics.Registry,
			})
		}},
		{"pager webhooks", func() error {
			return pagerwebhooks.Setup(mgr, pagerwebhooks.Options{OperatorNamespace: o.operatorNamespace, Guard: guard})
		}},
		{"servicecatalog controllers", func() error {
			return servicecatalogcontrollers.Setup(ctx, mgr, servicecatalogcontrollers.Options{
				Workers: o.instanceWorkers, BrokerWorkers: o.brokerWorkers,
				ClusterID: types.NamespacedName{Namespace: o.operatorNamespace, Name: o.clusterIDConfigMap},
				Timeout:   o.osbTimeout, RelistInterval: o.relistInterval, Guard: guard, Recorder: recorder, Metrics: metrics.Registry,
			})
		}},
		{"servicecatalog webhooks", func() error {
			return servicecatalogwebhooks.Setup(mgr, servicecatalogwebhooks.Options{BrokerPolicy: servicecatalogwebhooks.BrokerPolicy(o.brokerPolicy), Guard: guard})
		}},
		{"probes", func() error {
			return errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping),
				// Ready does not wait for caches: their first list may need our conversion.
				mgr.AddReadyzCheck("webhooks", mgr.GetWebhookServer().StartedChecker()))
		}},
	} {
		if err := s.setup(); err != nil {
			return fmt.Errorf("setting up %s: %w", s.name, err)
		}
	}
	go returnMemory(ctx)
	if err := mgr.Start(ctx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, pagerv1alpha1.AddToScheme, pagerv1beta1.AddToScheme, servicecatalogv1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one name: a mistake in the program
		}
	}
	return scheme
}

func newManager(cfg *rest.Config, o options, serving []func(*tls.Config)) (ctrl.Manager, error) {
	// Who cannot renew its lease any more tries to give it back before it stops. client-go begins to count after a retry,
	// and takes as long again for that: it has to be over when another may lead.
	renew, retry := o.leaseDuration*3/8, o.leaseDuration/8
	watches, err := apiserver.OwnConnection(cfg)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(cfg, ctrl.Options{
		Scheme: newScheme(),
		Metrics: metricsserver.Options{
			BindAddress:    o.metricsAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
		HealthProbeBindAddress: o.probeAddress,
		PprofBindAddress:       o.pprofAddress,
		WebhookServer:          webhook.NewServer(webhook.Options{Host: o.webhookHost, Port: o.webhookPort, CertDir: o.webhookCertDir, TLSOpts: serving}),
		Cache:                  cache.Options{HTTPClient: watches, DefaultTransform: cachetransform.Share(cachetransform.Strip("ServiceBinding"))},
		Client: client.Options{Cache: &client.CacheOptions{
			EnableReadYourWritesConsistency: new(true),
			// Never a cache of Secrets' content.
			DisableFor: []client.Object{&corev1.Secret{}},
		}},
		Controller:                    config.Controller{EnableWarmup: new(true)},
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "bellhop.gophernetes.io",
		LeaderElectionNamespace:       o.operatorNamespace,
		LeaderElectionReleaseOnCancel: true, // nothing runs after mgr.Start
		LeaseDuration:                 &o.leaseDuration,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
		GracefulShutdownTimeout:       new(gracefulStop),
	})
}

// newGuard refuses addresses that nobody's message has any business with.
func newGuard(ctx context.Context, cfg *rest.Config, allow string) (*outbound.Guard, error) {
	allowed, err := outbound.ParseAllow(allow)
	if err != nil {
		return nil, err
	}
	own, err := apiserver.Addresses(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("finding the API server's addresses, which receivers may not have: %w", err)
	}
	return outbound.NewGuard(allowed, own), nil
}

// keepCertificates returns once the webhooks can be served with a certificate
// that the API server trusts.
func keepCertificates(ctx context.Context, stop context.CancelCauseFunc, cfg *rest.Config, o options) ([]func(*tls.Config), error) {
	if o.certSecret == "" {
		return nil, nil
	}
	keeper := certificates.New(certificates.Options{
		Secret:  types.NamespacedName{Namespace: o.operatorNamespace, Name: o.certSecret},
		DNSName: o.webhookService + "." + o.operatorNamespace + ".svc",
		Trust: []certificates.Target{
			certificates.MutatingWebhooks("bellhop-mutating-webhook-configuration"),
			certificates.ValidatingWebhooks("bellhop-validating-webhook-configuration"),
			certificates.Conversion("alerts." + pagerv1beta1.GroupVersion.Group),
		},
	})
	go func() { stop(keeper.Run(ctx, cfg)) }()
	select {
	case <-keeper.Ready():
		return []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = keeper.GetCertificate }}, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("keeping certificates: %w", context.Cause(ctx))
	}
}
