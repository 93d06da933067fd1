// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Refs are the names in an instance's references; empty: there is no reference.
type Refs struct{ Class, Plan string }

// RefsOf returns the references to objects of a scope.
func RefsOf(spec *v1beta1.ServiceInstanceSpec, scope Scope) (r Refs) {
	if scope == Cluster {
		if ref := spec.ClusterServiceClassRef; ref != nil {
			r.Class = ref.Name
		}
		if ref := spec.ClusterServicePlanRef; ref != nil {
			r.Plan = ref.Name
		}
		return r
	}
	if ref := spec.ServiceClassRef; ref != nil {
		r.Class = ref.Name
	}
	if ref := spec.ServicePlanRef; ref != nil {
		r.Plan = ref.Name
	}
	return r
}

// SetRefs sets the references of a scope, and removes the other scope's.
func SetRefs(spec *v1beta1.ServiceInstanceSpec, scope Scope, r Refs) {
	spec.ClusterServiceClassRef, spec.ClusterServicePlanRef, spec.ServiceClassRef, spec.ServicePlanRef = nil, nil, nil, nil
	isCluster := scope == Cluster
	switch {
	case r.Class == "":
	case isCluster:
		spec.ClusterServiceClassRef = &v1beta1.ClusterObjectReference{Name: r.Class}
	default:
		spec.ServiceClassRef = &v1beta1.LocalObjectReference{Name: r.Class}
	}
	switch {
	case r.Plan == "":
	case isCluster:
		spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: r.Plan}
	default:
		spec.ServicePlanRef = &v1beta1.LocalObjectReference{Name: r.Plan}
	}
}
