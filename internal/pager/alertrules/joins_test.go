// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// joinedAt has instances join the content so many minutes after t0; zero: never.
func joinedAt(minutes int) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) {
		if a.Spec.JoinedTime = times.Timestamp(t0.Add(time.Duration(minutes) * time.Minute)); minutes == 0 {
			a.Spec.JoinedTime = nil
		}
	}
}

// isShown is a row of oncall whose receiver has confirmed what the spec says, instances included.
func isShown(a *v1beta1.Alert) {
	row := holding(a, oncall)
	row.JoinedTime, row.Severity, row.ExternalID = a.Spec.JoinedTime, a.Spec.Severity, "id"
	a.Status.Deliveries = []v1beta1.Delivery{row}
}

func reworded(a *v1beta1.Alert) { a.Spec.Content = "B" }

// What instances have joined notifies; other changes of such an Alert change the message where it is shown, or send nothing.
func TestJoins(t *testing.T) {
	edits, cannot := func(string) bool { return true }, func(string) bool { return false }
	row := func(edit func(*v1beta1.Delivery)) func(*v1beta1.Alert) {
		return func(a *v1beta1.Alert) { edit(&a.Status.Deliveries[0]) }
	}
	for name, c := range map[string]struct {
		alert   *v1beta1.Alert
		edits   func(string) bool
		reopens bool
		want    string
		quiet   bool
	}{
		"grows":                       {alert: newAlert(joinedAt(1), isShown, joinedAt(7), reworded), edits: edits, want: "Fired#2.1"},
		"grows, cannot be changed":    {alert: newAlert(joinedAt(1), isShown, joinedAt(7), reworded), edits: cannot, want: "Fired#2.1"},
		"grows, at an open incident":  {alert: newAlert(joinedAt(1), isShown, joinedAt(7), reworded), edits: edits, reopens: true, want: "Fired#2.1"},
		"grows, by a corrected clock": {alert: newAlert(joinedAt(7), isShown, joinedAt(1), reworded), edits: edits, want: "Fired#2.1"},
		"has instances from now on":   {alert: newAlert(isShown, joinedAt(1)), edits: edits, want: "Fired#2.1"},
		"has none any more":           {alert: newAlert(joinedAt(1), isShown, joinedAt(0)), edits: cannot, want: "Updated#2.1"},
		"shrinks":                     {alert: newAlert(joinedAt(1), isShown, reworded), edits: edits, want: "Updated#2.1", quiet: true},
		"shrinks, not known how":      {alert: newAlert(joinedAt(1), isShown, reworded), want: "Updated#2.1", quiet: true},
		"shrinks, cannot be changed":  {alert: newAlert(joinedAt(1), isShown, reworded), edits: cannot, want: ""},
		"is edited, no instances":     {alert: newAlert(isShown, reworded), edits: cannot, want: "Updated#2.1"},
		"rises":                       {alert: newAlert(joinedAt(1), isShown, reworded, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical }), edits: cannot, want: "Fired#2.1"},
		"rises, at an open incident": {alert: newAlert(joinedAt(1), isShown, joinedAt(7), func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical }),
			edits: edits, reopens: true, want: "Resolved#2.1"},
		"shrinks, something else may have arrived": {alert: newAlert(joinedAt(1), isShown, reworded, row(func(d *v1beta1.Delivery) {
			d.LastAttemptedHash, d.LastAttemptedReceiver, d.Sequence, d.OutcomeUnknown = "1:b", "v1", 2, true
		})), edits: cannot, want: "Updated#3.1", quiet: true},
		"shrinks before it is told": {alert: newAlert(joinedAt(1), isShown, joinedAt(7), reworded, row(func(d *v1beta1.Delivery) {
			d.LastAttemptedHash, d.LastAttemptedReceiver, d.Sequence, d.OutcomeUnknown = "1:b", "v1", 2, true
		})), edits: cannot, want: "Fired#3.1"},
		"shrinks after the expiry": {alert: newAlert(joinedAt(1), isShown, reworded, func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](60) }), edits: cannot, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			target, now := usable("v1"), t0.Add(time.Hour)
			target.Edits, target.RaisesByReopening = c.edits, c.reopens
			in := Inputs{Now: now, Server: times.Server{Known: now}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: target})}
			plan := Decide(c.alert, in)
			if got := shorthand(plan, now); got != c.want {
				t.Errorf("decided %q, want %q", got, c.want)
			}
			before, after := c.alert.Status.Deliveries[0], plan.Deliveries[0].Row
			if send := plan.Deliveries[0].Send; send != nil {
				if send.Quiet != c.quiet {
					t.Errorf("quiet is %t", send.Quiet)
				}
				return
			}
			want := before
			want.ByDefault = true
			want.ContentHash, want.LastAttemptedHash, want.Message = ContentHash(&c.alert.Spec), ContentHash(&c.alert.Spec), result.NoteOfKeptBack
			if after != want {
				t.Errorf("got %+v, want %+v: the receipt stays", after, want)
			}
			c.alert.Status = Report(c.alert, plan, in)
			if again := Decide(c.alert, in); !c.alert.Status.Sent || again.Sends() || again.Deliveries[0].Row.Message != result.NoteOfKeptBack {
				t.Errorf("sent is %t, and then %+v", c.alert.Status.Sent, again.Deliveries[0])
			}
		})
	}
}

// F-P58: a message that notifies continues the one that the receiver holds: also when it is repeated, and not after a confirmed resolve.
func TestContinues(t *testing.T) {
	rises := func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical }
	written := func(a *v1beta1.Alert) {
		row := &a.Status.Deliveries[0]
		*row = RowInFlight(*row, InFlightRequest{Request: Request{Event: result.Fired, Hash: ContentHash(&a.Spec), Sequence: 2, Attempt: 1, Version: "v1"}, Since: t0, Began: t0})
	}
	resolved := func(a *v1beta1.Alert) {
		row := &a.Status.Deliveries[0]
		*row = Apply(*row, Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 2, Attempt: 1}, Ref: oncall, At: t0})
	}
	for name, c := range map[string]struct {
		alert *v1beta1.Alert
		want  bool
	}{
		"the first message":            {newAlert(), false},
		"an edit":                      {newAlert(isShown, reworded), false},
		"a rise":                       {newAlert(isShown, rises), true},
		"a join":                       {newAlert(joinedAt(1), isShown, joinedAt(7)), true},
		"a rise, repeated":             {newAlert(isShown, rises, written), true},
		"a start after a resolve":      {newAlert(isShown, resolved), false},
		"a higher one after a resolve": {newAlert(isShown, resolved, rises), false},
	} {
		now := t0.Add(time.Hour)
		in := Inputs{Now: now, Server: times.Server{Known: now}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
		d := Decide(c.alert, in).Deliveries[0]
		if d.Send == nil || d.Send.Continues != c.want {
			t.Errorf("%s: got %+v, want a request that continues: %t", name, d.Send, c.want)
		}
	}
}

// A message that turned out to be gone stays as it was told.
func TestAKeptBackReceiptStays(t *testing.T) {
	a := newAlert(joinedAt(1), isShown, reworded)
	before := a.Status.Deliveries[0]
	o := Outcome{Request: Request{Event: result.Updated, Hash: ContentHash(&a.Spec), Sequence: 2, Attempt: 1, Severity: v1beta1.SeverityWarning, Quiet: true}, Ref: oncall,
		At: t0.Add(time.Hour), Receipt: result.Receipt{Note: result.NoteOfKeptBack, KeptBack: true}}
	after := Apply(before, o)
	if after.State != v1beta1.DeliverySent || !confirmed(after, o.Hash) || after.ExternalID != before.ExternalID || !after.SentTime.Equal(before.SentTime) ||
		after.Severity != before.Severity || !after.JoinedTime.Equal(before.JoinedTime) {
		t.Errorf("got %+v, was %+v", after, before)
	}
}

// The joinedTime in a row is that of what was confirmed.
func TestJoinedTimeOfARow(t *testing.T) {
	a := newAlert(joinedAt(1), isShown, joinedAt(7))
	now := t0.Add(time.Hour)
	in := Inputs{Now: now, Server: times.Server{Known: now}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
	before := a.Status.Deliveries[0]
	send := *Decide(a, in).Deliveries[0].Send
	lost := Outcome{Request: send, Ref: oncall, At: now, Failure: &result.Error{Class: result.Unknown, Reason: result.ReasonTimeout}}
	if row := Apply(before, lost); !row.JoinedTime.Equal(before.JoinedTime) {
		t.Errorf("an answer was lost, and it is %s", row.JoinedTime)
	}
	row := Apply(before, Outcome{Request: send, Ref: oncall, At: now})
	if !row.JoinedTime.Equal(a.Spec.JoinedTime) {
		t.Errorf("confirmed, and it is %s", row.JoinedTime)
	}
	if row = Apply(row, Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 3, Attempt: 1}, Ref: oncall, At: now}); row.JoinedTime != nil {
		t.Errorf("resolved, and it is %s", row.JoinedTime)
	}
}
