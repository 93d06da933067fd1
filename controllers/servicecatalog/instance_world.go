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
	"github.com/gophernetes/bellhop/internal/lifecycle"
	instancerules "github.com/gophernetes/bellhop/internal/lifecycle/instance"
)

// look observes what an instance refers to, in the cache.
func (r *InstanceReconciler) look(ctx context.Context, v *instanceView) error {
	si := v.si
	v.world = instancerules.Inputs{Definition: v.known.definition, LastPoll: v.known.polled, PollAfter: v.known.asked}
	w := &v.world
	var err error
	if w.Offering, err = findOffer(ctx, r.index, si); err != nil {
		return err
	}
	if w.Offering.Broker != nil {
		w.Recovered = r.recoveries.since(keyOf(w.Offering.Broker))
	}
	w.Refs = missingRefs(si, w.Offering)
	if w.Claimants, err = r.claimantsOf(ctx, si, w.Offering); err != nil {
		return err
	}
	if w.OperationPlan, err = findPlan(ctx, r.index, w.Offering, lifecycle.OperationProperties(&si.Status)); err != nil {
		return err
	}
	if !si.DeletionTimestamp.IsZero() {
		w.Bindings, w.BindingsGoing, err = r.bindingsOf(ctx, si)
		return err
	}
	if w.PresentPlan, err = findPlan(ctx, r.index, w.Offering, si.Status.ExternalProperties); err != nil {
		return err
	}
	if w.Parameters, err = versionOf(ctx, r.index.Cache, si.Namespace, si.Spec.ParametersFrom); err != nil {
		return err
	}
	if len(si.Spec.ParametersFrom) == 0 {
		return r.readParameters(ctx, v)
	}
	return nil
}

// missingRefs returns the references that the spec lacks; nil: it has them.
func missingRefs(si *v1beta1.ServiceInstance, o lifecycle.Offering) *instancerules.References {
	if o.Class == nil || o.Plan == nil {
		return nil
	}
	for _, scope := range catalog.Scopes {
		if has := catalog.RefsOf(&si.Spec, scope); has.Class != "" && has.Plan != "" {
			return nil
		}
	}
	return &instancerules.References{Refs: catalog.Refs{Class: o.Class.GetName(), Plan: o.Plan.GetName()}, Scope: catalog.ScopeOf(o.Class)}
}

// claimantsOf returns the other objects of the broker that have the instance's id in spec or status.
func (r *InstanceReconciler) claimantsOf(ctx context.Context, si *v1beta1.ServiceInstance, o lifecycle.Offering) (all lifecycle.Claimants, err error) {
	id := lifecycle.InstanceID(si)
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
		if theirs.Broker == nil || o.Broker == nil || keyOf(theirs.Broker) == keyOf(o.Broker) {
			all = append(all, lifecycle.NewClaimant("ServiceInstance", other, si, lifecycle.OwnsInstanceID(other, id), instancerules.MayExist(&other.Status) && !instancerules.MayExist(&si.Status)))
		}
	}
	if mayCreate := si.DeletionTimestamp.IsZero() && !lifecycle.OwnsInstance(si) && !instancerules.MayExist(&si.Status); mayCreate && o.Broker != nil && all.BlocksCreation() == nil {
		r.claims.take(claimKey{keyOf(o.Broker), id}, si.UID, all)
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
	return !b.DeletionTimestamp.IsZero() && !lifecycle.IsTrue(lifecycle.FindCondition(b.Status.Conditions, v1beta1.ConditionStalled))
}

// readParameters reads an instance's parameters, and validates them with the plan's schema.
func (r *InstanceReconciler) readParameters(ctx context.Context, v *instanceView) error {
	p, err := readParameters(ctx, r.live, v.si, v.si.Spec.Parameters, v.si.Spec.ParametersFrom, v.world.Parameters)
	if err != nil || p.Blocker != nil || v.world.Offering.Plan == nil {
		v.world.Parameters = p
		return err
	}
	common := v.world.Offering.Plan.Common()
	plans := common.InstanceCreateParameterSchema
	if v.si.Status.ProvisionStatus == v1beta1.Provisioned {
		plans = common.InstanceUpdateParameterSchema
	}
	p.Invalid = misfit(ctx, plans, p)
	v.world.Parameters = p
	return nil
}
