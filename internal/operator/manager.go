// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"crypto/tls"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	pagerv1alpha1 "github.com/gophernetes/bellhop/api/pager/v1alpha1"
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/cachetransform"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
)

// gracefulStop bounds the shutdown: the longest request to a receiver (30 s) and its status patch. A request to a broker may take
// longer, and is then repeated as it was.
const gracefulStop = 45 * time.Second

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, pagerv1alpha1.AddToScheme, pagerv1beta1.AddToScheme, servicecatalogv1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two types with one name: a programming error
		}
	}
	return scheme
}

// NewManager returns a manager whose webhook server uses the TLS settings. No Secret's content is cached. Once stopping ends, the webhook server
// closes its connections. stop ends the process with an error.
func NewManager(stopping context.Context, stop context.CancelCauseFunc, cfg *rest.Config, o Options, lasting *leadership.Lease, servers *httpserver.Servers, serving []func(*tls.Config)) (ctrl.Manager, error) {
	watches, err := apiserver.OwnConnection(cfg)
	if err != nil {
		return nil, err
	}
	lock, err := newLock(cfg, o, lasting, stop)
	if err != nil {
		return nil, err
	}
	if o.WebhookClientCA != "" {
		only, err := onlyClientsOf(o.WebhookClientCA)
		if err != nil {
			return nil, err
		}
		serving = append(serving, only)
	}
	renew, retry := o.renewal()
	options := ctrl.Options{
		Scheme:                 newScheme(),
		Metrics:                metricsserver.Options{BindAddress: off}, // AddMetrics and AddProbes serve them, within bounds
		HealthProbeBindAddress: off,
		PprofBindAddress:       o.PprofAddress,
		WebhookServer:          newWebhookServer(stopping, servers, o, serving),
		Cache:                  cache.Options{HTTPClient: watches, DefaultTransform: cachetransform.Share(cachetransform.Strip("ServiceBinding"))},
		Client: client.Options{Cache: &client.CacheOptions{
			EnableReadYourWritesConsistency: new(true),
			// Never a cache of Secrets' content.
			DisableFor: []client.Object{&corev1.Secret{}},
		}},
		Controller:                          config.Controller{EnableWarmup: new(true)},
		LeaderElection:                      o.LeaderElect,
		LeaderElectionID:                    o.APIs.LeaseName(),
		LeaderElectionResourceLockInterface: lock,
		LeaderElectionNamespace:             o.Namespace,
		LeaderElectionReleaseOnCancel:       true, // nothing runs after mgr.Start
		LeaseDuration:                       &o.LeaseDuration,
		RenewDeadline:                       &renew,
		RetryPeriod:                         &retry,
		GracefulShutdownTimeout:             new(gracefulStop),
	}
	o.Namespaces.Confine(&options)
	mgr, err := ctrl.NewManager(cfg, options)
	if err != nil {
		return nil, err
	}
	if err := reportOldServer(stopping, cfg, mgr.GetHTTPClient()); err != nil {
		return nil, err
	}
	return o.Namespaces.Manager(mgr), nil
}
