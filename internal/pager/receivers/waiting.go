// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/providers"
)

// The name of the cache's index, and keys in it.
const (
	// WaitingIndex has the Alerts that are not finished, by the objects that they wait for: a waitingKey, defaultReceiver or anyReceiver; and all
	// Alerts that are reposted.
	WaitingIndex = "waitingFor"

	anyReceiver     = "*"
	defaultReceiver = "default"
	reposted        = "reposted"
)

// waitingKey returns the key of Alerts that wait for a receiver.
func waitingKey(ref v1beta1.ReceiverRef) string {
	return string(ref.Kind) + "/" + ref.Name
}

// WaitingKeys returns the keys of an Alert in the index, which name the objects that the Alert waits for.
func WaitingKeys(obj client.Object) []string {
	a := obj.(*v1beta1.Alert)
	finished := a.Status.FinishedTime != nil && a.Status.ObservedGeneration == a.Generation
	keys := repostKeys(a)
	if finished && a.DeletionTimestamp.IsZero() {
		return keys
	}
	keys = append(keys, anyReceiver)
	usesDefault := false // a default receiver was chosen already
	for _, row := range a.Status.Deliveries {
		usesDefault = usesDefault || row.ByDefault && alertrules.IsConsidered(row)
		keys = append(keys, waitingKey(alertrules.RefOf(row)))
	}
	for _, ref := range a.Spec.ReceiverRefs {
		keys = append(keys, waitingKey(ref))
	}
	if len(a.Spec.ReceiverRefs) == 0 && !usesDefault {
		keys = append(keys, defaultReceiver)
	}
	return keys
}

// repostKeys returns the key of Alerts that a receiver forgets without reposts, where it is one.
func repostKeys(a *v1beta1.Alert) []string {
	isForgotten := func(row v1beta1.Delivery) bool { return providers.RepostInterval(row.ExternalID) > 0 }
	if slices.ContainsFunc(a.Status.Deliveries, isForgotten) {
		return []string{reposted}
	}
	return nil
}

// Dependents finds the Alerts that a change of another object may unblock.
type Dependents struct{ Resolver }

// OfReceiver returns the Alerts that a change of a receiver may unblock.
func (d Dependents) OfReceiver(ctx context.Context, receiver client.Object) []reconcile.Request {
	ref := v1beta1.ReceiverRef{Kind: KindOf(receiver), Name: receiver.GetName()}
	requests := d.forKey(ctx, receiver.GetNamespace(), waitingKey(ref))
	if IsDefault(receiver) {
		requests = append(requests, d.forKey(ctx, receiver.GetNamespace(), defaultReceiver)...)
	}
	return requests
}

// OfSecret returns the Alerts that a change of a Secret may unblock.
func (d Dependents) OfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, receiver := range d.WithSecret(ctx, secret) {
		requests = append(requests, d.OfReceiver(ctx, receiver)...)
	}
	return requests
}

// OfNamespace returns the Alerts that a change of a namespace's labels may unblock.
func (d Dependents) OfNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	return d.forKey(ctx, namespace.GetName(), anyReceiver)
}

// forKey returns the Alerts with a key in the index.
func (d Dependents) forKey(ctx context.Context, namespace, key string) []reconcile.Request {
	alerts, err := alertsWithKey(ctx, d.Cache, namespace, key)
	if err != nil {
		return nil // only while the cache stops
	}
	requests := make([]reconcile.Request, len(alerts))
	for i := range alerts {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&alerts[i])
	}
	return requests
}

// AlertsFor returns the Alerts that wait for a receiver; the namespace of a ClusterReceiver is empty.
func AlertsFor(ctx context.Context, cache client.Reader, namespace string, ref v1beta1.ReceiverRef) ([]v1beta1.Alert, error) {
	return alertsWithKey(ctx, cache, namespace, waitingKey(ref))
}

// UnfinishedAlerts returns the Alerts that are not finished.
func UnfinishedAlerts(ctx context.Context, cache client.Reader) ([]v1beta1.Alert, error) {
	return alertsWithKey(ctx, cache, "", anyReceiver)
}

// RepostedAlerts returns the Alerts that a receiver forgets without reposts.
func RepostedAlerts(ctx context.Context, cache client.Reader) ([]v1beta1.Alert, error) {
	return alertsWithKey(ctx, cache, "", reposted)
}

func alertsWithKey(ctx context.Context, cache client.Reader, namespace, key string) ([]v1beta1.Alert, error) {
	var alerts v1beta1.AlertList
	err := cache.List(ctx, &alerts, client.InNamespace(namespace), client.MatchingFields{WaitingIndex: key}, client.UnsafeDisableDeepCopy)
	return alerts.Items, err
}

// AddWaitingIndex adds the index to a cache.
func AddWaitingIndex(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &v1beta1.Alert{}, WaitingIndex, WaitingKeys)
}
