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
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Name, New, Status, CopyStatus, Conditions, Attempts, IsInProgress and IsCreated give the engine access to ServiceInstances.

func (*InstanceReconciler) Name() string { return "ServiceInstance" }

func (*InstanceReconciler) New() *v1beta1.ServiceInstance { return &v1beta1.ServiceInstance{} }

func (*InstanceReconciler) Status(si *v1beta1.ServiceInstance) *v1beta1.ServiceInstanceStatus {
	return &si.Status
}

func (*InstanceReconciler) CopyStatus(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstanceStatus {
	return s.DeepCopy()
}

func (*InstanceReconciler) Conditions(s *v1beta1.ServiceInstanceStatus) []v1beta1.Condition {
	return s.Conditions
}

func (*InstanceReconciler) Attempts(s *v1beta1.ServiceInstanceStatus) *v1beta1.Attempts {
	return s.Attempts
}

func (*InstanceReconciler) IsInProgress(s *v1beta1.ServiceInstanceStatus) bool {
	return s.AsyncOpInProgress
}

func (*InstanceReconciler) IsCreated(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ProvisionStatus == v1beta1.Provisioned
}

// UnsettledAt returns the instances that are not settled at a broker.
func (r *InstanceReconciler) UnsettledAt(ctx context.Context, b v1beta1.Broker) []reconcile.Request {
	return r.lookup.atBroker(ctx, b)
}

// Remove sends the removal request of an orphan.
func (*InstanceReconciler) Remove(ctx context.Context, broker *osb.Client, request osb.RemovalRequest) (osb.RemovalResponse, osbresult.Outcome) {
	return broker.Deprovision(ctx, request)
}

// IsClaimed reports whether another object has the id of an orphan.
func (r *InstanceReconciler) IsClaimed(ctx context.Context, o *orphan) (bool, error) {
	others, err := r.index.InstancesWithID(ctx, o.remove.InstanceID)
	return slices.ContainsFunc(others, func(other *v1beta1.ServiceInstance) bool { return other.UID != o.object.GetUID() }), err
}
