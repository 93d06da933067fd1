// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// fixture is an instance and what surrounds it.
type fixture struct {
	si    *v1beta1.ServiceInstance
	in    Inputs
	gone  rulestest.Gone
	plans map[string]*v1beta1.ClusterServicePlan
	// ahead is how far the process's clock is ahead of the API server's, and set how far clockMoves has moved it: no uptime passes then.
	ahead, set time.Duration
	// isTimeUnknown: the API server's time is not known.
	isTimeUnknown bool
}

// inputs are in, with the API server's time, and with what the process measures.
func (f *fixture) inputs() Inputs {
	in := &f.in.Inputs
	in.Server, in.Uptime = rulestest.ServerTime(in.Now.Add(-f.ahead), f.isTimeUnknown), in.Now.Add(-f.set).Sub(rulestest.T0)
	in.Operation, in.Unremoved = in.ObserveOperation(f.si.Status.Common()), in.ObserveUnremoved(f.si.Status.Common())
	return f.in
}

func newFixture(edits ...func(*fixture)) *fixture {
	walk := newInstanceWalk(nil, 0)
	walk.class.Spec.InstanceRetrievable = false
	f := &fixture{si: walk.si, in: walk.inputs(), plans: walk.plans}
	f.in.Definition, f.in.NextNumber, f.in.Address = rules.DefinitionUnknown, 1, operation.AddressInputs{}
	for _, edit := range edits {
		edit(f)
	}
	return f
}

// refreshInputs finds the plans that the status names, and draws another number for a next id once the id in force has the one before.
func (f *fixture) refreshInputs() {
	if rules.InstanceID(f.si) == catalog.NextID(f.si.UID, f.si.Spec.ExternalID, f.in.NextNumber) {
		f.in.NextNumber++
	}
	f.in.PresentPlan, f.in.OperationPlan = planIn(f.plans, f.si.Status.ExternalProperties), planIn(f.plans, OperationProperties(&f.si.Status))
}

// after applies an answer to the status, as the reconciler does.
func (f *fixture) after(call *Request, a Answer) {
	f.si.Status = Apply(f.si, Decide(f.si, f.inputs()).Status, *call, a, f.in.Now)
	f.in.LastPoll = time.Time{}
	f.in.SeenRunning = a.Class == osbresult.Accepted || a.State == osbresult.InProgress || call.Operation == rules.Poll && f.in.SeenRunning
	if call.Operation == rules.Poll {
		f.in.LastPoll = f.in.Now
	}
	f.gone.Observe(a.Outcome)
	f.in.Gone = f.gone.Inputs(f.si.Status.Common())
	f.refreshInputs()
	f.inputs() // a process looks at the status after each answer
}

// describe describes a decision in words.
func (d Decision) describe() string {
	var parts []string
	if c := d.Request; c != nil {
		parts = append(parts, string(c.Operation), c.ID, c.PlanID)
		if c.NewPlan {
			parts = append(parts, "+plan")
		}
		if c.NewParameters {
			parts = append(parts, "+parameters")
		}
		if c.PollsRemoval {
			parts = append(parts, "(removal)")
		}
	}
	return rulestest.DescribeDecision(&d.Decision, parts, d.Status.LastConditionState)
}

func edits(edits ...func(*fixture)) []func(*fixture) { return edits }

// noDefault is an object from before the schema had a default status.
func noDefault(f *fixture) { f.si.Status.ObservedGeneration = 0 }

func ready(f *fixture) {
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 201))
}

func provisioning(f *fixture) {
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Accepted, 202))
}

// otherParameters has the spec name other parameters.
func otherParameters(f *fixture) {
	f.si.Generation++
	f.in.Parameters.Checksum = "p9"
}

// otherPlan has the spec name another plan.
func otherPlan(f *fixture) { planNamed("large")(f) }

func inTerminatingNamespace(f *fixture) { f.in.Namespace = rules.NamespaceTerminating }

// unresolved has a spec without references.
func unresolved(f *fixture) {
	f.in.Refs = &References{Refs: catalog.Refs{Class: "class", Plan: "plan"}, Scope: catalog.Cluster}
}

// refusedRefs has the API server refuse them.
func refusedRefs(f *fixture) {
	f.in.RefsRefused = rules.BlockedBy(v1beta1.ReasonErrorWritingReferences, "x")
}

// planNamed has the spec name a plan.
func planNamed(name string) func(*fixture) {
	return func(f *fixture) {
		f.si.Generation++
		f.in.Offering.Plan = f.plans[name]
	}
}

func deleted(f *fixture) {
	at := metav1.NewTime(rulestest.T0)
	f.si.DeletionTimestamp = &at
	f.si.Generation++
}

// suppliedID is an instance whose user supplied the external id, so that it may exist at the broker already.
func suppliedID(f *fixture) { f.si.Annotations = nil }

// definitionExists is after a read of the CRD that found it not terminating, without which nothing is deleted at the broker (R10).
func definitionExists(f *fixture) { f.in.Definition = rules.DefinitionLives }

func later(d time.Duration) func(*fixture) {
	return func(f *fixture) { f.in.Now = f.in.Now.Add(d) }
}

// clockMoves moves the process's clock; the API server's goes on.
func clockMoves(by time.Duration) func(*fixture) {
	return func(f *fixture) { f.in.Now, f.ahead, f.set = f.in.Now.Add(by), f.ahead+by, f.set+by }
}

// machineMoves moves both clocks, as of one machine.
func machineMoves(by time.Duration) func(*fixture) {
	return func(f *fixture) { f.in.Now, f.set = f.in.Now.Add(by), f.set+by }
}

func timeUnknown(f *fixture) { f.isTimeUnknown = true }
func timeKnown(f *fixture)   { f.isTimeUnknown = false }

// restarted is after a process that was killed once its next request was on record.
func restarted(f *fixture) {
	if next := Decide(f.si, f.inputs()); next.WriteAhead {
		f.si.Status = next.Status
	}
	f.refreshInputs()
	newProcess(f)
}

// newProcess is the start of another process.
func newProcess(f *fixture) { f.in.SeenRunning, f.in.Operation, f.in.Unremoved = false, nil, nil }

// firstPlanAgain has the spec name the plan with which the instance was provisioned.
func firstPlanAgain(f *fixture) { planNamed("small")(f) }

// suppliedIDToDelete is an instance with a supplied id and the deletion policy Delete.
func suppliedIDToDelete(f *fixture) {
	f.si.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: v1beta1.DeletionPolicyDelete}
}

// unknownTimes has requests end in an outcome that is not known.
func unknownTimes(times int) func(*fixture) {
	return func(f *fixture) {
		for range times {
			f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Unknown, 500))
			f.in.Now = f.in.Now.Add(time.Hour)
		}
	}
}

func unknownOnce(f *fixture) {
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Unknown, 500))
	f.in.Now = f.in.Now.Add(time.Hour)
}

func conflicting(f *fixture) {
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Conflict, 409))
}

// operationFailed is what the broker says of the operation.
func operationFailed(f *fixture) {
	a := answerOf(osbresult.Done, 200)
	a.State = osbresult.Failed
	f.after(Decide(f.si, f.inputs()).Request, a)
}

// operationBroke is the same, and that the instance cannot be used any more.
func operationBroke(f *fixture) {
	a := answerOf(osbresult.Done, 200)
	a.State, a.InstanceUnusable = osbresult.Failed, true
	f.after(Decide(f.si, f.inputs()).Request, a)
}

func refusedParameters(f *fixture) {
	f.in.Parameters.Invalid = rules.BlockedBy(v1beta1.ReasonErrorWithParameters, "x")
}

// restored has the operator start with the status from a backup.
func restored(f *fixture) { newProcess(f) }

func toBeDeleted(f *fixture) {
	f.si.Annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyDelete
}

func retrievable(f *fixture) { f.in.Offering.Class.Common().InstanceRetrievable = true }

func boundTo(f *fixture) { f.in.Bindings = []string{"b"} }

// used is an instance that was at the broker before.
func used(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200)) }

// created is one that this very object has created.
func created(f *fixture) {
	a := answerOf(osbresult.Done, 201)
	a.Created = true
	f.after(Decide(f.si, f.inputs()).Request, a)
}

// rotated is another version of the Secret that the parameters are from.
func rotated(version, checksum string) func(*fixture) {
	return func(f *fixture) { f.in.Parameters.Version, f.in.Parameters.Checksum = version, checksum }
}

// tooLate is when an operation has taken longer than it may, and the broker says so.
func tooLate(f *fixture) {
	later(8 * 24 * time.Hour)(f)
	f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.InProgress))
}

// unreachable is when the broker's credentials were missing for a while.
func unreachable(f *fixture) {
	f.in.BrokerBlocker = rules.BlockedBy(v1beta1.ReasonErrorGettingAuthCredentials, "x")
	decided(f)
	f.in.BrokerBlocker = nil
}

// decided records a decision without a request.
func decided(f *fixture) { f.si.Status = Decide(f.si, f.inputs()).Status }

func toBeKept(f *fixture) {
	f.si.Annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyRetain
}

// accepted has the broker begin.
func accepted(f *fixture) {
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Accepted, 202))
}

// broken has the broker refuse the request, and say that the instance cannot be used any more.
func broken(f *fixture) {
	refusal := answerOf(osbresult.Rejected, 422)
	refusal.InstanceUnusable = true
	f.after(Decide(f.si, f.inputs()).Request, refusal)
}

func unanswered(f *fixture) {
	f.after(Decide(f.si, f.inputs()).Request, Answer{Outcome: osbresult.Outcome{Class: osbresult.Unknown, Sent: true}})
}

func refusedOnce(f *fixture) {
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Rejected, 400))
}
