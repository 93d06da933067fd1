// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-S54: a status had no bound of its predecessors: 2,000 rotations were 161 kB.
func TestARotationWaitsForTheRemovalOfPredecessors(t *testing.T) {
	f := newFixture(bound)
	for i := range maxPredecessors {
		requestRebind(fmt.Sprint(i))(f)
		f.after(answerWithCredentials(201))
		f.in.Now = f.in.Now.Add(time.Second)
	}
	requestRebind("another")(f)
	next := f.step()
	ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady)
	first := next.Status.Predecessors[0].RemoveAt.Time
	want := "status.predecessors has 16 former bindings, and can have 16: new credentials are requested after the first of them is removed, at " + times.Format(first)
	if next.Request != nil || len(next.Status.Predecessors) != maxPredecessors || !next.RequeueAt.Equal(first) || ready.Status != v1beta1.ConditionTrue || !strings.Contains(ready.Message, want) {
		t.Fatalf("%s, until %s: %s", next.describe(), next.RequeueAt, ready.Message)
	}
	f.b.Status = next.Status
	f.in.Now = first
	if got := f.step().describe(); got != "unbind id" {
		t.Fatalf("once it is due: %s", got)
	}
	f.after(answerOf(osbresult.Done, 200))
	if got := f.step().describe(); !strings.HasPrefix(got, "write-ahead bind") {
		t.Errorf("once it is removed: %s", got)
	}

	for i := range 100 { // as an earlier version has recorded them
		f.b.Status.Predecessors = append(f.b.Status.Predecessors, v1beta1.PredecessorBinding{ID: fmt.Sprintf("b-%d", i), RemoveAt: *times.Timestamp(f.in.Now)})
	}
	if got := f.step(); got.Request != nil && got.Request.Operation == rules.Bind {
		t.Errorf("of more predecessors: %s", got.describe())
	}
}

// F-S53: credentials that were replaced are removed although the Secret waits for a person, and the conditions say what that is.
func TestPredecessorsAreRemovedBesideAnEditedSecret(t *testing.T) {
	for name, test := range map[string]struct {
		secret SecretState
		reason string
	}{
		"edited":   {SecretModified, v1beta1.ReasonSecretEdited},
		"occupied": {SecretNotOwned, v1beta1.ReasonErrorInjectingBindResult},
	} {
		f := newFixture(bound, rebound, func(f *fixture) { f.after(answerWithCredentials(201)) })
		f.in.Secret, f.in.Memory.recovery = test.secret, recovery{id: rules.BindingID(f.b, &f.b.Status), failed: fetch | repeat | rotation}
		for _, a := range []Answer{answerOf(osbresult.Unknown, 500), answerOf(osbresult.Done, 200)} {
			f.in.Now = f.in.Now.Add(2 * time.Hour)
			next := f.step()
			if got := next.describe(); got != "unbind id" {
				t.Fatalf("%s: %s", name, got)
			}
			f.b.Status = next.Status
			f.after(a)
			if ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady); ready.Status == v1beta1.ConditionTrue || ready.Reason != test.reason {
				t.Errorf("%s: Ready is %s, %s: %s", name, ready.Status, ready.Reason, ready.Message)
			}
		}
		if len(f.b.Status.Predecessors) > 0 {
			t.Errorf("%s: %v is not removed", name, f.b.Status.Predecessors)
		}
	}
}

// heldPredecessor has the removal of the first binding held, since another address of the broker has answered 410.
func heldPredecessor(f *fixture) {
	for _, edit := range edits(atFirst, retrievable, bound, rebound, func(f *fixture) { f.after(answerWithCredentials(201)) }, moved, later(48*time.Hour)) {
		edit(f)
	}
	f.after(answerOf(osbresult.Gone, 410))
	decided(f)
}

// F-S75: while the removal of a predecessor is held, its binding gets a lost Secret back, though a request for it has failed.
func TestF_S75_AHeldRemovalDelaysNoRepair(t *testing.T) {
	f := newFixture(heldPredecessor, secretGone)
	for range 3 {
		if got := f.step().describe(); got != "fetch "+next1+" again" {
			t.Fatal(got)
		}
		f.after(answerOf(osbresult.Retry, 503))
		f.in.Now = f.in.Now.Add(time.Hour)
	}
}

// F-S75: while the removal of a predecessor is held, the others are removed.
func TestF_S75_AHeldRemovalDelaysNoOther(t *testing.T) {
	f := newFixture(heldPredecessor, requestRebind("again"))
	f.after(answerWithCredentials(201))
	f.in.Now = f.in.Now.Add(48 * time.Hour)
	for _, answer := range []Answer{answerOf(osbresult.Unknown, 500), answerOf(osbresult.Accepted, 202), pollAnswer(osbresult.InProgress), pollAnswer(osbresult.Succeeded)} {
		next := f.step()
		if call := next.Request; call == nil || tail(call.ID) != next1 {
			t.Fatalf("%s; predecessors are %+v", next.describe(), next.Status.Predecessors)
		}
		f.after(answer)
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	next := f.step()
	ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady)
	if p := next.Status.Predecessors; next.Request != nil || len(p) != 1 || p[0].ID != "id" || !rules.IsTrue(ready) || !strings.Contains(ready.Message, "has another address") {
		t.Errorf("%s; predecessors are %+v, %+v", next.describe(), p, ready)
	}
	f.in.Address.Confirmed = []string{rulestest.FirstAddress}
	f.succeed()
	if got := f.step().describe(); got != "unbind id" {
		t.Errorf("once the move is confirmed: %s", got)
	}
}

// F-S75: the deletion policy Retain releases a predecessor at another address, as the conditions say.
func TestF_S75_RetainReleasesAHeldRemoval(t *testing.T) {
	f := newFixture(heldPredecessor, policy(v1beta1.DeletionPolicyRetain))
	next := f.step()
	if next.Retained == nil || next.RetainedID != "id" || !strings.Contains(next.Retained.Message, "another address of the broker") || len(next.Status.Predecessors)+len(next.Status.Gone) > 0 {
		t.Fatalf("%s; %+v, %+v", next.describe(), next.Retained, next.Status)
	}
	decided(f)
	if got := f.step().describe(); got != "nothing: Ready" {
		t.Error(got)
	}
}
