// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command floor is the baseline of the benchmarks: a controller that sends only the requests that the task needs. It has no
// conditions, no events, no SSRF guard, and no retries but those of the queue.
//
//   - client-go and controller-runtime send each new Alert once: one request to one address, and one status patch.
//   - services provisions and binds with one request between two status patches each, and deprovisions and unbinds with one request and
//     one removal of the finalizer each. It writes and deletes the Secret of a binding. It does not poll asynchronous operations.
//
// Everything else is as in the operator: flags, settings of the client, probes, metrics, and the code of the webhooks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalog "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/cachetransform"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	pagerwebhooks "github.com/gophernetes/bellhop/webhooks/pager"
	catalogwebhooks "github.com/gophernetes/bellhop/webhooks/servicecatalog"
)

type options struct {
	// Flags of the operator, which hack/local gives to every binary that it starts.
	metricsAddress, probeAddress       string
	pprofAddress                       string
	webhookHost, webhookCertDir        string
	webhookPort                        int
	operatorNamespace, allowedOutbound string

	loop    string
	workers int
	url     string
	model   string
}

func (o *options) bind(fs *flag.FlagSet) {
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "as the operator's")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", "0", "as the operator's")
	fs.StringVar(&o.pprofAddress, "pprof-bind-address", "0", "as the operator's")
	fs.StringVar(&o.webhookHost, "webhook-host", "", "as the operator's")
	fs.IntVar(&o.webhookPort, "webhook-port", 9443, "as the operator's")
	fs.StringVar(&o.webhookCertDir, "webhook-cert-dir", "", "as the operator's")
	fs.StringVar(&o.operatorNamespace, "operator-namespace", "", "as the operator's")
	fs.StringVar(&o.allowedOutbound, "allow-outbound", "", "as the operator's; only the webhooks use it")
	fs.StringVar(&o.loop, "loop", "", "client-go, controller-runtime or services")
	fs.IntVar(&o.workers, "workers", 1, "how many objects of a kind are worked on at once")
	fs.StringVar(&o.url, "url", "", "where every Alert is paged to, or where the broker is")
	fs.StringVar(&o.model, "model", "", "file with what Bellhop did for one object: every object gets the same status, and is asked for by the same requests")
}

// loops has the functions that set up a loop, by the value of -loop.
var loops = map[string]func(ctrl.Manager, options) error{
	"client-go":          setUpLoop,
	"controller-runtime": setUpReconciler,
	"services":           setUpServices,
}

func main() {
	var o options
	o.bind(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New())
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "The floor ended")
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	setUp, ok := loops[o.loop]
	if !ok {
		return fmt.Errorf("there is no loop %q", o.loop)
	}
	mgr, err := newManager(o)
	if err != nil {
		return err
	}
	if err := setUpWebhooks(ctx, mgr, o); err != nil {
		return fmt.Errorf("setting up webhooks: %w", err)
	}
	if err := setUp(mgr, o); err != nil {
		return fmt.Errorf("setting up the loop %q: %w", o.loop, err)
	}
	return mgr.Start(ctx)
}

// newManager returns a manager as the operator's, without leader election and warm-up, and without the waits for the operator's
// own writes.
func newManager(o options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, v1beta1.AddToScheme, servicecatalog.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	cfg.QPS = -1
	return ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme,
		Metrics: metricsserver.Options{
			BindAddress:    o.metricsAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
		HealthProbeBindAddress: o.probeAddress,
		PprofBindAddress:       o.pprofAddress,
		WebhookServer:          webhook.NewServer(webhook.Options{Host: o.webhookHost, Port: o.webhookPort, CertDir: o.webhookCertDir}),
		Cache:                  cache.Options{DefaultTransform: cachetransform.Strip("ServiceBinding")},
	})
}

// setUpWebhooks serves the operator's webhooks, with the caches that the operator has.
func setUpWebhooks(ctx context.Context, mgr ctrl.Manager, o options) error {
	allowed, err := outbound.ParseNetworks("--allow-outbound", o.allowedOutbound)
	if err != nil {
		return err
	}
	if err := errors.Join(receivers.AddIndexes(ctx, mgr.GetFieldIndexer()), index.AddIndexes(ctx, mgr.GetFieldIndexer())); err != nil {
		return err
	}
	for _, kind := range []client.Object{
		&v1beta1.Receiver{}, &v1beta1.ClusterReceiver{}, apiserver.Metadata("Secret"), apiserver.Metadata("Namespace"),
		&servicecatalog.ClusterServiceBroker{}, &servicecatalog.ClusterServiceClass{}, &servicecatalog.ClusterServicePlan{},
		&servicecatalog.ServiceBroker{}, &servicecatalog.ServiceClass{}, &servicecatalog.ServicePlan{},
		&servicecatalog.ServiceInstance{}, &servicecatalog.ServiceBinding{},
	} {
		if _, err := mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	guard := outbound.NewGuard(allowed, nil)
	return errors.Join(
		pagerwebhooks.Setup(mgr, pagerwebhooks.Options{OperatorNamespace: o.operatorNamespace, Guard: guard}),
		catalogwebhooks.Setup(mgr, catalogwebhooks.Options{Guard: guard}),
		mgr.AddReadyzCheck("webhooks", mgr.GetWebhookServer().StartedChecker()))
}
