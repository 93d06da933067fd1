// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// observe observes the objects that a binding refers to, in the cache.
func (r *Reconciler) observe(ctx context.Context, s *scope) (err error) {
	s.inputs = bindingrules.Inputs{Inputs: s.Memory.Inputs()}
	in := &s.inputs
	in.Issued = s.memory.Issued
	r.ReadClocks(&in.Inputs)
	s.observeOverlaps()
	in.Namespace = r.NamespaceOf(ctx, s.binding)
	if in.BoundInstance, err = r.findBoundInstance(ctx, s.binding); err != nil {
		return err
	}
	target := bindingrules.TargetOf(s.binding, *in)
	if target != nil {
		if in.Broker, err = r.Index.Broker(ctx, s.binding.Namespace, target.BrokerReference); index.IsNotFound(err) {
			in.Broker, err = nil, nil
		}
		if err != nil {
			return err
		}
		if in.Broker != nil {
			in.Recovered = r.Recoveries.Since(brokers.KeyOf(in.Broker))
		}
	}
	present := rules.BindingID(s.binding, &s.binding.Status)
	if in.Claimants, err = r.claimantsOf(ctx, s.binding, present, target); err != nil {
		return err
	}
	in.FormerClaimants = map[string]rules.Claimants{present: in.Claimants} // the id may become a former one during this reconcile
	for _, id := range rules.PredecessorIDs(&s.binding.Status) {
		if in.FormerClaimants[id], err = r.claimantsOf(ctx, s.binding, id, target); err != nil {
			return err
		}
	}
	if err := r.observeLeftBehind(ctx, s); err != nil {
		return err
	}
	if in.Parameters, err = engine.ParametersVersion(ctx, r.Index.Cache, s.binding.Namespace, s.binding.Spec.ParametersFrom); err != nil {
		return err
	}
	s.Memory.RecallDigest(s.binding, &in.Parameters)
	if plan := in.BoundInstance.Plan; s.binding.Status.AsyncOpInProgress && plan != nil {
		in.Parameters.Required = engine.RequiredParameters(s.binding, plan, plan.Common().ServiceBindingCreateParameterSchema)
	}
	if len(s.binding.Spec.ParametersFrom) == 0 {
		if err := r.readParameters(ctx, s); err != nil {
			return err
		}
	}
	return r.observeSecret(ctx, s)
}

// observeOverlaps observes the overlaps of the predecessors on record, and remembers those that it sees first.
func (s *scope) observeOverlaps() {
	if s.memory.Overlaps != nil {
		s.inputs.Overlaps = *s.memory.Overlaps
	}
	seen := s.inputs.Observe(s.recorded())
	s.inputs.Overlaps, s.memory.Overlaps = seen, nil
	if seen != nil {
		s.memory.Overlaps = &seen
	}
}

// observeLeftBehind observes which other bindings have the ids left behind, and their brokers. They may be at another instance than the present one.
func (r *Reconciler) observeLeftBehind(ctx context.Context, s *scope) (err error) {
	in := &s.inputs
	for _, l := range s.binding.Status.LeftBehind {
		if in.FormerClaimants[l.ID], err = r.claimantsOf(ctx, s.binding, l.ID, &l.Target); err != nil {
			return err
		}
	}
	in.CleanUpBrokers, err = engine.CleanUpBrokers(ctx, r.Index, s.binding.Namespace, s.binding.Status.Common())
	return err
}

// findBoundInstance looks up the instance of a binding. It waits, up to RecordTimeout, until the cache shows the status that this process has
// recorded of the instance, which may say that it is unusable.
func (r *Reconciler) findBoundInstance(ctx context.Context, b *v1beta1.ServiceBinding) (bound bindingrules.BoundInstance, err error) {
	instance, key := &v1beta1.ServiceInstance{}, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}
	waiting, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	if err := r.instances.Read(waiting, r.Client, key, instance, client.UnsafeDisableDeepCopy); err != nil {
		return bound, client.IgnoreNotFound(err)
	}
	bound.Instance = instance
	o, err := engine.FindOffering(ctx, r.Index, instance)
	if err != nil {
		return bound, err
	}
	bound.Class, bound.Plan, bound.Missing = o.Class, o.Plan, o.Missing
	if bound.Missing != nil {
		reason := bound.Missing.Reason
		if instance.Spec.ClusterServiceClassRef == nil && instance.Spec.ServiceClassRef == nil {
			reason = v1beta1.ReasonErrorInstanceRefsUnresolved
		}
		missing := *bound.Missing
		missing.Cause = rules.Cause{Reason: reason, Message: fmt.Sprintf("ServiceInstance %q: %s", instance.Name, missing.Message)}
		bound.Missing = &missing
	}
	props := instance.Status.ExternalProperties
	if !instancerules.IsProvisioned(&instance.Status) || props == nil {
		return bound, nil
	}
	at := instance.Status.Broker
	if at == nil && o.Broker != nil && o.Class != nil {
		at = rules.ReferenceTo(o)
	}
	if at != nil {
		bound.Target = &v1beta1.ServiceBindingTarget{BrokerReference: *at, PlanID: rules.PlanID(props), InstanceID: rules.InstanceID(instance)}
		bound.Plans = instancerules.RecordedPlans(&instance.Status)
	}
	has, err := engine.FindPlan(ctx, r.Index, o, props)
	if has != nil { // the spec may ask for another
		bound.Plan = has
	}
	return bound, err
}

// claimantsOf returns the other objects of the broker that have an id in spec or status.
func (r *Reconciler) claimantsOf(ctx context.Context, b *v1beta1.ServiceBinding, id string, target *v1beta1.ServiceBindingTarget) (all rules.Claimants, err error) {
	others, err := r.Index.BindingsWithID(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if other.UID == b.UID || engine.IsReleased(other) {
			continue
		}
		g, err := r.findBoundInstance(ctx, other)
		if err != nil {
			return nil, err
		}
		theirs := bindingrules.TargetOf(other, bindingrules.Inputs{BoundInstance: g})
		if target == nil || theirs == nil || samePlace(target, b.Namespace, theirs, other.Namespace) {
			all = append(all, rules.NewClaimant("ServiceBinding", other, b, rules.OwnsBindingID(other, id), bindingphase.MayExist(&other.Status) && !bindingphase.MayExist(&b.Status)))
		}
	}
	if mayCreate := b.DeletionTimestamp.IsZero() && !rules.OwnsBindingID(b, id) && !bindingphase.MayExist(&b.Status); mayCreate && target != nil && all.BlocksCreation() == nil {
		r.Claims.Reserve(engine.ClaimKey{Broker: brokers.KeyOfReference(b.Namespace, target.BrokerReference), ID: target.InstanceID + "/" + id}, b.UID, all)
	}
	return all, nil
}

// samePlace reports whether two targets, of bindings in two namespaces, are the same instance.
func samePlace(a *v1beta1.ServiceBindingTarget, aNamespace string, b *v1beta1.ServiceBindingTarget, bNamespace string) bool {
	return a.InstanceID == b.InstanceID && brokers.KeyOfReference(aNamespace, a.BrokerReference) == brokers.KeyOfReference(bNamespace, b.BrokerReference)
}

// parameterSources returns where the parameters of a binding come from.
func parameterSources(b *v1beta1.ServiceBinding) engine.Sources {
	s := &b.Status
	return engine.NewSources(b.Spec.Parameters, b.Spec.ParametersFrom, rules.NonNil(s.ExternalProperties).ParameterChecksum, rules.NonNil(s.InProgressProperties).ParameterChecksum)
}

// readParameters reads a binding's parameters, and validates them with the plan's schema.
func (r *Reconciler) readParameters(ctx context.Context, s *scope) error {
	p, err := r.ReadParameters(ctx, s.binding, parameterSources(s.binding), s.inputs.Parameters)
	if err != nil {
		return err
	}
	s.Memory.RememberDigest(s.binding, p)
	if plan := s.inputs.BoundInstance.Plan; p.Blocker == nil && plan != nil {
		p = engine.ValidateParameters(ctx, s.binding, plan, plan.Common().ServiceBindingCreateParameterSchema, p)
		p.Blocker = p.Invalid
	}
	s.inputs.Parameters = p
	return nil
}
