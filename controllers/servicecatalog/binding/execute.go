// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Ask sends the request of the last decision. The binding has the status of the decision afterwards, unless an error occurred before that was
// recorded.
func (s *scope) Ask(ctx context.Context, broker *brokers.Client) (operation.Answer, error) {
	before := s.binding.Status
	s.binding.Status = *s.next.Status.DeepCopy()
	a, err := s.r.sendRequest(ctx, s, broker, s.next.Request)
	if err != nil && !s.next.WriteAhead { // otherwise the status is on record
		s.binding.Status = before
	}
	return a, err
}

// Apply applies the answer. Another request follows at once that repeats the last one in the form that the broker requires, or fetches its result.
func (s *scope) Apply(a operation.Answer) (more bool) {
	call := s.next.Request
	if !call.CleanUp {
		s.memory.RequestMemory = s.memory.ObserveAnswer(s.binding, *call, a)
	}
	before := s.binding.Status.IssuedAt
	s.binding.Status = bindingrules.Apply(s.binding, s.next.Status, *call, a, s.r.Clock.Now())
	s.inputs.NoteIssue(before, s.binding.Status.IssuedAt)
	return bindingrules.IsSentAgain(call, a) || call.Operation == rules.Poll && a.State == osbresult.Succeeded && !call.IsRemoval()
}

func params(call *bindingrules.Request) osb.Params {
	return osb.Params{InstanceID: call.Target.InstanceID, ServiceID: call.Target.ServiceID, PlanID: call.Target.PlanID}
}

// sendRequest sends a request. After an error none was sent.
func (r *Reconciler) sendRequest(ctx context.Context, s *scope, broker *brokers.Client, call *bindingrules.Request) (a bindingrules.Answer, err error) {
	p := params(call)
	p.MayRepeat = s.MayRepeat
	if !call.CleanUp && bindingphase.IsOnBehalfOfUser(s.binding) {
		p.Identity = engine.OriginatingIdentity(s.binding.Spec.UserInfo)
	}
	p.Secrets = r.secretsOf(ctx, s)
	effective := s.inputs.BoundInstance.Effective()
	switch call.Operation {
	case rules.Bind:
		request := osb.BindRequest{Params: p, BindingID: call.ID, PredecessorID: call.PredecessorID, Parameters: s.inputs.Parameters.Sent, TopLevelAppGUID: broker.RequiresApp.Load()}
		request.AcceptsIncomplete = effective.BindingRetrievable // otherwise the credentials could not be fetched
		if request.Context, request.AppGUID, err = r.OSBContext(ctx, s.binding.Namespace, s.binding.Spec.InstanceRef.Name); err != nil {
			return a, err
		}
		if a.Binding, a.Outcome = broker.Bind(ctx, request); a.Class == osbresult.NeedsApp {
			broker.RequiresApp.Store(true)
		}
		if a.Binding != nil {
			a.Operation = a.Binding.Operation
		}
		return a, nil
	case rules.Fetch:
		a.Binding, a.Outcome = broker.FetchBinding(ctx, p, call.ID)
		return a, nil
	case rules.Poll:
		var last osbresult.LastOperation
		last, a.Outcome = broker.Poll(ctx, osb.PollRequest{Params: p, BindingID: call.ID, Removal: call.IsRemoval(), Operation: call.LastOperation})
		a.State, a.OperationDescription = last.State, rules.DescriptionOf(last, a.Outcome)
		return a, nil
	case rules.Unbind:
		p.AcceptsIncomplete = effective.BindingRetrievable || broker.RequiresAsync.Load()
		var removal osb.RemovalResponse
		if removal, a.Outcome = broker.Unbind(ctx, osb.RemovalRequest{Params: p, BindingID: call.ID}); a.Class == osbresult.NeedsAsync {
			broker.RequiresAsync.Store(true)
		}
		a.Operation = removal.Operation
		return a, nil
	case rules.Provision, rules.Update, rules.Deprovision, rules.Inspect:
	}
	return a, rules.UnknownOperation("ServiceBinding", call.Operation)
}

// secretsOf returns the secrets of a binding that the broker knows: values of Secrets that it has, or is sent, as parameters, and credentials that
// it has returned; nil: there are no such secrets. They are read when an answer has text to show, and are complete where the Secrets are unchanged
// (R7).
func (r *Reconciler) secretsOf(ctx context.Context, s *scope) osb.Secrets {
	ids, told := s.givenOut(), s.memory.Received
	if len(ids) == 0 && told == nil && len(s.binding.Spec.ParametersFrom) == 0 {
		return nil
	}
	return func() (values []string, all bool) {
		values, all = r.parametersOf(ctx, s)
		if told != nil {
			values = append(values, bindingsecret.Values(told.Binding.ForSecret())...)
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == told.BindingID })
		}
		if len(ids) == 0 {
			return values, all
		}
		secret, err := s.removed, error(nil)
		if secret == nil {
			secret, err = r.readSecret(ctx, s.binding)
		}
		for _, id := range ids {
			if err != nil || secret == nil || !hasAll(secret, s.binding, id) {
				return values, false
			}
			values = append(values, bindingsecret.ValuesIn(secret, s.binding, bindingrules.ServiceOf(s.binding, s.inputs))...)
		}
		return values, all
	}
}

// parametersOf returns the values of Secrets among the parameters that the broker has, or is sent.
func (r *Reconciler) parametersOf(ctx context.Context, s *scope) (values []string, all bool) {
	if len(s.binding.Spec.ParametersFrom) == 0 {
		return nil, true
	}
	p := s.inputs.Parameters
	if !p.Known {
		var err error
		if p, err = r.ReadParameters(ctx, s.binding, parameterSources(s.binding), p); err != nil {
			return nil, false
		}
	}
	for _, props := range []*v1beta1.ServiceBindingPropertiesState{s.binding.Status.ExternalProperties, s.binding.Status.InProgressProperties} {
		if props != nil && props.ParameterChecksum != p.Checksum {
			return p.Secrets, false
		}
	}
	return p.Secrets, true
}

// givenOut returns the ids of a binding whose credentials the broker has returned, or may have: no status shows it where they were dropped.
// A request to fetch or remove a binding is about one that the broker has, and the first request under the id of a successor proves that
// nothing was returned before.
func (s *scope) givenOut() (ids []string) {
	status, call := &s.binding.Status, s.next.Request
	ids = rules.PredecessorIDs(status)
	id, isFirst := rules.BindingID(s.binding, status), call != nil && call.NothingAtBroker
	isCreated := id == s.binding.Spec.ExternalID && status.CreatedForUID == s.binding.UID
	isReturned := bindingphase.IsBound(status) || s.memory.DroppedID == id || isCreated && !isFirst
	if bindingphase.IsReplacement(status) {
		isReturned = status.InProgressProperties != nil && !isFirst
	}
	if isReturned {
		ids = append(ids, id)
	}
	if call != nil && (call.Operation == rules.Fetch || call.IsRemoval()) {
		ids = append(ids, call.ID)
	}
	return rules.Distinct(ids...)
}

// hasAll reports whether a Secret has all credentials of an id: it is unmodified, and they were written without transforms.
func hasAll(secret *corev1.Secret, b *v1beta1.ServiceBinding, id string) bool {
	return bindingsecret.IsOwned(secret, b) && len(b.Spec.SecretTransforms) == 0 && bindingsecret.IsIntact(secret, id)
}
