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
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// run lets time pass until nothing is due before an end, with a broker, and returns the requests.
func (f *fixture) run(until time.Duration, broker func(*Request) Answer) (all []string) {
	end := lifecycletest.T0.Add(until)
	for range 2000 {
		f.in.CleanUpBrokers = map[string]v1beta1.Broker{}
		for _, l := range f.b.Status.LeftBehind {
			f.in.CleanUpBrokers[l.ID] = f.in.Broker
		}
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
			f.in.Now = lifecycle.Latest(f.in.Now.Add(time.Second), next.RequeueAt)
		}
	}
	return all
}

// failingUnder is a broker that fails the requests under some ids, has nothing there, and answers 500 to the removal of what it does not have.
func failingUnder(ids ...string) func(*Request) Answer {
	return func(call *Request) Answer {
		if call.Operation == lifecycle.Bind && !slices.Contains(ids, call.ID) {
			return with(201)
		}
		return saidOf(osbresult.Unknown, 500)
	}
}

// F-JS12: a broker that fails to remove what it does not have keeps the binding from nothing but that removal.
func TestABindingIsReadyThoughItsCleanUpFails(t *testing.T) {
	f := newFixture()
	f.run(2*time.Hour, failingUnder("id"))
	s := &f.b.Status
	ready := lifecycle.FindCondition(s.Conditions, v1beta1.ConditionReady)
	if !lifecycle.IsTrue(ready) || s.ExternalID != catalog.NextID("uid-b", "id", 1) || len(s.LeftBehind) != 1 || s.LeftBehind[0].ID != "id" || s.LeftBehind[0].Target.InstanceID != "id" {
		t.Fatalf("after 2 hours the id is %q, Ready is %+v, and left behind are %+v", s.ExternalID, ready, s.LeftBehind)
	}
	conditions := slices.Clone(s.Conditions)
	if calls := f.run(100*time.Hour, failingUnder("id")); len(calls) < 5 || slices.ContainsFunc(calls, func(call string) bool { return call != "unbind id" }) {
		t.Errorf("later it sends %v", calls)
	}
	if !equality.Semantic.DeepEqual(conditions, f.b.Status.Conditions) || IsSettled(f.b, f.in.BoundInstance.Instance) {
		t.Errorf("a clean-up has changed the conditions, or is settled: %+v", f.b.Status.Conditions)
	}
	deleted1(f)
	lives1(f)
	ejected(f)
	f.run(101*time.Hour, func(call *Request) Answer {
		if call.ID == "id" {
			return saidOf(osbresult.Unknown, 500)
		}
		return saidOf(osbresult.Done, 200)
	})
	stalled := lifecycle.FindCondition(f.b.Status.Conditions, v1beta1.ConditionStalled)
	if !lifecycle.IsTrue(stalled) || !strings.Contains(stalled.Message, "former ids") || f.step().Release != nil {
		t.Errorf("while it is deleted, Stalled is %+v", stalled)
	}
	policy(v1beta1.DeletionPolicyRetain)(f)
	if release := f.step().Release; release == nil || !strings.Contains(release.Message, "is left there: id") {
		t.Errorf("with Retain it is released as %+v", release)
	}
}

// F-JS12: replacements leave ids behind as well. The credentials in the Secret stay, and no more than four ids are left behind.
func TestReplacementsLeaveIDsBehind(t *testing.T) {
	f := newFixture(bound1, rebound)
	broken := func(*Request) Answer { return saidOf(osbresult.Unknown, 500) }
	f.run(200*time.Hour, broken)
	s := &f.b.Status
	ready := lifecycle.FindCondition(s.Conditions, v1beta1.ConditionReady)
	if len(s.LeftBehind) != 4 || !lifecycle.IsTrue(ready) || lifecycle.BindingID(f.b, s) != "id" || !strings.Contains(ready.Message, "status.leftBehind") || !strings.Contains(ready.Message, v1beta1.RebindAnnotation) {
		t.Fatalf("left behind are %d, the id is %s, and Ready %+v", len(s.LeftBehind), lifecycle.BindingID(f.b, s), ready)
	}
	requestRebind("again")(f)
	f.run(201*time.Hour, func(call *Request) Answer {
		if call.Operation == lifecycle.Bind {
			return with(201)
		}
		return saidOf(osbresult.Done, 200)
	})
	if s := &f.b.Status; len(s.LeftBehind) > 0 || s.Rebind != "again" || lifecycle.BindingID(f.b, s) == "id" {
		t.Errorf("after a request, and once the broker is mended: %+v", s)
	}
}
