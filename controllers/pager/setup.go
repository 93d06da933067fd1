// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	clienteventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/controllers/pager/alert"
	"github.com/gophernetes/bellhop/controllers/pager/alertsource"
	"github.com/gophernetes/bellhop/controllers/pager/health"
	"github.com/gophernetes/bellhop/controllers/pager/receiver"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// Options of the controllers of the group.
type Options struct {
	// Workers is the number of concurrent reconciles of Alerts.
	Workers int
	// OperatorNamespace has the Secrets of ClusterReceivers.
	OperatorNamespace string
	// Instance is the name of this process in Events.
	Instance string
	// Policy decides on risky destinations.
	Policy receivers.Policy
	// Guard refuses addresses.
	Guard *outbound.Guard
	// Recorder emits events about Alerts and AlertSources.
	Recorder events.EventRecorder
	// Metrics registers metrics.
	Metrics prometheus.Registerer
	// PagedResources are the resources whose objects may have Alerts by a label; empty: no object may.
	PagedResources []healthrules.Watched
	// PageResolveAfter is for how long such an object has to be healthy before its Alert is resolved.
	PageResolveAfter time.Duration
	// Ingest are the options of the listener of AlertSources.
	Ingest ingest.Options
	// Lease is the name of the operator's lease.
	Lease string
	// Namespaces that the operator serves; none: all.
	Namespaces []string
	// ServerClock is the clock of the API server.
	ServerClock ServerClock
	// Leadership is until when no other process leads.
	Leadership *leadership.Lease
	// UnwatchedSecrets: Secrets are got one by one, but not listed or watched.
	UnwatchedSecrets bool
}

// ServerClock is the API server's clock.
type ServerClock interface {
	ingest.ServerClock
	// Reading returns its time for a decision.
	Reading() times.Server
}

// Setup registers the controllers of the group.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if err := receivers.AddWaitingIndex(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	m, err := newMetrics(o.Metrics, mgr.GetCache())
	if err != nil {
		return err
	}
	clients, err := clienteventsv1.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	cache := endpoints.NewCache(mgr.GetAPIReader(), providers.Factory{Guard: o.Guard, Events: endpoints.NewEventCreator(clients, o.Instance)})
	cache.Policy = o.Policy
	metadata, err := o.secrets(mgr)
	if err != nil {
		return err
	}
	resolver := receivers.Resolver{Cache: metadata, OperatorNamespace: o.OperatorNamespace}
	endpointHealth := &endpoints.Health{}
	o.Ingest.Recorder, o.Ingest.Secrets = o.Recorder, metadata
	access, clocks, err := ingest.Setup(ctx, mgr, o.Ingest, o.ServerClock)
	if err != nil {
		return err
	}
	return errors.Join(
		alertsource.Setup(mgr, alertsource.Options{Access: access, Secrets: metadata, Times: clocks}),
		alert.Setup(ctx, mgr, alert.Options{Workers: o.Workers, Resolver: resolver, Secrets: metadata, Endpoints: cache, Health: endpointHealth, Recorder: o.Recorder, Metrics: m, ServerTime: o.ServerClock.Reading, Leadership: o.Leadership}),
		receiver.Setup(mgr, resolver, metadata, cache, endpointHealth),
		health.Setup(ctx, mgr, health.Options{
			Watched: o.PagedResources, Namespaces: o.Namespaces, ResolveAfter: o.PageResolveAfter, Now: o.now,
			Lease: types.NamespacedName{Namespace: o.OperatorNamespace, Name: o.Lease}, Recorder: o.Recorder, Metrics: o.Metrics,
		}),
	)
}

// secrets returns how this process knows which Secrets exist.
func (o Options) secrets(mgr ctrl.Manager) (secrets.Metadata, error) {
	if !o.UnwatchedSecrets {
		return secrets.Watched{Cache: mgr.GetCache()}, nil
	}
	polled := secrets.NewPolled(mgr.GetCache(), mgr.GetAPIReader())
	return polled, mgr.Add(polled)
}

// now returns the API server's time as it was known last, which goes on; before it was known, this machine's.
func (o Options) now() time.Time {
	if known := o.ServerClock.Last(); !known.IsZero() {
		return known
	}
	return time.Now()
}
