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
	*Reconciler
	reconcile func(context.Context, *Scope) (ctrl.Result, error)
}

func newStub(c client.Client, config *Config) *stub {
	s := &stub{}
	s.Reconciler = NewReconciler(config, s, c, c)
	return s
}

func (*stub) Name() string                                                    { return "ServiceInstance" }
func (*stub) New() v1beta1.ServiceObject                                      { return &v1beta1.ServiceInstance{} }
func (*stub) IsCreated(v1beta1.ServiceObjectStatus) bool                      { return false }
func (*stub) RemovalFailed() string                                           { return v1beta1.ReasonDeprovisionCallFailed }
func (*stub) UnsettledAt(context.Context, v1beta1.Broker) []reconcile.Request { return nil }

func (k *stub) ReconcileObject(ctx context.Context, s *Scope) (ctrl.Result, error) {
	return k.reconcile(ctx, s)
}
