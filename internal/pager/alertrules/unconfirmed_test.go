// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// F-B1: a success of no form that the service documents may page each time, so it is sent three times at most, whatever the message,
// and the count is in the row, which is all that a restart leaves. Then the Alert is Stalled with what was answered.
func TestUnconfirmedIsRepeatedTwice(t *testing.T) {
	resolved := func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }
	changed := func(a *v1beta1.Alert) { a.Spec.Content = "B" }
	for name, c := range map[string]struct {
		alert  *v1beta1.Alert
		policy v1beta1.DeliveryPolicy
		sends  int
		ready  string
	}{
		"fired":                {newAlert(), v1beta1.AtLeastOnce, 3, v1beta1.ReasonOutcomeUnknown},
		"fired, AtMostOnce":    {newAlert(), v1beta1.AtMostOnce, 1, v1beta1.ReasonOutcomeUnknown},
		"updated":              {newAlert(rows(holds(oncall)), changed), v1beta1.AtLeastOnce, 3, v1beta1.ReasonOutcomeUnknown},
		"resolved":             {newAlert(rows(holds(oncall)), resolved), v1beta1.AtLeastOnce, 3, v1beta1.ReasonOutcomeUnknown},
		"resolved, AtMostOnce": {newAlert(rows(holds(oncall)), resolved), v1beta1.AtMostOnce, 1, v1beta1.ReasonOutcomeUnknown},
		"deleted":              {newAlert(rows(holds(oncall)), deletedAt(t0)), v1beta1.AtLeastOnce, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(policy(c.policy))}
			sends, last := 0, time.Duration(0)
			for range 100 { // until nothing more happens, or a day has passed
				plan := Decide(c.alert, in)
				for _, d := range plan.Deliveries {
					if d.Send == nil {
						continue
					}
					sends, last = sends+1, in.Now.Sub(t0)
					o := Outcome{Request: *d.Send, Ref: oncall, Began: in.Now, At: in.Now,
						Failure: &result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: `HTTP 200 OK, but …: {"queued":1}`}}
					if d.Send.WriteAhead {
						PutDelivery(c.alert, RowInFlight(d.Row, InFlightRequest{Request: *d.Send, Since: in.Now, Began: in.Now}))
					}
					PutDelivery(c.alert, Apply(DeliveryIn(c.alert.Status.Deliveries, RefOf(d.Row)), o))
				}
				plan = Decide(c.alert, in)
				c.alert.Status = Report(c.alert, plan, in)
				if plan.Wake.IsZero() || plan.Action == Release {
					break
				}
				in.Now = plan.Wake
			}
			if sends != c.sends || last > 10*time.Minute {
				t.Errorf("sent %d times within %s, want %d", sends, last, c.sends)
			}
			if c.ready == "" {
				if Decide(c.alert, in).Action != Release {
					t.Error("the deletion waits")
				}
				return
			}
			stalled := meta.FindStatusCondition(c.alert.Status.Conditions, v1beta1.ConditionStalled)
			if stalled.Status != "True" || stalled.Reason != c.ready || !strings.Contains(stalled.Message, `{"queued":1}`) {
				t.Errorf("got %+v", stalled)
			}
			if row := c.alert.Status.Deliveries[0]; row.State != v1beta1.DeliveryUnknown || !row.OutcomeUnknown {
				t.Errorf("got %+v", row)
			}
			other := in.Receivers[oncall].Target
			other.Version = "v2"
			again := Decide(c.alert, Inputs{Now: in.Now, Refs: in.Refs, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: other})}).Deliveries[0].Send
			if (again != nil) != (c.policy == v1beta1.AtLeastOnce) {
				t.Errorf("to a receiver that was changed it sends %+v", again)
			}
		})
	}
}

// F-B1: what a receiver may hold is resolved.
func TestUnconfirmedIsResolved(t *testing.T) {
	a := newAlert(func(a *v1beta1.Alert) {
		row := failing(a, oncall, v1beta1.DeliveryUnknown, time.Time{})
		row.UnconfirmedAnswers, row.OutcomeUnknown = result.MaxUnconfirmed, true
		a.Status.Deliveries = []v1beta1.Delivery{row}
		a.Spec.State = v1beta1.AlertResolved
	})
	if plan := Decide(a, Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(policy(v1beta1.AtLeastOnce))}); shorthand(plan, t0) != "Resolved#2.1" {
		t.Errorf("got %s", shorthand(plan, t0))
	}
}

// F-P29, F-P30: who has a message of several recipients stays in the row until it is confirmed, also where the next attempt has no
// answer, and such a receiver is resolved.
func TestPartialDeliveryIsKept(t *testing.T) {
	a := newAlert()
	in := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(policy(v1beta1.AtLeastOnce))}
	for i, failure := range []*result.Error{
		{Class: result.Temporary, Reason: result.ReasonServerError, Partial: "a b"}, {Class: result.Unknown, Reason: result.ReasonTimeout}, nil,
	} {
		d := Decide(a, in).Deliveries[0]
		if want := []string{"", "a b", "a b"}[i]; d.Send == nil || d.Send.Partial != want {
			t.Fatalf("%d: sends %+v", i, d.Send)
		}
		row := Apply(d.Row, Outcome{Request: *d.Send, Ref: oncall, Failure: failure, Began: in.Now, At: in.Now})
		if (row.PartialDelivery != "") != (failure != nil) || row.OutcomeUnknown != (failure != nil) {
			t.Errorf("%d: got %+v", i, row)
		}
		PutDelivery(a, row)
		in.Now = in.Now.Add(time.Hour)
	}
}

// F-P70: who has a former message is known to the attempts of the content that follows it, until that is confirmed.
func TestPartialDeliveryOfFormerContent(t *testing.T) {
	a := newAlert()
	in := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(policy(v1beta1.AtLeastOnce))}
	for i, failure := range []*result.Error{
		{Class: result.Temporary, Reason: result.ReasonServerError, Partial: "a b"}, {Class: result.Temporary, Reason: result.ReasonServerError}, nil,
	} {
		d := Decide(a, in).Deliveries[0]
		if want := []string{"", "a b", "a b"}[i]; d.Send == nil || d.Send.Partial != want || d.Send.Event != result.Fired {
			t.Fatalf("%d: sends %+v", i, d.Send)
		}
		PutDelivery(a, Apply(d.Row, Outcome{Request: *d.Send, Ref: oncall, Failure: failure, Began: in.Now, At: in.Now}))
		in.Now = in.Now.Add(time.Hour)
		a.Spec.Content = "edited"
	}
	if row := a.Status.Deliveries[0]; row.PartialDelivery != "" || row.State != v1beta1.DeliverySent {
		t.Errorf("got %+v", row)
	}
}

// F-P70: the record of an update, or a resolve, that some recipients have says nothing about the message that follows it.
func TestPartialDeliveryAfterAConfirmedMessage(t *testing.T) {
	partial := &result.Error{Class: result.Temporary, Reason: result.ReasonServerError, Partial: "posted r"}
	edit := func(content string, severity v1beta1.Severity) func(*v1beta1.Alert) {
		return func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.Severity = content, severity }
	}
	resolve := func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }
	for name, edits := range map[string][]func(*v1beta1.Alert){
		"another update":           {edit("edited", v1beta1.SeverityWarning), edit("edited again", v1beta1.SeverityWarning)},
		"a rise after an update":   {edit("edited", v1beta1.SeverityWarning), edit("edited", v1beta1.SeverityCritical)},
		"a resolve of an update":   {edit("edited", v1beta1.SeverityWarning), resolve},
		"a new page for a resolve": {resolve, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring }},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAlert()
			a.Spec.Severity = v1beta1.SeverityWarning
			in := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(policy(v1beta1.AtLeastOnce))}
			for i, failure := range []*result.Error{nil, partial, nil} {
				if i > 0 {
					edits[i-1](a)
				}
				d := Decide(a, in).Deliveries[0]
				if d.Send == nil || d.Send.Partial != "" {
					t.Fatalf("%d: sends %+v", i, d.Send)
				}
				PutDelivery(a, Apply(d.Row, Outcome{Request: *d.Send, Ref: oncall, Failure: failure, Began: in.Now, At: in.Now}))
				in.Now = in.Now.Add(time.Hour)
			}
		})
	}
}
