// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func TestDeletionByAClockAheadIsHeard(t *testing.T) {
	now := t0.Add(48 * time.Hour)
	for _, ahead := range []time.Duration{59 * time.Second, 61 * time.Second, year} {
		a, in := newAlert(rows(holds(oncall)), deletedAt(now.Add(ahead))), inputsAtTime(now)
		in.LeaderSince = now.Add(-11 * time.Minute)
		if plan := Decide(a, in); !plan.Sends() {
			t.Errorf("deleted by a clock %s ahead: no resolve; action %d (2: Release)", ahead, plan.Action)
		}
	}
}

func TestExpiryAfterAClockWasBehind(t *testing.T) {
	for _, behind := range []time.Duration{0, 2 * time.Hour} {
		a := newAlert(func(a *v1beta1.Alert) {
			a.Spec.ExpireAfterSeconds = new(int32(3600))
			a.Status.ObservedGeneration = -1
		})
		down := usable("v1")
		down.Problem = &Problem{Reason: v1beta1.ReasonSecretNotFound, Message: "m"}
		look := func(now time.Time, is Target) Plan {
			in := inputsAtTime(now)
			in.LeaderSince = now.Add(-5 * time.Minute) // the machine has just started
			in.Receivers = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: is})
			plan := Decide(a, in)
			a.Status = Report(a, plan, in)
			return plan
		}
		look(t0.Add(time.Second), down)
		look(t0.Add(10*time.Minute-behind), down)
		if plan := look(t0.Add(30*time.Minute), usable("v1")); !plan.Sends() {
			t.Errorf("%s behind: 30 minutes after its creation the Alert is %s, fires since %s: %s", behind, plan.Deliveries[0].Row.State, a.Status.FiringSince, a.Status.Conditions[0].Message)
		}
	}
}

func unrecorded() *v1beta1.Alert {
	return newAlert(func(a *v1beta1.Alert) { a.Status.ObservedGeneration = -1 })
}

var ends = map[string]func(*v1beta1.Alert){
	"deleted":  deletedAt(t0.Add(time.Hour)),
	"resolved": func(a *v1beta1.Alert) { isOver(a); a.Generation = 2 },
}

// A former leader has sent the first message without a record (R1).
func TestAMessageWithoutARecordIsResolved(t *testing.T) {
	for name, end := range ends {
		a, in := unrecorded(), inputsAtTime(t0.Add(time.Hour))
		in.LeaderSince = t0.Add(59 * time.Minute)
		suspended := usable("v1")
		suspended.Problem = &Problem{Reason: v1beta1.ReasonSuspended, Message: "suspended"}
		in.Receivers = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: suspended})
		a.Status = Report(a, Decide(a, in), in)
		end(a)
		in.Receivers = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})
		if plan := Decide(a, in); !plan.Sends() {
			t.Errorf("suspended at the takeover, then %s: no resolve; action %d, %s", name, plan.Action, plan.Deliveries[0].Row.State)
		}

		a = unrecorded()
		end(a)
		first := Decide(a, in)
		a.Status = Report(a, first.Waiting(a, map[v1beta1.ReceiverRef]limiter.Wait{oncall: {Since: in.Now.Add(-11 * time.Second), Cause: limiter.RateLimited}}, in.Now), in)
		if plan := Decide(a, in); !first.Sends() || !plan.Sends() {
			t.Errorf("%s, the resolve waited for a slot for 11 s: before %t, after %t; action %d, %s", name, first.Sends(), plan.Sends(), plan.Action, Report(a, plan, in).Conditions[0].Message)
		}
	}
}

func TestConditionOfADeletionByAClockAheadStaysTheSame(t *testing.T) {
	a, messages := newAlert(rows(holds(oncall)), deletedAt(t0.Add(year))), map[string]bool{}
	is := usable("v1")
	is.Spec.ResolveTimeoutSeconds, is.Problem = new(int32(0)), &Problem{Reason: v1beta1.ReasonSecretNotFound, Message: "m"}
	for i := range 5 {
		in := inputsAtTime(t0.Add(time.Hour + time.Duration(i)*time.Second))
		in.Server = times.Server{Steady: in.Now}
		in.Receivers = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: is})
		a.Status = Report(a, Decide(a, in), in)
		messages[a.Status.Conditions[0].Message] = true
	}
	if len(messages) > 1 {
		t.Errorf("%d writes of the status in 5 s, each of which queues the Alert again", len(messages))
	}
}

func TestResolveAfterAClockWasBehind(t *testing.T) {
	for _, behind := range []time.Duration{0, 48 * time.Hour} {
		a := newAlert(rows(holds(oncall)), isOver)
		PutDelivery(a, Apply(a.Status.Deliveries[0], Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 2, Attempt: 1, Version: "v1"}, Ref: oncall,
			Began: t0, At: t0, Failure: &result.Error{Class: result.Temporary, Reason: "Refused"}}))
		is := usable("v1")
		is.Spec.ResolveTimeoutSeconds = new(int32(86400))
		var plan Plan
		for _, now := range []time.Time{t0.Add(10*time.Minute - behind), t0.Add(30 * time.Minute)} {
			in := inputsAtTime(now)
			in.LeaderSince = now.Add(-5 * time.Minute) // the machine has just started
			in.Receivers, in.LeaderSince = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: is}), now.Add(-5*time.Minute)
			plan = Decide(a, in)
			a.Status = Report(a, plan, in)
		}
		if !plan.Sends() {
			t.Errorf("%s behind: given up after 30 minutes of 24 hours: %s", behind, plan.Deliveries[0].reason)
		}
	}
}
