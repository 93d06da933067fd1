// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// A restart looks at all objects: events about them are bounded by reason, kind and namespace.
func TestWarningBudget(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	req := func(namespace string) request { return request{Resource: jobs, Namespace: namespace} }
	var b warningBudget
	for i := range 2 * maxWarnings {
		if got := b.take(req("shop"), "A", now.Add(time.Duration(i)*time.Second)); got != (i < maxWarnings) {
			t.Errorf("event %d: %t", i, got)
		}
	}
	if !b.take(req("shop"), "B", now) || !b.take(req("other"), "A", now) {
		t.Error("another reason or namespace has no budget of its own")
	}
	if !b.take(req("shop"), "A", now.Add(warningsWindow)) {
		t.Error("the budget is not renewed")
	}
	if b.take(req("new"), "A", now.Add(3*warningsWindow)); len(b.recent) != 1 {
		t.Errorf("%d budgets are kept, of which all but one are over", len(b.recent))
	}
}

// A message is new once for each reason, whatever else is said about the object.
func TestNewWarnings(t *testing.T) {
	var seen observations
	uid := types.UID("a")
	for i, c := range []struct {
		reason, message string
		want            bool
	}{{"A", "x", true}, {"B", "y", true}, {"A", "x", false}, {"B", "y", false}, {"A", "z", true}} {
		if got := seen.isNewWarning(uid, c.reason, c.message); got != c.want {
			t.Errorf("%d: %t", i, got)
		}
	}
	seen.clearWarnings(uid, "A")
	if !seen.isNewWarning(uid, "A", "z") || seen.isNewWarning(uid, "B", "y") {
		t.Error("what has ended is not new again, or another reason is")
	}
}

// An answer that is no recovery goes on with a failure; after the Alert has fired an earlier recovery says nothing.
func TestRecoveriesSeen(t *testing.T) {
	var seen observations
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		answer string
		fires  bool
		want   bool
	}{{"Failing", true, false}, {"Progressing", false, false}, {"Failing", false, false}, {"Healthy", false, true}, {"Failing", true, true}, {"Failing", false, false}, {"", false, true}} {
		if _, got := seen.since("a", c.answer, now.Add(time.Duration(i)*time.Second)); got != c.want {
			t.Errorf("%d: %t", i, got)
		}
		if c.fires {
			seen.fired("a")
		}
	}
}

// An event has the length that the API server takes.
func TestAWarningFits(t *testing.T) {
	recorder := events.NewFakeRecorder(1)
	r := &Reconciler{recorder: recorder, now: time.Now}
	r.warn(&situation{req: request{Resource: jobs, Kind: "Job", Namespace: "shop", Name: "import"}}, reasonInvalidAnnotation, "%s", strings.Repeat("a", 2000))
	if note := strings.TrimPrefix(<-recorder.Events, "Warning "+reasonInvalidAnnotation+" "); len(note) > redact.MaxNote {
		t.Errorf("a note of %d bytes", len(note))
	}
}
