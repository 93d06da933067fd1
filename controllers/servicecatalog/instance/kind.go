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
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/orphans"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// Name, New, Status, CopyStatus, Conditions, Attempts, IsInProgress and IsCreated give the engine access to ServiceInstances.

func (*Reconciler) Name() string { return "ServiceInstance" }

func (*Reconciler) New() *v1beta1.ServiceInstance { return &v1beta1.ServiceInstance{} }

func (*Reconciler) Status(si *v1beta1.ServiceInstance) *v1beta1.ServiceInstanceStatus {
	return &si.Status
}

func (*Reconciler) CopyStatus(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstanceStatus {
	return s.DeepCopy()
}

func (*Reconciler) Conditions(s *v1beta1.ServiceInstanceStatus) []v1beta1.Condition {
	return s.Conditions
}

func (*Reconciler) Attempts(s *v1beta1.ServiceInstanceStatus) *v1beta1.Attempts {
	return s.Attempts
}

func (*Reconciler) IsInProgress(s *v1beta1.ServiceInstanceStatus) bool {
	return s.AsyncOpInProgress
}

func (*Reconciler) IsCreated(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ProvisionStatus == v1beta1.Provisioned
}

// UnsettledAt returns the instances that are not settled at a broker.
func (r *Reconciler) UnsettledAt(ctx context.Context, b v1beta1.Broker) []reconcile.Request {
	return r.dependents.atBroker(ctx, b)
}

// Remove sends the removal request of an orphan.
func (*Reconciler) Remove(ctx context.Context, broker *osb.Client, request osb.RemovalRequest) (osb.RemovalResponse, osbresult.Outcome) {
	return broker.Deprovision(ctx, request)
}

// IsClaimed reports whether another object has the id of an orphan.
func (r *Reconciler) IsClaimed(ctx context.Context, o *orphans.Orphan) (bool, error) {
	others, err := r.Index.InstancesWithID(ctx, o.Request.InstanceID)
	return slices.ContainsFunc(others, func(other *v1beta1.ServiceInstance) bool { return other.UID != o.Object.GetUID() }), err
}
