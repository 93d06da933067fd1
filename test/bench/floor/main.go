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

// Command floor is what Bellhop is measured against: a loop that pages each new Alert once, by one request to one address
// and one status patch, and can do nothing else. It has no retries of its own, no rows, no events and no guard.
//
// What is not the loop is as in the operator: flags, client settings, probes, metrics, and the webhooks' own code.
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
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/receivers"
	pagerwebhooks "github.com/gophernetes/bellhop/webhooks/pager"
)

type options struct {
	// Those of the operator, which hack/local gives to whatever it starts.
	metricsAddress, probeAddress       string
	webhookHost, webhookCertDir        string
	webhookPort                        int
	operatorNamespace, allowedOutbound string

	loop             string
	workers          int
	url              string
	alertFile, paged string
}

func (o *options) bind(fs *flag.FlagSet) {
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "as the operator's")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", "0", "as the operator's")
	fs.StringVar(&o.webhookHost, "webhook-host", "", "as the operator's")
	fs.IntVar(&o.webhookPort, "webhook-port", 9443, "as the operator's")
	fs.StringVar(&o.webhookCertDir, "webhook-cert-dir", "", "as the operator's")
	fs.StringVar(&o.operatorNamespace, "operator-namespace", "", "as the operator's")
	fs.StringVar(&o.allowedOutbound, "allow-outbound", "", "as the operator's; only the webhooks ask")
	fs.StringVar(&o.loop, "loop", "", "client-go or controller-runtime")
	fs.IntVar(&o.workers, "workers", 1, "how many Alerts are worked on at once")
	fs.StringVar(&o.url, "url", "", "where every Alert is paged to")
	fs.StringVar(&o.alertFile, "alert", "", "file with an Alert that Bellhop has sent: its status is what every Alert gets")
	fs.StringVar(&o.paged, "body", "", "file with what Bellhop sent for that Alert: every Alert is sent the same, with its own name and UID")
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
	p, err := newPager(o)
	if err != nil {
		return err
	}
	mgr, err := newManager(o)
	if err != nil {
		return err
	}
	if err := setUpWebhooks(ctx, mgr, o); err != nil {
		return fmt.Errorf("setting up webhooks: %w", err)
	}
	switch o.loop {
	case "client-go":
		err = setUpLoop(mgr, p, o.workers)
	case "controller-runtime":
		err = setUpReconciler(mgr, p, o.workers)
	default:
		err = errors.New("there is no such loop")
	}
	if err != nil {
		return fmt.Errorf("setting up the loop %q: %w", o.loop, err)
	}
	return mgr.Start(ctx)
}

// newManager is the operator's, without what its reconcilers need: leader election, warm-up, and reads of what was just
// written.
func newManager(o options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, v1beta1.AddToScheme} {
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
		WebhookServer:          webhook.NewServer(webhook.Options{Host: o.webhookHost, Port: o.webhookPort, CertDir: o.webhookCertDir}),
		Cache:                  cache.Options{DefaultTransform: kube.StripForCache},
	})
}

// setUpWebhooks serves the operator's webhooks, from the caches that the operator has.
func setUpWebhooks(ctx context.Context, mgr ctrl.Manager, o options) error {
	allowed, err := outbound.ParseAllow(o.allowedOutbound)
	if err != nil {
		return err
	}
	if err := receivers.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for _, kind := range []client.Object{&v1beta1.Receiver{}, &v1beta1.ClusterReceiver{}, receivers.Metadata("Secret"), receivers.Metadata("Namespace")} {
		if _, err := mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	return errors.Join(
		pagerwebhooks.Setup(mgr, pagerwebhooks.Options{OperatorNamespace: o.operatorNamespace, Guard: outbound.NewGuard(allowed, nil)}),
		mgr.AddReadyzCheck("webhooks", mgr.GetWebhookServer().StartedChecker()))
}
