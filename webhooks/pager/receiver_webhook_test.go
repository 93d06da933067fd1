// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"slices"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// F-P11: whoever deletes a receiver hears of the Alerts that it holds, which nothing can resolve there afterwards.
func TestDeletionOfAReceiverWarnsOfWhatItHolds(t *testing.T) {
	for name, c := range map[string]struct {
		row  v1beta1.Delivery
		want bool
	}{
		"sent":            {v1beta1.Delivery{State: v1beta1.DeliverySent, HeldMessage: v1beta1.HeldMessage{ContentHash: "1:a"}}, true},
		"may have it":     {v1beta1.Delivery{State: v1beta1.DeliveryPending, HeldMessage: v1beta1.HeldMessage{OutcomeUnknown: true}}, true},
		"resolved":        {v1beta1.Delivery{State: v1beta1.DeliveryResolved, HeldMessage: v1beta1.HeldMessage{ContentHash: "1:resolved"}}, false},
		"never attempted": {v1beta1.Delivery{State: v1beta1.DeliveryPending}, false},
	} {
		c.row.Kind, c.row.Name = v1beta1.KindReceiver, "team"
		a := &v1beta1.Alert{Status: v1beta1.AlertStatus{Deliveries: []v1beta1.Delivery{c.row}}}
		if got := holds(a, v1beta1.KindReceiver, "team"); got != c.want || holds(a, v1beta1.KindClusterReceiver, "team") {
			t.Errorf("%s: %t", name, got)
		}
	}
	want := []string{
		"Alerts that are not delivered to Receiver \"team\" yet, and wait until it exists again: 1",
		"Alerts that stay open at Receiver \"team\", unless they are resolved or deleted within its resolveTimeoutSeconds, or it exists again by then: 2",
	}
	if got := deletionWarnings("Receiver \"team\"", 1, 2); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
