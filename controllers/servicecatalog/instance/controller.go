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

// Package instance reconciles ServiceInstances: it observes what they refer to, asks package lifecycle/instance for the
// next step, sends the request, and records the result through the engine.
package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	instancerules "github.com/gophernetes/bellhop/internal/lifecycle/instance"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// Reconciler provisions, updates and deprovisions ServiceInstances at their brokers.
type Reconciler struct {
	*engine.Reconciler
	dependents dependents
}

// scope is an instance during a reconcile.
type scope struct {
	*engine.Scope
	instance *v1beta1.ServiceInstance // the object
	inputs   instancerules.Inputs
	unread   error // why the parameters could not be read, which is retried
}

// StatusForBlocker returns the status of an instance whose reconcile is blocked.
func (s *scope) StatusForBlocker(why *lifecycle.Blocker, now time.Time) v1beta1.ServiceObjectStatus {
	status := instancerules.StatusForBlocker(s.instance, why, now)
	return &status
}

// recorded returns the instance as it is on record.
func (s *scope) recorded() *v1beta1.ServiceInstance { return s.Before.(*v1beta1.ServiceInstance) }

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// ReconcileObject observes, decides, executes and records.
func (r *Reconciler) ReconcileObject(ctx context.Context, of *engine.Scope) (ctrl.Result, error) {
	v := &scope{Scope: of, instance: of.Object.(*v1beta1.ServiceInstance)}
	if wait, err := r.AwaitTakeover(ctx, of); wait != nil || err != nil {
		return ptr.Deref(wait, ctrl.Result{}), err
	}
	if err := r.observe(ctx, v); err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up what the instance refers to: %w", err)
	}
	next, err := r.decide(ctx, v)
	switch {
	case err != nil:
		return ctrl.Result{}, r.Fail(ctx, v, err)
	case next.Need == lifecycle.NeedFinalizer:
		return ctrl.Result{}, r.addFinalizerAndID(ctx, v.recorded())
	case next.Need == lifecycle.NeedReferences:
		return ctrl.Result{}, r.writeReferences(ctx, v.recorded(), v.inputs.Refs)
	}
	result, err := r.execute(ctx, v, next)
	if err == nil {
		err = v.unread
	}
	return result, err
}

// decide decides, and reads what the decision needs.
func (r *Reconciler) decide(ctx context.Context, v *scope) (instancerules.Decision, error) {
	for {
		v.inputs.Now = r.Clock.Now()
		next := instancerules.Decide(v.instance, v.inputs)
		var err error
		switch next.Need {
		case lifecycle.NeedDefinition:
			if v.Record.Definition, err = r.Definition.Read(ctx); err != nil {
				err = engine.WithReason(v1beta1.ReasonDeprovisionCallFailed, errors.New("No request is sent to the broker before the CustomResourceDefinition was read: "+err.Error()))
			}
			v.inputs.Definition = v.Record.Definition
			if v.Record.Definition == lifecycle.DefinitionTerminating { // it is read again: a CRD can be created again
				v.Record.Definition = lifecycle.DefinitionUnknown
			}
		case lifecycle.NeedParameters:
			if err := r.readParameters(ctx, v); err != nil {
				v.inputs.Parameters.Known, v.inputs.Parameters.SecretMissing, v.unread = true, true, err
				v.inputs.Parameters.Blocker = lifecycle.InProgress(v1beta1.ReasonErrorWithParameters, err.Error())
			}
		default:
			return next, nil
		}
		if err != nil {
			return next, err
		}
	}
}

// execute sends the request of a step, if it has one, and records the result.
func (r *Reconciler) execute(ctx context.Context, v *scope, next instancerules.Decision) (ctrl.Result, error) {
	if next.Request == nil {
		return r.finish(ctx, v, next)
	}
	at := v.inputs.Offering.Broker
	broker, problem, err := r.Connect(ctx, at)
	switch {
	case problem != nil:
		v.inputs.BrokerBlocker = problem
		result, unrecorded := r.finish(ctx, v, instancerules.Decide(v.instance, v.inputs))
		return result, errors.Join(err, unrecorded)
	case err != nil:
		return ctrl.Result{}, err
	}
	if next.Request.Operation == lifecycle.Provision {
		if err := r.ProtectSecrets(ctx, at); err != nil {
			return ctrl.Result{}, r.Fail(ctx, v, err)
		}
	}
	var first v1beta1.ServiceObjectStatus
	if next.WriteAhead || v.Record.PendingStatus != nil { // an answer is recorded before the next request
		first = &next.Status
	}
	var a instancerules.Answer
	queued, err := r.Send(ctx, v.Scope, at, next.Request.Operation, first, func() (osbresult.Outcome, error) {
		var err error
		a, err = r.sendRequest(ctx, v, broker.Client, next.Request)
		return a.Outcome, err
	})
	switch {
	case err != nil:
		return ctrl.Result{}, r.Fail(ctx, v, err)
	case queued != nil:
		return r.ReconcileQueued(ctx, v, *queued, v.instance.Status.AsyncOpInProgress)
	}
	a.Attribution = v.Attribution
	v.Record.SeenRunning = v.Record.SeenRunning || a.State == osbresult.InProgress
	v.instance.Status = instancerules.Apply(v.instance, next.Status, *next.Request, a, r.Clock.Now())
	if lifecycle.IsDeleted(next.Request.Operation, next.Request.Removal, a.Class, a.State) {
		audit.Deleted(ctx, r.Recorder, v.Before, external(v, next.Request.InstanceID), instancerules.RuleOfDeletion(v.instance))
	}
	r.ObserveRecovery(ctx, at, &next.Status, &v.instance.Status)
	v.Record.Unrecorded = unrecorded(v, next.Request, a.Outcome)
	r.KeepPending(v.Scope)
	return r.recordAndContinue(ctx, v)
}

// recordAndContinue records the result of a request, and returns when to continue.
func (r *Reconciler) recordAndContinue(ctx context.Context, v *scope) (ctrl.Result, error) {
	v.inputs.SeenRunning = v.Record.SeenRunning
	v.inputs.LastPoll, v.inputs.PollAfter = v.Record.LastPoll, v.Record.PollAfter
	next, err := r.decide(ctx, v)
	switch {
	case err != nil:
		return ctrl.Result{}, r.Fail(ctx, v, err)
	case next.Request != nil, next.Need == lifecycle.NeedReferences:
		return r.RequeueNow(&next.Status), r.Record(ctx, v.Scope, &v.instance.Status)
	}
	return r.finish(ctx, v, next)
}

// finish records a step without a request.
func (r *Reconciler) finish(ctx context.Context, v *scope, next instancerules.Decision) (ctrl.Result, error) {
	r.Queue.Leave(client.ObjectKeyFromObject(v.instance), &v.Record.Queue)
	if next.Release == nil {
		return r.Requeue(next.RequeueAt, &next.Status), r.Record(ctx, v.Scope, &next.Status)
	}
	if err := r.Release(ctx, v.Scope, external(v, lifecycle.InstanceID(v.instance)), *next.Release); err != nil {
		return ctrl.Result{}, err
	}
	if b := v.inputs.Offering.Broker; b != nil {
		r.Claims.Release(engine.ClaimKey{Broker: brokers.KeyOf(b), ID: lifecycle.InstanceID(v.instance)}, v.instance.UID)
	}
	return ctrl.Result{}, nil
}

// external returns what an instance has at its broker under an id.
func external(v *scope, id string) audit.External {
	return audit.External{ID: id, Broker: v.inputs.Offering.Broker, User: v.instance.Spec.UserInfo}
}
