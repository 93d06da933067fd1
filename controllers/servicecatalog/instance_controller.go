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
	"errors"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	instancerules "github.com/gophernetes/bellhop/internal/lifecycle/instance"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// InstanceReconciler provisions, updates and deprovisions ServiceInstances at their brokers.
type InstanceReconciler struct {
	*reconciler[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]
	lookup lookup
}

// instanceView is an instance during a reconcile.
type instanceView struct {
	*view[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]
	si     *v1beta1.ServiceInstance // the object
	world  instancerules.Inputs
	unread error // why the parameters could not be read, which is retried
}

// StatusForBlocker returns the status of an instance whose reconcile is blocked.
func (v *instanceView) StatusForBlocker(why *lifecycle.Blocker, now time.Time) v1beta1.ServiceInstanceStatus {
	return instancerules.StatusForBlocker(v.si, why, now)
}

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// ReconcileObject observes, decides, executes and records.
func (r *InstanceReconciler) ReconcileObject(ctx context.Context, of *view[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]) (ctrl.Result, error) {
	v := &instanceView{view: of, si: of.object}
	if err := r.look(ctx, v); err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up what the instance refers to: %w", err)
	}
	next, err := r.decide(ctx, v)
	switch {
	case err != nil:
		return ctrl.Result{}, r.fail(ctx, v, err)
	case next.NeedFinalizer:
		return ctrl.Result{}, r.protect(ctx, v.before)
	case next.NeedReferences != nil:
		return ctrl.Result{}, r.writeRefs(ctx, v.before, next.NeedReferences)
	}
	result, err := r.act(ctx, v, next)
	if err == nil {
		err = v.unread
	}
	return result, err
}

// decide decides, and reads what the decision needs.
func (r *InstanceReconciler) decide(ctx context.Context, v *instanceView) (instancerules.Decision, error) {
	for {
		v.world.Now = r.clock.Now()
		next := instancerules.Decide(v.si, v.world)
		var err error
		switch {
		case next.NeedDefinition:
			if v.known.definition, err = r.definition.state(ctx); err != nil {
				err = inTheWay(v1beta1.ReasonDeprovisionCallFailed, errors.New("No request is sent to the broker before the CustomResourceDefinition was read: "+err.Error()))
			}
			v.world.Definition = v.known.definition
		case next.NeedParameters:
			if err := r.readParameters(ctx, v); err != nil {
				v.world.Parameters.Known, v.world.Parameters.SecretMissing, v.unread = true, true, err
				v.world.Parameters.Blocker = lifecycle.InProgress(v1beta1.ReasonErrorWithParameters, err.Error())
			}
		default:
			return next, nil
		}
		if err != nil {
			return next, err
		}
	}
}

// act sends the request of a step, if it has one, and records the result.
func (r *InstanceReconciler) act(ctx context.Context, v *instanceView, next instancerules.Decision) (ctrl.Result, error) {
	if next.Request == nil {
		return r.settle(ctx, v, next)
	}
	at := v.world.Offering.Broker
	broker, problem, err := r.connect(ctx, at)
	switch {
	case problem != nil:
		v.world.BrokerBlocker = problem
		result, unrecorded := r.settle(ctx, v, instancerules.Decide(v.si, v.world))
		return result, errors.Join(err, unrecorded)
	case err != nil:
		return ctrl.Result{}, err
	}
	if next.Request.Operation == lifecycle.Provision {
		if err := r.keepSecrets(ctx, at); err != nil {
			return ctrl.Result{}, r.fail(ctx, v, err)
		}
	}
	var first *v1beta1.ServiceInstanceStatus
	if next.WriteAhead || v.known.unrecorded != nil { // an answer is recorded before the next request
		first = &next.Status
	}
	var a instancerules.Answer
	queued, err := r.send(ctx, v.view, at, next.Request.Operation, first, func() (osbresult.Outcome, error) {
		var err error
		a, err = r.call(ctx, v, broker, next.Request)
		return a.Outcome, err
	})
	switch {
	case err != nil:
		return ctrl.Result{}, r.fail(ctx, v, err)
	case queued != nil:
		return r.queued(ctx, v, *queued, v.si.Status.AsyncOpInProgress)
	}
	a.Attribution = v.blame
	v.si.Status = instancerules.Apply(v.si, next.Status, *next.Request, a, r.clock.Now())
	r.observeRecovery(ctx, at, &next.Status, &v.si.Status)
	v.known.made = r.orphanOf(v, next.Request, a)
	r.keep(v.view, v.si.Status)
	return r.follow(ctx, v)
}

// follow records the result of a request, and returns when to continue.
func (r *InstanceReconciler) follow(ctx context.Context, v *instanceView) (ctrl.Result, error) {
	v.world.LastPoll, v.world.PollAfter = v.known.polled, v.known.asked
	next, err := r.decide(ctx, v)
	switch {
	case err != nil:
		return ctrl.Result{}, r.fail(ctx, v, err)
	case next.Request != nil, next.NeedReferences != nil:
		return r.atOnce(&next.Status), r.record(ctx, v.view, v.si.Status)
	}
	return r.settle(ctx, v, next)
}

// settle records a step without a request.
func (r *InstanceReconciler) settle(ctx context.Context, v *instanceView, next instancerules.Decision) (ctrl.Result, error) {
	r.line.leave(client.ObjectKeyFromObject(v.si), &v.known.queued)
	if next.Release == nil {
		return r.later(next.RequeueAt, &next.Status), r.record(ctx, v.view, next.Status)
	}
	if err := r.release(ctx, v.view, *next.Release); err != nil {
		return ctrl.Result{}, err
	}
	if b := v.world.Offering.Broker; b != nil {
		r.claims.release(claimKey{keyOf(b), lifecycle.InstanceID(v.si)}, v.si.UID)
	}
	return ctrl.Result{}, nil
}
