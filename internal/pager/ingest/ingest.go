// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ingest is the listener to which Prometheus, Alertmanager and programs like them post alerts. Each replica serves it. A post is
// answered with success once its Alerts are stored.
//
// A sender repeats a post after a 5xx and drops it after a 4xx, so that the answer to every temporary condition is a 503: load, an API server that
// is away, an Alert that is being deleted.
package ingest

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
)

// stopTimeout is for how long requests may take when the process stops.
const stopTimeout = requestTimeout + time.Second

// Options are the options of the listener.
type Options struct {
	Servers *httpserver.Servers
	// Address is where it serves; empty: it does not.
	Address string
	// TLS sets the certificate.
	TLS     []func(*tls.Config)
	Metrics prometheus.Registerer
	// Recorder emits events about AlertSources.
	Recorder events.EventRecorder
	// Secrets has the metadata of Secrets.
	Secrets secrets.Metadata
}

// Setup adds the listener to a manager. The Access, which knows the tokens of Secrets, is there without a listener too. server is the clock of
// the API server.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options, server ServerClock) (access *Access, times Times, err error) {
	times = Times{Server: server, Clock: clock.RealClock{}}
	if access, err = newAccess(mgr, o.Secrets); err != nil || o.Address == "" {
		return access, times, err
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, times, err
	}
	times.Began = times.Clock.Now()
	store := &Store{Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Client: mgr.GetClient(), Times: times, Recorder: o.Recorder}
	listener, err := newHTTPServer(ctx, o, newHandler(sourcesIn(mgr.GetCache()), access, store, m))
	if err != nil {
		return nil, times, err
	}
	return access, times, mgr.Add(listener)
}

// sourcesIn reads AlertSources from a cache.
func sourcesIn(cache client.Reader) sourceReader {
	return func(ctx context.Context, name types.NamespacedName) (*v1beta1.AlertSource, error) {
		s := &v1beta1.AlertSource{}
		if err := cache.Get(ctx, name, s); err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		return s, nil
	}
}

// newHTTPServer returns a server that needs no leader, and completes the requests in progress when the process stops. It serves before the caches are
// filled: until then requests wait, and are refused after a time.
func newHTTPServer(ctx context.Context, o Options, handler http.Handler) (*manager.Server, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, set := range o.TLS {
		set(config)
	}
	server, listener, err := o.Servers.Listen(ctx, httpserver.Posts, o.Address, config, handler)
	if err != nil {
		return nil, err
	}
	return &manager.Server{Name: "AlertSources", Server: server, Listener: listener, ShutdownTimeout: new(stopTimeout)}, nil
}
