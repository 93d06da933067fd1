// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// fixture is a binding and what surrounds it.
type fixture struct {
	b    *v1beta1.ServiceBinding
	in   Inputs
	gone rulestest.Gone
	// readsParameters: the parameters are read for a decision that needs them, as with parametersFrom.
	readsParameters bool
	// ahead is how far the process's clock is ahead of the API server's, and set how far clockMoves has moved it: no uptime passes then.
	ahead, set time.Duration
	// isTimeUnknown: the API server's time is not known.
	isTimeUnknown bool
}

// clockMoves moves the process's clock; the API server's goes on.
func clockMoves(by time.Duration) func(*fixture) {
	return func(f *fixture) { f.in.Now, f.ahead, f.set = f.in.Now.Add(by), f.ahead+by, f.set+by }
}

// machineMoves moves both clocks, as of one machine.
func machineMoves(by time.Duration) func(*fixture) {
	return func(f *fixture) { f.in.Now, f.set = f.in.Now.Add(by), f.set+by }
}

// inputs are in, with the API server's time, and with what the process measures.
func (f *fixture) inputs() Inputs {
	right := f.in.Now.Add(-f.ahead)
	f.in.Server, f.in.Uptime = rulestest.ServerTime(right, f.isTimeUnknown), f.in.Now.Add(-f.set).Sub(rulestest.T0)
	f.in.Overlaps, f.in.Operation = f.in.Observe(f.b), f.in.ObserveOperation(f.b.Status.Common())
	f.in.Issued, f.in.Unremoved = f.in.ObserveIssue(&f.b.Status), f.in.ObserveUnremoved(f.b.Status.Common())
	return f.in
}

func newFixture(edits ...func(*fixture)) *fixture {
	walk := newBindingWalk(nil, 0)
	f := &fixture{b: walk.b, in: walk.inputs(walk.b)}
	f.in.Definition, f.in.NextNumber, f.in.Namespace, f.in.Address = rules.DefinitionUnknown, 1, rules.NamespaceLives, operation.AddressInputs{}
	for _, edit := range edits {
		edit(f)
	}
	return f
}

// step is what happens next; what it wants to know of the Secret first is as it was.
func (f *fixture) step() Decision {
	f.draw(&f.b.Status)
	if !f.readsParameters {
		return Decide(f.b, f.inputs())
	}
	f.in.Parameters.Known = false
	next := Decide(f.b, f.inputs())
	if f.in.Parameters.Known = next.Need == rules.NeedParameters; f.in.Parameters.Known {
		next = Decide(f.b, f.inputs())
	}
	return next
}

// runFor takes steps for a duration, with the answers to requests, and returns the requests.
func (f *fixture) runFor(d time.Duration, answer func(*Request) Answer) (requests []string) {
	for end := f.in.Now.Add(d); f.in.Now.Before(end); {
		switch next := f.step(); {
		case next.Request != nil:
			requests = append(requests, f.in.Now.Format("15:04:05 ")+next.describe())
			f.after(answer(next.Request))
		case next.RequeueAt.After(f.in.Now):
			f.b.Status, f.in.Now = next.Status, next.RequeueAt
		default:
			f.b.Status, f.in.Now = next.Status, f.in.Now.Add(time.Minute)
		}
	}
	return requests
}

// draw draws another number for a next id once the id in force has the one before.
func (f *fixture) draw(s *v1beta1.ServiceBindingStatus) {
	if rules.BindingID(f.b, s) == catalog.NextID(f.b.UID, f.b.Spec.ExternalID, f.in.NextNumber) {
		f.in.NextNumber++
	}
}

// after takes an answer into the status, as the shell does, and puts credentials into the
// Secret if there are any.
func (f *fixture) after(a Answer) {
	next := f.step()
	f.draw(&next.Status)
	f.in.Memory = f.in.Memory.ObserveAnswer(f.b, *next.Request, a)
	before := f.b.Status.IssuedAt
	f.b.Status = Apply(f.b, next.Status, *next.Request, a, f.in.Now)
	f.in.NoteIssue(before, f.b.Status.IssuedAt)
	f.in.LastPoll = time.Time{}
	f.in.SeenRunning = a.Class == osbresult.Accepted || a.State == osbresult.InProgress || next.Request.Operation == rules.Poll && f.in.SeenRunning
	if next.Request.Operation == rules.Poll {
		f.in.LastPoll = f.in.Now
	}
	f.gone.Observe(a.Outcome)
	f.in.Gone = f.gone.Inputs(f.b.Status.Common())
	if next = f.step(); next.SecretAction == WriteSecret {
		f.inject(next)
	}
	m := Memory{RequestMemory: f.in.Memory}
	m.ForgetSettled(&f.b.Status, f.in.BoundInstance.Instance, f.in.Secret, false)
	f.in.Memory = m.RequestMemory
}

func (f *fixture) inject(next Decision) {
	t, before := f.in.Memory.Received, f.b.Status.IssuedAt
	f.b.Status = ApplySecretWritten(f.b, next.Status, t.Binding, "7", f.in.Now, f.inputs().Server)
	f.in.NoteIssue(before, f.b.Status.IssuedAt)
	f.in.Memory = RequestMemory{}
	f.in.Secret, f.in.SecretID, f.in.SecretVersion = SecretInSync, t.BindingID, "7"
}

// describe describes a decision in words.
func (d Decision) describe() string {
	var parts []string
	if d.SecretAction != "" {
		parts = append(parts, string(d.SecretAction))
	}
	if c := d.Request; c != nil {
		parts = append(parts, string(c.Operation), tail(c.ID))
		if c.PredecessorID != "" {
			parts = append(parts, "for", tail(c.PredecessorID))
		}
		if c.PollsRemoval {
			parts = append(parts, "(removal)")
		}
		if c.Repeat {
			parts = append(parts, "again")
		}
	}
	return rulestest.DescribeDecision(&d.Decision, parts, d.Status.LastConditionState)
}

func edits(edits ...func(*fixture)) []func(*fixture) { return edits }

// answerWithCredentials is an answer to a bind or fetch.
func answerWithCredentials(status int) Answer {
	a := answerOf(osbresult.Done, status)
	a.Binding = &osbresult.Binding{Created: status == 201, Credentials: json.RawMessage(`{"password":"x"}`)}
	return a
}

// answerWithoutCredentials is the same without credentials.
func answerWithoutCredentials(class osbresult.Class, status int) Answer {
	a := answerOf(class, status)
	a.Binding = &osbresult.Binding{Created: status == 201}
	return a
}

// pollAnswer is an answer to a poll.
func pollAnswer(state osbresult.State) Answer {
	a := answerOf(osbresult.Done, 200)
	a.State, a.OperationDescription = state, "words"
	return a
}

func bound(f *fixture) { f.after(answerWithCredentials(201)) }

// bindAccepted has the broker begin.
func bindAccepted(f *fixture) {
	retrievable(f)
	f.after(answerWithoutCredentials(osbresult.Accepted, 202))
}

// suppliedID is a binding whose user supplied the external id, so that it may exist at the broker already.
func suppliedID(f *fixture) { f.b.Annotations = nil }

// definitionExists is after a read of the CRD that found it not terminating, without which nothing is deleted at the broker (R10).
func definitionExists(f *fixture) { f.in.Definition = rules.DefinitionLives }

func retrievable(f *fixture)    { f.in.BoundInstance.Class.Common().BindingRetrievable = true }
func notRetrievable(f *fixture) { f.in.BoundInstance.Class.Common().BindingRetrievable = false }
func rotatable(f *fixture)      { f.in.BoundInstance.Plan.Common().BindingRotatable = true }

// secretGone is after another client has deleted the Secret.
func secretGone(f *fixture)   { f.in.Secret, f.in.SecretID = SecretAbsent, "" }
func secretEdited(f *fixture) { f.in.Secret = SecretModified }
func rebound(f *fixture)      { requestRebind("now")(f) }

// restarted is after a process that was killed once its next request was on record.
func restarted(f *fixture) {
	if next := f.step(); next.WriteAhead {
		f.b.Status = next.Status
	}
	f.in.SeenRunning = false
	newProcess(f)
}

// requestRebind has a person ask for new credentials.
func requestRebind(value string) func(*fixture) {
	return func(f *fixture) {
		metav1.SetMetaDataAnnotation(&f.b.ObjectMeta, v1beta1.RebindAnnotation, value)
	}
}

func deleted(f *fixture) {
	at := metav1.NewTime(rulestest.T0)
	f.b.DeletionTimestamp = &at
	f.b.Generation++
}

// secretDeleted is after the deletion of the Secret by the operator, which is on record.
func secretDeleted(f *fixture) {
	f.in.Secret, f.in.SecretID = SecretAbsent, ""
	f.b.Status.SecretVersion = ""
}

// overlap is the default overlap of a rotation.
const overlap = v1beta1.DefaultRotationOverlap * time.Second

func later(d time.Duration) func(*fixture) {
	return func(f *fixture) { f.in.Now = f.in.Now.Add(d) }
}

func policy(value string) func(*fixture) {
	return func(f *fixture) {
		metav1.SetMetaDataAnnotation(&f.b.ObjectMeta, v1beta1.DeletionPolicyAnnotation, value)
	}
}

// repeated answers the same so often, an hour apart.
func repeated(n int, a Answer) func(*fixture) {
	return func(f *fixture) {
		for range n {
			f.after(a)
			f.in.Now = f.in.Now.Add(time.Hour)
		}
	}
}

// next1 and next2 are the second and the third id of the binding.
var next1, next2 = tail(catalog.NextID("uid-b", "id", 1)), tail(catalog.NextID("uid-b", "id", 2))

// unbindable is one that waits since its plan has no bindings.
func unbindable(f *fixture) {
	f.in.BoundInstance.Plan.Common().Bindable = new(bool)
	f.b.Status = f.step().Status
}

// expiring is a binding that ends in an hour.
func expiring(f *fixture) { expiringAt(f.in.Now.Add(time.Hour))(f) }

// expiringAt is one that ends at a time, and is to be renewed a quarter of an hour before.
func expiringAt(end time.Time) func(*fixture) {
	return func(f *fixture) {
		a := answerWithCredentials(201)
		a.Binding.ExpiresAt, a.Binding.RenewBefore = end, end.Add(-15*time.Minute)
		f.after(a)
	}
}

// expiringWithin is one that is to be renewed after four fifths of its lifetime.
func expiringWithin(lifetime time.Duration) func(*fixture) {
	return func(f *fixture) {
		a := answerWithCredentials(201)
		a.Binding.ExpiresAt, a.Binding.RenewBefore = f.in.Now.Add(lifetime), f.in.Now.Add(lifetime*4/5)
		f.after(a)
	}
}

// decided records a decision without a request.
func decided(f *fixture) { f.b.Status = f.step().Status }

// unfit is a binding whose credentials were told, and fit into no Secret.
func credentialsDoNotFit(f *fixture) {
	f.notWritten(answerWithCredentials(201), Unwritten{Unfit: true})
}

// legacy is what the former service-catalog left of a binding that is Ready (G63).
func legacy(f *fixture) {
	f.b.Annotations = nil
	f.in.Secret = SecretInSync
	f.b.Status = v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{ReconciledGeneration: 1, LastConditionState: "Ready", Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionTrue, Reason: v1beta1.ReasonInjectedBindResult}}}, UnbindStatus: v1beta1.UnbindRequired, ExternalProperties: &v1beta1.ServiceBindingPropertiesState{}}
}

// legacyFailed is what it left of one that the broker refused (G64).
func legacyFailed(f *fixture) {
	f.b.Status = v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{ReconciledGeneration: 1, LastConditionState: "Failed", Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed},
		{Type: v1beta1.ConditionFailed, Status: v1beta1.ConditionTrue, Reason: v1beta1.ReasonServiceBindingReturnedFailure}}}, UnbindStatus: v1beta1.UnbindRequired}
}
