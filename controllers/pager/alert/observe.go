// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"maps"
	"slices"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
)

// observe observes in the caches what a decision about an Alert depends on.
func (r *Reconciler) observe(ctx context.Context, a *v1beta1.Alert, in *alertrules.Inputs) (err error) {
	in.Targets, in.Blocked = map[v1beta1.ReceiverRef]alertrules.Target{}, map[v1beta1.ReceiverRef]bool{}
	if in.Refs, err = r.refs(ctx, a, in); err != nil {
		return err
	}
	all := slices.AppendSeq(slices.Clone(in.Refs), maps.Keys(in.InFlight))
	for _, row := range a.Status.Deliveries {
		all = append(all, alertrules.RefOf(row))
	}
	for _, ref := range all {
		if _, ok := in.Targets[ref]; ok {
			continue
		}
		if in.Targets[ref], err = r.target(ctx, r.resolver, a.Namespace, ref); err != nil {
			return err
		}
		if !a.DeletionTimestamp.IsZero() { // only deletions depend on it
			in.Blocked[ref] = r.endpoints.IsBlocked(a.Namespace, ref, in.Now)
		}
	}
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
		in.Targets[*ref], err = r.target(ctx, live, a.Namespace, *ref)
		return err
	}
	for _, d := range plan.Deliveries {
		ref := alertrules.RefOf(d.Row)
		if !d.IsBlockedByMissingTarget(a, in.Targets[ref], *in) {
			continue
		}
		if in.Targets[ref], err = r.target(ctx, live, a.Namespace, ref); err != nil {
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
	for ref, f := range in.InFlight {
		isOfFormer := f.Event == result.Resolved && !alertrules.IsOver(a) // it may be about a former occurrence
		if f.ByDefault && !isOfFormer && !slices.Contains(tried, ref) {
			tried = append(tried, ref)
		}
	}
	return tried
}
