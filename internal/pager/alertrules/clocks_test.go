// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const year = 365 * 24 * time.Hour

// inputsAtTime are those of a receiver that can be used, at a time by all clocks.
func inputsAtTime(now time.Time) Inputs {
	return Inputs{Now: now, Server: times.Server{Known: now}, LeaderSince: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
}

// An Alert fires again while one machine's clock is behind, so that the API server's time is not known: it does not expire once the clock is right.
func TestAnAlertFiresAgainAtAnUnknownTime(t *testing.T) {
	a := newAlert(resolving(v1beta1.DeliveryResolved), recorded(1, -1), func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = new(int32(3600)) })
	a.Status.Deliveries[0].ContentHash = ResolvedHash()
	suspended := usable("v1")
	suspended.Problem = &Problem{Reason: v1beta1.ReasonSuspended, Message: "suspended"}
	now := t0.Add(10 * time.Hour)
	in := Inputs{Now: now.Add(-2 * time.Hour), Server: times.Server{Steady: now}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: suspended})}
	a.Status = Report(a, Decide(a, in), in)
	now = now.Add(20 * time.Minute)
	in = inputsAtTime(now)
	if d := Decide(a, in).Deliveries[0]; d.Send == nil {
		t.Errorf("20 minutes after it fired again, an Alert that expires after an hour is %s", d.Row.State)
	}
}

// A resolve that was first tried by a clock that was a year ahead is given up in time once the clock is right.
func TestAResolveTriedByAClockAhead(t *testing.T) {
	for name, of := range map[string]func(*v1beta1.Alert){"of a deleted Alert": deletedAt(t0), "of a resolved Alert": isOver} {
		a := newAlert(rows(holds(oncall)), of)
		at := t0.Add(year)
		PutDelivery(a, Apply(a.Status.Deliveries[0], Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 2, Attempt: 1, Version: "v1"}, Ref: oncall,
			Began: at, At: at, Failure: &result.Error{Class: result.Temporary, Reason: "Refused"}}))
		decide := func(now time.Time) Plan {
			in := inputsAtTime(now)
			plan := Decide(a, in)
			a.Status = Report(a, plan, in)
			return plan
		}
		decide(t0.Add(time.Hour))
		if first := a.Status.Deliveries[0].FirstAttemptTime; !first.Time.Equal(t0.Add(time.Hour)) {
			t.Errorf("%s: first tried at %s", name, first)
		}
		if plan := decide(t0.Add(2 * time.Hour)); plan.Action != Release && plan.Deliveries[0].reason != v1beta1.ReasonResolveTimedOut {
			t.Errorf("%s: an hour later it is still tried: %s", name, plan.Deliveries[0].reason)
		}
	}
}

// The API server's clock was a year ahead at the deletion, and has been corrected since.
func TestADeletionByAClockAhead(t *testing.T) {
	a := newAlert(rows(holds(oncall)), deletedAt(t0.Add(year)))
	PutDelivery(a, Apply(a.Status.Deliveries[0], Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 2, Attempt: 1, Version: "v1"}, Ref: oncall,
		Began: t0, At: t0, Failure: &result.Error{Class: result.Temporary, Reason: "Refused"}}))
	in := inputsAtTime(t0.Add(24 * time.Hour))
	if plan := Decide(a, in); plan.Action != Release {
		t.Errorf("a day after the first attempt it waits until %s", in.deletionLimit(a, a.Status.Deliveries[0], usable("v1")))
	}
}

// A finished Alert whose resolve was confirmed has no deadline: its record need not change.
func TestAConfirmedResolveIsNotWrittenAgain(t *testing.T) {
	a := newAlert(rows(holds(oncall)), isOver)
	PutDelivery(a, Apply(a.Status.Deliveries[0], Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 2, Attempt: 1, Version: "v1"}, Ref: oncall, Began: t0.Add(year), At: t0}))
	unknown := inputsAtTime(t0)
	unknown.Server.Known = time.Time{}
	a.Status = Report(a, Decide(a, unknown), unknown)
	in := inputsAtTime(t0.Add(time.Hour))
	if after := Report(a, Decide(a, in), in); !equality.Semantic.DeepEqual(after, a.Status) {
		t.Errorf("written again: %s, was %s", after.Deliveries[0].FirstAttemptTime, a.Status.Deliveries[0].FirstAttemptTime)
	}
}

// While the time is unknown and both clocks are behind, the recorded finishedTime moves back, so that the TTL ends early.
func TestTheFinishedTimeDoesNotMoveBack(t *testing.T) {
	a := newAlert(rows(holds(oncall)))
	in := inputsAtTime(t0.Add(2 * time.Hour))
	a.Status = Report(a, Decide(a, in), in)
	finished := a.Status.FinishedTime
	in = inputsAtTime(t0)
	in.Server = times.Server{Steady: t0}
	a.Status = Report(a, Decide(a, in), in)
	if finished == nil || !a.Status.FinishedTime.Equal(finished) {
		t.Errorf("finished at %s, was %s", a.Status.FinishedTime, finished)
	}
}
