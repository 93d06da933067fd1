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

package engine

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// stub is a kind whose reconcile a test provides.
type stub struct {
	*Reconciler[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]
	reconcile func(context.Context, *Scope[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]) (ctrl.Result, error)
}

func newStub(c client.Client, k *Config) *stub {
	s := &stub{}
	s.Reconciler = NewReconciler(k, s, c, c)
	return s
}

func (*stub) Name() string                                                      { return "ServiceInstance" }
func (*stub) New() *v1beta1.ServiceInstance                                     { return &v1beta1.ServiceInstance{} }
func (*stub) Status(si *v1beta1.ServiceInstance) *v1beta1.ServiceInstanceStatus { return &si.Status }
func (*stub) CopyStatus(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstanceStatus {
	return s.DeepCopy()
}
func (*stub) Conditions(s *v1beta1.ServiceInstanceStatus) []v1beta1.Condition { return s.Conditions }
func (*stub) Attempts(s *v1beta1.ServiceInstanceStatus) *v1beta1.Attempts     { return s.Attempts }
func (*stub) IsInProgress(s *v1beta1.ServiceInstanceStatus) bool              { return s.AsyncOpInProgress }
func (*stub) IsCreated(*v1beta1.ServiceInstanceStatus) bool                   { return false }
func (*stub) UnsettledAt(context.Context, v1beta1.Broker) []reconcile.Request { return nil }

func (s *stub) ReconcileObject(ctx context.Context, v *Scope[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]) (ctrl.Result, error) {
	return s.reconcile(ctx, v)
}
