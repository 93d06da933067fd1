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
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	bindingrules "github.com/gophernetes/bellhop/internal/lifecycle/binding"
	"github.com/gophernetes/bellhop/internal/lifecycle/bindingsecret"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// act sends the request of a step and applies the answer to the view. If none was sent, it returns when to continue.
func (r *BindingReconciler) act(ctx context.Context, v *bindingView, next bindingrules.Decision) (made bool, _ ctrl.Result, _ error) {
	broker, problem, err := r.connect(ctx, v.world.Broker)
	switch {
	case problem != nil:
		v.world.BrokerBlocker = problem
		result, unrecorded := r.settle(ctx, v, bindingrules.Decide(v.b, v.world))
		return false, result, errors.Join(err, unrecorded)
	case err != nil:
		return false, ctrl.Result{}, err
	}
	var first *v1beta1.ServiceBindingStatus
	if next.WriteAhead || v.known.unrecorded != nil && v.calls == 0 { // an answer is recorded before the next request
		first = &next.Status
	}
	var a bindingrules.Answer
	queued, err := r.send(ctx, v.view, v.world.Broker, next.Request.Operation, first, func() (osbresult.Outcome, error) {
		var err error
		a, err = r.make(ctx, v, broker, next)
		return a.Outcome, err
	})
	switch {
	case err != nil:
		return false, ctrl.Result{}, r.fail(ctx, v, err)
	case queued != nil:
		works := lifecycle.IsTrue(lifecycle.FindCondition(v.b.Status.Conditions, v1beta1.ConditionReady)) && v.b.DeletionTimestamp.IsZero()
		result, err := r.queued(ctx, v, *queued, v.b.Status.AsyncOpInProgress || works)
		return false, result, err
	}
	a.Attribution = v.blame
	r.take(v, next, a)
	r.observeRecovery(ctx, v.world.Broker, &next.Status, &v.b.Status)
	return true, ctrl.Result{}, nil
}

// make sends the request of a step. After an error none was sent.
func (r *BindingReconciler) make(ctx context.Context, v *bindingView, broker *osb.Client, next bindingrules.Decision) (bindingrules.Answer, error) {
	before := v.b.Status
	v.b.Status = *next.Status.DeepCopy()
	a, err := r.call(ctx, v, broker, next.Request)
	if err != nil && !next.WriteAhead { // otherwise the status is on record
		v.b.Status = before
	}
	return a, err
}

// take applies an answer to the view.
func (r *BindingReconciler) take(v *bindingView, next bindingrules.Decision, a bindingrules.Answer) {
	call := next.Request
	v.calls++
	v.more = a.Class == osbresult.NeedsApp || a.Class == osbresult.NeedsAsync && call.Operation == lifecycle.Unbind || call.Operation == lifecycle.Poll && a.State == osbresult.Succeeded && !call.Removal
	v.known.memory.RequestMemory = v.known.memory.ObserveAnswer(v.b, *call, a)
	v.b.Status = bindingrules.Apply(v.b, next.Status, *call, a, r.clock.Now())
	v.known.made = r.orphanOf(v, call, a)
	r.keep(v.view, v.b.Status)
	v.world.LastPoll, v.world.PollAfter = v.known.polled, v.known.asked
}

// orphanOf returns what a request has created, for the case that its object is gone when the result is recorded; nil: nothing.
func (r *BindingReconciler) orphanOf(v *bindingView, call *bindingrules.Request, a bindingrules.Answer) *orphan {
	accepted := a.Class == osbresult.Accepted
	if call.Operation != lifecycle.Bind || a.Class != osbresult.Done && !accepted && a.Class != osbresult.Unknown {
		return v.known.made
	}
	created := a.Binding != nil && a.Binding.Created
	wasReady := bindingrules.IsBound(&v.before.Status)
	return &orphan{
		object: v.before, broker: keyOf(v.world.Broker), ours: call.MayMitigate() && !wasReady && (created || accepted),
		remove: osb.RemovalRequest{Params: params(call), BindingID: call.BindingID},
	}
}

func params(call *bindingrules.Request) osb.Params {
	return osb.Params{InstanceID: call.Target.InstanceID, ServiceID: call.Target.ServiceID, PlanID: call.Target.PlanID}
}

// call sends a request. After an error none was sent.
func (r *BindingReconciler) call(ctx context.Context, v *bindingView, broker *osb.Client, call *bindingrules.Request) (a bindingrules.Answer, err error) {
	p := params(call)
	if bindingrules.IsOnBehalfOfUser(v.b) {
		p.Identity = identityOf(v.b.Spec.UserInfo)
	}
	p.Secrets = r.secretsOf(ctx, v)
	effective := v.world.BoundInstance.Effective()
	switch call.Operation {
	case lifecycle.Bind:
		request := osb.BindRequest{Params: p, BindingID: call.BindingID, PredecessorID: call.PredecessorID, Parameters: v.world.Parameters.Sent, TopLevelAppGUID: v.known.memory.NeedsApp}
		request.AcceptsIncomplete = effective.BindingRetrievable // otherwise the credentials could not be fetched
		if request.Context, request.AppGUID, err = r.context(ctx, v.b.Namespace, v.b.Spec.InstanceRef.Name); err != nil {
			return a, err
		}
		a.Binding, a.Outcome = broker.Bind(ctx, request)
	case lifecycle.Fetch:
		a.Binding, a.Outcome = broker.FetchBinding(ctx, p, call.BindingID)
	case lifecycle.Poll:
		var last osbresult.LastOperation
		last, a.Outcome = broker.Poll(ctx, osb.PollRequest{Params: p, BindingID: call.BindingID, Removal: call.Removal, Operation: ptr.Deref(v.b.Status.LastOperation, "")})
		a.State, a.OperationDescription = last.State, lifecycle.DescriptionOf(last, a.Outcome)
	default:
		p.AcceptsIncomplete = effective.BindingRetrievable || v.known.memory.NeedsAsync
		var removal osb.RemovalResponse
		removal, a.Outcome = broker.Unbind(ctx, osb.RemovalRequest{Params: p, BindingID: call.BindingID})
		a.Operation = removal.Operation
	}
	return a, nil
}

// secretsOf returns the secrets of a binding that the broker knows: values of Secrets that it has, or is sent, as parameters, and
// credentials that it has returned; nil: there are none. They are read when an answer has text to show, and are complete where the
// Secrets are unchanged (R7).
func (r *BindingReconciler) secretsOf(ctx context.Context, v *bindingView) osb.Secrets {
	ids, told := givenOut(v.b), v.known.memory.Received
	if len(ids) == 0 && told == nil && len(v.b.Spec.ParametersFrom) == 0 {
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
		secret, err := r.readSecret(ctx, v.b)
		for _, id := range ids {
			if err != nil || secret == nil || !hasAll(secret, v.b, id) {
				return values, false
			}
			values = append(values, bindingsecret.ValuesIn(secret)...)
		}
		return values, all
	}
}

// parametersOf returns the values of Secrets among the parameters that the broker has, or is sent.
func (r *BindingReconciler) parametersOf(ctx context.Context, v *bindingView) (values []string, all bool) {
	if len(v.b.Spec.ParametersFrom) == 0 {
		return nil, true
	}
	p := v.world.Parameters
	if !p.Known {
		var err error
		if p, err = readParameters(ctx, r.live, v.b, v.b.Spec.Parameters, v.b.Spec.ParametersFrom, p); err != nil {
			return nil, false
		}
	}
	for _, props := range []*v1beta1.ServiceBindingPropertiesState{v.b.Status.ExternalProperties, v.b.Status.InProgressProperties} {
		if props != nil && props.ParameterChecksum != p.Checksum {
			return p.Secrets, false
		}
	}
	return p.Secrets, true
}

// givenOut returns the ids of a binding whose credentials the broker has returned.
func givenOut(b *v1beta1.ServiceBinding) (ids []string) {
	s := &b.Status
	if s.PredecessorID != "" {
		ids = append(ids, s.PredecessorID)
	}
	if rotates := s.PredecessorID != "" && s.CurrentOperation == v1beta1.OperationBind; bindingrules.IsBound(s) && !rotates {
		ids = append(ids, lifecycle.BindingID(b, s))
	}
	return ids
}

// hasAll reports whether a Secret has all credentials of an id: it is unmodified, and they were written without transforms.
func hasAll(secret *corev1.Secret, b *v1beta1.ServiceBinding, id string) bool {
	return bindingsecret.IsOwned(secret, b) && len(b.Spec.SecretTransforms) == 0 && bindingsecret.IsIntact(secret, id)
}
