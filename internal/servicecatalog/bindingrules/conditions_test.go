// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// TestWhatIsLeftAtTheBrokerIsSaid: where credentials stay valid that were to be replaced.
func TestWhatIsLeftAtTheBrokerIsSaid(t *testing.T) {
	adopted := func(f *fixture) { suppliedID(f); f.after(answerWithCredentials(200)) }
	for name, f := range map[string]*fixture{"replaced": newFixture(adopted, rebound, bound), "rotated": newFixture(rotatable, adopted, rebound, bound)} {
		next := f.step()
		if next.Retained == nil || next.Retained.Reason != v1beta1.ReasonRetained || !strings.Contains(next.Retained.Message, `"id"`) || next.RetainedID != "id" {
			t.Errorf("%s: %+v", name, next.Retained)
		}
		if ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue || !strings.Contains(ready.Message, "stay valid") {
			t.Errorf("%s: Ready is %s: %s", name, ready.Status, ready.Message)
		}
	}
}

func TestADeletedBindingSaysWhatItWaitsFor(t *testing.T) {
	f := newFixture(suppliedID, bindAccepted, deleted, definitionExists, func(f *fixture) { f.in.Broker = nil })
	if ready := rules.FindCondition(f.step().Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionUnknown || !strings.Contains(ready.Message, rules.HowToRelease(f.b)) {
		t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
	}
}

// TestABindingSaysWhatIsBeingRemoved: before it is, and while it is.
func TestABindingSaysWhatIsBeingRemoved(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		says string
	}{
		"to be removed":     {edits(repeated(4, answerOf(osbresult.Unknown, 500))), "What may have been left at the broker is being removed: the outcome of a request is unknown"},
		"being removed":     {edits(repeated(4, answerOf(osbresult.Unknown, 500)), func(f *fixture) { f.after(answerOf(osbresult.Accepted, 202)) }), "What may have been left at the broker is being removed: the binding"},
		"not to be removed": {edits(repeated(4, answerOf(osbresult.Unknown, 500)), func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }), "What may have been left at the broker is being removed: unbind call failed: HTTP 500"},
		"a predecessor":     {edits(bound, rebound, bound, later(overlap), func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }), "The credentials are in the Secret; the binding of the former credentials is being removed: unbind call failed: HTTP 500"},
		"refused":           {edits(expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }), "The credentials are in the Secret; replacing them failed: Bind call failed: HTTP 400; it is not retried any more until"},
		"refused, and the Secret is gone": {edits(bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }, secretGone, func(f *fixture) { f.after(answerOf(osbresult.Conflict, 409)) }, later(time.Hour)),
			"The credentials are not in the Secret, and were not replaced: Bind call failed: HTTP 400"},
		"refused, and over": {edits(expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }, later(time.Hour)), "The credentials in the Secret have expired at"},
	} {
		f := newFixture(test.is...)
		if ready := rules.FindCondition(f.step().Status.Conditions, v1beta1.ConditionReady); !strings.HasPrefix(ready.Message, test.says) {
			t.Errorf("%s: %s", name, ready.Message)
		}
	}
}

// TestABindingBeingReplacedIsNotReady: what keeps it from being replaced does not make it Ready again, as its credentials may be
// withdrawn at any time.
func TestABindingBeingReplacedIsReady(t *testing.T) {
	f := newFixture(bound, rebound)
	f.b.Status = f.step().Status
	says := StatusForBlocker(f.b, f.in, rules.InProgress(v1beta1.ReasonErrorInjectingBindResult, "x"))
	if ready := rules.FindCondition(says.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue || !strings.Contains(ready.Message, "x") {
		t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
	}
	f.in.Broker = nil
	if ready := rules.FindCondition(f.step().Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
		t.Errorf("without a broker Ready is %s: %s", ready.Status, ready.Message)
	}
}

func TestWhatNeverWasSentNeedsNotBeRemoved(t *testing.T) {
	f := newFixture()
	status := StatusForBlocker(f.b, f.in, rules.InProgress(v1beta1.ReasonErrorGettingClusterID, "x"))
	if status.UnbindStatus != v1beta1.UnbindNotRequired || status.CurrentOperation != "" {
		t.Errorf("it says %+v", status)
	}
}
