// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// The API server's clock was a year ahead at the deletion, and has been corrected since; the receiver cannot be used, so that no resolve was ever attempted.
func TestDeletionByAClockAheadWithoutAnAttempt(t *testing.T) {
	for name, reason := range map[string]string{"secret missing": v1beta1.ReasonSecretNotFound, "receiver out of reach of the namespace": v1beta1.ReasonReceiverNotFound} {
		a := newAlert(rows(holds(oncall)), deletedAt(t0.Add(year)))
		broken := usable("v1")
		broken.Problem = &Problem{Reason: reason, Message: "missing"}
		in := inputsAtTime(t0.Add(24 * time.Hour))
		in.Receivers = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: broken})
		for range 3 {
			plan := Decide(a, in)
			a.Status = Report(a, plan, in)
			in.Now, in.Server.Known = in.Now.Add(24*time.Hour), in.Server.Known.Add(24*time.Hour)
		}
		if plan := Decide(a, in); plan.Action != Release {
			t.Errorf("%s: 4 days later it waits until %s: %s", name, in.deletionLimit(a, a.Status.Deliveries[0], broken), a.Status.Conditions[0].Message)
		}
	}
}

// The first message of a young Alert is still sent.
func TestYoungDeletionByAClockAhead(t *testing.T) {
	a := newAlert(deletedAt(t0.Add(year+time.Second)), func(a *v1beta1.Alert) { a.CreationTimestamp.Time = t0.Add(year); a.Status.ObservedGeneration = -1 })
	if plan := Decide(a, inputsAtTime(t0.Add(24*time.Hour))); !plan.Sends() {
		t.Errorf("it is not sent: action %d", plan.Action)
	}
}

// A resolve that failed once before the operator was away for an hour is tried again before it is given up (R11), for no longer than its timeout.
func TestResolveAfterALongAbsence(t *testing.T) {
	for name, of := range map[string]func(*v1beta1.Alert){"of a deleted Alert": deletedAt(t0), "of a resolved Alert": isOver} {
		for _, test := range []struct {
			leadsFor time.Duration
			timeout  int32
			hasTried bool // this process has
			isTried  bool
		}{
			{0, 600, false, true}, {59 * time.Second, 600, false, true}, {59 * time.Second, 600, true, true}, {time.Minute, 600, false, false},
			{0, 3, false, true}, {3 * time.Second, 3, false, true}, {3 * time.Second, 3, true, false}, {0, 0, false, true}, {0, 0, true, false},
		} {
			a := newAlert(rows(holds(oncall)), of)
			if test.timeout == 0 && !a.DeletionTimestamp.IsZero() {
				continue // such a deletion does not wait
			}
			PutDelivery(a, Apply(a.Status.Deliveries[0], Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 2, Attempt: 1, Version: "v1"}, Ref: oncall,
				Began: t0, At: t0, Failure: &result.Error{Class: result.Temporary, Reason: "Refused"}}))
			target := usable("v1")
			target.Spec.ResolveTimeoutSeconds = &test.timeout
			in := inputsAtTime(t0.Add(time.Hour))
			in.Receivers, in.LeaderSince = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: target}), in.Now.Add(-test.leadsFor)
			in.ActiveSince = in.LeaderSince
			if test.hasTried {
				receiver := in.Receivers[oncall]
				receiver.Failed = &FailedAttempt{Since: in.Now.Add(-test.leadsFor), At: in.Now.Add(-test.leadsFor)}
				in.Receivers[oncall] = receiver
			}
			plan := Decide(a, in)
			if d := plan.Deliveries[0]; (d.Send != nil) != test.isTried {
				t.Errorf("%s, %s after the takeover, with a timeout of %d s: it is tried: %t; action %d, %s", name, test.leadsFor, test.timeout, d.Send != nil, plan.Action, d.reason)
			}
		}
	}
}

// The same with resolveTimeoutSeconds: 0.
func TestDeletionByAClockAheadWithoutATimeout(t *testing.T) {
	a := newAlert(rows(holds(oncall)), deletedAt(t0.Add(year)))
	broken := usable("v1")
	broken.Spec.ResolveTimeoutSeconds = new(int32(0))
	broken.Problem = &Problem{Reason: v1beta1.ReasonSecretNotFound, Message: "missing"}
	in := inputsAtTime(t0.Add(24 * time.Hour))
	in.Receivers = receiversOf(map[v1beta1.ReceiverRef]Target{oncall: broken})
	if plan := Decide(a, in); plan.Action != Release {
		t.Errorf("a day later it waits until %s", in.deletionLimit(a, a.Status.Deliveries[0], broken))
	}
}
