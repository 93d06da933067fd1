// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

func isOver(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }

// recorded is the status of an Alert that began to fire so often, the last time so many minutes after t0.
func recorded(occurrence int64, minutes int) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) {
		a.Status.Occurrence, a.Status.FiringSince = occurrence, times.Timestamp(t0.Add(time.Duration(minutes)*time.Minute))
		if minutes < 0 {
			a.Status.FiringSince = nil
		}
	}
}

func ready(reason string) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) {
		a.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason}}
	}
}

// resolving is a row whose last attempt was a resolve.
func resolving(state v1beta1.DeliveryState) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) {
		row := holding(a, oncall)
		row.State, row.LastAttemptedHash, row.Sequence = state, ResolvedHash(), 2
		a.Status.Deliveries = []v1beta1.Delivery{row}
	}
}

// An occurrence begins with the Alert, or when the Alert fires again after it was resolved, and that is seen.
func TestOccurrence(t *testing.T) {
	const hour = 60
	filtered := func(a *v1beta1.Alert) { a.Status.Deliveries[0].FilteredHash = "1:b" }
	for name, c := range map[string]struct {
		alert  *v1beta1.Alert
		number int64
		since  int // minutes after t0; -1: it does not fire
	}{
		"new":                       {newAlert(), 1, 0},
		"fires":                     {newAlert(recorded(1, 0)), 1, 0},
		"fires for the third time":  {newAlert(recorded(3, 20)), 3, 20},
		"resolved":                  {newAlert(recorded(3, 20), isOver), 3, -1},
		"being deleted":             {newAlert(recorded(3, 20), deletedAt(t0)), 3, -1},
		"fires again":               {newAlert(recorded(3, -1)), 4, hour},
		"created as resolved":       {newAlert(isOver), 0, -1},
		"and fires":                 {newAlert(ready(v1beta1.ReasonResolved)), 1, hour},
		"began in the future":       {newAlert(recorded(3, 2*hour)), 3, hour},
		"began by another second":   {newAlert(recorded(3, hour+1)), 3, hour + 1},
		"old, fires":                {newAlert(rows(holds(oncall)), ready(v1beta1.ReasonSent)), 1, 0},
		"old, resolved":             {newAlert(rows(holds(oncall)), ready(v1beta1.ReasonResolved), isOver), 1, -1},
		"old, fires again":          {newAlert(resolving(v1beta1.DeliveryResolved), ready(v1beta1.ReasonResolved)), 2, hour},
		"old, fires amid a resolve": {newAlert(resolving(v1beta1.DeliverySent), ready(v1beta1.ReasonResolving)), 2, hour},
		"old, below the minimum":    {newAlert(resolving(v1beta1.DeliveryResolved), filtered, ready(v1beta1.ReasonFiltered)), 1, 0},
		"old, fired again, expired": {newAlert(resolving(v1beta1.DeliveryExpired), ready(v1beta1.ReasonExpired)), 1, 0},
		"old, a former receiver": {newAlert(resolving(v1beta1.DeliveryResolved), rows(holds(team)), ready(v1beta1.ReasonSent), func(a *v1beta1.Alert) {
			a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{team}
		}), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := t0.Add(hour * time.Minute)
			in := Inputs{Now: now.Add(24 * time.Hour), Server: times.Server{Known: now}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1"), team: usable("v1")})}
			if len(c.alert.Spec.ReceiverRefs) > 0 {
				in.Refs = c.alert.Spec.ReceiverRefs
			}
			want := occurrence{number: c.number}
			if c.since >= 0 {
				want.since = t0.Add(time.Duration(c.since) * time.Minute)
			}
			if got := in.present(c.alert); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			status := Report(c.alert, Decide(c.alert, in), in)
			since := time.Time{}
			if status.FiringSince != nil {
				since = status.FiringSince.Time
			}
			if status.Occurrence != want.number || !since.Equal(want.since) {
				t.Errorf("the status has %d, %s", status.Occurrence, status.FiringSince)
			}
		})
	}
}

// An upgrade writes no status and sends nothing, also where an Alert has expired since its creation.
func TestAnUpgradeRecordsNoOccurrence(t *testing.T) {
	for name, a := range map[string]*v1beta1.Alert{
		"fires":    newAlert(rows(holds(oncall))),
		"resolved": newAlert(resolving(v1beta1.DeliveryResolved), isOver),
		"expired": newAlert(resolving(v1beta1.DeliveryExpired), func(a *v1beta1.Alert) {
			a.Spec.ExpireAfterSeconds = ptr.To[int32](60)
			row := &a.Status.Deliveries[0]
			row.ContentHash = ResolvedHash()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			in := Inputs{Now: t0.Add(time.Hour), Server: times.Server{Known: t0.Add(time.Hour)}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
			if a.Spec.State == v1beta1.AlertResolved {
				a.Status.Deliveries[0].ContentHash = ResolvedHash()
			}
			a.Status = Report(a, Decide(a, in), in)
			a.Status.Occurrence, a.Status.FiringSince = 0, nil // as a former release has written it
			plan := Decide(a, in)
			if status := Report(a, plan, in); plan.Sends() || !equality.Semantic.DeepEqual(status, a.Status) {
				t.Errorf("sends %t, writes %+v, was %+v", plan.Sends(), status, a.Status)
			}
		})
	}
}

// The expiry and the time in which a receiver may be missing count from the present occurrence.
func TestTimesCountFromThePresentOccurrence(t *testing.T) {
	expires := func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](600) }
	away := map[v1beta1.ReceiverRef]Target{oncall: {Problem: &Problem{Reason: v1beta1.ReasonReceiverNotFound, Message: "away"}}}
	there := map[v1beta1.ReceiverRef]Target{oncall: usable("v1")}
	heard := func(a *v1beta1.Alert) {
		resolving(v1beta1.DeliveryResolved)(a)
		a.Status.Deliveries[0].ContentHash = ResolvedHash()
	}
	for name, c := range map[string]struct {
		alert   *v1beta1.Alert
		targets map[v1beta1.ReceiverRef]Target
		want    string
		phase   phase
	}{
		"the first one has expired":        {newAlert(expires), there, "", phaseSettled},
		"fires again":                      {newAlert(heard, recorded(1, -1), expires), there, "Fired#3.1, wake 10m0s", phaseInProgress},
		"fires again since some minutes":   {newAlert(heard, recorded(2, 53), expires), there, "Fired#3.1, wake 3m0s", phaseInProgress},
		"fired again, and has expired":     {newAlert(heard, recorded(2, 50), expires), there, "", phaseSettled},
		"missing since the creation":       {newAlert(), away, "", phaseBlocked},
		"missing, fires again":             {newAlert(heard, recorded(1, -1)), away, "wake 5m0s", phaseInProgress},
		"missing, fires since two minutes": {newAlert(heard, recorded(2, 58)), away, "wake 3m0s", phaseInProgress},
		"missing, fires since ten minutes": {newAlert(heard, recorded(2, 50)), away, "", phaseBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			now := t0.Add(time.Hour)
			plan := Decide(c.alert, Inputs{Now: now, Server: times.Server{Known: now}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(c.targets)})
			if got := shorthand(plan, now); got != c.want || plan.Deliveries[0].phase != c.phase {
				t.Errorf("decided %q in phase %d, want %q in %d", got, plan.Deliveries[0].phase, c.want, c.phase)
			}
		})
	}
}
