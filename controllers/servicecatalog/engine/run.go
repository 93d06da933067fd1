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

// maxCalls bounds the requests of one reconcile: one, and requests that repeat it in the form that the broker requires, or fetch its result.
const maxCalls = 3

// Machine is the state machine of a kind for one object during a reconcile. Decide returns a step, and the other methods are about the last one.
type Machine interface {
	// Common returns the engine's part of the scope, which embeds it.
	Common() *Scope
	// Decide decides on the present view.
	Decide(context.Context) Step
	// Supply reads or writes the input that the decision needs.
	Supply(context.Context, rules.Need) error
	// Ask sends the request. After an error none was sent.
	Ask(context.Context, *brokers.Client) (operation.Answer, error)
	// Apply applies the answer to the object, and reports whether another request may follow at once.
	Apply(operation.Answer) (more bool)
	// StatusForBlocker returns the status of an object whose reconcile is blocked.
	StatusForBlocker(why *rules.Blocker, now time.Time) v1beta1.ServiceObjectStatus
}

// Step is a decision, as far as it is alike for all kinds.
type Step struct {
	operation.Decision
	// Request is sent to the broker; nil: none. Rule is why the resource that it removes is removed.
	Request *operation.Request
	Rule    rules.DeletionRule
	// ID is the id of the object's resource at the broker.
	ID string
	// Retained is why the resource under RetainedID, which was replaced, stays at the broker; nil: no resource does.
	Retained   *rules.Cause
	RetainedID string
	// Act is done, and the step is decided on again; nil: nothing.
	Act func(context.Context) error
	// Status is the status to write, before the outcome of the request.
	Status v1beta1.ServiceObjectStatus
	// InFlight is the status to write where the broker takes its time to answer the request; nil: none.
	InFlight v1beta1.ServiceObjectStatus
}

// ahead returns the status that has to be written before the step is executed; nil: the step needs no write first.
func (s Step) ahead() v1beta1.ServiceObjectStatus {
	if !s.WriteAhead {
		return nil
	}
	return s.Status
}

// Run decides and executes steps until no step can be executed now. Then it writes the status, and returns when to reconcile again.
func (r *Reconciler) Run(ctx context.Context, m Machine) (ctrl.Result, error) {
	s := m.Common()
	for {
		next, err := r.decide(ctx, m)
		switch {
		case err != nil:
			return ctrl.Result{}, r.fail(ctx, m, err)
		case next.Act != nil:
			if err = r.recordAhead(ctx, s, next.ahead()); err == nil {
				err = next.Act(ctx)
			}
			if err != nil {
				return ctrl.Result{}, r.fail(ctx, m, err)
			}
		case next.Need != "" && s.calls == 0:
			if err := m.Supply(ctx, next.Need); err != nil {
				return ctrl.Result{}, r.fail(ctx, m, err)
			}
			if next = m.Decide(ctx); next.Need == "" { // the API server refused the write, as the conditions say
				return r.finish(ctx, m, next)
			}
			return ctrl.Result{}, nil // the write of the finalizer or the references causes another reconcile
		case next.Need != "", next.Request != nil && s.calls > 0 && (!s.more || s.calls >= maxCalls): // the next request needs a reconcile of its own, as it may wait for a slot
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

// ReadClocks sets the present time.
func (c *Config) ReadClocks(in *operation.Inputs) {
	in.Now, in.Server, in.Uptime = c.Clock.Now(), c.ServerTime(), c.Clock.Since(c.Started)
}

// decide returns the next step, and reads the inputs that the decision needs. It leaves NeedFinalizer and NeedReferences, which are writes, to Run.
func (r *Reconciler) decide(ctx context.Context, m Machine) (next Step, err error) {
	s, in := m.Common(), m.Common().Inputs
	for err == nil {
		r.ReadClocks(in)
		s.Memory.measure(in, s.Object.CommonStatus().Common())
		in.NextNumber = 1 + rand.Int32N(catalog.NextNumbers)
		in.Gone = r.observeGone(s)
		if s.Broker != nil {
			in.Address = r.Clients.AddressInputs(ctx, s.Broker)
		}
		if err = r.observeCleanUps(ctx, in); err != nil {
			return next, err
		}
		next = m.Decide(ctx)
		switch {
		case next.Need == "", next.Need.IsWritten():
			return next, nil
		case next.Need == rules.NeedDefinition:
			err = r.readDefinition(ctx, s)
		default:
			err = m.Supply(ctx, next.Need)
		}
	}
	return next, err
}

// readDefinition reads the CRD. One that is being deleted is read again: it can be created again.
func (r *Reconciler) readDefinition(ctx context.Context, s *Scope) error {
	definition, err := r.Definition.Read(ctx)
	if err != nil {
		return WithReason(r.kind.RemovalFailed, errors.New("No request is sent to the broker before the CustomResourceDefinition has been read: "+err.Error()))
	}
	s.Inputs.Definition = definition
	if s.Memory.Definition = definition; definition == rules.DefinitionTerminating {
		s.Memory.Definition = rules.DefinitionUnknown
	}
	return nil
}

// execute sends the request of a step and applies the answer. If none was sent, it returns when to continue.
func (r *Reconciler) execute(ctx context.Context, m Machine, next Step) (made bool, _ ctrl.Result, _ error) {
	s := m.Common()
	broker := s.brokerOf(next.Request)
	connection, problem, err := r.connect(ctx, broker)
	switch {
	case problem != nil && next.Request.CleanUp: // it changes no condition
		next.Request, next.RequeueAt = nil, r.Clock.Now()
		result, unrecorded := r.finish(ctx, m, next)
		return false, result, errors.Join(err, unrecorded)
	case problem != nil:
		s.Inputs.BrokerBlocker = problem
		result, unrecorded := r.finish(ctx, m, m.Decide(ctx))
		return false, result, errors.Join(err, unrecorded)
	case err != nil:
		return false, ctrl.Result{}, err
	}
	if next.Request.Operation == rules.Provision {
		if err := r.ProtectSecrets(ctx, broker); err != nil {
			return false, ctrl.Result{}, r.fail(ctx, m, err)
		}
	}
	next.WriteAhead = next.WriteAhead || s.Memory.PendingStatus != nil && s.calls == 0 // the answer of an earlier reconcile is written before the first request of this one
	a, queued, err := r.send(ctx, s, broker, next, func() (operation.Answer, error) { return m.Ask(ctx, connection) })
	switch {
	case err != nil:
		return false, ctrl.Result{}, r.fail(ctx, m, err)
	case queued != nil:
		result, err := r.reconcileQueued(ctx, m, *queued, next.Request)
		return false, result, err
	}
	r.apply(ctx, m, next, a)
	return true, ctrl.Result{}, nil
}

// apply applies an answer to the object, which is recorded with the next step.
func (r *Reconciler) apply(ctx context.Context, m Machine, next Step, a operation.Answer) {
	s, what := m.Common(), next.Request.Operation
	if next.Request.IsDeletedBy(a) {
		audit.Deleted(ctx, r.Recorder, s.Before, s.external(next.Request.ID), next.Rule)
	}
	s.calls++
	s.more = m.Apply(a)
	if next.Request.CleanUp {
		r.KeepPending(s)
		s.Inputs.CleanUpPolls = s.Memory.CleanUpPolls
		return
	}
	r.observeRecovery(ctx, s.Broker, next.Status, s.Object.CommonStatus())
	if what == rules.Provision || what == rules.Bind {
		s.Memory.Unrecorded = newUnrecorded(s.Before, s.external(next.Request.ID), what, a.Outcome)
	}
	r.KeepPending(s)
	s.Memory.SeenRunning = s.Memory.SeenRunning || a.State == osbresult.InProgress
	in := s.Inputs
	in.SeenRunning, in.LastPoll, in.PollAfter = s.Memory.SeenRunning, s.Memory.LastPoll, s.Memory.PollAfter
}

// finish records a step without a request. Where the finalizer cannot be removed, the status has what the broker has confirmed.
func (r *Reconciler) finish(ctx context.Context, m Machine, next Step) (ctrl.Result, error) {
	s := m.Common()
	r.Queue.Leave(client.ObjectKeyFromObject(s.Object), &s.Memory.Queue)
	if next.Release == nil {
		if err := r.Record(ctx, s, next.Status); err != nil {
			return ctrl.Result{}, err
		}
		r.awaitSuccesses(s, next)
		if next.Retained != nil {
			EmitRelease(ctx, r.Recorder, s.Before, s.external(next.RetainedID), *next.Retained, r.HasOpenProblem(s))
			r.CountRelease(r.kind.Name, *next.Retained)
		}
		return r.requeue(next.RequeueAt, next.Status), nil
	}
	if err := r.release(ctx, s, s.external(next.ID), *next.Release); err != nil {
		return ctrl.Result{}, r.fail(ctx, m, err)
	}
	r.Claims.Release(s.Object.GetUID())
	return ctrl.Result{}, nil
}
