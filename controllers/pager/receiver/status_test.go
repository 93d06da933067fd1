// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

func TestExamine(t *testing.T) {
	fails := func(class result.Class) *result.Error {
		return &result.Error{Class: class, Reason: "Why", Message: "why"}
	}
	tested := func(r *v1beta1.Receiver) { r.Status.TestedWith = "v1" }
	failing := func(r *v1beta1.Receiver) {
		tested(r)
		r.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Why"}, {Type: v1beta1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: "Why"}}
	}
	idle := func(r *v1beta1.Receiver) {
		failing(r)
		r.Status.Conditions[1].Status = metav1.ConditionFalse
	}
	refusing := func(r *v1beta1.Receiver) {
		idle(r)
		r.Status.Conditions = append(r.Status.Conditions, metav1.Condition{Type: v1beta1.ConditionStalled, Status: metav1.ConditionTrue, Reason: "Why"})
	}
	untried := func(r *v1beta1.Receiver) {
		tested(r)
		r.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: "Untried"}}
	}
	createdAgo := func(d time.Duration) func(*v1beta1.Receiver) {
		return func(r *v1beta1.Receiver) { r.CreationTimestamp = metav1.NewTime(controllertest.T0.Add(-d)) }
	}
	noSecret := alertrules.Target{Version: "v1", Problem: &alertrules.Problem{Reason: v1beta1.ReasonSecretNotFound, Message: "x"}}
	for name, c := range map[string]struct {
		why     string
		edit    func(*v1beta1.Receiver)
		target  alertrules.Target
		seen    endpoints.Observation
		waiting int32
		want    string // Ready, its reason, the one beside it that is True; whether it is asked, when to look again
	}{
		"new":                   {why: "it is asked", target: controllertest.Usable("v1"), want: "Unknown Probing Reconciling, ask"},
		"being asked":           {why: "once at a time", target: controllertest.Usable("v1"), seen: endpoints.Observation{Probing: true}, want: "Unknown Probing Reconciling"},
		"answered":              {why: "it works", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1"}}, want: "True Reachable"},
		"answered, changed":     {why: "that was another one", target: controllertest.Usable("v2"), edit: tested, seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1"}}, want: "Unknown Probing Reconciling, ask"},
		"after a restart":       {why: "what is on record is not asked again", target: controllertest.Usable("v1"), edit: tested, want: ""},
		"F-P1 refuses":          {why: "it is asked again soon", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Configuration)}, Probes: 1, NextProbe: controllertest.T0.Add(5 * time.Second)}, want: "False Why Reconciling, wake 5s"},
		"F-P1 still refuses":    {why: "a person should look", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Configuration)}, Probes: 4, NextProbe: controllertest.T0.Add(5 * time.Minute)}, want: "False Why Stalled, wake 5m0s"},
		"F-P1 refused Alerts":   {why: "an Alert tries it", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Configuration), Delivery: true}, NextDelivery: controllertest.T0.Add(time.Minute), Slow: true}, waiting: 3, want: "False Why Stalled"},
		"F-P1 refused one":      {why: "an Alert tries it soon", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Configuration), Delivery: true}}, waiting: 3, want: "False Why Reconciling"},
		"F-P1 nothing waits":    {why: "nothing is tried", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Configuration), Delivery: true}}, want: "False Why Stalled"},
		"does not answer":       {why: "it is asked again", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Unknown)}, NextProbe: controllertest.T0.Add(time.Minute)}, want: "False Why Reconciling, wake 1m0s"},
		"did not answer":        {why: "now", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Temporary)}, NextProbe: controllertest.T0}, want: "False Why Reconciling, ask"},
		"fails":                 {why: "its deliveries decide", target: controllertest.Usable("v1"), edit: tested, seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Unknown)}}, want: "False Why"},
		"fails, with a queue":   {why: "a waiting delivery probes it", target: controllertest.Usable("v1"), edit: tested, waiting: 2, seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: fails(result.Unknown)}}, want: "False Why Reconciling"},
		"failed, restarted":     {why: "nothing waits that would tell", target: controllertest.Usable("v1"), edit: failing, want: "Unknown Probing Reconciling, ask"},
		"idle, restarted":       {why: "the process before may have ended after a delivery that was confirmed", target: controllertest.Usable("v1"), edit: idle, want: "Unknown Probing Reconciling, ask"},
		"refuses, restarted":    {why: "the next delivery decides", target: controllertest.Usable("v1"), edit: refusing, want: "False Why Stalled"},
		"fails, restarted":      {why: "a waiting delivery probes it", target: controllertest.Usable("v1"), edit: failing, waiting: 2, want: "False Why Reconciling"},
		"F-JS1 no Secret, new":  {why: "manifests are applied together in any order", edit: createdAgo(time.Minute), target: noSecret, want: "False SecretNotFound Reconciling, wake 4m0s"},
		"F-JS1 no Secret":       {why: "a person should look", edit: createdAgo(5 * time.Minute), target: noSecret, want: "False SecretNotFound Stalled"},
		"suspended":             {why: "and asked anew when it is not any more", edit: tested, target: alertrules.Target{Version: "v1", Problem: &alertrules.Problem{Reason: "Suspended", Message: "x"}}, want: "False Suspended Stalled"},
		"F-P9 no harmless call": {why: "the configuration is complete, and GitOps tools must not wait for the first page", target: controllertest.Usable("v1"), seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", NotProbed: true}}, want: "True NotProbed"},
		"F-U1 unused keys":      {why: "a misspelt key stops no message", target: alertrules.Target{Version: "v1", SecretNote: `Secret "s" has keys that webhook does not use: signing-secret`}, seen: endpoints.Observation{Proof: endpoints.Proof{Version: "v1", NotProbed: true}}, want: "True NotProbed"},
		"F-P9 was Unknown":      {why: "an earlier version left it so", target: controllertest.Usable("v1"), edit: untried, waiting: 2, want: "Unknown Probing Reconciling, ask"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Name: "r", Generation: 3}}
			if c.edit != nil {
				c.edit(r)
			}
			before := r.DeepCopy()
			got := evaluate(r, c.target, c.seen, c.waiting, controllertest.T0)
			if text := checkShorthand(got); text != c.want {
				t.Errorf("%s: %q, want %q", c.why, text, c.want)
			}
			if ready := meta.FindStatusCondition(got.status.Conditions, v1beta1.ConditionReady); c.target.SecretNote != "" && !strings.Contains(ready.Message, c.target.SecretNote) {
				t.Errorf("the keys are not named: %s", ready.Message)
			}
			if !equality.Semantic.DeepEqual(before, r) {
				t.Error("the receiver was changed")
			}
			for _, condition := range got.status.Conditions {
				if condition.ObservedGeneration != r.Generation {
					t.Errorf("%s says what held at generation %d", condition.Type, condition.ObservedGeneration)
				}
			}
			r.Status = got.status
			if again := evaluate(r, c.target, c.seen, c.waiting, controllertest.T0.Add(time.Millisecond)); !equality.Semantic.DeepEqual(again.status, got.status) || again.urgent {
				t.Errorf("a second look writes again: %+v", again.status)
			}
		})
	}
}

// F-U4: refused credentials name their Secret, as a broker's status does.
func TestRefusedCredentialsNameTheirSecret(t *testing.T) {
	target := controllertest.Usable("v1")
	spec := v1beta1.CommonReceiverSpec{}
	if target.Spec != nil {
		spec = *target.Spec
	}
	spec.SecretRef = &v1beta1.SecretReference{Name: "login"}
	target.Spec = &spec
	failure := &result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401"}
	seen := endpoints.Observation{Proof: endpoints.Proof{Version: "v1", Failure: failure}, Probes: 4, NextProbe: controllertest.T0.Add(5 * time.Minute)}
	got := evaluate(&v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Name: "r"}}, target, seen, 0, controllertest.T0)
	ready := meta.FindStatusCondition(got.status.Conditions, v1beta1.ConditionReady)
	if want := `HTTP 401; the credentials are those of Secret "login"; next probe at `; !strings.HasPrefix(ready.Message, want) || ready.Reason != result.ReasonUnauthorized {
		t.Errorf("Ready is %s: %s", ready.Reason, ready.Message)
	}
	if failure.Message != "HTTP 401" {
		t.Errorf("the recorded failure was changed to %q", failure.Message)
	}
}

// F-U37: a receiver that only an Alert can try says when that is.
func TestNextAttemptOfAMisconfiguredReceiver(t *testing.T) {
	seen := endpoints.Observation{NextDelivery: controllertest.T0.Add(time.Minute), Slow: true, Proof: endpoints.Proof{
		Version: "v1", Delivery: true, Failure: &result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found"},
	}}
	got := evaluate(&v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Name: "r"}}, controllertest.Usable("v1"), seen, 3, controllertest.T0)
	ready := meta.FindStatusCondition(got.status.Conditions, v1beta1.ConditionReady)
	if want := "HTTP 404 Not Found; next attempt, with an Alert, at " + times.Format(seen.NextDelivery); ready.Message != want {
		t.Errorf("got %q, want %q", ready.Message, want)
	}
}

func checkShorthand(c evaluation) string {
	var parts []string
	if ready := meta.FindStatusCondition(c.status.Conditions, v1beta1.ConditionReady); ready != nil {
		parts = append(parts, string(ready.Status)+" "+ready.Reason)
	}
	for _, kind := range []string{v1beta1.ConditionReconciling, v1beta1.ConditionStalled} {
		if meta.IsStatusConditionTrue(c.status.Conditions, kind) {
			parts[0] += " " + kind
		}
	}
	if c.probe {
		parts = append(parts, "ask")
	}
	if !c.requeueAt.IsZero() {
		parts = append(parts, "wake "+c.requeueAt.Sub(controllertest.T0).String())
	}
	return strings.Join(parts, ", ")
}

// The status by a clock that was a year ahead is replaced once the clock is right.
func TestTheLastErrorAfterAClockThatWasAhead(t *testing.T) {
	ahead := times.Timestamp(controllertest.T0.Add(365 * 24 * time.Hour))
	r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Name: "r"}}
	r.Status.LastErrorTime, r.Status.LastError, r.Status.LastDeliveryTime = ahead, "the former error", ahead
	seen := endpoints.Observation{Failed: controllertest.T0, LastError: "the present error", Delivered: controllertest.T0.Add(-time.Minute)}
	got := evaluate(r, controllertest.Usable("v1"), seen, 0, controllertest.T0).status
	if got.LastError != "the present error" || got.LastDeliveryTime.After(controllertest.T0) {
		t.Errorf("it says %q at %s, delivered at %s", got.LastError, got.LastErrorTime, got.LastDeliveryTime)
	}
}
