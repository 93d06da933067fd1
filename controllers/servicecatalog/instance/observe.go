// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// observe observes the objects that an instance refers to, in the cache.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	si := s.instance
	s.inputs = instancerules.Inputs{Inputs: s.Memory.Inputs()}
	in := &s.inputs
	in.Namespace = r.NamespaceOf(ctx, si)
	var err error
	if in.Offering, err = engine.FindOffering(ctx, r.Index, si); err != nil {
		return err
	}
	if in.Offering.Broker != nil {
		in.Recovered = r.Recoveries.Since(brokers.KeyOf(in.Offering.Broker))
	}
	in.Refs = missingRefs(si, in.Offering)
	if in.Claimants, err = r.claimantsOf(ctx, si, rules.InstanceID(si), in.Offering); err != nil {
		return err
	}
	in.FormerClaimants = map[string]rules.Claimants{}
	for _, id := range rules.LeftBehindIDs(si.Status.Common()) {
		if in.FormerClaimants[id], err = r.claimantsOf(ctx, si, id, in.Offering); err != nil {
			return err
		}
	}
	if in.CleanUpBrokers, err = engine.CleanUpBrokers(ctx, r.Index, si.Namespace, si.Status.Common()); err != nil {
		return err
	}
	if in.OperationPlan, err = engine.FindPlan(ctx, r.Index, in.Offering, instancerules.OperationProperties(&si.Status)); err != nil {
		return err
	}
	if !si.DeletionTimestamp.IsZero() {
		in.Bindings, in.BindingsGoing, err = r.bindingsOf(ctx, si)
		return err
	}
	if in.PresentPlan, err = engine.FindPlan(ctx, r.Index, in.Offering, si.Status.ExternalProperties); err != nil {
		return err
	}
	if in.Parameters, err = engine.ParametersVersion(ctx, r.Index.Cache, si.Namespace, si.Spec.ParametersFrom); err != nil {
		return err
	}
	if len(si.Spec.ParametersFrom) == 0 {
		return r.readParameters(ctx, s)
	}
	s.Memory.RecallDigest(si, &in.Parameters)
	if si.Status.AsyncOpInProgress && in.Offering.Plan != nil {
		in.Parameters.Required = engine.RequiredParameters(si, in.Offering.Plan, s.parameterSchema())
	}
	return nil
}

// missingRefs returns the references that the spec lacks; nil: it has them.
func missingRefs(si *v1beta1.ServiceInstance, o rules.Offering) *instancerules.References {
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

// claimantsOf returns the other objects of the broker that have an id of the instance in spec or status.
func (r *Reconciler) claimantsOf(ctx context.Context, si *v1beta1.ServiceInstance, id string, o rules.Offering) (all rules.Claimants, err error) {
	mayExist := instancerules.PhaseOf(&si.Status).MayExist()
	others, err := r.Index.InstancesWithID(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if other.UID == si.UID || engine.IsReleased(other) {
			continue
		}
		theirs, err := engine.FindOffering(ctx, r.Index, other)
		if err != nil {
			return nil, err
		}
		if at, with := brokerOf(si, o), brokerOf(other, theirs); at == nil || with == nil || *at == *with {
			all = append(all, rules.NewClaimant("ServiceInstance", other, si, rules.OwnsInstanceID(other, id), instancerules.PhaseOf(&other.Status).MayExist() && !mayExist))
		}
	}
	if mayCreate := si.DeletionTimestamp.IsZero() && !rules.OwnsInstanceID(si, id) && !mayExist; mayCreate && o.Broker != nil && all.BlocksCreation() == nil {
		r.Claims.Reserve(engine.ClaimKey{Broker: brokers.KeyOf(o.Broker), ID: id}, si.UID, all)
	}
	return all, nil
}

// brokerOf returns the key of the broker that an instance is, or is to be, at, also where the broker's object is gone; nil: that is not known.
func brokerOf(si *v1beta1.ServiceInstance, o rules.Offering) *brokers.Key {
	switch ref := si.Status.Broker; {
	case o.Broker != nil:
		return new(brokers.KeyOf(o.Broker))
	case ref != nil && ref.Name != "":
		return new(brokers.KeyOfReference(si.Namespace, *ref))
	}
	return nil
}

// bindingsOf returns the names of an instance's bindings, and whether all of them are being deleted and none is Stalled.
func (r *Reconciler) bindingsOf(ctx context.Context, si *v1beta1.ServiceInstance) (names []string, unbinding bool, err error) {
	bindings, err := r.Index.Bindings(ctx, client.ObjectKeyFromObject(si))
	unbinding = true
	for _, b := range bindings {
		names = append(names, b.Name)
		unbinding = unbinding && isUnbinding(b)
	}
	return names, unbinding, err
}

// isUnbinding reports whether a binding is being deleted and not Stalled. It decides only whether the instance is Stalled as well, so that both
// show the same.
func isUnbinding(b *v1beta1.ServiceBinding) bool {
	return !b.DeletionTimestamp.IsZero() && !rules.IsTrue(rules.FindCondition(b.Status.Conditions, v1beta1.ConditionStalled))
}

// parameterSources returns where the parameters of an instance come from.
func parameterSources(si *v1beta1.ServiceInstance) engine.Sources {
	s := &si.Status
	return engine.NewSources(si.Spec.Parameters, si.Spec.ParametersFrom, rules.NonNil(s.ExternalProperties).ParameterChecksum, rules.NonNil(s.InProgressProperties).ParameterChecksum)
}

// readParameters reads an instance's parameters, and validates them with the plan's schema.
func (r *Reconciler) readParameters(ctx context.Context, s *scope) error {
	p, err := r.ReadParameters(ctx, s.instance, parameterSources(s.instance), s.inputs.Parameters)
	s.Memory.RememberDigest(s.instance, p)
	if err != nil || p.Blocker != nil || s.inputs.Offering.Plan == nil {
		s.inputs.Parameters = p
		return err
	}
	s.inputs.Parameters = engine.ValidateParameters(ctx, s.instance, s.inputs.Offering.Plan, s.parameterSchema(), p)
	return nil
}

// parameterSchema returns the plan's schema for the parameters of a request that provisions the instance, or updates it.
func (s *scope) parameterSchema() *runtime.RawExtension {
	plan := s.inputs.Offering.Plan.Common()
	if instancerules.IsProvisioned(&s.instance.Status) {
		return plan.InstanceUpdateParameterSchema
	}
	return plan.InstanceCreateParameterSchema
}
