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

package servicecatalog

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/versioned"
)

// Options are what the controllers of the group have to be told.
type Options struct {
	// Workers is how many instances, and as many bindings, are worked on at once;
	// BrokerWorkers is the same for brokers of each scope.
	Workers, BrokerWorkers int
	// ClusterID is the ConfigMap with the id that brokers know this cluster by.
	ClusterID types.NamespacedName
	// Timeout of a request to a broker; 0: the usual one.
	Timeout time.Duration
	// RelistInterval is after how long a catalog is read again where the broker does not
	// say.
	RelistInterval time.Duration
	// Guard says which addresses may be talked to.
	Guard *outbound.Guard
	// Recorder is of events.
	Recorder events.EventRecorder
	// Metrics is where metrics are registered.
	Metrics prometheus.Registerer
}

// kit is what the controllers of the group share.
type kit struct {
	index       index.Index // does not wait for our own writes
	connections *connections
	clusterID   *clusterID
	metrics     *metrics
	recorder    events.EventRecorder
	clock       clock.PassiveClock
	// barrier is of all kinds of the group.
	barrier consistency.CacheBarrier
	// What is there once brokers are set up: relist has a broker's catalog read again.
	relist      func(brokerKey)
	authSecrets *secretKeeper
}

// Setup registers the controllers of the group. The indexes of internal/catalog/index have
// to be there.
func Setup(_ context.Context, mgr ctrl.Manager, o Options) error {
	m, err := newMetrics(o.Metrics, mgr.GetCache(), clock.RealClock{})
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	k := &kit{
		index:     index.Index{Cache: mgr.GetCache()},
		barrier:   consistency.CacheBarrier{Cache: mgr.GetCache(), Live: mgr.GetAPIReader()},
		clusterID: &clusterID{live: mgr.GetAPIReader(), writer: mgr.GetClient(), name: o.ClusterID},
		metrics:   m,
		recorder:  o.Recorder,
		clock:     clock.RealClock{},
		connections: &connections{
			cache: mgr.GetCache(), live: mgr.GetAPIReader(), guard: o.Guard, timeout: o.Timeout,
			observe: m.observe, ready: versioned.NewCache[brokerKey, *connection](),
		},
	}
	for _, s := range []struct {
		name  string
		setup func(ctrl.Manager, *kit, Options) error
	}{
		{"brokers", setupBrokers}, // first: the others ask for catalogs
		{"instances", setupInstances},
		{"bindings", setupBindings},
	} {
		if err := s.setup(mgr, k, o); err != nil {
			return fmt.Errorf("setting up %s: %w", s.name, err)
		}
	}
	return mgr.Add(&k.barrier)
}
