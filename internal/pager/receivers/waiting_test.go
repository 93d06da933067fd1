// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"slices"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// TestAnAlertWithoutReceiversWaitsForADefault: the receivers of its status are no longer named.
func TestAnAlertWithoutReceiversWaitsForADefault(t *testing.T) {
	a := &v1beta1.Alert{Status: v1beta1.AlertStatus{Deliveries: []v1beta1.Delivery{{Kind: v1beta1.KindReceiver, Name: "team", State: v1beta1.DeliverySent}}}}
	if !slices.Contains(WaitingKeys(a), defaultReceiver) {
		t.Error("a default would not be noticed")
	}
}
