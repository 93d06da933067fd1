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
	"cmp"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// refs are the names in an instance's references; empty: there is none.
type refs struct{ class, plan string }

// or takes what r has not from other.
func (r refs) or(other refs) refs {
	return refs{cmp.Or(r.class, other.class), cmp.Or(r.plan, other.plan)}
}

func (o offer) refs() (r refs) {
	if o.class != nil {
		r.class = o.class.GetName()
	}
	if o.plan != nil {
		r.plan = o.plan.GetName()
	}
	return r
}

func refsOf(spec v1beta1.ServiceInstanceSpec, scope catalog.Scope) (r refs) {
	if scope == catalog.Cluster {
		if ref := spec.ClusterServiceClassRef; ref != nil {
			r.class = ref.Name
		}
		if ref := spec.ClusterServicePlanRef; ref != nil {
			r.plan = ref.Name
		}
		return r
	}
	if ref := spec.ServiceClassRef; ref != nil {
		r.class = ref.Name
	}
	if ref := spec.ServicePlanRef; ref != nil {
		r.plan = ref.Name
	}
	return r
}

// setRefs sets the references of a scope, and removes those of the other.
func setRefs(spec *v1beta1.ServiceInstanceSpec, scope catalog.Scope, r refs) {
	spec.ClusterServiceClassRef, spec.ClusterServicePlanRef, spec.ServiceClassRef, spec.ServicePlanRef = nil, nil, nil, nil
	isCluster := scope == catalog.Cluster
	switch {
	case r.class == "":
	case isCluster:
		spec.ClusterServiceClassRef = &v1beta1.ClusterObjectReference{Name: r.class}
	default:
		spec.ServiceClassRef = &v1beta1.LocalObjectReference{Name: r.class}
	}
	switch {
	case r.plan == "":
	case isCluster:
		spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: r.plan}
	default:
		spec.ServicePlanRef = &v1beta1.LocalObjectReference{Name: r.plan}
	}
}

// refsAfter are the references after a user's change: that of the class stays, that of
// the plan unless another is named. What the user made of them is ignored.
func refsAfter(old, spec v1beta1.ServiceInstanceSpec, scope catalog.Scope) refs {
	r := refsOf(old, scope)
	if old.PlanReference != spec.PlanReference {
		r.plan = ""
	}
	return r
}
