// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Config has the clients, indexes and limits that the controllers of the group share.
type Config struct {
	Index     index.Index // does not wait for this process's own writes
	Clients   *brokers.Clients
	ClusterID *brokers.ClusterID
	DigestKey *brokers.DigestKey
	// warnOfTakeover has the log say once that objects wait for the takeover.
	warnOfTakeover sync.Once
	// Reads bounds the Secrets of tenants that are in memory.
	Reads    secrets.Reads
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	// Started is when the process began, by the monotonic clock.
	Started time.Time
	// ServerTime returns the API server's time.
	ServerTime func() times.Server
	// Leadership is until when no other process leads.
	Leadership *leadership.Lease
	// Barrier has all kinds of the group.
	Barrier consistency.CacheBarrier
	// RequestRelist requests a relist of a broker.
	RequestRelist func(brokers.Key)
	// CheckAvailability requests a relist of a broker to see whether the broker answers with success: at most one in five seconds, or in a minute
	// after a relist that could not read the catalog.
	CheckAvailability func(brokers.Key)
	// ObserveRequest has the status of a broker follow the requests to it.
	ObserveRequest func(brokers.Key, limiter.Result)
	// ProtectSecrets keeps the Secrets of a broker from being deleted, before a request creates something there.
	ProtectSecrets func(context.Context, v1beta1.Broker) error
	// CountRelease counts a released object, by its kind.
	CountRelease func(kind string, why rules.Cause)
}

// Freshness returns the freshness of the objects of a kind.
func (c *Config) Freshness(kind string, o client.Object) *consistency.ObjectFreshness {
	return c.Barrier.Of(v1beta1.GroupVersion.WithKind(kind), o)
}
