// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogsync

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Kinds are the kinds of brokers, classes and plans of one scope.
type Kinds struct {
	catalog.Scope
	NewBroker func() v1beta1.Broker
	NewClass  func() v1beta1.Class
	NewPlan   func() v1beta1.Plan
	// Deleted is the reason of the event about the release of a broker.
	Deleted string
}

// AllKinds has the kinds of both scopes.
var AllKinds = []Kinds{ClusterWide, Namespaced}

// KindsOf returns the kinds of a scope.
func KindsOf(scope catalog.Scope) Kinds {
	if scope == catalog.Cluster {
		return ClusterWide
	}
	return Namespaced
}

var ClusterWide = Kinds{
	Scope:     catalog.Cluster,
	NewBroker: func() v1beta1.Broker { return &v1beta1.ClusterServiceBroker{} },
	NewClass:  func() v1beta1.Class { return &v1beta1.ClusterServiceClass{} },
	NewPlan:   func() v1beta1.Plan { return &v1beta1.ClusterServicePlan{} },
	Deleted:   v1beta1.ReasonDeletedClusterServiceBrokerSuccessfully,
}

var Namespaced = Kinds{
	Scope:     catalog.Namespaced,
	NewBroker: func() v1beta1.Broker { return &v1beta1.ServiceBroker{} },
	NewClass:  func() v1beta1.Class { return &v1beta1.ServiceClass{} },
	NewPlan:   func() v1beta1.Plan { return &v1beta1.ServicePlan{} },
	Deleted:   v1beta1.ReasonDeletedSuccessfully,
}
