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
)

// look observes what a binding refers to, in the cache.
func (r *BindingReconciler) look(ctx context.Context, v *bindingView) (err error) {
	v.world = bindingWorld{definition: v.known.definition, polled: v.known.polled, asked: v.known.asked}
	w := &v.world
	if w.ground, err = r.findGround(ctx, v.b); err != nil {
		return err
	}
	target := targetOf(v.b, *w)
	if target != nil {
		if w.broker, err = r.index.Broker(ctx, v.b.Namespace, target.BrokerReference); index.IsNotFound(err) {
			w.broker, err = nil, nil
		}
		if err != nil {
			return err
		}
		if w.broker != nil {
			w.recovered = r.recoveries.since(keyOf(w.broker))
		}
	}
	if w.claimants, err = r.claimantsOf(ctx, v.b, bindingID(v.b, &v.b.Status), target); err != nil {
		return err
	}
	if id := v.b.Status.PredecessorID; id != "" {
		if w.predecessorClaimants, err = r.claimantsOf(ctx, v.b, id, target); err != nil {
			return err
		}
	}
	if w.parameters, err = versionOf(ctx, r.index.Cache, v.b.Namespace, v.b.Spec.ParametersFrom); err != nil {
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
func (r *BindingReconciler) findGround(ctx context.Context, b *v1beta1.ServiceBinding) (g ground, err error) {
	instance, key := &v1beta1.ServiceInstance{}, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}
	waiting, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := r.instances.Read(waiting, r.client, key, instance, client.UnsafeDisableDeepCopy); err != nil {
		return g, client.IgnoreNotFound(err)
	}
	g.instance = instance
	o, err := findOffer(ctx, r.index, instance)
	if err != nil {
		return g, err
	}
	g.class, g.plan, g.missing = o.class, o.plan, o.missing
	if g.missing != nil {
		reason := g.missing.reason
		if instance.Spec.ClusterServiceClassRef == nil && instance.Spec.ServiceClassRef == nil {
			reason = v1beta1.ReasonErrorInstanceRefsUnresolved
		}
		missing := *g.missing
		missing.word = word{reason, fmt.Sprintf("ServiceInstance %q: %s", instance.Name, missing.message)}
		g.missing = &missing
	}
	props := instance.Status.ExternalProperties
	if instance.Status.ProvisionStatus != v1beta1.Provisioned || props == nil {
		return g, nil
	}
	at := instance.Status.Broker
	if at == nil && o.broker != nil && o.class != nil {
		at = brokerReference(o)
	}
	if at != nil {
		g.target = &v1beta1.ServiceBindingTarget{BrokerReference: *at, PlanID: planIDOf(props), InstanceID: idOf(instance)}
		g.plans = recordedPlans(&instance.Status)
	}
	has, err := findPlan(ctx, r.index, o, props)
	if has != nil { // the spec may ask for another
		g.plan = has
	}
	return g, err
}

// claimantsOf returns the other objects of the broker that have an id in spec or status.
func (r *BindingReconciler) claimantsOf(ctx context.Context, b *v1beta1.ServiceBinding, id string, target *v1beta1.ServiceBindingTarget) (all claimants, err error) {
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
		theirs := targetOf(other, bindingWorld{ground: g})
		if target == nil || theirs == nil || samePlace(target, b.Namespace, theirs, other.Namespace) {
			all = append(all, newClaimant("ServiceBinding", other, b, ownsID(other, id), mayHaveBinding(&other.Status) && !mayHaveBinding(&b.Status)))
		}
	}
	if mayCreate := b.DeletionTimestamp.IsZero() && !ownsID(b, id) && !mayHaveBinding(&b.Status); mayCreate && target != nil && all.blocksCreation() == nil {
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
	p, err := readParameters(ctx, r.live, v.b, v.b.Spec.Parameters, v.b.Spec.ParametersFrom, v.world.parameters)
	if err != nil {
		return err
	}
	if plan := v.world.ground.plan; p.problem == nil && plan != nil {
		p.problem = misfit(ctx, plan.Common().ServiceBindingCreateParameterSchema, p)
	}
	v.world.parameters = p
	return nil
}
