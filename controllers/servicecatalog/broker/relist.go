// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// relist reads the catalog, syncs classes and plans, and records the result.
func (r *Reconciler) relist(ctx context.Context, b v1beta1.Broker, in brokerrules.Inputs, next brokerrules.Decision) (ctrl.Result, error) {
	key := brokers.KeyOf(b)
	name := client.ObjectKeyFromObject(b)
	endpoint := r.connections.Limiters.Of(key, in.Now)
	// Nothing but the status needs the answer of a broker that hangs: it is a probe. Where requests to a broker that is Ready fail, the
	// relist does not wait behind their retries.
	release, wait := endpoint.Enter(limiter.Request{ID: r.queueKey(key), Flow: "catalog", Probe: true, First: in.Health.Failed && b.CommonStatus().Attempts == 0, Misconfigured: int(b.CommonStatus().Misconfigured), Notify: func() { r.wake.AddFirst(name) }}, in.Now)
	if release == nil {
		return enqueue.Requeue(in.Now.Add(brokers.QueueHeartbeat), in.Now), r.queued(ctx, b, wait, in.Now)
	}
	relisted := brokerrules.RelistResult{Generation: b.GetGeneration(), Credentials: in.Credentials}
	addresses, err := r.addressesOf(ctx, b)
	if err != nil {
		release(r.clock.Now(), limiter.Result{Outcome: limiter.NotSent})
		return ctrl.Result{}, err
	}
	relisted.Addresses = addresses
	found, err := r.fetch(ctx, b, release, next.ETag, &relisted)
	if err != nil {
		return ctrl.Result{}, err
	}
	if found != nil {
		if err := r.syncCatalog(ctx, b, found, &relisted); err != nil {
			return ctrl.Result{}, err
		}
	}
	relisted.NextProbe, _ = endpoint.NextProbe()
	recorded, err := r.record(ctx, b, relisted)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.demands.relisted(key, in.Now, relisted.Error == nil)
	return r.continueWith(ctx, recorded)
}

// fetch reads the catalog, and returns the slot; nil: it could not be read, or is unchanged. After an error there is no result.
func (r *Reconciler) fetch(ctx context.Context, b v1beta1.Broker, release limiter.Release, etag string, relisted *brokerrules.RelistResult) (*osbresult.Catalog, error) {
	result := limiter.Result{Outcome: limiter.NotSent}
	defer func() { release(r.clock.Now(), result) }()
	connection, err := r.connections.For(ctx, b)
	if err != nil {
		bad, ok := errors.AsType[*brokers.CredentialsError](err)
		if !ok {
			return nil, err
		}
		relisted.Error = &brokerrules.RelistError{Reason: v1beta1.ReasonErrorGettingAuthCredentials, Message: bad.Message, Stalled: !bad.Temporary}
		if bad.Missing {
			relisted.Error.StalledFrom = b.GetCreationTimestamp().Add(rules.MissingReferenceDelay)
		}
		return nil, nil
	}
	found, out := connection.Catalog(ctx, etag)
	stopped := r.leadership.Stopping(ctx) // the next leader may have read a later catalog
	switch {
	case stopped != nil:
		return nil, stopped
	case out.Canceled: // the lease had ended, and is renewed
		return nil, leadership.ErrEnded
	case out.Class != osbresult.Done:
		relisted.Error = brokerrules.ErrorOf(b, out)
	default:
		relisted.Version, relisted.Unchanged = connection.Version(), found == nil
	}
	result = brokers.ResultOf(out)
	return found, nil
}

// syncCatalog syncs classes and plans with a catalog.
func (r *Reconciler) syncCatalog(ctx context.Context, b v1beta1.Broker, found *osbresult.Catalog, relisted *brokerrules.RelistResult) error {
	restrictions, errs := catalog.ParseRestrictions(b.Common().CatalogRestrictions, r.Scope)
	if len(errs) > 0 {
		relisted.Error = &brokerrules.RelistError{Reason: v1beta1.ReasonErrorSyncingCatalog, Message: errs.ToAggregate().Error(), Stalled: true}
		return nil
	}
	existing, err := r.readExisting(ctx, b) // they may have changed during the request
	if err != nil {
		return err
	}
	chosen := catalogsync.Desire(catalogsync.Builder{Kinds: r.Kinds, Broker: b, Restrictions: restrictions, Existing: existing, Owner: r.ownerOf(ctx, b.GetNamespace())}, found)
	failed, err := r.sync(ctx, b, chosen, existing)
	if err != nil {
		return err
	}
	classes, plans := append(chosen.Classes, chosen.KeptClasses...), append(chosen.Plans, chosen.KeptPlans...)
	relisted.ETag, relisted.Digest = found.ETag, catalogsync.Digest(classes, plans)
	relisted.Classes, relisted.Plans = present(classes), present(plans)
	relisted.KeptClasses, relisted.KeptPlans = present(chosen.KeptClasses), present(chosen.KeptPlans)
	relisted.Missing, relisted.Retry = append(chosen.Missing, failed...), chosen.Collides || len(failed) > 0
	if len(found.Services) == 0 && len(found.Problems) == 0 {
		relisted.RetainedClasses = len(existing.Classes)
	}
	relisted.Remarks, err = r.duplicateNames(ctx, b, chosen.Classes)
	return err
}

// ownerOf returns a function that looks up the broker of a class or plan.
func (r *Reconciler) ownerOf(ctx context.Context, namespace string) func(kind, name string) string {
	return func(kind, name string) string {
		if kind == r.ClassKind() {
			if class, err := r.index.ClassNamed(ctx, r.Scope, namespace, name); err == nil {
				return class.BrokerName()
			}
			return ""
		}
		if plan, err := r.index.PlanNamed(ctx, r.Scope, namespace, name); err == nil {
			return plan.BrokerName()
		}
		return "" // where the cache does not show it, the creation fails
	}
}

// duplicateNames returns a remark about services that another broker offers under the same name, which makes the name ambiguous.
func (r *Reconciler) duplicateNames(ctx context.Context, b v1beta1.Broker, classes []v1beta1.Class) ([]string, error) {
	var names []string
	for _, class := range classes {
		_, err := r.index.Class(ctx, b.GetNamespace(), catalog.Reference{Scope: r.Scope, NamedBy: catalog.ByExternalName, Class: class.Common().ExternalName})
		switch {
		case index.IsAmbiguous(err):
			names = append(names, fmt.Sprintf("%q", rules.DisplayName(class.Common().ExternalName)))
		case err != nil && !index.IsNotFound(err):
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("Another %s offers services of the same name, so refer to them by %s or id: %s", r.BrokerKind(), r.ClassKind(), rules.Enumerate(names))}, nil
}

// record writes the result of a relist, also onto a broker that was changed meanwhile. A status that was changed meanwhile is newer:
// another leader has written it.
func (r *Reconciler) record(ctx context.Context, b v1beta1.Broker, relisted brokerrules.RelistResult) (v1beta1.Broker, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), times.RecordTimeout)
	defer cancel()
	recorded, err := r.write(ctx, b, brokerrules.Apply(b, relisted, r.clock.Now()))
	if !errors.Is(err, patch.ErrStale) {
		return recorded, err
	}
	now := r.NewBroker()
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(b), now); err != nil {
		return nil, err
	}
	if now.GetUID() != b.GetUID() || !now.GetDeletionTimestamp().IsZero() || !equality.Semantic.DeepEqual(now.CommonStatus(), b.CommonStatus()) {
		return nil, patch.ErrStale
	}
	return r.write(ctx, now, brokerrules.Apply(now, relisted, r.clock.Now()))
}

// queued sets the conditions of a broker whose first relist waits for a slot, or whose requests wait for a probe of a misconfiguration.
func (r *Reconciler) queued(ctx context.Context, b v1beta1.Broker, wait limiter.Wait, now time.Time) error {
	status := *b.CommonStatus().DeepCopy()
	var set rules.ConditionSet
	switch isKnown := status.LastCatalogRetrievalTime != nil || status.Attempts > 0; {
	case wait.Cause == limiter.LooksMisconfigured:
		set = r.misconfiguredConditions(brokers.KeyOf(b), now)
	case isKnown, now.Sub(wait.Since) < engine.QueuedConditionDelay:
		return nil
	default:
		why := engine.BlockerForQueue(wait.Cause, brokers.KeyOf(b))
		set = rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: why.Reason, Message: why.Message}
	}
	status.Conditions = set.Conditions(status.Conditions, now)
	status.LastConditionState = rules.LastConditionState(status.Conditions)
	_, err := r.write(ctx, b, status)
	return err
}

// misconfiguredConditions is the verdict on a broker that answers all requests as one that is misconfigured.
func (r *Reconciler) misconfiguredConditions(key brokers.Key, now time.Time) rules.ConditionSet {
	at, _ := r.connections.Limiters.Of(key, now).NextProbe()
	message := "Requests to the broker fail in a way that looks like a misconfiguration"
	if words := r.connections.LastMisconfiguration(key); words != "" {
		message += ": " + words
	}
	if !at.IsZero() {
		message += "; one of them is repeated at " + times.Format(at)
	}
	return rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorFetchingCatalog, Message: message}.WithStalled(v1beta1.ReasonErrorFetchingCatalog)
}

// leaveQueue removes the relist of a broker from its queue.
func (r *Reconciler) leaveQueue(key brokers.Key) {
	r.connections.Limiters.Cancel(key, r.queueKey(key), r.clock.Now())
}

func (r *Reconciler) queueKey(key brokers.Key) brokers.QueueKey {
	return brokers.QueueKey{Kind: r.BrokerKind(), Name: types.NamespacedName{Namespace: key.Namespace, Name: key.Name}}
}
