// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/controllers/servicecatalog/authsecret"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/binding"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/broker"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/instance"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// Options of the controllers of the group.
type Options struct {
	// Workers is the number of concurrent reconciles of instances, and of bindings; BrokerWorkers the number for the brokers of each scope.
	Workers, BrokerWorkers int
	// ClusterID is the ConfigMap with the id by which brokers know this cluster.
	ClusterID types.NamespacedName
	// Timeout of a request to a broker; 0: the default.
	Timeout time.Duration
	// RelistInterval between two relists of a catalog, where the broker's spec has none.
	RelistInterval time.Duration
	// Guard refuses addresses.
	Guard *outbound.Guard
	// Strict: names of ServiceBrokers are resolved without the search list of the operator's Pod.
	Strict bool
	// ServerTime returns the API server's time.
	ServerTime func() times.Server
	// Leadership is until when no other process leads.
	Leadership *leadership.Lease
	// Recorder emits events.
	Recorder events.EventRecorder
	// Metrics registers metrics.
	Metrics prometheus.Registerer
}

// Setup registers the controllers of the group. The indexes of internal/servicecatalog/catalog/index have to be added before.
func Setup(_ context.Context, mgr ctrl.Manager, o Options) error {
	m, err := newMetrics(o.Metrics, mgr.GetCache(), clock.RealClock{})
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	digests := brokers.NewDigestKey(mgr.GetAPIReader(), mgr.GetClient(), types.NamespacedName{Namespace: o.ClusterID.Namespace, Name: brokers.DigestKeySecret})
	config := &engine.Config{
		Index:        index.Index{Cache: mgr.GetCache()},
		Barrier:      consistency.CacheBarrier{Cache: mgr.GetCache(), Live: mgr.GetAPIReader()},
		ClusterID:    brokers.NewClusterID(mgr.GetAPIReader(), mgr.GetClient(), o.ClusterID),
		DigestKey:    digests,
		CountRelease: m.released,
		Recorder:     o.Recorder,
		Clock:        clock.RealClock{},
		Started:      clock.RealClock{}.Now(),
		ServerTime:   o.ServerTime,
		Leadership:   o.Leadership,
		Clients:      brokers.NewClients(mgr.GetCache(), mgr.GetAPIReader(), o.Guard, o.Timeout, digests, m.observe),
	}
	config.Clients.Strict = o.Strict
	secrets := authsecret.NewReconciler(mgr.GetCache(), mgr.GetClient(), index.Index{Cache: consistency.ReadYourWrites(mgr.GetClient(), mgr.GetCache())}, o.Recorder, &config.Barrier)
	config.ProtectSecrets = secrets.Protect
	err = errors.Join(
		authsecret.Setup(mgr, secrets),
		broker.Setup(mgr, config, broker.Options{Workers: o.BrokerWorkers, RelistInterval: o.RelistInterval, Protect: secrets.Enqueue, ForgetMetrics: m.forget}), // before the others, which request relists
		instance.Setup(mgr, config, o.Workers),
		binding.Setup(mgr, config, o.Workers),
	)
	if err != nil {
		return fmt.Errorf("setting up the controllers of services: %w", err)
	}
	return mgr.Add(&config.Barrier)
}
