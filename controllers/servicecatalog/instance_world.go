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

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// look observes what an instance refers to, in the cache.
func (r *InstanceReconciler) look(ctx context.Context, v *instanceView) error {
	si := v.si
	v.world = instanceWorld{definition: v.known.definition, polled: v.known.polled, asked: v.known.asked}
	w := &v.world
	var err error
	if w.offer, err = findOffer(ctx, r.index, si); err != nil {
		return err
	}
	if w.offer.broker != nil {
		w.recovered = r.recoveries.since(keyOf(w.offer.broker))
	}
	w.refs = missingRefs(si, w.offer)
	if w.claimants, err = r.claimantsOf(ctx, si, w.offer); err != nil {
		return err
	}
	if w.working, err = findPlan(ctx, r.index, w.offer, workingProperties(&si.Status)); err != nil {
		return err
	}
	if !si.DeletionTimestamp.IsZero() {
		w.bindings, w.unbinding, err = r.bindingsOf(ctx, si)
		return err
	}
	if w.present, err = findPlan(ctx, r.index, w.offer, si.Status.ExternalProperties); err != nil {
		return err
	}
	if w.parameters, err = versionOf(ctx, r.index.Cache, si.Namespace, si.Spec.ParametersFrom); err != nil {
		return err
	}
	if len(si.Spec.ParametersFrom) == 0 {
		return r.readParameters(ctx, v)
	}
	return nil
}

// missingRefs returns the references that the spec lacks; nil: it has them.
func missingRefs(si *v1beta1.ServiceInstance, o offer) *catalogRefs {
	if o.class == nil || o.plan == nil {
		return nil
	}
	for _, scope := range catalog.Scopes {
		if has := catalog.RefsOf(&si.Spec, scope); has.Class != "" && has.Plan != "" {
			return nil
		}
	}
	return &catalogRefs{catalog.Refs{Class: o.class.GetName(), Plan: o.plan.GetName()}, catalog.ScopeOf(o.class)}
}

// claimantsOf returns the other objects of the broker that have the instance's id in spec or status.
func (r *InstanceReconciler) claimantsOf(ctx context.Context, si *v1beta1.ServiceInstance, o offer) (all claimants, err error) {
	id := idOf(si)
	others, err := r.index.InstancesWithID(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if other.UID == si.UID || isDone(other) {
			continue
		}
		theirs, err := findOffer(ctx, r.index, other)
		if err != nil {
			return nil, err
		}
		if theirs.broker == nil || o.broker == nil || keyOf(theirs.broker) == keyOf(o.broker) {
			all = append(all, newClaimant("ServiceInstance", other, si, ownsInstanceID(other, id), mayHaveInstance(&other.Status) && !mayHaveInstance(&si.Status)))
		}
	}
	if mayCreate := si.DeletionTimestamp.IsZero() && !isOwned(si) && !mayHaveInstance(&si.Status); mayCreate && o.broker != nil && all.blocksCreation() == nil {
		r.claims.take(claimKey{keyOf(o.broker), id}, si.UID, all)
	}
	return all, nil
}

// bindingsOf returns the names of an instance's bindings, and whether all of them are being deleted and none is Stalled.
func (r *InstanceReconciler) bindingsOf(ctx context.Context, si *v1beta1.ServiceInstance) (names []string, unbinding bool, err error) {
	bindings, err := r.index.Bindings(ctx, client.ObjectKeyFromObject(si))
	unbinding = true
	for _, b := range bindings {
		names = append(names, b.Name)
		unbinding = unbinding && isUnbinding(b)
	}
	return names, unbinding, err
}

// isUnbinding reports whether a binding is being deleted, and not Stalled.
func isUnbinding(b *v1beta1.ServiceBinding) bool {
	return !b.DeletionTimestamp.IsZero() && !isTrue(conditionOf(b.Status.Conditions, v1beta1.ConditionStalled))
}

// readParameters reads an instance's parameters, and validates them with the plan's schema.
func (r *InstanceReconciler) readParameters(ctx context.Context, v *instanceView) error {
	p, err := readParameters(ctx, r.live, v.si, v.si.Spec.Parameters, v.si.Spec.ParametersFrom, v.world.parameters)
	if err != nil || p.problem != nil || v.world.offer.plan == nil {
		v.world.parameters = p
		return err
	}
	common := v.world.offer.plan.Common()
	plans := common.InstanceCreateParameterSchema
	if v.si.Status.ProvisionStatus == v1beta1.Provisioned {
		plans = common.InstanceUpdateParameterSchema
	}
	p.unfit = misfit(ctx, plans, p)
	v.world.parameters = p
	return nil
}
