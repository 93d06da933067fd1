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
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	bindingrules "github.com/gophernetes/bellhop/internal/lifecycle/binding"
)

// look observes what a binding refers to, in the cache.
func (r *BindingReconciler) look(ctx context.Context, v *bindingView) (err error) {
	v.world = bindingrules.Inputs{Definition: v.known.definition, LastPoll: v.known.polled, PollAfter: v.known.asked}
	w := &v.world
	if w.BoundInstance, err = r.findGround(ctx, v.b); err != nil {
		return err
	}
	target := bindingrules.TargetOf(v.b, *w)
	if target != nil {
		if w.Broker, err = r.index.Broker(ctx, v.b.Namespace, target.BrokerReference); index.IsNotFound(err) {
			w.Broker, err = nil, nil
		}
		if err != nil {
			return err
		}
		if w.Broker != nil {
			w.Recovered = r.recoveries.since(keyOf(w.Broker))
		}
	}
	if w.Claimants, err = r.claimantsOf(ctx, v.b, lifecycle.BindingID(v.b, &v.b.Status), target); err != nil {
		return err
	}
	if id := v.b.Status.PredecessorID; id != "" {
		if w.PredecessorClaimants, err = r.claimantsOf(ctx, v.b, id, target); err != nil {
			return err
		}
	}
	if w.Parameters, err = versionOf(ctx, r.index.Cache, v.b.Namespace, v.b.Spec.ParametersFrom); err != nil {
		return err
	}
	if len(v.b.Spec.ParametersFrom) == 0 {
		if err := r.readParameters(ctx, v); err != nil {
			return err
		}
	}
	return r.seeSecret(ctx, v)
}

// findGround looks up the instance of a binding. It waits, up to recordTimeout, until the cache shows what this process has recorded of
// the instance, such as that it is unusable.
func (r *BindingReconciler) findGround(ctx context.Context, b *v1beta1.ServiceBinding) (g bindingrules.BoundInstance, err error) {
	instance, key := &v1beta1.ServiceInstance{}, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}
	waiting, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := r.instances.Read(waiting, r.client, key, instance, client.UnsafeDisableDeepCopy); err != nil {
		return g, client.IgnoreNotFound(err)
	}
	g.Instance = instance
	o, err := findOffer(ctx, r.index, instance)
	if err != nil {
		return g, err
	}
	g.Class, g.Plan, g.Missing = o.Class, o.Plan, o.Missing
	if g.Missing != nil {
		reason := g.Missing.Reason
		if instance.Spec.ClusterServiceClassRef == nil && instance.Spec.ServiceClassRef == nil {
			reason = v1beta1.ReasonErrorInstanceRefsUnresolved
		}
		missing := *g.Missing
		missing.Cause = lifecycle.Cause{Reason: reason, Message: fmt.Sprintf("ServiceInstance %q: %s", instance.Name, missing.Message)}
		g.Missing = &missing
	}
	props := instance.Status.ExternalProperties
	if instance.Status.ProvisionStatus != v1beta1.Provisioned || props == nil {
		return g, nil
	}
	at := instance.Status.Broker
	if at == nil && o.Broker != nil && o.Class != nil {
		at = lifecycle.ReferenceTo(o)
	}
	if at != nil {
		g.Target = &v1beta1.ServiceBindingTarget{BrokerReference: *at, PlanID: lifecycle.PlanID(props), InstanceID: lifecycle.InstanceID(instance)}
		g.Plans = lifecycle.RecordedPlans(&instance.Status)
	}
	has, err := findPlan(ctx, r.index, o, props)
	if has != nil { // the spec may ask for another
		g.Plan = has
	}
	return g, err
}

// claimantsOf returns the other objects of the broker that have an id in spec or status.
func (r *BindingReconciler) claimantsOf(ctx context.Context, b *v1beta1.ServiceBinding, id string, target *v1beta1.ServiceBindingTarget) (all lifecycle.Claimants, err error) {
	others, err := r.index.BindingsWithID(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if other.UID == b.UID || isDone(other) {
			continue
		}
		g, err := r.findGround(ctx, other)
		if err != nil {
			return nil, err
		}
		theirs := bindingrules.TargetOf(other, bindingrules.Inputs{BoundInstance: g})
		if target == nil || theirs == nil || samePlace(target, b.Namespace, theirs, other.Namespace) {
			all = append(all, lifecycle.NewClaimant("ServiceBinding", other, b, lifecycle.OwnsBindingID(other, id), bindingrules.MayExist(&other.Status) && !bindingrules.MayExist(&b.Status)))
		}
	}
	if mayCreate := b.DeletionTimestamp.IsZero() && !lifecycle.OwnsBindingID(b, id) && !bindingrules.MayExist(&b.Status); mayCreate && target != nil && all.BlocksCreation() == nil {
		r.claims.take(claimOf(b, id, target), b.UID, all)
	}
	return all, nil
}

// claimOf returns the key of a reservation of a binding's id at an instance.
func claimOf(b *v1beta1.ServiceBinding, id string, target *v1beta1.ServiceBindingTarget) claimKey {
	key := brokerKey{name: target.Name}
	if target.Kind == "ServiceBroker" {
		key.namespace = b.Namespace
	}
	return claimKey{key, target.InstanceID + "/" + id}
}

// samePlace reports whether two targets, of bindings in two namespaces, are the same instance.
func samePlace(a *v1beta1.ServiceBindingTarget, in string, b *v1beta1.ServiceBindingTarget, within string) bool {
	local := a.Kind == "ServiceBroker"
	return a.Kind == b.Kind && a.Name == b.Name && a.InstanceID == b.InstanceID && (!local || in == within)
}

// readParameters reads a binding's parameters, and validates them with the plan's schema.
func (r *BindingReconciler) readParameters(ctx context.Context, v *bindingView) error {
	p, err := readParameters(ctx, r.live, v.b, v.b.Spec.Parameters, v.b.Spec.ParametersFrom, v.world.Parameters)
	if err != nil {
		return err
	}
	if plan := v.world.BoundInstance.Plan; p.Blocker == nil && plan != nil {
		p.Blocker = misfit(ctx, plan.Common().ServiceBindingCreateParameterSchema, p)
	}
	v.world.Parameters = p
	return nil
}
