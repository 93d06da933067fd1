// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func TestParseReceiver(t *testing.T) {
	for given, want := range map[string]v1beta1.ReceiverRef{
		"team":                             {Name: "team"},
		" team ":                           {Name: "team"},
		"receiver/team":                    {Kind: v1beta1.KindReceiver, Name: "team"},
		"Receivers/team":                   {Kind: v1beta1.KindReceiver, Name: "team"},
		"receiver.pager.k8s.co/team":       {Kind: v1beta1.KindReceiver, Name: "team"},
		"clusterreceiver/team":             {Kind: v1beta1.KindClusterReceiver, Name: "team"},
		"ClusterReceiver/team":             {Kind: v1beta1.KindClusterReceiver, Name: "team"},
		"clusterreceivers.pager.k8s.co/eu": {Kind: v1beta1.KindClusterReceiver, Name: "eu"},
		"rcv/team":                         {Kind: v1beta1.KindReceiver, Name: "team"}, "crcv/eu": {Kind: v1beta1.KindClusterReceiver, Name: "eu"},
	} {
		if got, err := parseReceiver(given); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", given, got, err, want)
		}
	}
	for _, given := range []string{"", "receiver/", "/team", "secret/team", "receivers.notification.toolkit.fluxcd.io/team"} {
		if got, err := parseReceiver(given); err == nil {
			t.Errorf("%q: got %v, want an error", given, got)
		}
	}
}

func TestEnum(t *testing.T) {
	severity := newSeverity()
	for _, given := range []string{"critical", "CRITICAL", "Critical", " critical"} {
		severity.value = ""
		if err := severity.Set(given); err != nil || severity.value != v1beta1.SeverityCritical {
			t.Errorf("%q: got %q, %v", given, severity.value, err)
		}
	}
	err := severity.Set("high")
	if err == nil || err.Error() != "must be Info, Warning or Critical" {
		t.Errorf("high: got the error %v", err)
	}
}

func TestCompleteList(t *testing.T) {
	complete := completeList(func(_ *cobra.Command, given []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if prefix != "t" || given[0] != "oncall" {
			t.Errorf("got the prefix %q after %q", prefix, given)
		}
		return []string{"team", "test"}, cobra.ShellCompDirectiveNoFileComp
	})
	got, _ := complete(nil, nil, "oncall,t")
	if strings.Join(got, " ") != "oncall,team oncall,test" {
		t.Errorf("got %q", got)
	}
}

// firing is an Alert to one receiver, of which the operator has seen the present generation.
func firing(d v1beta1.Delivery, conditions ...metav1.Condition) *v1beta1.Alert {
	d.Kind, d.Name = v1beta1.KindReceiver, "team"
	alert := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "disk-full", Generation: 2}}
	alert.Spec = v1beta1.AlertSpec{Content: "it's full", State: v1beta1.AlertFiring, ReceiverRefs: []v1beta1.ReceiverRef{refOf(d)}}
	alert.Status = v1beta1.AlertStatus{ObservedGeneration: 2, Deliveries: []v1beta1.Delivery{d}, Conditions: conditions}
	return alert
}

func is(kind, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason}
}

func TestIsSettled(t *testing.T) {
	ready, stalled, reconciling := is("Ready", "Sent"), is("Stalled", "Misconfigured"), is("Reconciling", "Retrying")
	second := func(alert *v1beta1.Alert, d v1beta1.Delivery) *v1beta1.Alert {
		d.Kind, d.Name = v1beta1.KindClusterReceiver, "oncall"
		alert.Spec.ReceiverRefs = append(alert.Spec.ReceiverRefs, refOf(d))
		alert.Status.Deliveries = append(alert.Status.Deliveries, d)
		return alert
	}
	old := firing(v1beta1.Delivery{State: v1beta1.DeliverySent}, ready)
	old.Generation = 3
	resolving := firing(v1beta1.Delivery{State: v1beta1.DeliverySent, Reason: "Suspended"}, stalled)
	resolving.Spec.State = v1beta1.AlertResolved
	unauthorized := v1beta1.Delivery{State: v1beta1.DeliveryPending, Reason: "Unauthorized"}
	for name, test := range map[string]struct {
		alert *v1beta1.Alert
		want  bool
	}{
		"sent":                    {firing(v1beta1.Delivery{State: v1beta1.DeliverySent}, ready), true},
		"sent, then edited":       {old, false},
		"retried":                 {firing(v1beta1.Delivery{State: v1beta1.DeliveryPending, Reason: "Timeout"}, reconciling), false},
		"misconfigured":           {firing(unauthorized, stalled), true},
		"one blocked, one sent":   {second(firing(unauthorized, stalled), v1beta1.Delivery{State: v1beta1.DeliverySent}), true},
		"one blocked, one open":   {second(firing(unauthorized, stalled), v1beta1.Delivery{State: v1beta1.DeliveryPending}), false},
		"one blocked, one failed": {second(firing(unauthorized, stalled), v1beta1.Delivery{State: v1beta1.DeliveryPending, Reason: "Timeout"}), true},
		"resolve blocked":         {resolving, true},
	} {
		if got := isSettled(test.alert); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// F-P73: beside "it may want a client certificate" the hint says how to add one.
func TestHintAboutAClientCertificate(t *testing.T) {
	for name, test := range map[string]struct {
		reason, message string
		want            bool
	}{
		"refused handshake":   {"TLSFailed", "the server refused the TLS handshake; it may want a client certificate or another version", true},
		"closed connection":   {"ConnectionFailed", "the server closed the connection before the first request; it may want a client certificate", true},
		"refused connection":  {"ConnectionFailed", "the connection was refused", false},
		"unknown certificate": {"TLSFailed", "the certificate is signed by an unknown authority", true},
	} {
		got := hintOfDelivery(firing(v1beta1.Delivery{}), v1beta1.Delivery{Kind: v1beta1.KindReceiver, Name: "team", Reason: test.reason, Message: test.message})
		if has := strings.Contains(got, "client certificate") && strings.Contains(got, "tls.crt and tls.key"); has != test.want || got == "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestIsFinal(t *testing.T) {
	for name, test := range map[string]struct {
		delivery v1beta1.Delivery
		want     bool
	}{
		"none yet":                  {v1beta1.Delivery{}, false},
		"in flight":                 {v1beta1.Delivery{State: v1beta1.DeliveryPending}, false},
		"in flight at most once":    {v1beta1.Delivery{State: v1beta1.DeliveryUnknown, Reason: "Sending"}, false},
		"answer lost at most once":  {v1beta1.Delivery{State: v1beta1.DeliveryUnknown, Reason: "OutcomeUnknown"}, true},
		"down":                      {v1beta1.Delivery{State: v1beta1.DeliveryPending, Reason: "ConnectionFailed"}, false},
		"wrong credential":          {v1beta1.Delivery{State: v1beta1.DeliveryPending, Reason: "Unauthorized", DeliveryAttempt: v1beta1.DeliveryAttempt{MisconfiguredAnswers: 1}}, true},
		"suspended":                 {v1beta1.Delivery{State: v1beta1.DeliveryPending, Reason: "Suspended"}, true},
		"taken":                     {v1beta1.Delivery{State: v1beta1.DeliverySent}, true},
		"refused in its own format": {v1beta1.Delivery{State: v1beta1.DeliveryFailed, Reason: "Rejected"}, true},
	} {
		if got := isFinal(test.delivery); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestWhyPending(t *testing.T) {
	next := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	fresh := firing(v1beta1.Delivery{})
	fresh.Status = v1beta1.AlertStatus{ObservedGeneration: -1}
	resolved := firing(v1beta1.Delivery{State: v1beta1.DeliveryPending})
	resolved.Spec.State = v1beta1.AlertResolved
	for name, test := range map[string]struct {
		alert *v1beta1.Alert
		want  string
	}{
		"sent":     {firing(v1beta1.Delivery{State: v1beta1.DeliverySent}), ""},
		"failed":   {firing(v1beta1.Delivery{State: v1beta1.DeliveryFailed, Reason: "Rejected"}), ""},
		"resolved": {resolved, ""},
		"new":      {fresh, "it is not sent yet: the operator has not looked at it yet"},
		"retried": {
			firing(v1beta1.Delivery{State: v1beta1.DeliveryPending, Reason: "Timeout", Message: "no answer", NextAttemptTime: &next}),
			"it is not sent to receiver/team yet: Timeout: no answer; next attempt at 2026-01-02T03:04:05Z",
		},
	} {
		if got := whyPending(test.alert); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestPageCommand(t *testing.T) {
	alert := firing(v1beta1.Delivery{})
	alert.Spec.Title, alert.Spec.Severity = "Disk", v1beta1.SeverityWarning
	want := `kubectl bellhop page 'it'\''s full' --namespace=shop --title='Disk' --severity=Warning --to=receiver/team`
	if got := pageCommand(alert); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	alert.Spec.Content = strings.Repeat("x", longestText+1)
	if got := pageCommand(alert); !strings.HasPrefix(got, "kubectl bellhop page TEXT ") {
		t.Errorf("got %s of a long text", got)
	}
}
