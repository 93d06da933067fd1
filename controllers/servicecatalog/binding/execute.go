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

package binding

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	bindingrules "github.com/gophernetes/bellhop/internal/lifecycle/binding"
	"github.com/gophernetes/bellhop/internal/lifecycle/bindingsecret"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// execute sends the request of a step and applies the answer to the view. If none was sent, it returns when to continue.
func (r *Reconciler) execute(ctx context.Context, v *scope, next bindingrules.Decision) (made bool, _ ctrl.Result, _ error) {
	broker, problem, err := r.Connect(ctx, v.inputs.Broker)
	switch {
	case problem != nil:
		v.inputs.BrokerBlocker = problem
		result, unrecorded := r.finish(ctx, v, bindingrules.Decide(v.binding, v.inputs))
		return false, result, errors.Join(err, unrecorded)
	case err != nil:
		return false, ctrl.Result{}, err
	}
	var first v1beta1.ServiceObjectStatus
	if next.WriteAhead || v.Record.PendingStatus != nil && v.calls == 0 { // an answer is recorded before the next request
		first = &next.Status
	}
	var a bindingrules.Answer
	queued, err := r.Send(ctx, v.Scope, v.inputs.Broker, next.Request.Operation, first, func() (osbresult.Outcome, error) {
		var err error
		a, err = r.send(ctx, v, broker, next)
		return a.Outcome, err
	})
	switch {
	case err != nil:
		return false, ctrl.Result{}, r.Fail(ctx, v, err)
	case queued != nil:
		// Ready says whether the credentials can be used: then a request that waits is no news.
		works := lifecycle.IsTrue(lifecycle.FindCondition(v.binding.Status.Conditions, v1beta1.ConditionReady)) && v.binding.DeletionTimestamp.IsZero()
		result, err := r.ReconcileQueued(ctx, v, *queued, bindingrules.PhaseOf(&v.binding.Status).IsAccepted() || works)
		return false, result, err
	}
	a.Attribution = v.Attribution
	if lifecycle.IsDeleted(next.Request.Operation, next.Request.Removal, a.Class, a.State) {
		audit.Deleted(ctx, r.Recorder, v.Before, external(v, next.Request.BindingID), bindingrules.RuleOfDeletion(v.binding, &next.Status, next.Request.BindingID))
	}
	r.applyAnswer(v, next, a)
	r.ObserveRecovery(ctx, v.inputs.Broker, &next.Status, &v.binding.Status)
	return true, ctrl.Result{}, nil
}

// send sends the request of a step. After an error none was sent.
func (r *Reconciler) send(ctx context.Context, v *scope, broker *brokers.Client, next bindingrules.Decision) (bindingrules.Answer, error) {
	before := v.binding.Status
	v.binding.Status = *next.Status.DeepCopy()
	a, err := r.sendRequest(ctx, v, broker, next.Request)
	if err != nil && !next.WriteAhead { // otherwise the status is on record
		v.binding.Status = before
	}
	return a, err
}

// applyAnswer applies an answer to the view.
func (r *Reconciler) applyAnswer(v *scope, next bindingrules.Decision, a bindingrules.Answer) {
	call := next.Request
	v.calls++
	v.more = a.Class == osbresult.NeedsApp || a.Class == osbresult.NeedsAsync && call.Operation == lifecycle.Unbind || call.Operation == lifecycle.Poll && a.State == osbresult.Succeeded && !call.Removal
	v.memory.RequestMemory = v.memory.ObserveAnswer(v.binding, *call, a)
	v.binding.Status = bindingrules.Apply(v.binding, next.Status, *call, a, r.Clock.Now())
	if call.Operation == lifecycle.Bind {
		v.Record.Unrecorded = engine.NewUnrecorded(v.Before, external(v, call.BindingID), call.Operation, a.Outcome)
	}
	r.KeepPending(v.Scope)
	v.Record.SeenRunning = v.Record.SeenRunning || a.State == osbresult.InProgress
	v.inputs.SeenRunning = v.Record.SeenRunning
	v.inputs.LastPoll, v.inputs.PollAfter = v.Record.LastPoll, v.Record.PollAfter
}

func params(call *bindingrules.Request) osb.Params {
	return osb.Params{InstanceID: call.Target.InstanceID, ServiceID: call.Target.ServiceID, PlanID: call.Target.PlanID}
}

// sendRequest sends a request. After an error none was sent.
func (r *Reconciler) sendRequest(ctx context.Context, v *scope, broker *brokers.Client, call *bindingrules.Request) (a bindingrules.Answer, err error) {
	p := params(call)
	p.MayRepeat = v.MayRepeat
	if bindingrules.IsOnBehalfOfUser(v.binding) {
		p.Identity = engine.OriginatingIdentity(v.binding.Spec.UserInfo)
	}
	p.Secrets = r.secretsOf(ctx, v)
	effective := v.inputs.BoundInstance.Effective()
	switch call.Operation {
	case lifecycle.Bind:
		request := osb.BindRequest{Params: p, BindingID: call.BindingID, PredecessorID: call.PredecessorID, Parameters: v.inputs.Parameters.Sent, TopLevelAppGUID: broker.RequiresApp.Load()}
		request.AcceptsIncomplete = effective.BindingRetrievable // otherwise the credentials could not be fetched
		if request.Context, request.AppGUID, err = r.OSBContext(ctx, v.binding.Namespace, v.binding.Spec.InstanceRef.Name); err != nil {
			return a, err
		}
		if a.Binding, a.Outcome = broker.Bind(ctx, request); a.Class == osbresult.NeedsApp {
			broker.RequiresApp.Store(true)
		}
		if a.Binding != nil {
			a.Operation = a.Binding.Operation
		}
	case lifecycle.Fetch:
		a.Binding, a.Outcome = broker.FetchBinding(ctx, p, call.BindingID)
	case lifecycle.Poll:
		var last osbresult.LastOperation
		last, a.Outcome = broker.Poll(ctx, osb.PollRequest{Params: p, BindingID: call.BindingID, Removal: call.Removal, Operation: ptr.Deref(v.binding.Status.LastOperation, "")})
		a.State, a.OperationDescription = last.State, lifecycle.DescriptionOf(last, a.Outcome)
	case lifecycle.Unbind:
		p.AcceptsIncomplete = effective.BindingRetrievable || broker.RequiresAsync.Load()
		var removal osb.RemovalResponse
		if removal, a.Outcome = broker.Unbind(ctx, osb.RemovalRequest{Params: p, BindingID: call.BindingID}); a.Class == osbresult.NeedsAsync {
			broker.RequiresAsync.Store(true)
		}
		a.Operation = removal.Operation
	default:
		return a, lifecycle.UnknownOperation("ServiceBinding", call.Operation)
	}
	return a, nil
}

// secretsOf returns the secrets of a binding that the broker knows: values of Secrets that it has, or is sent, as parameters, and
// credentials that it has returned; nil: there are none. They are read when an answer has text to show, and are complete where the
// Secrets are unchanged (R7).
func (r *Reconciler) secretsOf(ctx context.Context, v *scope) osb.Secrets {
	ids, told := givenOut(v.binding), v.memory.Received
	if len(ids) == 0 && told == nil && len(v.binding.Spec.ParametersFrom) == 0 {
		return nil
	}
	return func() (values []string, all bool) {
		values, all = r.parametersOf(ctx, v)
		if told != nil && told.Binding != nil {
			values = append(values, bindingsecret.Values(told.Binding.Credentials)...)
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == told.BindingID })
		}
		if len(ids) == 0 {
			return values, all
		}
		secret, err := r.readSecret(ctx, v.binding)
		for _, id := range ids {
			if err != nil || secret == nil || !hasAll(secret, v.binding, id) {
				return values, false
			}
			values = append(values, bindingsecret.ValuesIn(secret)...)
		}
		return values, all
	}
}

// parametersOf returns the values of Secrets among the parameters that the broker has, or is sent.
func (r *Reconciler) parametersOf(ctx context.Context, v *scope) (values []string, all bool) {
	if len(v.binding.Spec.ParametersFrom) == 0 {
		return nil, true
	}
	p := v.inputs.Parameters
	if !p.Known {
		var err error
		if p, err = r.ReadParameters(ctx, v.binding, v.binding.Spec.Parameters, v.binding.Spec.ParametersFrom, p); err != nil {
			return nil, false
		}
	}
	for _, props := range []*v1beta1.ServiceBindingPropertiesState{v.binding.Status.ExternalProperties, v.binding.Status.InProgressProperties} {
		if props != nil && props.ParameterChecksum != p.Checksum {
			return p.Secrets, false
		}
	}
	return p.Secrets, true
}

// givenOut returns the ids of a binding whose credentials the broker has returned.
func givenOut(b *v1beta1.ServiceBinding) (ids []string) {
	s := &b.Status
	ids = lifecycle.PredecessorIDs(s)
	if bindingrules.IsBound(s) && !bindingrules.IsReplacement(s) {
		ids = append(ids, lifecycle.BindingID(b, s))
	}
	return ids
}

// hasAll reports whether a Secret has all credentials of an id: it is unmodified, and they were written without transforms.
func hasAll(secret *corev1.Secret, b *v1beta1.ServiceBinding, id string) bool {
	return bindingsecret.IsOwned(secret, b) && len(b.Spec.SecretTransforms) == 0 && bindingsecret.IsIntact(secret, id)
}
