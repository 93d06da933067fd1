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
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// orphanOf is what a call has made, should its object be gone when that is to be
// recorded; nil: nothing.
func orphanOf(v *instanceView, call *instanceCall, a answer) *orphan {
	accepted := a.Class == osb.Accepted
	if call.verb != provision || a.Class != osb.Done && !accepted && a.Class != osb.Unknown {
		return nil
	}
	return &orphan{
		object: v.before, broker: keyOf(v.world.offer.broker), ours: call.owned && (a.created || accepted),
		remove: osb.RemovalRequest{Params: osb.Params{InstanceID: call.id, ServiceID: call.serviceID, PlanID: call.planID, AcceptsIncomplete: true}},
	}
}

// undo removes what former objects of a name have left behind. It says when to go on with
// that; 0: nothing is left.
func (r *InstanceReconciler) undo(ctx context.Context, name types.NamespacedName) (again time.Duration, err error) {
	for _, o := range r.ledger.orphansOf(name) {
		wait, err := r.undoOne(ctx, o)
		switch {
		case err != nil:
			return 0, err
		case wait == 0:
			r.ledger.forget(name, o)
		case again == 0 || wait < again:
			again = wait
		}
	}
	return again, nil
}

func (r *InstanceReconciler) undoOne(ctx context.Context, o *orphan) (wait time.Duration, err error) {
	now := r.clock.Now()
	if now.Before(o.next) {
		return o.next.Sub(now), nil
	}
	broker, err := r.index.BrokerNamed(ctx, scopeOf(o.broker), o.broker.namespace, o.broker.name)
	if err != nil && !index.IsNotFound(err) {
		return 0, err
	}
	why, err := r.mustLeave(ctx, o)
	if broker == nil {
		why = "its broker is gone, too"
	}
	switch {
	case err != nil:
		return 0, err
	case why != "":
		r.leave(o, why)
		return 0, nil
	}
	connection, err := r.connections.to(ctx, broker)
	if err != nil {
		return askAgain, err
	}
	bulkhead := r.connections.bulkheads.Of(o.broker, now)
	name := client.ObjectKeyFromObject(o.object)
	// A ticket of its own: the name may be another object's by now.
	entered, _ := bulkhead.Enter(outbound.Ticket{Who: o, Lane: "namespace " + name.Namespace, Call: func() { r.wake.Add(name) }}, now)
	if !entered {
		return askAgain, nil
	}
	_, out := connection.Deprovision(context.WithoutCancel(ctx), o.remove)
	bulkhead.Leave(r.clock.Now(), resultOf(out))
	return r.undone(o, out), nil
}

// undone says what came of a removal; 0: that is the end of it.
func (r *InstanceReconciler) undone(o *orphan, out osb.Outcome) time.Duration {
	switch o.attempts++; {
	case out.Class == osb.Done, out.Class == osb.Accepted, out.Class == osb.Gone:
		r.recorder.Eventf(o.object, nil, corev1.EventTypeNormal, v1beta1.ReasonOrphanMitigationSuccessful, "Undo", "The object was gone before its provisioning could be recorded, and what the broker has made is removed again")
		return 0
	case o.attempts >= maxAttempts:
		r.leave(o, "the broker did not remove it: "+sayOutcome(out))
		return 0
	}
	wait := max(backoff(o.object.GetUID(), o.attempts, out.RetryAfter), time.Second)
	o.next = r.clock.Now().Add(wait)
	return wait
}

// mustLeave says why something is left as it is, "" if it is to be removed (R2).
func (r *InstanceReconciler) mustLeave(ctx context.Context, o *orphan) (why string, err error) {
	if !o.ours {
		return "it is not known that this object has made it", nil
	}
	others, err := r.index.InstancesWithID(ctx, o.remove.InstanceID)
	if err != nil {
		return "", err
	}
	for _, other := range others {
		if other.UID != o.object.GetUID() && idOf(other) == o.remove.InstanceID {
			return "another object has the id", nil
		}
	}
	state, err := r.definition.state(ctx)
	if state == definitionTerminating {
		return "the CustomResourceDefinition is being deleted", nil
	}
	return "", err
}

// leave says that something is left where it is.
func (r *InstanceReconciler) leave(o *orphan, why string) {
	r.recorder.Eventf(o.object, nil, corev1.EventTypeWarning, v1beta1.ReasonOrphanMitigationFailed, "Undo", "%s",
		shorten(fmt.Sprintf("The object was gone before its provisioning could be recorded, and what the broker may have under the id %q is left there: %s", o.remove.InstanceID, why)))
}

// sooner is the result that comes back first.
func sooner(result ctrl.Result, again time.Duration) ctrl.Result {
	if again > 0 && (result.RequeueAfter == 0 || again < result.RequeueAfter) {
		result.RequeueAfter = again
	}
	return result
}

func scopeOf(key brokerKey) catalog.Scope {
	if key.namespace == "" {
		return catalog.Cluster
	}
	return catalog.Namespaced
}
