// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package catalog has the rules about catalogs of brokers that webhooks and controllers share: names and labels of classes and plans, restrictions,
// plan references, external ids, and parameters. It is pure: no client, no clock, no cache.
package catalog

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Scope is the scope of a broker and of its classes and plans.
type Scope string

const (
	// Cluster-scoped.
	Cluster Scope = "Cluster"
	// In a namespace.
	Namespaced Scope = "Namespaced"
)

// Scopes has both.
var Scopes = []Scope{Cluster, Namespaced}

// ScopeOf returns the scope of a Broker, Class or Plan.
func ScopeOf(obj any) Scope {
	switch obj.(type) {
	case *v1beta1.ClusterServiceBroker, *v1beta1.ClusterServiceClass, *v1beta1.ClusterServicePlan:
		return Cluster
	default:
		return Namespaced
	}
}

// ScopeOfBroker returns the scope of a kind of broker, as in a BrokerReference.
func ScopeOfBroker(kind string) Scope {
	if kind == Cluster.BrokerKind() {
		return Cluster
	}
	return Namespaced
}

// BrokerKind returns the kind of brokers of the scope.
func (s Scope) BrokerKind() string { return s.prefix() + "ServiceBroker" }

// ClassKind returns the kind of classes of the scope.
func (s Scope) ClassKind() string { return s.prefix() + "ServiceClass" }

// PlanKind returns the kind of plans of the scope.
func (s Scope) PlanKind() string { return s.prefix() + "ServicePlan" }

func (s Scope) prefix() string {
	if s == Cluster {
		return "Cluster"
	}
	return ""
}
