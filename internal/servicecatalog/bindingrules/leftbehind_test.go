// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// lookCleanUps finds the brokers of ids left behind.
func (f *fixture) lookCleanUps() {
	f.in.CleanUpBrokers = rulestest.CleanUpBrokers(f.b.Status.Common(), f.in.Broker, &f.in.Inputs)
}

// run lets time pass until nothing is due before an end, with a broker, and returns the requests.
func (f *fixture) run(until time.Duration, broker func(*Request) Answer) (all []string) {
	end := rulestest.T0.Add(until)
	for range 2000 {
		f.lookCleanUps()
		next := f.step()
		switch call := next.Request; {
		case next.Release != nil:
			return all
		case call != nil:
			all = append(all, string(call.Operation)+" "+tail(call.ID))
			f.after(broker(call))
		case next.RequeueAt.IsZero() || next.RequeueAt.After(end):
			f.b.Status, f.in.Now = next.Status, end
			return all
		default:
			f.b.Status = next.Status
			f.in.Now = times.Latest(f.in.Now.Add(time.Second), next.RequeueAt)
		}
	}
	return all
}

// leave has a broker fail until an id is left behind.
func (f *fixture) leave() {
	for len(f.b.Status.LeftBehind) == 0 {
		if next := f.step(); next.Request != nil {
			f.after(answerOf(osbresult.Unknown, 500))
		} else {
			f.b.Status, f.in.Now = next.Status, next.RequeueAt
		}
	}
}

// failingUnder is a broker that fails the requests under some ids, has nothing there, and answers 500 to the removal of what it does not have.
func failingUnder(ids ...string) func(*Request) Answer {
	return func(call *Request) Answer {
		if call.Operation == rules.Bind && !slices.Contains(ids, call.ID) {
			return answerWithCredentials(201)
		}
		return answerOf(osbresult.Unknown, 500)
	}
}

// F-JS12: a broker that fails to remove what it does not have keeps the binding from nothing but that removal.
func TestABindingIsReadyThoughItsCleanUpFails(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingUnder("id"))
	s := &f.b.Status
	ready := rules.FindCondition(s.Conditions, v1beta1.ConditionReady)
	if !rules.IsTrue(ready) || s.ExternalID != catalog.NextID("uid-b", "id", 1) || len(s.LeftBehind) != 1 || s.LeftBehind[0].ID != "id" || s.LeftBehind[0].Target.InstanceID != "id" {
		t.Fatalf("after 2 hours the id is %q, Ready is %+v, and left behind are %+v", s.ExternalID, ready, s.LeftBehind)
	}
	conditions := slices.Clone(s.Conditions)
	if calls := f.run(100*time.Hour, failingUnder("id")); len(calls) < 5 || slices.ContainsFunc(calls, func(call string) bool { return call != "unbind id" }) {
		t.Errorf("later it sends %v", calls)
	}
	if !equality.Semantic.DeepEqual(conditions, f.b.Status.Conditions) || IsSettled(f.b, f.in.BoundInstance.Instance) {
		t.Errorf("a clean-up has changed the conditions, or is settled: %+v", f.b.Status.Conditions)
	}
	deleted(f)
	definitionExists(f)
	secretDeleted(f)
	f.run(101*time.Hour, func(call *Request) Answer {
		if call.ID == "id" {
			return answerOf(osbresult.Unknown, 500)
		}
		return answerOf(osbresult.Done, 200)
	})
	stalled := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionStalled)
	if !rules.IsTrue(stalled) || !strings.Contains(stalled.Message, "former ids") || f.step().Release != nil {
		t.Errorf("while it is deleted, Stalled is %+v", stalled)
	}
	policy(v1beta1.DeletionPolicyRetain)(f)
	if release := f.step().Release; release == nil || !strings.Contains(release.Message, "is left there: id") {
		t.Errorf("with Retain it is released as %+v", release)
	}
}

// F-S17: a clock that was ahead at the last clean-up does not keep the next one, or the end of a deletion, from being requested.
func TestACleanUpAfterAClockWasAhead(t *testing.T) {
	f := newFixture()
	f.leave()
	for _, edit := range edits(deleted, definitionExists, later(365*24*time.Hour)) {
		edit(f)
	}
	f.lookCleanUps()
	for f.b.Status.LeftBehind[0].Generation != f.b.Generation {
		if next := f.step(); next.Request != nil {
			f.after(answerOf(osbresult.Unknown, 500))
		} else {
			f.b.Status = next.Status
		}
	}
	later(-365 * 24 * time.Hour)(f)
	for range 3 { // each in another second
		later(time.Second)(f)
		next := f.step()
		if next.Request != nil {
			return
		}
		f.b.Status = next.Status
	}
	t.Errorf("nothing is requested; Stalled is %+v", rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionStalled))
}

// F-JS12: replacements leave ids behind as well. The credentials in the Secret stay, and no more than four ids are left behind.
func TestReplacementsLeaveIDsBehind(t *testing.T) {
	f := newFixture(bound, rebound)
	broken := func(*Request) Answer { return answerOf(osbresult.Unknown, 500) }
	f.run(200*time.Hour, broken)
	s := &f.b.Status
	ready := rules.FindCondition(s.Conditions, v1beta1.ConditionReady)
	if len(s.LeftBehind) != 4 || !rules.IsTrue(ready) || rules.BindingID(f.b, s) != "id" || !strings.Contains(ready.Message, "status.leftBehind") || !strings.Contains(ready.Message, v1beta1.RebindAnnotation) {
		t.Fatalf("left behind are %d, the id is %s, and Ready %+v", len(s.LeftBehind), rules.BindingID(f.b, s), ready)
	}
	requestRebind("again")(f)
	f.run(201*time.Hour, func(call *Request) Answer {
		if call.Operation == rules.Bind {
			return answerWithCredentials(201)
		}
		return answerOf(osbresult.Done, 200)
	})
	if s := &f.b.Status; len(s.LeftBehind) > 0 || s.Rebind != "again" || rules.BindingID(f.b, s) == "id" {
		t.Errorf("after a request, and once the broker is mended: %+v", s)
	}
}

// F-S70: an id that is left behind may be at another broker than the id in force, or that one may not exist: its instance was deleted or created
// anew. A 410 of the one and a success of the other prove nothing, and the removal is not requested again and again.
func TestF_S70_GoneAtTheBrokerOfALeftBehindID(t *testing.T) {
	another := &v1beta1.ClusterServiceBroker{}
	another.Name = "another"
	for name, present := range map[string]v1beta1.Broker{"the instance is gone": nil, "the instance is elsewhere": another} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.run(2*time.Hour, failingUnder("id"))
			f.b.Status.ExternalProperties, f.b.Status.UnbindStatus, f.b.Status.ExternalID = nil, v1beta1.UnbindNotRequired, catalog.NextID("uid-b", "id", 7)
			at := operation.CleanUpBroker{Broker: f.in.Broker}
			f.in.BoundInstance.Instance, f.in.BoundInstance.Target, f.in.Broker = nil, nil, present
			deleted(f)
			definitionExists(f)
			secretDeleted(f)
			observe := func() {
				f.in.CleanUpBrokers = map[string]operation.CleanUpBroker{"id": at}
				since := f.gone.Inputs(f.b.Status.Common()).Since
				f.in.Gone = operation.GoneInputs{Since: since}
				if present != nil {
					f.gone.Succeed()
					f.in.Gone.Broker, f.in.Gone.Success = `ClusterServiceBroker "another"`, f.gone.Inputs(f.b.Status.Common()).Success
				}
			}
			answer := func(a Answer) {
				t.Helper()
				observe()
				decided(f)
				if got := f.step().describe(); got != "unbind id" {
					t.Fatalf("sent is: %s", got)
				}
				f.after(a)
				observe()
			}
			answer(answerOf(osbresult.Gone, 410))
			for range 2 {
				decided(f)
				next := f.step()
				ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady)
				if next.Request != nil || next.CheckAvailability || !slices.Equal(next.CheckCleanUps, []string{"id"}) || !next.RequeueAt.After(f.in.Now) ||
					ready.Reason != v1beta1.ReasonGoneUnconfirmed || !strings.Contains(ready.Message, `ClusterServiceBroker "broker" answers`) {
					t.Fatalf("after the first 410: %s, %+v, %+v", next.describe(), next.CheckCleanUps, ready)
				}
			}
			f.gone.Succeed()
			at.Success = f.gone.Inputs(f.b.Status.Common()).Success
			answer(answerOf(osbresult.Gone, 410))
			if next := f.step(); next.Release == nil || len(f.b.Status.LeftBehind)+len(f.b.Status.Gone) > 0 {
				t.Errorf("after the second 410: %s, %+v", next.describe(), f.b.Status)
			}
		})
	}
}

// F-S70: while the broker of an id that is left behind cannot be sent requests, a deletion waits for that broker, and says so.
func TestF_S70_TheBrokerOfALeftBehindIDIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		brokers map[string]operation.CleanUpBroker
		reason  string
		says    string
	}{
		"no broker":      {nil, v1beta1.ReasonReferencesNonexistentBroker, `ClusterServiceBroker "broker" does not exist`},
		"no credentials": {map[string]operation.CleanUpBroker{"id": {Broker: &v1beta1.ClusterServiceBroker{}, Blocker: rules.BlockedBy(v1beta1.ReasonErrorGettingAuthCredentials, "its Secret is missing")}}, v1beta1.ReasonErrorGettingAuthCredentials, "Secret is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.run(2*time.Hour, failingUnder("id"))
			f.b.Status.ExternalProperties, f.b.Status.UnbindStatus = nil, v1beta1.UnbindNotRequired
			f.in.CleanUpBrokers = test.brokers
			deleted(f)
			definitionExists(f)
			secretDeleted(f)
			decided(f)
			next := f.step()
			stalled := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionStalled)
			if next.Request != nil || next.Release != nil || !next.RequeueAt.IsZero() || stalled.Reason != test.reason || !strings.Contains(stalled.Message, test.says) || !strings.Contains(stalled.Message, v1beta1.DeletionPolicyRetain) {
				t.Errorf("%s: %+v", next.describe(), stalled)
			}
		})
	}
}

// F-S71: an id that is left behind stays at the address at which it was requested, whatever address the next one is requested at.
func TestF_S71_ALeftBehindIDHasItsAddress(t *testing.T) {
	f := newFixture(atFirst)
	f.leave()
	moved(f)
	f.run(24*time.Hour, func(call *Request) Answer {
		if call.CleanUp {
			return answerOf(osbresult.Gone, 410)
		}
		return answerWithCredentials(201)
	})
	f.succeed()
	f.run(48*time.Hour, func(call *Request) Answer { t.Errorf("sent is %+v", call); return answerWithCredentials(201) })
	if s := &f.b.Status; s.BrokerAddress != rulestest.OtherAddress || len(s.LeftBehind) != 1 || s.LeftBehind[0].BrokerAddress != rulestest.FirstAddress {
		t.Errorf("%+v", s)
	}
}

// F-S73: with the deletion policy Retain, failing replacements leave any number of ids behind, of which the status has the last ones.
func TestRetainedIDsAreBounded(t *testing.T) {
	f := newFixture(bound, rebound, policy(v1beta1.DeletionPolicyRetain))
	for days := range 40 {
		f.run(time.Duration(days)*24*time.Hour, func(*Request) Answer { return answerOf(osbresult.Unknown, 500) })
	}
	if n := len(f.b.Status.LeftBehind); n != 16 || !rules.IsTrue(rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady)) {
		t.Errorf("%d are left behind, %+v", n, f.b.Status.Conditions)
	}
}

// As for an instance: the recovery of a broker makes a removal under an id left behind due once, also within the second of the recovery.
func TestARecoveryIsFollowedByOneCleanUp(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingUnder("id"))
	if len(f.b.Status.LeftBehind) != 1 {
		t.Fatalf("left behind are %+v", f.b.Status.LeftBehind)
	}
	before, requests := f.b.Status.LeftBehind[0].Attempts, 0
	recovered := f.in.Now.Add(100 * time.Millisecond)
	f.in.Recovered = recovered
	for f.in.Now = recovered.Add(20 * time.Millisecond); f.in.Now.Before(recovered.Add(time.Second)); f.in.Now = f.in.Now.Add(20 * time.Millisecond) {
		f.lookCleanUps()
		next := f.step()
		if next.Request == nil {
			f.b.Status = next.Status
			continue
		}
		requests++
		f.after(answerOf(osbresult.Unknown, 500))
	}
	if attempts := f.b.Status.LeftBehind[0].Attempts; requests != 1 || attempts != before+1 {
		t.Errorf("after the recovery %d removals are requested, want 1; the attempts rose from %d to %d", requests, before, attempts)
	}
}
