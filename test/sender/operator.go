// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagercontrollers "github.com/gophernetes/bellhop/controllers/pager"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/ingest"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/test/sender/kube"
)

// The resources of the API server.
var (
	alerts       = pagerResource("alerts", "Alert", true)
	alertSources = pagerResource("alertsources", "AlertSource", true)
	resources    = []kube.Resource{
		alerts, alertSources, pagerResource("receivers", "Receiver", true), pagerResource("clusterreceivers", "ClusterReceiver", false),
		{GroupVersionResource: corev1.SchemeGroupVersion.WithResource("secrets"), Kind: "Secret", IsNamespaced: true},
		{GroupVersionResource: corev1.SchemeGroupVersion.WithResource("namespaces"), Kind: "Namespace"},
		{GroupVersionResource: eventsResource, Kind: "Event", IsNamespaced: true},
	}
	scheme = newScheme()
)

func pagerResource(name, kind string, isNamespaced bool) kube.Resource {
	return kube.Resource{GroupVersionResource: v1beta1.GroupVersion.WithResource(name), Kind: kind, IsNamespaced: isNamespaced}
}

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, r := range resources {
		scope := meta.RESTScopeRoot
		if r.IsNamespaced {
			scope = meta.RESTScopeNamespace
		}
		mapper.AddSpecific(r.GroupVersion().WithKind(r.Kind), r.GroupVersionResource, r.GroupVersionResource, scope)
	}
	return mapper
}

// replica is a process of the operator: its manager, its caches, its listener, and its controllers if it leads.
type replica struct {
	address string
	api     *kube.Client
	stop    context.CancelFunc
	done    chan error
	// toListener is what the network forwards posts by.
	toListener *http.Transport
}

// startReplica starts a process of the operator. It is set up as main does it, but for what an AlertSource does not need.
func startReplica(ctx context.Context, sim *simulation, name string) (*replica, error) {
	r := &replica{address: name + ":9444", api: kube.NewClient(sim.api), done: make(chan error, 1)}
	serverClock := &apiserver.Clock{}
	cfg := &rest.Config{Host: "http://kube", Transport: r.api, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: runtime.ContentTypeJSON}}
	cfg.Wrap(serverClock.Observe)
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                  scheme,
		Logger:                  logr.FromSlogHandler(sim.log.Handler()).WithName(name),
		MapperProvider:          func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return newMapper(), nil },
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:  "0",
		Client:                  client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true), DisableFor: []client.Object{&corev1.Secret{}}}},
		Controller:              config.Controller{SkipNameValidation: new(true)},
		GracefulShutdownTimeout: new(time.Minute),
	})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	servers, err := httpserver.New(httpserver.Options{Network: sim.network.listen, Metrics: registry})
	if err != nil {
		return nil, err
	}
	ctx, r.stop = context.WithCancel(ctx)
	if err := receivers.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	err = pagercontrollers.Setup(ctx, mgr, pagercontrollers.Options{
		Workers: 1, OperatorNamespace: "bellhop", Instance: name, Policy: receivers.PolicyCompatible, Guard: outbound.NewGuard(nil, nil),
		Recorder: &events.FakeRecorder{}, Metrics: registry, ServerClock: serverClock,
		Ingest: ingest.Options{
			Servers: servers, Address: r.address, Metrics: registry,
			TLS: []func(*tls.Config){func(c *tls.Config) { c.Certificates = []tls.Certificate{sim.certificate} }},
		},
	})
	if err != nil {
		return nil, err
	}
	r.toListener = &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return sim.network.dial(ctx, network, r.address)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a test
	}
	go func() {
		err := mgr.Start(ctx)
		if err != nil {
			sim.log.Error("the operator ended", "replica", name, slog.Any("err", err))
		}
		r.done <- err
	}()
	return r, nil
}

// end ends the process. A crash loses what is being written.
func (r *replica) end(crashes bool) error {
	if crashes {
		r.api.Cut()
	}
	r.stop()
	err := <-r.done
	r.api.Cut()
	r.toListener.CloseIdleConnections()
	if crashes || err == nil {
		return nil
	}
	return fmt.Errorf("ending %s: %w", r.address, err)
}
