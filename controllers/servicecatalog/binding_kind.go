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
	bindingrules "github.com/gophernetes/bellhop/internal/lifecycle/binding"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Name, New, Status, CopyStatus, Conditions, Attempts, IsInProgress and IsCreated give the engine access to ServiceBindings.

func (*BindingReconciler) Name() string { return "ServiceBinding" }

func (*BindingReconciler) New() *v1beta1.ServiceBinding { return &v1beta1.ServiceBinding{} }

func (*BindingReconciler) Status(b *v1beta1.ServiceBinding) *v1beta1.ServiceBindingStatus {
	return &b.Status
}

func (*BindingReconciler) CopyStatus(s *v1beta1.ServiceBindingStatus) *v1beta1.ServiceBindingStatus {
	return s.DeepCopy()
}

func (*BindingReconciler) Conditions(s *v1beta1.ServiceBindingStatus) []v1beta1.Condition {
	return s.Conditions
}

func (*BindingReconciler) Attempts(s *v1beta1.ServiceBindingStatus) *v1beta1.Attempts {
	return s.Attempts
}

func (*BindingReconciler) IsInProgress(s *v1beta1.ServiceBindingStatus) bool {
	return s.AsyncOpInProgress
}

func (*BindingReconciler) IsCreated(s *v1beta1.ServiceBindingStatus) bool {
	return bindingrules.IsBound(s)
}

// UnsettledAt returns the bindings that are not settled at a broker.
func (r *BindingReconciler) UnsettledAt(ctx context.Context, b v1beta1.Broker) []reconcile.Request {
	return r.lookup.atBroker(ctx, b)
}

// Remove sends the removal request of an orphan.
func (*BindingReconciler) Remove(ctx context.Context, broker *osb.Client, request osb.RemovalRequest) (osb.RemovalResponse, osbresult.Outcome) {
	return broker.Unbind(ctx, request)
}

// IsClaimed reports whether another object has the id of an orphan.
func (r *BindingReconciler) IsClaimed(ctx context.Context, o *orphan) (bool, error) {
	others, err := r.index.BindingsWithID(ctx, o.remove.BindingID)
	return slices.ContainsFunc(others, func(other *v1beta1.ServiceBinding) bool { return other.UID != o.object.GetUID() }), err
}
