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

package instance

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	instancerules "github.com/gophernetes/bellhop/internal/lifecycle/instance"
)

// Name returns the kind.
func (*Reconciler) Name() string { return "ServiceInstance" }

// New returns an empty object.
func (*Reconciler) New() *v1beta1.ServiceInstance { return &v1beta1.ServiceInstance{} }

// Status returns the status of an instance.
func (*Reconciler) Status(si *v1beta1.ServiceInstance) *v1beta1.ServiceInstanceStatus {
	return &si.Status
}

// CopyStatus returns a deep copy of a status.
func (*Reconciler) CopyStatus(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstanceStatus {
	return s.DeepCopy()
}

// Conditions returns the conditions of a status.
func (*Reconciler) Conditions(s *v1beta1.ServiceInstanceStatus) []v1beta1.Condition {
	return s.Conditions
}

// Attempts returns the attempts of a status; nil: there are none.
func (*Reconciler) Attempts(s *v1beta1.ServiceInstanceStatus) *v1beta1.Attempts {
	return s.Attempts
}

// IsInProgress reports whether an operation is in progress.
func (*Reconciler) IsInProgress(s *v1beta1.ServiceInstanceStatus) bool {
	return instancerules.PhaseOf(s).IsAccepted()
}

// IsCreated reports whether the broker has confirmed the instance.
func (*Reconciler) IsCreated(s *v1beta1.ServiceInstanceStatus) bool {
	return instancerules.IsProvisioned(s)
}

// UnsettledAt returns the instances that are not settled at a broker.
func (r *Reconciler) UnsettledAt(ctx context.Context, b v1beta1.Broker) []reconcile.Request {
	return r.dependents.atBroker(ctx, b)
}
