// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// maxCalls bounds the requests of one reconcile: one, and those that repeat it in the form that the broker requires, or fetch its result.
const maxCalls = 3

// Machine is the state machine of a kind for one object during a reconcile. Step is its last decision.
type Machine interface {
	// Common returns the engine's part of the scope, which embeds it.
	Common() *Scope
	// Inputs are what the decision depends on, to be read and changed.
	Inputs() *operation.Inputs
	// Decide decides on the present view.
	Decide() Step
	// Supply supplies what the last decision needs.
	Supply(context.Context, rules.Need) error
	// Broker is where requests about the id in force go; nil: it does not exist. Those about an id left behind go to its CleanUpBroker.
	Broker() v1beta1.Broker
	// Ask sends the request of the last decision. After an error none was sent.
	Ask(context.Context, *brokers.Client) (operation.Answer, error)
	// Apply applies the answer to the object, and reports whether another request may follow at once.
	Apply(operation.Answer) (more bool)
	// External returns what the object has at its broker under an id, RuleOfDeletion why that is deleted.
	External(id string) audit.External
	RuleOfDeletion() rules.DeletionRule
	// Claim is the key of a reservation that ends when the object is released; false: there is none.
	Claim() (ClaimKey, bool)
	// IsQuietInQueue reports whether it is no news that a request waits for a slot.
	IsQuietInQueue() bool
	// StatusForBlocker returns the status of an object whose reconcile is blocked.
	StatusForBlocker(why *rules.Blocker, now time.Time) v1beta1.ServiceObjectStatus
	// Finish completes a decision without a request, once it is on record.
	Finish(context.Context, ctrl.Result) ctrl.Result
}

// Step is a decision, as far as it is alike for all kinds.
type Step struct {
	operation.Decision
	// Request is sent to the broker; nil: none.
	Request *operation.Request
	// ID is the id of the object's resource at the broker.
	ID string
	// Act is done before the request; nil: nothing.
	Act func(context.Context) error
	// Status is the status to write, before the outcome of the request.
	Status v1beta1.ServiceObjectStatus
	// InFlight is the status to write where the broker takes its time to answer the request; nil: none.
	InFlight v1beta1.ServiceObjectStatus
}

// Run takes steps until there is nothing to do, or to wait for.
func (r *Reconciler) Run(ctx context.Context, m Machine) (ctrl.Result, error) {
	s := m.Common()
	for {
		next, err := r.decide(ctx, m)
		switch {
		case err != nil:
			return ctrl.Result{}, r.fail(ctx, m, err)
		case next.Act != nil:
			if err := next.Act(ctx); err != nil {
				return ctrl.Result{}, r.fail(ctx, m, err)
			}
		case next.Need != "" && s.calls == 0:
			if err := m.Supply(ctx, next.Need); err != nil {
				return ctrl.Result{}, r.fail(ctx, m, err)
			}
			if next = m.Decide(); next.Need == "" { // the API server refused the write, as the conditions say
				return r.finish(ctx, m, next)
			}
			return ctrl.Result{}, nil // the write causes another reconcile
		case next.Need != "", next.Request != nil && s.calls > 0 && (!s.more || s.calls >= maxCalls): // that is for another time, as it may wait for a slot
			return r.requeueNow(next.Status), r.Record(ctx, s, s.Object.CommonStatus())
		case next.Request != nil:
			if made, result, err := r.execute(ctx, m, next); !made || err != nil {
				return result, err
			}
		default:
			return r.finish(ctx, m, next)
		}
	}
}

// decide decides, and reads what the decision needs. What it needs to be written first is left.
func (r *Reconciler) decide(ctx context.Context, m Machine) (next Step, err error) {
	for err == nil {
		m.Inputs().Now, m.Inputs().NextNumber = r.Clock.Now(), 1+rand.Int32N(catalog.NextNumbers)
		m.Inputs().Gone = r.observeGone(m)
		if m.Broker() != nil {
			m.Inputs().Address = r.Clients.AddressInputs(ctx, m.Broker())
		}
		if err = r.observeCleanUps(ctx, m.Inputs()); err != nil {
			return next, err
		}
		next = m.Decide()
		switch {
		case next.Need == "", next.Need.IsWritten():
			return next, nil
		case next.Need == rules.NeedDefinition:
			err = r.readDefinition(ctx, m)
		default:
			err = m.Supply(ctx, next.Need)
		}
	}
	return next, err
}

// readDefinition reads the CRD. One that is being deleted is read again: it can be created again.
func (r *Reconciler) readDefinition(ctx context.Context, m Machine) error {
	definition, err := r.Definition.Read(ctx)
	if err != nil {
		return WithReason(r.kind.RemovalFailed(), errors.New("No request is sent to the broker before the CustomResourceDefinition has been read: "+err.Error()))
	}
	m.Inputs().Definition = definition
	if m.Common().Record.Definition = definition; definition == rules.DefinitionTerminating {
		m.Common().Record.Definition = rules.DefinitionUnknown
	}
	return nil
}

// execute sends the request of a step and applies the answer. If none was sent, it returns when to continue.
func (r *Reconciler) execute(ctx context.Context, m Machine, next Step) (made bool, _ ctrl.Result, _ error) {
	s, broker := m.Common(), brokerOf(m, next.Request)
	connection, problem, err := r.connect(ctx, broker)
	switch {
	case problem != nil && next.Request.CleanUp: // it changes no condition
		next.Request, next.RequeueAt = nil, r.Clock.Now()
		result, unrecorded := r.finish(ctx, m, next)
		return false, result, errors.Join(err, unrecorded)
	case problem != nil:
		m.Inputs().BrokerBlocker = problem
		result, unrecorded := r.finish(ctx, m, m.Decide())
		return false, result, errors.Join(err, unrecorded)
	case err != nil:
		return false, ctrl.Result{}, err
	}
	if next.Request.Operation == rules.Provision {
		if err := r.ProtectSecrets(ctx, broker); err != nil {
			return false, ctrl.Result{}, r.fail(ctx, m, err)
		}
	}
	var ahead v1beta1.ServiceObjectStatus
	if next.WriteAhead || s.Record.PendingStatus != nil && s.calls == 0 { // an answer is recorded before the next request
		ahead = next.Status
	}
	a, queued, err := r.send(ctx, s, broker, next, ahead, func() (operation.Answer, error) { return m.Ask(ctx, connection) })
	switch {
	case err != nil:
		return false, ctrl.Result{}, r.fail(ctx, m, err)
	case queued != nil:
		result, err := r.reconcileQueued(ctx, m, *queued, m.IsQuietInQueue())
		return false, result, err
	}
	r.apply(ctx, m, next, a)
	return true, ctrl.Result{}, nil
}

// apply applies an answer to the object, which is recorded with the next step.
func (r *Reconciler) apply(ctx context.Context, m Machine, next Step, a operation.Answer) {
	s, what := m.Common(), next.Request.Operation
	if next.Request.IsDeletedBy(a) {
		audit.Deleted(ctx, r.Recorder, s.Before, m.External(next.Request.ID), m.RuleOfDeletion())
	}
	s.calls++
	s.more = m.Apply(a)
	if next.Request.CleanUp {
		r.KeepPending(s)
		m.Inputs().CleanUpPolls = s.Record.CleanUpPolls
		return
	}
	r.observeRecovery(ctx, m.Broker(), next.Status, s.Object.CommonStatus())
	if what == rules.Provision || what == rules.Bind {
		s.Record.Unrecorded = newUnrecorded(s.Before, m.External(next.Request.ID), what, a.Outcome)
	}
	r.KeepPending(s)
	s.Record.SeenRunning = s.Record.SeenRunning || a.State == osbresult.InProgress
	in := m.Inputs()
	in.SeenRunning, in.LastPoll, in.PollAfter = s.Record.SeenRunning, s.Record.LastPoll, s.Record.PollAfter
}

// finish records a step without a request.
func (r *Reconciler) finish(ctx context.Context, m Machine, next Step) (ctrl.Result, error) {
	s := m.Common()
	r.Queue.Leave(client.ObjectKeyFromObject(s.Object), &s.Record.Queue)
	if next.Release == nil {
		if err := r.Record(ctx, s, next.Status); err != nil {
			return ctrl.Result{}, err
		}
		r.awaitSuccesses(m, next)
		return m.Finish(ctx, r.requeue(next.RequeueAt, next.Status)), nil
	}
	if err := r.release(ctx, s, m.External(next.ID), *next.Release); err != nil {
		return ctrl.Result{}, err
	}
	if key, ok := m.Claim(); ok {
		r.Claims.Release(key, s.Object.GetUID())
	}
	return ctrl.Result{}, nil
}
