// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// receiverWorkers is the number of concurrent reconciles of receivers of a kind.
const receiverWorkers = 4

// Setup registers the controllers of receivers of both kinds.
func Setup(mgr ctrl.Manager, resolver receivers.Resolver, metadata secrets.Metadata, cache *endpoints.Cache, health *endpoints.Health) error {
	byKind := map[v1beta1.ReceiverKind]*Reconciler{}
	health.OnChange = func(key endpoints.Key) {
		byKind[key.Ref.Kind].wake.Add(types.NamespacedName{Namespace: key.Namespace, Name: key.Ref.Name})
	}
	for _, kind := range []v1beta1.ReceiverKind{v1beta1.KindReceiver, v1beta1.KindClusterReceiver} {
		byKind[kind] = NewReconciler(mgr.GetClient(), kind, resolver, metadata, cache, health, clock.RealClock{})
		if err := byKind[kind].watch(mgr); err != nil {
			return err
		}
	}
	return nil
}

// NewReconciler returns the reconciler of the receivers of a kind.
func NewReconciler(c client.Client, kind v1beta1.ReceiverKind, resolver receivers.Resolver, metadata secrets.Metadata, cache *endpoints.Cache, health *endpoints.Health, now clock.PassiveClock) *Reconciler {
	perNamespace := maxProbesPerNamespace
	if kind == v1beta1.KindClusterReceiver {
		perNamespace = maxProbes
	}
	probes := &limiter.Pool{Total: maxProbes, PerTenant: perNamespace}
	return &Reconciler{client: c, kind: kind, resolver: resolver, secrets: metadata, endpoints: cache, health: health, probes: probes, clock: now}
}

func (r *Reconciler) watch(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(strings.ToLower(string(r.kind))).
		For(receivers.NewOf(r.kind)). // also changes of the status: a former leader's write may come late
		Watches(&v1beta1.Alert{}, enqueue.Later(countAfter, r.receiversOf)).
		WatchesRawSource(r.secrets.Changes(r.withSecret)).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.wake.Start)).
		WithOptions(enqueue.ControllerOptions(receiverWorkers)).
		Complete(guard.Reconciler(r, guard.InStatus(mgr.GetClient(), func() client.Object { return receivers.NewOf(r.kind) }, alertrules.ShowFailure)))
}
