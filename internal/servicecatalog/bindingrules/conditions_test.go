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
	adopted := func(f *fixture) { brought1(f); f.after(with(200)) }
	for name, f := range map[string]*fixture{"replaced": newFixture(adopted, rebound, bound1), "rotated": newFixture(rotatable, adopted, rebound, bound1)} {
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
	f := newFixture(brought1, binding1, deleted1, lives1, func(f *fixture) { f.in.Broker = nil })
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
		"to be removed":     {bfs(repeated(4, saidOf(osbresult.Unknown, 500))), "What may have been left at the broker is being removed: the outcome of a request is unknown"},
		"being removed":     {bfs(repeated(4, saidOf(osbresult.Unknown, 500)), func(f *fixture) { f.after(saidOf(osbresult.Accepted, 202)) }), "What may have been left at the broker is being removed: the binding"},
		"not to be removed": {bfs(repeated(4, saidOf(osbresult.Unknown, 500)), func(f *fixture) { f.after(saidOf(osbresult.Unknown, 500)) }), "What may have been left at the broker is being removed: unbind call failed: HTTP 500"},
		"a predecessor":     {bfs(bound1, rebound, bound1, in(overlap), func(f *fixture) { f.after(saidOf(osbresult.Unknown, 500)) }), "The credentials are in the Secret; the binding of the former credentials is being removed: unbind call failed: HTTP 500"},
		"refused":           {bfs(expiring, in(45*time.Minute), func(f *fixture) { f.after(saidOf(osbresult.Rejected, 400)) }), "The credentials are in the Secret; replacing them failed: Bind call failed: HTTP 400; it is not retried any more until"},
		"refused, and the Secret is gone": {bfs(bound1, rebound, func(f *fixture) { f.after(saidOf(osbresult.Rejected, 400)) }, secretGone, func(f *fixture) { f.after(saidOf(osbresult.Conflict, 409)) }, in(time.Hour)),
			"The credentials are not in the Secret, and were not replaced: Bind call failed: HTTP 400"},
		"refused, and over": {bfs(expiring, in(45*time.Minute), func(f *fixture) { f.after(saidOf(osbresult.Rejected, 400)) }, in(time.Hour)), "The credentials in the Secret have expired at"},
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
	f := newFixture(bound1, rebound)
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
