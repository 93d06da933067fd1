// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// sent is a request at a time after the beginning.
type sent struct {
	what, id string
	at       time.Duration
}

// lookCleanUps finds the brokers of ids left behind.
func (f *fixture) lookCleanUps() {
	f.in.CleanUpBrokers = rulestest.CleanUpBrokers(f.si.Status.Common(), f.in.Offering.Broker, &f.in.Inputs)
}

// run lets time pass until nothing is due before an end, with a broker, and returns the requests.
func (f *fixture) run(until time.Duration, broker func(*Request) Answer) (all []sent) {
	end := rulestest.T0.Add(until)
	for range 2000 {
		f.lookCleanUps()
		next := Decide(f.si, f.inputs())
		switch call := next.Request; {
		case next.Release != nil:
			return all
		case call != nil:
			all = append(all, sent{string(call.Operation), call.ID, f.in.Now.Sub(rulestest.T0)})
			if call.CleanUp && call.Operation == rules.Poll {
				f.in.CleanUpPolls = map[string]time.Time{call.ID: f.in.Now}
			}
			f.after(call, broker(call))
		case next.RequeueAt.IsZero() || next.RequeueAt.After(end):
			f.si.Status, f.in.Now = next.Status, end
			return all
		default:
			f.si.Status = next.Status
			f.in.Now = times.Latest(f.in.Now.Add(time.Second), next.RequeueAt)
		}
	}
	return all
}

// leave has a broker fail until an id is left behind.
func (f *fixture) leave() {
	for len(f.si.Status.LeftBehind) == 0 {
		if next := Decide(f.si, f.inputs()); next.Request != nil {
			f.after(next.Request, answerOf(osbresult.Unknown, 500))
		} else {
			f.si.Status, f.in.Now = next.Status, next.RequeueAt
		}
	}
}

// failingOnce is a broker that fails the requests under the first id, has nothing there, and answers 500 to the removal of what it does not have.
func failingOnce(call *Request) Answer {
	switch {
	case call.Operation == rules.Provision && call.ID != "id":
		a := answerOf(osbresult.Done, 201)
		a.Created = true
		return a
	default:
		return answerOf(osbresult.Unknown, 500)
	}
}

// F-JS12: a broker that fails to remove what it does not have keeps the instance from nothing but that removal.
func TestAnInstanceIsReadyThoughItsCleanUpFails(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingOnce)
	s := &f.si.Status
	ready := rules.FindCondition(s.Conditions, v1beta1.ConditionReady)
	if !rules.IsTrue(ready) || s.ExternalID != catalog.NextID("uid", "id", 1) {
		t.Fatalf("after 2 hours the id is %q, and Ready %+v", s.ExternalID, ready)
	}
	if left := s.LeftBehind; len(left) != 1 || left[0].ID != "id" || left[0].Target.PlanID != "small-id" || left[0].Target.Name != "broker" || left[0].LastTime.Sub(left[0].FirstTime.Time) < time.Hour {
		t.Fatalf("left behind are %+v", left)
	}
	conditions := slices.Clone(s.Conditions)
	last := s.LeftBehind[0].LastTime.Sub(rulestest.T0)
	var waits []time.Duration
	for _, call := range f.run(120*time.Hour, failingOnce) {
		if call.what != "deprovision" || call.id != "id" {
			t.Fatalf("it sends %+v", call)
		}
		waits, last = append(waits, (call.at-last).Round(time.Hour)), call.at
	}
	if len(waits) < 6 || waits[len(waits)-1] < 19*time.Hour || waits[len(waits)-1] > 29*time.Hour || waits[0] > 2*time.Hour {
		t.Errorf("the delays of the clean-up are %v", waits)
	}
	if !equality.Semantic.DeepEqual(conditions, f.si.Status.Conditions) {
		t.Errorf("a clean-up has changed the conditions: %+v", f.si.Status.Conditions)
	}
	f.in.Recovered = f.in.Now
	f.in.Now = f.in.Now.Add(time.Second)
	if call := Decide(f.si, f.inputs()).Request; call == nil || call.ID != "id" {
		t.Errorf("after the broker's recovery it sends %+v", call)
	}
}

// F-JS12: a deletion ends once the broker has confirmed that nothing is left, or by Retain. The instance does not wait for what is left behind.
func TestADeletionRemovesWhatIsLeftBehind(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingOnce)
	present := f.si.Status.ExternalID
	deleted(f)
	if got := Decide(f.si, f.inputs()).describe(); got != "read CRD" {
		t.Errorf("first: %s", got)
	}
	definitionExists(f)
	isGone := false
	broker := func(call *Request) Answer {
		if call.ID == present || isGone {
			return answerOf(osbresult.Done, 200)
		}
		return answerOf(osbresult.Unknown, 500)
	}
	calls := f.run(2*time.Hour+time.Minute, broker)
	if len(calls) != 2 || calls[0].id != present || calls[1].id != "id" {
		t.Errorf("it sends %+v", calls)
	}
	stalled := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled)
	if !rules.IsTrue(stalled) || !strings.Contains(stalled.Message, "former ids") || !strings.Contains(stalled.Message, "HTTP 500") || !strings.Contains(stalled.Message, v1beta1.DeletionPolicyRetain) {
		t.Errorf("Stalled is %+v", stalled)
	}
	kept := &fixture{si: f.si.DeepCopy(), in: f.in, plans: f.plans}
	toBeKept(kept)
	if release := Decide(kept.si, kept.in).Release; release == nil || release.Reason != v1beta1.ReasonRetained || !strings.Contains(release.Message, "is left there: id") {
		t.Errorf("with Retain it is released as %+v", release)
	}
	copied := &fixture{si: f.si.DeepCopy(), in: f.in, plans: f.plans}
	copied.si.UID = "another"
	if release := Decide(copied.si, copied.in).Release; release == nil || release.Reason != v1beta1.ReasonRetained {
		t.Errorf("a copy is released as %+v", release)
	}
	isGone = true
	f.run(5*time.Hour, broker)
	if release := Decide(f.si, f.inputs()).Release; release == nil || len(f.si.Status.LeftBehind) > 0 {
		t.Errorf("it is not released: %+v", f.si.Status)
	}
}

// F-JS12: no more than four ids are left behind. The next attempts are an hour and more apart, and the conditions say what a person can do.
func TestFourIDsAreLeftBehind(t *testing.T) {
	f := newFixture()
	broken := func(*Request) Answer { return answerOf(osbresult.Unknown, 500) }
	calls := f.run(200*time.Hour, broken)
	var first []time.Duration
	var ids []string
	for _, call := range calls {
		if call.what == "provision" && !slices.Contains(ids, call.id) {
			ids, first = append(ids, call.id), append(first, call.at)
		}
	}
	if len(ids) != 4 || len(f.si.Status.LeftBehind) != 4 || first[2]-first[1] < 90*time.Minute || first[3]-first[2] < 2*time.Hour {
		t.Errorf("the ids %v are tried at %v, and left behind are %d", ids, first, len(f.si.Status.LeftBehind))
	}
	for _, kind := range []string{v1beta1.ConditionStalled, v1beta1.ConditionFailed} {
		if c := rules.FindCondition(f.si.Status.Conditions, kind); !rules.IsTrue(c) || c.Reason != v1beta1.ReasonOrphanMitigationFailed ||
			!strings.Contains(c.Message, "spec.updateRequests") || !strings.Contains(c.Message, "deletion-policy=Retain") || !strings.Contains(c.Message, "HTTP 500") {
			t.Errorf("%s is %+v", kind, c)
		}
	}
	kept := &fixture{si: f.si.DeepCopy(), in: f.in, plans: f.plans}
	toBeKept(kept)
	kept.si.Generation++
	if call := Decide(kept.si, kept.in).Request; call == nil || call.Operation != rules.Provision || slices.Contains(ids, call.ID) {
		t.Errorf("with Retain it sends %+v", call)
	}
	f.si.Generation++ // a touch
	mended := func(call *Request) Answer {
		if call.Operation == rules.Deprovision {
			return answerOf(osbresult.Done, 200)
		}
		return failingOnce(call)
	}
	f.run(201*time.Hour, mended)
	if s := &f.si.Status; !rules.IsTrue(rules.FindCondition(s.Conditions, v1beta1.ConditionReady)) || len(s.LeftBehind) > 0 {
		t.Errorf("after a touch, and once the broker is mended: %+v", s)
	}
}

// F-JS12: a removal that the broker works on is polled, and requested again where it fails.
func TestAnAsynchronousCleanUpIsPolled(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingOnce)
	state := osbresult.InProgress
	broker := func(call *Request) Answer {
		if call.Operation != rules.Poll {
			a := answerOf(osbresult.Accepted, 202)
			a.Operation = "op-7"
			return a
		}
		if call.LastOperation != "op-7" || !call.PollsRemoval {
			t.Errorf("polled is %+v", call)
		}
		return pollAnswer(state)
	}
	f.si.Generation++
	f.si.Status.ReconciledGeneration++
	calls := f.run(2*time.Hour+time.Second, broker)
	if len(calls) != 2 || calls[0].what != "deprovision" || calls[1].what != "poll" || !f.si.Status.LeftBehind[0].AsyncOpInProgress {
		t.Fatalf("it sends %+v", calls)
	}
	state = osbresult.Failed
	f.in.CleanUpPolls = nil // after a restart
	f.after(Decide(f.si, f.inputs()).Request, broker(Decide(f.si, f.inputs()).Request))
	if l := f.si.Status.LeftBehind[0]; l.AsyncOpInProgress || l.LastOperation != "" || !strings.Contains(l.LastError, "Deprovision call failed") {
		t.Errorf("after a failure: %+v", l)
	}
	state = osbresult.Succeeded
	f.run(5*time.Hour, broker)
	if left := f.si.Status.LeftBehind; len(left) > 0 {
		t.Errorf("left behind are %+v", left)
	}
}

// F-S71: an id that is left behind stays at the address at which it was requested, whatever address the next one is requested at. A deletion waits
// until a person has confirmed the move.
func TestF_S71_ALeftBehindIDHasItsAddress(t *testing.T) {
	f := newFixture(atFirst)
	f.leave()
	moved(f)
	broker := func(call *Request) Answer {
		if call.ID == "id" {
			return answerOf(osbresult.Gone, 410)
		}
		return failingOnce(call)
	}
	f.run(24*time.Hour, broker)
	f.succeed()
	f.run(48*time.Hour, func(call *Request) Answer { t.Errorf("sent is %+v", call); return answerOf(osbresult.Done, 200) })
	if s := &f.si.Status; s.BrokerAddress != rulestest.OtherAddress || len(s.LeftBehind) != 1 || s.LeftBehind[0].BrokerAddress != rulestest.FirstAddress {
		t.Fatalf("%+v", s)
	}
	deleted(f)
	definitionExists(f)
	f.run(49*time.Hour, func(*Request) Answer { return answerOf(osbresult.Done, 200) })
	if stalled := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled); stalled.Reason != v1beta1.ReasonBrokerMoved {
		t.Errorf("Stalled is %+v", stalled)
	}
	confirmed(f)
	f.run(50*time.Hour, broker)
	if release := Decide(f.si, f.inputs()).Release; release == nil || len(f.si.Status.LeftBehind) > 0 {
		t.Errorf("it is not released: %+v", f.si.Status)
	}
}

// F-S72: the clock was ahead when the broker recovered. The removal under an id that is left behind keeps its schedule, and is not requested
// again and again until that time.
func TestF_S72_ARecoveryOfALaterTime(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingOnce)
	f.in.Recovered = f.in.Now.Add(time.Hour)
	if got := Decide(f.si, f.inputs()); got.Request != nil || !got.RequeueAt.After(f.in.Now) {
		t.Errorf("it is due before its time: %s", got.describe())
	}
	f.in.Now = f.in.Recovered
	if calls := f.run(3*time.Hour, failingOnce); len(calls) != 1 {
		t.Errorf("once that time has come, it sends %+v", calls)
	}
}

// F-S73: ids that another object has left behind, from which this one was copied with its status, keep it from nothing.
func TestIDsThatAnotherObjectHasLeftBehind(t *testing.T) {
	f := newFixture()
	for _, id := range []string{"1", "2", "3", "4"} {
		f.si.Status.LeftBehind = append(f.si.Status.LeftBehind, v1beta1.LeftBehind{ID: id, UID: "another"})
	}
	if got := Decide(f.si, f.inputs()).describe(); got != "write-ahead provision id small-id" {
		t.Error(got)
	}
}

// F-S77: the original service-catalog has not always recorded the broker of an orphan mitigation. An id that is left behind has it.
func TestF_S77_ALeftBehindIDOfTheOriginal(t *testing.T) {
	f := newFixture(ready)
	s := &f.si.Status
	s.OrphanMitigationInProgress, s.CurrentOperation, s.ProvisionStatus, s.Broker = true, v1beta1.OperationProvision, v1beta1.NotProvisioned, nil
	f.leave()
	if at := f.si.Status.LeftBehind[0].Target; at.Name != "broker" || at.Kind != "ClusterServiceBroker" || at.ServiceID == "" {
		t.Errorf("it is left behind at %+v", at)
	}
}

// The recovery of a broker makes a removal under an id left behind due once, also within the second of the recovery.
func TestARecoveryIsFollowedByOneCleanUp(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingOnce)
	if len(f.si.Status.LeftBehind) != 1 {
		t.Fatalf("left behind are %+v", f.si.Status.LeftBehind)
	}
	before, requests := f.si.Status.LeftBehind[0].Attempts, 0
	recovered := f.in.Now.Add(100 * time.Millisecond)
	f.in.Recovered = recovered
	for f.in.Now = recovered.Add(20 * time.Millisecond); f.in.Now.Before(recovered.Add(time.Second)); f.in.Now = f.in.Now.Add(20 * time.Millisecond) {
		f.lookCleanUps()
		next := Decide(f.si, f.inputs())
		if next.Request == nil {
			f.si.Status = next.Status
			continue
		}
		requests++
		f.after(next.Request, failingOnce(next.Request))
	}
	if attempts := f.si.Status.LeftBehind[0].Attempts; requests != 1 || attempts != before+1 {
		t.Errorf("after the recovery %d removals are requested, want 1; the attempts rose from %d to %d", requests, before, attempts)
	}
}
