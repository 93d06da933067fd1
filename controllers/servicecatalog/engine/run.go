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

package engine

import (
	"context"
	"errors"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/operation"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// maxCalls bounds the requests of one reconcile: one, and those that repeat it in the form that the broker requires, or fetch its result.
const maxCalls = 3

// Machine is the state machine of a kind for one object during a reconcile. Step is its last decision.
type Machine interface {
	KindScope
	// Inputs are what the decision depends on, to be read and changed.
	Inputs() *operation.Inputs
	// Decide decides on the present view.
	Decide() Step
	// Supply supplies what the last decision needs, and reports whether that was written to the API server, so that the object is
	// reconciled again.
	Supply(context.Context, lifecycle.Need) (written bool, err error)
	// Broker is where requests go.
	Broker() v1beta1.Broker
	// Ask sends the request of the last decision. After an error none was sent.
	Ask(context.Context, *brokers.Client) (operation.Answer, error)
	// Apply applies the answer to the object, and reports whether another request may follow at once.
	Apply(operation.Answer) (more bool)
	// External returns what the object has at its broker under an id, RuleOfDeletion why that is deleted.
	External(id string) audit.External
	RuleOfDeletion() lifecycle.DeletionRule
	// Claim is the key of a reservation that ends when the object is released; false: there is none.
	Claim() (ClaimKey, bool)
	// IsQuietInQueue reports whether it is no news that a request waits for a slot.
	IsQuietInQueue() bool
	// Finish completes a decision without a request, once it is on record.
	Finish(context.Context, ctrl.Result) ctrl.Result
}

// Step is a decision, as far as it is alike for all kinds.
type Step struct {
	operation.Decision
	// Request is sent to the broker; nil: none. ID is that of what it is about, or of the object.
	Request *operation.Request
	ID      string
	// Act is done before the request; nil: nothing.
	Act func(context.Context) error
	// Status is the status to write, before the outcome of the request.
	Status v1beta1.ServiceObjectStatus
}

// Run takes steps until there is nothing to do, or to wait for.
func (r *Reconciler) Run(ctx context.Context, m Machine) (ctrl.Result, error) {
	s, calls, more := m.Common(), 0, false
	for {
		next, written, err := r.decide(ctx, m, calls > 0)
		switch {
		case err != nil:
			return ctrl.Result{}, r.Fail(ctx, m, err)
		case written:
			return ctrl.Result{}, nil
		case next.Act != nil:
			if err := next.Act(ctx); err != nil {
				return ctrl.Result{}, r.Fail(ctx, m, err)
			}
		case next.Need != "", next.Request != nil && calls > 0 && (!more || calls >= maxCalls): // that is for another time, as it may wait for a slot
			return r.RequeueNow(next.Status), r.Record(ctx, s, s.Object.CommonStatus())
		case next.Request != nil:
			made, result, err := r.execute(ctx, m, next, calls == 0, &more)
			if !made || err != nil {
				return result, err
			}
			calls++
		default:
			return r.finish(ctx, m, next)
		}
	}
}

// decide decides, and supplies what the decision needs. What has to be written to the API server is left after a request, whose result
// comes first.
func (r *Reconciler) decide(ctx context.Context, m Machine, called bool) (next Step, written bool, err error) {
	for err == nil && !written {
		m.Inputs().Now = r.Clock.Now()
		next = m.Decide()
		switch {
		case next.Need == "", called && (next.Need == lifecycle.NeedFinalizer || next.Need == lifecycle.NeedReferences):
			return next, false, nil
		case next.Need == lifecycle.NeedDefinition:
			err = r.readDefinition(ctx, m)
		default:
			written, err = m.Supply(ctx, next.Need)
		}
	}
	return next, written, err
}

// readDefinition reads the CRD. One that is being deleted is read again: it can be created again.
func (r *Reconciler) readDefinition(ctx context.Context, m Machine) error {
	definition, err := r.Definition.Read(ctx)
	if err != nil {
		return WithReason(r.kind.RemovalFailed(), errors.New("No request is sent to the broker before the CustomResourceDefinition was read: "+err.Error()))
	}
	m.Inputs().Definition = definition
	if m.Common().Record.Definition = definition; definition == lifecycle.DefinitionTerminating {
		m.Common().Record.Definition = lifecycle.DefinitionUnknown
	}
	return nil
}

// execute sends the request of a step and applies the answer. If none was sent, it returns when to continue.
func (r *Reconciler) execute(ctx context.Context, m Machine, next Step, first bool, more *bool) (made bool, _ ctrl.Result, _ error) {
	s, broker := m.Common(), m.Broker()
	connection, problem, err := r.Connect(ctx, broker)
	switch {
	case problem != nil:
		m.Inputs().BrokerBlocker = problem
		result, unrecorded := r.finish(ctx, m, m.Decide())
		return false, result, errors.Join(err, unrecorded)
	case err != nil:
		return false, ctrl.Result{}, err
	}
	if next.Request.Operation == lifecycle.Provision {
		if err := r.ProtectSecrets(ctx, broker); err != nil {
			return false, ctrl.Result{}, r.Fail(ctx, m, err)
		}
	}
	var ahead v1beta1.ServiceObjectStatus
	if next.WriteAhead || s.Record.PendingStatus != nil && first { // an answer is recorded before the next request
		ahead = next.Status
	}
	var a operation.Answer
	queued, err := r.Send(ctx, s, broker, next.Request.Operation, ahead, func() (_ osbresult.Outcome, err error) {
		a, err = m.Ask(ctx, connection)
		return a.Outcome, err
	})
	switch {
	case err != nil:
		return false, ctrl.Result{}, r.Fail(ctx, m, err)
	case queued != nil:
		result, err := r.ReconcileQueued(ctx, m, *queued, m.IsQuietInQueue())
		return false, result, err
	}
	a.Attribution = s.Attribution
	*more = r.apply(ctx, m, next, a)
	return true, ctrl.Result{}, nil
}

// apply applies an answer to the object, which is recorded with the next step.
func (r *Reconciler) apply(ctx context.Context, m Machine, next Step, a operation.Answer) (more bool) {
	s, what := m.Common(), next.Request.Operation
	if lifecycle.IsDeleted(what, next.Request.Removal, a.Class, a.State) {
		audit.Deleted(ctx, r.Recorder, s.Before, m.External(next.ID), m.RuleOfDeletion())
	}
	more = m.Apply(a)
	r.ObserveRecovery(ctx, m.Broker(), next.Status, s.Object.CommonStatus())
	if what == lifecycle.Provision || what == lifecycle.Bind {
		s.Record.Unrecorded = NewUnrecorded(s.Before, m.External(next.ID), what, a.Outcome)
	}
	r.KeepPending(s)
	s.Record.SeenRunning = s.Record.SeenRunning || a.State == osbresult.InProgress
	in := m.Inputs()
	in.SeenRunning, in.LastPoll, in.PollAfter = s.Record.SeenRunning, s.Record.LastPoll, s.Record.PollAfter
	return more
}

// finish records a step without a request.
func (r *Reconciler) finish(ctx context.Context, m Machine, next Step) (ctrl.Result, error) {
	s := m.Common()
	r.Queue.Leave(client.ObjectKeyFromObject(s.Object), &s.Record.Queue)
	if next.Release == nil {
		if err := r.Record(ctx, s, next.Status); err != nil {
			return ctrl.Result{}, err
		}
		return m.Finish(ctx, r.Requeue(next.RequeueAt, next.Status)), nil
	}
	if err := r.Release(ctx, s, m.External(next.ID), *next.Release); err != nil {
		return ctrl.Result{}, err
	}
	if key, ok := m.Claim(); ok {
		r.Claims.Release(key, s.Object.GetUID())
	}
	return ctrl.Result{}, nil
}
