// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
)

// observe reads from the caches the inputs of a decision about an Alert.
func (r *Reconciler) observe(ctx context.Context, a *v1beta1.Alert, in *alertrules.Inputs) (err error) {
	if in.Refs, err = r.refs(ctx, a, in); err != nil {
		return err
	}
	all := sets.KeySet(in.Receivers).Insert(in.Refs...)
	for _, row := range a.Status.Deliveries {
		all.Insert(alertrules.RefOf(row))
	}
	for ref := range all {
		if err := r.observeReceiver(ctx, r.resolver, a, ref, in); err != nil {
			return err
		}
	}
	return nil
}

// observeReceiver observes one receiver.
func (r *Reconciler) observeReceiver(ctx context.Context, resolver receivers.Resolver, a *v1beta1.Alert, ref v1beta1.ReceiverRef, in *alertrules.Inputs) (err error) {
	receiver := in.Receivers[ref]
	if receiver.Target, err = r.target(ctx, resolver, a.Namespace, ref); err != nil {
		return err
	}
	if !a.DeletionTimestamp.IsZero() { // only deletions depend on it
		receiver.Blocked = r.endpoints.IsBlocked(a.Namespace, ref, in.Now)
	}
	in.Receivers[ref] = receiver
	return nil
}

// target returns a receiver with its version.
func (r *Reconciler) target(ctx context.Context, resolver receivers.Resolver, namespace string, ref v1beta1.ReceiverRef) (alertrules.Target, error) {
	target, err := resolver.Target(ctx, namespace, ref)
	if err == nil {
		_, err = r.endpoints.SetVersion(ctx, namespace, ref, &target)
		target.RaisesByReopening = providers.RaisesByReopening(target.Spec)
	}
	return target, err
}

// observeLive reads the receivers from the API server that the cache does not show and that something has to be sent to: they may have
// been created together with the Alert.
func (r *Reconciler) observeLive(ctx context.Context, a *v1beta1.Alert, plan alertrules.Plan, in *alertrules.Inputs) (err error) {
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	live := receivers.Resolver{Cache: r.live, Unindexed: true, OperatorNamespace: r.resolver.OperatorNamespace}
	if plan.IsBlockedByMissingDefault(a, *in) {
		ref, err := live.Default(ctx, a.Namespace)
		if err != nil || ref == nil {
			return err
		}
		in.Refs = []v1beta1.ReceiverRef{*ref}
		return r.observeReceiver(ctx, live, a, *ref, in)
	}
	for _, d := range plan.Deliveries {
		ref := alertrules.RefOf(d.Row)
		if !d.IsBlockedByMissingTarget(a, in.Receivers[ref].Target, *in) {
			continue
		}
		if err := r.observeReceiver(ctx, live, a, ref, in); err != nil {
			return err
		}
	}
	return nil
}

// refs returns the receivers that an Alert names, or was sent to by default since it fires, or would be now: a later default never sends again.
func (r *Reconciler) refs(ctx context.Context, a *v1beta1.Alert, in *alertrules.Inputs) ([]v1beta1.ReceiverRef, error) {
	if len(a.Spec.ReceiverRefs) > 0 {
		return a.Spec.ReceiverRefs, nil
	}
	if tried := triedDefaults(a, in); len(tried) > 0 && !alertrules.BeginsAgain(a) {
		return tried, nil
	}
	ref, err := r.resolver.Default(ctx, a.Namespace)
	if err != nil || ref == nil {
		return nil, err
	}
	return []v1beta1.ReceiverRef{*ref}, nil
}

// triedDefaults returns the receivers to which an Alert was sent, or is being sent, since they were the default.
func triedDefaults(a *v1beta1.Alert, in *alertrules.Inputs) (tried []v1beta1.ReceiverRef) {
	for _, row := range a.Status.Deliveries {
		if row.ByDefault && alertrules.IsConsidered(row) {
			tried = append(tried, alertrules.RefOf(row))
		}
	}
	for ref, receiver := range in.Receivers {
		f := receiver.InFlight
		if f == nil {
			continue
		}
		isOfFormer := f.Event == result.Resolved && !alertrules.IsOver(a) // it may be about a former occurrence
		if f.ByDefault && !isOfFormer && !slices.Contains(tried, ref) {
			tried = append(tried, ref)
		}
	}
	return tried
}
